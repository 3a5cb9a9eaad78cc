//! The whole visible state as plain data; `reasons` says why a group is where it is.

use super::Cluster;
use crate::config::{GroupConfig, GroupId, LinkId};
use crate::membership::{Disbelief, Peer};
use crate::ownership::Presence;
use crate::pings::Ping;
use crate::roster::NodeId;
use ha_status::{
    ClusterPhase, ClusterSnapshot, GroupRun, Link, Node, NodeKind, NodeStatus, NotSent, Refused,
    RefusedReason, Resource, RunState,
};
use std::time::{Duration, Instant};

/// Refused packets are shown for so long after the last one.
const REFUSED_SHOWN_MS: u64 = 600_000;

/// When nodes start, their first packets cross: so many without an answer mean nothing.
const FEW_UNANSWERED: u64 = 5;

impl Cluster {
    pub(super) fn view(&self, now: Instant) -> ClusterSnapshot {
        let peers_extended = || {
            let mut living = self.membership.peers().filter(|(_, peer)| peer.lives());
            living.all(|(_, peer)| peer.extended)
        };
        ClusterSnapshot {
            node: self.config.local.to_string(),
            at_ms: self.speech.voice.wall_clock(now),
            uptime_ms: milliseconds(now.saturating_duration_since(self.own.started())),
            phase: match (&self.orders.shutdown, self.own.is_active()) {
                (Some(_), _) => ClusterPhase::Stopping,
                (None, true) => ClusterPhase::Running,
                (None, false) => ClusterPhase::Starting,
            },
            extended: peers_extended(),
            auto_failback: self.config.failback.as_str().to_owned(),
            keepalive_ms: milliseconds(self.config.keepalive),
            deadtime_ms: milliseconds(self.config.deadtime),
            nodes: self.node_rows(now),
            links: self.link_rows(now),
            groups: self.group_rows(now),
            refused: self.refused_rows(now),
            counters: self.reception.counters.clone(),
            recent: Vec::new(),
        }
    }

    fn node_rows(&self, now: Instant) -> Vec<Node> {
        let row = |id: NodeId| {
            let name = self.roster.name(id).to_string();
            let Some(peer) = self.membership.peer(id) else {
                return Node {
                    name,
                    local: true,
                    kind: NodeKind::Normal,
                    status: if self.own.is_active() {
                        NodeStatus::Active
                    } else {
                        NodeStatus::Up
                    },
                    extended: true,
                    generation: self.config.generation,
                    heard_ms: Some(0),
                    deadtime_ms: milliseconds(self.config.deadtime),
                    since_ms: self.since_ms(self.own.since(), now),
                    same_haresources: Some(true),
                    quality: None,
                };
            };
            let digest = &self.config.haresources_digest;
            Node {
                name,
                local: false,
                kind: NodeKind::Normal,
                status: peer.status,
                extended: peer.extended,
                generation: peer.receiver.generation(),
                heard_ms: peer.heard.map(|at| age(at, now)),
                deadtime_ms: milliseconds(self.membership.dead_after(id)),
                since_ms: self.since_ms(peer.since, now),
                same_haresources: peer.report.as_ref().map(|r| r.digest == *digest),
                quality: peer.quality.shown(now).map(Box::new),
            }
        };
        let nodes = self.roster.order().map(row);
        nodes.chain(self.ping_rows(now)).collect()
    }

    fn ping_rows(&self, now: Instant) -> impl Iterator<Item = Node> {
        self.pings.rows().filter_map(move |(id, ping)| {
            Some(Node {
                name: self.config.pings.get(id)?.name.to_string(),
                local: false,
                kind: NodeKind::Ping,
                status: ping.status(),
                extended: false,
                generation: 0,
                heard_ms: ping.heard.map(|at| age(at, now)),
                deadtime_ms: milliseconds(self.pings.dead_after(ping)),
                since_ms: self.since_ms(ping.since, now),
                same_haresources: None,
                quality: ping.quality.shown(now).map(Box::new),
            })
        })
    }

    /// Wall clock at that moment, milliseconds since 1970.
    fn since_ms(&self, since: Instant, now: Instant) -> u64 {
        self.speech
            .voice
            .wall_clock(now)
            .saturating_sub(age(since, now))
    }

