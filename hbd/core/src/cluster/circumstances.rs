//! What decisions about groups depend on, as values to compare: a group is decided about again when
//! the circumstances, which are the same for all, or what it is based on itself have changed.
//! Nobody has to remember to ask for that.

use super::Cluster;
use super::groups::{Group, Stake};
use crate::extension::{Life, Report};
use crate::old_peer::OldPeer;
use crate::ownership::{Bar, Phase};
use crate::roster::NodeId;
use crate::takeover::Run;
use ha_status::NodeStatus;
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
    /// Shared with the peer, so that comparing the same one costs nothing.
    report: Option<Arc<Report>>,
}

/// What of a group alone its decision depends on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Basis {
    stake: Stake,
    now: Moment,
}

/// The part of it that changes with time or is worked out.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Moment {
    run: Run,
    forgiven: bool,
    rested: bool,
    overdue: bool,
}

impl Cluster {
    pub(super) fn circumstances(&self, now: Instant) -> Circumstances {
        let peers = self.membership.peers().map(|(node, peer)| Seen {
            node,
            status: peer.status,
            extended: peer.extended,
            deaf: self.footing.deafness.is_deaf(node, now),
            old: peer.old,
            report: peer.report.clone(),
        });
        Circumstances {
            phase: self.phase(),
            life: self.own.life(),
            barred: self.footing.bar(now),
            peers: peers.collect(),
        }
    }

    /// Is the decision about the group still based on what is?
    pub(super) fn is_decided(&self, group: &Group, now: Instant) -> bool {
        let basis = group.decided.as_ref();
        basis
            .is_some_and(|basis| basis.stake == group.stake && basis.now == self.moment(group, now))
    }

    pub(super) fn basis(&self, group: &Group, now: Instant) -> Basis {
        Basis {
            stake: group.stake.clone(),
            now: self.moment(group, now),
        }
    }

    fn moment(&self, group: &Group, now: Instant) -> Moment {
        Moment {
            run: group.runner.run(),
            forgiven: group.runner.forgiven(group.stake.claim.epoch),
            rested: self.rested(group, now),
            overdue: self.overdue(group, now),
        }
    }
}
