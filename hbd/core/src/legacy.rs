//! An old Heartbeat without `auto_failback` in its ha.cf, or with `legacy` (Heartbeat specification
//! 7.14). It tells nobody what it holds and neither gives nor takes sets. What prefers it is its own
//! as long as it lives: when it comes up it asks for each of those groups once, and takes the group
//! at the first answer. What prefers another node it takes when that is dead or has left, and gives
//! it to whoever asks.
//!
//! ```text
//! it asks for a group      the group is let go of; answered once nothing of it is active here
//! we ask for one of ours   it lets go of it if it has it, and answers: the group is ours to take
//! ```
//!
//! That an unanswered request leaves a group without an owner is its weakness, not ours: we ask again.

use crate::config::GroupId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// One that is active and has said nothing of its resources for so long is no other kind of old
/// Heartbeat: those answer `starting` at once.
pub(crate) const SILENCE: Duration = Duration::from_secs(1);

/// A request that is not answered is sent again after so long: its scripts may take their time, and
/// what comes before it is up is lost.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// One life of such a peer; nothing of it is known of other old peers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Legacy {
    /// It has asked for a group, which no other kind does.
    asks: bool,
    /// What it has asked for and has not been answered yet.
    demands: BTreeMap<GroupId, Demand>,
    /// Groups of ours that it has let go of.
    freed: BTreeSet<GroupId>,
    /// When it was last asked for which.
    asked: BTreeMap<GroupId, Instant>,
    /// It answered that it had it: it is asked once more at once, and then as ever.
    doubted: BTreeMap<GroupId, Doubt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// It is to be asked once more.
    Open,
    Asked,
}

/// It waits for a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Demand {
    /// What it calls the group: the answer must say the same.
    pub(crate) key: String,
    /// Something of the group may have been active here when it asked.
    pub(crate) held: bool,
}

impl Legacy {
    /// It asks for something, be it a group of ours or not.
    pub(crate) fn asks(&mut self) {
        self.asks = true;
    }

    /// Is it surely of this kind?
    pub(crate) fn has_asked(&self) -> bool {
        self.asks
    }

    pub(crate) fn demand(&mut self, group: GroupId, demand: Demand) {
        self.freed.remove(&group);
        self.demands.insert(group, demand);
    }

    pub(crate) fn demands(&self) -> impl Iterator<Item = (GroupId, &Demand)> {
        self.demands.iter().map(|(group, demand)| (*group, demand))
    }

    pub(crate) fn answered(&mut self, group: GroupId) {
        self.demands.remove(&group);
    }

    /// May it be asked for a group now? Not while it has let go of it already, nor all the time.
    pub(crate) fn may_be_asked(&self, group: GroupId, now: Instant) -> bool {
        let last = self.asked.get(&group);
        let waits = last.is_some_and(|at| now.saturating_duration_since(*at) < ASK_AGAIN);
        let open = self.doubted.get(&group) == Some(&Doubt::Open);
        (open || !waits) && !self.freed.contains(&group)
    }

    pub(crate) fn asked(&mut self, group: GroupId, now: Instant) {
        self.asked.insert(group, now);
        if let Some(doubt) = self.doubted.get_mut(&group) {
            *doubt = Doubt::Asked;
        }
    }

    /// It answered that it had the group when it was asked.
    pub(crate) fn doubt(&mut self, group: GroupId) {
        if self.asked.contains_key(&group) {
            self.doubted.entry(group).or_insert(Doubt::Open);
        }
    }

    /// It answered that it has nothing of the group. An answer to nothing is none.
    pub(crate) fn free(&mut self, group: GroupId) {
        if self.asked.contains_key(&group) {
            self.doubted.remove(&group);
            self.freed.insert(group);
        }
    }

    pub(crate) fn freed(&self) -> &BTreeSet<GroupId> {
        &self.freed
    }
}

#[cfg(test)]
mod tests;
