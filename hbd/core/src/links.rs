//! Which link last carried which node (Heartbeat specification 3.8). Links are shown and reported;
//! losing one never moves a resource.

use crate::config::LinkId;
use crate::roster::NodeId;
use ha_status::LinkState;
use std::time::{Duration, Instant};

/// One way of hearing one remote node.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) node: NodeId,
    pub(crate) id: LinkId,
    pub(crate) state: LinkState,
    /// When a packet last came; later if this node could not listen for a while.
    heard: Option<Instant>,
    pub(crate) packets: u64,
    /// The highest number of the node's present life that came over this link.
    newest: u64,
}

/// A packet that is older than the newest one by more is no sign of life of a slower link.
const MAX_LAG: u64 = 16;

/// All pairs of remote node and medium.
#[derive(Debug)]
pub(crate) struct Links {
    rows: Vec<Link>,
}

impl Links {
    pub(crate) fn new(nodes: impl Iterator<Item = NodeId>, links: u16) -> Self {
        let row = |node, id| Link {
            node,
            id: LinkId(id),
            state: LinkState::Init,
            heard: None,
            packets: 0,
            newest: 0,
        };
        let rows = nodes.flat_map(|node| (0..links).map(move |id| row(node, id)));
        Self {
            rows: rows.collect(),
        }
    }

    pub(crate) fn rows(&self) -> &[Link] {
        &self.rows
    }

    /// The node was restarted: its numbers begin anew.
    pub(crate) fn begin_life(&mut self, node: NodeId) {
        for row in self.rows.iter_mut().filter(|row| row.node == node) {
            row.newest = 0;
        }
    }

    /// A packet of the node came over this link, with this number; `last` is the highest that was
    /// seen at all. What the link has carried before, or another one long ago, may be a recording
    /// and tells nothing about it. True if the link is up only now.
    pub(crate) fn heard(
        &mut self,
        (node, id): (NodeId, LinkId),
        seq: u64,
        last: u64,
        now: Instant,
    ) -> bool {
        let row = self
            .rows
            .iter_mut()
            .find(|row| row.node == node && row.id == id);
        let Some(row) = row else {
            return false;
        };
        if seq <= row.newest || last.saturating_sub(seq) > MAX_LAG {
            return false;
        }
        row.newest = seq;
        row.heard = Some(now);
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
        for row in &mut self.rows {
            if row.deadline(&dead_after).is_some_and(|at| at <= now) {
                row.state = LinkState::Dead;
                dead.push((row.node, row.id));
            }
        }
        dead
    }

    pub(crate) fn deadline(&self, dead_after: impl Fn(NodeId) -> Duration) -> Option<Instant> {
        let deadlines = self.rows.iter().filter_map(|row| row.deadline(&dead_after));
        deadlines.min()
    }

    /// This node could not listen for so long: that silence does not count.
    pub(crate) fn stalled(&mut self, late: Duration) {
        for heard in self.rows.iter_mut().filter_map(|row| row.heard.as_mut()) {
            *heard += late;
        }
    }
}

impl Link {
    fn deadline(&self, dead_after: impl Fn(NodeId) -> Duration) -> Option<Instant> {
        match self.state {
            LinkState::Up => self.heard?.checked_add(dead_after(self.node)),
            LinkState::Init | LinkState::Dead => None,
        }
    }

    /// How long ago a packet came; `None` if never.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        self.heard.map(|heard| now.saturating_duration_since(heard))
    }
}
