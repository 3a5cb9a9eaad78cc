//! What the decisions about all groups depend on, as one value to compare: when it has changed, each
//! group is decided about again. Nobody has to remember to ask for that.

use super::Cluster;
use crate::config::GroupId;
use crate::extension::{Life, Report};
use crate::old_peer::OldPeer;
use crate::ownership::{Bar, Phase};
use crate::roster::NodeId;
use ha_status::NodeStatus;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

/// What is not of one group alone.
#[derive(Debug, PartialEq)]
pub(super) struct Circumstances {
    phase: Phase,
    /// Reports answer it, or an earlier one.
    life: Life,
    barred: Option<Bar>,
    peers: Vec<Seen>,
}

/// What is known of another node.
#[derive(Debug, PartialEq)]
struct Seen {
    node: NodeId,
    status: NodeStatus,
    extended: bool,
    deaf: bool,
    old: OldPeer,
    freed: BTreeSet<GroupId>,
    /// Shared with the peer, so that comparing the same one costs nothing.
    report: Option<Arc<Report>>,
}

impl Cluster {
    pub(super) fn circumstances(&self, now: Instant) -> Circumstances {
        let peers = self.membership.peers().map(|(node, peer)| Seen {
            node,
            status: peer.status,
            extended: peer.extended,
            deaf: self.footing.deafness.is_deaf(node, now),
            old: peer.old,
            freed: peer.legacy.freed().clone(),
            report: peer.report.clone(),
        });
        Circumstances {
            phase: self.phase(),
            life: self.own.life(),
            barred: self.footing.bar(now),
            peers: peers.collect(),
        }
    }
}
