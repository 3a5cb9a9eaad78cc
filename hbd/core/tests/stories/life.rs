//! How nodes come, go and are missed, and how often they speak.

use super::{is_start, ms};
use crate::pair::{DEADTIME, INITDEAD, KEEPALIVE, LINK, Pair, name};
use ha_status::{ClusterPhase, LinkState, RunState, SendTrouble};
use hbd_core::config::{Failback, LinkId};
use hbd_core::input::{Command, Input};
use hbd_core::output::{Notice, Output};

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
        pair.view(0).groups[0].reason.to_string().contains("lb2"),
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
fn links_come_and_go_with_what_is_heard() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    assert_eq!(pair.view(0).links[0].state, LinkState::Up);
    pair.power_off(1);
    pair.run_for(ms(2000));
    assert_eq!(pair.view(0).links[0].state, LinkState::Dead);
    let dead = Notice::LinkDead {
        node: name(1),
        link: LINK,
    };
    assert!(pair.notices(0).contains(&dead));
}

#[test]
fn a_medium_on_which_nothing_leaves_shows_why_and_since_when() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    let wrote = |pair: &mut Pair, result| {
        let link = LINK;
        pair.input(0, Input::LinkWrite { link, result });
        pair.view(0).links[0].not_sent
    };
    let began = pair.revision(0);
    let first = wrote(&mut pair, Err(SendTrouble::NoBuffers)).expect("nothing leaves");
    assert_eq!(first.trouble, SendTrouble::NoBuffers);
    assert_eq!(first.since_ms, pair.view(0).at_ms);
    assert!(pair.revision(0) > began, "followers see it");
    pair.run_for(ms(500));
    let later = wrote(&mut pair, Err(SendTrouble::Down)).expect("nor does it now");
    assert_eq!(
        (later.trouble, later.since_ms),
        (SendTrouble::Down, first.since_ms)
    );
    assert_eq!(wrote(&mut pair, Ok(())), None);
    assert_eq!(
        pair.view(0).links[0].state,
        LinkState::Up,
        "hearing goes on"
    );
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

/// What did not change is neither decided about nor shown again.
#[test]
fn plain_heartbeats_lead_to_no_new_snapshot() {
    let mut pair = Pair::running(3, &[0, 1, 2], Failback::On);
    let before = pair.revision(0);
    pair.run_for(KEEPALIVE * 20);
    assert_eq!(pair.revision(0), before);
    pair.power_off(2);
    pair.run_for(DEADTIME * 2);
    assert!(pair.revision(0) > before);
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
                let link = config.links.get(LINK).expect("every pair has it").clone();
                let ids = (0..links).map(LinkId::new);
                config.links = ids.map(|id| (id, link.clone())).collect();
            });
            pair.start(node);
        }
        pair.run_for(INITDEAD);
        pair.cut = true;
        pair.run_for(DEADTIME * 2);
        let reason = pair.view(1).groups[0].reason.to_string();
        assert!(
            reason.contains(words) && !reason.contains("died"),
            "{reason}"
        );
    }
}
