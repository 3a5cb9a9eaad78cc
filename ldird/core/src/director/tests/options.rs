//! What a service may ask for beyond what ldirectord did.

use super::bed::{Bed, SERVICE, checked, config, found, found_after, other_service, row};
use crate::config::{Config, Fallback};
use crate::director::GLANCE_EVERY;
use crate::input::{Finding, Input};
use crate::options::{Options, Panic};
use crate::output::{Drift, Enforced, Notice, PanicEnd};
use crate::overrides::{Order, Slot};
use crate::table::{Edit, Forwarding};
use ha_status::{Override, Role, Says, Stage};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(10);
const SLOW: Duration = Duration::from_secs(90);
const PANIC: Panic = Panic {
    percent: 50,
    longest: Duration::from_secs(300),
};

/// So many real servers of weight 100.
fn with(count: u8, options: Options) -> Config {
    let mut config = config(checked(count));
    let service = &mut config.services[0];
    service.options = options;
    for real in &mut service.reals {
        real.weight = 100;
    }
    config
}

fn slow() -> Options {
    Options {
        slowstart: Some(SLOW),
        ..Options::default()
    }
}

fn panicking() -> Options {
    Options {
        panic: Some(PANIC),
        ..Options::default()
    }
}

fn weights(bed: &Bed) -> Vec<u32> {
    bed.rows().into_iter().map(|(_, weight)| weight).collect()
}

/// In the next interval these probes find this.
fn find(bed: &mut Bed, probes: &[u32], finding: Finding) -> Vec<Notice> {
    let mut notices = bed.pass(INTERVAL);
    for probe in probes {
        let outputs = bed.feed(found(*probe, finding));
        notices.extend(bed.serve(outputs));
    }
    notices
}

fn stage(bed: &Bed, rank: usize) -> Option<Stage> {
    bed.director.services(bed.now, 0)[0].reals[rank].stage
}

fn say(bed: &mut Bed, last: u8, says: Option<Says>) {
    let order = says.map(|says| Order {
        shown: Override {
            says,
            by: "somebody".to_owned(),
            why: String::new(),
            since_ms: 0,
            until_ms: None,
        },
        until: None,
    });
    let slot = says.map_or(Slot::Weight, Slot::of);
    let place = (SERVICE, row(last));
    let outputs = bed.feed(Input::Overrule { place, slot, order });
    bed.serve(outputs);
}

#[test]
fn a_server_that_was_down_is_back_after_so_many_passed_checks() {
    let options = Options {
        risecount: 3,
        ..Options::default()
    };
    let mut bed = Bed::settled(with(2, options), 2);
    assert_eq!(weights(&bed), [100, 100], "a start is not delayed");
    bed.verdict(1, false);
    let told = bed.verdict(1, true);
    let rising = Notice::Rising {
        service: SERVICE,
        real: row(1),
        passes: 1,
        limit: 3,
    };
    assert!(told.contains(&rising), "{told:?}");
    assert_eq!(stage(&bed, 0), Some(Stage::Rising { passes: 1, of: 3 }));
    bed.verdict(1, true);
    assert_eq!(weights(&bed), [100]);
    bed.verdict(1, true);
    assert_eq!(weights(&bed), [100, 100]);
    assert_eq!(stage(&bed, 0), None);
}

