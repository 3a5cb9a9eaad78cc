//! Nodes that live and do not hear each other, and what happens when they do again.

use super::{GROUP, is_start, is_stop, ms};
use crate::pair::{DEADTIME, INITDEAD, KEEPALIVE, Pair, name};
use ha_status::{HoldSet, NodeStatus};
use hbd_core::config::Failback;
use hbd_core::input::{Command, Input};
use hbd_core::output::{Notice, Output};

#[test]
fn a_healed_partition_costs_no_outage() {
    let mut pair = Pair::running(2, &[0], Failback::Off);
    pair.cut = true;
    pair.run_for(ms(3000));
    assert_eq!(pair.runners(0), [0, 1], "they cannot know of each other");
    pair.cut = false;
    pair.outputs.clear();
    let took = pair.run_until(ms(1000), |pair| pair.runners(0) == [0]);
    assert!(took <= KEEPALIVE + ms(5), "{took:?}");
    pair.run_for(ms(3000));
    assert_eq!(pair.runners(0), [0], "clients were with it all along");
    let stopped = pair.when(|node, output| node == 0 && is_stop(output));
    assert_eq!(stopped, None, "the winner never stops");
    let let_go = pair.when(|node, output| node == 1 && matches!(output, Output::LetGo(_)));
    assert!(let_go.is_some(), "addresses go first in a conflict");
    let lost = Notice::GroupConflictLost {
        group: GROUP,
        to: name(0),
    };
    assert!(pair.notices(1).contains(&lost));
    let won = Notice::GroupConflictWon {
        group: GROUP,
        against: name(1),
    };
    assert!(pair.notices(0).contains(&won));
    let announced = pair.when(|node, output| node == 0 && matches!(output, Output::Announce(_)));
    assert!(announced.is_some());
}

#[test]
fn a_stalled_node_learns_of_the_takeover_first() {
    let mut pair = Pair::running(2, &[0], Failback::Off);
    pair.frozen = Some(0);
    pair.run_for(ms(5000));
    assert_eq!(pair.runners(0), [0, 1]);
    pair.frozen = None;
    pair.outputs.clear();
    pair.run_until(ms(50), |pair| pair.runners(0) == [1]);
    pair.run_for(ms(3000));
    assert_eq!(pair.runners(0), [1]);
    let notices = pair.notices(0);
    assert!(
        matches!(notices[0], Notice::LocalStall { .. }),
        "{notices:?}"
    );
    let dead = |notice: &Notice| matches!(notice, Notice::NodeDead { .. });
    assert!(!notices.iter().any(dead), "{notices:?}");
}

#[test]
fn a_partition_between_two_of_three_moves_nothing() {
    let mut pair = Pair::running(3, &[0, 1], Failback::On);
    pair.strangers = Some((0, 1));
    pair.run_for(ms(20_000));
    assert_eq!((pair.runners(0), pair.runners(1)), (vec![0], vec![1]));
    assert_eq!(pair.view(1).nodes[0].status, NodeStatus::Dead);
    assert_eq!(
        pair.view(1).groups[0].epoch,
        1,
        "the third node still hears the owner"
    );
}

fn carrier(carrier: bool) -> Input {
    Input::Carrier {
        interface: "eth0".to_owned(),
        carrier,
    }
}

#[test]
fn a_node_without_a_carrier_takes_nothing_and_listens_before_it_does() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.input(1, carrier(false));
    pair.cut = true;
    pair.run_for(DEADTIME * 3);
    assert_eq!(pair.view(1).nodes[0].status, NodeStatus::Dead);
    assert_eq!(pair.runners(0), [0]);
    let reason = pair.view(1).groups[0].reason.to_string();
    assert!(reason.contains("carrier"), "{reason}");
    // The cable is back before anything can be heard over it.
    pair.input(1, carrier(true));
    pair.run_for(ms(500));
    pair.cut = false;
    pair.run_for(DEADTIME * 3);
    assert_eq!(pair.runners(0), [0]);
    let start = pair.when(|node, output| node == 1 && is_start(output));
    assert_eq!(start, None, "the backup never took it");
}

