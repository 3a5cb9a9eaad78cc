//! Packets that somebody recorded and plays back, and nodes that look like that: installed anew,
//! or named as another one.

#![allow(clippy::unwrap_used)]

mod pair;

use ha_status::{LinkState, NodeStatus, RefusedReason};
use hbd_core::config::Failback;
use hbd_core::input::Command;
use hbd_core::output::{Notice, Output};
use hbd_core::wire::Message;
use pair::{DEADTIME, INITDEAD, KEEPALIVE, Pair, name};
use std::time::Duration;

/// A fresh node waits for so many keepalives, and a little longer.
const WAITS: u128 = INITDEAD.as_millis() / KEEPALIVE.as_millis() - 1;
const SHORT: Duration = Duration::from_millis(50);

/// Everything that a node has said so far.
fn recorded(pair: &Pair, node: usize) -> Vec<Message> {
    let sent = pair.outputs.iter().filter(|(_, from, _)| *from == node);
    let sent = sent.filter_map(|(_, _, output)| match output {
        Output::Send(message) => Some(message.clone()),
        _ => None,
    });
    sent.collect()
}

fn play(pair: &mut Pair, node: usize, tape: &[Message]) {
    for message in tape {
        pair.inject(node, message.clone());
    }
}

/// The whole life of a pair on tape: both run, lb2 stops in order, comes back, and loses power.
fn taped() -> (Pair, Vec<Message>) {
    let mut pair = Pair::running(2, &[1], Failback::On);
    pair.run_for(DEADTIME);
    pair.command(1, Command::Shutdown);
    pair.run_for(DEADTIME);
    pair.start(1);
    pair.run_for(DEADTIME);
    let tape = recorded(&pair, 1);
    assert!(tape.iter().any(|message| message.kind() == "shutdone"));
    pair.power_off(1);
    (pair, tape)
}

#[test]
fn a_tape_neither_moves_a_fresh_node_nor_keeps_it_waiting() {
    let (mut pair, tape) = taped();
    pair.power_off(0);
    pair.run_for(DEADTIME);
    pair.outputs.clear();
    pair.start(0);
    for _ in 0..WAITS {
        play(&mut pair, 0, &tape);
        pair.run_for(KEEPALIVE);
        assert_eq!(pair.view(0).nodes[1].status, NodeStatus::Init);
        assert!(pair.runners(0).is_empty(), "the peer may live");
    }
    let refused = pair.view(0).refused;
    assert_eq!(refused.len(), 1);
    play(&mut pair, 0, &tape);
    pair.run_for(KEEPALIVE * 2);
    assert_eq!(pair.runners(0), [0], "it waited for a tape");
    assert_eq!(pair.view(0).links[0].state, LinkState::Init);
}

/// The same with nothing kept on disk: the node itself is new.
#[test]
fn a_tape_cannot_move_a_node_without_a_past() {
    let (mut pair, tape) = taped();
    pair.power_off(0);
    pair.configure(0, |config| config.known.clear());
    pair.start(0);
    for _ in 0..WAITS {
        play(&mut pair, 0, &tape);
        pair.run_for(KEEPALIVE);
        assert_eq!(pair.view(0).nodes[1].status, NodeStatus::Init);
    }
    let told = &pair.view(0).refused[0];
    assert_eq!(told.reason, RefusedReason::Unanswered);
    pair.run_for(KEEPALIVE * 2);
    assert_eq!(pair.runners(0), [0]);
}

#[test]
fn a_live_peer_is_heard_through_its_own_tape() {
    let (mut pair, tape) = taped();
    pair.power_off(0);
    pair.start(1);
    pair.run_for(INITDEAD + DEADTIME);
    assert_eq!(pair.runners(0), [1]);
    pair.outputs.clear();
    pair.start(0);
    play(&mut pair, 0, &tape);
    for _ in 0..20 {
        pair.run_for(KEEPALIVE);
        play(&mut pair, 0, &tape);
        assert_eq!(pair.runners(0), [1], "the tape's goodbye was believed");
    }
    assert_eq!(pair.view(0).nodes[1].status, NodeStatus::Active);
}

#[test]
fn messages_without_number_count_for_the_life_that_they_were_meant_for() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.run_for(DEADTIME * 2);
    let mut tape = recorded(&pair, 1);
    tape.retain(|message| message.kind() == "NS_ackmsg");
    let last = tape.last().unwrap().hex("ackseq").unwrap();
    // Our own restart: what acknowledged the numbers of another life says nothing now, not even of
    // the same numbers.
    pair.kill(0);
    pair.start(0);
    let number = |pair: &Pair| pair.said(0, "status").last().unwrap().hex("seq").unwrap();
    pair.run_until(KEEPALIVE * 100, |pair| number(pair) + 2 == last);
    pair.cut = true;
    pair.run_for(KEEPALIVE * 4);
    assert!(number(&pair) > last, "what the tape acknowledges is lost");
    play(&mut pair, 0, &tape);
    pair.cut = false;
    pair.outputs.clear();
    pair.run_for(DEADTIME);
    assert!(
        pair.notices(1)
            .contains(&Notice::PacketsRecovered { node: name(0) })
    );
    // A dead link stays dead, whatever is played over it.
    let tape = recorded(&pair, 1);
    pair.power_off(1);
    pair.run_for(DEADTIME * 2);
    assert_eq!(pair.view(0).links[0].state, LinkState::Dead);
    play(&mut pair, 0, &tape);
    assert_eq!(pair.view(0).links[0].state, LinkState::Dead);
    assert_eq!(pair.view(0).nodes[1].status, NodeStatus::Dead);
}

