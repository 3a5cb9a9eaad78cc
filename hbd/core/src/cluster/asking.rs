//! Asking and being asked for single groups: how groups move beside an old Heartbeat in `legacy`
//! mode, see `crate::legacy`.

use super::Cluster;
use super::groups::Waiting;
use crate::config::{Failback, GroupId, ResourceConfig};
use crate::legacy::{Demand, SILENCE};
use crate::membership::Peer;
use crate::messages;
use crate::ownership::{Blocker, Cause, Phase, Why, is_free};
use crate::roster::NodeId;
use crate::takeover::Run;
use crate::wire::Message;
use ha_status::NodeStatus;
use std::net::IpAddr;
use std::time::Instant;

impl Cluster {
    /// An old peer wants a group, wherever that is.
    pub(super) fn hear_request(&mut self, node: NodeId, message: &Message, now: Instant) {
        let Some(key) = message.text("ipaddr").filter(|key| !key.is_empty()) else {
            return;
        };
        let group = self.group_called(key);
        let held = group.is_some_and(|id| !self.group(id).runner.run().idle());
        let Some(peer) = self.membership.peer_mut(node) else {
            return;
        };
        peer.legacy.asks();
        match group {
            Some(id) => {
                let key = key.to_owned();
                peer.legacy.demand(id, Demand { key, held });
            }
            // Of what no line here names nothing can be active here; another node's lines may differ.
            None if self.speaks_for_all(node) => self.answer_request(node, key, false, now),
            None => {}
        }
    }

    /// An old peer says that it has nothing of a group of ours, or no more.
    pub(super) fn hear_response(&mut self, node: NodeId, message: &Message) {
        let ok = message.text("ok") == Some("OK");
        if !ok || !messages::addressed_to(message, &self.config) {
            return;
        }
        let group = message
            .text("ipaddr")
            .and_then(|key| self.group_called(key));
        let Some((id, peer)) = group.zip(self.membership.peer_mut(node)) else {
            return;
        };
        // It had the group, and answers as if it had stopped it whatever came of that, also where its
        // line is written in another way and it stopped nothing: it has to say that it has it no more.
        if message.text("weown") == Some("no") {
            peer.legacy.free(id);
        } else {
            peer.legacy.doubt(id);
        }
    }

    /// What old peers ask for becomes theirs. What nobody runs is nobody's to give.
    pub(super) fn yield_to_requests(&mut self, now: Instant) {
        if self.phase() != Phase::Active {
            return;
        }
        for (node, id) in self.demands() {
            let group = self.group(id);
            let owner = group.stake.claim.owner;
            let elsewhere = owner.is_some_and(|owner| owner != node);
            if owner != Some(node) && (elsewhere || group.runner.run().held()) {
                let claim = group.stake.claim.succeed(node, Cause::Home);
                self.write_claim(id, claim, Why::Failback, now);
            }
        }
    }

    /// Answers the requests for groups of which nothing is active any more. One that cannot be
    /// stopped is never answered for: its asker would start it beside us.
    pub(super) fn answer_requests(&mut self, now: Instant) {
        for (node, id) in self.demands() {
            let idle = self.group(id).runner.run().idle();
            if !idle || !self.with_situation(id, now, is_free) {
                continue;
            }
            let Some(peer) = self.membership.peer_mut(node) else {
                continue;
            };
            let demand = peer.legacy.demands().find(|(group, _)| *group == id);
            let demand = demand.map(|(_, demand)| demand.clone());
            peer.legacy.answered(id);
            if let Some(Demand { key, held }) = demand {
                self.answer_request(node, &key, held, now);
            }
        }
    }

    /// Asks old peers for the groups that prefer this node and that only they keep from it. Called
    /// at every heartbeat at least: no timer is needed.
    pub(super) fn request_from_old_peers(&mut self, now: Instant) {
        if self.phase() != Phase::Active || !self.config.failback.returns() {
            return;
        }
        let me = Some(self.roster.local());
        let blocked = self.groups.iter().filter_map(|(id, group)| {
            let Some(Waiting::Blocked(Blocker::OldPeer(node))) = group.waiting else {
                return None;
            };
            let peer = self.membership.peer(node)?;
            let due = self.is_legacy(peer, now) && peer.legacy.may_be_asked(id, now);
            // What could not be started here stays where it runs.
            let able = group.runner.run() == Run::Stopped
                && self.with_situation(id, now, |situation| situation.barred.is_none());
            (due && able && group.preferred == me).then_some((node, id))
        });
        let due: Vec<(NodeId, GroupId)> = blocked.collect();
        for (node, id) in due {
            if let Some(peer) = self.membership.peer_mut(node) {
                peer.legacy.asked(id, now);
            }
            let Some(group) = self.config.groups.get(id) else {
                continue;
            };
            let request = messages::ip_request(&group.name);
            self.send(request, None, now);
        }
    }

    /// Is it an old Heartbeat that reports nothing and must be asked? It says so itself when it asks;
    /// one that came up before us has done that long ago, and is known by what ours says of both and
    /// by its silence.
    fn is_legacy(&self, peer: &Peer, now: Instant) -> bool {
        let active = peer.status == NodeStatus::Active && !peer.extended;
        let silent = !peer.old.has_reported()
            && self.config.failback == Failback::Legacy
            && now.saturating_duration_since(peer.since) >= SILENCE;
        active && (peer.legacy.has_asked() || silent)
    }

    /// All that old peers wait for and that this node speaks for.
    fn demands(&self) -> Vec<(NodeId, GroupId)> {
        let peers = self.membership.peers();
        let peers = peers.filter(|(node, peer)| peer.lives() && self.speaks_for_all(*node));
        let demands = peers.flat_map(|(node, peer)| {
            let groups = peer.legacy.demands();
            groups.map(move |(group, _)| (node, group))
        });
        demands.collect()
    }

    /// A second answer would do no harm: the asker looks before it starts.
    fn answer_request(&mut self, node: NodeId, key: &str, held: bool, now: Instant) {
        let asker = self.roster.name(node).as_str();
        let answer = messages::ip_request_resp(asker, key, held);
        self.send(answer, Some(node), now);
    }

    /// The group that an old peer calls so: by the first words of its line, which may be written in
    /// another way there and begin with another resource of the same group.
    fn group_called(&self, key: &str) -> Option<GroupId> {
        let groups = || self.config.groups.iter();
        let exactly = groups().find(|(_, group)| group.name == key);
        let about = || {
            groups().find(|(_, group)| {
                group
                    .resources
                    .iter()
                    .any(|resource| is_about(resource, key))
            })
        };
        exactly.or_else(about).map(|(id, _)| id)
    }
}

/// Does an old peer mean this resource? `10.0.0.1` is `IPaddr2::10.0.0.1/24/eth0` to one who has written
/// it so; any other resource is what it is with all that its script is told.
fn is_about(resource: &ResourceConfig, key: &str) -> bool {
    let (script, arguments) = match key.split_once("::") {
        Some((script, arguments)) => (script, arguments),
        None if address(key).is_some() => ("IPaddr", key),
        None => (key, ""),
    };
    let ours = resource.args.join("::");
    let is_address = |script: &str| matches!(script, "IPaddr" | "IPaddr2" | "IPv6addr");
    if is_address(script) && is_address(&resource.script) {
        return address(arguments).is_some_and(|one| address(&ours) == Some(one));
    }
    resource.script == script && ours == arguments
}

/// Of `10.0.0.1/24/eth0:0/10.0.0.255`.
fn address(arguments: &str) -> Option<IpAddr> {
    arguments.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests;
