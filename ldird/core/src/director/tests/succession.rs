//! Servers that get other addresses: who goes stays until who comes has been checked.

use super::bed::{Bed, SERVICE, checked, config, found, real, row};
use crate::config::{Check, Config, Fallback, ProbeId, RealServer};
use crate::input::{Finding, Input};
use crate::output::Notice;
use crate::table::Forwarding;
use ha_status::Role;
use std::collections::BTreeSet;
use std::time::Duration;

/// Longer than any of them may stay.
const LONG: Duration = Duration::from_secs(31);

fn with(reals: Vec<RealServer>) -> Config {
    let mut config = config(reals);
    config.services[0].fallback = Some(Fallback {
        key: row(127),
        forwarding: Forwarding::Masq,
    });
    config
}

/// One that is checked by the probe of its number.
fn server(last: u8) -> RealServer {
    real(last, Check::Probe(ProbeId(u32::from(last))))
}

/// Servers 1 and 2 serve.
fn settled() -> Bed {
    Bed::settled(with(checked(2)), 2)
}

fn reload(bed: &mut Bed, reals: &[u8]) -> Vec<Notice> {
    let reals = reals.iter().map(|last| server(*last)).collect();
    let outputs = bed.feed(Input::Reload(with(reals)));
    bed.serve(outputs)
}

fn find(bed: &mut Bed, probe: u32, finding: Finding) -> Vec<Notice> {
    let outputs = bed.feed(found(probe, finding));
    bed.serve(outputs)
}

fn weighted(rows: &[u8]) -> Vec<(crate::table::DestinationKey, u32)> {
    rows.iter().map(|last| (row(*last), 1)).collect()
}

#[test]
fn servers_that_are_renumbered_serve_until_the_new_ones_have_been_checked() {
    let mut bed = settled();
    let told = reload(&mut bed, &[3, 4]);
    let later = |last| Notice::LeavesLater {
        service: SERVICE,
        real: row(last),
    };
    assert!(
        told.contains(&later(1)) && told.contains(&later(2)),
        "{told:?}"
    );
    assert_eq!(bed.rows(), weighted(&[1, 2]), "and no fallback");
    find(&mut bed, 3, Finding::Up);
    assert_eq!(
        bed.rows(),
        weighted(&[1, 2, 3]),
        "the other one is not known yet"
    );
    find(&mut bed, 4, Finding::Down);
    assert_eq!(bed.rows(), weighted(&[3]));
}

#[test]
fn who_was_down_leaves_at_once_and_who_is_alone_goes_with_the_verdict() {
    let mut bed = settled();
    bed.verdict(1, false);
    reload(&mut bed, &[3]);
    assert_eq!(bed.rows(), weighted(&[2]));
    find(&mut bed, 3, Finding::Down);
    assert_eq!(bed.rows(), weighted(&[127]), "as the file says");
}

#[test]
fn nobody_waits_for_ever_for_a_check_that_cannot_be_asked() {
    let mut bed = settled();
    let edits = bed.edits;
    reload(&mut bed, &[2, 3]);
    bed.pass(Duration::from_secs(10));
    find(&mut bed, 3, Finding::CouldNotAsk);
    assert_eq!(bed.rows(), weighted(&[1, 2]));
    bed.pass(Duration::from_secs(21));
    assert_eq!(bed.rows(), weighted(&[2]));
    assert_eq!(bed.edits, edits + 1, "nothing else was touched");
}

#[test]
fn another_reload_neither_forgets_them_nor_lets_them_stay_longer() {
    let mut bed = settled();
    reload(&mut bed, &[2, 3]);
    bed.pass(Duration::from_secs(20));
    let told = reload(&mut bed, &[3]);
    assert!(
        matches!(&told[..], [Notice::LeavesLater { real, .. }, ..] if *real == row(2)),
        "{told:?}"
    );
    assert_eq!(bed.rows(), weighted(&[1, 2]));
    bed.pass(Duration::from_secs(11));
    assert_eq!(bed.rows(), weighted(&[2]));
    reload(&mut bed, &[2, 3]);
    bed.pass(LONG);
    assert_eq!(bed.rows(), weighted(&[2]), "it is in the file again");
}

