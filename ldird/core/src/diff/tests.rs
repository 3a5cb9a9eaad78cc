//! Edits lead where they should, in a safe order; other people's rows stay.

use super::{Scope, apply, diff, merge};
use crate::table::{
    DestinationKey, DestinationSpec, Edit, Forwarding, Protocol, Service, ServiceKey, ServiceSpec,
    Table,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const CHANGES: Scope = Scope::Changes {
    readd_quiescent: false,
};

fn service_key(last: u8) -> ServiceKey {
    let address = SocketAddr::from(([10, 0, 0, last], 80));
    ServiceKey::Address {
        protocol: Protocol::Tcp,
        address,
    }
}

fn row(last: u8) -> DestinationKey {
    DestinationKey {
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 1, last)),
        port: 80,
    }
}

fn spec(scheduler: &str) -> ServiceSpec {
    ServiceSpec {
        scheduler: scheduler.to_owned(),
        persistent: None,
        netmask: 32,
        one_packet: false,
        scheduler_flags: [false; 3],
    }
}

fn weight(weight: u32) -> DestinationSpec {
    DestinationSpec {
        forwarding: Forwarding::Gate,
        weight,
        upper: 0,
        lower: 0,
    }
}

fn service(rows: &[(u8, u32)]) -> Service {
    let destinations = rows
        .iter()
        .map(|(last, w)| (row(*last), weight(*w)))
        .collect();
    Service {
        spec: spec("wlc"),
        destinations,
    }
}

fn table(rows: &[(u8, u32)]) -> Table {
    [(service_key(1), service(rows))].into()
}

fn any_table() -> impl Strategy<Value = Table> {
    let destination = (
        0u32..4,
        prop_oneof![Just(Forwarding::Gate), Just(Forwarding::Masq)],
    )
        .prop_map(|(w, forwarding)| DestinationSpec {
            forwarding,
            weight: w,
            upper: 0,
            lower: 0,
        });
    let rows = prop::collection::btree_map((0u8..5).prop_map(row), destination, 0..5);
    let service =
        (prop_oneof![Just("rr"), Just("wlc")], rows).prop_map(|(scheduler, destinations)| {
            Service {
                spec: spec(scheduler),
                destinations,
            }
        });
    prop::collection::btree_map((0u8..4).prop_map(service_key), service, 0..4)
}

fn healthy(table: &Table, key: ServiceKey) -> usize {
    table.get(&key).map_or(0, |service| {
        service
            .destinations
            .values()
            .filter(|spec| spec.weight > 0)
            .count()
    })
}

proptest! {
    #[test]
    fn applying_a_diff_gives_the_target(actual in any_table(), target in any_table()) {
        let mut table = actual.clone();
        for edit in diff(&actual, &target) {
            prop_assert!(apply(&mut table, &edit), "the kernel would refuse {edit:?}");
        }
        prop_assert_eq!(&table, &target);
        prop_assert_eq!(diff(&table, &target), vec![]);
    }

    #[test]
    fn no_service_is_poorer_on_the_way_than_at_both_ends(actual in any_table(), target in any_table()) {
        let mut table = actual.clone();
        for edit in diff(&actual, &target) {
            apply(&mut table, &edit);
            for key in target.keys().filter(|key| actual.contains_key(key)) {
                let least = healthy(&actual, *key).min(healthy(&target, *key));
                prop_assert!(healthy(&table, *key) >= least, "{key} at {edit:?}");
            }
        }
    }

    #[test]
    fn strangers_are_never_touched(actual in any_table(), ours in any_table()) {
        for scope in [Scope::Full, CHANGES] {
            let merged = merge(&actual, &ours, &ours, scope);
            for (key, service) in actual.iter().filter(|(key, _)| !ours.contains_key(key)) {
                prop_assert_eq!(merged.target.get(key), Some(service));
            }
        }
    }

    #[test]
    fn a_full_merge_reaches_the_desired_table(actual in any_table(), intended in any_table(), desired in any_table()) {
        let merged = merge(&actual, &intended, &desired, Scope::Full);
        for (key, service) in &desired {
            prop_assert_eq!(merged.target.get(key), Some(service));
        }
    }

    #[test]
    fn a_settled_merge_edits_nothing(table in any_table()) {
        let merged = merge(&table, &table, &table, CHANGES);
        prop_assert_eq!(diff(&table, &merged.target), vec![]);
        prop_assert!(merged.drift.is_empty() && merged.vanished.is_empty());
    }
}

