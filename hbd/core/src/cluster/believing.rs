//! Which packets are believed. Recording and playing back needs no key, so a signed packet is not
//! yet a present one: a life of a peer counts once it has named this life of ours, and numbers do
//! the rest. What is refused is counted and shown, for a clock that was set wrong looks the same.

use super::Cluster;
use crate::extension::{ADDRESSEE, Life};
use crate::membership::{Disbelief, Refused};
use crate::messages::{self, Header, Kind};
use crate::namesake::Found;
use crate::output::{Notice, Output};
use crate::roster::NodeId;
use crate::sequence::{Arrival, Rejoin, Sender};
use crate::wire::Message;
use ha_status::NodeStatus;
use std::time::Instant;

impl Cluster {
    /// A packet under our own name: what we sent ourselves comes back over broadcast media.
    pub(super) fn hear_own_name(&mut self, header: Header<'_>, message: &Message, now: Instant) {
        let own = header.generation == self.config.generation;
        let own = own && header.uuid.is_none_or(|uuid| uuid == self.config.uuid);
        if own || header.kind != Kind::Status {
            return;
        }
        let me = self.roster.local();
        let report = self.speech.codec.read(message, &self.roster);
        let names_us = report.is_some_and(|report| report.names(me, self.config.generation));
        let life = life_of(header, message);
        match self.footing.namesake.hear(life, names_us, now) {
            Found::Nothing => {}
            Found::Namesake => self.outbox.notice(Notice::SameName),
        }
    }

    /// What is known of a numbered packet before its number is judged.
    pub(super) fn arrival(
        &self,
        node: NodeId,
        header: Header<'_>,
        seq: u64,
        message: &Message,
    ) -> Option<Arrival> {
        let peer = self.membership.peer(node)?;
        let sender = match peer.status {
            _ if peer.is_new(header.uuid) => Sender::Anew,
            NodeStatus::Dead => Sender::Dead,
            NodeStatus::Init
            | NodeStatus::Up
            | NodeStatus::Active
            | NodeStatus::Left
            | NodeStatus::Ping => Sender::Known,
        };
        let is_status = header.kind == Kind::Status;
        let another = header.generation != peer.receiver.generation() || sender == Sender::Anew;
        Some(Arrival {
            generation: header.generation,
            seq,
            is_status,
            proven: is_status && another && self.proves(node, header, message),
            sender,
        })
    }

    /// Does a status of another life name ours? An old daemon has no words for that; one that
    /// was no old daemon in the same life before is none now.
    fn proves(&self, node: NodeId, header: Header<'_>, message: &Message) -> bool {
        if is_extended(message) {
            let report = self.speech.codec.read(message, &self.roster);
            let (me, life) = (self.roster.local(), self.config.generation);
            return report.is_some_and(|report| report.names(me, life));
        }
        let known = self.membership.peer(node).map(|peer| &peer.known);
        known.is_none_or(|known| !known.extended || known.generation != header.generation)
    }

    /// A message without number is believed if it comes from the life that is heard and, where its
    /// sender can say so, was meant for this life of ours.
    pub(super) fn is_meant_for_us(
        &mut self,
        node: NodeId,
        header: Header<'_>,
        message: &Message,
        now: Instant,
    ) -> bool {
        let Some(peer) = self.membership.peer(node) else {
            return false;
        };
        let current = peer.receiver.generation();
        let retired = peer.is_retired(header.uuid);
        let extended = peer.extended;
        if retired || header.generation < current {
            self.refuse(node, Disbelief::Replay, header.generation, now);
            return false;
        }
        if current == 0 || header.generation != current {
            return false;
        }
        // What the sender has lost for good it tells to all.
        header.kind == Kind::NakRexmit
            || (messages::addressed_to(message, &self.config)
                && (!extended || message.hex(ADDRESSEE) == Some(self.config.generation)))
    }

    /// A life that may be news or a recording: it is named, so that its sender can prove it.
    pub(super) fn consider(
        &mut self,
        node: NodeId,
        header: Header<'_>,
        message: &Message,
        now: Instant,
    ) {
        let life = life_of(header, message);
        let Some(peer) = self.membership.peer_mut(node) else {
            return;
        };
        let lives = peer.lives();
        let newer = peer
            .candidate
            .is_none_or(|known| known.generation < life.generation);
        if newer || peer.is_new(header.uuid) {
            peer.candidate = Some(life);
        }
        if !lives {
            self.refuse(node, Disbelief::Unanswered, life.generation, now);
        }
    }

    /// A packet is not believed: counted, shown, and a replay told once per life of the peer.
    pub(super) fn refuse(&mut self, node: NodeId, why: Disbelief, generation: u64, now: Instant) {
        let Some(peer) = self.membership.peer_mut(node) else {
            return;
        };
        let before = peer.refused.filter(|refused| refused.why == why);
        peer.refused = Some(Refused {
            why,
            generation,
            count: before.map_or(0, |refused| refused.count).saturating_add(1),
            last: now,
        });
        let current = peer.known.generation;
        let replay = why == Disbelief::Replay;
        let news = replay && !std::mem::replace(&mut peer.replay_reported, true);
        if before.is_none() {
            self.outbox.changed();
        }
        self.reception.counters.replays = self
            .reception
            .counters
            .replays
            .saturating_add(u64::from(replay));
        if news {
            let node = self.roster.name(node).clone();
            self.outbox.notice(Notice::Replay {
                node,
                generation,
                current,
            });
        }
    }

    /// A life was proven: who it is, is remembered beyond our own.
    pub(super) fn recognise(
        &mut self,
        node: NodeId,
        header: Header<'_>,
        rejoin: Option<Rejoin>,
        message: &Message,
    ) {
        match rejoin {
            Some(Rejoin::First | Rejoin::Restart { .. }) => {}
            Some(Rejoin::Healed) | None => return,
        }
        self.links.begin_life(node);
        let Some(peer) = self.membership.peer_mut(node) else {
            return;
        };
        peer.candidate = None;
        peer.refused = None;
        peer.quality.interrupted();
        if let Some(known) = peer.learn(header.uuid, is_extended(message)) {
            self.outbox.push(Output::Remember(known));
        }
    }
}

/// Does it carry the extension?
pub(super) fn is_extended(message: &Message) -> bool {
    message.decimal("hbx").is_some_and(|number| number > 0)
}

fn life_of(header: Header<'_>, message: &Message) -> Life {
    Life {
        generation: header.generation,
        wakes: message.hex("hbw").unwrap_or(0),
    }
}
