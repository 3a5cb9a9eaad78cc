//! When each probe runs next. Intervals are counted from start to start, so that the death of a
//! server is noticed within interval + timeout however many others hang; after the first round,
//! which starts at once, probes spread over their interval and never run in step.

use crate::config::ProbeId;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Default)]
pub struct Schedule {
    probes: BTreeMap<ProbeId, Entry>,
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
    }

    /// The next probe that is due, marked as running. Call until `None`.
    pub fn start_due(&mut self, now: Instant) -> Option<ProbeId> {
        let seed = self.seed;
        let due = |entry: &Entry| !entry.running && entry.next <= now;
        let (probe, entry) = self.probes.iter_mut().find(|(_, entry)| due(entry))?;
        entry.running = true;
        let step = if entry.first {
            spread(entry.interval, seed, *probe)
        } else {
            entry.interval
        };
        entry.first = false;
        entry.next = now + step;
        Some(*probe)
    }

    /// The answer came. Returns false if nobody is waiting for it any more.
    pub fn finish(&mut self, probe: ProbeId) -> bool {
        self.probes
            .get_mut(&probe)
            .is_some_and(|entry| std::mem::replace(&mut entry.running, false))
    }

    /// Ask as soon as possible.
    pub fn hurry(&mut self, probe: ProbeId, now: Instant) {
        if let Some(entry) = self.probes.get_mut(&probe) {
            entry.next = entry.next.min(now);
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.probes
            .values()
            .filter(|entry| !entry.running)
            .map(|entry| entry.next)
            .min()
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
