//! What the core wants comes back from the kernel as the same values.

use super::{
    Editor, Instead, destination, destination_key, destination_spec, id, key, overtaken, service,
    spec, within,
};
use ldird_core::table::{
    DestinationKey, DestinationSpec, Edit, Forwarding, Protocol, ServiceKey, ServiceSpec, Tunnel,
    TunnelChecksum,
};
use ldird_ipvs::{Cause, Netmask, ServiceFlags};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

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
                pe: persistent.map(|_| "sip".to_owned()),
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
            tunnel: Tunnel::Gue {
                port: 6080,
                checksum: TunnelChecksum::Remote,
            },
        };
        let there = destination(&real, &attributes);
        assert_eq!(destination_key(&there), real);
        assert_eq!(destination_spec(&there), attributes);
    }
}

/// The director itself has a word for less than this: an edit of a row that was read says it again.
#[test]
fn every_setting_of_a_row_that_others_made_survives_translation() {
    for wanted in keys() {
        let mut held = ldird_ipvs::Service::new(id(&wanted), "mh");
        held.flags = ServiceFlags {
            persistent: true,
            one_packet: true,
            sched1: true,
            sched2: true,
            sched3: true,
        };
        held.timeout = 90;
        held.netmask = match held.netmask {
            Netmask::V4(_) => Netmask::V4([255, 255, 0, 0].into()),
            Netmask::V6(_) => Netmask::V6(64),
        };
        held.pe_name = Some("sip".to_owned());
        assert_eq!(service(&wanted, &spec(&held)), held);
    }
    let address = SocketAddr::from(([10, 0, 0, 1], 80));
    let mut held = ldird_ipvs::Destination::new(address, ldird_ipvs::Forwarding::Tunnel, 3);
    (held.upper_threshold, held.lower_threshold) = (20, 10);
    for checksum in [
        ldird_ipvs::TunnelChecksum::None,
        ldird_ipvs::TunnelChecksum::Full,
        ldird_ipvs::TunnelChecksum::Remote,
    ] {
        let port = 6080;
        for tunnel in [
            ldird_ipvs::Tunnel::Ipip,
            ldird_ipvs::Tunnel::Gue { port, checksum },
            ldird_ipvs::Tunnel::Gre { checksum },
        ] {
            held.tunnel = tunnel;
            let again = destination(&destination_key(&held), &destination_spec(&held));
            assert_eq!(again, held);
        }
    }
}

/// Kernel interface 5.4 and 5.6.
#[test]
fn an_edit_that_somebody_else_overtook_comes_to_the_same() {
    let service = keys()[0];
    let real = DestinationKey {
        address: Ipv4Addr::LOCALHOST.into(),
        port: 80,
    };
    let spec = DestinationSpec {
        forwarding: Forwarding::Gate,
        weight: 1,
        upper: 0,
        lower: 0,
        tunnel: Tunnel::Ipip,
    };
    let add = Edit::AddDestination(service, real, spec.clone());
    let edit = Edit::EditDestination(service, real, spec);
    let delete = Edit::DeleteDestination(service, real);
    let gone = Edit::DeleteService(service);
    let instead = |edit: &Edit| Some(Instead::Edit(edit.clone()));
    assert_eq!(overtaken(&add, Cause::DestinationExists), instead(&edit));
    assert_eq!(overtaken(&edit, Cause::NoSuchDestination), instead(&add));
    for cause in [Cause::NoSuchDestination, Cause::ServiceNotDefined] {
        assert_eq!(overtaken(&delete, cause), Some(Instead::Nothing));
    }
    let nothing = Some(Instead::Nothing);
    assert_eq!(overtaken(&gone, Cause::NoSuchService), nothing);
    assert_eq!(overtaken(&edit, Cause::ServiceNotDefined), None);
    assert_eq!(overtaken(&add, Cause::Refused), None);
}

/// Takes the whole time for each edit.
struct Slow {
    limit: Duration,
    tried: usize,
}

impl Editor for Slow {
    async fn edit(&mut self, _: &Edit) -> Result<(), String> {
        self.tried += 1;
        tokio::time::sleep(self.limit).await;
        Ok(())
    }
}

#[tokio::test]
async fn a_kernel_that_answers_slowly_keeps_a_batch_no_longer_than_its_limit() {
    let edits: Vec<Edit> = keys().into_iter().map(Edit::DeleteService).collect();
    let limit = Duration::from_millis(20);
    let mut kernel = Slow { limit, tried: 0 };
    let results = within(limit, edits.clone(), &mut kernel).await;
    assert_eq!(kernel.tried, 1);
    let answered = results.iter().map(|(edit, _)| edit.clone());
    assert_eq!(answered.collect::<Vec<_>>(), edits, "each has an answer");
    assert!(results[0].1.is_ok() && results[1..].iter().all(|(_, result)| result.is_err()));
}
