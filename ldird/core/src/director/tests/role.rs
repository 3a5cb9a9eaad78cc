//! On standby the table is held back and every verdict is known; a turn sets or clears it at once.

use super::bed::{Bed, SERVICE, asked, checked, config, found, many, other_service, row};
use crate::config::{Config, ProbeId};
use crate::input::{Finding, Input};
use crate::output::{Notice, Output};
use crate::table::{Edit, Service, Table};
use ha_status::Role;
use std::time::Duration;

/// The notices and the batches of edits of a turn.
fn turn(bed: &mut Bed, role: Role) -> Vec<Notice> {
    let outputs = bed.feed(Input::Turn(role));
    bed.serve(outputs)
}

fn with_table(mut config: Config) -> Config {
    config.standby.table = true;
    config
}

fn row_of(service: &Service) -> Vec<u8> {
    let rows = service.destinations.keys();
    rows.map(|row| {
        row.address
            .to_string()
            .rsplit('.')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    })
    .collect()
}

#[test]
fn on_standby_every_verdict_is_known_and_nothing_is_in_the_table() {
    let mut bed = Bed::settled_in(config(checked(3)), Role::Standby, 3);
    bed.verdict(2, false);
    assert_eq!(bed.table, Table::new());
    let shown = bed.director.services(bed.now, 0);
    let healths: Vec<_> = shown[0].reals.iter().map(|real| real.health).collect();
    use ha_status::Health::{Down, Up};
    assert_eq!(healths, [Up, Down, Up]);
    assert_eq!(bed.edits, 0);
}

#[test]
fn a_turn_to_active_puts_the_whole_table_in_with_one_batch() {
    for count in [1, 200] {
        let mut bed = Bed::settled_in(many(count), Role::Standby, 1);
        let outputs = bed.feed(Input::Turn(Role::Active));
        assert_eq!(outputs, [Output::Read], "nothing is waited for");
        let edits = bed.read();
        assert_eq!(edits.len(), 2 * usize::from(count));
        let outputs = bed.apply(edits);
        assert!(outputs.contains(&Output::Notice(Notice::Turned(Role::Active))));
        assert!(
            !outputs
                .iter()
                .any(|output| matches!(output, Output::Apply(_))),
            "one batch"
        );
        assert_eq!(bed.table.len(), usize::from(count));
        assert!(bed.table.values().all(|service| row_of(service) == [1]));
    }
}

#[test]
fn a_server_that_died_on_standby_gets_nothing_after_the_turn() {
    let mut bed = Bed::settled_in(config(checked(3)), Role::Standby, 3);
    bed.verdict(2, false);
    turn(&mut bed, Role::Active);
    assert_eq!(bed.rows(), [(row(1), 1), (row(3), 1)]);
}

/// An address that the checks come from moves with the role, before the turn or after it.
#[test]
fn what_could_not_be_asked_on_standby_is_asked_at_the_turn_and_soon_again() {
    let mut bed = Bed::in_role(config(checked(2)), Role::Standby);
    bed.drain();
    bed.serve(Vec::new());
    bed.pass(Duration::from_secs(10));
    // The first answers are so late that the next questions follow at once.
    for _ in 0..2 {
        for (probe, finding) in [(1, Finding::CouldNotAsk), (2, Finding::Up)] {
            let outputs = bed.feed(found(probe, finding));
            bed.serve(outputs);
        }
    }
    assert!(!bed.director.fleet.is_asking(), "both wait for their turn");
    let outputs = bed.feed(Input::Turn(Role::Active));
    assert_eq!(asked(&outputs), [ProbeId(1)], "the other one is known");
    bed.serve(outputs);
    let outputs = bed.feed(found(1, Finding::CouldNotAsk));
    bed.serve(outputs);
    bed.now += Duration::from_millis(100);
    assert_eq!(asked(&bed.feed(Input::Tick)), [ProbeId(1)]);
    let outputs = bed.feed(found(1, Finding::Up));
    bed.serve(outputs);
    assert_eq!(bed.rows(), [(row(1), 1), (row(2), 1)]);
}

