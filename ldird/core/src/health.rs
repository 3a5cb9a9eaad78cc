//! From verdicts to up and down: one small machine per real server and virtual service, with
//! failures counted here and nowhere else (the original shared one counter between services).
//!
//! ```text
//!            pass                    fail, count < failurecount
//! Unknown ─────────► Up ◄────────┐  ┌──────┐
//!    │               │  ▲        └──┴─ Up ─┘  (soft failure)
//!    │ fail          │  │ pass, count ≥ risecount
//!    └───────► Down ◄┘  │
//!                └──────┘
//! ```
//!
//! `risecount` counts for a real server that was found down. The first pass of one that nothing is
//! known of decides at once, so that neither a start nor the end of maintenance is delayed.
//!
//! A check that could not be asked is no verdict: it changes neither state nor count.

use crate::input::{Finding, Verdict};
use crate::options::Limits;
use std::time::{Duration, Instant};

/// Longest message that is kept of a verdict, in characters.
pub const MESSAGE_MAX: usize = 200;

/// What is believed of a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No verdict yet: it gets no traffic. The first verdict decides, whatever `failurecount` says.
    Unknown,
    /// Serving. A real server found in the table with weight at start counts as up unchecked, so
    /// that a restart of the daemon never interrupts traffic.
    Up,
    Down,
}

/// A real server's health in one virtual service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub state: State,
    /// Taken out by a maintenance file, whatever the checks say.
    pub maintenance: bool,
    /// When what a dashboard shows (state or maintenance) last changed.
    pub since: Instant,
    /// Failed checks in a row, 0 after a success.
    pub failures: u32,
    /// Passed checks in a row while it is down, 0 otherwise.
    pub passes: u32,
    /// What the last verdict said.
    pub message: String,
    /// Why the last check could not be asked; `None` after a verdict.
    pub could_not_ask: Option<String>,
    pub checked: Option<Instant>,
    pub took: Option<Duration>,
}

/// What a verdict changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    None,
    WentUp,
    WentDown,
    /// Failed, but not often enough in a row.
    SoftFailure,
    /// Passed again after soft failures.
    Recovered,
    /// Passed, but not often enough in a row to come back.
    Rising,
}

impl Health {
    pub fn new(now: Instant) -> Self {
        Self {
            state: State::Unknown,
            maintenance: false,
            since: now,
            failures: 0,
            passes: 0,
            message: String::new(),
            could_not_ask: None,
            checked: None,
            took: None,
        }
    }

    /// Does it get traffic?
    pub fn serves(&self) -> bool {
        self.state == State::Up && !self.maintenance
    }

    /// Found in service at start: keep it there until a check says otherwise.
    pub fn adopt(&mut self) {
        if self.state == State::Unknown {
            self.state = State::Up;
        }
    }

    /// No verdict yet, and one is to be expected to matter.
    pub fn is_awaited(&self) -> bool {
        self.state == State::Unknown && !self.maintenance
    }

    /// What is to be shown as the reason of its state.
    pub fn said(&self) -> &str {
        if self.maintenance {
            "Server in maintenance"
        } else {
            &self.message
        }
    }

    /// A check came back. In maintenance nothing is believed: when it ends, a check must pass anyway.
    pub fn judge(&mut self, verdict: &Verdict, limits: Limits, now: Instant) -> Transition {
        let up = match verdict.finding {
            Finding::Up => true,
            Finding::Down => false,
            Finding::CouldNotAsk => {
                self.could_not_ask = Some(short(&verdict.message));
                return Transition::None;
            }
        };
        self.could_not_ask = None;
        self.checked = Some(now);
        self.took = Some(verdict.took);
        if self.maintenance {
            return Transition::None;
        }
        if self.message != verdict.message {
            self.message = short(&verdict.message);
        }
        let failures = if up {
            0
        } else {
            self.failures.saturating_add(1)
        };
        let passes = match (self.state, up) {
            (State::Down, true) => self.passes.saturating_add(1),
            (State::Unknown | State::Up, true) | (_, false) => 0,
        };
        let (state, transition) = match (self.state, up) {
            (State::Down, true) if passes < limits.passes => (State::Down, Transition::Rising),
            (State::Unknown | State::Down, true) => (State::Up, Transition::WentUp),
            (State::Unknown, false) => (State::Down, Transition::WentDown),
            (State::Up, true) if self.failures > 0 => (State::Up, Transition::Recovered),
            (State::Up, true) => (State::Up, Transition::None),
            (State::Up, false) if failures >= limits.failures => {
                (State::Down, Transition::WentDown)
            }
            (State::Up, false) => (State::Up, Transition::SoftFailure),
            (State::Down, false) => (State::Down, Transition::None),
        };
        if state != self.state {
            self.since = now;
        }
        self.state = state;
        self.failures = failures;
        self.passes = if state == State::Down { passes } else { 0 };
        transition
    }

    /// A maintenance file came or went. When it goes, a passing check must speak first.
    pub fn set_maintenance(&mut self, active: bool, now: Instant) -> bool {
        if self.maintenance == active {
            return false;
        }
        self.maintenance = active;
        self.since = now;
        self.could_not_ask = None;
        self.passes = 0;
        if !active {
            self.state = State::Unknown;
            self.failures = 0;
            self.message.clear();
        }
        true
    }
}

/// As much of a message as is kept: every row of a table has one.
pub(crate) fn short(message: &str) -> String {
    message.chars().take(MESSAGE_MAX).collect()
}

#[cfg(test)]
mod tests;
