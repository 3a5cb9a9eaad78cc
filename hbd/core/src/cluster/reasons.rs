//! Why a group is where it is, and what it waits for, as values: the words are those of the
//! programs that show them.

use super::Cluster;
use super::groups::{Fate, Group, Waiting};
use super::snapshot::milliseconds;
use crate::config::GroupId;
use crate::ownership::{Bar, Blocker, Cause, Why, unfit};
use crate::roster::NodeId;
use ha_status::{Attempt, ClaimCause, ClaimReason, GroupReason, RunState, Unfit};
use std::time::Instant;

impl Cluster {
    pub(super) fn reason(&self, id: GroupId, group: &Group, now: Instant) -> GroupReason {
        let owner = group.stake.claim.owner;
        GroupReason {
            claim: owner.map(|owner| ClaimReason {
                owner: self.name(owner),
                cause: self.cause(group, owner),
            }),
            homeless: group.homeless,
            waiting: group
                .waiting
                .map(|waiting| self.waits_for(group, waiting, now)),
            unfit: if owner == Some(self.roster.local()) {
                self.unfit(id, now)
            } else {
                Vec::new()
            },
        }
    }

    fn cause(&self, group: &Group, owner: NodeId) -> ClaimCause {
        let reason = group.reason;
        match (reason.why, group.stake.claim.cause) {
            (Some(Why::Standby | Why::Takeover), _) => ClaimCause::Moved,
            (Some(Why::Shutdown), _) => self.next(group, owner, Some(ha_status::Fate::Leaving)),
            (Some(Why::Failback), _) => ClaimCause::CameBack,
            (Some(Why::PreferredGone), _) => ClaimCause::UntilReturn,
            (Some(Why::OwnerFailed), _) => self.next(group, owner, Some(ha_status::Fate::Failed)),
            (Some(Why::Kept), _) => ClaimCause::Kept,
            (Some(Why::Deaf), _) => ClaimCause::Deaf,
            (Some(Why::Disputed), _) => ClaimCause::Disputed,
            (Some(Why::OwnerGone | Why::First) | None, cause) => {
                let fate = self.fate_of(reason.fate);
                if fate.is_some() || reason.why == Some(Why::First) {
                    return self.next(group, owner, fate);
                }
                match cause {
                    Cause::Home => ClaimCause::Preferred,
                    Cause::Failover => ClaimCause::UntilReturn,
                    Cause::Stay => ClaimCause::Stays,
                }
            }
        }
    }

    /// It was next after another owner, or in the place of the preferred node.
    fn next(&self, group: &Group, owner: NodeId, fate: Option<ha_status::Fate>) -> ClaimCause {
        let before = group.reason.from.filter(|before| *before != owner);
        let preferred = group.preferred.filter(|preferred| *preferred != owner);
        match (before.zip(fate), preferred) {
            (Some((before, fate)), _) => ClaimCause::Next {
                before: self.name(before),
                fate,
            },
            (None, Some(preferred)) => ClaimCause::Instead {
                preferred: self.name(preferred),
            },
            (None, None) => ClaimCause::Preferred,
        }
    }

    /// What is surely known of an owner that is one no more.
    fn fate_of(&self, fate: Fate) -> Option<ha_status::Fate> {
        let links = u32::try_from(self.config.links.len()).unwrap_or(u32::MAX);
        match fate {
            Fate::Alive => None,
            Fate::Died => Some(ha_status::Fate::Silent { links }),
            Fate::Left => Some(ha_status::Fate::Left),
            Fate::Leaving => Some(ha_status::Fate::Leaving),
            Fate::Failed => Some(ha_status::Fate::Failed),
        }
    }

    /// Who could not take the group over if this node were lost.
    fn unfit(&self, id: GroupId, now: Instant) -> Vec<Unfit> {
        let unfit = self.with_situation(id, now, unfit).into_iter();
        let reasons = unfit.map(|node| Unfit {
            node: self.name(node),
            failed: match self.standing(node, id, now).run {
                RunState::Stuck => Attempt::Stop,
                RunState::Unknown
                | RunState::Stopped
                | RunState::Starting
                | RunState::Running
                | RunState::Stopping
                | RunState::Failed => Attempt::Start,
            },
        });
        reasons.collect()
    }

    fn waits_for(&self, group: &Group, waiting: Waiting, now: Instant) -> ha_status::Waiting {
        match waiting {
            Waiting::Blocked(blocker) => self.obstacle(blocker),
            Waiting::HoldDown(node) => ha_status::Waiting::HoldDown {
                node: self.name(node),
                times: group.returns.lately(self.config.hold_down, now),
                steady_ms: milliseconds(self.hold_down(group, now)),
            },
            Waiting::Lingering(node) => ha_status::Waiting::Lingering {
                node: self.name(node),
            },
        }
    }

    fn obstacle(&self, blocker: Blocker) -> ha_status::Waiting {
        use ha_status::Waiting as For;
        match blocker {
            Blocker::Barred(Bar::NoCarrier) => For::NoCarrier,
            Blocker::Barred(Bar::SameName) => For::SameName,
            Blocker::Barred(Bar::CarrierBack) => For::CarrierBack,
            Blocker::Joining => For::Joining,
            Blocker::Differs(node) => For::Differs {
                node: self.name(node),
            },
            Blocker::LeftHolding(node) => For::LeftBehind {
                node: self.name(node),
            },
            Blocker::Unheard(node) => For::Unheard {
                node: self.name(node),
            },
            Blocker::OldPeer(node) => For::OldPeer {
                node: self.name(node),
            },
            Blocker::NotCurrent(node) | Blocker::Disagrees(node) => For::Answer {
                node: self.name(node),
            },
            Blocker::Lingers(node) => For::Stopped {
                node: self.name(node),
            },
            Blocker::Busy(node, run) => {
                let node = self.name(node);
                match run {
                    RunState::Unknown => For::Examined { node },
                    RunState::Stuck => For::Stuck { node },
                    RunState::Starting
                    | RunState::Running
                    | RunState::Stopping
                    | RunState::Stopped
                    | RunState::Failed => For::Stopped { node },
                }
            }
        }
    }
}
