//! Wall time in step with the monotonic clock: one moment always has one number, unless somebody
//! sets the clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The clock was set if it is off by so much; less is its own drift.
const SLACK_MS: u64 = 500;

/// At `since` the wall clock showed `ms`, milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Wall {
    pub since: Instant,
    pub ms: u64,
}

impl Wall {
    /// As the system's clock shows it now.
    pub fn now(since: Instant) -> Self {
        let ms = system_ms();
        Self { since, ms }
    }

    /// What it shows at this moment.
    pub fn at(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.since);
        self.ms.saturating_add(milliseconds(passed))
    }

    /// Looks at the system's clock. What it shows, if somebody has set it since the last look.
    pub fn check(&mut self, now: Instant) -> Option<u64> {
        self.compare(now, system_ms())
    }

    fn compare(&mut self, now: Instant, system: u64) -> Option<u64> {
        if self.at(now).abs_diff(system) <= SLACK_MS {
            return None;
        }
        (self.since, self.ms) = (now, system);
        Some(system)
    }
}

fn system_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    milliseconds(now.unwrap_or_default())
}

/// As many as a number holds.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_noticed_once_and_one_that_drifts_is_not() {
        let since = Instant::now();
        let mut wall = Wall { since, ms: 10_000 };
        let later = since + Duration::from_secs(5);
        assert_eq!(wall.at(later), 15_000);
        assert_eq!(wall.compare(later, 15_000 + SLACK_MS), None);
        assert_eq!(wall.at(later), 15_000, "drift moves nothing");
        assert_eq!(wall.compare(later, 3_000), Some(3_000));
        assert_eq!(wall.compare(later, 3_000), None);
        assert_eq!(wall.at(later + Duration::from_secs(1)), 4_000);
    }
}
