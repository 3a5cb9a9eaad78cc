//! Those that not everybody hears: who is absent for all, and what this node passes on of others.

use crate::extension::Relay;
use crate::roster::NodeId;
use std::collections::BTreeSet;

#[derive(Debug, Clone, Default)]
pub(crate) struct ThirdParties {
    /// Nodes that nobody here hears.
    absent: BTreeSet<NodeId>,
    /// What this node passes on of others.
    pub(crate) relay: Relay,
}

impl ThirdParties {
    pub(crate) fn absent(&self) -> &BTreeSet<NodeId> {
        &self.absent
    }

    /// These are absent now. The ones that were not before: those who were away already have taken
    /// nothing from us since.
    pub(crate) fn note_absent(&mut self, now: BTreeSet<NodeId>) -> Vec<NodeId> {
        let newly = now.difference(&self.absent).copied().collect();
        self.absent = now;
        newly
    }
}

#[cfg(test)]
mod tests;
