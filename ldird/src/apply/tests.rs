//! What the core wants comes back from the kernel as the same values.

use super::{destination, destination_key, destination_spec, id, key, service, spec};
use ldird_core::table::{
    DestinationKey, DestinationSpec, Forwarding, Protocol, ServiceKey, ServiceSpec,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

fn keys() -> Vec<ServiceKey> {
    let v4 = IpAddr::from(Ipv4Addr::new(10, 0, 0, 100));
    let v6 = IpAddr::from(Ipv6Addr::LOCALHOST);
    let address = |protocol, ip| ServiceKey::Address {
        protocol,
        address: SocketAddr::new(ip, 80),
    };
    vec![
        address(Protocol::Tcp, v4),
        address(Protocol::Udp, v6),
        address(Protocol::Sctp, v4),
        ServiceKey::Fwmark { mark: 5, v6: false },
        ServiceKey::Fwmark { mark: 5, v6: true },
    ]
}

#[test]
fn services_survive_translation() {
    for wanted in keys() {
        assert_eq!(key(id(&wanted)), wanted);
        for (persistent, netmask) in [(None, 32), (Some(600), 24), (Some(1), 1)] {
            let attributes = ServiceSpec {
                scheduler: "wlc".to_owned(),
                persistent,
                netmask,
                one_packet: netmask == 24,
                scheduler_flags: [true, false, netmask == 1],
            };
            assert_eq!(spec(&service(&wanted, &attributes)), attributes);
        }
    }
}

#[test]
fn destinations_survive_translation() {
    let real = DestinationKey {
        address: Ipv4Addr::new(10, 0, 0, 1).into(),
        port: 8080,
    };
    for forwarding in [
        Forwarding::Gate,
        Forwarding::Masq,
        Forwarding::Ipip,
        Forwarding::Local,
    ] {
        let attributes = DestinationSpec {
            forwarding,
            weight: 7,
            upper: 20,
            lower: 10,
        };
        let there = destination(&real, &attributes);
        assert_eq!(destination_key(&there), real);
        assert_eq!(destination_spec(&there), attributes);
    }
}
