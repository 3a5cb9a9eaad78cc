#![allow(clippy::unwrap_used)]

use super::*;
use crate::resources::view::{LinkRow, RouteRow};
use proptest::prelude::*;

fn parse(word: &str) -> Result<AddressSpec, AddressError> {
    AddressSpec::parse(&[word.to_owned()])
}

#[test]
fn every_form_of_the_argument_is_read() {
    let rows = [
        ("10.0.0.1", None, None, None, None),
        ("10.0.0.1/24", Some(24), None, None, None),
        ("10.0.0.1/255.255.255.0", Some(24), None, None, None),
        ("10.0.0.1/24/eth0", Some(24), Some("eth0"), None, None),
        (
            "10.0.0.1/24/eth0:7",
            Some(24),
            Some("eth0"),
            Some("eth0:7"),
            None,
        ),
        ("10.0.0.1/24/eth0:", Some(24), Some("eth0"), None, None),
        (
            "10.0.0.1/24/10.0.0.255",
            Some(24),
            None,
            None,
            Some("10.0.0.255"),
        ),
        (
            "10.0.0.1/24/eth0/10.0.0.255",
            Some(24),
            Some("eth0"),
            None,
            Some("10.0.0.255"),
        ),
        // Empty parts collapse: what follows is the mask, as it was for the old scripts.
        ("10.0.0.1//24//eth0/", Some(24), Some("eth0"), None, None),
        ("2001:db8::1/64/eth0", Some(64), Some("eth0"), None, None),
    ];
    for (word, prefix, device, label, broadcast) in rows {
        let spec = parse(word).unwrap();
        assert_eq!(spec.prefix, prefix, "{word}");
        assert_eq!(spec.device.as_deref(), device, "{word}");
        assert_eq!(spec.label.as_deref(), label, "{word}");
        let broadcast = broadcast.map(|text: &str| text.parse().unwrap());
        assert_eq!(spec.broadcast, broadcast, "{word}");
    }
}

