#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::medium::Peer;
use std::net::SocketAddr;

fn id(number: u32) -> LinkId {
    LinkId::new(number)
}

fn ucast(peer: &str) -> MediumSpec {
    MediumSpec::Ucast {
        interface: "eth0".to_owned(),
        peer: Peer::from(SocketAddr::new(peer.parse().unwrap(), 694)),
    }
}

fn media() -> Vec<(LinkId, MediumSpec)> {
    let bcast = MediumSpec::Bcast {
        interface: "eth0".to_owned(),
        port: 694,
    };
    let mcast = MediumSpec::Mcast {
        interface: "eth0".to_owned(),
        group: "239.0.0.1:694".parse().unwrap(),
        hops: 1,
        loopback: false,
    };
    let serial = MediumSpec::Serial {
        device: "/dev/ttyS0".to_owned(),
        baud: 19_200,
    };
    let all = [bcast, mcast, ucast("10.0.0.2"), serial];
    (0..).map(id).zip(all).collect()
}

fn link(from: &str, to: &str) -> Option<LinkId> {
    let datagram = Datagram {
        source: from.parse().unwrap(),
        destination: to.parse().unwrap(),
        payload: b"",
    };
    link_of(&media(), &datagram)
}

#[test]
fn a_datagram_travels_on_the_medium_that_it_is_for() {
    assert_eq!(link("10.0.0.1", "10.0.0.255"), Some(id(0)));
    assert_eq!(link("10.0.0.1", "239.0.0.1"), Some(id(1)));
    assert_eq!(
        link("10.0.0.1", "239.0.0.2"),
        None,
        "another cluster's group"
    );
    assert_eq!(link("10.0.0.1", "10.0.0.2"), Some(id(2)), "to the peer");
    assert_eq!(link("10.0.0.2", "10.0.0.1"), Some(id(2)), "from the peer");
}

#[test]
fn media_of_one_interface_and_port_share_a_tap_and_serial_lines_have_none() {
    let taps = Tap::all(media(), true);
    assert_eq!(taps.len(), 1);
    assert_eq!(taps[0].links.len(), 3);
    assert!(taps[0].promiscuous, "unicasts between others pass by");
    assert!(!Tap::all(media(), false)[0].promiscuous);
}

#[test]
fn a_tap_whose_interface_is_missing_says_so_once() {
    let mut media = media();
    media[0].1 = MediumSpec::Bcast {
        interface: "none9".to_owned(),
        port: 694,
    };
    let mut taps = Tap::all(media, true);
    let told = taps[0].look();
    assert!(
        matches!(&told, Some(Err(text)) if text.contains("none9")),
        "{told:?}"
    );
    assert_eq!(taps[0].look(), None);
    assert!(!taps[0].is_open());
}
