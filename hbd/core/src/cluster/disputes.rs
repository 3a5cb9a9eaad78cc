//! A group that an old peer runs beside this node: after a stall it takes what is ours without
//! noticing that we live (Heartbeat specification 6.4), and after a silence that we alone have
//! heard it never lost it. It only logs that both own it. Nobody can make it let go, so we do.
//!
//! Where both have missed each other it restarts with empty hands two seconds later (6.6): we wait
//! for that, and keep the group: told that we hold all and are stable, it comes back with nothing.

use super::Cluster;
use crate::config::GroupId;
use crate::ownership::{Cause, Phase, Why};
use crate::roster::NodeId;
use ha_status::RunState;
use std::time::{Duration, Instant};

/// Longer than an old peer takes to say that it restarts, see `Cluster::patience_with_rivals`.
const RESTARTS_AFTER: Duration = Duration::from_secs(3);

impl Cluster {
    /// Gives up what old peers have said for too long that they run as well. Called at every
    /// heartbeat at least: no timer is needed.
    pub(super) fn yield_to_rivals(&mut self, now: Instant) {
        let groups: Vec<GroupId> = self.groups.ids().collect();
        for id in groups {
            let rival = self.old_rival(id, now);
            let group = self.group_mut(id);
            let Some(rival) = rival else {
                group.disputed = None;
                continue;
            };
            let since = *group.disputed.get_or_insert(now);
            if now.saturating_duration_since(since) < self.patience_with_rivals() {
                continue;
            }
            self.group_mut(id).disputed = None;
            let cause = self.with_situation(id, now, |s| s.cause_for(rival, Cause::Failover));
            let claim = self.group(id).stake.claim.succeed(rival, cause);
            self.write_claim(id, claim, Why::Disputed, now);
        }
    }

    /// How long an old peer that notices may take to restart itself. The two sides may begin to count a
    /// few heartbeats apart.
    pub(super) fn patience_with_rivals(&self) -> Duration {
        RESTARTS_AFTER + self.config.keepalive * 2
    }

    /// An old peer that says to run what this node runs, and means to go on doing. Among more than two
    /// nodes it does not say so: its words for all that is not its own mean whichever node it took over.
    fn old_rival(&self, id: GroupId, now: Instant) -> Option<NodeId> {
        if self.roster.order().count() != 2 {
            return None;
        }
        let group = self.group(id);
        let ours = self.phase() == Phase::Active
            && group.stake.claim.owner == Some(self.roster.local())
            && group.runner.run().held();
        if !ours {
            return None;
        }
        let mut peers = self.membership.peers();
        let rival = peers.find(|(node, peer)| {
            let old = peer.lives() && !peer.extended;
            old && self.standing(*node, id, now).run == RunState::Running
        });
        rival.map(|(node, _)| node)
    }
}
