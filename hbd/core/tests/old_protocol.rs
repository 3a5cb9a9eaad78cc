//! What a real Heartbeat 3.0.6 sees of this node, and what this node makes of it.

#![allow(clippy::unwrap_used)]

mod pair;

use ha_status::NodeStatus;
use hbd_core::config::{Failback, LinkId};
use hbd_core::input::{Command, Input};
use hbd_core::output::{Notice, Output};
use hbd_core::wire::{Message, Reject, Value};
use pair::{KEEPALIVE, Pair, name};
use std::time::Duration;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn is_start(output: &Output) -> bool {
    matches!(output, Output::Start(_))
}

/// A status of an old Heartbeat on lb2.
fn old_message(kind: &str, seq: u64) -> Message {
    let mut message = Message::new(kind);
    match kind {
        "status" => {
            message.push_text("st", "active");
            message.set_hex("dt", 2000);
            message.push_text("protocol", "1");
        }
        "reqnodes" => message.push_text("dest", "lb1"),
        "shutdone" => message.push_text("st", "dead"),
        _ => {}
    }
    message.push_text("src", "lb2");
    message.push("srcuuid", Value::Binary(vec![9; 16]));
    message.set_hex("seq", seq);
    message.set_hex("hg", 1000);
    message.set_hex("ts", 1_700_000_000);
    message.push_text("ld", "n/a");
    message.push_text("ttl", "3");
    message
}

#[test]
fn an_old_peer_is_greeted_answered_and_left_in_peace() {
    let mut pair = Pair::new(2, &[0, 1], Failback::On);
    pair.start(0);
    pair.inject(0, old_message("status", 1));
    pair.inject(0, old_message("reqnodes", 2));
    pair.inject(0, old_message("starting", 3));
    for seq in 4..60 {
        pair.inject(0, old_message("status", seq));
        pair.run_for(KEEPALIVE);
    }
    let view = pair.view(0);
    assert_eq!(
        (view.nodes[1].status, view.nodes[1].extended),
        (NodeStatus::Active, false)
    );
    assert_eq!(
        view.nodes[1].deadtime_ms, 2000,
        "an old peer names its own dead time"
    );
    assert!(!view.extended);
    assert_eq!(pair.when(|_, output| is_start(output)), None);
    assert!(
        view.groups[0].reason.contains("old Heartbeat"),
        "{}",
        view.groups[0].reason
    );
    let old = Notice::OldPeer { node: name(1) };
    assert_eq!(pair.notices(0).iter().filter(|n| **n == old).count(), 1);

    assert_eq!(pair.said(0, "starting").len(), 1);
    let resource = &pair.said(0, "resource")[0];
    let text = |field| resource.text(field).unwrap();
    assert_eq!(
        (text("rsc_hold"), text("rtype"), text("isstable")),
        ("none", "full", "1")
    );
    let repnodes = &pair.said(0, "repnodes")[0];
    assert_eq!(repnodes.text("nodelist"), Some("lb1 lb2 "));
    assert_eq!(repnodes.text("delnodelist"), Some(" "));
    assert_eq!(repnodes.binary("destuuid"), Some(&[9; 16][..]));
    let acks = pair.said(0, "NS_ackmsg");
    assert!(acks.len() >= 5, "{}", acks.len());
    assert!(
        acks.iter()
            .all(|ack| ack.text("seq").is_none() && ack.text("ld").is_none())
    );

    pair.inject(0, old_message("shutdone", 60));
    pair.inject(0, old_message("status", 61));
    assert_eq!(pair.view(0).nodes[1].status, NodeStatus::Left);
    pair.run_for(ms(10));
    assert_eq!((pair.runners(0), pair.runners(1)), (vec![0], vec![0]));
}

#[test]
fn an_old_peer_hears_a_stopping_node_for_two_more_seconds() {
    let mut pair = Pair::new(2, &[0], Failback::On);
    pair.start(0);
    pair.inject(0, old_message("status", 1));
    pair.command(0, Command::Shutdown);
    pair.run_for(ms(50));
    assert_eq!(pair.said(0, "shutdone")[0].text("st"), Some("dead"));
    let before = pair.said(0, "status").len();
    pair.run_for(ms(1900));
    assert!(pair.is_up(0));
    assert!(pair.said(0, "status").len() >= before + 18);
    pair.run_for(ms(200));
    assert!(!pair.is_up(0));
}

