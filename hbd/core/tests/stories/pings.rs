//! Ping nodes: what their answers and their silence mean for those who ask.

use super::{GROUP, is_start, is_stop, ms};
use crate::pair::{DEADTIME, INITDEAD, KEEPALIVE, PING, Pair};
use ha_status::{LinkState, NodeKind, NodeStatus};
use hbd_core::config::{Failback, NodeName, PingConfig};
use hbd_core::output::{Notice, Output};
use std::time::Duration;

const GATEWAY: &str = "10.0.0.254";
const DEADPING: Duration = Duration::from_millis(700);

/// Nodes that ask a gateway; the group is at home on the first.
fn pair(answered: &[usize]) -> Pair {
    let mut pair = Pair::new(2, &[0], Failback::Off);
    for node in [0, 1] {
        pair.configure(node, |config| {
            let gateway = PingConfig {
                name: NodeName::new(GATEWAY).unwrap(),
                medium: "ping".to_owned(),
            };
            config.pings = std::iter::once((PING, gateway)).collect();
            config.deadping = DEADPING;
        });
    }
    pair.answered = answered.to_vec();
    for node in [0, 1] {
        pair.start(node);
    }
    pair.run_for(ms(2000));
    pair
}

fn status(pair: &Pair, node: usize) -> NodeStatus {
    let nodes = pair.view(node).nodes;
    let mut pings = nodes.iter().filter(|row| row.kind == NodeKind::Ping);
    pings.next().expect("a row for the gateway").status
}

#[test]
fn a_ping_node_is_shown_and_dies_of_its_own_deadtime() {
    let mut pair = pair(&[0]);
    assert_eq!(status(&pair, 0), NodeStatus::Ping);
    assert!(
        pair.notices(0)
            .contains(&Notice::PingAnswers { ping: PING })
    );
    let view = pair.view(0);
    let link = view.links.iter().find(|link| link.node == GATEWAY).unwrap();
    let shown = (link.medium.as_str(), link.device.as_str(), link.state);
    assert_eq!(shown, ("ping", GATEWAY, LinkState::Up));
    assert!(link.packets > 0 && link.heard_ms.is_some());
    pair.answered.clear();
    let took = pair.run_until(ms(2000), |pair| status(pair, 0) == NodeStatus::Dead);
    assert!(
        took + KEEPALIVE > DEADPING && took <= DEADPING + ms(1),
        "{took:?}"
    );
    let silent = |notice: &Notice| matches!(notice, Notice::PingSilent { ping: PING, .. });
    assert!(pair.notices(0).iter().any(silent));
    pair.answered = vec![0];
    pair.run_until(KEEPALIVE * 2, |pair| status(pair, 0) == NodeStatus::Ping);
}

/// Heartbeat waits for it until initdead (specification 11.1).
#[test]
fn a_ping_node_that_never_answers_keeps_nobody_waiting() {
    let mut pair = pair(&[]);
    assert_eq!(pair.runners(0), [0]);
    let started = pair.when(|node, output| node == 0 && is_start(output));
    assert!(started.unwrap() < INITDEAD / 3, "{started:?}");
    assert_eq!(status(&pair, 0), NodeStatus::Init);
    pair.run_for(INITDEAD);
    assert_eq!(status(&pair, 0), NodeStatus::Dead);
    assert!(
        !pair.notices(0).contains(&Notice::PingsLost),
        "never had any"
    );
}

#[test]
fn silence_while_this_node_itself_stood_still_does_not_count() {
    let mut pair = pair(&[0, 1]);
    pair.frozen = Some(0);
    pair.run_for(DEADPING * 4);
    pair.frozen = None;
    pair.outputs.clear();
    pair.run_for(DEADPING * 2);
    let silent = |notice: &Notice| matches!(notice, Notice::PingSilent { .. });
    assert!(!pair.notices(0).iter().any(silent));
}

#[test]
fn the_side_that_heard_the_gateway_keeps_what_it_took() {
    let mut pair = pair(&[0, 1]);
    pair.cut = true;
    pair.answered = vec![1];
    pair.run_for(DEADTIME * 3);
    assert_eq!(pair.runners(0), [0, 1], "they cannot know of each other");
    assert!(pair.notices(0).contains(&Notice::PingsLost));
    pair.cut = false;
    pair.answered = vec![0, 1];
    pair.outputs.clear();
    let took = pair.run_until(ms(1000), |pair| pair.runners(0) == [1]);
    assert!(took <= KEEPALIVE + ms(5), "{took:?}");
    pair.run_for(DEADTIME * 3);
    assert_eq!(pair.runners(0), [1]);
    let stopped = pair.when(|node, output| node == 1 && is_stop(output));
    assert_eq!(stopped, None, "clients were with it");
}

#[test]
fn a_gateway_that_is_away_for_a_while_changes_nothing_about_later_partitions() {
    let mut pair = pair(&[0, 1]);
    pair.answered.clear();
    pair.run_for(DEADPING * 2);
    assert_eq!(pair.runners(0), [0], "its silence alone moves nothing");
    pair.answered = vec![0, 1];
    pair.run_for(DEADTIME);
    pair.cut = true;
    pair.run_for(DEADTIME * 3);
    pair.cut = false;
    pair.run_for(DEADTIME * 3);
    assert_eq!(pair.runners(0), [0], "clients were with it all along");
    let lost = Notice::GroupConflictLost {
        group: GROUP,
        to: crate::pair::name(0),
    };
    assert!(pair.notices(1).contains(&lost));
}

#[test]
fn hops_count_ping_nodes_as_well() {
    let pair = pair(&[0]);
    let said = pair.outputs.iter().find_map(|(_, _, output)| match output {
        Output::Send(message) if message.kind() == "status" => message.decimal("ttl"),
        _ => None,
    });
    assert_eq!(said, Some(4), "hopfudge, two nodes and the gateway");
}
