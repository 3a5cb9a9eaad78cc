//! The whole transition table, and what surrounds it.

use super::{Health, Limits, State, Transition};
use crate::input::{Finding, Noted, Verdict};
use std::time::{Duration, Instant};

fn limits(failures: u32, passes: u32) -> Limits {
    Limits { failures, passes }
}

fn verdict(up: bool) -> Verdict {
    Verdict {
        finding: if up { Finding::Up } else { Finding::Down },
        message: "said".to_owned(),
        took: Duration::from_millis(3),
        noted: Noted::default(),
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
fn every_state_and_verdict() {
    let now = Instant::now();
    // state, failures before, limit, verdict -> state, failures, transition
    let table = [
        (State::Unknown, 0, 3, true, State::Up, 0, Transition::WentUp),
        (
            State::Unknown,
            0,
            3,
            false,
            State::Down,
            1,
            Transition::WentDown,
        ),
        (State::Up, 0, 1, true, State::Up, 0, Transition::None),
        (State::Up, 2, 3, true, State::Up, 0, Transition::Recovered),
        (State::Up, 0, 1, false, State::Down, 1, Transition::WentDown),
        (
            State::Up,
            0,
            3,
            false,
            State::Up,
            1,
            Transition::SoftFailure,
        ),
        (
            State::Up,
            1,
            3,
            false,
            State::Up,
            2,
            Transition::SoftFailure,
        ),
        (State::Up, 2, 3, false, State::Down, 3, Transition::WentDown),
        (State::Down, 3, 3, false, State::Down, 4, Transition::None),
        (State::Down, 4, 3, true, State::Up, 0, Transition::WentUp),
        (
            State::Down,
            u32::MAX,
            3,
            false,
            State::Down,
            u32::MAX,
            Transition::None,
        ),
    ];
    for (state, failures, limit, up, after, count, transition) in table {
        let mut health = Health {
            state,
            failures,
            ..Health::new(now)
        };
        let got = health.judge(&verdict(up), limits(limit, 1), now + Duration::from_secs(1));
        let row = format!("{state:?} {failures}/{limit} up={up}");
        assert_eq!(
            (health.state, health.failures, got),
            (after, count, transition),
            "{row}"
        );
        assert_eq!(
            health.since > now,
            state != after,
            "{row}: since follows the state"
        );
        assert_eq!(health.message, "said");
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
fn maintenance_takes_out_at_once_and_needs_a_good_check_to_return() {
    let now = Instant::now();
    let mut health = Health {
        state: State::Up,
        ..Health::new(now)
    };
    assert!(health.set_maintenance(true, now));
    assert!(!health.set_maintenance(true, now), "said once");
    assert!(!health.serves());
    health.judge(&verdict(true), limits(1, 1), now);
    assert!(!health.serves(), "a passing check does not end maintenance");
    assert!(health.set_maintenance(false, now));
    assert!(!health.serves());
    assert_eq!(
        health.judge(&verdict(true), limits(1, 1), now),
        Transition::WentUp
    );
    assert!(health.serves());
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
fn a_check_that_could_not_be_asked_changes_nothing() {
    let now = Instant::now();
    let unasked = Verdict {
        finding: Finding::CouldNotAsk,
        message: "no descriptors".to_owned(),
        took: Duration::ZERO,
        noted: Noted::default(),
    };
    for state in [State::Unknown, State::Up, State::Down] {
        let mut health = Health {
            state,
            failures: 2,
            message: "before".to_owned(),
            ..Health::new(now)
        };
        let before = health.clone();
        let later = now + Duration::from_secs(1);
        assert_eq!(
            health.judge(&unasked, limits(3, 1), later),
            Transition::None
        );
        let shown = Some("no descriptors".to_owned());
        assert_eq!(health.could_not_ask, shown, "{state:?}");
        health.could_not_ask = None;
        assert_eq!(health, before, "{state:?}");
    }
    let mut health = Health::new(now);
    health.judge(&unasked, limits(1, 1), now);
    health.judge(&verdict(true), limits(1, 1), now);
    assert_eq!(health.could_not_ask, None, "a verdict ends it");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
fn who_was_down_has_to_pass_so_often_in_a_row() {
    let now = Instant::now();
    let says = |health: &mut Health, up| health.judge(&verdict(up), limits(1, 3), now);
    let mut health = Health::new(now);
    assert_eq!(says(&mut health, true), Transition::WentUp, "the first");
    assert_eq!(says(&mut health, false), Transition::WentDown);
    assert_eq!(says(&mut health, true), Transition::Rising);
    assert_eq!(says(&mut health, true), Transition::Rising);
    assert_eq!((health.passes, health.state), (2, State::Down));
    let unasked = Verdict {
        finding: Finding::CouldNotAsk,
        ..verdict(true)
    };
    health.judge(&unasked, limits(1, 3), now);
    assert_eq!(health.passes, 2, "no verdict");
    assert_eq!(says(&mut health, false), Transition::None);
    assert_eq!(health.passes, 0, "in a row");
    let row = [true, true, true].map(|up| says(&mut health, up));
    let expected = [Transition::Rising, Transition::Rising, Transition::WentUp];
    assert_eq!(row, expected);
    assert_eq!(health.passes, 0);
    says(&mut health, false);
    health.set_maintenance(true, now);
    health.set_maintenance(false, now);
    assert_eq!(
        says(&mut health, true),
        Transition::WentUp,
        "by its operator"
    );
}
