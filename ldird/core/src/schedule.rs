//! When each probe runs next. Intervals are counted from start to start, so that the death of a
//! server is noticed within interval + timeout however many others hang; after the first round,
//! which starts at once, probes spread over their interval and never run in step.
//!
//! Only so many run at once, in two lanes: those that answered promptly last time do not wait
//! behind those that did not.

use crate::config::ProbeId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Probes of one lane that run at once; each has a socket. Below the descriptors that a service may
/// open. Further ones start when one has answered, those due longest first. So large, because in the
/// first round servers that hang are in the prompt lane: up to so many cost the others nothing.
pub(crate) const LANE_MAX: usize = 8192;
/// An answer within so long keeps a probe in the prompt lane.
pub(crate) const PROMPT: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Default)]
pub(crate) struct Schedule {
    probes: BTreeMap<ProbeId, Entry>,
    prompt: Lane,
    slow: Lane,
    seed: u64,
}

/// Probes that wait and that run.
#[derive(Debug, Clone, Default)]
struct Lane {
    /// Those that are not running, by when they are due.
    waiting: BTreeSet<(Instant, ProbeId)>,
    /// Those that run, also ones that a reload has forgotten.
    running: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    interval: Duration,
    next: Instant,
    run: Run,
    /// Its last answer took long.
    slow: bool,
    /// The first round is immediate; the second is where the spread begins.
    first: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Waiting,
    /// `doubtful`: this process stood still meanwhile.
    Running {
        slow: bool,
        doubtful: bool,
    },
}

/// What an answer is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// Nobody waits for it any more.
    Forgotten,
    Trusted,
    /// This process stood still while the probe ran: that time has passed says nothing.
    Doubtful,
}

impl Schedule {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// Makes `wanted`, ordered by probe, the set of probes. New ones are due now; kept ones keep
    /// their place, but are never further away than their share of a new interval. Those that run and are not
    /// wanted any more give their place in the lane back at once: they end with their time limit.
    pub(crate) fn set(&mut self, wanted: &[(ProbeId, Duration)], now: Instant) {
        let is_wanted = |probe| wanted.binary_search_by_key(&probe, |(id, _)| *id).is_ok();
        let known = self.probes.keys().copied();
        let gone: Vec<ProbeId> = known.filter(|probe| !is_wanted(*probe)).collect();
        for probe in gone {
            self.remove(probe);
        }
        for (probe, interval) in wanted {
            match self.probes.get(probe) {
                Some(entry) if entry.interval == *interval => {}
                Some(entry) => {
                    // Spread, for a whole table may be asked more often from now on.
                    let soon = spread(*interval, self.seed, *probe);
                    let next = entry.next.min(now + soon);
                    self.move_to(*probe, next);
                    if let Some(entry) = self.probes.get_mut(probe) {
                        entry.interval = *interval;
                    }
                }
                None => self.insert(*probe, *interval, now),
            }
        }
    }

    fn insert(&mut self, probe: ProbeId, interval: Duration, now: Instant) {
        let entry = Entry {
            interval,
            next: now,
            run: Run::Waiting,
            slow: false,
            first: true,
        };
        self.prompt.waiting.insert((entry.next, probe));
        self.probes.insert(probe, entry);
    }

    fn remove(&mut self, probe: ProbeId) {
        let Some(entry) = self.probes.remove(&probe) else {
            return;
        };
        match entry.run {
            Run::Running { slow, .. } => self.lane(slow).running -= 1,
            Run::Waiting => {
                self.lane(entry.slow).waiting.remove(&(entry.next, probe));
            }
        }
    }

    fn move_to(&mut self, probe: ProbeId, next: Instant) {
        let Some(entry) = self.probes.get_mut(&probe) else {
            return;
        };
        let before = std::mem::replace(&mut entry.next, next);
        let (slow, waits) = (entry.slow, entry.run == Run::Waiting);
        if waits {
            let lane = self.lane(slow);
            lane.waiting.remove(&(before, probe));
            lane.waiting.insert((next, probe));
        }
    }

    /// The next probe that is due, and since when, marked as running. Call until `None`.
    pub(crate) fn start_due(&mut self, now: Instant) -> Option<(ProbeId, Instant)> {
        let due = |lane: &Lane| lane.due().filter(|(due, _)| *due <= now);
        let (slow, (at, probe)) = match (due(&self.prompt), due(&self.slow)) {
            (Some(place), _) => (false, place),
            (None, Some(place)) => (true, place),
            (None, None) => return None,
        };
        let lane = self.lane(slow);
        lane.waiting.remove(&(at, probe));
        lane.running += 1;
        let seed = self.seed;
        let entry = self.probes.get_mut(&probe)?;
        let doubtful = false;
        entry.run = Run::Running { slow, doubtful };
        let step = if entry.first {
            spread(entry.interval, seed, probe)
        } else {
            entry.interval
        };
        entry.first = false;
        // From when it was due: those that one late moment has started together part again. Only
        // one that is very late begins anew, so that two checks never come close.
        let late = now.saturating_duration_since(at) > entry.interval / 2;
        entry.next = if late { now } else { at } + step;
        Some((probe, at))
    }

    /// The answer came now, after so long. A check that takes longer than its interval is due again when
    /// its answer has come, and not late by what its server took.
    pub(crate) fn finish(&mut self, probe: ProbeId, took: Duration, now: Instant) -> Finish {
        let Some(entry) = self.probes.get_mut(&probe) else {
            return Finish::Forgotten;
        };
        let Run::Running { slow, doubtful } = entry.run else {
            return Finish::Forgotten;
        };
        entry.run = Run::Waiting;
        entry.next = entry.next.max(now);
        entry.slow = took > PROMPT;
        let (place, into) = ((entry.next, probe), entry.slow);
        self.lane(slow).running -= 1;
        self.lane(into).waiting.insert(place);
        if doubtful {
            Finish::Doubtful
        } else {
            Finish::Trusted
        }
    }

    /// Ask as soon as possible.
    pub(crate) fn hurry(&mut self, probe: ProbeId, now: Instant) {
        if let Some(entry) = self.probes.get(&probe) {
            let next = entry.next.min(now);
            self.move_to(probe, next);
        }
    }

    /// This process stood still: what the running probes find in want of time is not to be believed.
    pub(crate) fn doubt(&mut self) {
        for entry in self.probes.values_mut() {
            if let Run::Running { doubtful, .. } = &mut entry.run {
                *doubtful = true;
            }
        }
    }

    pub(crate) fn is_asking(&self) -> bool {
        self.prompt.running + self.slow.running > 0
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let lanes = [&self.prompt, &self.slow];
        lanes.into_iter().filter_map(Lane::due).map(|at| at.0).min()
    }

    fn lane(&mut self, slow: bool) -> &mut Lane {
        if slow {
            &mut self.slow
        } else {
            &mut self.prompt
        }
    }
}

impl Lane {
    /// The first that waits, if there is room for it.
    fn due(&self) -> Option<(Instant, ProbeId)> {
        let first = self.waiting.first().copied();
        first.filter(|_| self.running < LANE_MAX)
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
