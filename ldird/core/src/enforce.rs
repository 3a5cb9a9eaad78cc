//! How often what others change is put back: at once, and where somebody changes the same row again
//! and again, more and more seldom. Two programs that each want another table cost neither the
//! kernel nor the log more than an edit and a line a minute.

use crate::table::{DestinationKey, ServiceKey};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// One row is told at most so often.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// A row of the table, or a service's own attributes.
type Row = (ServiceKey, Option<DestinationKey>);

#[derive(Debug, Default)]
pub(crate) struct Enforcement {
    rows: BTreeMap<Row, Repair>,
    /// How many rows of each service have been put back.
    made: BTreeMap<ServiceKey, u64>,
}

#[derive(Debug)]
struct Repair {
    told: Instant,
    pause: Duration,
    /// Not to be touched before.
    next: Instant,
}

/// What is done about a row that somebody changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Too early after the last time.
    Later,
    Quietly,
    /// It is put back, and that is to be told.
    Tell,
}

impl Enforcement {
    /// Somebody has changed this row.
    pub(crate) fn found(&mut self, row: Row, now: Instant) -> Answer {
        let Some(known) = self.rows.get_mut(&row) else {
            let first = Repair {
                told: now,
                pause: FIRST_PAUSE,
                next: now + FIRST_PAUSE,
            };
            self.rows.insert(row, first);
            self.count(row.0);
            return Answer::Tell;
        };
        if now < known.next {
            return Answer::Later;
        }
        known.pause = (known.pause * 2).min(LONGEST_PAUSE);
        known.next = now + known.pause;
        let tell = now.saturating_duration_since(known.told) >= TOLD_EVERY;
        if tell {
            known.told = now;
        }
        self.count(row.0);
        if tell { Answer::Tell } else { Answer::Quietly }
    }

    fn count(&mut self, service: ServiceKey) {
        *self.made.entry(service).or_default() += 1;
    }

    /// Rows that have been left in peace for long are as good as new.
    pub(crate) fn forget(&mut self, now: Instant) {
        let recent = |repair: &Repair| now < repair.next + TOLD_EVERY;
        self.rows.retain(|_, repair| recent(repair));
    }

    /// How many rows of this service have been put back so far.
    pub(crate) fn made(&self, service: ServiceKey) -> u64 {
        self.made.get(&service).copied().unwrap_or_default()
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
mod tests {
    use super::{Answer, Enforcement};
    use crate::table::ServiceKey;
    use std::time::{Duration, Instant};

    const SERVICE: ServiceKey = ServiceKey::Fwmark { mark: 1, v6: false };

    #[test]
    fn a_fight_is_told_once_a_minute_and_costs_less_and_less() {
        let start = Instant::now();
        let mut enforcement = Enforcement::default();
        let mut made = Vec::new();
        for second in 0..300u64 {
            let now = start + Duration::from_secs(second);
            enforcement.forget(now);
            match enforcement.found((SERVICE, None), now) {
                Answer::Later => {}
                Answer::Quietly => made.push((second, false)),
                Answer::Tell => made.push((second, true)),
            }
        }
        let expected = [
            (0, true),
            (1, false),
            (3, false),
            (7, false),
            (15, false),
            (31, false),
            (63, true),
            (123, true),
            (183, true),
            (243, true),
        ];
        assert_eq!(made, expected);
        assert_eq!(enforcement.made(SERVICE), 10);
    }

    #[test]
    fn a_row_left_in_peace_is_put_back_at_once_again() {
        let start = Instant::now();
        let mut enforcement = Enforcement::default();
        assert_eq!(enforcement.found((SERVICE, None), start), Answer::Tell);
        let later = start + Duration::from_secs(61);
        enforcement.forget(later);
        assert_eq!(enforcement.found((SERVICE, None), later), Answer::Tell);
        let soon = later + Duration::from_millis(500);
        assert_eq!(enforcement.found((SERVICE, None), soon), Answer::Later);
    }
}
