//! Other people's rows stay, ours come back.

use super::{Merged, Scope, service};
use crate::table::{
    DestinationKey, DestinationSpec, Forwarding, Service, ServiceSpec, Tunnel, TunnelChecksum,
};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

const CHANGES: Scope = Scope::Changes {
    readd_quiescent: false,
};

fn row(last: u8) -> DestinationKey {
    DestinationKey {
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 1, last)),
        port: 80,
    }
}

fn holding(rows: &[(u8, u32)]) -> Service {
    let weight = |weight| DestinationSpec {
        forwarding: Forwarding::Gate,
        weight,
        upper: 0,
        lower: 0,
        tunnel: Tunnel::Ipip,
    };
    Service {
        spec: ServiceSpec {
            scheduler: "wlc".to_owned(),
            persistent: None,
            netmask: 32,
            one_packet: false,
            scheduler_flags: [false; 3],
            pe: None,
        },
        destinations: rows
            .iter()
            .map(|(last, w)| (row(*last), weight(*w)))
            .collect(),
    }
}

fn merge(is: &[(u8, u32)], was: &[(u8, u32)], want: &[(u8, u32)], scope: Scope) -> Merged {
    let [is, was, want] = [is, was, want].map(holding);
    service(Some(&is), Some(&was), Some(&want), scope)
}

/// A name without address may be that of a row which an earlier life left; what this one has put there
/// and does not want any more leaves.
#[test]
fn where_names_have_no_address_only_what_was_ours_leaves() {
    let [is, want] = [holding(&[(1, 5), (2, 5), (3, 0)]), holding(&[(1, 7)])];
    let merged = service(Some(&is), None, Some(&want), Scope::Sparing);
    assert_eq!(merged.target, Some(holding(&[(1, 7), (2, 5), (3, 0)])));
    let merged = merge(
        &[(1, 5), (2, 5), (3, 5)],
        &[(1, 5), (2, 5)],
        &[(1, 5)],
        Scope::Sparing,
    );
    assert_eq!(merged.target, Some(holding(&[(1, 5), (3, 5)])));
}

fn any_service() -> impl Strategy<Value = Option<Service>> {
    let rows = prop::collection::vec((0u8..5, 0u32..4), 0..5);
    let spec = prop_oneof![Just("rr"), Just("wlc")];
    let service = (rows, spec).prop_map(|(rows, scheduler)| {
        let mut service = holding(&rows);
        scheduler.clone_into(&mut service.spec.scheduler);
        service
    });
    prop::option::of(service)
}

/// What others can have made of a service.
fn held_service() -> impl Strategy<Value = Service> {
    let checksum = TunnelChecksum::Full;
    let tunnels = prop::sample::select(vec![
        Tunnel::Ipip,
        Tunnel::Gre { checksum },
        Tunnel::Gue {
            port: 6080,
            checksum,
        },
    ]);
    let tunnels = prop::collection::vec(tunnels, 5);
    let engine = prop::option::of(Just("sip".to_owned()));
    let service = any_service().prop_filter_map("no service", |service| service);
    (service, engine, tunnels).prop_map(|(mut service, engine, tunnels)| {
        service.spec.pe = engine;
        for (spec, tunnel) in service.destinations.values_mut().zip(tunnels) {
            spec.tunnel = tunnel;
        }
        service
    })
}

