//! What the files of the simulated nodes say.

use crate::faults::{HOLD_DOWN, MOST_NODES, Plan};
use hbd_core::config::{
    Config, Failback, GroupConfig, GroupId, LinkConfig, LinkId, MAX_GROUPS, NodeName, PingConfig,
    ResourceConfig,
};
use std::time::{Duration, Instant};

/// The id of the group at a place. Neither dense nor in order: nobody may count on either.
pub(crate) fn group_id(place: usize) -> GroupId {
    GroupId::new(90_000 - 7 * place as u32)
}

pub(crate) fn place_of(group: GroupId) -> usize {
    let mut places = 0..=MAX_GROUPS;
    let place = places.find(|place| group_id(*place) == group);
    place.expect("the group is of this cluster")
}

pub(crate) fn link_id(place: u16) -> LinkId {
    LinkId::new(50 - 3 * u32::from(place))
}

pub(crate) const GATEWAY: LinkId = LinkId::new(7);

/// A node's configuration for one life, whose clock says `now`.
pub(crate) fn config(plan: &Plan, node: usize, generation: u64, now: Instant) -> Config {
    let odd = plan.at_odds && node + 1 == plan.nodes;
    let shift = usize::from(odd);
    let group = |(index, preferred): (usize, &usize)| GroupConfig {
        name: format!("IPaddr::10.0.0.{index}/24/eth0"),
        holds: Vec::new(),
        preferred: name((preferred + shift) % plan.nodes),
        resources: vec![ResourceConfig {
            script: "IPaddr".to_owned(),
            args: vec![format!("10.0.0.{index}/24/eth0")],
        }],
    };
    let groups = plan.groups.iter().enumerate().map(group);
    let link = |index: u16| LinkConfig {
        medium: "ucast".to_owned(),
        device: format!("eth{index}"),
        passes_on: false,
    };
    Config {
        local: name(node),
        nodes: (0..plan.nodes).map(name).collect(),
        links: (0..plan.links).map(|at| (link_id(at), link(at))).collect(),
        pings: plan.gateway.then(gateway).into_iter().collect(),
        keepalive: Duration::from_micros(plan.keepalive),
        warntime: Duration::from_micros(plan.deadtime / 2),
        deadtime: Duration::from_micros(plan.deadtime),
        initdead: Duration::from_micros(plan.initdead),
        deadping: Duration::from_micros(plan.deadtime),
        failback: if plan.failback[node] {
            Failback::On
        } else {
            Failback::Off
        },
        groups: (0..).map(group_id).zip(groups).collect(),
        haresources_digest: "digest".to_owned(),
        uuid: [node as u8 + 1; 16],
        generation,
        seed: node as u64,
        hopfudge: 1,
        max_rexmit_delay: Duration::from_millis(250),
        retry_failed: Duration::from_micros(plan.retry_failed),
        retry_stop: Duration::from_micros(plan.retry_stop),
        hold_down: Duration::from_micros(HOLD_DOWN),
        known: Vec::new(),
        wall: (now, 1_700_000_000_000),
    }
}

fn gateway() -> (LinkId, PingConfig) {
    let gateway = PingConfig {
        name: NodeName::new("10.0.0.254").expect("a legal name"),
        medium: "ping".to_owned(),
    };
    (GATEWAY, gateway)
}

/// In an order that is not that of the `node` lines.
const NAMES: [&str; MOST_NODES] = [
    "mike", "alfa", "zulu", "kilo", "echo", "yankee", "golf", "bravo", "tango", "delta", "papa",
    "hotel", "victor", "india", "oscar", "lima",
];

pub(crate) fn name(node: usize) -> NodeName {
    NodeName::new(NAMES[node]).expect("a legal name")
}
