//! When to decide about a group: when the circumstances of all, or what its own decision was based
//! on, are others than the last time.

use super::{Basis, Group, Moment};
use crate::cluster::Cluster;
use crate::config::GroupId;
use crate::ownership::decide;
use std::time::Instant;

/// A decision leads to the next one at most so often in one go: claim, forgive, start or stop.
const MAX_ROUNDS: usize = 6;

impl Cluster {
    /// Decides about every group that may be affected by what happened, until nothing changes.
    pub(in crate::cluster) fn evaluate(&mut self, now: Instant) {
        let circumstances = Some(self.circumstances(now));
        if self.circumstances != circumstances {
            self.circumstances = circumstances;
            self.outbox.changed();
            for group in self.groups.values_mut() {
                group.decided = None;
            }
        }
        for _ in 0..MAX_ROUNDS {
            let groups = self.groups.iter();
            let open = groups.filter(|(_, group)| !self.is_decided(group, now));
            let open: Vec<GroupId> = open.map(|(id, _)| id).collect();
            if open.is_empty() {
                return;
            }
            for id in open {
                let basis = self.basis(self.group(id), now);
                self.group_mut(id).decided = Some(basis);
                let decision = self.with_situation(id, now, decide);
                self.carry_out(id, decision, now);
            }
            self.outbox.changed();
        }
    }

    /// Is the decision about the group still based on what is?
    fn is_decided(&self, group: &Group, now: Instant) -> bool {
        let basis = group.decided.as_ref();
        basis
            .is_some_and(|basis| basis.stake == group.stake && basis.now == self.moment(group, now))
    }

    fn basis(&self, group: &Group, now: Instant) -> Basis {
        Basis {
            stake: group.stake.clone(),
            now: self.moment(group, now),
        }
    }

    fn moment(&self, group: &Group, now: Instant) -> Moment {
        Moment {
            run: group.runner.run(),
            forgiven: group.runner.forgiven(group.stake.claim.epoch),
            rested: self.rested(group, now),
            overdue: self.overdue(group, now),
            lingers: group.lingers(now),
            shared: group.is_shared(),
        }
    }
}
