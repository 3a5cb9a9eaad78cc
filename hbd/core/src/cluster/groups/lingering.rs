//! A group that runs here and is another node's now: that one makes ready, with its tables and its
//! addresses, and only then is it stopped here, so that clients are served all the while. Not for
//! longer than [`LINGER_LIMIT`], and not where the shell objects.
//!
//! ```text
//!   None ──Linger──► Asking(limit) ──the shell agrees──► Told(limit) ──limit──► Over ──► let go
//!    ▲                │    └─limit, or it objects──► stopped    └──the new owner is ready──► let go
//!    └──ours again────┴─────────────────────────────────┘ announced: the other may have answered for the addresses
//! ```
//!
//! The new owner puts its addresses only once it has heard that this one goes on; from then on they are
//! the first thing that leaves here, whatever else takes its time.

use super::Group;
use crate::cluster::Cluster;
use crate::config::{GroupId, LINGER_LIMIT, PREPARED_LIFE};
use crate::output::Output;
use crate::ownership::Decision;
use crate::takeover::Run;
use std::time::{Duration, Instant};

/// By then the addresses have left a new owner that has died, and neighbours that asked meanwhile may
/// have learnt of it.
const ANNOUNCED_AGAIN: Duration = PREPARED_LIFE.saturating_add(Duration::from_secs(1));

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lingering {
    None,
    /// The shell is asked whether that may be.
    Asking(Instant),
    /// The others are told.
    Told(Instant),
    /// The shell objects.
    Refused,
}

impl Group {
    /// May it go on running here for a moment, although it is another node's?
    pub(super) fn lingers(&self, now: Instant) -> bool {
        !self.stake.shaken
            && match self.lingering {
                Lingering::None => true,
                Lingering::Asking(limit) | Lingering::Told(limit) => now < limit,
                Lingering::Refused => false,
            }
    }

    /// May another node have the addresses as well by now?
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.lingering, Lingering::Told(_))
    }

    /// It runs here and nobody is about to take it over.
    pub(super) fn speaks(&self) -> bool {
        self.runner.run() == Run::Running && self.lingering == Lingering::None
    }

    /// When something is due that has to do with it.
    pub(in crate::cluster) fn lingering_deadline(&self) -> Option<Instant> {
        let limit = match self.lingering {
            Lingering::Asking(limit) | Lingering::Told(limit) => Some(limit),
            Lingering::None | Lingering::Refused => None,
        };
        [limit, self.announce_at].into_iter().flatten().min()
    }
}

impl Cluster {
    /// Begins to linger or ends it, as was just decided about the group.
    pub(super) fn look_back(&mut self, id: GroupId, decision: Decision, now: Instant) {
        let before = self.group(id).lingering;
        match (before, decision) {
            // Decided about again at once.
            (_, Decision::Claim(..) | Decision::Adopt(_) | Decision::Forgive) => {}
            (Lingering::None, Decision::Linger(owner)) => {
                let group = self.group_mut(id);
                group.lingering = Lingering::Asking(now + LINGER_LIMIT);
                // It is the other one that speaks to the neighbours from here on.
                group.announce_at = None;
                group.rivals.insert(owner);
                self.outbox.push(Output::Linger(id));
            }
            (
                Lingering::Asking(_) | Lingering::Told(_) | Lingering::Refused,
                Decision::Linger(owner),
            ) => {
                self.group_mut(id).rivals.insert(owner);
            }
            (
                Lingering::None,
                Decision::Nothing
                | Decision::Start
                | Decision::Stop
                | Decision::LetGo
                | Decision::HoldDown(_)
                | Decision::Wait(_)
                | Decision::Expect(_)
                | Decision::Homeless,
            ) => {}
            (
                Lingering::Asking(_) | Lingering::Told(_) | Lingering::Refused,
                Decision::Nothing
                | Decision::Start
                | Decision::Stop
                | Decision::LetGo
                | Decision::HoldDown(_)
                | Decision::Wait(_)
                | Decision::Expect(_)
                | Decision::Homeless,
            ) => {
                let stays = !matches!(decision, Decision::Stop | Decision::LetGo);
                let group = self.group_mut(id);
                group.lingering = Lingering::None;
                if stays && group.runner.run() == Run::Running {
                    group.announce_at = Some(now + ANNOUNCED_AGAIN);
                    self.outbox.push(Output::Announce(id));
                }
            }
        }
    }

    /// The shell says whether the group may go on running here beside a node that is ready for it.
    pub(in crate::cluster) fn may_linger(&mut self, id: GroupId, willing: bool) {
        if self.is_group(id)
            && let Lingering::Asking(limit) = self.group(id).lingering
        {
            self.group_mut(id).lingering = if willing {
                Lingering::Told(limit)
            } else {
                Lingering::Refused
            };
        }
    }

    /// The group runs here now. Another node may have been ready for it, and answer for a while.
    pub(super) fn announce_later(&mut self, id: GroupId, now: Instant) {
        self.group_mut(id).announce_at = Some(now + ANNOUNCED_AGAIN);
    }

    /// Tells the neighbours once more, where that is due.
    pub(in crate::cluster) fn announce_again(&mut self, now: Instant) {
        let groups = self.groups.iter();
        let due = groups.filter(|(_, group)| group.announce_at.is_some_and(|at| at <= now));
        for id in due.map(|(id, _)| id).collect::<Vec<_>>() {
            let group = self.group_mut(id);
            group.announce_at = None;
            if group.speaks() {
                self.outbox.push(Output::Announce(id));
            }
        }
    }
}
