#![allow(clippy::unwrap_used)]

use super::*;
use crate::resources::view::{AddressRow, LinkRow};
use std::net::SocketAddr;

const IDS: [LinkId; 3] = [LinkId::new(70), LinkId::new(3), LinkId::new(41)];

fn links<const N: usize>(media: [MediumSpec; N]) -> Table<LinkId, MediumSpec> {
    IDS.into_iter().zip(media).collect()
}

fn nobody_to_ask() -> Pings {
    Pings::new(std::iter::empty().collect(), 0, std::time::Duration::ZERO)
}

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
        peer: "10.0.0.2:694".parse::<SocketAddr>().unwrap().into(),
    };
    assert_eq!(
        started(&ucast),
        "ucast: started on port 694 interface eth1 to 10.0.0.2"
    );
    let ucast6 = MediumSpec::Ucast {
        interface: "eth1".to_owned(),
        peer: "[fe80::2]:694".parse::<SocketAddr>().unwrap().into(),
    };
    assert_eq!(
        started(&ucast6),
        "ucast6: heartbeat started for [fe80::2]:694 on interface eth1"
    );
    assert_eq!(
        started(&mcast("eth0", "239.0.0.1:694")),
        "UDP multicast heartbeat started for group 239.0.0.1 port 694 interface eth0 (ttl=1 loop=0)"
    );
    assert_eq!(
        started(&mcast("eth0", "[ff02::694]:694")),
        "UDP multicast heartbeat started for [ff02::694]:694 on interface eth0 (hops=1 loop=0)"
    );
}

fn mcast(device: &str, group: &str) -> MediumSpec {
    MediumSpec::Mcast {
        interface: device.to_owned(),
        group: group.parse().unwrap(),
        hops: 1,
        loopback: false,
    }
}

#[test]
fn one_socket_hears_every_peer_of_an_interface_and_broadcasts_come_first() {
    let ucast = |peer: &str| MediumSpec::Ucast {
        interface: "eth0".to_owned(),
        peer: peer.parse::<SocketAddr>().unwrap().into(),
    };
    let bcast = MediumSpec::Bcast {
        interface: "eth0".to_owned(),
        port: 694,
    };
    let media = Media {
        links: links([ucast("10.0.0.1:694"), ucast("10.0.0.2:694"), bcast])
            .iter()
            .map(|(id, medium)| (id, Link::new(medium.clone())))
            .collect(),
        receivers: Vec::new(),
        lines: Vec::new(),
        pings: nobody_to_ask(),
        shared: BTreeSet::new(),
        changes: Vec::new(),
        unfinished: false,
    };
    let receivers = media.wanted_receivers();
    assert_eq!(receivers.len(), 2);
    assert_eq!(receivers[0].link_of("10.0.0.2:40000".parse().ok()), IDS[2]);
    assert_eq!(receivers[1].link_of("10.0.0.2:40000".parse().ok()), IDS[1]);
    assert_eq!(receivers[1].link_of("10.0.0.9:694".parse().ok()), IDS[0]);
}

#[test]
fn lines_that_lead_to_ourselves_are_left_out() {
    let ucast = |peer: &str| MediumSpec::Ucast {
        interface: "eth0".to_owned(),
        peer: peer.parse::<SocketAddr>().unwrap().into(),
    };
    let link = LinkRow {
        index: 2,
        name: "eth0".to_owned(),
        loopback: false,
        up: true,
        carrier: true,
        mac: None,
    };
    let address = AddressRow {
        link: 2,
        ip: "10.0.0.1".parse().unwrap(),
        prefix: 24,
        label: None,
        broadcast: None,
        secondary: false,
    };
    let view = View::new(vec![link], vec![address]);
    let (own, other) = (ucast("10.0.0.1:694"), ucast("10.0.0.2:694"));
    let media = without_ourselves(&[own.clone(), other.clone()], &view);
    assert_eq!(media, [other]);
    assert_eq!(without_ourselves(std::slice::from_ref(&own), &view), [own]);
}

fn keys() -> Keys {
    let key = hbd_core::wire::Key::new(hbd_core::wire::Method::Sha1, b"secret");
    Keys::new(1, [(1, key)]).unwrap()
}

fn message() -> Message {
    Message::new("status")
}

fn nonesuch() -> MediumSpec {
    MediumSpec::Bcast {
        interface: "nonesuch0".to_owned(),
        port: 694,
    }
}

#[test]
fn errors_of_the_kernel_have_a_meaning_for_a_medium() {
    let meaning = |errno| trouble(&std::io::Error::from_raw_os_error(errno));
    assert_eq!(meaning(libc::ENOBUFS), SendTrouble::NoBuffers);
    assert_eq!(meaning(libc::ENETDOWN), SendTrouble::Down);
    assert_eq!(meaning(libc::EHOSTUNREACH), SendTrouble::Unreachable);
    assert_eq!(meaning(libc::EPERM), SendTrouble::Denied);
    let errno = libc::EIO;
    assert_eq!(meaning(errno), SendTrouble::Other { errno });
}

