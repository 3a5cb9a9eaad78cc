//! Messages in: who sent it, is it new, and what does it say (Heartbeat specification 5.5).

use super::Cluster;
use super::believing::is_extended;
use super::ring::is_news;
use crate::config::LinkId;
use crate::extension::Report;
use crate::links::Numbered;
use crate::membership::Disbelief;
use crate::messages::{self, Header, Kind};
use crate::output::Notice;
use crate::roster::NodeId;
use crate::sequence::{Accepted, Order, Rejoin, Verdict};
use crate::wire::Message;
use ha_status::NodeStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The old daemon holds a status of so many bytes.
const MAX_WORD: usize = 31;

impl Cluster {
    pub(super) fn hear(&mut self, link: LinkId, message: &Message, now: Instant) {
        self.reception.counters.packets_in = self.reception.counters.packets_in.saturating_add(1);
        let Some(header) = Header::read(message) else {
            self.reception.counters.rejected_malformed =
                self.reception.counters.rejected_malformed.saturating_add(1);
            return;
        };
        if header.source == self.config.local.as_str() {
            self.hear_own_name(header, message, now);
            return;
        }
        let Some(node) = self.roster.find(header.source) else {
            self.meet_stranger(header.source);
            return;
        };
        match header.seq {
            None => {
                if !self.ends_here(message) {
                    self.pass_on_along(link, message);
                }
                if self.is_meant_for_us(node, header, message, now) {
                    self.hear_unsequenced(node, header.kind, message, now);
                }
            }
            Some(seq) => self.hear_sequenced((node, link), header, seq, message, now),
        }
    }

    fn meet_stranger(&mut self, name: &str) {
        if self.reception.meet(name) {
            let name = name.to_owned();
            self.outbox.notice(Notice::UnknownNode { name });
        }
    }

    fn hear_link(&mut self, node: NodeId, link: LinkId, mut packet: Numbered, now: Instant) {
        let peer = self.membership.peer(node);
        let last = peer.and_then(|peer| peer.receiver.last_seq());
        packet.last = last.unwrap_or(packet.seq);
        let dead_after = self.membership.dead_after(node);
        if self.links.heard((node, link), packet, dead_after, now) {
            let node = self.roster.name(node).clone();
            self.outbox.notice(Notice::LinkUp { node, link });
            self.outbox.changed();
        }
    }

    fn hear_unsequenced(&mut self, node: NodeId, kind: Kind, message: &Message, now: Instant) {
        let name = self.roster.name(node).clone();
        match kind {
            Kind::Ack => {
                let seq = message.hex("ackseq");
                let voice = &mut self.speech.voice;
                let took = seq.and_then(|seq| voice.acknowledge(name.as_str(), seq, now));
                if let Some((took, peer)) = took.zip(self.membership.peer_mut(node)) {
                    peer.quality.round_trip(took);
                }
            }
            Kind::Rexmit => {
                let (first, last) = (message.decimal("firstseq"), message.decimal("lastseq"));
                let range = first.zip(last).filter(|(first, last)| first <= last);
                let Some(range) = range else { return };
                let addressee = self.addressee(Some(node));
                for message in self
                    .speech
                    .voice
                    .resend(name.as_str(), addressee, range, now)
                {
                    self.pass_on(message);
                }
            }
            Kind::NakRexmit => {
                let seq = message.hex("firstseq");
                let peer = self.membership.peer_mut(node);
                if let Some((seq, peer)) = seq.zip(peer)
                    && peer.receiver.give_up(seq)
                {
                    self.outbox.notice(Notice::PacketsGone { node: name, seq });
                }
            }
            Kind::Question => self.hear_question(node, message, now),
            Kind::Finding => self.hear_finding(node, message),
            Kind::Status | Kind::Shutdone | Kind::Reqnodes | Kind::Other => {}
        }
    }

