//! What others do to the table, and what the kernel refuses.

use super::bed::{Bed, SERVICE, checked, config, many, row};
use crate::director::{GLANCE_EVERY, READ_EVERY, SMALL_TABLE};
use crate::input::{Finding, Input};
use crate::ledger::TOLD_MAX;
use crate::output::{Drift, Notice, Output};
use crate::refusals::RETRY_MAX;
use crate::table::{Edit, ServiceKey};
use std::time::Duration;

#[test]
fn rows_deleted_by_hand_are_back_within_a_second() {
    let mut bed = Bed::settled(config(checked(3)), 3);
    let rows = bed.rows();
    bed.table.get_mut(&SERVICE).unwrap().destinations.clear();
    let notices = bed.pass(GLANCE_EVERY);
    assert_eq!(bed.rows(), rows);
    let told = [1, 2, 3].map(|last| Notice::Drift(Drift::RealDeleted(SERVICE, row(last))));
    assert!(told.iter().all(|one| notices.contains(one)), "{notices:?}");
}

#[test]
fn a_flushed_table_is_back_within_a_second_however_big_it_is() {
    for count in [3, 10 * SMALL_TABLE as u16] {
        let mut bed = Bed::settled(many(count), 1);
        let before = bed.table.clone();
        assert_eq!(before.len(), usize::from(count));
        bed.table.clear();
        let notices = bed.pass(GLANCE_EVERY);
        assert_eq!(bed.table, before);
        let drift = |notice: &&Notice| matches!(notice, Notice::Drift(_));
        let told = notices.iter().filter(drift).count();
        assert!((1..=TOLD_MAX + 1).contains(&told), "{told}");
    }
}

#[test]
fn a_big_table_is_read_as_a_whole_only_now_and_then() {
    let mut bed = Bed::settled(many(1000), 1);
    bed.whole = 0;
    bed.pass(60 * GLANCE_EVERY);
    let most = 60 * GLANCE_EVERY.as_secs() / READ_EVERY.as_secs() + 1;
    assert!((5..=most as usize).contains(&bed.whole), "{}", bed.whole);
}

#[test]
fn a_changed_row_is_left_alone_and_told_once() {
    let mut bed = Bed::settled(config(checked(2)), 2);
    let service = bed.table.get_mut(&SERVICE).unwrap();
    service.destinations.get_mut(&row(1)).unwrap().weight = 7;
    let notices = bed.pass(30 * GLANCE_EVERY);
    let told = Notice::Drift(Drift::RealChanged(SERVICE, row(1)));
    assert_eq!(notices, [told]);
    assert_eq!(bed.rows(), [(row(1), 7), (row(2), 1)]);
}

#[test]
fn who_is_deleted_again_and_again_is_told_once_a_minute() {
    let mut bed = Bed::settled(config(checked(2)), 2);
    let mut told = 0;
    for _ in 0..120 {
        let service = bed.table.get_mut(&SERVICE).unwrap();
        service.destinations.remove(&row(1));
        let notices = bed.pass(GLANCE_EVERY);
        let drift = |notice: &&Notice| matches!(notice, Notice::Drift(_));
        told += notices.iter().filter(drift).count();
    }
    assert!((2..=3).contains(&told), "{told}");
}

#[test]
fn a_service_that_nobody_serves_is_an_alarm_whoever_did_it() {
    let mut bed = Bed::settled(config(checked(2)), 2);
    let set = |bed: &mut Bed, weight| {
        let service = bed.table.get_mut(&SERVICE).unwrap();
        for spec in service.destinations.values_mut() {
            spec.weight = weight;
        }
        bed.pass(3 * GLANCE_EVERY)
    };
    let notices = set(&mut bed, 0);
    let alarm = Notice::NobodyServes(SERVICE);
    let alarms = notices.iter().filter(|notice| **notice == alarm).count();
    assert_eq!(alarms, 1, "{notices:?}");
    let notices = set(&mut bed, 1);
    assert!(
        notices.contains(&Notice::ServedAgain(SERVICE)),
        "{notices:?}"
    );
}

#[test]
fn t42_a_refusal_that_lasts_is_told_once_and_rarely_tried() {
    let mut bed = Bed::new(many(1000));
    bed.refuses =
        |edit| matches!(edit, Edit::AddDestination(key, ..) if key.to_string().ends_with(":7"));
    let outputs = bed.drain();
    let mut notices = bed.serve(outputs);
    let outputs = bed.feed(super::bed::found(1, Finding::Up));
    notices.extend(bed.serve(outputs));
    (bed.whole, bed.edits) = (0, 0);
    notices.extend(bed.pass(10 * RETRY_MAX));
    let failed = |notice: &&Notice| matches!(notice, Notice::EditFailed { .. });
    assert_eq!(notices.iter().filter(failed).count(), 1);
    assert!((10..20).contains(&bed.edits), "{} tries", bed.edits);
    let usual = 10 * RETRY_MAX.as_secs() / READ_EVERY.as_secs();
    assert!(bed.whole <= usual as usize + 1, "{} readings", bed.whole);
    let key = bed.table.keys().find(|key| key.to_string().ends_with(":7"));
    let alarm = Notice::NobodyServes(*key.unwrap());
    assert!(notices.contains(&alarm), "nobody serves it");
}