#[test]
fn a_status_has_the_fields_of_the_old_protocol_in_order() {
    let mut pair = Pair::new(2, &[0], Failback::On);
    pair.start(0);
    pair.input(0, Input::Load("0.00 0.01 0.05 1/123 4567\n".to_owned()));
    pair.run_for(ms(500));
    let said = pair.said(0, "status");
    let states: Vec<_> = said.iter().map(|m| m.text("st").unwrap()).take(3).collect();
    assert_eq!(states, ["init", "up", "up"]);
    let fields: Vec<&str> = said[0].fields().map(|(name, _)| name).collect();
    let (own, rest) = fields.split_at(4);
    assert_eq!(own, ["t", "st", "dt", "protocol"]);
    let standard: Vec<&&str> = rest.iter().filter(|name| !name.starts_with("hb")).collect();
    assert_eq!(
        standard,
        [&"src", &"srcuuid", &"seq", &"hg", &"ts", &"ld", &"ttl"]
    );
    for (seq, message) in (1..).zip(&said) {
        assert_eq!(message.hex("seq"), Some(seq));
    }
    let last = said.last().unwrap();
    assert_eq!(last.text("ttl"), Some("3"));
    assert_eq!(last.hex("dt"), Some(1000));
    assert_eq!(last.text("ld"), Some("0.00 0.01 0.05 1/123 4567"));
}

#[test]
fn a_lost_message_is_asked_for_and_sent_again() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    let last = pair.said(0, "status");
    assert!(last.is_empty());
    pair.cut = true;
    pair.run_for(KEEPALIVE * 2);
    pair.cut = false;
    pair.run_for(ms(1000));
    let lost = |notice: &Notice| matches!(notice, Notice::PacketsLost { .. });
    assert!(pair.notices(1).iter().any(lost));
    assert!(
        pair.notices(1)
            .contains(&Notice::PacketsRecovered { node: name(0) })
    );
    assert!(!pair.said(1, "NS_rexmit").is_empty());
}

#[test]
fn an_announced_dead_time_is_believed_within_reason() {
    for (asked, believed) in [(5000, 5000), (u64::MAX, 63_000), (1, 200), (0, 1000)] {
        let mut pair = Pair::new(2, &[0], Failback::On);
        pair.start(0);
        let mut status = old_message("status", 1);
        status.set_hex("dt", asked);
        pair.inject(0, status);
        assert_eq!(pair.view(0).nodes[1].deadtime_ms, believed, "dt {asked}");
    }
}

#[test]
fn strangers_replays_and_rejects_are_counted_and_told_once() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    for seq in 1..5 {
        let mut stranger = old_message("status", seq);
        stranger.set_text("src", "mallory");
        pair.inject(0, stranger);
        let mut replay = old_message("status", seq);
        replay.set_hex("hg", 0);
        pair.inject(0, replay);
        let (link, reason) = (LinkId(0), Reject::BadDigest);
        pair.input(0, Input::Rejected { link, reason });
    }
    let count = |wanted: fn(&Notice) -> bool| {
        pair.notices(0)
            .iter()
            .filter(|notice| wanted(notice))
            .count()
    };
    assert_eq!(count(|n| matches!(n, Notice::UnknownNode { .. })), 1);
    assert_eq!(count(|n| matches!(n, Notice::Replay { .. })), 1);
    let counters = pair.view(0).counters;
    assert_eq!((counters.replays, counters.rejected_digest), (4, 4));
    assert_eq!(pair.view(0).nodes[1].status, NodeStatus::Active);
}

#[test]
fn our_own_packets_heard_back_change_nothing() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.run_for(KEEPALIVE * 2);
    let own = pair.said(0, "status").pop().unwrap();
    let before = pair.view(0).links;
    pair.inject(0, own);
    assert_eq!(pair.view(0).links, before);
}