/// The restart of a peer: what its earlier life had lost for good, the present one may still have.
#[test]
fn an_earlier_life_gives_up_nothing_of_the_present_one() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.run_for(DEADTIME * 2);
    let mut recording = pair.said(1, "NS_ackmsg").pop().unwrap();
    pair.kill(1);
    pair.start(1);
    pair.run_for(DEADTIME);
    pair.cut = true;
    pair.run_for(KEEPALIVE * 3);
    pair.cut = false;
    pair.outputs.clear();
    let lost = |notice: &Notice| match notice {
        Notice::PacketsLost { from, to, .. } => Some(*from..=*to),
        _ => None,
    };
    pair.run_until(DEADTIME, |pair| {
        pair.notices(0).iter().any(|n| lost(n).is_some())
    });
    let numbers = pair.notices(0).iter().find_map(lost).unwrap();
    recording.set_text("t", "NS_nak_rexmit");
    for number in numbers {
        recording.set_hex("firstseq", number);
        pair.inject(0, recording.clone());
    }
    assert!(matches!(
        pair.view(0).refused[0].reason,
        RefusedReason::Replay { .. }
    ));
    pair.run_for(DEADTIME);
    let told = pair.notices(0);
    let gone = |notice: &Notice| matches!(notice, Notice::PacketsGone { .. });
    assert!(!told.iter().any(gone), "{told:?}");
    assert!(told.contains(&Notice::PacketsRecovered { node: name(1) }));
}

#[test]
fn a_node_installed_anew_comes_back_although_its_clock_stood_in_1970() {
    let mut pair = Pair::new(2, &[1], Failback::On);
    pair.reinstall(1, 1000, [2; 16]);
    (0..2).for_each(|node| pair.start(node));
    pair.run_for(INITDEAD);
    let tape = recorded(&pair, 1);
    pair.power_off(1);
    // The clock is behind, the identity is the old one: refused, with a reason that is shown.
    pair.reinstall(1, 0, [2; 16]);
    pair.start(1);
    pair.run_for(DEADTIME * 2);
    let view = pair.view(0);
    assert_eq!(view.nodes[1].status, NodeStatus::Dead);
    assert!(matches!(
        view.refused[0].reason,
        RefusedReason::Replay { .. }
    ));
    assert_eq!(view.refused[0].node.as_deref(), Some("lb2"));
    let meaning = view.refused[0].meaning();
    assert!(meaning.contains("hb_uuid"), "{meaning}");
    // A new identity: it is back at once, and the group with it.
    pair.power_off(1);
    pair.run_for(DEADTIME);
    pair.reinstall(1, 0, [77; 16]);
    pair.start(1);
    pair.run_for(INITDEAD);
    let view = pair.view(0);
    assert_eq!(view.nodes[1].status, NodeStatus::Active);
    assert!(view.refused.is_empty());
    assert_eq!(pair.runners(0), [1]);
    // The old identity is over for good, however high its generations were.
    play(&mut pair, 0, &tape);
    pair.run_for(SHORT);
    assert_eq!(pair.runners(0), [1]);
    assert!(matches!(
        pair.view(0).refused[0].reason,
        RefusedReason::Replay { .. }
    ));
}

#[test]
fn a_node_takes_nothing_while_another_one_has_its_name() {
    let mut pair = Pair::new(2, &[0, 1], Failback::On);
    pair.configure(1, |config| config.local = name(0));
    pair.start(0);
    pair.start(1);
    pair.run_for(INITDEAD * 2);
    for node in 0..2 {
        assert!(pair.notices(node).contains(&Notice::SameName));
        let view = pair.view(node);
        assert!(
            view.groups
                .iter()
                .all(|group| group.reason.to_string().contains("name"))
        );
    }
    assert_eq!((pair.runners(0), pair.runners(1)), (vec![], vec![]));
    pair.power_off(1);
    pair.run_for(DEADTIME * 3);
    assert!(pair.notices(0).contains(&Notice::SameNameGone));
    assert_eq!((pair.runners(0), pair.runners(1)), (vec![0], vec![0]));
}

#[test]
fn our_own_recorded_packets_are_no_namesake() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.run_for(DEADTIME);
    let tape = recorded(&pair, 0);
    pair.power_off(0);
    pair.start(0);
    for _ in 0..20 {
        play(&mut pair, 0, &tape);
        pair.run_for(KEEPALIVE);
    }
    assert!(!pair.notices(0).contains(&Notice::SameName));
    assert_eq!(pair.runners(0), [0]);
}
