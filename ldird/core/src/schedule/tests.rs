//! Checks start at once, then spread; they never overlap and never slip.

use super::{Finish, LANE_MAX, Schedule};
use crate::config::ProbeId;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
fn start() -> Instant {
    Instant::now()
}

fn probes(count: u32) -> Vec<(ProbeId, Duration)> {
    (0..count).map(|number| (ProbeId(number), SECOND)).collect()
}

fn finish(schedule: &mut Schedule, number: u32, now: Instant) -> Finish {
    schedule.finish(ProbeId(number), Duration::ZERO, now)
}

fn run_due(schedule: &mut Schedule, now: Instant) -> Vec<ProbeId> {
    let due = std::iter::from_fn(|| schedule.start_due(now));
    due.map(|(probe, _)| probe).collect()
}

#[test]
fn the_first_round_is_immediate_and_the_second_is_spread() {
    let now = start();
    let mut schedule = Schedule::new(7);
    schedule.set(&probes(100), now);
    assert_eq!(run_due(&mut schedule, now).len(), 100);
    for number in 0..100 {
        assert_eq!(finish(&mut schedule, number, now), Finish::Trusted);
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
    finish(&mut schedule, 0, now);
    let second = schedule.deadline().unwrap_or(now);
    run_due(&mut schedule, second);
    // The check takes 300 ms; the next one still starts a second after this one did.
    finish(&mut schedule, 0, second + 3 * SECOND / 10);
    assert_eq!(schedule.deadline(), Some(second + SECOND));
}

#[test]
fn a_check_that_takes_longer_than_its_interval_is_not_late_with_the_next() {
    let now = start();
    let mut schedule = Schedule::new(0);
    schedule.set(&probes(1), now);
    assert_eq!(schedule.start_due(now), Some((ProbeId(0), now)));
    let answered = now + 3 * SECOND;
    schedule.finish(ProbeId(0), 3 * SECOND, answered);
    assert_eq!(schedule.deadline(), Some(answered));
    // We are late by ten milliseconds, and that is what is told.
    let begun = answered + SECOND / 100;
    assert_eq!(schedule.start_due(begun), Some((ProbeId(0), answered)));
}

/// One late moment starts together what was due at different times; they part again, or all checks
/// would come in fewer and larger waves as time goes by.
#[test]
fn a_late_start_does_not_move_the_next_one_and_waves_part_again() {
    let now = start();
    let mut schedule = Schedule::new(7);
    schedule.set(&probes(100), now);
    run_due(&mut schedule, now);
    for number in 0..100 {
        finish(&mut schedule, number, now);
    }
    let late = now + SECOND / 4;
    let due: Vec<(ProbeId, Instant)> = std::iter::from_fn(|| schedule.start_due(late)).collect();
    assert!(due.len() > 10, "only {}", due.len());
    for (probe, at) in due {
        assert!(at <= late);
        schedule.finish(probe, Duration::ZERO, late);
        let next = schedule.probes.get(&probe).map(|entry| entry.next);
        assert_eq!(next, Some(at + SECOND));
    }
    // Two checks of one server never come close, however late the first one was.
    let late = now + 10 * SECOND;
    while let Some((probe, _)) = schedule.start_due(late) {
        let next = schedule.probes.get(&probe).map(|entry| entry.next);
        assert_eq!(next, Some(late + SECOND));
    }
}

/// In the first round everybody is in the prompt lane, those that hang as well.
#[test]
fn the_first_round_reaches_everybody_while_thousands_hang() {
    let now = start();
    let mut schedule = Schedule::new(0);
    let wanted = probes(10_000);
    schedule.set(&wanted, now);
    let mut asked = 0;
    // Every second one hangs: it stays where it is.
    for _ in 0..wanted.len() {
        let started = run_due(&mut schedule, now);
        if started.is_empty() {
            break;
        }
        asked += started.len();
        for probe in started.into_iter().filter(|probe| probe.0 % 2 == 0) {
            schedule.finish(probe, Duration::ZERO, now);
        }
    }
    assert_eq!(asked, 10_000);
}

#[test]
fn a_running_check_is_not_started_again() {
    let now = start();
    let mut schedule = Schedule::new(0);
    schedule.set(&probes(1), now);
    assert_eq!(run_due(&mut schedule, now), [ProbeId(0)]);
    assert_eq!(run_due(&mut schedule, now + 10 * SECOND), []);
    assert_eq!(schedule.deadline(), None);
    assert_eq!(finish(&mut schedule, 0, now), Finish::Trusted);
    let again = finish(&mut schedule, 0, now);
    assert_eq!(again, Finish::Forgotten, "an answer counts once");
    assert_eq!(run_due(&mut schedule, now + 10 * SECOND), [ProbeId(0)]);
}

#[test]
fn a_probe_that_left_is_forgotten() {
    let now = start();
    let mut schedule = Schedule::new(0);
    schedule.set(&probes(2), now);
    run_due(&mut schedule, now);
    schedule.set(&probes(1), now);
    assert_eq!(finish(&mut schedule, 1, now), Finish::Forgotten);
    assert_eq!(finish(&mut schedule, 0, now), Finish::Trusted);
}

#[test]
fn hanging_servers_do_not_keep_the_others_waiting() {
    const HANGING: u32 = 5 * LANE_MAX as u32;
    let mut now = start();
    let mut schedule = Schedule::new(0);
    schedule.set(&probes(HANGING + 1), now);
    let healthy = ProbeId(HANGING);
    let mut healthy_at = Vec::new();
    let (settled, end) = (now + 30 * SECOND, now + 60 * SECOND);
    let mut running: Vec<(Instant, ProbeId)> = Vec::new();
    while now < end {
        for probe in run_due(&mut schedule, now) {
            if probe == healthy {
                healthy_at.push(now);
                schedule.finish(probe, Duration::ZERO, now);
            } else {
                running.push((now + 5 * SECOND, probe));
            }
        }
        assert!(running.len() <= 2 * LANE_MAX);
        now += SECOND / 10;
        for (_, probe) in running.extract_if(.., |(ends, _)| *ends <= now) {
            schedule.finish(probe, 5 * SECOND, now);
        }
    }
    // The first round finds out who hangs; from then on the healthy one is asked on time.
    let settled = healthy_at.into_iter().filter(|at| *at > settled);
    let settled: Vec<Instant> = settled.collect();
    assert!(settled.len() >= 29, "{}", settled.len());
    for pair in settled.windows(2) {
        assert!(pair[1] - pair[0] <= SECOND + SECOND / 10);
    }
}

#[test]
fn what_ran_while_this_process_stood_still_is_doubtful_once() {
    let now = start();
    let mut schedule = Schedule::new(0);
    schedule.set(&probes(2), now);
    assert_eq!(schedule.start_due(now), Some((ProbeId(0), now)));
    schedule.doubt();
    assert_eq!(schedule.start_due(now), Some((ProbeId(1), now)));
    assert_eq!(finish(&mut schedule, 0, now), Finish::Doubtful);
    assert_eq!(
        finish(&mut schedule, 1, now),
        Finish::Trusted,
        "started afterwards"
    );
    schedule.hurry(ProbeId(0), now);
    assert_eq!(schedule.start_due(now), Some((ProbeId(0), now)));
    assert_eq!(finish(&mut schedule, 0, now), Finish::Trusted);
}
