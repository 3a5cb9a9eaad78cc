//! One story each, told on a perfect network: how long things take, what is said and to whom.

#![allow(clippy::unwrap_used)]

mod pair;

use ha_status::{ClusterPhase, HoldSet, LinkState, NodeStatus, RunState};
use hbd_core::config::{Failback, GroupId, LinkId};
use hbd_core::input::{Command, Input};
use hbd_core::output::{Done, Ending, Notice, Output, Refusal, Setback, SetbackCause, YieldReason};
use pair::{DEADTIME, HOLD_DOWN, INITDEAD, KEEPALIVE, Pair, name};
use std::time::Duration;

const GROUP: GroupId = GroupId(0);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn is_start(output: &Output) -> bool {
    matches!(output, Output::Start(_))
}

fn is_stop(output: &Output) -> bool {
    matches!(output, Output::Stop(_) | Output::LetGo(_))
}

#[test]
fn a_cold_start_takes_less_than_a_second() {
    let mut pair = Pair::new(2, &[0, 1], Failback::Off);
    pair.start(0);
    pair.run_for(ms(500));
    assert_eq!(pair.view(0).phase, ClusterPhase::Starting);
    pair.start(1);
    let settled = |pair: &Pair| {
        let running =
            |node: usize, group: usize| pair.view(node).groups[group].state == RunState::Running;
        running(0, 0) && running(1, 1)
    };
    let took = pair.run_until(ms(1000), settled);
    assert!(took < ms(20), "{took:?}");
    assert_eq!((pair.runners(0), pair.runners(1)), (vec![0], vec![1]));
}

#[test]
fn a_lonely_node_starts_after_initdead_and_not_before() {
    let mut pair = Pair::new(2, &[1], Failback::On);
    pair.start(0);
    pair.run_for(ms(6000));
    assert_eq!(pair.when(|_, output| is_start(output)), Some(INITDEAD));
    assert!(
        pair.view(0).groups[0].reason.contains("lb2"),
        "{}",
        pair.view(0).groups[0].reason
    );
}

#[test]
fn power_loss_is_noticed_exactly_at_deadtime() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.run_for(ms(37));
    pair.power_off(0);
    let last = pair.view(1).nodes[0].heard_ms.unwrap();
    pair.outputs.clear();
    let off = pair.now;
    pair.run_for(ms(3000));
    let dead = pair.when(|_, output| {
        matches!(output, Output::Notice(Notice::NodeDead { silent, .. }) if *silent == DEADTIME)
    });
    let start = pair.when(|node, output| node == 1 && is_start(output));
    assert_eq!(dead, start);
    let took = dead.unwrap().saturating_sub(off) + ms(last);
    assert!(
        took + ms(1) > DEADTIME && took <= DEADTIME + ms(1),
        "{took:?}"
    );
}

#[test]
fn late_heartbeat_warns_before_death() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.cut = true;
    pair.run_for(ms(700));
    pair.cut = false;
    pair.run_for(ms(500));
    let late = |notice: &Notice| match notice {
        Notice::LateHeartbeat { interval, .. } => *interval > ms(600),
        _ => false,
    };
    assert!(pair.notices(1).iter().any(late));
    assert_eq!(pair.view(1).counters.late, 1);
    let dead = |notice: &Notice| matches!(notice, Notice::NodeDead { .. });
    assert!(!pair.notices(1).iter().any(dead));
}

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
    let stop = pair.when(|node, output| node == 1 && matches!(output, Output::Stop(_)));
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
    assert!(took <= ms(20), "{took:?}");
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
fn a_killed_daemon_adopts_what_it_left_running() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.kill(0);
    pair.run_for(ms(200));
    pair.start(0);
    pair.run_for(ms(500));
    assert_eq!(pair.view(0).groups[0].state, RunState::Running);
    assert_eq!(pair.runners(0), [0]);
    let stops = pair.when(|_, output| matches!(output, Output::Stop(_)));
    assert_eq!(stops, None, "nobody had to stop");
}

#[test]
fn a_killed_daemon_that_was_replaced_lets_go() {
    let mut pair = Pair::running(2, &[0], Failback::Off);
    pair.kill(0);
    pair.run_for(ms(3000));
    assert_eq!(pair.runners(0), [0, 1]);
    pair.start(0);
    let took = pair.run_until(ms(1000), |pair| pair.runners(0) == [1]);
    assert!(took < KEEPALIVE, "{took:?}");
}

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
fn the_third_of_three_takes_over_when_two_are_gone() {
    let mut pair = Pair::running(3, &[0], Failback::On);
    pair.power_off(0);
    pair.run_for(ms(1500));
    assert_eq!(pair.runners(0), [1]);
    pair.command(1, Command::Shutdown);
    pair.run_for(ms(100));
    assert_eq!(pair.runners(0), [2]);
    pair.start(0);
    pair.run_for(DEADTIME + ms(500));
    assert_eq!(
        pair.runners(0),
        [0],
        "a newcomer believes the others about who is gone"
    );
}

