//! Edits lead where they should, in a safe order; other people's rows stay.

use super::{Edits, apply, diff, service as of_service};
use crate::table::{
    DestinationKey, DestinationSpec, Edit, Forwarding, Protocol, Service, ServiceKey, ServiceSpec,
    Table, Tunnel,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

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
        pe: None,
    }
}

fn weight(weight: u32) -> DestinationSpec {
    DestinationSpec {
        forwarding: Forwarding::Gate,
        weight,
        upper: 0,
        lower: 0,
        tunnel: Tunnel::Ipip,
    }
}

fn holding(rows: &[(u8, u32)]) -> Service {
    let destinations = rows
        .iter()
        .map(|(last, w)| (row(*last), weight(*w)))
        .collect();
    Service {
        spec: spec("wlc"),
        destinations,
    }
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
            tunnel: Tunnel::Ipip,
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

}

/// What is made at once, and what waits, on the way from these rows to those.
fn staged(is: &[(u8, u32)], want: &[(u8, u32)]) -> (Vec<Edit>, Vec<Edit>) {
    let (is, want) = (holding(is), holding(want));
    let mut edits: Edits = of_service(service_key(1), Some(&is), Some(&want));
    let late = edits.split_off_late(Some(&is), Some(&want));
    (edits.into_vec(), late)
}

#[test]
fn nobody_leaves_before_the_only_successor_is_known_to_be_there() {
    let key = service_key(1);
    let (now, late) = staged(&[(1, 1), (2, 0)], &[(3, 1)]);
    assert_eq!(now, [Edit::AddDestination(key, row(3), weight(1))]);
    let leave = [1, 2].map(|last| Edit::DeleteDestination(key, row(last)));
    assert_eq!(late, leave);
    let (now, late) = staged(&[(1, 1)], &[(1, 0), (2, 1)]);
    assert_eq!(now.len(), 1);
    assert_eq!(late, [Edit::EditDestination(key, row(1), weight(0))]);
}

#[test]
fn who_has_weight_by_hand_only_is_nobody_to_rely_on() {
    let key = service_key(1);
    let is = holding(&[(1, 4), (2, 1)]);
    let want = holding(&[(1, 0), (3, 1)]);
    // The merge leaves what was set by hand alone.
    let target = holding(&[(1, 4), (3, 1)]);
    let mut edits: Edits = of_service(key, Some(&is), Some(&target));
    let late = edits.split_off_late(Some(&is), Some(&want));
    assert_eq!(late, [Edit::DeleteDestination(key, row(2))]);
}

#[test]
fn where_somebody_goes_on_serving_nothing_waits() {
    let (now, late) = staged(&[(1, 1), (2, 1)], &[(1, 1), (3, 1)]);
    assert_eq!((now.len(), late.len()), (2, 0));
    let (now, late) = staged(&[(1, 1)], &[]);
    assert_eq!((now.len(), late.len()), (1, 0), "nobody is to follow");
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
