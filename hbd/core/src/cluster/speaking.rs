//! What this node says: its status with the report, and everything else on the way to the links.

use super::Cluster;
use crate::config::GroupId;
use crate::extension::{GroupReport, Heard, Report};
use crate::messages::{self, Addressee};
use crate::output::{Notice, Output};
use crate::roster::NodeId;
use crate::speech::Said;
use crate::wire::Message;
use std::collections::BTreeMap;
use std::time::Instant;

impl Cluster {
    /// As the old daemon does: one status `init`, then `up` (specification 5.9).
    pub(super) fn say_first(&mut self, now: Instant) {
        self.say_status("init", now);
        self.outbox.notice(Notice::LocalStatus("up"));
    }

    /// Sends whatever is due: requests for lost messages, and a status at each beat and at news.
    pub(super) fn speak(&mut self, now: Instant) {
        if self.outbox.has_exited() {
            return;
        }
        self.request_missing(now);
        let news = !self.has_said_all();
        if news {
            self.outbox.changed();
        }
        if self.speech.pace.due(news, now) {
            self.say_status(self.own.word(), now);
        }
    }

    pub(super) fn say_status(&mut self, word: &'static str, now: Instant) {
        let report = self.report();
        let message = self.speech.status(word, report, &self.roster, now);
        self.pass_on(message);
    }

    /// Sends a message without `dest`, or with one whose node is given.
    pub(super) fn send(&mut self, message: Message, dest: Option<NodeId>, now: Instant) {
        let addressee = self.addressee(dest);
        let message = self.speech.voice.say(message, addressee, now);
        self.pass_on(message);
    }

    /// Do the others know everything of us, as far as we could tell them?
    fn has_said_all(&self) -> bool {
        let Some(Said { word, report }) = self.speech.said() else {
            return false;
        };
        *word == self.own.word()
            && report.wakes == self.own.life().wakes
            && report.leaving == self.orders.is_leaving()
            && report.gone == self.orders.has_given_up()
            && report.relay == self.third_parties.relay
            && same(&report.heard, self.heard())
            && same(&report.groups, self.group_reports())
    }

    /// What a message for a node says about it beside its name.
    pub(super) fn addressee(&self, dest: Option<NodeId>) -> Addressee {
        let peer = dest.and_then(|node| self.membership.peer(node));
        peer.map_or_else(Addressee::default, |peer| Addressee {
            uuid: peer.known.uuid,
            generation: peer.extended.then(|| peer.receiver.generation()),
        })
    }

    /// Hands a finished message to the shell.
    pub(super) fn pass_on(&mut self, message: Message) {
        self.reception.counters.packets_out = self.reception.counters.packets_out.saturating_add(1);
        self.outbox.push(Output::Send(message));
    }

    /// Asks again for what got lost.
    fn request_missing(&mut self, now: Instant) {
        let mut requests = Vec::new();
        for node in self.roster.peers() {
            let Some(peer) = self.membership.peer_mut(node) else {
                continue;
            };
            if peer.lives() {
                let due = peer.receiver.requests(now);
                requests.extend(due.into_iter().map(|request| (node, request)));
            }
        }
        for (node, request) in requests {
            let message = messages::rexmit(self.roster.name(node).as_str(), request);
            self.send(message, Some(node), now);
        }
    }

    fn report(&self) -> Report {
        Report {
            wakes: self.own.life().wakes,
            leaving: self.orders.is_leaving(),
            gone: self.orders.has_given_up(),
            digest: self.config.haresources_digest.clone(),
            heard: self.heard().collect(),
            groups: self.group_reports().collect(),
            relay: self.third_parties.relay.clone(),
        }
    }

    /// The lives that this node names: those of its peers, and of a node that has its name.
    fn heard(&self) -> impl Iterator<Item = (NodeId, Heard)> {
        let peers = self.membership.peers();
        let peers = peers.filter_map(|(id, peer)| Some((id, peer.told()?)));
        let namesake = self.footing.namesake.life().map(|life| Heard {
            life,
            proven: self.footing.namesake.is_heard(),
        });
        peers.chain(namesake.map(|heard| (self.roster.local(), heard)))
    }

    fn group_reports(&self) -> impl Iterator<Item = (GroupId, GroupReport)> {
        self.groups.iter().map(|(id, group)| {
            let run = group.runner.run().state();
            let readiness = group.readiness();
            let claim = group.stake.claim;
            (
                id,
                GroupReport {
                    run,
                    readiness,
                    claim,
                },
            )
        })
    }
}

/// Are these exactly the entries?
fn same<K: Ord, V: PartialEq>(
    entries: &BTreeMap<K, V>,
    mut others: impl Iterator<Item = (K, V)>,
) -> bool {
    let mut count = 0;
    let known = others.all(|(key, value)| {
        count += 1;
        entries.get(&key) == Some(&value)
    });
    known && count == entries.len()
}
