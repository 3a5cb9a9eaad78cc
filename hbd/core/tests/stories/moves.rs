//! How groups move: handed over, given back, and sent by an operator.

use super::{GROUP, is_start, ms};
use crate::pair::{DEADTIME, HOLD_DOWN, Pair, SCRIPT, STOPS_SLOWLY, name};
use ha_status::{HoldSet, NodeStatus};
use hbd_core::config::{Failback, LINGER_LIMIT, PREPARED_LIFE};
use hbd_core::input::Command;
use hbd_core::output::{Done, Ending, Notice, Output, Refusal, YieldReason};
use std::time::Duration;

#[test]
fn a_clean_stop_hands_over_at_once_and_ends_in_silence() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    let id = pair.command(0, Command::Shutdown);
    let took = pair.run_until(ms(100), |pair| pair.runners(0) == [1]);
    assert!(took <= ms(5), "{took:?}");
    pair.run_for(ms(1));
    assert!(!pair.is_up(0));
    assert_eq!(pair.answer(id), Some(Ok(Done::Released)));
    assert_eq!(pair.view(1).nodes[0].status, NodeStatus::Left);
    let (_, _, last) = pair
        .outputs
        .iter()
        .rfind(|(_, node, _)| *node == 0)
        .unwrap();
    assert!(matches!(last, Output::Exit(Ending::Released)));
    pair.outputs.clear();
    pair.run_for(DEADTIME * 3);
    let dead = |notice: &Notice| matches!(notice, Notice::NodeDead { .. });
    assert!(!pair.notices(1).iter().any(dead), "it left in peace");
}

#[test]
fn a_returning_node_gets_its_group_back_at_once() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.power_off(0);
    pair.run_for(ms(3000));
    assert_eq!(pair.runners(0), [1]);
    pair.outputs.clear();
    pair.start(0);
    pair.run_until(ms(1000), |pair| pair.runners(0) == [0]);
    let stop = pair.when(|node, output| node == 1 && is_stop(output));
    let start = pair.when(|node, output| node == 0 && is_start(output));
    assert!(
        start.unwrap() <= stop.unwrap() + ms(2),
        "the gap of a failback"
    );
    let yields = Notice::GroupYield {
        group: GROUP,
        to: name(0),
        reason: YieldReason::Failback,
    };
    assert!(pair.notices(1).contains(&yields));
}

#[test]
fn an_agreed_move_is_prepared_while_the_owner_still_runs_it() {
    let moves: [fn(&mut Pair); 4] = [
        |pair| {
            pair.command(0, Command::Shutdown);
        },
        |pair| {
            pair.standby(0, HoldSet::All);
        },
        |pair| {
            pair.command(1, Command::Takeover(HoldSet::All));
        },
        |pair| {
            pair.power_off(0);
            pair.run_for(ms(3000));
            pair.outputs.clear();
            pair.start(0);
        },
    ];
    for (round, begin) in moves.into_iter().enumerate() {
        let mut pair = Pair::running(2, &[0], Failback::On);
        let taker = usize::from(round < 3);
        begin(&mut pair);
        pair.run_until(ms(1000), |pair| pair.runners(0) == [taker]);
        pair.run_for(ms(100));
        let of = |wanted: fn(&Output) -> bool, at: usize| {
            pair.when(|node, output| node == at && wanted(output))
        };
        let prepared = of(|output| matches!(output, Output::Prepare(_)), taker).unwrap();
        let ready = prepared + SCRIPT;
        let stop = of(is_stop, 1 - taker).unwrap();
        let start = of(is_start, taker).unwrap();
        assert!(stop >= ready, "move {round}: {stop:?}, ready at {ready:?}");
        assert!(stop <= ready + ms(1) && stop < start, "move {round}");
        let undone = |_, output: &Output| matches!(output, Output::Unprepare(_));
        assert_eq!(pair.when(undone), None, "move {round}");
    }
}

#[test]
fn nothing_is_prepared_for_a_group_whose_owner_is_dead() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.power_off(0);
    pair.run_for(ms(3000));
    assert_eq!(pair.runners(0), [1]);
    let prepared = |_, output: &Output| matches!(output, Output::Prepare(_));
    assert_eq!(pair.when(prepared), None);
}

#[test]
fn what_was_prepared_is_undone_when_the_owner_cannot_stop() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.stubborn = Some(0);
    pair.standby(0, HoldSet::All);
    pair.run_for(ms(500));
    let outputs = pair.outputs.iter();
    let asked = outputs.filter_map(|(at, node, output)| match output {
        Output::Prepare(_) | Output::Unprepare(_) => Some((*at, *node, output.clone())),
        _ => None,
    });
    let asked: Vec<_> = asked.collect();
    let [
        (prepared, 1, Output::Prepare(_)),
        (undone, 1, Output::Unprepare(_)),
    ] = asked[..]
    else {
        panic!("{asked:?}");
    };
    assert!(undone <= prepared + ms(10), "{asked:?}");
}

