//! Where the time went until a group ran here, as it is told and shown.

use super::{GROUP, ms};
use crate::pair::{DEADTIME, KEEPALIVE, Pair, SCRIPT, STOPS_SLOWLY};
use ha_status::{HoldSet, Timing};
use hbd_core::config::Failback;
use hbd_core::input::{Command, Input};
use hbd_core::output::Notice;
use std::time::Duration;

/// What a start of a script takes here.
const START: u64 = SCRIPT.as_millis() as u64;

/// How the group came to run on this node, the last time.
fn told(pair: &Pair, node: usize) -> Timing {
    let notices = pair.notices(node).into_iter();
    let mut timings = notices.filter_map(|notice| match notice {
        Notice::GroupRunning { timing, .. } => Some(timing),
        _ => None,
    });
    timings.next_back().expect("it runs there")
}

fn shown(pair: &Pair, node: usize) -> Option<Timing> {
    pair.view(node).groups[0].timing.clone()
}

/// Runs until this node has said that it runs the group.
fn arrives(pair: &mut Pair, node: usize, limit: Duration) -> Timing {
    pair.outputs.clear();
    let runs = |pair: &Pair| shown(pair, node).is_some();
    pair.run_until(limit, runs);
    told(pair, node)
}

#[test]
fn a_death_is_silence_and_then_the_start_itself() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.power_off(0);
    let timing = arrives(&mut pair, 1, ms(3000));
    let silence = timing.silence_ms.map(Duration::from_millis).unwrap();
    let plausible = DEADTIME..DEADTIME + KEEPALIVE;
    assert!(plausible.contains(&silence), "{timing:?}");
    assert_eq!(timing.waiting_ms, 0);
    assert_eq!(timing.address_ms, Some(START));
    let parts = timing.silence_ms.unwrap() + START;
    assert_eq!(timing.total_ms, parts);
    assert_eq!(shown(&pair, 1), Some(timing));
}

#[test]
fn an_agreed_move_is_the_wait_for_the_owner_and_then_the_start() {
    let moves: [fn(&mut Pair); 2] = [
        |pair| {
            pair.command(0, Command::Shutdown);
        },
        |pair| {
            pair.standby(0, HoldSet::All);
        },
    ];
    for begin in moves {
        let mut pair = Pair::running(2, &[0], Failback::On);
        begin(&mut pair);
        let timing = arrives(&mut pair, 1, ms(100));
        assert_eq!(timing.silence_ms, None, "nobody died");
        assert!((START..=3).contains(&timing.waiting_ms), "{timing:?}");
        assert!(timing.total_ms >= timing.waiting_ms + START, "{timing:?}");
    }
}

#[test]
fn an_owner_that_is_slow_to_stop_is_seen_in_the_wait() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.slow = Some(0);
    pair.standby(0, HoldSet::All);
    let timing = arrives(&mut pair, 1, STOPS_SLOWLY * 2);
    let waited = Duration::from_millis(timing.waiting_ms);
    assert!(waited >= STOPS_SLOWLY, "{timing:?}");
    assert_eq!(timing.address_ms, Some(START));
}

#[test]
fn it_is_shown_for_as_long_as_the_group_runs_there() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    assert!(shown(&pair, 0).is_some());
    pair.standby(0, HoldSet::All);
    arrives(&mut pair, 1, ms(100));
    assert_eq!(shown(&pair, 0), None);
}

/// It has been this node's for long: what counts is the start.
#[test]
fn a_group_that_failed_while_it_ran_is_counted_from_its_next_start() {
    let mut pair = Pair::running(1, &[0], Failback::On);
    pair.run_for(ms(60_000));
    let lost = Input::Lost {
        group: GROUP,
        resource: "IPaddr::10.0.0.1/24/eth0".to_owned(),
        reason: "it is gone".to_owned(),
    };
    pair.input(0, lost);
    assert_eq!(shown(&pair, 0), None);
    let timing = arrives(&mut pair, 0, ms(120_000));
    let expected = Timing {
        total_ms: START,
        address_ms: Some(START),
        ..Timing::default()
    };
    assert_eq!(timing, expected);
}

/// The shell answers once too often.
#[test]
fn a_start_that_is_told_twice_changes_nothing() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    let before = shown(&pair, 0);
    pair.outputs.clear();
    let again = Input::Started {
        group: GROUP,
        result: Ok(()),
        steps: hbd_core::input::Steps::default(),
    };
    pair.input(0, again);
    assert_eq!(shown(&pair, 0), before);
    let runs = |notice: &Notice| matches!(notice, Notice::GroupRunning { .. });
    assert!(!pair.notices(0).iter().any(runs));
}
