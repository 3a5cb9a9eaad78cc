//! A group that is about to start here, because the node that runs it is stopping it as agreed: what
//! can be made ready meanwhile is, and is undone if nothing comes of it. The owner is told for as long
//! as that is under way, and goes on running it until then ([`lingering`](super::lingering)).
//!
//! ```text
//!              its owner has not said yet         its owner goes on until this node is ready
//!   None ────────────────────────────► Awaited ───────────────────► Making(limit) ──Prepared──► Made(limit)
//!    ▲                                                                 │                          │
//!    ├────────────────────────────── Start ────────────────────────────┴──────────────────────────┤
//!    │                                                                                            │
//!    ├──Unprepared── Undoing ◄───────── does not come, or not so ── Unprepare ────────────────────┤
//!    └── does not wait any more ── Spent ◄───────── limit ───────── Unprepare ────────────────────┘
//! ```

use super::{Group, Waiting};
use crate::cluster::Cluster;
use crate::config::{GroupId, PREPARED_LIMIT};
use crate::output::Output;
use crate::ownership::{Blocker, Decision, Readiness};
use ha_status::RunState;
use std::time::Instant;

/// What the shell is asked to do about a group.
type Request = fn(GroupId) -> Output;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preparation {
    None,
    /// It is to be prepared once the others agree: until then nothing is touched.
    Awaited,
    /// The shell was asked; it is asked to undo it then.
    Making(Instant),
    /// The shell has done what it could.
    Made(Instant),
    /// The shell was asked to undo it.
    Undoing,
    /// It took too long, and is not tried again while the group waits.
    Spent,
}

impl Group {
    /// When what was prepared is to be undone.
    pub(in crate::cluster) fn prepared_until(&self) -> Option<Instant> {
        match self.preparation {
            Preparation::Making(limit) | Preparation::Made(limit) => Some(limit),
            Preparation::None
            | Preparation::Awaited
            | Preparation::Undoing
            | Preparation::Spent => None,
        }
    }

    /// What the others are told of it.
    pub(in crate::cluster) fn readiness(&self) -> Readiness {
        if self.is_shared() {
            return Readiness::Lingers;
        }
        match self.preparation {
            Preparation::Awaited | Preparation::Making(_) | Preparation::Undoing => Readiness::Busy,
            Preparation::None | Preparation::Made(_) | Preparation::Spent => Readiness::Still,
        }
    }
}

impl Cluster {
    /// Prepares what is about to start, or undoes it, as was just decided about the group.
    pub(super) fn look_ahead(&mut self, id: GroupId, decision: Decision, now: Instant) {
        let group = self.group(id);
        let ours = group.stake.claim.owner == Some(self.roster.local());
        let (after, request) = next(group.preparation, decision, ours, now);
        self.group_mut(id).preparation = after;
        let request = request.map(|request| request(id));
        self.outbox.extend(request);
    }

    /// The shell has prepared what it could.
    pub(in crate::cluster) fn prepared(&mut self, id: GroupId) {
        if self.is_group(id)
            && let Preparation::Making(limit) = self.group(id).preparation
        {
            self.group_mut(id).preparation = Preparation::Made(limit);
        }
    }

    /// The shell has undone it.
    pub(in crate::cluster) fn unprepared(&mut self, id: GroupId) {
        if self.is_group(id) && self.group(id).preparation == Preparation::Undoing {
            self.group_mut(id).preparation = Preparation::None;
        }
    }

    /// Undoes what has been prepared for too long.
    pub(in crate::cluster) fn end_preparations(&mut self, now: Instant) {
        let groups = self.groups.iter();
        let over = groups.filter(|(_, group)| group.prepared_until().is_some_and(|at| at <= now));
        for id in over.map(|(id, _)| id).collect::<Vec<_>>() {
            let group = self.group_mut(id);
            // Whoever is stopping it may have no address any more.
            let stopping = Waiting::is_for_a_stop;
            if let Preparation::Made(limit) = &mut group.preparation
                && group.waiting.is_some_and(stopping)
            {
                *limit = now + PREPARED_LIMIT;
                continue;
            }
            group.preparation = Preparation::Spent;
            self.outbox.push(Output::Unprepare(id));
        }
    }
}

impl Waiting {
    fn is_for_a_stop(self) -> bool {
        matches!(self, Self::Blocked(Blocker::Busy(_, RunState::Stopping)))
    }
}

/// What comes of a decision about a group that is `ours` or not, and what is asked for.
fn next(
    before: Preparation,
    decision: Decision,
    ours: bool,
    now: Instant,
) -> (Preparation, Option<Request>) {
    use Preparation::{Awaited, Made, Making, None as Nil, Spent, Undoing};
    match (before, decision) {
        // Decided about again at once.
        (_, Decision::Claim(..) | Decision::Adopt(_) | Decision::Forgive) => (before, None),
        (Nil | Awaited | Undoing, Decision::Wait(Blocker::Lingers(_))) if ours => {
            (Making(now + PREPARED_LIMIT), Some(Output::Prepare))
        }
        (Nil | Awaited, Decision::Wait(blocker)) if ours && may_linger_yet(blocker) => {
            (Awaited, None)
        }
        // Its owner is stopping it now, and began with the addresses.
        (Making(_) | Made(_), Decision::Wait(blocker)) if ours && is_leaving(blocker) => {
            (before, None)
        }
        (Spent, Decision::Wait(_)) if ours => (before, None),
        (Making(_) | Made(_), Decision::Start) => (Nil, None),
        (
            Making(_) | Made(_),
            Decision::Nothing
            | Decision::Stop
            | Decision::Linger(_)
            | Decision::LetGo
            | Decision::HoldDown(_)
            | Decision::Wait(_)
            | Decision::Expect(_)
            | Decision::Homeless,
        ) => (Undoing, Some(Output::Unprepare)),
        // A start cuts it short.
        (Undoing, Decision::Start) => (Nil, None),
        (
            Undoing,
            Decision::Nothing
            | Decision::Stop
            | Decision::Linger(_)
            | Decision::LetGo
            | Decision::HoldDown(_)
            | Decision::Wait(_)
            | Decision::Expect(_)
            | Decision::Homeless,
        ) => (Undoing, None),
        (
            Nil | Awaited | Spent,
            Decision::Nothing
            | Decision::Start
            | Decision::Stop
            | Decision::Linger(_)
            | Decision::LetGo
            | Decision::HoldDown(_)
            | Decision::Wait(_)
            | Decision::Expect(_)
            | Decision::Homeless,
        ) => (Nil, None),
    }
}

/// Is it possible that the node that runs it goes on until this one is ready?
fn may_linger_yet(blocker: Blocker) -> bool {
    matches!(
        blocker,
        Blocker::Disagrees(_) | Blocker::Busy(_, RunState::Starting | RunState::Running)
    )
}

/// Is the group on its way here from the node that has it?
fn is_leaving(blocker: Blocker) -> bool {
    match blocker {
        Blocker::Lingers(_)
        | Blocker::Disagrees(_)
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
