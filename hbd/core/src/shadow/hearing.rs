//! Messages in: who sent it, is it new, and what does it say (Heartbeat specification 5.5, 7.2). Every
//! message is for us, whoever it is addressed to.

use super::Shadow;
use super::event::{Event, Said};
use crate::config::{GroupId, LinkId};
use crate::links::Numbered;
use crate::messages::{Header, Kind};
use crate::roster::NodeId;
use crate::sequence::{Arrival, Order, Rejoin, Sender, Verdict};
use crate::wire::Message;
use ha_status::{HoldSet, NodeStatus};
use std::time::Instant;

/// The old daemon holds a status of so many bytes.
const MAX_WORD: usize = 31;

impl Shadow {
    pub(super) fn hear(&mut self, link: LinkId, message: &Message, now: Instant) {
        let counters = &mut self.reception.counters;
        counters.packets_in = counters.packets_in.saturating_add(1);
        self.revision = self.revision.wrapping_add(1);
        let Some(header) = Header::read(message) else {
            counters.rejected_malformed = counters.rejected_malformed.saturating_add(1);
            return;
        };
        let Some(node) = self.roster.find(header.source) else {
            if self.reception.meet(header.source) {
                let name = header.source.to_owned();
                self.tell(Event::Stranger { name });
            }
            return;
        };
        // What is not numbered is about packets, which are none of our business.
        let Some(seq) = header.seq else { return };
        self.hear_numbered((node, link), header, seq, message, now);
    }

    fn hear_numbered(
        &mut self,
        (node, link): (NodeId, LinkId),
        header: Header<'_>,
        seq: u64,
        message: &Message,
        now: Instant,
    ) {
        let seen = self.nodes.get_mut(node);
        let arrival = Arrival {
            generation: header.generation,
            seq,
            is_status: header.kind == Kind::Status,
            proven: true,
            sender: match seen.status {
                _ if !seen.lives() && seen.uuid.is_some() && seen.uuid != header.uuid => {
                    Sender::Anew
                }
                NodeStatus::Dead => Sender::Dead,
                NodeStatus::Init
                | NodeStatus::Up
                | NodeStatus::Active
                | NodeStatus::Left
                | NodeStatus::Ping => Sender::Known,
            },
        };
        let packet = Numbered {
            seq,
            last: seq,
            beat: arrival.is_status,
            // What is sent again nobody here has asked for.
            again: false,
        };
        let verdict = seen.receiver.receive(arrival, 0, now);
        let counters = &mut self.reception.counters;
        match verdict {
            Verdict::Accept(accepted) => {
                seen.uuid = header.uuid.or(seen.uuid);
                if accepted.rejoin.is_some() {
                    self.links.begin_life(node);
                }
                self.hear_link(node, link, packet, now);
                self.account(node, accepted.order);
                let outdated = accepted.outdated_status;
                match header.kind {
                    Kind::Status if outdated => {}
                    Kind::Status => {
                        self.hear_status((node, link), accepted.rejoin, message, now);
                    }
                    Kind::Shutdone => self.hear_goodbye(node, now),
                    Kind::Other => self.hear_resources(node, message, now),
                    Kind::Reqnodes
                    | Kind::Ack
                    | Kind::Rexmit
                    | Kind::NakRexmit
                    | Kind::Question
                    | Kind::Finding => {}
                }
            }
            Verdict::Duplicate | Verdict::Old => {
                counters.duplicates = counters.duplicates.saturating_add(1);
                self.hear_link(node, link, packet, now);
            }
            Verdict::Replay { .. } => counters.replays = counters.replays.saturating_add(1),
            Verdict::Stale | Verdict::Premature { .. } | Verdict::Unproven => {}
        }
    }

    fn hear_link(&mut self, node: NodeId, link: LinkId, mut packet: Numbered, now: Instant) {
        let last = self.nodes.get(node).receiver.last_seq();
        packet.last = last.unwrap_or(packet.seq);
        let dead_after = self.nodes.dead_after(node);
        let up = self.links.heard((node, link), packet, dead_after, now);
        if up {
            let node = self.name(node);
            self.tell(Event::Link {
                node,
                link,
                up: true,
            });
        }
    }

    fn account(&mut self, node: NodeId, order: Order) {
        match order {
            Order::Gap { first, last } | Order::LostMany { first, last } => {
                let count = last.saturating_sub(first).saturating_add(1);
                let lost = &mut self.reception.counters.lost;
                *lost = lost.saturating_add(count);
                let node = self.name(node);
                self.tell(Event::Lost { node, count });
            }
            Order::Next | Order::Recovered { .. } => {}
        }
    }

    fn hear_status(
        &mut self,
        (node, link): (NodeId, LinkId),
        rejoin: Option<Rejoin>,
        message: &Message,
        now: Instant,
    ) {
        let seen = self.nodes.get_mut(node);
        // What it still sends is the tail of its shutdown.
        if seen.status == NodeStatus::Left && rejoin.is_none() {
            return;
        }
        let alive = seen.lives();
        match rejoin {
            Some(Rejoin::First | Rejoin::Restart { .. }) => seen.begin_life(),
            Some(Rejoin::Healed) | None => {}
        }
        let first = matches!(rejoin, Some(Rejoin::First));
        let interval = seen.beat(link, message.hex("dt"), now);
        let late = interval.filter(|interval| *interval > self.config.warntime);
        if let Some(interval) = late.filter(|_| rejoin.is_none()) {
            let lateness = &mut self.nodes.get_mut(node).lateness;
            lateness.late = lateness.late.saturating_add(1);
            let counters = &mut self.reception.counters;
            counters.late = counters.late.saturating_add(1);
            let node = self.name(node);
            self.tell(Event::Late {
                node,
                interval,
                link,
            });
        }
        match rejoin {
            Some(Rejoin::Restart { .. }) => self.restarted(node, alive, now),
            Some(Rejoin::Healed) => self.returned(node, now),
            Some(Rejoin::First) | None => self.still_there(node, now),
        }
        self.hear_word(node, first, message.text("st").unwrap_or("up"), now);
        self.hear_report(node, message, now);
    }

