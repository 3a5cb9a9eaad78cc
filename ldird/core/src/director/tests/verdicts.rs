//! What answers of checks come to, and what they must not come to.

use super::bed::{Bed, SERVICE, asked, checked, config, found, other_service, real, row};
use crate::config::{Check, Fallback, ProbeId};
use crate::health::MESSAGE_MAX;
use crate::input::{Certificate, Finding, Input, Noted, Validity, Verdict};
use crate::output::{Notice, Output};
use crate::punctual::{LATE, PULSE};
use crate::table::Forwarding;
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn failurecount_counts_for_who_carries_traffic_at_start() {
    let mut config = config(checked(1));
    config.services[0].failurecount = 3;
    let mut bed = Bed::adopting(config, &[1]);
    assert_eq!(
        bed.feed(found(1, Finding::Down)),
        [],
        "nothing is known yet"
    );
    let notices = bed.serve(Vec::new());
    let soft = |notice: &Notice| matches!(notice, Notice::SoftFailure { failures: 1, .. });
    assert!(notices.iter().any(soft), "{notices:?}");
    assert_eq!(bed.rows(), [(row(1), 1)]);
    bed.verdict(1, false);
    assert_eq!(bed.rows(), [(row(1), 1)], "the second one");
    bed.verdict(1, false);
    assert_eq!(bed.rows(), [], "the third one");
}

#[test]
fn failurecount_counts_for_who_carries_traffic_at_a_reload() {
    let mut bed = Bed::settled(config(vec![real(1, Check::On)]), 0);
    let spec = bed.table[&SERVICE].destinations[&row(1)].clone();
    let service = bed.table.get_mut(&SERVICE).unwrap();
    service.destinations.insert(row(2), spec);
    let probe = Check::Probe(ProbeId(2));
    let mut next = config(vec![real(1, Check::On), real(2, probe)]);
    next.services[0].failurecount = 2;
    let outputs = bed.feed(Input::Reload(next));
    bed.feed(found(2, Finding::Down));
    bed.serve(outputs);
    assert_eq!(bed.rows(), [(row(1), 1), (row(2), 1)]);
    bed.verdict(2, false);
    assert_eq!(bed.rows(), [(row(1), 1)]);
}

#[test]
fn a_good_verdict_from_before_the_first_table_is_not_lost() {
    let mut config = config(checked(1));
    config.services[0].interval = Duration::from_secs(1);
    let mut bed = Bed::new(config);
    bed.drain();
    bed.feed(found(1, Finding::Up));
    bed.now = bed.director.deadline().unwrap();
    assert_eq!(asked(&bed.feed(Input::Tick)), [ProbeId(1)]);
    bed.feed(found(1, Finding::CouldNotAsk));
    bed.serve(Vec::new());
    assert_eq!(bed.rows(), [(row(1), 1)]);
}

#[test]
fn a_want_of_our_own_means_takes_nobody_out_and_is_told_once() {
    let mut bed = Bed::settled(config(checked(2)), 2);
    let before = bed.rows();
    let mut told = Vec::new();
    for probe in [1, 2, 1, 2, 1, 2] {
        told.extend(bed.find(probe, Finding::CouldNotAsk));
    }
    let first = Notice::CouldNotAsk {
        service: SERVICE,
        real: row(1),
        message: "CouldNotAsk".to_owned(),
    };
    assert_eq!(told, [first]);
    assert_eq!(bed.rows(), before);
    let rows = bed.director.services(bed.now, 0);
    let shown = rows[0].reals[1].could_not_ask.as_deref();
    assert_eq!(shown, Some("CouldNotAsk"));
    bed.verdict(1, true);
    assert_eq!(bed.verdict(2, true), [Notice::AskedAgain]);
}

#[test]
fn who_stood_still_believes_no_failure_and_asks_again() {
    let mut bed = Bed::settled(config(checked(1)), 1);
    // Until the next check runs.
    while !bed.director.fleet.is_asking() {
        bed.now = bed.director.deadline().unwrap().max(bed.now);
        let outputs = bed.feed(Input::Tick);
        bed.serve(outputs);
    }
    bed.now += PULSE + LATE + Duration::from_millis(1);
    let outputs = bed.feed(found(1, Finding::Down));
    assert_eq!(asked(&outputs), [ProbeId(1)], "{outputs:?}");
    bed.serve(outputs);
    assert_eq!(bed.rows(), [(row(1), 1)], "nobody was taken out");
    // The answer to the question that was put after that.
    let outputs = bed.feed(found(1, Finding::Down));
    bed.serve(outputs);
    assert_eq!(bed.rows(), []);
}

