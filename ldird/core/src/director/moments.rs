//! The table in the kernel for a moment on standby: before a turn to active, and after one to standby.

use super::Director;
use crate::conversation::{Event, Goal, Step};
use crate::output::Notice;
use crate::watched::Virtual;
use ha_status::Role;
use std::time::{Duration, Instant};

impl Director {
    /// To standby, with the table left where it is for a moment.
    pub(super) fn give_way(&mut self, table: Duration, now: Instant) {
        let was_active = self.fleet.role == Role::Active;
        let kept = was_active.then_some(now + table);
        self.turn(Role::Standby, kept, now);
    }

    /// The table goes in although this is standby: a turn to active is expected.
    pub(super) fn prepare(&mut self, table: Duration, now: Instant) {
        if self.is_stopping() || self.fleet.role == Role::Active {
            return;
        }
        self.preparing = true;
        if self.fleet.keep(now + table) {
            self.set_anew();
            self.step(Event::Reload, now);
        }
    }

    /// Has the kernel what was to be prepared, with somebody to serve wherever there is anybody? A
    /// director that has only just come up asks its real servers first.
    pub(super) fn answer_preparation(&mut self) {
        let follows = self.state.goal == Goal::Follow && self.state.step == Step::Idle;
        if !self.preparing || !follows || !self.dirty.is_empty() {
            return;
        }
        let empty = |service: &Virtual| service.waits() && !service.is_served();
        let mut keys = self.fleet.keys();
        if keys.any(|key| self.fleet.get(key).is_some_and(empty)) {
            return;
        }
        drop(keys);
        self.preparing = false;
        let whole = self.ledger.refusals.is_empty();
        self.tell([Notice::Prepared { whole }]);
    }
}
