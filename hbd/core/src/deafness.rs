//! Who cannot hear this node although it is heard.
//!
//! A peer that has just become audible again says at first that it hears nobody: only one that goes
//! on saying so is deaf. It cannot learn anything from us.

use crate::roster::NodeId;
use std::time::{Duration, Instant};

/// Peers that do not hear this node, by [`NodeId`].
#[derive(Debug, Clone)]
pub(crate) struct Deafness {
    since: Vec<Option<Silence>>,
    patience: Duration,
}

/// Since when a peer has been saying so.
#[derive(Debug, Clone, Copy)]
struct Silence {
    since: Instant,
    /// It has lasted long enough, and that was told.
    over: bool,
}

impl Deafness {
    pub(crate) fn new(nodes: usize, patience: Duration) -> Self {
        Self {
            since: vec![None; nodes],
            patience,
        }
    }

    /// A report of the node came; `fresh` if it is the first after a silence.
    pub(crate) fn told(&mut self, node: NodeId, hears_us: bool, fresh: bool, now: Instant) {
        let Some(since) = self.since.get_mut(node.index()) else {
            return;
        };
        if hears_us {
            *since = None;
        } else if fresh || since.is_none() {
            *since = Some(Silence {
                since: now,
                over: false,
            });
        }
    }

    pub(crate) fn forget(&mut self, node: NodeId) {
        self.since[node.index()] = None;
    }

    pub(crate) fn is_deaf(&self, node: NodeId, now: Instant) -> bool {
        let since = self.since[node.index()].as_ref();
        since.is_some_and(|silence| silence.since + self.patience <= now)
    }

    /// Has one of them just become deaf?
    pub(crate) fn due(&mut self, now: Instant) -> bool {
        let mut due = false;
        for silence in self.since.iter_mut().flatten() {
            let over = silence.since + self.patience <= now;
            due |= over && !std::mem::replace(&mut silence.over, over);
        }
        due
    }

    /// When the next of them becomes deaf.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let coming = self.since.iter().flatten().filter(|silence| !silence.over);
        coming.map(|silence| silence.since + self.patience).min()
    }
}
