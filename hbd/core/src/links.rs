//! Which link last carried which node (Heartbeat specification 3.8). Links are shown and reported;
//! losing one never moves a resource.

use crate::config::{LinkConfig, LinkId};
use crate::quality::Quality;
use crate::roster::NodeId;
use crate::table::Table;
use ha_status::{LinkState, SendTrouble};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// One way of hearing one remote node.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) state: LinkState,
    /// When a packet last came; later if this node could not listen for a while.
    heard: Option<Instant>,
    pub(crate) packets: u64,
    /// The highest number of the node's present life that came over this link.
    newest: u64,
    /// Since when it has been silent, as far as that says something about the link: not from one
    /// life of the node to the next.
    silent_since: Option<Instant>,
    pub(crate) quality: Quality,
}

/// A numbered packet of a node's present life.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbered {
    pub(crate) seq: u64,
    /// The highest number that was seen at all.
    pub(crate) last: u64,
    /// A status, and no answer to a request for what got lost.
    pub(crate) beat: bool,
    /// It was asked for again.
    pub(crate) again: bool,
}

/// A packet that is older than the newest one by more is no sign of life of a slower link.
const MAX_LAG: u64 = 16;

/// All pairs of remote node and medium, in the order of the `node` lines and of the media.
#[derive(Debug)]
pub(crate) struct Links {
    rows: Table<(NodeId, LinkId), Link>,
    /// Media on which nothing leaves.
    mute: BTreeMap<LinkId, Mute>,
}

/// Nothing leaves on a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mute {
    /// Why the last message did not.
    pub(crate) trouble: SendTrouble,
    /// When the first one did not.
    pub(crate) since: Instant,
}

impl Links {
    pub(crate) fn new(
        nodes: impl Iterator<Item = NodeId>,
        media: &Table<LinkId, LinkConfig>,
    ) -> Self {
        let row = || Link {
            state: LinkState::Init,
            heard: None,
            packets: 0,
            newest: 0,
            silent_since: None,
            quality: Quality::default(),
        };
        let rows = nodes.flat_map(|node| media.ids().map(move |id| ((node, id), row())));
        Self {
            rows: rows.collect(),
            mute: BTreeMap::new(),
        }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = ((NodeId, LinkId), &Link)> {
        self.rows.iter()
    }

    /// What became of writing on a medium; true if that is news.
    pub(crate) fn wrote(
        &mut self,
        id: LinkId,
        result: Result<(), SendTrouble>,
        now: Instant,
    ) -> bool {
        let before = self.mute(id);
        let mute = result.err().map(|trouble| Mute {
            trouble,
            since: before.map_or(now, |mute| mute.since),
        });
        match mute {
            Some(mute) => self.mute.insert(id, mute),
            None => self.mute.remove(&id),
        };
        before != mute
    }

    /// Does nothing leave on this medium?
    pub(crate) fn mute(&self, id: LinkId) -> Option<Mute> {
        self.mute.get(&id).copied()
    }

    /// The node was restarted: its numbers begin anew.
    pub(crate) fn begin_life(&mut self, node: NodeId) {
        for ((of, _), row) in self.rows.iter_mut() {
            if of == node {
                row.newest = 0;
                row.silent_since = None;
                row.quality.interrupted();
            }
        }
    }

    /// A packet of the node came over this link. What the link has carried before, or another one
    /// long ago, may be a recording and tells nothing about it. True if the link is up only now.
    pub(crate) fn heard(
        &mut self,
        pair: (NodeId, LinkId),
        packet: Numbered,
        dead_after: Duration,
        now: Instant,
    ) -> bool {
        let Some(row) = self.rows.get_mut(pair) else {
            return false;
        };
        let Numbered { seq, last, .. } = packet;
        let fresh = seq > row.newest && last.saturating_sub(seq) <= MAX_LAG;
        if fresh {
            row.measure_silence(packet, dead_after, now);
        }
        if !packet.again && last.saturating_sub(seq) <= MAX_LAG {
            row.quality.number(seq, now);
        }
        if !fresh {
            return false;
        }
        row.newest = seq;
        row.heard = Some(now);
        row.silent_since = Some(now);
        row.packets = row.packets.saturating_add(1);
        std::mem::replace(&mut row.state, LinkState::Up) != LinkState::Up
    }

    /// Links that have been silent for as long as their node may be.
    pub(crate) fn expire(
        &mut self,
        dead_after: impl Fn(NodeId) -> Duration,
        now: Instant,
    ) -> Vec<(NodeId, LinkId)> {
        let mut dead = Vec::new();
        for (pair, row) in self.rows.iter_mut() {
            let deadline = row.deadline(|| dead_after(pair.0));
            if deadline.is_some_and(|at| at <= now) {
                row.state = LinkState::Dead;
                dead.push(pair);
            }
        }
        dead
    }

    pub(crate) fn deadline(&self, dead_after: impl Fn(NodeId) -> Duration) -> Option<Instant> {
        let rows = self.rows.iter();
        rows.filter_map(|((node, _), row)| row.deadline(|| dead_after(node)))
            .min()
    }

    /// This node could not listen for so long: that silence does not count.
    pub(crate) fn stalled(&mut self, late: Duration) {
        for row in self.rows.values_mut() {
            for since in [&mut row.heard, &mut row.silent_since]
                .into_iter()
                .flatten()
            {
                *since += late;
            }
        }
    }
}

impl Link {
    /// Its silence has ended with this packet, which is fresh.
    fn measure_silence(&mut self, packet: Numbered, dead_after: Duration, now: Instant) {
        let Some(since) = self.silent_since else {
            return;
        };
        let silence = now.saturating_duration_since(since);
        self.quality.silence(silence, dead_after, now);
        if packet.beat && packet.seq == self.newest.saturating_add(1) {
            self.quality.beat(silence);
        }
    }

    fn deadline(&self, dead_after: impl FnOnce() -> Duration) -> Option<Instant> {
        match self.state {
            LinkState::Up => self.heard?.checked_add(dead_after()),
            LinkState::Init | LinkState::Dead => None,
        }
    }

    /// How long ago a packet came; `None` if never.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        self.heard.map(|heard| now.saturating_duration_since(heard))
    }
}
