#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::{Failback, GroupConfig, NodeName};
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// As the `node` lines of [`config`] stand.
const LB2: NodeId = NodeId::new(0);
const LB1: NodeId = NodeId::new(1);

/// Ids that are neither dense nor in order: nobody may count on either.
fn group_id(place: usize) -> GroupId {
    GroupId::new(1_000_000 - 7 * u32::try_from(place).unwrap())
}

#[expect(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made otherwise; its value does not matter here"
)]
fn config(groups: usize) -> Config {
    let name = |name| NodeName::new(name).unwrap();
    let group = |index| GroupConfig {
        name: format!("IPaddr::10.0.{}.{}", index / 250, index % 250),
        holds: Vec::new(),
        preferred: name("lb1"),
        resources: Vec::new(),
    };
    Config {
        local: name("lb1"),
        nodes: vec![name("lb2"), name("lb1")],
        links: std::iter::empty().collect(),
        pings: std::iter::empty().collect(),
        keepalive: Duration::from_millis(100),
        warntime: Duration::from_millis(500),
        deadtime: Duration::from_secs(1),
        initdead: Duration::from_secs(2),
        deadping: Duration::from_secs(1),
        failback: Failback::On,
        groups: (0..groups)
            .map(|place| (group_id(place), group(place)))
            .collect(),
        haresources_digest: "d41d8cd98f00b204".to_owned(),
        uuid: [1; 16],
        generation: 1,
        seed: 0,
        hopfudge: 1,
        max_rexmit_delay: Duration::from_millis(250),
        retry_failed: Duration::from_secs(1),
        retry_stop: Duration::from_secs(1),
        hold_down: Duration::from_secs(1),
        known: Vec::new(),
        wall: (Instant::now(), 0),
    }
}

fn report(groups: usize, epoch: u64) -> Report {
    let life = Life {
        generation: u64::MAX,
        wakes: 3,
    };
    let told = GroupReport {
        run: RunState::Running,
        readiness: [
            Readiness::Unsaid,
            Readiness::Still,
            Readiness::Busy,
            Readiness::Lingers,
        ][epoch as usize % 4],
        claim: Claim {
            epoch,
            owner: Some(LB2),
            cause: Cause::Failover,
        },
    };
    Report {
        wakes: 2,
        leaving: true,
        gone: false,
        digest: "d41d8cd98f00b204".to_owned(),
        heard: BTreeMap::from([(
            LB2,
            Heard {
                life,
                proven: epoch != 7,
            },
        )]),
        groups: (0..groups).map(|place| (group_id(place), told)).collect(),
        relay: Relay::default(),
    }
}

/// With what a third node cannot hear.
fn relaying(mut report: Report) -> Report {
    report.relay.nodes.extend([LB1, LB2]);
    report.gone = true;
    let objection = ((LB2, group_id(0)), RunState::Stuck);
    report.relay.objections.extend([objection]);
    report
}

fn written(report: &Report, groups: usize) -> (Codec, Roster, Message) {
    let config = config(groups);
    let (codec, roster) = (Codec::new(&config), Roster::new(&config));
    let mut message = Message::new("status");
    codec.write(report, &roster, &mut message);
    (codec, roster, message)
}

#[test]
fn a_report_comes_back_as_it_was_written() {
    for report in [
        report(0, 1),
        report(1, 7),
        report(40, u64::MAX),
        relaying(report(2, 3)),
    ] {
        let (codec, roster, message) = written(&report, report.groups.len());
        assert_eq!(codec.read(&message, &roster), Some(report));
    }
}

#[test]
fn owners_are_named_by_the_place_in_the_message() {
    let (codec, roster, mut message) = written(&report(1, 7), 1);
    assert_eq!(message.text("hbn"), Some("~ffffffffffffffff.3/lb2 -/lb1"));
    let swapped = "-/lb1 ffffffffffffffff.3/lb2";
    message.set_text("hbn", swapped);
    let read = codec.read(&message, &roster).unwrap();
    let claim = read.groups[&group_id(0)].claim;
    assert_eq!(
        claim.owner,
        Some(LB1),
        "the same place means another node now"
    );
}

#[test]
fn an_owner_that_is_not_configured_here_is_nobody() {
    let (codec, roster, mut message) = written(&report(1, 7), 1);
    message.set_text("hbn", "1.0/mallory -/lb1");
    let read = codec.read(&message, &roster).unwrap();
    assert_eq!(read.groups[&group_id(0)].claim.owner, None);
    assert!(read.heard.is_empty());
}

