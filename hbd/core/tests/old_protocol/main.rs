//! What a real Heartbeat 3.0.6 sees of this node, and what this node makes of it.

#![allow(clippy::unwrap_used)]

mod disputes;
mod legacy;
#[path = "../pair/mod.rs"]
mod pair;
mod partitions;

use ha_status::NodeStatus;
use hbd_core::config::Failback;
use hbd_core::input::{AskId, Command, Input};
use hbd_core::output::{Notice, Output, Silence};
use hbd_core::wire::{Message, Reject, Value};
use pair::{DEADTIME, KEEPALIVE, LINK, Pair, name};
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

/// What it does not know it never gets to see: not even a question that is not for it.
#[test]
fn an_old_peer_is_not_asked_for_opinions() {
    let mut pair = Pair::new(2, &[0, 1], Failback::On);
    pair.start(0);
    for seq in 1..20 {
        pair.inject(0, old_message("status", seq));
        pair.run_for(KEEPALIVE);
    }
    let (id, services) = (AskId(1), vec![1]);
    pair.input(0, Input::Ask { id, services });
    let told = |output: &Output| match output {
        Output::Opinion { views, .. } => Some(views.clone()),
        _ => None,
    };
    let mut outputs = pair.outputs.iter();
    let told = outputs.find_map(|(_, _, output)| told(output));
    assert_eq!(told, Some(Err(Silence::NobodyElse)));
    assert!(pair.said(0, "NS_hbask").is_empty());
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
        view.groups[0].reason.to_string().contains("old Heartbeat"),
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

/// A message of an old Heartbeat on lb2 about resources.
fn about_resources(kind: &str, seq: u64, fields: &[(&'static str, &str)]) -> Message {
    let mut message = old_message(kind, seq);
    for (name, value) in fields {
        message.push_text(*name, *value);
    }
    message
}

fn old_report(seq: u64, holds: &str, stable: &str) -> Message {
    let fields = [("rsc_hold", holds), ("rtype", "full"), ("isstable", stable)];
    about_resources("resource", seq, &fields)
}

fn words<'a>(message: &'a Message, fields: &[&str]) -> Vec<&'a str> {
    let word = |field: &&str| message.text(field).unwrap_or("-");
    fields.iter().map(word).collect()
}

/// Without it the old daemon could neither settle nor be stopped (specification 7.10).
#[test]
fn an_old_peer_is_told_at_once_that_this_node_is_settled() {
    let mut pair = Pair::new(2, &[1], Failback::On);
    pair.start(0);
    pair.run_for(ms(10));
    pair.inject(0, old_message("status", 1));
    pair.run_for(ms(10));
    let told = |pair: &Pair| pair.said(0, "resource").len();
    assert_eq!((pair.said(0, "starting").len(), told(&pair)), (1, 1));
    let said = pair.said(0, "resource").remove(0);
    let fields = ["rsc_hold", "rtype", "isstable", "info"];
    assert_eq!(words(&said, &fields), ["none", "full", "1", "-"]);
    // A report that tells of a flux, then that it is over: answered, once.
    for (seq, stable, answers) in [(2, "0", 1), (3, "1", 2), (4, "1", 2)] {
        pair.inject(0, old_report(seq, "all", stable));
        assert_eq!(told(&pair), answers, "report {seq}");
    }
    // Nothing of what it holds is touched.
    pair.run_for(DEADTIME / 2);
    assert_eq!(pair.runners(0), Vec::<usize>::new());
    // Once it holds no foreign group, and we have none of our own, those count as ours.
    pair.inject(0, old_report(5, "local", "1"));
    let last = pair.said(0, "resource").pop().unwrap();
    assert_eq!(words(&last, &fields), ["local", "full", "1", "-"]);
}

#[test]
fn what_an_old_peer_gives_away_is_taken_and_its_question_is_answered() {
    let mut pair = Pair::new(2, &[0, 1], Failback::On);
    pair.start(0);
    pair.run_for(ms(10));
    pair.inject(0, old_message("status", 1));
    pair.inject(0, old_report(2, "all", "1"));
    pair.run_for(ms(10));
    assert_eq!((pair.runners(0), pair.runners(1)), (vec![], vec![]));
    let ask = |seq, info| {
        let fields = [("rsc_hold", "foreign"), ("info", info)];
        about_resources("ask_resources", seq, &fields)
    };
    let said = |pair: &Pair| pair.said(0, "ask_resources").pop().unwrap();
    pair.inject(0, ask(3, "me"));
    let fields = ["rsc_hold", "info"];
    assert_eq!(words(&said(&pair), &fields), ["foreign", "other"]);
    pair.inject(0, old_report(4, "local", "0"));
    pair.run_for(ms(10));
    assert!(pair.runners(0).is_empty(), "it is still releasing");
    let reports = pair.said(0, "resource").len();
    pair.inject(0, ask(5, "done"));
    assert_eq!(words(&said(&pair), &fields), ["foreign", "done"]);
    // Never that we hold nothing of it: the giver would complain that nobody does.
    let since = pair.said(0, "resource").split_off(reports);
    assert_eq!(since.len(), 1);
    assert_eq!(words(&since[0], &["rsc_hold", "isstable"]), ["local", "1"]);
    pair.run_for(ms(10));
    assert_eq!((pair.runners(0), pair.runners(1)), (vec![0], vec![]));
    let last = pair.said(0, "resource").pop().unwrap();
    assert_eq!(words(&last, &["rsc_hold", "isstable"]), ["local", "1"]);
    // It stops: what it held is ours at once.
    pair.inject(0, old_message("shutdone", 6));
    pair.run_for(ms(10));
    assert_eq!((pair.runners(0), pair.runners(1)), (vec![0], vec![0]));
}

#[test]
fn a_node_takes_what_it_prefers_when_an_old_peer_has_settled_without_it() {
    let mut pair = Pair::new(2, &[0, 1], Failback::On);
    pair.start(0);
    pair.inject(0, old_message("status", 1));
    pair.inject(0, old_report(2, "local", "0"));
    pair.run_for(ms(10));
    assert!(pair.runners(0).is_empty(), "it may still take more");
    pair.inject(0, old_report(3, "local", "1"));
    pair.run_for(ms(10));
    assert_eq!((pair.runners(0), pair.runners(1)), (vec![0], vec![]));
}

#[test]
fn an_old_peer_hears_a_stopping_node_for_two_more_seconds() {
    let mut pair = Pair::new(2, &[0], Failback::On);
    pair.start(0);
    pair.inject(0, old_message("status", 1));
    pair.command(0, Command::Shutdown);
    // So that it knows from the first moment on (specification 6.8).
    let said = pair.said(0, "resource").pop().unwrap();
    let fields = ["rsc_hold", "rtype", "isstable", "info"];
    assert_eq!(words(&said, &fields), ["none", "full", "0", "shutdown"]);
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

/// `cl_status clientstatus` on the old node waits for the answer, and has no other use for it.
#[test]
fn an_old_peer_that_asks_for_clients_is_told_that_there_are_none() {
    let mut pair = Pair::new(2, &[0], Failback::On);
    pair.start(0);
    pair.inject(0, old_message("status", 1));
    for (seq, dest) in [(2, "lb3"), (3, "lb1")] {
        let fields = [("dest", dest), ("cn", "ipfail"), ("from_id", "4711")];
        pair.inject(0, about_resources("query-cstatus", seq, &fields));
    }
    let said = pair.said(0, "respond-cstatus");
    let fields = ["dest", "result", "cn", "to_id", "cs"];
    let answers: Vec<_> = said.iter().map(|answer| words(answer, &fields)).collect();
    assert_eq!(answers, [["lb2", "OK", "ipfail", "4711", "offline"]]);
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
        let (link, reason) = (LINK, Reject::BadDigest);
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
