//! Final tables of the conformance rows (ldirectord specification 8.3), one per line.

use super::service;
use crate::config::{Check, Fallback, ProbeId, RealServer, VirtualService};
use crate::health::State;
use crate::options::Options;
use crate::table::{DestinationKey, Forwarding, Protocol, ServiceKey, ServiceSpec, Tunnel};
use crate::watched::Virtual;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

fn address(last: u8) -> DestinationKey {
    DestinationKey {
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)),
        port: 80,
    }
}

fn real(last: u8, weight: u32) -> RealServer {
    RealServer {
        key: address(last),
        configured: address(last),
        forwarding: Forwarding::Gate,
        weight,
        upper: 20,
        lower: 10,
        tunnel: Tunnel::Ipip,
        check: Check::Probe(ProbeId(u32::from(last))),
        description: "connect".to_owned(),
    }
}

/// The specification's base configuration B0: .1 with weight 3, .2 with weight 2, a fallback F.
fn base() -> VirtualService {
    VirtualService {
        key: ServiceKey::Address {
            protocol: Protocol::Tcp,
            address: SocketAddr::from(([10, 0, 0, 100], 80)),
        },
        spec: ServiceSpec {
            scheduler: "wlc".to_owned(),
            persistent: None,
            netmask: 32,
            one_packet: false,
            scheduler_flags: [false; 3],
            pe: None,
        },
        reals: vec![real(1, 3), real(2, 2)],
        fallback: Some(Fallback {
            key: address(127),
            forwarding: Forwarding::Gate,
        }),
        quiescent: false,
        cleanstop: true,
        interval: Duration::from_secs(1),
        failurecount: 1,
        options: Options::default(),
        name: String::new(),
    }
}

/// The base configuration, changed.
fn with(change: impl FnOnce(&mut VirtualService)) -> VirtualService {
    let mut service = base();
    change(&mut service);
    service
}

fn check_all(service: &mut VirtualService, check: Check) {
    service.reals.iter_mut().for_each(|real| real.check = check);
}

/// `u` up, `d` down, `?` unseen, `m` up but in maintenance.
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
fn stand(config: &VirtualService, states: &str) -> Virtual {
    let state = |letter| match letter {
        'u' | 'm' => State::Up,
        'd' => State::Down,
        _ => State::Unknown,
    };
    let mut service = Virtual::new(config.clone(), Instant::now());
    for row in service.reals.values_mut() {
        if let Some(letter) = states.chars().nth(row.rank) {
            row.health.state = state(letter);
            row.health.maintenance = letter == 'm';
        }
    }
    service
}

/// `.1g3 .2g2` in the order of addresses, the fallback (.127) last.
fn shown(config: &VirtualService, states: &str) -> String {
    let rows = service(&stand(config, states)).destinations;
    let word = |(key, spec): (&DestinationKey, &crate::table::DestinationSpec)| {
        let IpAddr::V4(v4) = key.address else {
            unreachable!("only v4 here")
        };
        let method = spec.forwarding.to_string();
        format!(".{}{}{}", v4.octets()[3], &method[..1], spec.weight)
    };
    rows.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn conformance_rows() {
    let quiescent = with(|service| service.quiescent = true);
    let without_fallback = with(|service| service.fallback = None);
    let no_reals = with(|service| service.reals.clear());
    let nothing = with(|service| (service.fallback, service.reals) = (None, vec![]));
    let always = with(|service| check_all(service, Check::On));
    let off = with(|service| check_all(service, Check::Off));
    let own_fallback = with(|service| {
        let (key, forwarding) = (address(1), Forwarding::Gate);
        service.fallback = Some(Fallback { key, forwarding });
    });
    let weightless = with(|service| service.reals = vec![real(1, 0)]);
    let twice = with(|service| service.reals = vec![real(1, 3), real(1, 7)]);
    let rows: [(&str, &VirtualService, &str, &str); 17] = [
        ("T1 all up", &base(), "uu", ".1g3 .2g2"),
        ("T2 all down", &base(), "dd", ".127g1"),
        (
            "before the first check nobody unseen serves",
            &base(),
            "??",
            ".127g1",
        ),
        (
            "T3 quiescent, all down",
            &quiescent,
            "dd",
            ".1g0 .2g0 .127g1",
        ),
        (
            "note 1: quiescent, unseen",
            &quiescent,
            "??",
            ".1g0 .2g0 .127g1",
        ),
        ("T6 quiescent, one down", &quiescent, "ud", ".1g3 .2g0"),
        ("T7 the last goes", &base(), "dd", ".127g1"),
        ("T8 one returns", &base(), "du", ".2g2"),
        ("without fallback", &without_fallback, "dd", ""),
        ("T29 fallback is a real", &own_fallback, "uu", ".1g3 .2g2"),
        ("T29 fallback is a dead real", &own_fallback, "dd", ".1g1"),
        ("T43 no reals", &no_reals, "", ".127g1"),
        ("T44 nothing at all", &nothing, "", ""),
        ("T46 checktype=on", &always, "??", ".1g3 .2g2"),
        ("W32 checktype=off", &off, "??", ""),
        (
            "T52 weight 0 does not suppress the fallback",
            &weightless,
            "u",
            ".1g0 .127g1",
        ),
        ("R27 the last of two equal reals", &twice, "uu", ".1g7"),
    ];
    for (name, config, states, expected) in rows {
        assert_eq!(shown(config, states), expected, "{name}");
    }
    assert_eq!(shown(&base(), "mu"), ".2g2", "T47 maintenance");
    assert_eq!(shown(&base(), "mm"), ".127g1", "T51 all in maintenance");
}

#[test]
fn quiescing_keeps_thresholds() {
    let quiescent = VirtualService {
        quiescent: true,
        ..base()
    };
    let rows = service(&stand(&quiescent, "dd")).destinations;
    assert_eq!(
        rows.get(&address(1)).map(|spec| (spec.lower, spec.upper)),
        Some((10, 20))
    );
}
