//! The table in the kernel for a moment on standby: before a turn to active, and after one to standby.

use super::bed::{Bed, SERVICE, checked, config, found, row};
use crate::input::{Finding, Input};
use crate::output::{Notice, Output};
use crate::table::{Edit, Table};
use ha_status::Role;
use std::time::Duration;

const MOMENT: Duration = Duration::from_secs(3);
const READY: Notice = Notice::Prepared { whole: true };

/// The notices of what follows.
fn feed(bed: &mut Bed, input: Input) -> Vec<Notice> {
    let outputs = bed.feed(input);
    bed.serve(outputs)
}

fn prepare(bed: &mut Bed) -> Vec<Notice> {
    feed(bed, Input::Prepare { table: MOMENT })
}

fn prepared() -> Bed {
    let mut bed = Bed::settled_in(config(checked(2)), Role::Standby, 2);
    let notices = prepare(&mut bed);
    let turned = |notice: &Notice| matches!(notice, Notice::Turned(_));
    assert!(!notices.iter().any(turned), "{notices:?}");
    assert_eq!(notices.last(), Some(&READY));
    bed
}

#[test]
fn a_prepared_table_is_in_the_kernel_and_a_turn_finds_nothing_to_do() {
    let mut bed = prepared();
    assert_eq!(bed.rows(), [(row(1), 1), (row(2), 1)]);
    assert_eq!(bed.director.role(), Role::Standby);
    let edits = bed.edits;
    let notices = feed(&mut bed, Input::Turn(Role::Active));
    assert_eq!(notices, [Notice::Turned(Role::Active)]);
    bed.pass(MOMENT * 2);
    assert_eq!(bed.edits, edits, "the moment is over, and nothing ends");
}

#[test]
fn a_prepared_table_follows_verdicts() {
    let mut bed = Bed::settled_in(config(checked(2)), Role::Standby, 2);
    // The next check passes in ten seconds.
    feed(
        &mut bed,
        Input::Prepare {
            table: Duration::from_secs(60),
        },
    );
    bed.verdict(1, false);
    assert_eq!(bed.rows(), [(row(2), 1)]);
}

#[test]
fn a_table_that_was_prepared_for_nothing_is_held_back_when_its_time_is_up() {
    let mut bed = prepared();
    let early = bed.pass(MOMENT.saturating_sub(Duration::from_millis(1)));
    assert!(!early.contains(&Notice::HeldBack));
    assert!(bed.table.contains_key(&SERVICE));
    let notices = bed.pass(Duration::from_millis(1));
    assert!(notices.contains(&Notice::HeldBack));
    assert_eq!(bed.table, Table::new());
    assert!(bed.director.holds_back());
}

#[test]
fn who_prepares_again_has_the_whole_time_again() {
    let mut bed = prepared();
    bed.pass(MOMENT / 2);
    let edits = bed.edits;
    prepare(&mut bed);
    bed.pass(MOMENT / 2);
    assert!(bed.table.contains_key(&SERVICE));
    assert_eq!(bed.edits, edits);
    bed.pass(MOMENT / 2);
    assert_eq!(bed.table, Table::new());
}

/// Clients must not be drawn to a table that is still to come.
#[test]
fn a_preparation_is_answered_when_the_kernel_has_it() {
    let mut bed = Bed::settled_in(config(checked(2)), Role::Standby, 2);
    let outputs = bed.feed(Input::Prepare { table: MOMENT });
    assert!(!outputs.contains(&Output::Notice(READY)));
    assert!(bed.serve(outputs).contains(&READY));
    assert_eq!(bed.rows(), [(row(1), 1), (row(2), 1)]);
    assert_eq!(prepare(&mut bed), [READY], "it is there already");
}

/// On standby, asked to prepare before it has asked anybody.
fn asked_early(reals: u8) -> Bed {
    let mut bed = Bed::settled_in(config(checked(reals)), Role::Standby, 0);
    assert!(!prepare(&mut bed).contains(&READY));
    bed
}

/// One that comes up has nobody in its table until somebody has been found well.
#[test]
fn a_preparation_waits_for_somebody_who_serves() {
    let mut bed = asked_early(2);
    assert!(!feed(&mut bed, found(1, Finding::Down)).contains(&READY));
    assert!(feed(&mut bed, found(2, Finding::Up)).contains(&READY));
    assert_eq!(bed.rows(), [(row(2), 1)]);
}

#[test]
fn a_preparation_of_what_is_all_down_is_answered_as_well() {
    let mut bed = asked_early(1);
    assert!(feed(&mut bed, found(1, Finding::Down)).contains(&READY));
}

#[test]
fn a_preparation_says_that_the_kernel_refuses_a_part() {
    let mut bed = Bed::settled_in(config(checked(2)), Role::Standby, 2);
    bed.refuses = |edit| matches!(edit, Edit::AddDestination(_, to, _) if *to == row(2));
    let notices = prepare(&mut bed);
    assert_eq!(notices.last(), Some(&Notice::Prepared { whole: false }));
}

#[test]
fn a_turn_to_standby_takes_a_prepared_table_out_at_once() {
    let mut bed = prepared();
    let notices = feed(&mut bed, Input::Turn(Role::Standby));
    assert_eq!(notices.last(), Some(&Notice::Turned(Role::Standby)));
    assert_eq!(bed.table, Table::new());
}

#[test]
fn who_gives_way_keeps_the_table_for_a_moment() {
    let mut bed = Bed::settled(config(checked(2)), 2);
    let edits = bed.edits;
    let notices = feed(&mut bed, Input::Yield { table: MOMENT });
    assert_eq!(notices, [Notice::Turned(Role::Standby)]);
    assert_eq!(bed.edits, edits);
    bed.pass(MOMENT);
    assert_eq!(bed.table, Table::new());
}

#[test]
fn who_has_given_way_and_becomes_active_again_edits_nothing() {
    let mut bed = Bed::settled(config(checked(2)), 2);
    let edits = bed.edits;
    feed(&mut bed, Input::Yield { table: MOMENT });
    let notices = feed(&mut bed, Input::Turn(Role::Active));
    assert_eq!(notices, [Notice::Turned(Role::Active)]);
    bed.pass(MOMENT * 2);
    assert_eq!(bed.edits, edits);
}

#[test]
fn the_active_one_has_nothing_to_prepare() {
    let mut bed = Bed::settled(config(checked(2)), 2);
    assert_eq!(bed.feed(Input::Prepare { table: MOMENT }), []);
    bed.pass(MOMENT * 2);
    assert_eq!(bed.rows(), [(row(1), 1), (row(2), 1)]);
}

#[test]
fn a_stop_cleans_what_is_there_for_a_moment() {
    let mut bed = prepared();
    // Answers of the kernel that come when the moment would be over.
    let outputs = bed.feed(Input::Shutdown);
    bed.now += MOMENT * 2;
    let notices = bed.serve(outputs);
    assert!(!notices.contains(&Notice::HeldBack));
    assert_eq!(bed.table, Table::new());
}

#[test]
fn a_moment_during_a_turn_is_answered_with_the_turn() {
    let mut bed = Bed::settled(config(checked(2)), 2);
    bed.feed(Input::Turn(Role::Standby));
    assert!(
        !bed.feed(Input::Prepare { table: MOMENT })
            .iter()
            .any(|output| matches!(output, Output::Notice(Notice::Turned(_))))
    );
    let notices = bed.serve(Vec::new());
    assert_eq!(notices, [Notice::Turned(Role::Standby), READY]);
    assert_eq!(bed.rows(), [(row(1), 1), (row(2), 1)]);
}
