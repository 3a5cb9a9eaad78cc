//! The whole visible state as plain data, with the reasons in words.

use super::Cluster;
use super::groups::{Fate, Group, Waiting};
use crate::config::{GroupConfig, GroupId, LinkId};
use crate::membership::Peer;
use crate::ownership::{Bar, Blocker, Cause, Presence, Why, unfit};
use crate::roster::NodeId;
use ha_status::{
    ClusterPhase, ClusterSnapshot, GroupRun, Link, Node, NodeKind, NodeStatus, Refused,
    RefusedReason, Resource, RunState,
};
use std::fmt::Write as _;
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
            at_ms: self.voice.wall_clock(now),
            uptime_ms: milliseconds(now.saturating_duration_since(self.started)),
            phase: match (&self.shutdown, self.active) {
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
            counters: self.counters.clone(),
            recent: Vec::new(),
        }
    }

    fn node_rows(&self, now: Instant) -> Vec<Node> {
        let since_ms = |since: Instant| {
            let ago = now.saturating_duration_since(since);
            self.voice.wall_clock(now).saturating_sub(milliseconds(ago))
        };
        let row = |id: NodeId| {
            let name = self.roster.name(id).to_string();
            let Some(peer) = self.membership.peer(id) else {
                return Node {
                    name,
                    local: true,
                    kind: NodeKind::Normal,
                    status: if self.active {
                        NodeStatus::Active
                    } else {
                        NodeStatus::Up
                    },
                    extended: true,
                    generation: self.config.generation,
                    heard_ms: Some(0),
                    deadtime_ms: milliseconds(self.config.deadtime),
                    since_ms: since_ms(self.since),
                    same_haresources: Some(true),
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
                since_ms: since_ms(peer.since),
                same_haresources: peer.report.as_ref().map(|r| r.digest == *digest),
            }
        };
        self.roster.order().map(row).collect()
    }

    /// Packets under the names of peers that were not believed of late.
    fn refused_rows(&self, now: Instant) -> Vec<Refused> {
        let row = |(id, peer): (NodeId, &Peer)| {
            let refused = peer.refused?;
            let last_ms = age(refused.last, now);
            let stray = refused.why == RefusedReason::Unanswered && refused.count < FEW_UNANSWERED;
            if stray || last_ms > REFUSED_SHOWN_MS {
                return None;
            }
            Some(Refused {
                node: Some(self.name(id)),
                from: None,
                reason: refused.why,
                text: self.refusal(id, peer, refused),
                count: refused.count,
                last_ms,
            })
        };
        self.membership.peers().filter_map(row).collect()
    }

    fn refusal(&self, id: NodeId, peer: &Peer, refused: crate::membership::Refused) -> String {
        let node = self.name(id);
        if refused.why == RefusedReason::Unanswered {
            return format!(
                "{node} is heard but does not answer this daemon: it does not hear this node (its \
                 cable, its firewall, its media), or somebody plays back what it said long ago"
            );
        }
        format!(
            "of generation {}, while generation {} of {node} was heard already: recorded packets, \
             or its clock or state directory was set back; in that case stop hbd there, set the \
             clock, remove hb_uuid and hb_generation from its state directory and start it again",
            refused.generation, peer.known.generation
        )
    }

    fn link_rows(&self, now: Instant) -> Vec<Link> {
        let row = |((node, id), link): ((NodeId, LinkId), &crate::links::Link)| {
            let config = self.config.links.get(id)?;
            Some(Link {
                node: self.roster.name(node).to_string(),
                medium: config.medium.clone(),
                device: config.device.clone(),
                state: link.state,
                heard_ms: link.age(now).map(milliseconds),
                packets: link.packets,
            })
        };
        self.links.rows().filter_map(row).collect()
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
            reason: self.explain(id, group, now),
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

    fn name(&self, node: NodeId) -> String {
        self.roster.name(node).to_string()
    }

    /// Why the group is where it is, and what it is waiting for.
    fn explain(&self, id: GroupId, group: &Group, now: Instant) -> String {
        let mut text = match group.stake.claim.owner {
            None => "nobody has claimed it yet".to_owned(),
            Some(owner) => self.origin(group, &self.name(owner)),
        };
        if group.homeless {
            text.push_str("; no node can run it now");
        }
        match group.waiting {
            Some(Waiting::Blocked(blocker)) => {
                text.push_str("; ");
                text.push_str(&self.obstacle(blocker));
            }
            Some(Waiting::HoldDown(node)) => {
                let times = group.returns.lately(self.config.hold_down, now);
                let wait = self.hold_down(group, now).as_secs_f32();
                let node = self.name(node);
                let _ = write!(
                    text,
                    "; it went back to {node} {times} times lately, so {node} must be steady for \
                     {wait} s before it goes there again"
                );
            }
            None => {}
        }
        if group.stake.claim.owner == Some(self.roster.local()) {
            text.push_str(&self.lack(id, now));
        }
        text
    }

    /// Who could not take the group over if this node were lost.
    fn lack(&self, id: GroupId, now: Instant) -> String {
        let unfit = self.with_situation(id, now, unfit);
        if unfit.is_empty() {
            return String::new();
        }
        let causes = unfit.into_iter().map(|node| {
            let what = match self.standing(node, id, now).run {
                RunState::Stuck => "stop",
                RunState::Unknown
                | RunState::Stopped
                | RunState::Starting
                | RunState::Running
                | RunState::Stopping
                | RunState::Failed => "start",
            };
            format!("{} could not {what} it", self.name(node))
        });
        let causes: Vec<String> = causes.collect();
        format!("; a failover is not possible now: {}", causes.join(", "))
    }

    fn origin(&self, group: &Group, owner: &str) -> String {
        let reason = group.reason;
        let before = reason.from.map(|node| self.name(node));
        let before = before.as_deref();
        let preferred = group.preferred.map(|node| self.name(node));
        let preferred = preferred.as_deref().filter(|name| *name != owner);
        let next = |fate: &str| match (before, preferred) {
            (Some(before), _) if before != owner => format!("{before} {fate}; {owner} was next"),
            (_, Some(preferred)) => format!("{preferred} was not there; {owner} was next"),
            (_, None) => format!("{owner} is its preferred node"),
        };
        match (reason.why, group.stake.claim.cause) {
            (Some(Why::Standby | Why::Takeover), _) => {
                format!("an operator moved it to {owner}")
            }
            (Some(Why::Shutdown), _) => next("is shutting down"),
            (Some(Why::Failback), _) => format!("{owner} is its preferred node and came back"),
            (Some(Why::PreferredGone), _) => {
                format!("{owner} has it until its preferred node returns")
            }
            (Some(Why::OwnerFailed), _) => next("could not start it"),
            (Some(Why::Kept), _) => {
                format!("{owner} ran it all along while the nodes could not hear each other")
            }
            (Some(Why::Deaf), _) => format!("{owner} runs it and does not hear this node"),
            (Some(Why::OwnerGone | Why::First) | None, cause) => match (reason.fate, cause) {
                (Fate::Died, _) => next(self.silence()),
                (Fate::Left, _) => next("left"),
                (Fate::Leaving, _) => next("is shutting down"),
                (Fate::Failed, _) => next("could not start it"),
                (Fate::Alive, _) if reason.why == Some(Why::First) => next(""),
                (Fate::Alive, Cause::Home) => format!("{owner} is its preferred node"),
                (Fate::Alive, Cause::Failover) => {
                    format!("{owner} has it until its preferred node returns")
                }
                (Fate::Alive, Cause::Stay) => format!("{owner} keeps it until it is moved"),
            },
        }
    }

    /// What is surely known of a node that is heard no more.
    fn silence(&self) -> &'static str {
        if self.config.links.len() == 1 {
            "fell silent (over the only link nobody can tell a dead node from a cut cable)"
        } else {
            "fell silent on every link"
        }
    }

    fn obstacle(&self, blocker: Blocker) -> String {
        match blocker {
            Blocker::Barred(Bar::NoCarrier) => {
                "no interface of this node has a carrier: it takes nothing".to_owned()
            }
            Blocker::Barred(Bar::SameName) => {
                "another node has the name of this one: it takes nothing".to_owned()
            }
            Blocker::Barred(Bar::CarrierBack) => {
                "the cable of this node is just back: it listens before it takes anything"
                    .to_owned()
            }
            Blocker::Differs(node) => format!(
                "its preferred node {node} lives and does not list it: make haresources equal",
                node = self.name(node)
            ),
            Blocker::LeftHolding(node) => format!(
                "{node} has ended and could not stop it; once you are sure that nothing of it is \
                 active there: hbd takeover --force",
                node = self.name(node)
            ),
            Blocker::Joining => "this node is not active yet".to_owned(),
            Blocker::Unheard(node) => format!("waiting to hear {}", self.name(node)),
            Blocker::OldPeer(node) => format!(
                "{} runs an old Heartbeat, which has not given it to this node",
                self.name(node)
            ),
            Blocker::NotCurrent(node) | Blocker::Disagrees(node) => {
                format!("waiting for {} to answer", self.name(node))
            }
            Blocker::Busy(node, run) => {
                let node = self.name(node);
                match run {
                    RunState::Unknown => format!("waiting for {node} to examine it"),
                    RunState::Stuck => format!(
                        "{node} could not stop it; once you are sure that nothing of it is active \
                         there: hbd takeover --force"
                    ),
                    RunState::Starting
                    | RunState::Running
                    | RunState::Stopping
                    | RunState::Stopped
                    | RunState::Failed => format!("waiting for {node} to stop it"),
                }
            }
        }
    }
}

fn age(at: Instant, now: Instant) -> u64 {
    milliseconds(now.saturating_duration_since(at))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