#[test]
fn a_nonsense_epoch_does_not_wedge_the_cluster() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.run_for(KEEPALIVE * 2);
    let mut status = pair.said(1, "status").pop().unwrap();
    pair.power_off(1);
    let seq = status.hex("seq").unwrap();
    let groups = status.text("hbg").unwrap().to_owned();
    let mut parts: Vec<&str> = groups.split(',').collect();
    parts[2] = "ffffffffffffffff";
    parts[3] = "1";
    status.set_text("hbg", parts.join(","));
    status.set_hex("seq", seq + 1);
    pair.inject(0, status);
    pair.run_for(ms(3000));
    let group = &pair.view(0).groups[0];
    assert_eq!(
        (group.state, group.owner.as_deref()),
        (RunState::Running, Some("lb1"))
    );
    assert!(group.epoch < 10);
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

#[test]
fn two_that_expect_each_other_do_not_wait_for_ever() {
    let mut pair = Pair::new(2, &[1], Failback::On);
    pair.configure(1, |config| config.groups[0].preferred = name(0));
    (0..2).for_each(|node| pair.start(node));
    let took = pair.run_until(ms(5000), |pair| pair.runners(0).len() == 1);
    assert!(took >= DEADTIME && took < DEADTIME + ms(50), "{took:?}");
    pair.run_for(ms(5000));
    assert_eq!(pair.runners(0).len(), 1);
}

#[test]
fn different_haresources_are_noticed() {
    let mut pair = Pair::new(2, &[0], Failback::On);
    pair.configure(1, |config| config.haresources_digest = "d2".to_owned());
    (0..2).for_each(|node| pair.start(node));
    pair.run_for(ms(2000));
    let differ = Notice::HaresourcesDiffer { node: name(1) };
    assert_eq!(pair.notices(0).iter().filter(|n| **n == differ).count(), 1);
    assert_eq!(pair.view(0).nodes[1].same_haresources, Some(false));
}

#[test]
fn nodes_that_disagree_about_the_preferred_node_still_run_a_group_once() {
    let mut pair = Pair::new(2, &[0], Failback::On);
    pair.configure(1, |config| config.groups[0].preferred = name(1));
    (0..2).for_each(|node| pair.start(node));
    pair.run_for(ms(5000));
    assert_eq!(pair.runners(0).len(), 1);
}

#[test]
fn links_come_and_go_with_what_is_heard() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    assert_eq!(pair.view(0).links[0].state, LinkState::Up);
    pair.power_off(1);
    pair.run_for(ms(2000));
    assert_eq!(pair.view(0).links[0].state, LinkState::Dead);
    let dead = Notice::LinkDead {
        node: name(1),
        link: LinkId(0),
    };
    assert!(pair.notices(0).contains(&dead));
}