    fn hear_sequenced(
        &mut self,
        (node, link): (NodeId, LinkId),
        header: Header<'_>,
        seq: u64,
        message: &Message,
        now: Instant,
    ) {
        let random = self.random.next();
        let Some(arrival) = self.arrival(node, header, seq, message) else {
            return;
        };
        let Some(peer) = self.membership.peer_mut(node) else {
            return;
        };
        if peer.is_retired(header.uuid) {
            self.refuse(node, Disbelief::Replay, header.generation, now);
            return;
        }
        let again = peer.receiver.has_asked_for(seq);
        let packet = Numbered {
            seq,
            last: seq,
            beat: arrival.is_status && !again,
            again,
        };
        let verdict = peer.receiver.receive(arrival, random, now);
        if is_news(&verdict) {
            self.pass_on_along(link, message);
        }
        match verdict {
            Verdict::Accept(accepted) => {
                self.recognise(node, header, accepted.rejoin, message);
                self.hear_link(node, link, packet, now);
                self.account(node, accepted, now);
                self.dispatch(node, header.kind, accepted, message, now);
                self.count(node, packet, now);
            }
            Verdict::Duplicate | Verdict::Old => {
                self.reception.counters.duplicates =
                    self.reception.counters.duplicates.saturating_add(1);
                self.hear_link(node, link, packet, now);
            }
            Verdict::Stale | Verdict::Premature { .. } => {}
            Verdict::Unproven => self.consider(node, header, message, now),
            Verdict::Replay { got, .. } => self.refuse(node, Disbelief::Replay, got, now),
        }
    }

    /// Counts a packet that no link had brought before.
    fn count(&mut self, node: NodeId, packet: Numbered, now: Instant) {
        if let Some(peer) = self.membership.peer_mut(node)
            && !packet.again
        {
            peer.quality.number(packet.seq, now);
        }
    }

    /// Acknowledges, and reports what got lost.
    fn account(&mut self, node: NodeId, accepted: Accepted, now: Instant) {
        let name = self.roster.name(node).clone();
        if let Some(seq) = accepted.ack {
            self.send(messages::ack(name.as_str(), seq), Some(node), now);
        }
        match accepted.order {
            Order::Next => {}
            Order::Gap { first, last } | Order::LostMany { first, last } => {
                let count = last.saturating_sub(first).saturating_add(1);
                self.reception.counters.lost = self.reception.counters.lost.saturating_add(count);
                self.outbox.notice(Notice::PacketsLost {
                    node: name,
                    count,
                    from: first,
                    to: last,
                });
            }
            Order::Recovered { missing: 0 } => {
                self.outbox.notice(Notice::PacketsRecovered { node: name });
            }
            Order::Recovered { .. } => {}
        }
    }

    fn dispatch(
        &mut self,
        node: NodeId,
        kind: Kind,
        accepted: Accepted,
        message: &Message,
        now: Instant,
    ) {
        match kind {
            Kind::Status if accepted.outdated_status => {}
            Kind::Status => self.hear_status(node, accepted.rejoin, message, now),
            Kind::Shutdone => self.hear_shutdone(node, now),
            Kind::Reqnodes => {
                if messages::addressed_to(message, &self.config) {
                    let name = self.roster.name(node).clone();
                    let answer = messages::repnodes(name.as_str(), &self.roster);
                    self.send(answer, Some(node), now);
                }
            }
            Kind::Other => self.hear_old_peer(node, message, now),
            Kind::Ack | Kind::Rexmit | Kind::NakRexmit | Kind::Question | Kind::Finding => {}
        }
    }

    fn hear_status(
        &mut self,
        node: NodeId,
        rejoin: Option<Rejoin>,
        message: &Message,
        now: Instant,
    ) {
        let Some(peer) = self.membership.peer(node) else {
            return;
        };
        // It said goodbye in this life; what it still sends is the tail of its shutdown.
        if peer.status == NodeStatus::Left && rejoin.is_none() {
            return;
        }
        self.footing.carriers.heard();
        self.rejoin(node, rejoin, now);
        let dead_after = self.membership.dead_after(node);
        let interval = self.membership.heard(node, message.hex("dt"), now);
        if let Some((silence, peer)) = interval.zip(self.membership.peer_mut(node)) {
            peer.quality.silence(silence, dead_after, now);
            peer.quality.beat(silence);
        }
        if rejoin.is_none() {
            self.judge_interval(node, interval);
        }
        self.hear_word(node, message.text("st").unwrap_or("up"), now);
        self.hear_extension(node, message, now);
    }

