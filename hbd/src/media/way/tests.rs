#![allow(clippy::unwrap_used)]

use super::*;

const VIP: &str = "10.77.0.100";

fn row(link: u32, ip: &str, label: &str) -> AddressRow {
    let ip: IpAddr = ip.parse().unwrap();
    let broadcast = match ip {
        IpAddr::V4(ip) => Some((u32::from(ip) | 0xff).into()),
        IpAddr::V6(_) => None,
    };
    AddressRow {
        link,
        ip,
        prefix: if broadcast.is_some() { 24 } else { 64 },
        label: Some(label.to_owned()),
        broadcast,
        secondary: false,
    }
}

fn bcast() -> MediumSpec {
    MediumSpec::Bcast {
        interface: "eth0".to_owned(),
        port: 694,
    }
}

fn ucast(peer: &str) -> MediumSpec {
    MediumSpec::Ucast {
        interface: "eth0".to_owned(),
        peer: peer.parse::<SocketAddr>().unwrap().into(),
    }
}

fn shared() -> BTreeSet<IpAddr> {
    BTreeSet::from([VIP.parse().unwrap()])
}

fn way(medium: &MediumSpec, addresses: Vec<AddressRow>) -> Result<(String, String), Obstacle> {
    let view = View::new(
        vec![LinkRow::sample(2, "eth0"), LinkRow::sample(3, "eth1")],
        addresses,
    );
    let found = find(medium, None, &view, &shared());
    found.map(|way| (way.source.to_string(), way.destination.to_string()))
}

fn pair(source: &str, destination: &str) -> (String, String) {
    (source.to_owned(), destination.to_owned())
}

#[test]
fn heartbeats_never_leave_from_a_virtual_address_even_if_it_is_the_first_of_its_interface() {
    let both = || vec![row(2, VIP, "eth0"), row(2, "10.77.0.1", "eth0")];
    assert_eq!(
        way(&bcast(), both()),
        Ok(pair("10.77.0.1", "10.77.0.255:694"))
    );
    let peer = ucast("10.77.0.2:694");
    assert_eq!(way(&peer, both()), Ok(pair("10.77.0.1", "10.77.0.2:694")));
}

#[test]
fn node_that_has_nothing_but_a_virtual_address_keeps_silent() {
    let only = || vec![row(2, VIP, "eth0")];
    assert_eq!(
        way(&bcast(), only()),
        Err(Obstacle::Trouble(SendTrouble::NoBroadcast))
    );
    assert_eq!(
        way(&ucast("10.77.0.2:694"), only()),
        Err(Obstacle::Trouble(SendTrouble::NoSource))
    );
}

#[test]
fn interface_without_an_address_speaks_from_that_of_another() {
    let other = vec![row(2, VIP, "eth0"), row(3, "10.9.0.1", "eth1")];
    let peer = ucast("10.77.0.2:694");
    assert_eq!(way(&peer, other), Ok(pair("10.9.0.1", "10.77.0.2:694")));
}

#[test]
fn source_is_the_address_in_the_peers_network() {
    let rows = vec![row(2, "10.1.0.1", "eth0"), row(2, "10.77.0.1", "eth0")];
    let peer = ucast("10.77.0.2:694");
    assert_eq!(way(&peer, rows), Ok(pair("10.77.0.1", "10.77.0.2:694")));
    let far = vec![row(2, "10.1.0.1", "eth0"), row(2, "10.77.0.1", "eth0")];
    let peer = ucast("192.0.2.2:694");
    assert_eq!(way(&peer, far), Ok(pair("10.1.0.1", "192.0.2.2:694")));
}

#[test]
fn broadcasts_go_to_the_interfaces_own_network() {
    let rows = vec![
        row(2, "10.1.0.9", "eth0:0"),
        row(2, "10.2.0.9", "eth0"),
        row(2, "10.0.0.1", "eth0"),
    ];
    assert_eq!(way(&bcast(), rows), Ok(pair("10.2.0.9", "10.2.0.255:694")));
}

#[test]
fn link_local_peers_are_spoken_to_from_a_link_local_address() {
    let rows = vec![row(2, "2001:db8::1", "eth0"), row(2, "fe80::1", "eth0")];
    let found = way(&ucast("[fe80::2]:694"), rows);
    assert_eq!(found, Ok(pair("fe80::1", "[fe80::2%2]:694")));
}

fn mcast(group: &str) -> MediumSpec {
    MediumSpec::Mcast {
        interface: "eth0".to_owned(),
        group: group.parse().unwrap(),
        hops: 1,
        loopback: false,
    }
}

#[test]
fn a_group_is_spoken_to_from_the_interfaces_own_address() {
    let rows = || {
        vec![
            row(3, "10.9.0.1", "eth1"),
            row(2, VIP, "eth0"),
            row(2, "10.77.0.1", "eth0"),
            row(2, "2001:db8::1", "eth0"),
            row(2, "fe80::1", "eth0"),
        ]
    };
    let found = way(&mcast("239.0.0.1:694"), rows());
    assert_eq!(found, Ok(pair("10.77.0.1", "239.0.0.1:694")));
    let near = way(&mcast("[ff02::694]:694"), rows());
    assert_eq!(near, Ok(pair("fe80::1", "[ff02::694%2]:694")));
    let wide = way(&mcast("[ff05::694]:694"), rows());
    assert_eq!(wide, Ok(pair("2001:db8::1", "[ff05::694%2]:694")));
    let elsewhere = way(&mcast("239.0.0.1:694"), vec![row(3, "10.9.0.1", "eth1")]);
    assert_eq!(
        elsewhere,
        Err(Obstacle::Trouble(SendTrouble::NoSource)),
        "a switch forwards a group by the network of its members"
    );
}

#[test]
fn line_for_the_other_nodes_leads_to_ourselves() {
    let rows = vec![row(2, "10.77.0.1", "eth0")];
    let own = ucast("10.77.0.1:694");
    assert_eq!(way(&own, rows), Err(Obstacle::Ourselves));
}

#[test]
fn renamed_interface_is_followed_until_its_name_is_there_again() {
    let rows = || vec![row(2, "10.77.0.1", "wan0"), row(7, "10.77.0.3", "eth0")];
    let renamed = View::new(vec![LinkRow::sample(2, "wan0")], rows());
    assert_eq!(
        find(&bcast(), None, &renamed, &shared()),
        Err(Obstacle::Trouble(SendTrouble::NoInterface))
    );
    let way = find(&bcast(), Some(2), &renamed, &shared()).unwrap();
    assert_eq!((way.index, way.device.as_str()), (2, "wan0"));
    let another = View::new(
        vec![LinkRow::sample(2, "wan0"), LinkRow::sample(7, "eth0")],
        rows(),
    );
    let way = find(&bcast(), Some(2), &another, &shared()).unwrap();
    assert_eq!((way.index, way.device.as_str()), (7, "eth0"));
}
