//! How late checks begin: what an operator looks at before more servers are added to a director, or
//! their interval made shorter.
//!
//! Counted in classes of time, an eighth of a power of two wide, so that a million checks take no
//! more room than one. Two half windows take turns: what is told covers the last minute or so.

use ha_status::Lateness;
use std::time::{Duration, Instant};

/// Each of the two half windows.
const HALF: Duration = Duration::from_secs(30);
/// Classes of one power of two.
const PARTS: usize = 8;
/// Up to 2^32 microseconds, more than an hour.
const CLASSES: usize = 32 * PARTS;

#[derive(Debug)]
pub(crate) struct Late {
    now: Half,
    before: Half,
    begun: Instant,
}

#[derive(Debug, Clone)]
struct Half {
    /// One for each class; apart, because the loop's state is large as it is.
    counts: Box<[u32; CLASSES]>,
    worst: u64,
}

impl Late {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            now: Half::new(),
            before: Half::new(),
            begun: now,
        }
    }

    /// A check began so much later than it was due.
    pub(crate) fn note(&mut self, late: Duration, now: Instant) {
        self.turn(now);
        let late = micros(late);
        if let Some(count) = self.now.counts.get_mut(class(late)) {
            *count = count.saturating_add(1);
        }
        self.now.worst = self.now.worst.max(late);
    }

    pub(crate) fn told(&mut self, now: Instant) -> Lateness {
        self.turn(now);
        let counts = self.now.counts.iter().zip(self.before.counts.iter());
        let counts: Vec<u64> = counts.map(|(a, b)| u64::from(*a) + u64::from(*b)).collect();
        let checks = counts.iter().sum();
        let worst_us = self.now.worst.max(self.before.worst);
        let at = |share: u64| quantile(&counts, checks, share).min(worst_us);
        Lateness {
            checks,
            median_us: at(50),
            p99_us: at(99),
            worst_us,
        }
    }

    fn turn(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.begun);
        if passed < HALF {
            return;
        }
        let half = std::mem::replace(&mut self.now, Half::new());
        self.before = if passed < 2 * HALF { half } else { Half::new() };
        self.begun = now;
    }
}

impl Half {
    fn new() -> Self {
        Self {
            counts: Box::new([0; CLASSES]),
            worst: 0,
        }
    }
}

/// So many hundredths of all are not above this, microseconds; 0 if there are none.
fn quantile(counts: &[u64], all: u64, share: u64) -> u64 {
    let rank = (all * share).div_ceil(100);
    let mut seen = 0;
    for (class, count) in counts.iter().enumerate() {
        seen += count;
        if *count > 0 && seen >= rank {
            return end(class);
        }
    }
    0
}

/// Exact below [`PARTS`], then by the bits behind the first one.
fn class(micros: u64) -> usize {
    let small = usize::try_from(micros).unwrap_or(usize::MAX);
    if small < PARTS {
        return small;
    }
    let power = micros.ilog2();
    let part = (micros >> (power - PARTS.ilog2())) as usize % PARTS;
    let power = (power - PARTS.ilog2()) as usize + 1;
    (power * PARTS + part).min(CLASSES - 1)
}

/// The longest time of a class.
fn end(class: usize) -> u64 {
    let (power, part) = (class / PARTS, (class % PARTS) as u64);
    match power {
        0 => part,
        _ => ((PARTS as u64 + part + 1) << (power - 1)) - 1,
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn every_time_is_in_the_class_that_ends_at_or_after_it() {
        for micros in (0..20_000).chain([1 << 20, (1 << 31) + 7]) {
            let class = class(micros);
            assert!(end(class) >= micros, "{micros}");
            assert!(class == 0 || end(class - 1) < micros, "{micros}");
            // No wider than an eighth.
            assert!(end(class) <= micros + micros / 8, "{micros}");
        }
        assert_eq!(class(u64::MAX), CLASSES - 1);
    }

    #[test]
    fn what_is_told_is_the_last_minute() {
        let start = Instant::now();
        let mut late = Late::new(start);
        assert_eq!(late.told(start), Lateness::default());
        for _ in 0..98 {
            late.note(MS, start);
        }
        late.note(100 * MS, start);
        late.note(7000 * MS, start + HALF);
        let told = late.told(start + HALF);
        assert_eq!((told.checks, told.worst_us), (100, 7_000_000));
        assert!((1000..1125).contains(&told.median_us), "{told:?}");
        assert!((100_000..112_500).contains(&told.p99_us), "{told:?}");
        // The older half is forgotten, then all of it.
        let told = late.told(start + 2 * HALF);
        assert_eq!((told.checks, told.median_us), (1, 7_000_000));
        assert_eq!(late.told(start + 9 * HALF), Lateness::default());
    }
}