#[test]
fn a_server_that_comes_back_gets_its_weight_in_ten_edits() {
    let mut bed = Bed::settled(with(2, slow()), 2);
    assert_eq!(weights(&bed), [100, 100], "not at a start");
    bed.verdict(1, false);
    bed.edits = 0;
    bed.verdict(1, true);
    assert_eq!(weights(&bed), [10, 100]);
    let mut seen = vec![10];
    for _ in 0..100 {
        let notices = bed.pass(Duration::from_secs(1));
        let restored = |one: &Notice| matches!(one, Notice::RealRestored { .. });
        assert!(!notices.iter().any(restored), "no mail for each step");
        let weight = weights(&bed)[0];
        if seen.last() != Some(&weight) {
            seen.push(weight);
        }
    }
    assert_eq!(seen, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    assert_eq!(bed.edits, 10);
    assert_eq!(stage(&bed, 0), None);
}

#[test]
fn a_slow_start_goes_on_over_a_reload_and_ends_where_the_file_takes_it_out() {
    let mut bed = Bed::settled(with(2, slow()), 2);
    bed.verdict(1, false);
    bed.verdict(1, true);
    bed.pass(Duration::from_secs(25));
    assert_eq!(weights(&bed), [30, 100]);
    let outputs = bed.feed(Input::Reload(with(2, slow())));
    bed.serve(outputs);
    assert_eq!(weights(&bed), [30, 100]);
    bed.pass(Duration::from_secs(10));
    assert_eq!(weights(&bed), [40, 100]);
    let outputs = bed.feed(Input::Reload(with(2, Options::default())));
    bed.serve(outputs);
    assert_eq!(weights(&bed), [100, 100]);
}

#[test]
fn operators_and_a_new_role_do_not_wait_for_a_slow_start() {
    let mut bed = Bed::settled(with(2, slow()), 2);
    bed.verdict(1, false);
    bed.verdict(1, true);
    let regardless = false;
    say(
        &mut bed,
        1,
        Some(Says::Weight {
            weight: 77,
            regardless,
        }),
    );
    assert_eq!(weights(&bed), [77, 100]);
    say(&mut bed, 1, Some(Says::Drain));
    assert_eq!(weights(&bed), [0, 100]);
    say(&mut bed, 1, None);
    assert_eq!(weights(&bed), [10, 100]);
    for role in [Role::Standby, Role::Active] {
        let outputs = bed.feed(Input::Turn(role));
        bed.serve(outputs);
    }
    assert_eq!(weights(&bed), [100, 100]);
    let outputs = bed.feed(Input::Turn(Role::Standby));
    bed.serve(outputs);
    bed.verdict(1, false);
    bed.verdict(1, true);
    let outputs = bed.feed(Input::Turn(Role::Active));
    bed.serve(outputs);
    assert_eq!(weights(&bed), [100, 100], "it came back while on standby");
}

#[test]
fn who_comes_out_of_maintenance_starts_slowly() {
    let mut bed = Bed::settled(with(2, slow()), 2);
    let maintain = |bed: &mut Bed, active| {
        let (service, real) = (SERVICE, row(1));
        let outputs = bed.feed(Input::Maintenance {
            service,
            real,
            active,
        });
        bed.serve(outputs);
    };
    maintain(&mut bed, true);
    assert_eq!(weights(&bed), [100]);
    maintain(&mut bed, false);
    bed.verdict(1, true);
    assert_eq!(weights(&bed), [10, 100]);
    maintain(&mut bed, true);
    assert_eq!(weights(&bed), [100], "maintenance beats it");
}

#[test]
fn what_an_operator_has_drained_does_not_come_back_as_the_fallback() {
    let mut own = with(2, Options::default());
    own.services[0].fallback = Some(Fallback {
        key: row(1),
        forwarding: Forwarding::Masq,
    });
    let mut bed = Bed::settled(own, 2);
    say(&mut bed, 1, Some(Says::Drain));
    bed.verdict(2, false);
    assert_eq!(bed.rows(), [(row(1), 0)]);
    say(&mut bed, 1, None);
    bed.verdict(1, false);
    assert_eq!(bed.rows(), [(row(1), 1)], "by itself it is the fallback");
}

#[test]
fn when_most_of_a_pool_fails_at_once_weights_are_held_until_they_pass_again() {
    let mut bed = Bed::settled(with(4, panicking()), 4);
    let told = find(&mut bed, &[1, 2], Finding::Down);
    let panic = |one: &Notice| matches!(one, Notice::Panic { .. });
    assert!(!told.iter().any(panic), "half of them is not more");
    assert_eq!(weights(&bed), [100, 100], "these two left");
    let outputs = bed.feed(found(3, Finding::Down));
    let told = bed.serve(outputs);
    let alarm = Notice::Panic {
        service: SERVICE,
        failing: 3,
        of: 4,
        longest: PANIC.longest,
    };
    assert!(told.contains(&alarm), "{told:?}");
    assert_eq!(weights(&bed), [100; 4], "and are back, as they were");
    assert_eq!(stage(&bed, 2), Some(Stage::Held));
    let shown = bed.director.services(bed.now, 0)[0].panic;
    assert_eq!(shown.map(|panic| panic.failing), Some(3));
    find(&mut bed, &[4], Finding::Down);
    assert_eq!(weights(&bed), [100; 4], "the last one as well");
    find(&mut bed, &[1, 2, 3], Finding::Up);
    let told = find(&mut bed, &[4], Finding::Up);
    let over = Notice::PanicOver {
        service: SERVICE,
        why: PanicEnd::Recovered,
        failing: 0,
    };
    assert!(told.contains(&over), "{told:?}");
    assert_eq!(weights(&bed), [100; 4]);
    find(&mut bed, &[1], Finding::Down);
    assert_eq!(weights(&bed), [100; 3], "one alone leaves");
}

#[test]
fn whoever_runs_into_its_time_limit_while_weights_are_held_is_held_as_well() {
    let mut bed = Bed::settled(with(5, panicking()), 5);
    find(&mut bed, &[1], Finding::Down);
    bed.pass(6 * INTERVAL);
    let took = 2 * INTERVAL;
    for probe in [2, 3, 4, 5] {
        let outputs = bed.feed(found_after(probe, Finding::Down, took));
        bed.serve(outputs);
        bed.pass(Duration::from_millis(10));
    }
    assert_eq!(
        weights(&bed),
        [100; 4],
        "the first one was dead long before"
    );
    assert_eq!(stage(&bed, 0), None);
    assert_eq!(stage(&bed, 4), Some(Stage::Held));
    let shown = bed.director.services(bed.now, 0)[0].panic;
    assert_eq!(shown.map(|panic| panic.failing), Some(4));
}

#[test]
fn held_weights_have_an_end_and_what_still_fails_leaves_then() {
    let mut bed = Bed::settled(with(3, panicking()), 3);
    find(&mut bed, &[1, 2, 3], Finding::Down);
    assert_eq!(weights(&bed), [100; 3]);
    let told = bed.pass(PANIC.longest);
    let over = Notice::PanicOver {
        service: SERVICE,
        why: PanicEnd::Lasted,
        failing: 3,
    };
    assert!(told.contains(&over), "{told:?}");
    assert!(weights(&bed).is_empty(), "not for ever");
    // A threshold that comes with a reload is no reason to take dead servers back.
    let mut bed = Bed::settled(with(3, Options::default()), 3);
    find(&mut bed, &[1, 2, 3], Finding::Down);
    let outputs = bed.feed(Input::Reload(with(3, panicking())));
    bed.serve(outputs);
    assert!(weights(&bed).is_empty());
}

#[test]
fn a_hold_outlives_a_reload_and_yields_to_operators() {
    let mut bed = Bed::settled(with(3, panicking()), 3);
    find(&mut bed, &[1, 2, 3], Finding::Down);
    let outputs = bed.feed(Input::Reload(with(3, panicking())));
    bed.serve(outputs);
    assert_eq!(weights(&bed), [100; 3]);
    say(&mut bed, 1, Some(Says::Drain));
    say(&mut bed, 2, Some(Says::Maintenance));
    assert_eq!(weights(&bed), [0, 100]);
    let outputs = bed.feed(Input::Reload(with(3, Options::default())));
    let told = bed.serve(outputs);
    let over = |one: &Notice| {
        let why = PanicEnd::Withdrawn;
        matches!(one, Notice::PanicOver { why: of, .. } if *of == why)
    };
    assert!(told.iter().any(over), "{told:?}");
    assert_eq!(weights(&bed), [0], "the drained one stays in the table");
}

#[test]
fn servers_that_fail_one_after_the_other_are_no_panic() {
    let mut bed = Bed::settled(with(4, panicking()), 4);
    for probe in 1..=4 {
        find(&mut bed, &[probe], Finding::Down);
        bed.pass(INTERVAL);
    }
    assert!(weights(&bed).is_empty());
    let mut alone = Bed::settled(with(1, panicking()), 1);
    find(&mut alone, &[1], Finding::Down);
    assert!(weights(&alone).is_empty(), "one may simply have died");
}

#[test]
fn what_others_change_is_put_back_and_told_once() {
    let options = Options {
        enforce: true,
        ..Options::default()
    };
    let mut bed = Bed::settled(with(2, options), 2);
    let right = bed.table.clone();
    let foreign = right[&SERVICE].clone();
    bed.table.insert(other_service(), foreign);
    let service = bed.table.get_mut(&SERVICE).unwrap();
    let wanted = service.destinations[&row(1)].clone();
    service.destinations.get_mut(&row(1)).unwrap().weight = 7;
    let found = service.destinations[&row(1)].clone();
    service.destinations.insert(row(9), found.clone());
    "sh".clone_into(&mut service.spec.scheduler);
    service.destinations.remove(&row(2));
    let notices = bed.pass(GLANCE_EVERY);
    assert_eq!(bed.table[&SERVICE], right[&SERVICE]);
    assert!(bed.table.contains_key(&other_service()), "not ours");
    let real = row(1);
    for told in [
        Enforced::Real {
            real,
            found,
            wanted,
        },
        Enforced::Stranger(row(9)),
    ] {
        let told = Notice::Enforced {
            service: SERVICE,
            what: told,
        };
        assert!(notices.contains(&told), "{notices:?}");
    }
    let deleted = Notice::Drift(Drift::RealDeleted(SERVICE, row(2)));
    assert!(notices.contains(&deleted), "{notices:?}");
    assert_eq!(bed.director.services(bed.now, 0)[0].enforced, 3);
    let quiet = bed.pass(10 * GLANCE_EVERY);
    assert_eq!(quiet, []);
}

#[test]
fn a_fight_over_a_row_costs_few_edits_and_few_lines() {
    let options = Options {
        enforce: true,
        ..Options::default()
    };
    let mut bed = Bed::settled(with(1, options), 1);
    bed.edits = 0;
    let mut told = 0;
    for _ in 0..120 {
        let service = bed.table.get_mut(&SERVICE).unwrap();
        service.destinations.get_mut(&row(1)).unwrap().weight = 7;
        let notices = bed.pass(GLANCE_EVERY);
        let ours = |one: &&Notice| matches!(one, Notice::Enforced { .. } | Notice::Drift(_));
        told += notices.iter().filter(ours).count();
    }
    assert!((2..=3).contains(&told), "{told}");
    assert!(bed.edits < 12, "{}", bed.edits);
}

#[test]
fn a_repair_that_the_kernel_refuses_is_tried_as_any_other_edit() {
    let options = Options {
        enforce: true,
        ..Options::default()
    };
    let mut bed = Bed::settled(with(1, options), 1);
    bed.refuses = |edit| matches!(edit, Edit::EditDestination(..));
    let service = bed.table.get_mut(&SERVICE).unwrap();
    service.destinations.get_mut(&row(1)).unwrap().weight = 7;
    bed.pass(5 * GLANCE_EVERY);
    assert_eq!(weights(&bed), [7]);
    bed.refuses = |_| false;
    bed.pass(Duration::from_secs(10));
    assert_eq!(weights(&bed), [100]);
}
