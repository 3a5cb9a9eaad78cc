#![allow(clippy::unwrap_used)]

use super::*;
use crate::resources::address::{AddressRow, LinkRow};

#[test]
fn log_lines_of_started_media_are_the_old_ones() {
    let bcast = MediumSpec::Bcast {
        interface: "eth0".to_owned(),
        port: 694,
    };
    let line = "UDP Broadcast heartbeat started on port 694 (694) interface eth0";
    assert_eq!(started(&bcast), line);
    let ucast = MediumSpec::Ucast {
        interface: "eth1".to_owned(),
        peer: "10.0.0.2:694".parse().unwrap(),
    };
    assert_eq!(
        started(&ucast),
        "ucast: started on port 694 interface eth1 to 10.0.0.2"
    );
}

#[test]
fn one_socket_hears_every_peer_of_an_interface_and_broadcasts_come_first() {
    let ucast = |peer: &str| MediumSpec::Ucast {
        interface: "eth0".to_owned(),
        peer: peer.parse().unwrap(),
    };
    let bcast = MediumSpec::Bcast {
        interface: "eth0".to_owned(),
        port: 694,
    };
    let media = Media {
        links: [ucast("10.0.0.1:694"), ucast("10.0.0.2:694"), bcast]
            .into_iter()
            .map(|medium| Link {
                medium,
                open: None,
                working: true,
            })
            .collect(),
        receivers: Vec::new(),
        changes: Vec::new(),
        unfinished: false,
    };
    let receivers = media.wanted_receivers();
    assert_eq!(receivers.len(), 2);
    assert_eq!(
        receivers[0].link_of("10.0.0.2:40000".parse().ok()),
        LinkId(2)
    );
    assert_eq!(
        receivers[1].link_of("10.0.0.2:40000".parse().ok()),
        LinkId(1)
    );
    assert_eq!(receivers[1].link_of("10.0.0.9:694".parse().ok()), LinkId(0));
}

#[test]
fn lines_that_lead_to_ourselves_are_left_out() {
    let ucast = |peer: &str| MediumSpec::Ucast {
        interface: "eth0".to_owned(),
        peer: peer.parse().unwrap(),
    };
    let link = LinkRow {
        index: 2,
        name: "eth0".to_owned(),
        loopback: false,
        mac: None,
    };
    let address = AddressRow {
        link: 2,
        ip: "10.0.0.1".parse().unwrap(),
        prefix: 24,
        label: None,
        broadcast: None,
    };
    let view = View::new(vec![link], vec![address], Vec::new());
    let (own, other) = (ucast("10.0.0.1:694"), ucast("10.0.0.2:694"));
    let media = without_ourselves(&[own.clone(), other.clone()], &view);
    assert_eq!(media, [other]);
    assert_eq!(without_ourselves(std::slice::from_ref(&own), &view), [own]);
}

#[test]
fn missing_interface_is_told_once_and_sending_goes_on() {
    let medium = MediumSpec::Bcast {
        interface: "nonesuch0".to_owned(),
        port: 694,
    };
    let (mut media, problems) = Media::open(vec![medium], &View::default()).unwrap();
    assert_eq!(problems, ["bcast nonesuch0: no such interface"]);
    assert_eq!(media.changes().len(), 1);
    media.send(b"packet");
    assert!(media.changes().is_empty());
    assert!(!media.works());
}
