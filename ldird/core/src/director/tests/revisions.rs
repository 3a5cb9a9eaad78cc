//! The revision: followers of the status socket are told when it grows, and not otherwise.

use super::bed::{Bed, SERVICE, config, found, real, row};
use crate::config::{Check, ProbeId};
use crate::input::Finding;
use std::time::Duration;

/// Several readings of a table.
const A_WHILE: Duration = Duration::from_secs(25);

fn settled() -> Bed {
    let real = real(1, Check::Probe(ProbeId(1)));
    Bed::settled(config(vec![real]), 1)
}

#[test]
fn a_table_that_stays_the_same_is_no_news_however_often_it_is_read() {
    let mut bed = settled();
    bed.pass(A_WHILE);
    let (before, readings) = (bed.director.revision(), bed.whole);
    bed.pass(A_WHILE);
    assert!(bed.whole > readings);
    assert_eq!(bed.director.revision(), before);
}

#[test]
fn what_somebody_else_does_to_a_row_is_news() {
    let mut bed = settled();
    bed.pass(A_WHILE);
    let before = bed.director.revision();
    let service = bed.table.get_mut(&SERVICE).expect("it is there");
    let spec = service.destinations.get_mut(&row(1));
    spec.expect("it is there").weight = 7;
    bed.pass(A_WHILE);
    assert!(bed.director.revision() > before);
}

/// How much a verdict adds that changes no row, so that only its own service is read, and nothing is
/// edited.
fn growth(meddled: bool) -> u64 {
    let mut weightless = real(2, Check::Probe(ProbeId(2)));
    weightless.weight = 0;
    let mut config = config(vec![real(1, Check::Probe(ProbeId(1))), weightless]);
    config.services[0].quiescent = true;
    let mut bed = Bed::settled(config, 2);
    bed.pass(A_WHILE);
    if meddled {
        let service = bed.table.get_mut(&SERVICE).expect("it is there");
        let spec = service.destinations.get_mut(&row(1));
        spec.expect("it is there").weight = 7;
    }
    let (before, edits, single) = (bed.director.revision(), bed.edits, bed.single.len());
    let outputs = bed.feed(found(2, Finding::Down));
    bed.serve(outputs);
    assert_eq!((bed.edits, bed.single.len()), (edits, single + 1));
    bed.director.revision() - before
}

#[test]
fn a_single_service_that_was_changed_is_news_and_one_that_was_not_is_none() {
    assert_eq!(growth(true), growth(false) + 1);
}
