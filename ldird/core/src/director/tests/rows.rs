//! Rows of the specification's section 8.3 that take more than one step, from the files to the table.

use super::bed::{Bed, SERVICE, checked, config, other_service, real, row};
use crate::config::{Check, Config, Fallback, ProbeId};
use crate::input::Input;
use crate::output::Output;
use crate::table::{Edit, Forwarding, ServiceKey};

const FALLBACK: u8 = 127;

/// Two real servers, which are up, and a fallback.
fn b0() -> Config {
    let mut config = config(checked(2));
    config.services[0].fallback = Some(Fallback {
        key: row(FALLBACK),
        forwarding: Forwarding::Masq,
    });
    config
}

fn settled() -> Bed {
    let bed = Bed::settled(b0(), 2);
    assert_eq!(bed.rows(), [(row(1), 1), (row(2), 1)]);
    bed
}

fn reload(bed: &mut Bed, change: impl FnOnce(&mut Config)) {
    let mut config = b0();
    change(&mut config);
    let outputs = bed.feed(Input::Reload(config));
    bed.serve(outputs);
}

fn stop(bed: &mut Bed) -> Vec<ServiceKey> {
    let outputs = bed.feed(Input::Shutdown);
    bed.serve(outputs);
    bed.table.keys().copied().collect()
}

#[test]
fn t11_the_third_failure_takes_it_out() {
    let mut config = b0();
    config.services[0].failurecount = 3;
    let mut bed = Bed::settled(config, 2);
    for _ in 0..2 {
        bed.verdict(1, false);
        assert_eq!(bed.rows(), [(row(1), 1), (row(2), 1)]);
    }
    bed.verdict(1, false);
    assert_eq!(bed.rows(), [(row(2), 1)]);
}

#[test]
fn t17_a_stop_removes_the_service() {
    assert_eq!(stop(&mut settled()), []);
}

#[test]
fn t18_a_stop_with_cleanstop_no_changes_nothing() {
    let mut config = b0();
    config.services[0].cleanstop = false;
    let mut bed = Bed::settled(config, 2);
    let edits = bed.edits;
    assert_eq!(stop(&mut bed), [SERVICE]);
    assert_eq!(bed.edits, edits);
}

#[test]
fn t19_cleanstop_of_a_section_is_for_that_service() {
    let mut config = b0();
    let mut other = config.services[0].clone();
    (other.key, other.cleanstop) = (other_service(), false);
    config.services.push(other);
    assert_eq!(stop(&mut Bed::settled(config, 2)), [other_service()]);
}

#[test]
fn t21_a_reload_adds_a_service() {
    let mut bed = settled();
    reload(&mut bed, |config| {
        let mut other = config.services[0].clone();
        other.key = other_service();
        config.services.push(other);
    });
    assert_eq!(bed.table.len(), 2);
    assert_eq!(bed.table[&SERVICE].destinations.len(), 2);
}

#[test]
fn t22_a_reload_edits_a_weight_and_nothing_else() {
    let mut bed = settled();
    let mut changed = b0();
    changed.services[0].reals[0].weight = 7;
    assert_eq!(bed.feed(Input::Reload(changed)), [Output::Read]);
    let edits = bed.read();
    assert!(
        matches!(edits[..], [Edit::EditDestination(_, key, _)] if key == row(1)),
        "{edits:?}"
    );
}

#[test]
fn t23_a_reload_edits_the_forwarding() {
    let mut bed = settled();
    let mut changed = b0();
    changed.services[0].reals[0].forwarding = Forwarding::Gate;
    assert_eq!(bed.feed(Input::Reload(changed)), [Output::Read]);
    let edits = bed.read();
    assert!(
        matches!(edits[..], [Edit::EditDestination(_, key, _)] if key == row(1)),
        "{edits:?}"
    );
}

#[test]
fn t24_a_reload_removes_a_real_server() {
    let mut bed = settled();
    reload(&mut bed, |config| config.services[0].reals.truncate(1));
    assert_eq!(bed.rows(), [(row(1), 1)]);
}

#[test]
fn t38_a_reload_takes_persistence_away() {
    let mut sticky = b0();
    sticky.services[0].spec.persistent = Some(600);
    let mut bed = Bed::settled(sticky, 2);
    assert_eq!(bed.table[&SERVICE].spec.persistent, Some(600));
    reload(&mut bed, |_| ());
    assert_eq!(bed.table[&SERVICE].spec.persistent, None);
    assert_eq!(bed.rows(), [(row(1), 1), (row(2), 1)]);
}

/// Better: the old daemon lets each of them serve for a moment before it knows anything.
#[test]
fn t53_a_start_begins_with_the_fallback_and_nobody_unseen_serves() {
    let mut bed = Bed::new(b0());
    bed.drain();
    bed.serve(Vec::new());
    assert_eq!(bed.rows(), [(row(FALLBACK), 1)]);
    bed.verdict(1, true);
    assert_eq!(bed.rows(), [(row(1), 1)]);
}

/// A real server that is always up needs no fallback either.
#[test]
fn a_server_without_a_check_serves_from_the_start() {
    let mut config = b0();
    config.services[0].reals = vec![real(1, Check::On), real(2, Check::Probe(ProbeId(1)))];
    let mut bed = Bed::new(config);
    bed.drain();
    bed.serve(Vec::new());
    assert_eq!(bed.rows(), [(row(1), 1)]);
}
