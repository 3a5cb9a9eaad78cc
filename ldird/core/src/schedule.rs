//! When each probe runs next. Intervals are counted from start to start, so that the death of a
//! server is noticed within interval + timeout however many others hang; after the first round,
//! which starts at once, probes spread over their interval and never run in step.

use crate::config::ProbeId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Default)]
pub struct Schedule {
    probes: BTreeMap<ProbeId, Entry>,
    /// Those that are not running, by when they are due.
    waiting: BTreeSet<(Instant, ProbeId)>,
    seed: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    interval: Duration,
    next: Instant,
    running: bool,
    /// The first round is immediate; the second is where the spread begins.
    first: bool,
}

impl Schedule {
    pub fn new(seed: u64) -> Self {
        Self {
            probes: BTreeMap::new(),
            waiting: BTreeSet::new(),
            seed,
        }
    }

    /// Makes `wanted` the set of probes. New ones are due now; kept ones keep their place, but are
    /// never further away than their new interval.
    pub fn set(&mut self, wanted: &BTreeMap<ProbeId, Duration>, now: Instant) {
        self.probes.retain(|probe, _| wanted.contains_key(probe));
        for (probe, interval) in wanted {
            let fresh = Entry {
                interval: *interval,
                next: now,
                running: false,
                first: true,
            };
            let entry = self.probes.entry(*probe).or_insert(fresh);
            entry.interval = *interval;
            entry.next = entry.next.min(now + *interval);
        }
        let waiting = self.probes.iter().filter(|(_, entry)| !entry.running);
        self.waiting = waiting.map(|(probe, entry)| (entry.next, *probe)).collect();
    }

    /// The next probe that is due, marked as running. Call until `None`.
    pub fn start_due(&mut self, now: Instant) -> Option<ProbeId> {
        let &(due, probe) = self.waiting.first().filter(|(due, _)| *due <= now)?;
        self.waiting.remove(&(due, probe));
        let seed = self.seed;
        let entry = self.probes.get_mut(&probe)?;
        entry.running = true;
        let step = if entry.first {
            spread(entry.interval, seed, probe)
        } else {
            entry.interval
        };
        entry.first = false;
        entry.next = now + step;
        Some(probe)
    }

    /// The answer came. Returns false if nobody is waiting for it any more.
    pub fn finish(&mut self, probe: ProbeId) -> bool {
        let entry = self.probes.get_mut(&probe).filter(|entry| entry.running);
        let Some(entry) = entry else { return false };
        entry.running = false;
        self.waiting.insert((entry.next, probe));
        true
    }

    /// Ask as soon as possible.
    pub fn hurry(&mut self, probe: ProbeId, now: Instant) {
        let Some(entry) = self.probes.get_mut(&probe) else {
            return;
        };
        let before = entry.next;
        entry.next = before.min(now);
        if !entry.running {
            self.waiting.remove(&(before, probe));
            self.waiting.insert((entry.next, probe));
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.waiting.first().map(|(due, _)| *due)
    }
}

/// A share of the interval, in (0, 1], fixed by seed and probe.
fn spread(interval: Duration, seed: u64, probe: ProbeId) -> Duration {
    const PARTS: u32 = 1 << 16;
    let mixed = mix(seed ^ (u64::from(probe.0).wrapping_add(1) << 20));
    let share = u32::try_from(mixed % u64::from(PARTS)).unwrap_or(0) + 1;
    interval.mul_f64(f64::from(share) / f64::from(PARTS))
}

/// The finaliser of SplitMix64: every bit of the input reaches every bit of the output.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests;
