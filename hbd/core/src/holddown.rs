//! How long a preferred node must have been there before it gets a group back: not at all the first
//! time, then longer each time, so that a flapping cable does not carry a service to and fro.

use std::time::{Duration, Instant};

/// After so many returns the time no longer doubles.
const MAX_DOUBLINGS: u32 = 5;

/// Returns older than so many times the longest wait are forgotten.
const FORGOTTEN_AFTER: u32 = 3;

/// The returns of one group to its preferred node.
#[derive(Debug, Clone, Default)]
pub(crate) struct Returns {
    /// Lately.
    count: u32,
    last: Option<Instant>,
}

impl Returns {
    /// It has just gone back.
    pub(crate) fn count(&mut self, base: Duration, now: Instant) {
        self.count = self.lately(base, now).saturating_add(1);
        self.last = Some(now);
    }

    /// How often it went back lately.
    pub(crate) fn lately(&self, base: Duration, now: Instant) -> u32 {
        let Some(last) = self.last else { return 0 };
        let forgotten = base.saturating_mul((1 << MAX_DOUBLINGS) * FORGOTTEN_AFTER);
        if now.saturating_duration_since(last) >= forgotten {
            0
        } else {
            self.count
        }
    }

    /// How long its preferred node must have been there this time; `base` is that of the second
    /// return.
    pub(crate) fn wait(&self, base: Duration, now: Instant) -> Duration {
        match self.lately(base, now) {
            0 => Duration::ZERO,
            count => base.saturating_mul(1 << (count - 1).min(MAX_DOUBLINGS)),
        }
    }
}
