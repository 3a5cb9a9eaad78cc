//! The configured nodes: who there is, in the order of the `node` lines, and whose name comes first.

use crate::config::{Config, NodeName};
use crate::table::Table;
use std::collections::BTreeMap;

/// A configured node, for as long as this daemon lives. The order of ids means nothing, and they
/// are never sent: on the wire nodes have names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(u32);

impl NodeId {
    /// A number that no other node has or had.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }
}

/// Nodes by their names: where nothing else decides, the lower name comes first. The same on every
/// node that has the same `node` lines.
#[derive(Debug, Clone)]
pub struct Precedence(Vec<NodeId>);

impl Precedence {
    /// In the order of their names.
    pub fn new(nodes: impl IntoIterator<Item = NodeId>) -> Self {
        Self(nodes.into_iter().collect())
    }

    /// Less is first.
    pub(crate) fn rank(&self, node: NodeId) -> usize {
        let place = self.0.iter().position(|other| *other == node);
        place.unwrap_or(self.0.len())
    }
}

/// Who belongs to the cluster.
#[derive(Debug, Clone)]
pub(crate) struct Roster {
    /// As the `node` lines stand.
    names: Table<NodeId, NodeName>,
    by_name: BTreeMap<NodeName, NodeId>,
    precedence: Precedence,
    local: NodeId,
}

impl Roster {
    pub(crate) fn new(config: &Config) -> Self {
        let mut by_name: BTreeMap<NodeName, NodeId> = BTreeMap::new();
        let mut rows = Vec::new();
        for (id, name) in (0..).map(NodeId::new).zip(&config.nodes) {
            if !by_name.contains_key(name) {
                by_name.insert(name.clone(), id);
                rows.push((id, name.clone()));
            }
        }
        let local = by_name.get(&config.local).copied();
        Self {
            names: rows.into_iter().collect(),
            precedence: Precedence::new(by_name.values().copied()),
            by_name,
            local: local.expect("the configuration lists the local node"),
        }
    }

    pub(crate) fn local(&self) -> NodeId {
        self.local
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// In the order of the `node` lines.
    pub(crate) fn order(&self) -> impl Iterator<Item = NodeId> {
        self.names.ids()
    }

    /// Where a node stands in that order.
    pub(crate) fn place(&self, id: NodeId) -> usize {
        self.names.place(id).expect("the node is of this roster")
    }

    /// Every node but the local one, in the order of the `node` lines.
    pub(crate) fn peers(&self) -> impl Iterator<Item = NodeId> {
        let local = self.local;
        self.order().filter(move |id| *id != local)
    }

    pub(crate) fn precedence(&self) -> &Precedence {
        &self.precedence
    }

    pub(crate) fn name(&self, id: NodeId) -> &NodeName {
        self.names.get(id).expect("the node is of this roster")
    }

    /// The node of that name; names are compared as they stand, in lower case.
    pub(crate) fn find(&self, name: &str) -> Option<NodeId> {
        self.by_name.get(name).copied()
    }
}
