//! Slow start: a real server that comes back gets its weight in steps, so that an empty cache or a
//! cold process is not asked for its full share at once. The number of steps is fixed, and with it
//! the number of edits.

use std::time::{Duration, Instant};

/// The steps before the full weight: a tenth, two tenths, … nine tenths.
pub(crate) const STEPS: u32 = 9;

/// A real server on its way to its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ramp {
    since: Instant,
    /// How many steps are done, below [`STEPS`].
    done: u32,
}

impl Ramp {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            since: now,
            done: 0,
        }
    }

    /// What it gets now of a full weight: never nothing of something.
    pub(crate) fn of(self, full: u32) -> u32 {
        let share = u64::from(full) * u64::from(self.done + 1);
        let weight = share.div_ceil(u64::from(STEPS + 1));
        u32::try_from(weight).unwrap_or(full)
    }

    /// When it gets all of it.
    pub(crate) fn full_at(self, length: Duration) -> Instant {
        self.since + length
    }

    /// When it gets more.
    pub(crate) fn due(self, length: Duration) -> Instant {
        self.since + length.mul_f64(f64::from(self.done + 1) / f64::from(STEPS))
    }

    /// The ramp as it is now; `None` at its end.
    pub(crate) fn at(self, length: Duration, now: Instant) -> Option<Self> {
        let mut ramp = self;
        while ramp.done < STEPS && ramp.due(length) <= now {
            ramp.done += 1;
        }
        (ramp.done < STEPS).then_some(ramp)
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
mod tests {
    use super::{Ramp, STEPS};
    use std::time::{Duration, Instant};

    const LENGTH: Duration = Duration::from_secs(90);

    fn weights(full: u32) -> Vec<u32> {
        let now = Instant::now();
        let ramp = Ramp::new(now);
        let at = |seconds| ramp.at(LENGTH, now + Duration::from_secs(seconds));
        let steps = (0..=100).step_by(5).map(at);
        let mut weights: Vec<u32> = steps
            .map(|ramp| ramp.map_or(full, |ramp| ramp.of(full)))
            .collect();
        weights.dedup();
        weights
    }

    #[test]
    fn the_weight_rises_in_tenths_and_ends_at_the_full_one() {
        assert_eq!(
            weights(100),
            [10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
            "one edit each"
        );
        assert_eq!(weights(5), [1, 2, 3, 4, 5]);
        assert_eq!(weights(1), [1], "no smaller weight is there");
        assert_eq!(weights(0), [0]);
        assert_eq!(weights(u32::MAX).last(), Some(&u32::MAX));
    }

    #[test]
    fn each_step_is_due_later_than_the_one_before() {
        let now = Instant::now();
        let mut ramp = Ramp::new(now);
        let mut dues = vec![now];
        for _ in 1..STEPS {
            let due = ramp.due(LENGTH);
            assert!(dues.iter().all(|before| *before < due));
            dues.push(due);
            ramp = ramp.at(LENGTH, due).expect("not yet the end");
        }
        assert_eq!(ramp.at(LENGTH, ramp.full_at(LENGTH)), None);
    }
}
