//! What happens again and again is told at once, then ever more rarely, with the count of what came
//! in between.

use std::time::{Duration, Instant};

/// How long something that goes on is not told again.
#[derive(Debug, Clone, Copy)]
pub struct Pauses {
    /// After the first time; doubled after each further one …
    pub first: Duration,
    /// … up to this.
    pub last: Duration,
}

impl Pauses {
    /// Always the same.
    pub const fn every(pause: Duration) -> Self {
        Self {
            first: pause,
            last: pause,
        }
    }
}

/// One thing that happens again and again.
#[derive(Debug, Clone, Copy)]
pub struct Repeat {
    pauses: Pauses,
    /// Not before, and the pause that follows.
    next: Option<(Instant, Duration)>,
    /// Since it was told.
    count: u64,
}

impl Repeat {
    pub const fn new(pauses: Pauses) -> Self {
        Self {
            pauses,
            next: None,
            count: 0,
        }
    }

    /// It happened. How often since it was last told, this time included; `None` if that is to be
    /// counted only.
    pub fn again(&mut self, now: Instant) -> Option<u64> {
        self.count = self.count.saturating_add(1);
        let pause = match self.next {
            Some((due, _)) if now < due => return None,
            Some((_, pause)) => pause,
            None => self.pauses.first,
        };
        let following = pause.saturating_mul(2).min(self.pauses.last);
        self.next = Some((now + pause, following));
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_told_ever_more_rarely_and_every_time_is_counted() {
        let second = Duration::from_secs(1);
        let mut repeat = Repeat::new(Pauses {
            first: second,
            last: second * 3,
        });
        let start = Instant::now();
        let told: Vec<(u32, u64)> = (0..100)
            .filter_map(|tenth| Some((tenth, repeat.again(start + second * tenth / 10)?)))
            .collect();
        assert_eq!(told, [(0, 1), (10, 10), (30, 20), (60, 30), (90, 30)]);
    }

    #[test]
    fn a_pause_that_does_not_grow_stays() {
        let second = Duration::from_secs(1);
        let mut repeat = Repeat::new(Pauses::every(second));
        let start = Instant::now();
        let told: Vec<u32> = (0..40)
            .filter(|tenth| repeat.again(start + second * *tenth / 10).is_some())
            .collect();
        assert_eq!(told, [0, 10, 20, 30]);
    }
}