#[test]
fn a_node_whose_cable_is_back_takes_over_when_it_hears_nobody_for_initdead() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.input(1, carrier(false));
    pair.power_off(0);
    pair.run_for(DEADTIME * 2);
    pair.input(1, carrier(true));
    let took = pair.run_until(INITDEAD * 2, |pair| pair.runners(0) == [1]);
    assert!(took >= INITDEAD && took < INITDEAD + ms(50), "{took:?}");
}

#[test]
fn at_a_heal_the_side_that_clients_could_reach_keeps_the_group() {
    let mut pair = Pair::running(2, &[0], Failback::Off);
    pair.cut = true;
    pair.input(0, carrier(false));
    pair.run_for(DEADTIME * 3);
    assert_eq!(pair.runners(0), [0, 1], "they cannot know of each other");
    pair.cut = false;
    pair.input(0, carrier(true));
    pair.outputs.clear();
    let took = pair.run_until(ms(1000), |pair| pair.runners(0) == [1]);
    assert!(took <= KEEPALIVE + ms(5), "{took:?}");
    pair.run_for(DEADTIME * 3);
    assert_eq!(pair.runners(0), [1]);
    let stopped = pair.when(|node, output| node == 1 && is_stop(output));
    assert_eq!(stopped, None, "the winner never stops");
}

#[test]
fn a_healed_partition_with_failback_costs_the_preferred_node_nothing() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.cut = true;
    pair.input(0, carrier(false));
    pair.run_for(DEADTIME * 3);
    pair.cut = false;
    pair.input(0, carrier(true));
    pair.outputs.clear();
    pair.run_for(DEADTIME * 3);
    assert_eq!(pair.runners(0), [0]);
    let stopped = pair.when(|node, output| node == 0 && is_stop(output));
    assert_eq!(stopped, None, "it would get the group back anyhow");
}

#[test]
fn a_handover_right_after_a_partition_is_obeyed() {
    let mut pair = Pair::running(2, &[0], Failback::Off);
    pair.cut = true;
    pair.run_for(DEADTIME * 3);
    pair.cut = false;
    pair.run_for(ms(500));
    assert_eq!(pair.runners(0), [0]);
    let id = pair.command(1, Command::Takeover(HoldSet::All));
    pair.run_for(ms(100));
    assert!(pair.answer(id).unwrap().is_ok());
    assert_eq!(pair.runners(0), [1]);
}

#[test]
fn the_node_that_hears_yields_to_one_that_does_not() {
    for owner in [0, 1] {
        let other = 1 - owner;
        let mut pair = Pair::running(2, &[owner], Failback::Off);
        pair.cut = true;
        pair.run_for(DEADTIME * 3);
        assert_eq!(pair.runners(0), [0, 1]);
        // Only the owner is heard again.
        pair.cut = false;
        pair.mute = Some((other, owner));
        let took = pair.run_until(DEADTIME * 2, |pair| pair.runners(0) == [owner]);
        assert!(took <= DEADTIME, "{took:?}");
        pair.run_for(DEADTIME * 10);
        assert_eq!(pair.runners(0), [owner]);
        let told = pair.view(other).groups[0].owner.clone();
        assert_eq!(told.as_deref(), Some(name(owner).as_str()));
        pair.mute = None;
        pair.run_for(DEADTIME * 3);
        assert_eq!(pair.runners(0), [owner], "and nothing moves in the end");
        assert_eq!(pair.view(0).groups[0].owner, pair.view(1).groups[0].owner);
    }
}

#[test]
fn nobody_starts_beside_a_holder_that_only_a_third_node_hears() {
    let mut pair = Pair::running(3, &[0], Failback::Off);
    pair.strangers = Some((0, 2));
    pair.run_for(DEADTIME * 3);
    assert_eq!(pair.view(2).nodes[0].status, NodeStatus::Dead);
    pair.stubborn = Some(0);
    pair.command(2, Command::Takeover(HoldSet::All));
    pair.run_for(DEADTIME * 5 + ms(300));
    assert_eq!(pair.runners(0), [0], "it could not be stopped there");
    let reason = pair.view(2).groups[0].reason.to_string();
    assert!(reason.contains("lb1 could not stop it"), "{reason}");
    pair.stubborn = None;
    pair.run_for(DEADTIME * 3);
    assert_eq!(pair.runners(0), [2]);
}