proptest! {
    #[test]
    fn a_stranger_is_never_touched(is in any_service()) {
        for scope in [Scope::Full, CHANGES] {
            prop_assert_eq!(service(is.as_ref(), None, None, scope).target, is.clone());
        }
    }

    #[test]
    fn a_full_merge_reaches_what_is_desired(is in any_service(), was in any_service(), want in any_service()) {
        if was.is_some() || want.is_some() {
            let merged = service(is.as_ref(), was.as_ref(), want.as_ref(), Scope::Full);
            prop_assert_eq!(merged.target, want);
        }
    }

    #[test]
    fn a_merge_keeps_what_the_file_has_no_word_for(is in held_service(), was in any_service(), want in any_service()) {
        prop_assume!(was.is_some() || want.is_some());
        for scope in [Scope::Full, CHANGES] {
            let merged = service(Some(&is), was.as_ref(), want.as_ref(), scope);
            let Some(target) = merged.target else { continue };
            prop_assert_eq!(&target.spec.pe, &is.spec.pe);
            for (row, spec) in &target.destinations {
                if let Some(held) = is.destinations.get(row) {
                    prop_assert_eq!(spec.tunnel, held.tunnel);
                }
            }
        }
    }

    #[test]
    fn what_the_file_has_no_word_for_is_no_drift(is in held_service()) {
        let mut ours = is.clone();
        ours.spec.pe = None;
        for spec in ours.destinations.values_mut() {
            spec.tunnel = Tunnel::Ipip;
        }
        let settled = Merged { target: Some(is.clone()), ..Merged::default() };
        prop_assert_eq!(service(Some(&is), Some(&ours), Some(&ours), CHANGES), settled);
    }

    #[test]
    fn a_settled_merge_changes_nothing(table in any_service()) {
        let table = table.as_ref();
        let settled = Merged { target: table.cloned(), ..Merged::default() };
        prop_assert_eq!(service(table, table, table, CHANGES), settled);
    }
}

#[test]
fn t26_a_weight_set_by_hand_stays_until_the_state_changes() {
    let merged = merge(&[(1, 9)], &[(1, 3)], &[(1, 3)], CHANGES);
    assert_eq!(merged.target, Some(holding(&[(1, 9)])));
    assert_eq!(merged.drift, [Some(row(1))].into());
    let down = merge(&[(1, 9)], &[(1, 3)], &[], CHANGES);
    assert_eq!(down.target, Some(holding(&[])));
}

#[test]
fn a_server_deleted_by_hand_comes_back() {
    let both = [(1, 3), (2, 2)];
    let merged = merge(&[(1, 3)], &both, &both, CHANGES);
    assert_eq!(merged.target, Some(holding(&both)));
    assert_eq!(merged.vanished, [Some(row(2))].into());
    assert!(merged.drift.is_empty());
}

#[test]
fn t27_quiescing_brings_a_deleted_server_back_only_with_readdquiescent() {
    let (is, both, quiesced) = ([(1, 3)], [(1, 3), (2, 2)], [(1, 3), (2, 0)]);
    let readd = Scope::Changes {
        readd_quiescent: true,
    };
    let out = merge(&is, &both, &quiesced, CHANGES);
    assert_eq!(out.target, Some(holding(&is)));
    let back = merge(&is, &both, &quiesced, readd);
    assert_eq!(back.target, Some(holding(&quiesced)));
    let up_again = merge(&is, &quiesced, &both, CHANGES);
    assert_eq!(up_again.target, Some(holding(&both)));
}

#[test]
fn a_stranger_in_our_service_stays_until_a_reload() {
    let (is, ours) = ([(1, 3), (9, 1)], [(1, 3)]);
    let merged = merge(&is, &ours, &ours, CHANGES);
    assert_eq!(merged.target, Some(holding(&is)));
    assert_eq!(merged.drift, [Some(row(9))].into());
    let merged = merge(&is, &ours, &ours, Scope::Full);
    assert_eq!(merged.target, Some(holding(&ours)));
}

#[test]
fn t28_a_deleted_service_is_made_again() {
    let ours = holding(&[(1, 3)]);
    let merged = service(None, Some(&ours), Some(&ours), CHANGES);
    assert_eq!(merged.target, Some(ours));
    assert_eq!(merged.vanished, [None].into());
}

#[test]
fn t13_start_adopts_purges_and_adds() {
    let (is, want) = (holding(&[(1, 3), (9, 1)]), holding(&[(1, 3), (2, 2)]));
    let merged = service(Some(&is), None, Some(&want), Scope::Full);
    assert_eq!(merged.target, Some(want));
}