#[test]
fn a_later_refusal_is_told_while_an_earlier_one_lasts() {
    let mut bed = Bed::settled(config(checked(3)), 1);
    bed.refuses = |edit| matches!(edit, Edit::AddDestination(..));
    let failed = |notices: Vec<Notice>| {
        let failed = |notice: &Notice| matches!(notice, Notice::EditFailed { .. });
        notices.into_iter().filter(failed).count()
    };
    assert_eq!(failed(bed.verdict(2, true)), 1);
    assert_eq!(failed(bed.verdict(3, true)), 1);
    assert_eq!(failed(bed.pass(Duration::from_secs(60))), 0);
}

/// Until that is tried again, whatever is found of its real servers meanwhile.
#[test]
fn nothing_is_added_to_a_service_that_the_kernel_refuses() {
    let mut bed = Bed::new(config(checked(2)));
    bed.refuses = |edit| matches!(edit, Edit::AddService(..) | Edit::AddDestination(..));
    let outputs = bed.drain();
    bed.serve(outputs);
    bed.verdict(1, true);
    bed.verdict(2, true);
    assert!(bed.edits > 0, "it was tried");
    bed.verdict(2, false);
    // At this moment it is too early to try the service again.
    bed.edits = 0;
    let outputs = bed.feed(super::bed::found(2, Finding::Up));
    let notices = bed.serve(outputs);
    assert_eq!(bed.edits, 0, "{notices:?}");
}

#[test]
fn a_reload_tries_at_once_what_was_refused() {
    let mut bed = Bed::settled(config(checked(2)), 1);
    bed.refuses = |edit| matches!(edit, Edit::AddDestination(..));
    bed.verdict(2, true);
    bed.pass(5 * RETRY_MAX);
    bed.refuses = |_| false;
    let outputs = bed.feed(Input::Reload(config(checked(2))));
    assert!(outputs.contains(&Output::Read));
    bed.serve(outputs);
    assert_eq!(bed.rows(), [(row(1), 1), (row(2), 1)]);
}

#[test]
fn services_that_a_reload_removed_while_they_were_read_are_not_read_for_ever() {
    let mut bed = Bed::new(many(200));
    bed.refuses = |edit| {
        let ServiceKey::Address { address, .. } = edit.service() else {
            return false;
        };
        matches!(edit, Edit::AddService(..)) && address.port() <= 15
    };
    let outputs = bed.drain();
    bed.serve(outputs);
    let mut keys = Vec::new();
    for _ in 0..10 {
        bed.now = bed.director.deadline().unwrap();
        let mut outputs = bed.feed(Input::Tick);
        match outputs.pop() {
            Some(Output::ReadServices(read)) => {
                keys = read;
                break;
            }
            other => bed.serve(outputs.into_iter().chain(other).collect()),
        };
    }
    assert_eq!(keys.len(), 15);
    bed.refuses = |_| false;
    bed.feed(Input::Reload(many(1)));
    let rows = keys.into_iter().map(|key| (key, None)).collect();
    let outputs = bed.feed(Input::Services(rows));
    bed.serve(outputs);
    assert_eq!(bed.table.len(), 1);
    // Each reading takes a moment.
    bed.whole = 0;
    for _ in 0..1000 {
        bed.now += Duration::from_millis(1);
        let due = bed.director.deadline().filter(|due| *due <= bed.now);
        let outputs = due.map(|_| bed.feed(Input::Tick)).unwrap_or_default();
        bed.serve(outputs);
    }
    assert!(bed.whole <= 2, "{} readings in a second", bed.whole);
}

#[test]
fn a_row_that_is_deleted_over_and_over_is_told_once_a_minute() {
    let mut bed = Bed::settled(config(checked(1)), 1);
    bed.pass(Duration::from_secs(5));
    let told = (0..=61u64).filter(|_| {
        let service = bed.table.get_mut(&SERVICE).expect("it is there");
        service.destinations.remove(&row(1));
        let notices = bed.pass(Duration::from_secs(1));
        notices.contains(&Notice::Drift(Drift::RealDeleted(SERVICE, row(1))))
    });
    assert_eq!(told.collect::<Vec<_>>(), [0, 60]);
}
