//! The claims that this node writes or takes over, and what is told of them.

use super::{Fate, Reason};
use crate::cluster::Cluster;
use crate::config::GroupId;
use crate::output::{Notice, YieldReason};
use crate::ownership::{Claim, Readiness, Why};
use crate::roster::NodeId;
use ha_status::{NodeStatus, RunState};
use std::time::Instant;

impl Cluster {
    /// Writes a claim of our own and says so.
    pub(in crate::cluster) fn write_claim(
        &mut self,
        id: GroupId,
        claim: Claim,
        why: Why,
        now: Instant,
    ) {
        let old = self.group(id).stake.claim;
        self.set_claim(id, claim, Some(why), now);
        self.count_return(id, why, now);
        let Some(owner) = claim.owner.filter(|owner| old.owner != Some(*owner)) else {
            return;
        };
        if owner == self.roster.local() {
            self.notice_takeover(id, old.owner);
            return;
        }
        let reason = match why {
            Why::Failback => YieldReason::Failback,
            Why::Shutdown => YieldReason::Shutdown,
            Why::Standby => YieldReason::Standby,
            Why::Takeover => YieldReason::Takeover,
            Why::OwnerFailed => YieldReason::StartFailed,
            Why::Deaf => YieldReason::Deaf,
            Why::Disputed => YieldReason::Disputed,
            Why::First | Why::OwnerGone | Why::PreferredGone | Why::Kept => return,
        };
        let (group, to) = (id, self.roster.name(owner).clone());
        self.outbox.notice(Notice::GroupYield { group, to, reason });
    }

    /// A group that returned to its preferred node, or was kept there although others had served
    /// it meanwhile: the next time that takes longer.
    fn count_return(&mut self, id: GroupId, why: Why, now: Instant) {
        let base = self.config.hold_down;
        let shaken = self.group(id).stake.shaken;
        match why {
            Why::Failback => self.group_mut(id).returns.count(base, now),
            Why::Kept if shaken => self.group_mut(id).returns.count(base, now),
            Why::Kept
            | Why::First
            | Why::OwnerGone
            | Why::OwnerFailed
            | Why::Shutdown
            | Why::PreferredGone
            | Why::Standby
            | Why::Takeover
            | Why::Deaf
            | Why::Disputed => {}
        }
        if why == Why::Kept {
            // Said once to those who hear it, so that two cannot outbid each other for ever.
            self.note_absence();
            let apart = self
                .group(id)
                .stake
                .apart
                .intersection(self.third_parties.absent())
                .copied();
            self.group_mut(id).stake.apart = apart.collect();
            let peers: Vec<NodeId> = self.roster.peers().collect();
            for node in peers {
                let it = self.standing(node, id, now);
                let owns = it.claim.is_some_and(|claim| claim.owner == Some(node));
                let ready = it.readiness == Readiness::Busy || owns;
                self.watch_rival(id, node, it.run, ready);
            }
        }
    }

    pub(super) fn notice_takeover(&mut self, id: GroupId, from: Option<NodeId>) {
        self.outbox.notice(Notice::GroupTakeover {
            group: id,
            from: from.map(|node| self.roster.name(node).clone()),
            epoch: self.group(id).stake.claim.epoch,
        });
    }

    pub(super) fn set_claim(&mut self, id: GroupId, claim: Claim, why: Option<Why>, now: Instant) {
        let from = self.group(id).stake.claim.owner;
        if from != claim.owner || why.is_some() {
            let fate = from.map_or(Fate::Alive, |owner| self.fate(owner, id, now));
            self.group_mut(id).reason = Reason { why, from, fate };
        }
        self.note_course(id, from, claim, now);
        let me = Some(self.roster.local());
        let group = self.group_mut(id);
        if claim.owner != me {
            group.stake.vouched.clear();
        }
        group.stake.claim = claim;
    }

    fn fate(&self, owner: NodeId, id: GroupId, now: Instant) -> Fate {
        let run = self.standing(owner, id, now).run;
        if matches!(run, RunState::Failed | RunState::Stuck) {
            return Fate::Failed;
        }
        let Some(peer) = self.membership.peer(owner) else {
            return Fate::Alive;
        };
        match peer.status {
            NodeStatus::Dead => Fate::Died,
            NodeStatus::Left => Fate::Left,
            NodeStatus::Init | NodeStatus::Up | NodeStatus::Active | NodeStatus::Ping => {
                if peer.report.as_ref().is_some_and(|r| r.leaving) {
                    Fate::Leaving
                } else {
                    Fate::Alive
                }
            }
        }
    }
}
