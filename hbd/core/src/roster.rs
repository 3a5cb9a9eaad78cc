//! The configured nodes, by number.
//!
//! Numbers follow the names, so that the lower number is the lower name: the last resort of
//! [`crate::ownership::better_claim`]. The order of the `node` lines is kept beside it.

use crate::config::{Config, NodeName};

/// A configured node. The lower id has the lower name; the same on every node that has the same
/// `node` lines, but never sent: on the wire nodes have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub u16);

impl NodeId {
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Who belongs to the cluster.
#[derive(Debug, Clone)]
pub(crate) struct Roster {
    /// By [`NodeId`].
    names: Vec<NodeName>,
    /// As the `node` lines stand.
    order: Vec<NodeId>,
    local: NodeId,
}

impl Roster {
    pub(crate) fn new(config: &Config) -> Self {
        let mut names = config.nodes.clone();
        names.sort();
        names.dedup();
        let mut roster = Self {
            names,
            order: Vec::new(),
            local: NodeId(0),
        };
        let local = roster.find(config.local.as_str());
        roster.local = local.expect("the configuration lists the local node");
        for name in &config.nodes {
            let id = roster.find(name.as_str()).expect("every name was entered");
            if !roster.order.contains(&id) {
                roster.order.push(id);
            }
        }
        roster
    }

    pub(crate) fn local(&self) -> NodeId {
        self.local
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// In the order of the `node` lines.
    pub(crate) fn order(&self) -> &[NodeId] {
        &self.order
    }

    /// Every node but the local one, in the order of the `node` lines.
    pub(crate) fn peers(&self) -> impl Iterator<Item = NodeId> {
        let local = self.local;
        self.order.iter().copied().filter(move |id| *id != local)
    }

    pub(crate) fn name(&self, id: NodeId) -> &NodeName {
        &self.names[id.index()]
    }

    /// The node of that name; names are compared as they stand, in lower case.
    pub(crate) fn find(&self, name: &str) -> Option<NodeId> {
        let place = self
            .names
            .binary_search_by(|known| known.as_str().cmp(name));
        Some(NodeId(u16::try_from(place.ok()?).ok()?))
    }
}
