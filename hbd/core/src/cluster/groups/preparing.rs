//! A group that is about to start here, because the node that runs it is stopping it as agreed: what
//! can be made ready meanwhile is, and is undone if nothing comes of it.
//!
//! ```text
//!   None ──ours, waits for its owner──► Until(limit) ──Start──► None
//!    ▲                                    │   └──another's, or nobody's── Unprepare ──► None
//!    └───── does not wait any more ── Spent ◄──limit── Unprepare
//! ```

use super::Group;
use crate::cluster::Cluster;
use crate::config::{GroupId, PREPARED_LIMIT};
use crate::output::Output;
use crate::ownership::{Blocker, Decision};
use ha_status::RunState;
use std::time::Instant;

/// What the shell is asked to do about a group.
type Request = fn(GroupId) -> Output;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preparation {
    None,
    /// The shell was asked; it is asked to undo it then.
    Until(Instant),
    /// It took too long, and is not tried again while the group waits.
    Spent,
}

impl Group {
    /// When what was prepared is to be undone.
    pub(in crate::cluster) fn prepared_until(&self) -> Option<Instant> {
        match self.preparation {
            Preparation::Until(limit) => Some(limit),
            Preparation::None | Preparation::Spent => None,
        }
    }
}

impl Cluster {
    /// Prepares what is about to start, or undoes it, as was just decided about the group.
    pub(super) fn look_ahead(&mut self, id: GroupId, decision: Decision, now: Instant) {
        let before = self.group(id).preparation;
        let (after, request) = next(before, decision, now);
        self.group_mut(id).preparation = after;
        let request = request.map(|request| request(id));
        self.outbox.extend(request);
    }

    /// Undoes what has been prepared for too long.
    pub(in crate::cluster) fn end_preparations(&mut self, now: Instant) {
        let groups = self.groups.iter();
        let over = groups.filter(|(_, group)| group.prepared_until().is_some_and(|at| at <= now));
        for id in over.map(|(id, _)| id).collect::<Vec<_>>() {
            self.group_mut(id).preparation = Preparation::Spent;
            self.outbox.push(Output::Unprepare(id));
        }
    }
}

/// What comes of a decision, and what is asked for.
fn next(before: Preparation, decision: Decision, now: Instant) -> (Preparation, Option<Request>) {
    match (before, decision) {
        // Decided about again at once.
        (_, Decision::Claim(..) | Decision::Adopt(_) | Decision::Forgive) => (before, None),
        (Preparation::None, Decision::Wait(blocker)) if is_moving(blocker) => (
            Preparation::Until(now + PREPARED_LIMIT),
            Some(Output::Prepare),
        ),
        // Somebody else is in the way now: it may still start, or not in time.
        (Preparation::Until(_) | Preparation::Spent, Decision::Wait(_)) => (before, None),
        (Preparation::Until(_), Decision::Start) => (Preparation::None, None),
        (
            Preparation::Until(_),
            Decision::Nothing
            | Decision::Stop
            | Decision::LetGo
            | Decision::HoldDown(_)
            | Decision::Expect(_)
            | Decision::Homeless,
        ) => (Preparation::None, Some(Output::Unprepare)),
        (
            Preparation::None | Preparation::Spent,
            Decision::Nothing
            | Decision::Start
            | Decision::Stop
            | Decision::LetGo
            | Decision::HoldDown(_)
            | Decision::Wait(_)
            | Decision::Expect(_)
            | Decision::Homeless,
        ) => (Preparation::None, None),
    }
}

/// Is the group, which is ours, on its way from another node to this one?
fn is_moving(blocker: Blocker) -> bool {
    match blocker {
        Blocker::Disagrees(_)
        | Blocker::Busy(_, RunState::Starting | RunState::Running | RunState::Stopping) => true,
        Blocker::Busy(_, _)
        | Blocker::Barred(_)
        | Blocker::Joining
        | Blocker::Unheard(_)
        | Blocker::OldPeer(_)
        | Blocker::LeftHolding(_)
        | Blocker::Differs(_)
        | Blocker::NotCurrent(_) => false,
    }
}

#[cfg(test)]
mod tests;