#[test]
fn a_turn_is_told_when_the_kernel_has_the_table_and_not_before() {
    let mut bed = Bed::settled_in(config(checked(1)), Role::Standby, 1);
    let told = |outputs: &[Output]| {
        let turned = |output: &Output| matches!(output, Output::Notice(Notice::Turned(_)));
        outputs.iter().any(turned)
    };
    assert!(!told(&bed.feed(Input::Turn(Role::Active))));
    // Asked again, e.g. by a second caller.
    assert!(!told(&bed.feed(Input::Turn(Role::Active))));
    let edits = bed.read();
    assert!(told(&bed.apply(edits)));
    assert!(
        told(&bed.feed(Input::Turn(Role::Active))),
        "it is so already"
    );
}

#[test]
fn a_turn_to_standby_takes_out_what_is_ours_and_nothing_else() {
    let mut bed = Bed::settled(config(checked(2)), 2);
    let strange = bed.table[&SERVICE].clone();
    bed.table.insert(other_service(), strange);
    let notices = turn(&mut bed, Role::Standby);
    assert_eq!(notices.last(), Some(&Notice::Turned(Role::Standby)));
    assert!(
        !notices
            .iter()
            .any(|one| matches!(one, Notice::NobodyServes(_)))
    );
    let left: Vec<_> = bed.table.keys().copied().collect();
    assert_eq!(left, [other_service()]);
    let edits = bed.edits;
    bed.pass(Duration::from_secs(120));
    bed.verdict(1, false);
    assert_eq!(bed.edits, edits, "nothing is edited on standby");
}

#[test]
fn a_service_with_cleanstop_no_stays_where_a_turn_to_standby_finds_it() {
    let mut config = config(checked(2));
    config.services[0].cleanstop = false;
    let mut bed = Bed::settled(config, 2);
    let before = bed.table.clone();
    turn(&mut bed, Role::Standby);
    bed.verdict(1, false);
    assert_eq!(bed.table, before, "as a stop leaves it");
    turn(&mut bed, Role::Active);
    assert_eq!(bed.rows(), [(row(2), 1)]);
}

#[test]
fn a_table_of_an_earlier_life_leaves_when_the_director_starts_on_standby() {
    let active = Bed::settled(config(checked(2)), 2);
    let mut bed = Bed::in_role(config(checked(2)), Role::Standby);
    bed.table = active.table.clone();
    let strange = bed.table[&SERVICE].clone();
    bed.table.insert(other_service(), strange.clone());
    bed.drain();
    bed.serve(Vec::new());
    assert!(bed.table.contains_key(&other_service()), "it is in no file");
    assert!(!bed.table.contains_key(&SERVICE));
    // Who puts such a service there by hand later is left alone.
    bed.table.insert(SERVICE, strange);
    bed.pass(Duration::from_secs(60));
    assert!(bed.table.contains_key(&SERVICE));
}

#[test]
fn what_another_director_wants_is_not_taken_out_on_standby() {
    let active = Bed::settled(config(checked(2)), 2);
    let mut bed = Bed::in_role(config(checked(2)), Role::Standby);
    bed.table = active.table.clone();
    bed.drain();
    bed.feed(Input::Others([SERVICE].into()));
    bed.serve(Vec::new());
    assert!(bed.table.contains_key(&SERVICE));
}

#[test]
fn a_pure_director_keeps_its_table_loaded_and_right_on_standby() {
    let mut bed = Bed::settled_in(with_table(config(checked(2))), Role::Standby, 2);
    assert_eq!(bed.rows(), [(row(1), 1), (row(2), 1)]);
    bed.verdict(1, false);
    assert_eq!(bed.rows(), [(row(2), 1)]);
    let edits = bed.edits;
    let notices = turn(&mut bed, Role::Active);
    assert_eq!(notices, [Notice::Turned(Role::Active)]);
    assert_eq!(bed.edits, edits, "it was right already");
}

