//! The last minute, hour and day: for each a ring of slots, of which the oldest is used anew. What
//! is told of a day is the present hour, as far as it has come, and the 23 before it.

use super::histogram::Histogram;
use ha_status::quality::{Silences, Span};
use std::time::{Duration, Instant};

const MINUTE_SLOT: Duration = Duration::from_secs(10);
const HOUR_SLOT: Duration = Duration::from_secs(600);
const DAY_SLOT: Duration = Duration::from_secs(3600);

/// What happened in some time.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) heard: u64,
    pub(super) again: u64,
    pub(super) lost: u64,
    /// All silences together: the time that was watched.
    watched: Duration,
    longest: Duration,
    outages: u64,
    longest_outage: Duration,
    silences: Histogram,
}

#[derive(Debug, Clone)]
pub(super) struct Rings {
    began: Instant,
    minute: Ring<6>,
    hour: Ring<6>,
    day: Ring<24>,
}

/// Slots of equal length, counted from the moment the first packet came.
#[derive(Debug, Clone)]
struct Ring<const SLOTS: usize> {
    length: Duration,
    slots: [Slot; SLOTS],
}

#[derive(Debug, Clone, Default)]
struct Slot {
    /// Which one it is, counted from the first.
    number: u128,
    tally: Tally,
}

impl Rings {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            minute: Ring::new(MINUTE_SLOT),
            hour: Ring::new(HOUR_SLOT),
            day: Ring::new(DAY_SLOT),
        }
    }

    /// Adds something to the present slot of every ring.
    pub(super) fn each(&mut self, now: Instant, add: impl Fn(&mut Tally)) {
        let age = now.saturating_duration_since(self.began);
        add(self.minute.present(age));
        add(self.hour.present(age));
        add(self.day.present(age));
    }

    pub(super) fn minute(&self, now: Instant) -> Tally {
        self.minute.sum(now.saturating_duration_since(self.began))
    }

    pub(super) fn hour(&self, now: Instant) -> Tally {
        self.hour.sum(now.saturating_duration_since(self.began))
    }

    pub(super) fn day(&self, now: Instant) -> Tally {
        self.day.sum(now.saturating_duration_since(self.began))
    }
}

impl<const SLOTS: usize> Ring<SLOTS> {
    fn new(length: Duration) -> Self {
        Self {
            length,
            slots: std::array::from_fn(|_| Slot::default()),
        }
    }

    fn number(&self, age: Duration) -> u128 {
        age.as_nanos() / self.length.as_nanos().max(1)
    }

    /// The slot of this moment, empty if it was another's.
    fn present(&mut self, age: Duration) -> &mut Tally {
        let number = self.number(age);
        let place = usize::try_from(number % SLOTS as u128).unwrap_or(0);
        let slot = self.slots.get_mut(place).expect("the place is a remainder");
        if slot.number != number {
            let tally = Tally::default();
            *slot = Slot { number, tally };
        }
        &mut slot.tally
    }

    /// Of all slots that are not too old.
    fn sum(&self, age: Duration) -> Tally {
        let present = self.number(age);
        let fresh = |slot: &&Slot| present < slot.number + SLOTS as u128;
        let mut sum = Tally::default();
        for slot in self.slots.iter().filter(fresh) {
            sum.merge(&slot.tally);
        }
        sum
    }
}

impl Tally {
    pub(super) fn silence(&mut self, length: Duration) {
        self.watched = self.watched.saturating_add(length);
        self.longest = self.longest.max(length);
        self.silences.add(milliseconds(length));
    }

    pub(super) fn outage(&mut self, length: Duration) {
        self.outages = self.outages.saturating_add(1);
        self.longest_outage = self.longest_outage.max(length);
    }

    fn merge(&mut self, other: &Self) {
        self.heard = self.heard.saturating_add(other.heard);
        self.again = self.again.saturating_add(other.again);
        self.lost = self.lost.saturating_add(other.lost);
        self.watched = self.watched.saturating_add(other.watched);
        self.longest = self.longest.max(other.longest);
        self.outages = self.outages.saturating_add(other.outages);
        self.longest_outage = self.longest_outage.max(other.longest_outage);
        self.silences.merge(&other.silences);
    }

    pub(super) fn shown(&self) -> Span {
        let longest_ms = milliseconds(self.longest);
        Span {
            watched_ms: milliseconds(self.watched),
            heard: self.heard,
            lost: self.lost,
            duplicates: self.again,
            median_ms: self.silences.within(500).min(longest_ms),
            p99_ms: self.silences.within(990).min(longest_ms),
            longest_ms,
            outages: self.outages,
            longest_outage_ms: milliseconds(self.longest_outage),
        }
    }

    pub(super) fn buckets(&self) -> Vec<Silences> {
        let filled = self.silences.filled();
        filled
            .map(|(below_ms, count)| Silences { below_ms, count })
            .collect()
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