    fn rejoin(&mut self, node: NodeId, rejoin: Option<Rejoin>, now: Instant) {
        let name = self.roster.name(node).clone();
        match rejoin {
            None | Some(Rejoin::First) => {}
            Some(Rejoin::Restart { .. }) => {
                self.speech.voice.forget(name.as_str());
                self.greeting.forget(node);
                if let Some(peer) = self.membership.peer_mut(node) {
                    peer.begin_life();
                }
                self.outbox.notice(Notice::NodeRestarted { node: name });
            }
            Some(Rejoin::Healed) => {
                let patience = self.patience_with_rivals();
                self.greeting.returned(node, now + patience);
                self.outbox.notice(Notice::NodeReturned { node: name });
                self.announce_running();
            }
        }
    }

    fn judge_interval(&mut self, node: NodeId, interval: Option<Duration>) {
        let Some(interval) = interval.filter(|time| *time > self.config.warntime) else {
            return;
        };
        self.reception.counters.late = self.reception.counters.late.saturating_add(1);
        let node = self.roster.name(node).clone();
        self.outbox.notice(Notice::LateHeartbeat { node, interval });
    }

    fn hear_word(&mut self, node: NodeId, word: &str, now: Instant) {
        let Some(peer) = self.membership.peer_mut(node) else {
            return;
        };
        let word: String = word
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_WORD)
            .collect();
        let status = if word.eq_ignore_ascii_case("active") {
            NodeStatus::Active
        } else {
            NodeStatus::Up
        };
        peer.become_status(status, now);
        if peer.word.eq_ignore_ascii_case(&word) {
            return;
        }
        peer.word.clone_from(&word);
        self.outbox.notice(Notice::NodeStatus {
            node: self.roster.name(node).clone(),
            status: word,
        });
    }

    fn hear_extension(&mut self, node: NodeId, message: &Message, now: Instant) {
        let extended = is_extended(message);
        let report = if extended {
            self.speech.codec.read(message, &self.roster)
        } else {
            None
        };
        let Some(peer) = self.membership.peer_mut(node) else {
            return;
        };
        peer.extended = extended;
        match (extended, report) {
            (true, Some(report)) => self.hear_report(node, report, now),
            // Sent again, or not understood: a heartbeat and no more.
            (true, None) => {}
            (false, _) => self.meet_old_peer(node),
        }
    }

    fn meet_old_peer(&mut self, node: NodeId) {
        let Some(peer) = self.membership.peer_mut(node) else {
            return;
        };
        peer.report = None;
        if !std::mem::replace(&mut peer.old_reported, true) {
            let node = self.roster.name(node).clone();
            self.outbox.notice(Notice::OldPeer { node });
        }
    }

    fn hear_report(&mut self, node: NodeId, report: Report, now: Instant) {
        let Some(peer) = self.membership.peer_mut(node) else {
            return;
        };
        if peer.report.as_deref() == Some(&report) {
            return;
        }
        let differs = report.digest != self.config.haresources_digest;
        let before = peer.report.replace(Arc::new(report));
        let said_before = before
            .as_ref()
            .is_some_and(|old| old.digest != self.config.haresources_digest);
        if differs && !said_before {
            let node = self.roster.name(node).clone();
            self.outbox.notice(Notice::HaresourcesDiffer { node });
        }
        self.membership.vouch(self.roster.local(), self.own.life());
        self.learn(node, before.as_deref(), now);
    }

    pub(super) fn hear_shutdone(&mut self, node: NodeId, now: Instant) {
        let Some(peer) = self.membership.peer_mut(node) else {
            return;
        };
        if !peer.become_status(NodeStatus::Left, now) {
            return;
        }
        peer.report = None;
        "left".clone_into(&mut peer.word);
        peer.receiver.forget_missing();
        let name = self.roster.name(node).clone();
        self.speech.voice.forget(name.as_str());
        self.outbox.notice(Notice::NodeLeft { node: name });
    }
}
