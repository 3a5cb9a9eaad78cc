//! Who was first, by how much, and what traffic notices.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use super::{Apart, Event, Kind, Meeting, Place, Shadow, Side, Way};
use crate::table::{
    DestinationKey, DestinationSpec, Forwarding, Protocol, Service, ServiceKey, ServiceSpec, Table,
    Tunnel,
};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(200);

fn service(last: u8) -> ServiceKey {
    ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: SocketAddr::from(([10, 0, 0, last], 80)),
    }
}

fn row(last: u8) -> DestinationKey {
    DestinationKey {
        address: [10, 0, 1, last].into(),
        port: 80,
    }
}

fn spec(weight: u32) -> DestinationSpec {
    DestinationSpec {
        forwarding: Forwarding::Gate,
        weight,
        upper: 0,
        lower: 0,
        tunnel: Tunnel::Ipip,
    }
}

fn table(rows: &[(u8, u32)]) -> Table {
    let destinations = rows
        .iter()
        .map(|(last, weight)| (row(*last), spec(*weight)));
    let service_spec = ServiceSpec {
        scheduler: "wlc".to_owned(),
        persistent: None,
        netmask: 32,
        one_packet: false,
        scheduler_flags: [false; 3],
        pe: None,
    };
    let held = Service {
        spec: service_spec,
        destinations: destinations.collect(),
    };
    Table::from([(service(100), held)])
}

/// Looks one step apart.
struct Looks {
    shadow: Shadow,
    now: Instant,
}

impl Looks {
    fn new() -> Self {
        Self {
            shadow: Shadow::default(),
            now: Instant::now(),
        }
    }

    fn look(&mut self, ours: &Table, kernel: &Table) -> Vec<Event> {
        self.now += STEP;
        self.shadow.look(ours, kernel, self.now)
    }

    fn kinds(&self) -> Vec<Kind> {
        self.shadow.apart().map(|(_, apart)| apart.kind).collect()
    }
}

fn real(last: u8) -> Place {
    Place {
        service: service(100),
        real: Some(row(last)),
    }
}

#[test]
fn who_takes_a_server_out_first_leads_until_the_other_follows() {
    let both = table(&[(1, 1), (2, 1)]);
    let without = table(&[(1, 1), (2, 0)]);
    for (side, first) in [
        (Side::Ours, (&without, &both)),
        (Side::Kernel, (&both, &without)),
    ] {
        let mut looks = Looks::new();
        assert_eq!(looks.look(&both, &both), []);
        let parted = looks.look(first.0, first.1);
        let [Event::Parted { place, apart }] = parted.as_slice() else {
            panic!("{parted:?}");
        };
        assert_eq!(
            (*place, apart.kind, apart.mover),
            (real(2), Kind::Traffic, Some(side))
        );
        assert_eq!(looks.look(first.0, first.1), [], "said once");
        let met = looks.look(&without, &without);
        let wanted = Event::Met {
            place: real(2),
            kind: Kind::Traffic,
            lasted: 2 * STEP,
            how: Meeting::Followed(side),
        };
        assert_eq!(met, [wanted]);
        let leads = looks.shadow.leads(side, Way::TakenOut).unwrap();
        assert_eq!(
            (leads.count, leads.median(), leads.longest),
            (1, 2 * STEP, 2 * STEP)
        );
        let other = if side == Side::Ours {
            Side::Kernel
        } else {
            Side::Ours
        };
        assert_eq!(looks.shadow.leads(other, Way::TakenOut), None);
        // And the way back is another kind of lead.
        looks.look(first.1, first.0);
        looks.look(&both, &both);
        let back: u64 = [Side::Ours, Side::Kernel]
            .into_iter()
            .filter_map(|side| looks.shadow.leads(side, Way::BroughtIn))
            .map(|leads| leads.count)
            .sum();
        assert_eq!(back, 1);
    }
}

/// keepalived removes the row, ldird gives it weight 0: clients cannot tell, and who was faster is
/// counted all the same.
#[test]
fn a_row_at_weight_0_and_no_row_are_the_same_for_traffic() {
    let both = table(&[(1, 1), (2, 1)]);
    let quiet = table(&[(1, 1), (2, 0)]);
    let gone = table(&[(1, 1)]);
    let mut looks = Looks::new();
    looks.look(&both, &both);
    looks.look(&quiet, &both);
    looks.look(&quiet, &gone);
    assert_eq!(looks.kinds(), [Kind::Form]);
    let leads = looks.shadow.leads(Side::Ours, Way::TakenOut).unwrap();
    assert_eq!((leads.count, leads.median()), (1, STEP));
    // From there it is seen who brings it back.
    looks.look(&quiet, &both);
    assert_eq!(looks.kinds(), [Kind::Traffic]);
    looks.look(&both, &both);
    assert_eq!(looks.kinds(), []);
    let leads = looks.shadow.leads(Side::Kernel, Way::BroughtIn).unwrap();
    assert_eq!((leads.count, leads.median()), (1, STEP));
}

