//! What the decision about a group depends on: where each node stands towards it.

use crate::cluster::Cluster;
use crate::config::GroupId;
use crate::membership::Peer;
use crate::ownership::{Presence, Readiness, Situation, Standing, believable};
use crate::roster::NodeId;
use ha_status::{NodeStatus, RunState};
use std::time::Instant;

impl Cluster {
    /// Everything the decision about a group depends on.
    pub(in crate::cluster) fn with_situation<T>(
        &self,
        id: GroupId,
        now: Instant,
        judge: impl FnOnce(&Situation<'_>) -> T,
    ) -> T {
        let nodes = self.roster.order();
        let standings: Vec<(NodeId, Standing)> = nodes
            .map(|node| (node, self.standing(node, id, now)))
            .collect();
        let group = self.group(id);
        judge(&Situation {
            me: self.roster.local(),
            phase: self.phase(),
            preferred: group.preferred,
            standings: &standings,
            precedence: self.roster.precedence(),
            claim: group.stake.claim,
            held: group.runner.run().held(),
            barred: self.footing.bar(now),
            shaken: group.stake.shaken,
            rested: self.rested(group, now),
            forgiven: group.runner.forgiven(group.stake.claim.epoch),
            differs: self.haresources_differ(),
            returns: self.config.failback.returns(),
            overdue: self.overdue(group, now),
            lingers: group.lingers(now),
            shared: group.is_shared(),
        })
    }

    fn haresources_differ(&self) -> bool {
        let ours = &self.config.haresources_digest;
        let mut peers = self.membership.peers().filter(|(_, peer)| peer.lives());
        peers.any(|(_, peer)| peer.report.as_ref().is_some_and(|r| r.digest != *ours))
    }

    /// One node's position towards a group.
    pub(in crate::cluster) fn standing(&self, node: NodeId, id: GroupId, now: Instant) -> Standing {
        let group = self.group(id);
        let Some(peer) = self.membership.peer(node) else {
            return Standing {
                presence: Presence::Active,
                current: true,
                deaf: false,
                apart: false,
                vouched: false,
                knows: true,
                run: group.runner.run().state(),
                readiness: group.readiness(),
                claim: Some(group.stake.claim),
            };
        };
        let presence = match peer.status {
            NodeStatus::Dead if self.membership.hearsay(node) => Presence::Hearsay,
            NodeStatus::Dead | NodeStatus::Left if self.is_left_behind(node, id) => {
                Presence::LeftHolding
            }
            NodeStatus::Dead | NodeStatus::Left | NodeStatus::Ping => Presence::Absent,
            NodeStatus::Init => Presence::Unheard,
            NodeStatus::Up | NodeStatus::Active if !peer.extended => Presence::Old,
            NodeStatus::Up => Presence::Joining,
            NodeStatus::Active => Presence::Active,
        };
        let unknown = Standing {
            presence,
            current: false,
            deaf: false,
            apart: group.stake.apart.contains(&node),
            vouched: group.stake.vouched.contains(&node),
            knows: true,
            run: RunState::Unknown,
            readiness: Readiness::Unsaid,
            claim: None,
        };
        if presence == Presence::Hearsay {
            let relayed = self.relayed(node, id);
            return Standing {
                current: relayed.is_some(),
                run: relayed.unwrap_or(RunState::Unknown),
                ..unknown
            };
        }
        let Some(report) = peer.report.as_ref() else {
            let run = if peer.legacy.freed().contains(&id) {
                RunState::Stopped
            } else {
                peer.old.run(group.preferred == Some(node))
            };
            return Standing { run, ..unknown };
        };
        let told = report.groups.get(&id);
        let claim = told.map(|told| told.claim);
        Standing {
            presence: if report.leaving && presence != Presence::Absent {
                Presence::Leaving
            } else {
                presence
            },
            current: self.answers_us(report),
            deaf: presence != Presence::Absent && self.footing.deafness.is_deaf(node, now),
            knows: told.is_some(),
            run: told.map_or(RunState::Stopped, |told| told.run),
            readiness: told.map_or(Readiness::Unsaid, |told| told.readiness),
            claim: claim.filter(|claim| believable(*claim, group.stake.claim)),
            ..unknown
        }
    }

    /// Has the node ended without stopping the group, as far as anybody here knows?
    fn is_left_behind(&self, node: NodeId, id: GroupId) -> bool {
        let mut peers = self.membership.peers().filter(|(_, peer)| peer.lives());
        let told = |(_, peer): (NodeId, &Peer)| {
            let report = peer.report.as_ref();
            report.is_some_and(|report| report.relay.objections.contains_key(&(node, id)))
        };
        self.group(id).stake.left_behind.contains(&node) || peers.any(told)
    }

    /// What live peers pass on of a node that this one cannot hear; `None` until one of them does.
    fn relayed(&self, node: NodeId, id: GroupId) -> Option<RunState> {
        let mut found = None;
        for (_, peer) in self.membership.peers() {
            let report = peer.report.as_ref().filter(|_| peer.lives());
            let Some(report) = report.filter(|report| report.relay.nodes.contains(&node)) else {
                continue;
            };
            if !report.groups.contains_key(&id) {
                continue;
            }
            let objection = report.relay.objections.get(&(node, id)).copied();
            found = objection.or(found).or(Some(RunState::Stopped));
        }
        found
    }
}
