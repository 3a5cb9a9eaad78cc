//! What a listener shows: the same rows as a node does, as far as the wire tells.

use super::Shadow;
use crate::config::{GroupConfig, GroupId, LinkId};
use crate::links::Link as Row;
use crate::roster::NodeId;
use ha_status::{
    ClaimCause, ClaimReason, ClusterPhase, ClusterSnapshot, Group, GroupReason, GroupRun, Link,
    Node, NodeKind, Resource, RunState,
};
use std::time::{Duration, Instant};

impl Shadow {
    /// Everything that shows; `at_ms` is the wall clock, `name` what this listener calls itself.
    pub fn snapshot(&self, name: &str, at_ms: u64, now: Instant) -> ClusterSnapshot {
        let since = |at: Instant| at_ms.saturating_sub(age(at, now));
        let node = |id: NodeId| self.node_row(id, &since, now);
        let link = |((node, id), row): ((NodeId, LinkId), &Row)| {
            let config = self.config.links.get(id)?;
            Some(Link {
                node: self.roster.name(node).to_string(),
                medium: config.medium.clone(),
                device: config.device.clone(),
                state: row.state,
                heard_ms: row.age(now).map(milliseconds),
                packets: row.packets,
                not_sent: None,
                quality: None,
            })
        };
        let groups = self.config.groups.iter();
        let mut living = self.nodes.rows().filter(|(_, seen)| seen.lives());
        ClusterSnapshot {
            node: name.to_owned(),
            at_ms,
            uptime_ms: age(self.started, now),
            phase: ClusterPhase::Running,
            extended: living.all(|(_, seen)| seen.extended),
            auto_failback: self.config.failback.as_str().to_owned(),
            keepalive_ms: milliseconds(self.config.keepalive),
            deadtime_ms: milliseconds(self.config.deadtime),
            nodes: self.roster.order().map(node).collect(),
            links: self.links.rows().filter_map(link).collect(),
            groups: groups
                .map(|(id, group)| self.group_row(id, group))
                .collect(),
            refused: Vec::new(),
            counters: self.reception.counters.clone(),
            recent: Vec::new(),
        }
    }

    fn node_row(&self, id: NodeId, since: &impl Fn(Instant) -> u64, now: Instant) -> Node {
        let seen = self.nodes.get(id);
        let digest = seen.report.as_ref().map(|report| &report.digest);
        Node {
            name: self.roster.name(id).to_string(),
            local: false,
            kind: NodeKind::Normal,
            status: seen.status,
            extended: seen.extended,
            generation: seen.receiver.generation(),
            heard_ms: seen.heard.map(|at| age(at, now)),
            deadtime_ms: milliseconds(self.nodes.dead_after(id)),
            since_ms: since(seen.since),
            same_haresources: digest.map(|digest| *digest == self.config.haresources_digest),
            quality: None,
        }
    }

    fn group_row(&self, id: GroupId, config: &GroupConfig) -> Group {
        let nodes = || self.roster.order().filter(|node| self.nodes.lives(*node));
        let owner = nodes().find(|node| self.run(*node, id) == RunState::Running);
        let owner = owner.map(|node| self.roster.name(node));
        let cause = if owner == Some(&config.preferred) {
            ClaimCause::Preferred
        } else if self.config.failback.returns() {
            ClaimCause::UntilReturn
        } else {
            ClaimCause::Stays
        };
        let owner = owner.map(ToString::to_string);
        let resources = config.resources.iter().map(|one| Resource {
            script: one.script.clone(),
            args: one.args.clone(),
        });
        let claim = owner.clone().map(|owner| ClaimReason { owner, cause });
        Group {
            name: config.name.clone(),
            preferred: config.preferred.to_string(),
            owner,
            epoch: 0,
            state: RunState::Stopped,
            runs: nodes()
                .map(|node| GroupRun {
                    node: self.roster.name(node).to_string(),
                    state: self.run(node, id),
                })
                .collect(),
            resources: resources.collect(),
            reason: GroupReason {
                claim,
                ..GroupReason::default()
            },
            timing: None,
        }
    }
}

fn age(at: Instant, now: Instant) -> u64 {
    milliseconds(now.saturating_duration_since(at))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
