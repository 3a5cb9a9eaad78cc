//! Who runs what, as far as the wire tells. An hbd node says it of each group with every heartbeat. An
//! old one says it of two sets, its local groups and all others, and only when something moves; with
//! `auto_failback legacy` it says nothing but who is given which group.

use super::nodes::Nodes;
use crate::config::{GroupConfig, GroupId, NodeName};
use crate::roster::NodeId;
use crate::table::Table;
use ha_status::{HoldSet, RunState};
use std::collections::BTreeMap;

/// What old nodes have said.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// The sets of each.
    sets: BTreeMap<NodeId, Held>,
    /// Who was given a group, of nodes that have named no sets.
    given: BTreeMap<GroupId, NodeId>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    set: HoldSet,
    /// Is that all? False if a part of what it holds was said before we listened.
    whole: bool,
    stable: bool,
}

impl Holdings {
    /// It holds exactly this.
    pub(super) fn holds(&mut self, node: NodeId, set: HoldSet, stable: bool) {
        let whole = true;
        self.sets.insert(node, Held { set, whole, stable });
        self.given.retain(|_, to| *to != node);
    }

    /// It has taken this as well.
    pub(super) fn took(&mut self, node: NodeId, more: HoldSet) {
        let held = self.sets.entry(node).or_insert(Held {
            set: HoldSet::None,
            whole: false,
            stable: true,
        });
        held.set = HoldSet::of(
            held.set.has_local() || more.has_local(),
            held.set.has_foreign() || more.has_foreign(),
        );
    }

    /// It is told to start the group.
    pub(super) fn given(&mut self, group: GroupId, to: NodeId) {
        if !self.sets.contains_key(&to) {
            self.given.insert(group, to);
        }
    }

    /// Nothing of a node is known any more: it has gone, or begins anew.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.sets.remove(&node);
        self.given.retain(|_, to| *to != node);
    }

    /// Has an old node named its sets, and is nothing moving there?
    pub(super) fn is_settled(&self, node: NodeId) -> bool {
        self.sets.get(&node).is_some_and(|held| held.stable)
    }

    /// Whether a node runs a group, whose preferred node it is or not.
    fn said(&self, node: NodeId, group: GroupId, at_home: bool) -> RunState {
        match self.sets.get(&node) {
            Some(held) if held.set.has_home(at_home) => RunState::Running,
            Some(held) if held.whole => RunState::Stopped,
            Some(_) => RunState::Unknown,
            None => match self.given.get(&group) {
                Some(to) if *to == node => RunState::Running,
                Some(_) => RunState::Stopped,
                None => RunState::Unknown,
            },
        }
    }
}

/// All that is needed to say who runs what.
#[derive(Clone, Copy)]
pub(super) struct Runs<'a> {
    pub(super) nodes: &'a Nodes,
    pub(super) holdings: &'a Holdings,
    pub(super) groups: &'a Table<GroupId, GroupConfig>,
}

impl Runs<'_> {
    /// Whether a node of that name runs a group, by its own word.
    pub(super) fn of(self, node: NodeId, name: &NodeName, group: GroupId) -> RunState {
        let seen = self.nodes.get(node);
        if !seen.lives() {
            return RunState::Stopped;
        }
        if seen.extended {
            let report = seen.report.as_ref();
            let told = report.and_then(|report| report.groups.get(&group));
            return told.map_or(RunState::Unknown, |told| told.run);
        }
        let home = self.groups.get(group).map(|group| group.preferred == *name);
        self.holdings.said(node, group, home.unwrap_or(false))
    }
}