#[test]
fn who_is_woken_in_time_believes_a_failure() {
    let mut bed = Bed::settled(config(checked(1)), 1);
    bed.verdict(1, false);
    assert_eq!(bed.rows(), []);
}

#[test]
fn a_check_does_not_write_over_maintenance() {
    let mut bed = Bed::settled(config(checked(2)), 2);
    let (service, real, active) = (SERVICE, row(1), true);
    let outputs = bed.feed(Input::Maintenance {
        service,
        real,
        active,
    });
    bed.serve(outputs);
    for up in [false, true] {
        assert_eq!(bed.verdict(1, up), [], "nothing to tell of it");
        let rows = bed.director.services(bed.now, 0);
        assert_eq!(rows[0].reals[0].message, "Server in maintenance");
    }
    assert_eq!(bed.rows(), [(row(2), 1)]);
    let outputs = bed.feed(Input::Maintenance {
        service,
        real,
        active: false,
    });
    bed.serve(outputs);
    assert_eq!(bed.rows(), [(row(2), 1)], "a check must pass first");
    bed.verdict(1, true);
    assert_eq!(bed.rows(), [(row(1), 1), (row(2), 1)]);
}

#[test]
fn a_long_message_is_kept_in_part() {
    let mut bed = Bed::settled(config(checked(1)), 1);
    bed.pass(Duration::from_secs(10));
    let verdict = Verdict {
        finding: Finding::Down,
        message: "ä".repeat(100_000),
        took: Duration::ZERO,
        noted: Noted::default(),
    };
    let probe = ProbeId(1);
    let outputs = bed.feed(Input::Probed { probe, verdict });
    let told = outputs.iter().find_map(|output| match output {
        Output::Notice(Notice::Down { message, .. }) => Some(message.chars().count()),
        _ => None,
    });
    assert_eq!(told, Some(MESSAGE_MAX));
    let shown = bed.director.services(bed.now, 0).remove(0).reals.remove(0);
    assert_eq!(shown.message.chars().count(), MESSAGE_MAX);
}

/// It is told when it is near and when it has ended, not at each check, and takes nobody out.
#[test]
fn the_end_of_a_certificate_is_told_once() {
    let mut bed = Bed::settled(config(checked(1)), 1);
    let check = |bed: &mut Bed, probe, near| {
        bed.pass(Duration::from_secs(10));
        let certificate = Some(Certificate { until_ms: 7, near });
        let verdict = Verdict {
            finding: Finding::Up,
            message: String::new(),
            took: Duration::ZERO,
            noted: Noted {
                certificate,
                ..Noted::default()
            },
        };
        let probe = ProbeId(probe);
        let told = bed.feed(Input::Probed { probe, verdict });
        assert_eq!(bed.rows(), [(row(1), 1)]);
        told.into_iter().find_map(|output| match output {
            Output::Notice(Notice::CertificateEnds { left, .. }) => Some(left),
            _ => None,
        })
    };
    let (near, nearer, gone) = (Validity::Days(9), Validity::Days(8), Validity::Nothing);
    let seen = [
        None,
        Some(near),
        Some(nearer),
        Some(gone),
        Some(gone),
        None,
        Some(near),
    ];
    let told = seen.map(|near| check(&mut bed, 1, near));
    assert_eq!(
        told,
        [None, Some(near), None, Some(gone), None, None, Some(near)]
    );
    // A check that sees none, e.g. one that only connects, forgets nothing.
    bed.verdict(1, true);
    let shown = bed.director.services(bed.now, 0).remove(0).reals.remove(0);
    assert_eq!(shown.certificate_until_ms, Some(7));
    // Neither does a reload that asks another question, or the same one more often.
    let next = config(vec![real(1, Check::Probe(ProbeId(2)))]);
    let outputs = bed.feed(Input::Reload(next));
    bed.serve(outputs);
    assert_eq!(check(&mut bed, 2, Some(near)), None);
    assert_eq!(check(&mut bed, 2, Some(gone)), Some(gone));
}

