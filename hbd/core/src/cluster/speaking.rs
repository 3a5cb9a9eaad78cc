//! What this node says: its status with the report, and everything else on the way to the links.

use super::Cluster;
use crate::config::GroupId;
use crate::extension::{GroupReport, Heard, Report};
use crate::messages::{self, Addressee};
use crate::output::{Notice, Output};
use crate::roster::NodeId;
use crate::wire::Message;
use std::time::Instant;

impl Cluster {
    /// As the old daemon does: one status `init`, then `up` (specification 5.9).
    pub(super) fn say_first(&mut self, now: Instant) {
        self.say_status("init", now);
        self.notice(Notice::LocalStatus("up"));
    }

    /// Sends whatever is due: requests for lost messages, and a status at each beat and at news.
    pub(super) fn speak(&mut self, now: Instant) {
        if self.exited {
            return;
        }
        self.request_missing(now);
        if self.pace.due(now) {
            self.say_status(self.word(), now);
        }
    }

    /// The status word of this node.
    pub(super) fn word(&self) -> &'static str {
        if self.active { "active" } else { "up" }
    }

    pub(super) fn say_status(&mut self, word: &str, now: Instant) {
        let mut message = messages::status(word, self.config.deadtime);
        self.codec.write(&self.report(), &self.roster, &mut message);
        self.send(message, None, now);
    }

    /// Sends a message without `dest`, or with one whose node is given.
    pub(super) fn send(&mut self, message: Message, dest: Option<NodeId>, now: Instant) {
        let addressee = self.addressee(dest);
        let message = self.voice.say(message, addressee, now);
        self.pass_on(message);
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
        self.counters.packets_out = self.counters.packets_out.saturating_add(1);
        self.queue.push_back(Output::Send(message));
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
        let peers = self.membership.peers();
        let peers = peers.filter_map(|(id, peer)| Some((id, peer.told()?)));
        let namesake = self.namesake.life().map(|life| Heard {
            life,
            proven: self.namesake.is_heard(),
        });
        let namesake = namesake.map(|heard| (self.roster.local(), heard));
        let group = |(id, group): (GroupId, &super::Group)| {
            let run = group.runner.run().state();
            let claim = group.claim;
            (id, GroupReport { run, claim })
        };
        Report {
            wakes: self.wakes,
            leaving: self.shutdown.is_some(),
            gone: self.has_given_up(),
            digest: self.config.haresources_digest.clone(),
            heard: peers.chain(namesake).collect(),
            groups: self.groups.iter().map(group).collect(),
            relay: self.relay.clone(),
        }
    }
}
