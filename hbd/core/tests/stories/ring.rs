//! Three nodes in a ring of serial lines: everybody hears everybody while one line at most is cut,
//! and nothing circles.

use super::{is_start, ms};
use crate::pair::{DEADTIME, KEEPALIVE, LINE_TO_NEXT, Pair};
use ha_status::NodeStatus;
use hbd_core::config::Received;
use hbd_core::input::Input;
use hbd_core::output::{Notice, Output};
use hbd_core::wire::Message;

fn all_see_all(pair: &Pair) -> bool {
    (0..3).all(|node| {
        let nodes = pair.view(node).nodes;
        nodes.iter().all(|other| other.status == NodeStatus::Active)
    })
}

fn deaths(pair: &Pair) -> usize {
    let dead = |output: &Output| matches!(output, Output::Notice(Notice::NodeDead { .. }));
    let outputs = pair.outputs.iter();
    outputs.filter(|(_, _, output)| dead(output)).count()
}

#[test]
fn ring_with_one_line_cut_still_reaches_every_node() {
    for cut in 0..3 {
        let mut pair = Pair::in_a_ring(3, &[0]);
        assert!(all_see_all(&pair));
        pair.ring[cut] = false;
        pair.run_for(DEADTIME * 5);
        assert!(all_see_all(&pair), "line {cut}");
        assert_eq!(deaths(&pair), 0);
        assert_eq!(pair.runners(0), [0]);
        assert_eq!(pair.when(|_, output| is_start(output)), None);
    }
}

#[test]
fn two_lines_cut_leave_one_node_alone() {
    let mut pair = Pair::in_a_ring(3, &[0]);
    pair.ring = vec![true, false, false];
    pair.run_for(DEADTIME * 2);
    assert_eq!(pair.view(0).nodes[2].status, NodeStatus::Dead);
    assert_eq!(pair.view(0).nodes[1].status, NodeStatus::Active);
    assert_eq!(pair.view(2).nodes[0].status, NodeStatus::Dead);
}

#[test]
fn nothing_circles_in_a_ring() {
    let mut pair = Pair::in_a_ring(3, &[0]);
    pair.run_for(ms(5000));
    let beats = 3 * 5000 / KEEPALIVE.as_millis() as usize;
    let passed = pair.outputs.iter().filter(|(_, _, output)| {
        matches!(output, Output::PassOn { message, .. } if message.kind() == "status")
    });
    // Each of the two that hear a heartbeat passes it on once, to one who has it already.
    let passed = passed.count();
    assert!(passed <= 2 * (beats + 10), "{passed} of {beats}");
    assert!(passed >= 2 * (beats - 10), "{passed} of {beats}");
    assert!(pair.said(0, "NS_rexmit").is_empty());
}

/// What one node passes on of a message, by its `ttl`.
fn passed(pair: &mut Pair, message: Message) -> Vec<Message> {
    pair.outputs.clear();
    let link = LINE_TO_NEXT;
    pair.input(0, Input::Received(Received { link, message }));
    let passed = pair
        .outputs
        .iter()
        .filter_map(|(_, node, output)| match output {
            Output::PassOn { message, from } if *node == 0 => {
                assert_eq!(*from, LINE_TO_NEXT);
                Some(message.clone())
            }
            _ => None,
        });
    passed.collect()
}

#[test]
fn each_step_takes_one_of_ttl_and_the_last_one_goes_no_further() {
    let mut pair = Pair::in_a_ring(3, &[0]);
    pair.run_for(KEEPALIVE * 2);
    let last = pair.said(1, "status").pop().unwrap();
    let own = pair.said(0, "status").pop().unwrap();
    let next = |step: u64, ttl: &str| {
        let mut message = last.clone();
        message.set_hex("seq", last.hex("seq").unwrap() + step);
        message.set_text("ttl", ttl);
        message
    };
    let on = passed(&mut pair, next(1, "4"));
    assert_eq!(on.len(), 1);
    assert_eq!(on[0].decimal("ttl"), Some(3));
    assert!(passed(&mut pair, next(1, "4")).is_empty(), "heard before");
    assert!(passed(&mut pair, next(2, "1")).is_empty());
    assert!(passed(&mut pair, next(3, "0")).is_empty());
    let mut bare = next(4, "4");
    bare.remove("ttl");
    assert!(passed(&mut pair, bare).is_empty());
    let mut stranger = next(5, "4");
    stranger.set_text("src", "nobody");
    assert!(passed(&mut pair, stranger).is_empty());
    assert!(passed(&mut pair, own).is_empty(), "our own");
}