/// `quiescent=no`: a restart is no reason to cut the connections of who gets no new ones.
#[test]
fn what_stands_in_the_table_at_weight_0_stays_until_its_first_verdict() {
    for (up, left) in [
        (true, vec![(row(1), 1), (row(2), 0)]),
        (false, vec![(row(1), 1)]),
    ] {
        let mut config = config(checked(2));
        config.services[0].reals[1].weight = 0;
        let mut bed = Bed::adopting(config, &[1, 2]);
        let service = bed.table.get_mut(&SERVICE).unwrap();
        service.destinations.get_mut(&row(2)).unwrap().weight = 0;
        bed.serve(Vec::new());
        assert_eq!(
            bed.rows(),
            [(row(1), 1), (row(2), 0)],
            "nobody has asked it"
        );
        bed.find(2, Finding::CouldNotAsk);
        assert_eq!(bed.rows(), [(row(1), 1), (row(2), 0)]);
        bed.verdict(2, up);
        assert_eq!(bed.rows(), left);
    }
}

#[test]
fn who_leaves_for_maintenance_does_not_linger() {
    let mut bed = Bed::adopting(config(checked(2)), &[1, 2]);
    let service = bed.table.get_mut(&SERVICE).unwrap();
    service.destinations.get_mut(&row(2)).unwrap().weight = 0;
    bed.serve(Vec::new());
    for active in [true, false] {
        let (service, real) = (SERVICE, row(2));
        let outputs = bed.feed(Input::Maintenance {
            service,
            real,
            active,
        });
        bed.serve(outputs);
        assert_eq!(bed.rows(), [(row(1), 1)]);
    }
}

#[test]
fn t12_a_shared_probe_counts_in_each_service_by_its_own_limit() {
    let mut config = super::bed::many(2);
    config.services[0].failurecount = 1;
    config.services[1].failurecount = 2;
    let mut bed = Bed::settled(config, 1);
    let serving = |bed: &Bed| bed.rows().len();
    assert_eq!(serving(&bed), 2);
    bed.verdict(1, false);
    assert_eq!(serving(&bed), 1);
    bed.verdict(1, false);
    assert_eq!(serving(&bed), 0);
}

/// A restart while no name server answers: nothing that the life before left is deleted, and the fallback
/// does not come beside it.
#[test]
fn rows_and_services_stay_as_long_as_names_have_no_address() {
    let mut config = config(checked(1));
    config.incomplete = true;
    let service = &mut config.services[0];
    service.incomplete = true;
    service.options.enforce = true;
    service.fallback = Some(Fallback {
        key: row(9),
        forwarding: Forwarding::Masq,
    });
    let mut known = config.clone();
    known.incomplete = false;
    known.services[0].incomplete = false;
    let mut bed = Bed::adopting(config, &[1, 2, 3]);
    let other = bed.table[&SERVICE].clone();
    bed.table.insert(other_service(), other);
    let left = [SERVICE, other_service()]
        .into_iter()
        .collect::<BTreeSet<_>>();
    bed.feed(Input::LeftBehind(left.into()));
    let before = bed.table.clone();
    bed.serve(Vec::new());
    bed.pass(Duration::from_secs(30));
    assert_eq!(bed.table, before);
    bed.verdict(1, false);
    let rows = |bed: &Bed| {
        bed.table[&SERVICE]
            .destinations
            .keys()
            .copied()
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&bed), [row(2), row(3)]);
    assert!(bed.table.contains_key(&other_service()));
    // All names have an address: what is nobody's leaves, and the fallback comes.
    let outputs = bed.feed(Input::Reload(known));
    bed.serve(outputs);
    assert_eq!(rows(&bed), [row(9)]);
    assert!(!bed.table.contains_key(&other_service()));
}

/// Whoever has an address in the file is not the one whose name has none.
#[test]
fn a_server_that_the_file_takes_out_is_not_spared_for_the_sake_of_names() {
    let mut config = config(vec![real(1, Check::Off), real(2, Check::On)]);
    config.services[0].incomplete = true;
    let mut bed = Bed::adopting(config, &[1, 9]);
    bed.serve(Vec::new());
    assert_eq!(bed.rows(), [(row(2), 1), (row(9), 1)]);
}
