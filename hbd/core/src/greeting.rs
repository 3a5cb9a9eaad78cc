//! What old peers have been told of this node: each gets `starting` once in its life, and all get
//! a report whenever it has changed (Heartbeat specification 7.3, 7.4).

use crate::roster::NodeId;
use ha_status::HoldSet;
use std::collections::BTreeSet;

#[derive(Debug, Clone, Default)]
pub(crate) struct Greeting {
    /// Old peers that were sent `starting`.
    greeted: BTreeSet<NodeId>,
    /// What they were told last that we hold.
    told: Option<HoldSet>,
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

    /// Its life is over; the next one is greeted anew.
    pub(crate) fn forget(&mut self, node: NodeId) {
        self.greeted.remove(&node);
    }
}

#[cfg(test)]
mod tests;