#[test]
fn missing_interface_is_told_once_and_sending_goes_on() {
    let nobody = View::default();
    let (mut media, told) = Media::open(
        links([nonesuch()]),
        nobody_to_ask(),
        BTreeSet::new(),
        &nobody,
    )
    .unwrap();
    let [(Severity::Warning, text)] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert!(
        text.starts_with("bcast nonesuch0: no such interface"),
        "{text}"
    );
    let changes = media.changes();
    let [Input::LinkWrite { link, result }] = changes.as_slice() else {
        panic!("{changes:?}");
    };
    assert_eq!((*link, *result), (IDS[0], Err(SendTrouble::NoInterface)));
    media.send(&message(), &keys()).unwrap();
    assert!(media.changes().is_empty());
    assert!(!media.works());
    assert_eq!(media.update(&nobody), []);
    assert_eq!(
        media.interfaces(&nobody),
        BTreeMap::from([("nonesuch0".to_owned(), false)])
    );
}

#[tokio::test]
async fn medium_whose_interface_comes_late_is_opened_then_and_sends_from_its_own_address() {
    // The loopback stands for an interface that comes, goes and comes again.
    let medium = MediumSpec::Ucast {
        interface: "lo".to_owned(),
        peer: "127.0.0.9:0".parse::<SocketAddr>().unwrap().into(),
    };
    let there = |ips: &[&str]| {
        let lo = LinkRow {
            index: 1,
            name: "lo".to_owned(),
            loopback: true,
            up: true,
            carrier: true,
            mac: None,
        };
        let row = |ip: &&str| AddressRow {
            link: 1,
            ip: ip.parse().unwrap(),
            prefix: 8,
            label: None,
            broadcast: None,
            secondary: false,
        };
        View::new(vec![lo], ips.iter().map(row).collect())
    };
    let shared = BTreeSet::from(["127.0.0.100".parse().unwrap()]);
    let (mut media, _) =
        Media::open(links([medium]), nobody_to_ask(), shared, &View::default()).unwrap();
    let source = |media: &Media| {
        let outlet = media.links.get(IDS[0])?.open.as_ref()?;
        Some(outlet.source().ip().to_string())
    };
    assert_eq!(source(&media), None);
    let told = media.update(&there(&["127.0.0.100", "127.0.0.1"]));
    assert!(matches!(told.as_slice(), [(Severity::Info, _)]), "{told:?}");
    assert_eq!(source(&media).as_deref(), Some("127.0.0.1"));
    assert!(media.receivers[0].is_open());
    media.update(&there(&["127.0.0.100"]));
    assert_eq!(source(&media), None, "a virtual address speaks for nobody");
    media.update(&there(&["127.0.0.100", "127.0.0.2"]));
    assert_eq!(source(&media).as_deref(), Some("127.0.0.2"));
    media.update(&View::default());
    assert!(!media.receivers[0].is_open());
}

#[tokio::test]
async fn a_group_is_joined_anew_when_the_carrier_is_back() {
    // Two families on the loopback, each with a socket of its own.
    let media = [
        mcast("lo", "239.255.6.94:6940"),
        mcast("lo", "[ff02::6:94]:6940"),
    ];
    let there = |carrier| {
        let lo = LinkRow {
            index: 1,
            carrier,
            loopback: true,
            ..LinkRow::sample(1, "lo")
        };
        View::new(vec![lo], Vec::new())
    };
    let (mut media, _) =
        Media::open(links(media), nobody_to_ask(), BTreeSet::new(), &there(true)).unwrap();
    let sockets = |media: &Media| -> Vec<Option<u64>> {
        media.receivers.iter().map(Receiver::inode).collect()
    };
    let first = sockets(&media);
    assert!(first.iter().all(Option::is_some), "{first:?}");
    for carrier in [true, false] {
        media.update(&there(carrier));
        assert_eq!(sockets(&media), first, "carrier {carrier}");
    }
    media.update(&there(true));
    let second = sockets(&media);
    assert!(second.iter().all(Option::is_some), "{second:?}");
    assert!(first.iter().zip(&second).all(|(one, other)| one != other));
}

#[test]
fn peer_whose_name_resolves_late_is_heard_as_its_own_medium_then() {
    let named = |name: &str| MediumSpec::Ucast {
        interface: "eth0".to_owned(),
        peer: Peer {
            name: name.to_owned(),
            ip: None,
            port: 694,
        },
    };
    let view = View::default();
    let (mut media, _) = Media::open(
        links([named("lb1"), named("lb2")]),
        nobody_to_ask(),
        BTreeSet::new(),
        &view,
    )
    .unwrap();
    assert_eq!(media.unresolved(), ["lb1", "lb2"]);
    let from = "10.0.0.2:694".parse().ok();
    assert_eq!(media.receivers[0].link_of(from), IDS[0]);
    media.resolve(&[("lb2".to_owned(), "10.0.0.2".parse().unwrap())]);
    assert_eq!(media.unresolved(), ["lb1"]);
    assert_eq!(media.receivers[0].link_of(from), IDS[1]);
}