    /// Packets under the names of peers that were not believed of late.
    fn refused_rows(&self, now: Instant) -> Vec<Refused> {
        let row = |(id, peer): (NodeId, &Peer)| {
            let refused = peer.refused?;
            let last_ms = age(refused.last, now);
            let (reason, few) = match refused.why {
                Disbelief::Unanswered => (RefusedReason::Unanswered, FEW_UNANSWERED),
                Disbelief::Replay => {
                    let (generation, known) = (refused.generation, peer.known.generation);
                    (RefusedReason::Replay { generation, known }, 0)
                }
            };
            if refused.count < few || last_ms > REFUSED_SHOWN_MS {
                return None;
            }
            Some(Refused {
                node: Some(self.name(id)),
                from: None,
                reason,
                count: refused.count,
                last_ms,
            })
        };
        self.membership.peers().filter_map(row).collect()
    }

    fn link_rows(&self, now: Instant) -> Vec<Link> {
        let not_sent = |id| {
            self.links.mute(id).map(|mute| NotSent {
                trouble: mute.trouble,
                since_ms: self.since_ms(mute.since, now),
            })
        };
        let row = |((node, id), link): ((NodeId, LinkId), &crate::links::Link)| {
            let config = self.config.links.get(id)?;
            Some(Link {
                node: self.roster.name(node).to_string(),
                medium: config.medium.clone(),
                device: config.device.clone(),
                state: link.state,
                heard_ms: link.age(now).map(milliseconds),
                packets: link.packets,
                not_sent: not_sent(id),
                quality: link.quality.shown(now).map(Box::new),
            })
        };
        // As of old the way to a ping node is named like it.
        let ping = |(id, ping): (LinkId, &Ping)| {
            let config = self.config.pings.get(id)?;
            Some(Link {
                node: config.name.to_string(),
                medium: config.medium.clone(),
                device: config.name.to_string(),
                state: ping.state,
                heard_ms: ping.heard.map(|at| age(at, now)),
                packets: ping.answers,
                not_sent: not_sent(id),
                // That of its node.
                quality: None,
            })
        };
        let links = self.links.rows().filter_map(row);
        links.chain(self.pings.rows().filter_map(ping)).collect()
    }

    fn group_rows(&self, now: Instant) -> Vec<ha_status::Group> {
        let rows = self.config.groups.iter();
        rows.map(|(id, config)| self.group_row(id, config, now))
            .collect()
    }

    fn group_row(&self, id: GroupId, config: &GroupConfig, now: Instant) -> ha_status::Group {
        let group = self.group(id);
        let resource = |resource: &crate::config::ResourceConfig| Resource {
            script: resource.script.clone(),
            args: resource.args.clone(),
        };
        // One that nobody can run has no owner, whoever claimed it last.
        let owner = group.stake.claim.owner.filter(|_| !group.homeless);
        ha_status::Group {
            name: config.name.clone(),
            preferred: config.preferred.to_string(),
            owner: owner.map(|owner| self.name(owner)),
            epoch: group.stake.claim.epoch,
            state: group.runner.run().state(),
            runs: self.runs(id, now),
            resources: config.resources.iter().map(resource).collect(),
            reason: self.reason(id, group, now),
            timing: group.timing.clone(),
        }
    }

    /// What each live node says, this one included.
    fn runs(&self, id: GroupId, now: Instant) -> Vec<GroupRun> {
        let run = |node: NodeId| {
            let told = match self.membership.peer(node) {
                None => true,
                Some(peer) => peer.lives() && peer.report.is_some(),
            };
            let standing = self.standing(node, id, now);
            let left = standing.presence == Presence::LeftHolding;
            (left || (told && standing.knows)).then(|| GroupRun {
                node: self.name(node),
                state: if left { RunState::Stuck } else { standing.run },
            })
        };
        self.roster.order().filter_map(run).collect()
    }

    pub(super) fn name(&self, node: NodeId) -> String {
        self.roster.name(node).to_string()
    }
}

fn age(at: Instant, now: Instant) -> u64 {
    milliseconds(now.saturating_duration_since(at))
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
