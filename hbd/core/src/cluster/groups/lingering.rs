//! A group that runs here and is another node's now: that one makes ready, with its tables and its
//! addresses, and only then is it stopped here, so that clients are served all the while. Not for
//! longer than [`LINGER_LIMIT`], and not where the shell objects.
//!
//! ```text
//!   None ──Linger──► Until(limit) ──limit, or the shell objects──► Over ──► stopped
//!    ▲                 │    └──the new owner is ready──────────────────────► stopped
//!    └──ours again─────┘ announced: the other may have answered for the addresses
//! ```

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
    Until(Instant),
    /// It has lasted for long enough, or must not be.
    Over,
}

impl Group {
    /// May it go on running here for a moment, although it is another node's?
    pub(super) fn lingers(&self, now: Instant) -> bool {
        !self.stake.shaken
            && match self.lingering {
                Lingering::None => true,
                Lingering::Until(limit) => now < limit,
                Lingering::Over => false,
            }
    }

    /// When something is due that has to do with it.
    pub(in crate::cluster) fn lingering_deadline(&self) -> Option<Instant> {
        let limit = match self.lingering {
            Lingering::Until(limit) => Some(limit),
            Lingering::None | Lingering::Over => None,
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
                group.lingering = Lingering::Until(now + LINGER_LIMIT);
                // From here on it may answer for the addresses.
                group.rivals.insert(owner);
                self.outbox.push(Output::Linger(id));
            }
            (Lingering::Until(_) | Lingering::Over, Decision::Linger(_)) => {}
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
                Lingering::Until(_) | Lingering::Over,
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

    /// The shell says that the group must not go on running here beside one that is ready.
    pub(in crate::cluster) fn must_not_linger(&mut self, id: GroupId) {
        if self.is_group(id) && matches!(self.group(id).lingering, Lingering::Until(_)) {
            self.group_mut(id).lingering = Lingering::Over;
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
            if group.runner.run() == Run::Running {
                self.outbox.push(Output::Announce(id));
            }
        }
    }
}
