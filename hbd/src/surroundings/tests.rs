#![allow(clippy::unwrap_used)]

use super::*;
use crate::resources::view::LinkRow;
use hbd_core::config::{NodeName, ResourceConfig};

const GROUP: GroupId = GroupId::new(41);

fn surroundings() -> Surroundings {
    let resource = |script: &str, args: &[&str]| ResourceConfig {
        script: script.to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
    };
    let group = GroupConfig {
        name: "group".to_owned(),
        holds: Vec::new(),
        preferred: NodeName::new("lb1").unwrap(),
        resources: vec![
            resource("IPaddr", &["10.0.0.5/24/eth0"]),
            resource("Filesystem", &["/dev/sda1", "/data", "ext4"]),
        ],
    };
    Surroundings::new(&std::iter::once((GROUP, group)).collect())
}

fn nothing() -> Surroundings {
    Surroundings::new(&std::iter::empty().collect())
}

fn view(names: &[&str], carrier: bool) -> View {
    let link = |name: &&str| LinkRow {
        index: 2,
        name: (*name).to_owned(),
        loopback: *name == "lo",
        up: true,
        carrier,
        mac: None,
    };
    View::new(names.iter().map(link).collect(), Vec::new())
}

fn media(works: bool) -> BTreeMap<String, bool> {
    BTreeMap::from([("eth1".to_owned(), works)])
}

fn told(inputs: &[Input]) -> Vec<String> {
    let words = inputs.iter().map(|input| match input {
        Input::Carrier { interface, carrier } => format!("{interface} {carrier}"),
        Input::Mended { group } => format!("mended {group:?}"),
        Input::Lost {
            group, resource, ..
        } => format!("lost {group:?} {resource}"),
        other => format!("{other:?}"),
    });
    words.collect()
}

#[test]
fn every_interface_of_media_and_addresses_is_told_and_each_change_once() {
    let mut all = surroundings();
    let there = view(&["eth0", "eth1"], true);
    let first = all.look(&there, &media(true));
    assert_eq!(told(&first), ["eth0 true", "eth1 true"]);
    assert!(all.look(&there, &media(true)).is_empty());
    let silent = all.look(&there, &media(false));
    assert_eq!(told(&silent), ["eth1 false"], "no address to speak from");
    let gone = all.look(&view(&["eth1"], true), &media(true));
    assert_eq!(told(&gone), ["eth0 false", "eth1 true"]);
}

#[test]
fn loopback_connects_with_nobody() {
    let mut all = nothing();
    let media = BTreeMap::from([("lo".to_owned(), true)]);
    assert!(all.look(&view(&["lo"], true), &media).is_empty());
}

#[test]
fn group_that_failed_for_want_of_its_interface_is_mended_when_that_is_back() {
    let mut all = surroundings();
    let gone = view(&[], true);
    all.look(&gone, &BTreeMap::new());
    let lost = all.lost("10.0.0.5".parse().unwrap(), "eth0", "gone", &gone);
    assert_eq!(told(&lost), ["lost GroupId(41) IPaddr::10.0.0.5/24/eth0"]);
    assert!(all.look(&gone, &BTreeMap::new()).is_empty());
    let back = view(&["eth0"], true);
    let mended = all.look(&back, &BTreeMap::new());
    assert_eq!(told(&mended), ["eth0 true", "mended GroupId(41)"]);
    assert!(all.look(&back, &BTreeMap::new()).is_empty());
}

#[test]
fn group_that_failed_for_another_reason_is_not_mended_by_an_interface() {
    let mut all = surroundings();
    let there = view(&["eth0"], true);
    all.look(&there, &BTreeMap::new());
    all.failed(GROUP, &there);
    assert!(all.look(&there, &BTreeMap::new()).is_empty());
}

#[test]
fn a_direct_cable_that_dies_with_the_peer_does_not_cut_this_node_off() {
    let row = |index, name: &str, carrier| LinkRow {
        index,
        name: name.to_owned(),
        loopback: false,
        up: true,
        carrier,
        mac: Some([2, 0, 0, 0, 0, 1]),
    };
    // Heartbeats go over eth1 alone; no address says which interface the clients use.
    let mut all = nothing();
    let view = View::new(
        vec![row(2, "eth0", true), row(3, "eth1", false)],
        Vec::new(),
    );
    let inputs = all.look(&view, &media(false));
    assert_eq!(told(&inputs), ["eth0 true", "eth1 false"]);
}
