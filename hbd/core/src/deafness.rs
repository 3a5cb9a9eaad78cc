//! Who cannot hear this node although it is heard.
//!
//! A peer that has just become audible again says at first that it hears nobody: only one that goes
//! on saying so is deaf. It cannot learn anything from us.

use crate::roster::NodeId;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Peers that do not hear this node.
#[derive(Debug, Clone)]
pub(crate) struct Deafness {
    since: BTreeMap<NodeId, Silence>,
    patience: Duration,
}

/// Since when a peer has been saying so.
#[derive(Debug, Clone, Copy)]
struct Silence {
    since: Instant,
    /// It has lasted long enough, as far as that was looked at.
    over: bool,
}

impl Deafness {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            since: BTreeMap::new(),
            patience,
        }
    }

    /// A report of the node came; `fresh` if it is the first after a silence.
    pub(crate) fn told(&mut self, node: NodeId, hears_us: bool, fresh: bool, now: Instant) {
        let silence = Silence {
            since: now,
            over: false,
        };
        if hears_us {
            self.since.remove(&node);
        } else if fresh {
            self.since.insert(node, silence);
        } else {
            self.since.entry(node).or_insert(silence);
        }
    }

    pub(crate) fn forget(&mut self, node: NodeId) {
        self.since.remove(&node);
    }

    pub(crate) fn is_deaf(&self, node: NodeId, now: Instant) -> bool {
        let since = self.since.get(&node);
        since.is_some_and(|silence| silence.since + self.patience <= now)
    }

    /// Waits no longer for those that have become deaf.
    pub(crate) fn settle(&mut self, now: Instant) {
        for silence in self.since.values_mut() {
            silence.over |= silence.since + self.patience <= now;
        }
    }

    /// When the next of them becomes deaf.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let coming = self.since.values().filter(|silence| !silence.over);
        coming.map(|silence| silence.since + self.patience).min()
    }
}