#[test]
fn wrong_arguments_are_named() {
    assert_eq!(AddressSpec::parse(&[]), Err(AddressError::Missing));
    for (word, part) in [
        ("10.0.0", "10.0.0"),
        ("1x.2.3.4", "1x.2.3.4"),
        ("10.0.0.1/33", "33"),
        ("10.0.0.1//eth0", "eth0"),
        ("10.0.0.1/255.0.255.0", "255.0.255.0"),
        ("2001:db8::1/255.0.0.0", "255.0.0.0"),
        (
            "10.0.0.1/24/a_name_too_long_for_linux",
            "a_name_too_long_for_linux",
        ),
        ("10.0.0.1/24/eth0/10.0.0", "10.0.0"),
        (
            "10.0.0.1/24/eth0/10.0.0.255/x",
            "10.0.0.1/24/eth0/10.0.0.255/x",
        ),
    ] {
        let error = parse(word).unwrap_err().to_string();
        assert!(error.contains(part), "{word}: {error}");
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn view() -> View {
    let link = |index, name: &str, loopback| LinkRow {
        index,
        name: name.to_owned(),
        loopback,
        up: true,
        carrier: true,
        mac: (!loopback).then_some([2, 0, 0, 0, 0, 1]),
    };
    let address = |link, ip: &str, prefix, label: &str| AddressRow {
        link,
        ip: ip.parse().unwrap(),
        prefix,
        label: Some(label.to_owned()),
        broadcast: None,
        secondary: false,
    };
    View::new(
        vec![
            link(1, "lo", true),
            link(2, "eth0", false),
            link(3, "eth1", false),
        ],
        vec![
            address(1, "10.0.0.9", 32, "lo:0"),
            address(2, "10.0.0.1", 24, "eth0"),
            address(2, "10.0.0.5", 24, "eth0:0"),
            address(3, "10.0.0.129", 25, "eth1"),
            address(3, "10.0.9.1", 16, "eth1"),
        ],
    )
}

fn placed(word: &str) -> Result<Placement, AddressError> {
    place(
        &parse(word).unwrap(),
        Labels::Numbered,
        &view(),
        &mut LabelNumbers::new(),
    )
}

#[test]
fn longest_connected_network_gives_interface_and_prefix() {
    let low = placed("10.0.0.7").unwrap();
    assert_eq!((low.device.as_str(), low.prefix), ("eth0", 24));
    assert_eq!(low.broadcast, Some(Ipv4Addr::new(10, 0, 0, 255)));
    let high = placed("10.0.0.200").unwrap();
    assert_eq!((high.device.as_str(), high.prefix), ("eth1", 25));
    assert_eq!(
        placed("192.0.2.1"),
        Err(AddressError::NoRoute("192.0.2.1".parse().unwrap()))
    );
    assert_eq!(
        placed("10.0.0.7/24/eth9"),
        Err(AddressError::NoDevice("eth9".to_owned()))
    );
}

#[test]
fn address_goes_on_no_interface_that_is_switched_off_even_if_it_is_there_already() {
    let off = LinkRow {
        up: false,
        ..LinkRow::sample(2, "eth0")
    };
    let there = AddressRow {
        link: 2,
        ip: ip("10.0.0.5"),
        prefix: 24,
        label: None,
        broadcast: None,
        secondary: false,
    };
    for addresses in [vec![there], Vec::new()] {
        let view = View::new(vec![off.clone()], addresses);
        let spec = parse("10.0.0.5/24/eth0").unwrap();
        let placed = place(&spec, Labels::Numbered, &view, &mut LabelNumbers::new());
        assert_eq!(placed, Err(AddressError::Off("eth0".to_owned())));
    }
}

#[test]
fn first_free_label_is_taken_once() {
    let mut promised = LabelNumbers::new();
    let spec = parse("10.0.0.7/24/eth0").unwrap();
    for label in ["eth0:1", "eth0:2"] {
        let placement = place(&spec, Labels::Numbered, &view(), &mut promised).unwrap();
        assert_eq!(placement.label.as_deref(), Some(label));
    }
    let written = place(&spec, Labels::Written, &view(), &mut promised).unwrap();
    assert_eq!(written.label, None);
}

#[test]
fn present_address_is_adopted_as_it_is() {
    let placement = placed("10.0.0.5/16/eth0:7").unwrap();
    assert_eq!(placement.prefix, 24);
    assert_eq!(placement.label.as_deref(), Some("eth0:0"));
}

#[test]
fn real_servers_copy_on_the_loopback_is_not_the_resource() {
    let view = view();
    assert_eq!(view.present(ip("10.0.0.9"), None).count(), 0);
    assert_eq!(view.present(ip("10.0.0.9"), Some("lo")).count(), 1);
    assert_eq!(placed("10.0.0.9").unwrap().device, "eth0");
}

#[test]
fn real_servers_copy_on_a_tunnel_is_not_the_resource() {
    let tunnel = LinkRow {
        index: 4,
        name: "tunl0".to_owned(),
        loopback: false,
        up: true,
        carrier: true,
        mac: None,
    };
    let copy = AddressRow {
        link: 4,
        ip: "10.0.0.50".parse().unwrap(),
        prefix: 32,
        label: None,
        broadcast: None,
        secondary: false,
    };
    let view = View::new(vec![tunnel], vec![copy]);
    assert_eq!(view.present(ip("10.0.0.50"), None).count(), 0);
    assert_eq!(view.present(ip("10.0.0.50"), Some("tunl0")).count(), 1);
}

#[test]
fn addresses_of_one_network_stand_and_fall_together() {
    let view = view();
    let row = |ip: &str| {
        let ip: IpAddr = ip.parse().unwrap();
        view.addresses().iter().find(|row| row.ip == ip).unwrap()
    };
    assert!(view.shares_network(row("10.0.0.1")));
    assert!(!view.shares_network(row("10.0.0.9")));
}

#[test]
fn a_route_without_a_gateway_connects_a_network_that_no_address_is_in() {
    let mut view = view();
    view.add_route(RouteRow {
        link: 3,
        network: ip("192.0.2.0"),
        prefix: 24,
    });
    let spec = parse("192.0.2.1").unwrap();
    let placed = place(&spec, Labels::Written, &view, &mut LabelNumbers::new()).unwrap();
    assert_eq!((placed.device.as_str(), placed.prefix), ("eth1", 24));
}

#[test]
fn networks_of_an_interface_that_is_switched_off_are_not_connected() {
    let link = LinkRow {
        index: 2,
        name: "eth0".to_owned(),
        loopback: false,
        up: false,
        carrier: false,
        mac: None,
    };
    let own = AddressRow {
        link: 2,
        ip: ip("10.0.0.1"),
        prefix: 24,
        label: None,
        broadcast: None,
        secondary: false,
    };
    let view = View::new(vec![link], vec![own]);
    assert!(view.connected(ip("10.0.0.7")).is_none());
}

#[test]
fn addresses_of_every_group_are_virtual_whoever_puts_them() {
    let resource = |script: &str, arg: &str| hbd_core::config::ResourceConfig {
        script: script.to_owned(),
        args: vec![arg.to_owned()],
    };
    let group = GroupConfig {
        name: "group".to_owned(),
        holds: Vec::new(),
        preferred: hbd_core::config::NodeName::new("lb2").unwrap(),
        resources: vec![
            resource("IPaddr", "10.0.0.5/24/eth0"),
            resource("IPv6addr", "2001:db8::5/64"),
            resource("Filesystem", "10.0.0.6"),
        ],
    };
    let all = virtual_addresses(&[group]);
    assert_eq!(all, BTreeSet::from([ip("10.0.0.5"), ip("2001:db8::5")]));
}

proptest! {
    #[test]
    fn any_word_is_read_or_refused(word in "\\PC{0,60}") {
        let _ = parse(&word);
    }

    #[test]
    fn any_path_of_parts_is_read_or_refused(word in "[0-9.:/a-z]{0,40}") {
        let _ = parse(&word);
    }
}