#[test]
fn t26_a_weight_set_by_hand_stays_until_the_state_changes() {
    let merged = merge(
        &table(&[(1, 9)]),
        &table(&[(1, 3)]),
        &table(&[(1, 3)]),
        CHANGES,
    );
    assert_eq!(merged.target, table(&[(1, 9)]));
    assert!(merged.drift.contains(&(service_key(1), Some(row(1)))));
    let down = merge(&table(&[(1, 9)]), &table(&[(1, 3)]), &table(&[]), CHANGES);
    assert_eq!(down.target, table(&[]));
}

#[test]
fn t27_a_server_deleted_by_hand_stays_out() {
    let both = table(&[(1, 3), (2, 2)]);
    let merged = merge(&table(&[(1, 3)]), &both, &both, CHANGES);
    assert_eq!(merged.target, table(&[(1, 3)]));
    let quiesced = table(&[(1, 3), (2, 0)]);
    let merged = merge(&table(&[(1, 3)]), &both, &quiesced, CHANGES);
    assert_eq!(
        merged.target,
        table(&[(1, 3)]),
        "quiescing does not bring it back"
    );
    let readd = Scope::Changes {
        readd_quiescent: true,
    };
    let merged = merge(&table(&[(1, 3)]), &both, &quiesced, readd);
    assert_eq!(merged.target, quiesced, "readdquiescent does");
}

#[test]
fn t28_a_deleted_service_is_made_again() {
    let merged = merge(&Table::new(), &table(&[(1, 3)]), &table(&[(1, 3)]), CHANGES);
    assert_eq!(merged.target, table(&[(1, 3)]));
    assert!(merged.vanished.contains(&service_key(1)));
}

#[test]
fn t13_start_adopts_purges_and_adds() {
    let actual = table(&[(1, 3), (9, 1)]);
    let merged = merge(
        &actual,
        &Table::new(),
        &table(&[(1, 3), (2, 2)]),
        Scope::Full,
    );
    assert_eq!(
        diff(&actual, &merged.target),
        [
            Edit::AddDestination(service_key(1), row(2), weight(2)),
            Edit::DeleteDestination(service_key(1), row(9)),
        ]
    );
}

#[test]
fn a_local_destination_equals_any_method() {
    let mut actual = table(&[(1, 3)]);
    for service in actual.values_mut() {
        for spec in service.destinations.values_mut() {
            spec.forwarding = Forwarding::Local;
        }
    }
    let merged = merge(&actual, &Table::new(), &table(&[(1, 3)]), Scope::Full);
    assert_eq!(diff(&actual, &merged.target), []);
}

#[test]
fn the_kernel_refuses_what_it_should() {
    let mut kernel: Table = BTreeMap::new();
    assert!(!apply(
        &mut kernel,
        &Edit::AddDestination(service_key(1), row(1), weight(1))
    ));
    assert!(!apply(&mut kernel, &Edit::DeleteService(service_key(1))));
    assert!(apply(
        &mut kernel,
        &Edit::AddService(service_key(1), spec("rr"))
    ));
    assert!(!apply(
        &mut kernel,
        &Edit::AddService(service_key(1), spec("rr"))
    ));
    assert!(!apply(
        &mut kernel,
        &Edit::EditDestination(service_key(1), row(1), weight(1))
    ));
}