/// Without quiescent a server that failed has no row in either.
#[test]
fn a_row_that_neither_had_is_brought_in_by_somebody() {
    let both = table(&[(1, 1), (2, 1)]);
    let gone = table(&[(1, 1)]);
    let mut looks = Looks::new();
    looks.look(&both, &both);
    looks.look(&gone, &gone);
    looks.look(&gone, &both);
    looks.look(&both, &both);
    let leads = looks.shadow.leads(Side::Kernel, Way::BroughtIn).unwrap();
    assert_eq!((leads.count, leads.median()), (1, STEP));
    assert_eq!(looks.kinds(), []);
}

#[test]
fn who_moves_and_comes_back_was_alone() {
    let both = table(&[(1, 1), (2, 1)]);
    let without = table(&[(1, 1), (2, 0)]);
    let mut looks = Looks::new();
    looks.look(&both, &both);
    looks.look(&both, &without);
    let met = looks.look(&both, &both);
    assert!(
        matches!(
            met.as_slice(),
            [Event::Met {
                how: Meeting::Alone(Side::Kernel),
                ..
            }]
        ),
        "{met:?}"
    );
    assert_eq!(looks.shadow.alone(Side::Kernel), 1);
    assert_eq!(looks.shadow.alone(Side::Ours), 0);
    assert_eq!(looks.shadow.leads(Side::Kernel, Way::TakenOut), None);
    let (_, past) = looks.shadow.past().next().unwrap();
    assert_eq!((past.times, past.lasted, past.longest), (1, STEP, STEP));
}

#[test]
fn nobody_leads_where_they_differed_from_the_start_or_moved_at_once() {
    let both = table(&[(1, 1), (2, 1)]);
    let without = table(&[(1, 1), (2, 0)]);
    let mut looks = Looks::new();
    let parted = looks.look(&without, &both);
    assert!(
        matches!(
            parted.as_slice(),
            [Event::Parted {
                apart: Apart { mover: None, .. },
                ..
            }]
        ),
        "{parted:?}"
    );
    looks.look(&both, &both);
    looks.look(&without, &without);
    for side in [Side::Ours, Side::Kernel] {
        for way in [Way::TakenOut, Way::BroughtIn] {
            assert_eq!(looks.shadow.leads(side, way), None);
        }
    }
}

#[test]
fn differences_have_names_by_what_clients_notice() {
    let wanted = table(&[(1, 1)]);
    let mut looks = Looks::new();
    looks.look(&wanted, &table(&[(1, 7)]));
    assert_eq!(looks.kinds(), [Kind::Weight]);
    let mut other = wanted.clone();
    let held = other.get_mut(&service(100)).unwrap();
    held.destinations.get_mut(&row(1)).unwrap().forwarding = Forwarding::Masq;
    looks.look(&wanted, &other);
    assert_eq!(looks.kinds(), [Kind::Manner]);
    // An address of this machine is shown as local, whatever the file says.
    let held = other.get_mut(&service(100)).unwrap();
    held.destinations.get_mut(&row(1)).unwrap().forwarding = Forwarding::Local;
    looks.look(&wanted, &other);
    assert_eq!(looks.kinds(), []);
    let held = other.get_mut(&service(100)).unwrap();
    held.spec.scheduler = "rr".to_owned();
    looks.look(&wanted, &other);
    assert_eq!(looks.kinds(), [Kind::Manner]);
    // Nobody else's service is compared.
    let mut stranger = wanted.clone();
    stranger.insert(service(7), stranger[&service(100)].clone());
    looks.look(&wanted, &stranger);
    assert_eq!(looks.kinds(), []);
    // One of two services is missing: one difference, not one for each of its rows.
    looks.look(&stranger, &wanted);
    assert_eq!(looks.kinds(), [Kind::Missing]);
}

/// The other director has the address, and the old daemon empties the table: nothing to compare with,
/// and nothing to complain of.
#[test]
fn a_kernel_without_our_services_is_another_directors_turn() {
    let wanted = table(&[(1, 1)]);
    let none = Table::new();
    let mut looks = Looks::new();
    assert_eq!(
        looks.look(&wanted, &none),
        [Event::Asleep],
        "from the start"
    );
    assert_eq!(looks.look(&wanted, &none), []);
    assert_eq!(looks.look(&wanted, &wanted), [Event::Awake]);
    looks.look(&wanted, &wanted);
    assert_eq!(looks.shadow.times(), (STEP, STEP));
    assert_eq!(looks.look(&wanted, &none), [Event::Asleep]);
    looks.look(&wanted, &none);
    assert_eq!(looks.shadow.times(), (STEP, STEP), "no time passes");
    assert_eq!(looks.kinds(), []);
}

#[test]
fn time_counts_by_what_clients_notice() {
    let both = table(&[(1, 1), (2, 1)]);
    let mut looks = Looks::new();
    looks.look(&both, &both);
    looks.look(&both, &table(&[(1, 1), (2, 5)]));
    looks.look(&both, &table(&[(1, 1), (2, 0)]));
    looks.look(&both, &both);
    assert_eq!(looks.shadow.times(), (3 * STEP, 2 * STEP));
}