#[test]
fn nobody_stays_where_nobody_new_comes() {
    let mut bed = settled();
    reload(&mut bed, &[1]);
    assert_eq!(bed.rows(), weighted(&[1]));
    let mut off = server(3);
    off.check = Check::Off;
    let mut weightless = server(4);
    weightless.weight = 0;
    let outputs = bed.feed(Input::Reload(with(vec![off, weightless])));
    bed.serve(outputs);
    assert_eq!(bed.rows(), weighted(&[127]));
}

#[test]
fn on_standby_nobody_is_kept() {
    let mut bed = Bed::settled_in(with(checked(2)), Role::Standby, 2);
    let told = reload(&mut bed, &[3]);
    assert!(
        !told
            .iter()
            .any(|one| matches!(one, Notice::LeavesLater { .. }))
    );
    assert_eq!(bed.rows(), []);
}

#[test]
fn who_was_leaving_does_not_come_back_with_the_role() {
    let table = Duration::from_secs(2);
    for away in [Input::Turn(Role::Standby), Input::Yield { table }] {
        let yields = matches!(away, Input::Yield { .. });
        let mut bed = settled();
        reload(&mut bed, &[3]);
        let outputs = bed.feed(away);
        bed.serve(outputs);
        if yields {
            assert_eq!(bed.rows(), weighted(&[1, 2]), "clients still come here");
            bed.pass(table);
        }
        assert_eq!(bed.rows(), []);
        let outputs = bed.feed(Input::Turn(Role::Active));
        bed.serve(outputs);
        assert_eq!(bed.rows(), weighted(&[127]), "as the file says");
    }
}

#[test]
fn who_comes_back_from_maintenance_is_nobodys_successor() {
    let mut bed = settled();
    reload(&mut bed, &[1, 2, 3]);
    find(&mut bed, 3, Finding::Up);
    for active in [true, false] {
        let outputs = bed.feed(Input::Maintenance {
            service: SERVICE,
            real: row(3),
            active,
        });
        bed.serve(outputs);
    }
    let told = reload(&mut bed, &[2, 3]);
    let later = |one: &Notice| matches!(one, Notice::LeavesLater { .. });
    assert!(!told.iter().any(later), "{told:?}");
    assert_eq!(bed.rows(), weighted(&[2]));
}

/// Who serves, how many of them the next file would drop, and how many others it has.
fn prospect(bed: &Bed, reals: &[u8]) -> [usize; 3] {
    let next = with(reals.iter().map(|last| server(*last)).collect());
    let all = bed.director.prospects(&next, &BTreeSet::new(), bed.now);
    let one = all[&SERVICE];
    [one.serving, one.dropped, one.fresh]
}

#[test]
fn those_who_leave_serve_and_stay_as_long_as_one_of_their_successors_does() {
    let mut bed = settled();
    reload(&mut bed, &[3, 4]);
    assert_eq!(
        prospect(&bed, &[3, 4]),
        [2, 0, 0],
        "the same file once more"
    );
    assert_eq!(prospect(&bed, &[4]), [2, 0, 0]);
    assert_eq!(prospect(&bed, &[1, 2]), [2, 0, 0], "back again");
    assert_eq!(prospect(&bed, &[]), [2, 2, 0], "nobody would be left");
    assert_eq!(prospect(&bed, &[5, 6]), [2, 2, 2]);
    find(&mut bed, 3, Finding::Up);
    find(&mut bed, 4, Finding::Up);
    assert_eq!(prospect(&bed, &[3, 4]), [2, 0, 0]);
    assert_eq!(prospect(&bed, &[3]), [2, 1, 0]);
}
