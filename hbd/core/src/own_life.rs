//! This node's own life: since when it runs, when it joined, and the stalls that it survived.

use crate::config::Config;
use crate::extension::Life;
use std::time::{Duration, Instant};

/// A call that comes later than announced by this part of deadtime is a stall, ...
const TOLERATED_PART: u32 = 8;

#[derive(Debug, Clone)]
pub(crate) struct OwnLife {
    generation: u64,
    started: Instant,
    /// Up to now this node was `up`; since then it is `active`.
    active: bool,
    /// When that last changed.
    since: Instant,
    /// Stalls survived: with the generation it names this life.
    wakes: u64,
    /// ... if that is longer than this, a keepalive.
    keepalive: Duration,
    deadtime: Duration,
}

impl OwnLife {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        Self {
            generation: config.generation,
            started: now,
            active: false,
            since: now,
            wakes: 0,
            keepalive: config.keepalive,
            deadtime: config.deadtime,
        }
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active
    }

    /// The status word.
    pub(crate) fn word(&self) -> &'static str {
        if self.active { "active" } else { "up" }
    }

    pub(crate) fn life(&self) -> Life {
        Life {
            generation: self.generation,
            wakes: self.wakes,
        }
    }

    pub(crate) fn become_active(&mut self, now: Instant) {
        self.active = true;
        self.since = now;
    }

    /// If this call comes much later than announced, this node (or its machine) stood still: for
    /// so long, and a new life begins, which nothing binds that the one before has promised.
    pub(crate) fn wake(&mut self, announced: Option<Instant>, now: Instant) -> Option<Duration> {
        let late = now.saturating_duration_since(announced?);
        if late <= self.keepalive.max(self.deadtime / TOLERATED_PART) {
            return None;
        }
        self.wakes = self.wakes.saturating_add(1);
        Some(late)
    }
}

#[cfg(test)]
mod tests;