/// From then on it hears nobody, and whose the group is by now nobody here can tell.
#[test]
fn what_was_prepared_is_undone_by_a_node_that_stood_still() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.slow = Some(0);
    pair.standby(0, HoldSet::All);
    pair.run_for(ms(10));
    pair.frozen = Some(1);
    pair.run_for(ms(3000));
    pair.outputs.clear();
    (pair.frozen, pair.cut) = (None, true);
    pair.run_for(ms(1));
    let undone = |node: usize, output: &Output| node == 1 && matches!(output, Output::Unprepare(_));
    assert!(pair.when(undone).is_some());
}

/// Its addresses are the first that go.
#[test]
fn what_was_prepared_stays_while_the_owner_is_stopping() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.slow = Some(0);
    pair.standby(0, HoldSet::All);
    pair.run_until(STOPS_SLOWLY * 2, |pair| pair.runners(0) == [1]);
    let undone = |_, output: &Output| matches!(output, Output::Unprepare(_));
    assert_eq!(pair.when(undone), None);
}

/// When this node was asked so, for each time.
fn asked(pair: &Pair, at: usize, wanted: fn(&Output) -> bool) -> Vec<Duration> {
    let outputs = pair.outputs.iter();
    let outputs = outputs.filter(|(_, node, output)| *node == at && wanted(output));
    outputs.map(|(at, ..)| *at).collect()
}

fn is_stop(output: &Output) -> bool {
    matches!(output, Output::Stop(_) | Output::LetGo(_))
}

fn is_announcement(output: &Output) -> bool {
    matches!(output, Output::Announce(_))
}

#[test]
fn a_next_owner_that_does_not_get_ready_is_waited_for_a_second() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.unready = Some(1);
    pair.outputs.clear();
    let begun = pair.now;
    pair.standby(0, HoldSet::All);
    pair.run_for(ms(500));
    let waiting = pair.view(0).groups[0].reason.waiting.clone();
    let node = name(1).to_string();
    assert_eq!(waiting, Some(ha_status::Waiting::Lingering { node }));
    pair.run_until(ms(1000), |pair| pair.runners(0) == [1]);
    let stops = asked(&pair, 0, is_stop);
    assert_eq!(stops, [begun + LINGER_LIMIT]);
}

#[test]
fn a_shell_that_objects_ends_the_wait() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    (pair.unready, pair.unwilling) = (Some(1), Some(0));
    pair.standby(0, HoldSet::All);
    let took = pair.run_until(ms(1000), |pair| pair.runners(0) == [1]);
    assert!(took <= ms(5), "{took:?}");
}

#[test]
fn many_words_do_not_make_the_wait_longer() {
    let mut pair = Pair::running(3, &[0], Failback::On);
    (pair.unready, pair.unwilling) = (Some(1), None);
    pair.outputs.clear();
    let begun = pair.now;
    pair.standby(0, HoldSet::All);
    for _ in 0..8 {
        pair.run_for(ms(100));
        pair.command(1, Command::Takeover(HoldSet::All));
    }
    pair.run_until(ms(1000), |pair| pair.runners(0) == [1]);
    assert_eq!(asked(&pair, 0, is_stop), [begun + LINGER_LIMIT]);
}

/// It may have answered for the addresses, and some neighbour may have asked.
#[test]
fn a_group_that_stays_after_all_is_announced_over_who_was_ready_for_it() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.unready = Some(1);
    pair.standby(0, HoldSet::All);
    pair.run_for(ms(100));
    pair.outputs.clear();
    pair.command(0, Command::Takeover(HoldSet::All));
    pair.run_for(ms(5000));
    assert_eq!(pair.runners(0), [0]);
    assert_eq!(asked(&pair, 0, is_stop), []);
    let undone = asked(&pair, 1, |output| matches!(output, Output::Unprepare(_)));
    let [undone] = undone[..] else {
        panic!("{undone:?}")
    };
    let told = asked(&pair, 0, is_announcement);
    let [at_once, when_undone, once_more] = told[..] else {
        panic!("{told:?}")
    };
    assert!(at_once < undone && when_undone >= undone + SCRIPT);
    assert!(once_more > at_once + PREPARED_LIFE);
}

