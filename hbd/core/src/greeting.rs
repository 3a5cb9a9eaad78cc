//! What old peers have been told of this node: each gets `starting` once in its life, and all get
//! a report whenever it has changed (Heartbeat specification 7.3, 7.4).
//!
//! One that was dead to us and goes on in the same life restarts itself within seconds, with empty hands
//! (6.6). Until then it holds what we hold: a report would only have it complain that both do, and
//! offer a set that it is about to let go of. So it is told nothing before it has had time to restart.

use crate::roster::NodeId;
use ha_status::HoldSet;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

#[derive(Debug, Clone, Default)]
pub(crate) struct Greeting {
    /// Old peers that were sent `starting`.
    greeted: BTreeSet<NodeId>,
    /// What they were told last that we hold.
    told: Option<HoldSet>,
    /// Old peers that have returned from a partition, and until when each may take to restart.
    returned: BTreeMap<NodeId, Instant>,
}

/// What must be said to old peers now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Report,
    /// `starting`, and a report after it: until that has come, an old peer can neither settle nor
    /// stop.
    Greeting,
}

impl Greeting {
    /// These old peers are active, and we hold that. Whatever is due counts as said, but for the
    /// report, see [`Greeting::reported`].
    pub(crate) fn due(&mut self, old: &[NodeId], held: HoldSet) -> Due {
        if old.is_empty() {
            self.told = None;
            return Due::Nothing;
        }
        if old.iter().any(|node| !self.greeted.contains(node)) {
            self.greeted.extend(old);
            return Due::Greeting;
        }
        if self.told == Some(held) {
            Due::Nothing
        } else {
            Due::Report
        }
    }

    pub(crate) fn reported(&mut self, held: HoldSet) {
        self.told = Some(held);
    }

    /// A report is due, be it the same as the last one.
    pub(crate) fn is_due(&mut self) {
        self.told = None;
    }

    /// It was dead to us and lives on.
    pub(crate) fn returned(&mut self, node: NodeId, patience: Instant) {
        self.greeted.remove(&node);
        self.returned.insert(node, patience);
    }

    /// Is it likely to restart, and to be told nothing before?
    pub(crate) fn restarts(&self, node: NodeId, now: Instant) -> bool {
        self.returned.get(&node).is_some_and(|until| now < *until)
    }

    /// Its life is over; the next one is greeted anew.
    pub(crate) fn forget(&mut self, node: NodeId) {
        self.greeted.remove(&node);
        self.returned.remove(&node);
    }
}

#[cfg(test)]
mod tests;