#[test]
fn groups_are_found_whatever_their_place() {
    let (codec, roster, message) = written(&report(2, 7), 2);
    let mut turned = message.clone();
    let mut entries: Vec<&str> = message.text("hbg").unwrap().split(' ').collect();
    entries.reverse();
    turned.set_text("hbg", entries.join(" "));
    assert_eq!(codec.read(&turned, &roster), codec.read(&message, &roster));
    entries.pop();
    turned.set_text("hbg", entries.join(" "));
    let read = codec.read(&turned, &roster).unwrap();
    let ids: Vec<GroupId> = read.groups.into_keys().collect();
    assert_eq!(ids, [group_id(1)]);
}

/// A codec for groups that hold these things.
fn holding(groups: &[&[&str]]) -> (Codec, Roster) {
    let mut config = config(groups.len());
    for (group, held) in config.groups.values_mut().zip(groups) {
        group.name = format!("{held:?}");
        group.holds = held.iter().map(|&held| held.to_owned()).collect();
    }
    (Codec::new(&config), Roster::new(&config))
}

#[test]
fn groups_that_hold_the_same_are_one_whatever_they_are_called() {
    let (old, roster) = holding(&[&["a"], &["b"]]);
    let (new, _) = holding(&[&["c"], &["a", "d"]]);
    let mut message = Message::new("status");
    new.write(&report(2, 7), &roster, &mut message);
    let read = old.read(&message, &roster).unwrap();
    let ids: Vec<GroupId> = read.groups.into_keys().collect();
    assert_eq!(ids, [group_id(0)], "a resource was put in front");
}

#[test]
fn a_group_that_another_node_has_in_two_holds_what_either_holds() {
    let (split, roster) = holding(&[&["a"], &["b"]]);
    let (joined, _) = holding(&[&["a", "b"]]);
    let mut told = report(2, 7);
    let idle = GroupReport {
        run: RunState::Stopped,
        readiness: Readiness::Still,
        claim: Claim::default(),
    };
    told.groups.insert(group_id(0), idle);
    let mut message = Message::new("status");
    split.write(&told, &roster, &mut message);
    let read = joined.read(&message, &roster).unwrap();
    let running = told.groups[&group_id(1)];
    assert_eq!(read.groups, BTreeMap::from([(group_id(0), running)]));
}

#[test]
fn a_thousand_groups_fit_into_one_packet() {
    let (_, _, message) = written(&report(MAX_GROUPS, 1 << 40), MAX_GROUPS);
    let bytes = message.text("hbg").unwrap().len();
    assert!(
        bytes < crate::wire::frame::MAX_PACKET - 16 * 1024,
        "{bytes}"
    );
}

/// Every limit at once: names, nodes, groups, numbers. What `hbd check` accepts can be sent.
#[test]
fn the_largest_report_fits_into_one_packet() {
    let names: Vec<String> = (0..MAX_NODES)
        .map(|n| format!("{n:0width$}", width = NodeName::MAX_BYTES))
        .collect();
    let nodes: Vec<NodeName> = names
        .iter()
        .filter_map(|name| NodeName::new(name))
        .collect();
    let mut all = config(MAX_GROUPS);
    all.local = nodes[0].clone();
    all.nodes.clone_from(&nodes);
    for group in all.groups.values_mut() {
        group.preferred = nodes[0].clone();
    }
    let (roster, codec) = (Roster::new(&all), Codec::new(&all));
    let life = Life {
        generation: u64::MAX,
        wakes: u64::MAX,
    };
    let mut full = report(MAX_GROUPS, u64::MAX);
    let last = roster.order().last().unwrap();
    let objections =
        (0..MAX_OBJECTIONS).map(|group| ((last, group_id(group % MAX_GROUPS)), RunState::Stuck));
    full.relay.objections.extend(objections);
    let proven = false;
    let heard = roster.order().map(|node| (node, Heard { life, proven }));
    full.heard = heard.collect();
    let mut message = Message::new("status");
    codec.write(&full, &roster, &mut message);
    let bytes: usize = FIELDS
        .iter()
        .filter_map(|name| message.text(name))
        .map(str::len)
        .sum();
    // The rest of a status: its own fields, names, lengths, digests; less than half of this.
    let rest = 3072;
    assert!(bytes + rest < crate::wire::frame::MAX_PACKET, "{bytes}");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(nodes in "\\PC{0,80}", groups in "\\PC{0,120}") {
        let (codec, roster, mut message) = written(&report(2, 7), 2);
        message.set_text("hbn", nodes);
        message.set_text("hbg", groups);
        let _ = codec.read(&message, &roster);
    }

    #[test]
    fn no_damaged_report_makes_the_reader_panic(place in 0_usize..400, byte in any::<u8>()) {
        let (codec, roster, mut message) = written(&report(3, 7), 3);
        let mut text = message.bytes("hbg").unwrap().to_vec();
        let place = place % text.len();
        text[place] = byte;
        message.set_text("hbg", text);
        let _ = codec.read(&message, &roster);
    }
}