#[test]
fn a_turn_back_in_the_middle_of_a_turn_ends_with_what_was_said_last() {
    let mut bed = Bed::settled_in(config(checked(2)), Role::Standby, 2);
    bed.feed(Input::Turn(Role::Active));
    let edits = bed.read();
    assert!(!edits.is_empty());
    bed.feed(Input::Turn(Role::Standby));
    let outputs = bed.apply(edits);
    let notices = bed.serve(outputs);
    assert_eq!(notices.last(), Some(&Notice::Turned(Role::Standby)));
    assert!(!notices.contains(&Notice::Turned(Role::Active)));
    assert_eq!(bed.table, Table::new());
}

#[test]
fn a_reload_during_a_turn_is_told_as_well() {
    let mut bed = Bed::settled_in(config(checked(2)), Role::Standby, 2);
    bed.feed(Input::Turn(Role::Active));
    let outputs = bed.feed(Input::Reload(config(checked(1))));
    let notices = bed.serve(outputs);
    let last: Vec<_> = notices.iter().rev().take(2).rev().collect();
    assert_eq!(last, [&Notice::Reloaded, &Notice::Turned(Role::Active)]);
    assert_eq!(bed.rows(), [(row(1), 1)]);
}

#[test]
fn a_stop_on_standby_leaves_a_table_that_is_not_ours() {
    let active = Bed::settled(config(checked(2)), 2);
    let mut bed = Bed::settled_in(config(checked(2)), Role::Standby, 2);
    bed.table = active.table.clone();
    let outputs = bed.feed(Input::Shutdown);
    bed.serve(outputs);
    assert!(bed.table.contains_key(&SERVICE));
}

#[test]
fn a_refused_turn_is_told_and_what_was_refused_is_tried_again() {
    let mut bed = Bed::settled_in(config(checked(2)), Role::Standby, 2);
    bed.refuses = |edit| matches!(edit, Edit::AddDestination(_, real, _) if *real == row(1));
    let notices = turn(&mut bed, Role::Active);
    assert!(notices.contains(&Notice::Turned(Role::Active)));
    assert!(
        notices
            .iter()
            .any(|one| matches!(one, Notice::EditFailed { .. }))
    );
    assert_eq!(bed.rows(), [(row(2), 1)]);
    bed.refuses = |_| false;
    bed.pass(Duration::from_secs(5));
    assert_eq!(bed.rows(), [(row(1), 1), (row(2), 1)]);
}

#[test]
fn on_standby_real_servers_are_asked_as_seldom_as_the_file_says() {
    let mut config = config(checked(1));
    config.standby.interval = Some(Duration::from_secs(60));
    let asked = |bed: &mut Bed, time: u64| {
        // What is under way already.
        let outputs = bed.feed(found(1, Finding::Up));
        bed.serve(outputs);
        let end = bed.now + Duration::from_secs(time);
        let mut count = 0;
        while let Some(due) = bed.director.deadline().filter(|due| *due <= end) {
            bed.now = bed.now.max(due);
            for output in bed.feed(Input::Tick) {
                if let Output::Probe { .. } = output {
                    count += 1;
                    let outputs = bed.feed(found(1, Finding::Up));
                    bed.serve(outputs);
                } else {
                    bed.serve(vec![output]);
                }
            }
        }
        bed.now = end;
        count
    };
    let mut bed = Bed::settled_in(config, Role::Standby, 1);
    let seldom = asked(&mut bed, 600);
    assert!((9..=11).contains(&seldom), "{seldom}");
    turn(&mut bed, Role::Active);
    let often = asked(&mut bed, 600);
    assert!((59..=62).contains(&often), "{often}");
}

#[test]
fn what_the_kernel_refused_is_not_tried_again_where_a_service_is_left_alone() {
    let mut config = config(checked(2));
    config.services[0].cleanstop = false;
    let mut bed = Bed::settled(config, 2);
    bed.refuses = |_| true;
    bed.verdict(1, false);
    turn(&mut bed, Role::Standby);
    let (edits, readings) = (bed.edits, bed.single.len());
    bed.pass(Duration::from_secs(120));
    assert_eq!((bed.edits, bed.single.len()), (edits, readings));
}
