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
        agent: None,
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
        incomplete: false,
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(5),
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

/// `NAME: SERVICE, STATES => ROWS;`, each a test of its own.
macro_rules! rows {
    ($($name:ident: $service:expr, $states:expr => $rows:expr;)+) => {
        $(
            #[test]
            fn $name() {
                assert_eq!(shown(&$service, $states), $rows);
            }
        )+
    };
}

fn quiescent() -> VirtualService {
    with(|service| service.quiescent = true)
}

fn all_checked_by(check: Check) -> VirtualService {
    with(|service| check_all(service, check))
}

fn with_reals(reals: Vec<RealServer>) -> VirtualService {
    with(|service| service.reals = reals)
}

/// The first real server is the fallback as well.
fn own_fallback() -> VirtualService {
    with(|service| {
        let (key, forwarding) = (address(1), Forwarding::Gate);
        service.fallback = Some(Fallback { key, forwarding });
    })
}

rows! {
    t1_all_up: base(), "uu" => ".1g3 .2g2";
    t2_all_down: base(), "dd" => ".127g1";
    before_the_first_check_nobody_unseen_serves: base(), "??" => ".127g1";
    t3_quiescent_and_all_down: quiescent(), "dd" => ".1g0 .2g0 .127g1";
    note_1_quiescent_and_unseen: quiescent(), "??" => ".1g0 .2g0 .127g1";
    t6_quiescent_and_one_down: quiescent(), "ud" => ".1g3 .2g0";
    t7_the_last_goes: base(), "dd" => ".127g1";
    t8_one_returns: base(), "du" => ".2g2";
    without_fallback: with(|service| service.fallback = None), "dd" => "";
    // T29 is better: the old daemon deletes the real server with the fallback.
    t29_the_fallback_is_a_real_server: own_fallback(), "uu" => ".1g3 .2g2";
    t29_the_fallback_is_a_dead_real_server: own_fallback(), "dd" => ".1g1";
    what_is_in_maintenance_does_not_come_back_as_the_fallback: own_fallback(), "md" => "";
    t43_no_real_servers: with_reals(Vec::new()), "" => ".127g1";
    t44_nothing_at_all: with(|service| (service.fallback, service.reals) = (None, vec![])), "" => "";
    t46_checktype_on: all_checked_by(Check::On), "??" => ".1g3 .2g2";
    checktype_off: all_checked_by(Check::Off), "??" => "";
    t47_maintenance: base(), "mu" => ".2g2";
    t51_all_in_maintenance: base(), "mm" => ".127g1";
    // T52 is better: who has weight 0 serves nobody, so the fallback stays.
    t52_weight_0_does_not_suppress_the_fallback: with_reals(vec![real(1, 0)]), "u" => ".1g0 .127g1";
    r27_the_last_of_two_equal_real_servers: with_reals(vec![real(1, 3), real(1, 7)]), "uu" => ".1g7";
}

#[test]
fn t9_quiescing_keeps_thresholds() {
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
