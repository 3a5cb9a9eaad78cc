//! The whole transition table, and what surrounds it.

use super::{Health, State, Transition};
use crate::input::Verdict;
use std::time::{Duration, Instant};

fn verdict(up: bool) -> Verdict {
    Verdict {
        up,
        message: "said".to_owned(),
        took: Duration::from_millis(3),
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
        let got = health.judge(&verdict(up), limit, now + Duration::from_secs(1));
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
    health.judge(&verdict(true), 1, now);
    assert!(!health.serves(), "a passing check does not end maintenance");
    assert!(health.set_maintenance(false, now));
    assert!(!health.serves());
    assert_eq!(health.judge(&verdict(true), 1, now), Transition::WentUp);
    assert!(health.serves());
}