    fn hear_word(&mut self, node: NodeId, first: bool, word: &str, now: Instant) {
        let word: String = word
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_WORD)
            .collect();
        let active = word.eq_ignore_ascii_case("active");
        let status = if active {
            NodeStatus::Active
        } else {
            NodeStatus::Up
        };
        let seen = self.nodes.get_mut(node);
        seen.become_status(status, now);
        // One that is active when it is first heard has been so before.
        let came_back = active && std::mem::take(&mut seen.away) && !first;
        if !seen.word.eq_ignore_ascii_case(&word) {
            seen.word.clone_from(&word);
            let node = self.name(node);
            self.tell(Event::Status { node, status: word });
        }
        if came_back {
            self.came_back(node, now);
        }
    }

    /// What an hbd node says of its groups and of whom it hears.
    fn hear_report(&mut self, node: NodeId, message: &Message, now: Instant) {
        let extended = message.text("hbx").is_some();
        self.nodes.get_mut(node).extended = extended;
        if !extended {
            return;
        }
        let Some(report) = self.codec.read(message, &self.roster) else {
            return;
        };
        let seen = self.nodes.get_mut(node);
        if seen.report.as_ref() == Some(&report) {
            return;
        }
        let leaving = report.leaving && !std::mem::replace(&mut seen.leaving, report.leaving);
        let gone = report.gone;
        let before = seen.report.replace(report.clone());
        if leaving {
            self.said(node, Said::Leaving);
        }
        if gone {
            self.hear_goodbye(node, now);
            return;
        }
        let missed: Vec<NodeId> = before.map_or_else(Vec::new, |before| {
            let hears = before.heard.keys().copied();
            let lost = hears.filter(|id| before.hears(*id) && !report.heard.contains_key(id));
            lost.collect()
        });
        for missed in missed {
            self.declared_dead(node, missed, now);
        }
    }

    fn hear_goodbye(&mut self, node: NodeId, now: Instant) {
        let seen = self.nodes.get_mut(node);
        if seen.status == NodeStatus::Left {
            return;
        }
        let ran = self.ran(node);
        let seen = self.nodes.get_mut(node);
        seen.become_status(NodeStatus::Left, now);
        "left".clone_into(&mut seen.word);
        seen.away = true;
        seen.receiver.forget_missing();
        self.tell(Event::Left {
            node: self.roster.name(node).clone(),
        });
        self.gone(node, ran, now);
    }

    /// What an old node says of resources.
    fn hear_resources(&mut self, node: NodeId, message: &Message, now: Instant) {
        if !self.nodes.lives(node) {
            return;
        }
        match message.kind() {
            "starting" => self.said(node, Said::Starting),
            "resource" => self.hear_holdings(node, message, now),
            "ask_resources" => {
                let set = set_of(message, HoldSet::All);
                match message.text("info") {
                    Some("me") => self.offered(node, set, now),
                    Some("other") => self.accepted(node, set, now),
                    Some("done") => self.done(node, set, now),
                    Some(_) | None => {}
                }
            }
            "hb_takeover" => self.said(node, Said::Wants(set_of(message, HoldSet::All))),
            "stonith" => {
                let missed = message.text("node").and_then(|name| self.roster.find(name));
                if let Some(missed) = missed {
                    self.declared_dead(node, missed, now);
                }
            }
            "ip-request-resp" if message.text("ok") == Some("OK") => self.given(message),
            _ => {}
        }
    }

    fn hear_holdings(&mut self, node: NodeId, message: &Message, now: Instant) {
        let set = set_of(message, HoldSet::None);
        if message.text("rtype") != Some("full") {
            self.holdings.took(node, set);
            self.said(node, Said::Took(set));
            return;
        }
        if message.text("info") == Some("shutdown") {
            // What it holds from now on is nothing; what it ran is what somebody must take.
            self.nodes.get_mut(node).leaving = true;
            self.said(node, Said::Leaving);
            self.lets_go(now);
            return;
        }
        let stable = message.text("isstable") == Some("1");
        self.holdings.holds(node, set, stable);
        self.said(node, Said::Holds { set, stable });
    }

    fn given(&mut self, message: &Message) {
        let key = message.text("ipaddr");
        let to = message.text("dest").and_then(|name| self.roster.find(name));
        let mut groups = self.config.groups.iter();
        let group: Option<GroupId> = groups
            .find(|(_, group)| key == Some(group.name.as_str()))
            .map(|(id, _)| id);
        if let Some((group, to)) = group.zip(to) {
            self.holdings.given(group, to);
        }
    }

    pub(super) fn said(&mut self, node: NodeId, said: Said) {
        let node = self.name(node);
        self.tell(Event::Said { node, said });
    }
}

/// The set that a message names.
fn set_of(message: &Message, absent: HoldSet) -> HoldSet {
    match message.text("rsc_hold") {
        Some("local") => HoldSet::Local,
        Some("foreign") => HoldSet::Foreign,
        Some("all") => HoldSet::All,
        Some(_) => HoldSet::None,
        None => absent,
    }
}