#[test]
fn a_next_owner_that_dies_ready_is_announced_over_when_its_addresses_have_left() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.unready = Some(1);
    pair.standby(0, HoldSet::All);
    pair.run_for(ms(100));
    pair.outputs.clear();
    // Its machine lives on, without a daemon.
    pair.power_off(1);
    let died = pair.now;
    pair.run_until(ms(6000), |pair| {
        pair.runners(0) == [0] && pair.now > died + ms(5500)
    });
    let starts = asked(&pair, 0, is_start);
    let [start] = starts[..] else {
        panic!("{starts:?}")
    };
    let told = asked(&pair, 0, is_announcement);
    let last = told.last().copied();
    assert!(
        last.is_some_and(|at| at > start + PREPARED_LIFE),
        "{told:?}"
    );
}

#[test]
fn what_was_prepared_is_undone_when_the_group_goes_elsewhere() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.slow = Some(0);
    pair.standby(0, HoldSet::All);
    pair.run_for(ms(1000));
    // Back again, before it has stopped.
    pair.command(0, Command::Takeover(HoldSet::All));
    pair.run_for(ms(10));
    let undone = |node: usize, output: &Output| node == 1 && matches!(output, Output::Unprepare(_));
    assert!(pair.when(undone).is_some());
    let started = pair.when(|node, output| node == 1 && is_start(output));
    assert_eq!(started, None);
}

#[test]
fn without_failback_the_group_stays() {
    let mut pair = Pair::running(2, &[0], Failback::Off);
    pair.power_off(0);
    pair.run_for(ms(3000));
    pair.start(0);
    pair.run_for(ms(5000));
    assert_eq!(pair.runners(0), [1]);
}

#[test]
fn standby_moves_the_groups_and_says_when_they_run() {
    let mut pair = Pair::running(2, &[0, 0, 1], Failback::On);
    let id = pair.standby(0, HoldSet::Local);
    let took = pair.run_until(ms(100), |pair| pair.answer(id).is_some());
    assert!(took <= ms(5), "{took:?}");
    assert_eq!(pair.answer(id), Some(Ok(Done::Moved(2))));
    pair.run_for(ms(5000));
    assert_eq!(
        (pair.runners(0), pair.runners(1), pair.runners(2)),
        (vec![1], vec![1], vec![1])
    );
    assert!(pair.view(1).groups[0].epoch > 1);
}

#[test]
fn a_thousand_groups_move_with_few_messages() {
    let mut pair = Pair::running(2, &[0; 1000], Failback::On);
    let id = pair.standby(0, HoldSet::All);
    let took = pair.run_until(ms(500), |pair| pair.answer(id).is_some());
    // Served all the while: two rounds more than a stop and a start.
    assert!(took <= ms(30), "{took:?}");
    assert_eq!(pair.answer(id), Some(Ok(Done::Moved(1000))));
    let said = pair.said(0, "status").len() + pair.said(1, "status").len();
    assert!(said <= 40, "{said}");
}

#[test]
fn a_manual_move_lasts_until_the_preferred_node_was_away() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.standby(0, HoldSet::All);
    pair.run_for(ms(3000));
    assert_eq!(pair.runners(0), [1]);
    pair.command(0, Command::Shutdown);
    pair.run_for(ms(500));
    pair.start(0);
    pair.run_for(ms(2000));
    assert_eq!(pair.runners(0), [0]);
}

#[test]
fn takeover_is_the_mirror_of_standby() {
    let mut pair = Pair::running(2, &[0, 1], Failback::On);
    let id = pair.command(1, Command::Takeover(HoldSet::Foreign));
    pair.run_for(ms(100));
    assert_eq!(pair.answer(id), Some(Ok(Done::Moved(1))));
    assert_eq!((pair.runners(0), pair.runners(1)), (vec![1], vec![1]));
}

#[test]
fn standby_without_a_taker_is_refused_and_changes_nothing() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.power_off(1);
    pair.run_for(ms(3000));
    let epoch = pair.view(0).groups[0].epoch;
    let id = pair.standby(0, HoldSet::All);
    let refusal = Refusal::NoTaker {
        group: GROUP,
        others_live: false,
    };
    assert_eq!(pair.answer(id), Some(Err(refusal)));
    assert_eq!(pair.view(0).groups[0].epoch, epoch);
    assert_eq!(pair.runners(0), [0]);
}

#[test]
fn a_group_returns_at_once_the_first_time_and_then_ever_later() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    let mut returns = 0;
    for _ in 0..20 {
        pair.power_off(0);
        pair.run_for(DEADTIME + ms(300));
        pair.start(0);
        pair.run_for(ms(700));
        returns += u32::from(pair.runners(0) == [0]);
    }
    assert_eq!(returns, 1, "a hold-down ends the to and fro");
    let reason = pair.view(1).groups[0].reason.to_string();
    assert!(reason.contains("must be steady for 2 s"), "{reason}");
    pair.run_for(HOLD_DOWN + ms(100));
    assert_eq!(pair.runners(0), [0]);
}
