//! Groups that cannot be started, are lost, or cannot be stopped.

use super::{GROUP, ms};
use crate::pair::{DEADTIME, Pair, name};
use ha_status::{HoldSet, NodeStatus, RunState};
use hbd_core::config::Failback;
use hbd_core::input::{Command, Input};
use hbd_core::output::{Done, Ending, Notice, Output, Refusal, Setback, SetbackCause};

#[test]
fn a_failed_start_moves_the_group_and_keeps_it_there() {
    let mut pair = Pair::new(2, &[0], Failback::On);
    pair.broken = Some(0);
    (0..2).for_each(|node| pair.start(node));
    pair.run_for(ms(200));
    assert_eq!(pair.runners(0), [1]);
    let failed = |notice: &Notice| matches!(notice, Notice::GroupFailed { .. });
    assert!(pair.notices(0).iter().any(failed));
    pair.broken = None;
    pair.run_for(ms(10_000));
    assert_eq!(pair.runners(0), [1]);
    let id = pair.standby(1, HoldSet::All);
    pair.run_for(ms(100));
    assert!(pair.answer(id).unwrap().is_ok());
    assert_eq!(pair.runners(0), [0], "an operator may name it again");
}

#[test]
fn a_group_nobody_can_start_is_tried_again() {
    let mut pair = Pair::new(1, &[0], Failback::On);
    pair.broken = Some(0);
    pair.start(0);
    pair.run_for(ms(1000));
    assert!(
        pair.notices(0)
            .contains(&Notice::GroupHomeless { group: GROUP })
    );
    pair.broken = None;
    pair.run_for(ms(2000));
    assert_eq!(pair.runners(0), [0]);
}

#[test]
fn a_shutdown_that_cannot_stop_a_group_ends_honestly() {
    let mut pair = Pair::running(1, &[0], Failback::On);
    pair.stubborn = Some(0);
    let id = pair.command(0, Command::Shutdown);
    pair.run_until(ms(15_000), |pair| !pair.is_up(0));
    assert!(!pair.is_up(0));
    let held = Refusal::StillHeld(vec![GROUP]);
    assert_eq!(pair.answer(id), Some(Err(held)));
    let holding = Notice::ShutdownHolding {
        groups: vec![GROUP],
    };
    let notices = pair.notices(0);
    assert!(notices.contains(&holding) && !notices.contains(&Notice::ShutdownComplete));
    let exit = pair.outputs.last().map(|(_, _, output)| output);
    assert!(matches!(exit, Some(Output::Exit(Ending::Held))), "{exit:?}");
    assert!(
        pair.said(0, "shutdone").is_empty(),
        "it must not look like a clean goodbye"
    );
}

fn lost() -> Input {
    Input::Lost {
        group: GROUP,
        resource: "IPaddr::10.0.0.0".to_owned(),
        reason: "interface eth0 is gone".to_owned(),
    }
}

#[test]
fn an_owner_that_lost_its_address_hands_the_group_over() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.input(0, lost());
    let took = pair.run_until(ms(100), |pair| pair.runners(0) == [1]);
    assert!(took <= ms(5), "{took:?}");
    let told = |notice: &Notice| matches!(notice, Notice::GroupLost { .. });
    assert!(pair.notices(0).iter().any(told));
    assert_eq!(pair.view(0).groups[0].state, RunState::Failed);
    pair.input(0, lost());
    assert_eq!(pair.view(0).groups[0].state, RunState::Failed, "told twice");
}

#[test]
fn what_failed_for_a_reason_that_has_passed_is_tried_at_once() {
    let mut pair = Pair::running(1, &[0], Failback::On);
    pair.input(0, lost());
    pair.run_for(ms(100));
    assert_eq!(pair.view(0).groups[0].state, RunState::Failed);
    pair.input(0, Input::Mended { group: GROUP });
    let took = pair.run_until(ms(100), |pair| {
        pair.view(0).groups[0].state == RunState::Running
    });
    assert!(took <= ms(5), "{took:?}");
}

#[test]
fn what_nobody_can_run_has_no_owner() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.power_off(1);
    pair.run_for(DEADTIME * 2);
    pair.input(0, lost());
    pair.run_for(ms(100));
    let homeless = Notice::GroupHomeless { group: GROUP };
    assert!(pair.notices(0).contains(&homeless));
    assert_eq!(pair.view(0).groups[0].owner, None);
}

