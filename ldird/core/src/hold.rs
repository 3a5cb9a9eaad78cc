//! Panic: many real servers of a pool fail within one interval. That is more often the director's own
//! cable, switch or name server than all of them at once, so their weights are held as they were
//! until the verdicts are as usual again, or for as long as the file allows.
//!
//! ```text
//!   None ──more than PERCENT, and two at least──► Hold ──none of the held fails──────► None
//!                                                  │ ▲
//!                             PERCENT or fewer ──► │ │ ◄── more again
//!                                                Easing ──one interval later────────► None
//!                                                  └─────────the longest time───────► None
//! ```
//!
//! What still fails at the end counts from then on, so a fallback comes late, but it comes.

use crate::options::Panic;
use std::time::{Duration, Instant};

/// One that fails alone is never panic, also where it is the whole pool.
const FEWEST: usize = 2;

/// How a pool fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pool {
    /// Real servers that are checked and not in maintenance.
    pub(crate) size: usize,
    /// Of these, those that fail: within one interval, or while weights are held.
    pub(crate) failing: usize,
}

impl Pool {
    fn is_above(self, percent: u32) -> bool {
        let (failing, size) = (self.failing as u64, self.size as u64);
        failing * 100 > size * u64::from(percent)
    }

    /// Do so many fail that it is panic?
    pub(crate) fn panics(self, panic: Panic) -> bool {
        self.failing >= FEWEST && self.is_above(panic.percent)
    }
}

/// Weights are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) since: Instant,
    pub(crate) until: Instant,
    /// Few enough fail; those that do have an interval left to be asked again.
    eased: Option<Instant>,
}

/// Why weights are held no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanicEnd {
    /// So few fail that it is no panic.
    Recovered,
    /// It has lasted as long as it may.
    Lasted,
    /// A reload has taken the threshold out.
    Withdrawn,
}

impl Hold {
    pub(crate) fn new(panic: Panic, now: Instant) -> Self {
        Self {
            since: now,
            until: now + panic.longest,
            eased: None,
        }
    }

    /// As it is now; why it ends, if it does.
    pub(crate) fn review(
        &mut self,
        pool: Pool,
        panic: Panic,
        interval: Duration,
        now: Instant,
    ) -> Option<PanicEnd> {
        self.until = self.since + panic.longest;
        if pool.failing == 0 {
            return Some(PanicEnd::Recovered);
        }
        if self.until <= now {
            return Some(PanicEnd::Lasted);
        }
        if pool.is_above(panic.percent) {
            self.eased = None;
            return None;
        }
        let ends = *self.eased.get_or_insert(now + within(interval));
        (ends <= now).then_some(PanicEnd::Recovered)
    }

    /// When it ends at the latest, as things stand.
    pub(crate) fn due(&self) -> Instant {
        self.eased.map_or(self.until, |eased| eased.min(self.until))
    }
}

/// What counts as one interval: checks are a little late, and one that was under way when the cable
/// was cut began before.
pub(crate) fn within(interval: Duration) -> Duration {
    interval + interval / 4
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
mod tests {
    use super::{Hold, PanicEnd, Pool};
    use crate::options::Panic;
    use std::time::{Duration, Instant};

    const SECOND: Duration = Duration::from_secs(1);
    const PANIC: Panic = Panic {
        percent: 50,
        longest: Duration::from_secs(60),
    };

    fn pool(failing: usize, size: usize) -> Pool {
        Pool { size, failing }
    }

    #[test]
    fn more_than_the_threshold_and_never_one_alone() {
        assert!(pool(3, 5).panics(PANIC));
        assert!(!pool(2, 4).panics(PANIC), "half is not more than half");
        assert!(pool(2, 2).panics(PANIC));
        assert!(!pool(1, 1).panics(PANIC), "one server may simply have died");
        let any = Panic {
            percent: 1,
            ..PANIC
        };
        assert!(!pool(1, 10).panics(any));
    }

    #[test]
    fn a_hold_ends_with_the_failures_an_interval_after_most_or_when_it_has_lasted() {
        let now = Instant::now();
        let mut hold = Hold::new(PANIC, now);
        let mut at = |failing, seconds: u64| {
            let now = now + Duration::from_secs(seconds);
            hold.review(pool(failing, 6), PANIC, SECOND, now)
        };
        assert_eq!(at(6, 1), None);
        assert_eq!(at(3, 2), None, "those three may be about to pass");
        assert_eq!(at(4, 3), None, "and here they fail after all");
        assert_eq!(at(3, 20), None);
        assert_eq!(at(2, 21), None);
        assert_eq!(at(2, 22), Some(PanicEnd::Recovered));
        assert_eq!(at(0, 22), Some(PanicEnd::Recovered));
        assert_eq!(at(6, 59), None);
        assert_eq!(at(6, 60), Some(PanicEnd::Lasted));
    }
}
