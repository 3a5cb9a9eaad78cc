//! Nodes that are told different things, or say what cannot be.

use super::GROUP;
use super::ms;
use crate::pair::{DEADTIME, KEEPALIVE, Pair, name};
use ha_status::{HoldSet, NodeStatus, RunState};
use hbd_core::config::{Config, Failback, GroupConfig};
use hbd_core::input::Command;
use hbd_core::output::{Done, Notice};
use hbd_core::wire::Message;

fn first_group(config: &mut Config) -> &mut GroupConfig {
    config.groups.get_mut(GROUP).expect("every pair has it")
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
fn two_that_expect_each_other_do_not_wait_for_ever() {
    let mut pair = Pair::new(2, &[1], Failback::On);
    pair.configure(1, |config| first_group(config).preferred = name(0));
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
    pair.configure(1, |config| first_group(config).preferred = name(1));
    (0..2).for_each(|node| pair.start(node));
    pair.run_for(ms(5000));
    assert_eq!(pair.runners(0).len(), 1);
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

/// It goes on speaking, and an operator can take the group from it all the same.
#[test]
fn a_node_whose_epoch_is_nonsense_blocks_no_takeover() {
    let mut pair = Pair::running(2, &[1], Failback::Off);
    pair.run_for(KEEPALIVE * 2);
    let mut status = pair.said(1, "status").pop().unwrap();
    pair.power_off(1);
    let groups = status.text("hbg").unwrap().to_owned();
    let mut parts: Vec<&str> = groups.split(',').collect();
    (parts[1], parts[2]) = ("sh", "ffffffffffffffff");
    status.set_text("hbg", parts.join(","));
    let speak = |pair: &mut Pair, status: &mut Message| {
        status.set_hex("seq", status.hex("seq").unwrap() + 1);
        pair.inject(0, status.clone());
        pair.run_for(KEEPALIVE);
    };
    for _ in 0..20 {
        speak(&mut pair, &mut status);
    }
    assert_eq!(pair.view(0).nodes[1].status, NodeStatus::Active);
    let id = pair.command(0, Command::Takeover(HoldSet::All));
    speak(&mut pair, &mut status);
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
                first_group(config).name = spelling.to_owned();
                first_group(config).holds = vec!["address 10.77.0.100".to_owned()];
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
        first_group(config).name = "drbddisk::r0".to_owned();
        let address = "IPaddr::10.0.0.0".to_owned();
        first_group(config).holds = vec!["data r0".to_owned(), address];
    });
    pair.start(1);
    pair.run_for(DEADTIME * 5);
    assert_eq!(pair.runners(0), [0]);
    assert_eq!(pair.view(1).groups[0].owner.as_deref(), Some("lb1"));
}