#[test]
fn what_a_node_could_not_stop_is_started_by_nobody_after_it_has_ended() {
    let mut pair = Pair::running(2, &[0, 0], Failback::On);
    pair.stubborn_groups = Some((0, vec![GROUP]));
    let id = pair.command(0, Command::Shutdown);
    let took = pair.run_until(ms(15_000), |pair| !pair.is_up(0));
    assert!(took < ms(5_000), "it gives up soon: {took:?}");
    let held = Refusal::StillHeld(vec![GROUP]);
    assert_eq!(pair.answer(id), Some(Err(held)));
    pair.run_for(DEADTIME * 5);
    assert_eq!(
        pair.runners(1),
        [1],
        "what was surely stopped is handed over"
    );
    assert_eq!(pair.runners(0), [0], "and nothing else");
    assert_eq!(pair.view(1).nodes[0].status, NodeStatus::Left);
    let reason = pair.view(1).groups[0].reason.to_string();
    assert!(
        reason.contains("lb1 has ended and could not stop it"),
        "{reason}"
    );
    let left = Notice::GroupLeftBehind {
        group: GROUP,
        node: name(0),
    };
    assert!(pair.notices(1).contains(&left));
    // Somebody looks, and says so.
    let id = pair.command(1, Command::Takeover(HoldSet::All));
    let setback = Setback {
        group: GROUP,
        to: name(1),
        cause: SetbackCause::LeftBehindBy(name(0)),
    };
    assert_eq!(pair.answer(id), Some(Err(Refusal::Setbacks(vec![setback]))));
    pair.active[0][0] = false;
    let id = pair.command(1, Command::ForcedTakeover(HoldSet::All));
    pair.run_for(ms(100));
    assert_eq!(pair.answer(id), Some(Ok(Done::Moved(1))));
    assert_eq!(pair.runners(0), [1]);
}

#[test]
fn what_was_left_behind_is_free_when_its_node_comes_back_without_it() {
    let mut pair = Pair::running(2, &[0], Failback::Off);
    pair.stubborn = Some(0);
    pair.command(0, Command::Shutdown);
    pair.run_until(ms(15_000), |pair| !pair.is_up(0));
    pair.run_for(DEADTIME * 3);
    assert_eq!(pair.runners(0), [0]);
    pair.stubborn = None;
    pair.power_off(0);
    pair.start(0);
    pair.run_for(DEADTIME * 2);
    assert_eq!(pair.runners(0).len(), 1);
}

#[test]
fn a_stuck_group_has_a_way_out() {
    let mut pair = Pair::running(2, &[0], Failback::Off);
    pair.stubborn = Some(0);
    let id = pair.command(1, Command::Takeover(HoldSet::All));
    pair.run_for(DEADTIME * 2);
    let setback = Setback {
        group: GROUP,
        to: name(1),
        cause: SetbackCause::StuckOn(name(0)),
    };
    assert_eq!(pair.answer(id), Some(Err(Refusal::Setbacks(vec![setback]))));
    assert_eq!(pair.runners(0), [0]);
    pair.active[0][0] = false;
    let id = pair.command(1, Command::ForcedTakeover(HoldSet::All));
    pair.run_for(ms(2000));
    assert_eq!(pair.answer(id), Some(Ok(Done::Moved(1))));
    assert_eq!(pair.runners(0), [1]);
}

#[test]
fn an_operator_may_vouch_for_the_node_that_is_stuck_itself() {
    let mut pair = Pair::running(1, &[0], Failback::Off);
    pair.stubborn = Some(0);
    pair.input(0, lost());
    pair.run_for(ms(500));
    assert_eq!(pair.view(0).groups[0].state, RunState::Stuck);
    let id = pair.command(0, Command::ForcedTakeover(HoldSet::All));
    pair.run_for(ms(100));
    assert_eq!(pair.answer(id), Some(Ok(Done::Moved(1))));
    assert_eq!(pair.view(0).groups[0].state, RunState::Running);
}

#[test]
fn takeover_tries_a_failed_start_again_on_the_owner_too() {
    let mut pair = Pair::new(1, &[0], Failback::On);
    pair.broken = Some(0);
    pair.start(0);
    pair.run_for(ms(200));
    assert_eq!(pair.view(0).groups[0].state, RunState::Failed);
    pair.broken = None;
    let id = pair.command(0, Command::Takeover(HoldSet::All));
    pair.run_for(ms(100));
    assert_eq!(pair.answer(id), Some(Ok(Done::Moved(1))));
    assert_eq!(pair.runners(0), [0]);
}

#[test]
fn an_owner_says_when_nobody_could_take_over_from_it() {
    let mut pair = Pair::new(2, &[0], Failback::On);
    pair.broken = Some(0);
    (0..2).for_each(|node| pair.start(node));
    pair.run_for(ms(200));
    assert_eq!(pair.runners(0), [1]);
    let reason = |pair: &Pair| pair.view(1).groups[0].reason.to_string();
    let lack = "a failover is not possible now: lb1 could not start it";
    assert!(reason(&pair).contains(lack), "{}", reason(&pair));
    pair.input(0, Input::Mended { group: GROUP });
    pair.run_for(ms(100));
    assert!(!reason(&pair).contains("not possible"), "{}", reason(&pair));
}