#[test]
fn t14_a_start_sets_the_weight_of_the_file() {
    let (is, want) = (holding(&[(1, 5)]), holding(&[(1, 3)]));
    let merged = service(Some(&is), None, Some(&want), Scope::Full);
    assert_eq!(merged.target, Some(want));
}

#[test]
fn t16_a_start_removes_a_fallback_that_was_left() {
    let (is, want) = (holding(&[(1, 3), (127, 1)]), holding(&[(1, 3)]));
    let merged = service(Some(&is), None, Some(&want), Scope::Full);
    assert_eq!(merged.target, Some(want));
}

#[test]
fn t4_dead_servers_are_added_again_at_weight_0() {
    let (is, quiesced) = ([], [(1, 0), (2, 0), (127, 1)]);
    let readd = Scope::Changes {
        readd_quiescent: true,
    };
    for scope in [Scope::Full, readd] {
        let merged = service(Some(&holding(&is)), None, Some(&holding(&quiesced)), scope);
        assert_eq!(merged.target, Some(holding(&quiesced)));
    }
}

#[test]
fn a_local_destination_equals_any_method() {
    let want = holding(&[(1, 3)]);
    let mut is = want.clone();
    for spec in is.destinations.values_mut() {
        spec.forwarding = Forwarding::Local;
    }
    for was in [None, Some(&want)] {
        let merged = service(Some(&is), was, Some(&want), Scope::Full);
        assert_eq!(merged.target.as_ref(), Some(&is));
    }
}

#[test]
fn what_the_file_says_of_tunnels_and_engines_is_set_and_taken_away_with_its_line() {
    let silent = holding(&[(1, 3)]);
    let mut said = silent.clone();
    said.spec.pe = Some("sip".to_owned());
    for spec in said.destinations.values_mut() {
        spec.tunnel = Tunnel::Gre {
            checksum: TunnelChecksum::Full,
        };
    }
    for scope in [Scope::Full, CHANGES] {
        let target = |is, was, want| service(Some(is), Some(was), Some(want), scope).target;
        assert_eq!(target(&silent, &silent, &said), Some(said.clone()));
        assert_eq!(target(&said, &said, &silent), Some(silent.clone()));
        // Somebody else's stays.
        assert_eq!(target(&said, &silent, &silent), Some(said.clone()));
    }
    let started = service(Some(&silent), None, Some(&said), Scope::Full);
    assert_eq!(started.target, Some(said));
}

#[test]
fn another_way_of_forwarding_starts_without_the_old_tunnel() {
    let want = holding(&[(1, 3)]);
    let mut is = want.clone();
    for spec in is.destinations.values_mut() {
        spec.forwarding = Forwarding::Ipip;
        spec.tunnel = Tunnel::Gre {
            checksum: TunnelChecksum::None,
        };
    }
    let merged = service(Some(&is), Some(&is), Some(&want), Scope::Full);
    assert_eq!(merged.target, Some(want));
}

#[test]
fn thresholds_set_by_hand_stay_until_the_file_speaks_of_them_or_is_loaded() {
    let [was, down] = [3, 0].map(|weight| holding(&[(1, weight)]));
    let limited = |service: &Service| {
        let mut service = service.clone();
        for spec in service.destinations.values_mut() {
            (spec.upper, spec.lower) = (20, 10);
        }
        service
    };
    let target = |is: &Service, was: &Service, want: &Service, scope| {
        service(Some(is), Some(was), Some(want), scope).target
    };
    let is = limited(&was);
    assert_eq!(target(&is, &was, &down, CHANGES), Some(limited(&down)));
    assert_eq!(target(&is, &is, &down, CHANGES), Some(down.clone()));
    assert_eq!(target(&is, &was, &down, Scope::Full), Some(down));
}
