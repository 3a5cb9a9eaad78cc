//! What this node passes on of those that a third one cannot hear.

use super::Group;
use crate::cluster::Cluster;
use crate::config::GroupId;
use crate::extension::{MAX_OBJECTIONS, Relay, Report};
use crate::roster::NodeId;
use ha_status::RunState;

impl Cluster {
    /// Passes on what was heard of nodes that a third one misses.
    pub(in crate::cluster) fn pass_on_reports(&mut self) {
        self.third_parties.relay = self.find_relay();
    }

    fn find_relay(&self) -> Relay {
        let mut relay = Relay::default();
        let peers = self.membership.peers().filter(|(_, peer)| peer.lives());
        let reports: Vec<(NodeId, &Report)> = peers
            .filter_map(|(node, peer)| Some((node, peer.report.as_deref()?)))
            .collect();
        for (node, report) in &reports {
            let missed = |(other, by): &(NodeId, &Report)| other != node && !by.hears(*node);
            if !reports.iter().any(missed) {
                continue;
            }
            let objections = self.objections(*node, report);
            if relay.objections.len() + objections.len() <= MAX_OBJECTIONS {
                relay.nodes.insert(*node);
                relay.objections.extend(objections);
            }
        }
        // Whoever missed the goodbye of a node must know, too.
        for (id, group) in self.groups.iter() {
            let left = group.stake.left_behind.iter();
            let left = left.map(|node| ((*node, id), RunState::Stuck));
            relay
                .objections
                .extend(left.take(MAX_OBJECTIONS.saturating_sub(relay.objections.len())));
        }
        relay
    }

    /// The groups that the node may hold, or about which it has not agreed with us.
    fn objections(&self, node: NodeId, report: &Report) -> Vec<((NodeId, GroupId), RunState)> {
        let objection = |(id, group): (GroupId, &Group)| {
            let told = report.groups.get(&id)?;
            let idle = matches!(told.run, RunState::Stopped | RunState::Failed);
            let run = if idle { RunState::Unknown } else { told.run };
            (!idle || told.claim != group.stake.claim).then_some(((node, id), run))
        };
        self.groups.iter().filter_map(objection).collect()
    }
}
