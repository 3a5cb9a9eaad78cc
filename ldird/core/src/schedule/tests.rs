//! Checks start at once, then spread; they never overlap and never slip.

use super::Schedule;
use crate::config::ProbeId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
fn start() -> Instant {
    Instant::now()
}

fn probes(count: u32) -> BTreeMap<ProbeId, Duration> {
    (0..count).map(|number| (ProbeId(number), SECOND)).collect()
}

fn run_due(schedule: &mut Schedule, now: Instant) -> Vec<ProbeId> {
    std::iter::from_fn(|| schedule.start_due(now)).collect()
}

#[test]
fn the_first_round_is_immediate_and_the_second_is_spread() {
    let now = start();
    let mut schedule = Schedule::new(7);
    schedule.set(&probes(100), now);
    assert_eq!(run_due(&mut schedule, now).len(), 100);
    for number in 0..100 {
        assert!(schedule.finish(ProbeId(number)));
    }
    let mut moments = BTreeSet::new();
    let mut started = 0;
    while started < 100 {
        let next = schedule.deadline().unwrap_or(now);
        assert!(next > now && next <= now + SECOND);
        started += run_due(&mut schedule, next).len();
        moments.insert(next);
    }
    assert!(
        moments.len() > 90,
        "only {} different moments",
        moments.len()
    );
}

#[test]
fn intervals_run_from_start_to_start() {
    let now = start();
    let mut schedule = Schedule::new(0);
    schedule.set(&probes(1), now);
    run_due(&mut schedule, now);
    schedule.finish(ProbeId(0));
    let second = schedule.deadline().unwrap_or(now);
    run_due(&mut schedule, second);
    // The check takes 300 ms; the next one still starts a second after this one did.
    schedule.finish(ProbeId(0));
    assert_eq!(schedule.deadline(), Some(second + SECOND));
}

#[test]
fn a_running_check_is_not_started_again() {
    let now = start();
    let mut schedule = Schedule::new(0);
    schedule.set(&probes(1), now);
    assert_eq!(run_due(&mut schedule, now), [ProbeId(0)]);
    assert_eq!(run_due(&mut schedule, now + 10 * SECOND), []);
    assert_eq!(schedule.deadline(), None);
    assert!(schedule.finish(ProbeId(0)));
    assert!(!schedule.finish(ProbeId(0)), "an answer counts once");
    assert_eq!(run_due(&mut schedule, now + 10 * SECOND), [ProbeId(0)]);
}

#[test]
fn a_probe_that_left_is_forgotten() {
    let now = start();
    let mut schedule = Schedule::new(0);
    schedule.set(&probes(2), now);
    run_due(&mut schedule, now);
    schedule.set(&probes(1), now);
    assert!(!schedule.finish(ProbeId(1)));
    assert!(schedule.finish(ProbeId(0)));
}