#[test]
fn at_rest_there_is_one_status_per_keepalive() {
    let mut pair = Pair::running(2, &[0, 1], Failback::On);
    let revision = pair.view(0).groups;
    pair.run_for(ms(10_000));
    let said = pair.said(0, "status").len();
    assert!((99..=101).contains(&said), "{said}");
    assert_eq!(pair.view(0).groups, revision);
    assert!(pair.notices(0).is_empty());
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

fn carrier(carrier: bool) -> Input {
    Input::Carrier {
        interface: "eth0".to_owned(),
        carrier,
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
fn a_node_without_a_carrier_takes_nothing_and_listens_before_it_does() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.input(1, carrier(false));
    pair.cut = true;
    pair.run_for(DEADTIME * 3);
    assert_eq!(pair.view(1).nodes[0].status, NodeStatus::Dead);
    assert_eq!(pair.runners(0), [0]);
    let reason = pair.view(1).groups[0].reason.clone();
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
    let reason = pair.view(2).groups[0].reason.clone();
    assert!(reason.contains("lb1 could not stop it"), "{reason}");
    pair.stubborn = None;
    pair.run_for(DEADTIME * 3);
    assert_eq!(pair.runners(0), [2]);
}

#[test]
fn an_absurd_epoch_wedges_no_group_for_good() {
    let absurd = |pair: &mut Pair| {
        let mut status = pair.said(1, "status").pop().unwrap();
        let seq = status.hex("seq").unwrap();
        let groups = status.text("hbg").unwrap().to_owned();
        let mut parts: Vec<&str> = groups.split(',').collect();
        parts[2] = "10000000000";
        status.set_text("hbg", parts.join(","));
        status.set_hex("seq", seq + 1);
        pair.inject(0, status);
    };
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.run_for(KEEPALIVE * 2);
    absurd(&mut pair);
    pair.power_off(1);
    pair.run_for(DEADTIME * 2);
    assert_eq!(
        (pair.runners(0), pair.view(0).groups[0].epoch),
        (vec![0], 1)
    );
    // A node that has just come up believes it, and still nothing is wedged.
    pair.start(1);
    pair.run_for(DEADTIME);
    pair.power_off(0);
    pair.run_for(DEADTIME * 2);
    pair.start(0);
    absurd(&mut pair);
    pair.run_for(DEADTIME * 2);
    assert_eq!(pair.runners(0).len(), 1);
    let id = pair.command(1, Command::Takeover(HoldSet::All));
    pair.run_for(DEADTIME * 2);
    assert!(pair.answer(id).unwrap().is_ok());
    pair.power_off(1);
    pair.run_for(DEADTIME * 2);
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
    let reason = pair.view(1).groups[0].reason.clone();
    assert!(reason.contains("must be steady for 2 s"), "{reason}");
    pair.run_for(HOLD_DOWN + ms(100));
    assert_eq!(pair.runners(0), [0]);
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
    pair.stubborn_groups = Some((0, vec![0]));
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
    let reason = pair.view(1).groups[0].reason.clone();
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
fn one_address_in_two_spellings_is_run_once() {
    for failback in [Failback::On, Failback::Off] {
        let mut pair = Pair::new(2, &[0], failback);
        for (node, spelling) in [
            (0, "IPaddr::10.77.0.100/24/eth0"),
            (1, "IPaddr::10.77.0.100"),
        ] {
            pair.configure(node, |config| {
                config.haresources_digest = spelling.to_owned();
                config.groups[0].name = spelling.to_owned();
                config.groups[0].holds = vec!["address 10.77.0.100".to_owned()];
            });
        }
        (0..2).for_each(|node| pair.start(node));
        pair.run_for(DEADTIME * 5);
        assert_eq!(pair.runners(0), [0]);
        pair.power_off(0);
        pair.run_for(DEADTIME * 2);
        assert_eq!(pair.runners(0), [1], "and it fails over");
    }
}

#[test]
fn a_resource_in_front_of_the_line_makes_no_other_group_of_it() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.command(1, Command::Shutdown);
    pair.run_for(ms(500));
    pair.configure(1, |config| {
        config.haresources_digest = "new".to_owned();
        config.groups[0].name = "drbddisk::r0".to_owned();
        let address = "IPaddr::10.0.0.0".to_owned();
        config.groups[0].holds = vec!["data r0".to_owned(), address];
    });
    pair.start(1);
    pair.run_for(DEADTIME * 5);
    assert_eq!(pair.runners(0), [0]);
    assert_eq!(pair.view(1).groups[0].owner.as_deref(), Some("lb1"));
}

/// It may have died, or only the cable between: with one link nobody can tell, and the reason says so.
#[test]
fn a_node_that_is_only_silent_is_not_called_dead_in_reasons() {
    for (links, words) in [
        (1, "fell silent (over the only link"),
        (2, "silent on every link"),
    ] {
        let mut pair = Pair::new(2, &[0], Failback::On);
        for node in 0..2 {
            pair.configure(node, |config| {
                let link = config.links[0].clone();
                config.links = vec![link; links];
            });
            pair.start(node);
        }
        pair.run_for(INITDEAD);
        pair.cut = true;
        pair.run_for(DEADTIME * 2);
        let reason = pair.view(1).groups[0].reason.clone();
        assert!(
            reason.contains(words) && !reason.contains("died"),
            "{reason}"
        );
    }
}

#[test]
fn an_owner_says_when_nobody_could_take_over_from_it() {
    let mut pair = Pair::new(2, &[0], Failback::On);
    pair.broken = Some(0);
    (0..2).for_each(|node| pair.start(node));
    pair.run_for(ms(200));
    assert_eq!(pair.runners(0), [1]);
    let reason = |pair: &Pair| pair.view(1).groups[0].reason.clone();
    let lack = "a failover is not possible now: lb1 could not start it";
    assert!(reason(&pair).contains(lack), "{}", reason(&pair));
    pair.input(0, Input::Mended { group: GROUP });
    pair.run_for(ms(100));
    assert!(!reason(&pair).contains("not possible"), "{}", reason(&pair));
}
