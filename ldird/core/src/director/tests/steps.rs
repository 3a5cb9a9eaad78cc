//! Things that come at the wrong moment.

use super::bed::{Bed, SERVICE, config, other_service, real, row};
use crate::config::{Check, Fallback, ProbeId};
use crate::conversation::{Goal, Step};
use crate::director::{CLEAN_TRIES_MAX, RETRY_AFTER};
use crate::input::{Input, Left, Said};
use crate::output::{Notice, Output};
use crate::table::{Edit, Forwarding, ServiceKey, Tunnel, TunnelChecksum};
use ha_status::DirectorPhase;
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn a_stop_during_edits_still_cleans_the_table() {
    let mut bed = Bed::new(config(vec![real(1, Check::On)]));
    bed.drain();
    let edits = bed.read();
    assert!(!edits.is_empty());
    assert_eq!(
        bed.feed(Input::Shutdown),
        [Output::Notice(Notice::ShutdownStarted)]
    );
    let outputs = bed.apply(edits);
    assert_eq!(
        outputs.last(),
        Some(&Output::Read),
        "the table is there now"
    );
    let edits = bed.read();
    assert_eq!(edits, [Edit::DeleteService(SERVICE)]);
    assert_eq!(bed.apply(edits).last(), Some(&Output::Exit));
    assert!(bed.table.is_empty());
}

#[test]
fn a_reload_during_edits_is_in_force_only_after_a_reading_of_its_own() {
    let mut bed = Bed::settled(config(vec![real(1, Check::On)]), 0);
    let spec = bed.table[&SERVICE].destinations[&row(1)].clone();
    let two = config(vec![real(1, Check::On), real(2, Check::On)]);
    bed.feed(Input::Reload(two));
    let edits = bed.read();
    assert!(!edits.is_empty());
    let three = config(vec![real(1, Check::On), real(3, Check::On)]);
    bed.feed(Input::Reload(three));
    // Somebody's stranger, which only a full merge takes out.
    let service = bed.table.get_mut(&SERVICE).unwrap();
    service.destinations.insert(row(9), spec);
    let outputs = bed.apply(edits);
    assert!(!outputs.contains(&Output::Notice(Notice::Reloaded)));
    let notices = bed.serve(outputs);
    assert!(notices.contains(&Notice::Reloaded), "{notices:?}");
    assert_eq!(bed.rows(), [(row(1), 1), (row(3), 1)]);
}

#[test]
fn another_question_about_a_serving_server_does_not_take_it_out() {
    let probe = |id| Check::Probe(ProbeId(id));
    let mut bed = Bed::settled(config(vec![real(1, probe(1)), real(2, probe(2))]), 2);
    bed.verdict(2, false);
    assert_eq!(bed.rows(), [(row(1), 1)]);
    let next = config(vec![real(1, probe(3)), real(2, probe(4))]);
    let outputs = bed.feed(Input::Reload(next));
    bed.serve(outputs);
    assert_eq!(bed.rows(), [(row(1), 1)], "as it was");
    bed.verdict(4, true);
    assert_eq!(bed.rows(), [(row(1), 1), (row(2), 1)]);
    bed.verdict(3, false);
    assert_eq!(bed.rows(), [(row(2), 1)], "the new question decides");
}

#[test]
fn a_server_that_a_reload_adds_keeps_the_traffic_it_has() {
    let mut bed = Bed::settled(config(vec![real(1, Check::On)]), 0);
    let spec = bed.table[&SERVICE].destinations[&row(1)].clone();
    let service = bed.table.get_mut(&SERVICE).unwrap();
    service.destinations.insert(row(2), spec);
    let probe = Check::Probe(ProbeId(1));
    let next = config(vec![real(1, Check::On), real(2, probe), real(3, probe)]);
    let outputs = bed.feed(Input::Reload(next));
    bed.serve(outputs);
    assert_eq!(bed.rows(), [(row(1), 1), (row(2), 1)]);
}

#[test]
fn nobody_serves_is_said_when_everybody_has_been_asked() {
    let probe = |id| Check::Probe(ProbeId(id));
    let mut bed = Bed::settled(config(vec![real(1, probe(1)), real(2, probe(2))]), 0);
    let said = bed.verdict(1, false);
    assert!(!said.contains(&Notice::NobodyServes(SERVICE)), "{said:?}");
    let said = bed.verdict(2, false);
    assert!(said.contains(&Notice::NobodyServes(SERVICE)), "{said:?}");
}

#[test]
fn maintenance_of_a_server_that_is_always_up_ends_with_the_file() {
    let mut bed = Bed::settled(config(vec![real(1, Check::On)]), 0);
    let mut maintain = |active| {
        let (service, real) = (SERVICE, row(1));
        let outputs = bed.feed(Input::Maintenance {
            service,
            real,
            active,
        });
        bed.serve(outputs);
        bed.director.services(bed.now, 0)[0].reals[0].health
    };
    assert_eq!(maintain(true), ha_status::Health::Maintenance);
    assert_eq!(maintain(false), ha_status::Health::Up);
}

#[test]
fn the_fallback_is_there_before_the_last_server_leaves() {
    let mut config = config(vec![real(1, Check::Probe(ProbeId(1)))]);
    config.services[0].fallback = Some(Fallback {
        key: row(9),
        forwarding: Forwarding::Masq,
    });
    let mut bed = Bed::settled(config, 1);
    assert_eq!(bed.rows(), [(row(1), 1)]);
    bed.verdict(1, false);
    assert_eq!(bed.rows(), [(row(9), 1)]);
}

/// A director that is killed and started with a shorter file, or one that hands over to it.
#[test]
fn what_an_earlier_life_left_and_nobody_wants_leaves_the_table() {
    let mut before = Bed::settled(config(vec![real(1, Check::On)]), 0);
    let mut moved = config(vec![real(1, Check::On)]);
    moved.services[0].key = other_service();
    let mut bed = Bed::new(moved);
    bed.table = std::mem::take(&mut before.table);
    bed.drain();
    bed.feed(Input::LeftBehind(
        BTreeSet::from([SERVICE, other_service()]).into(),
    ));
    bed.serve(Vec::new());
    let services: Vec<ServiceKey> = bed.table.keys().copied().collect();
    assert_eq!(services, [other_service()]);
}

/// The file says nothing of the tunnel any more. Without what its earlier life said it would count as
/// somebody else's setting.
#[test]
fn a_tunnel_that_an_earlier_life_set_leaves_with_its_word_and_anothers_stays() {
    let tunnel = Tunnel::Gue {
        port: 6080,
        checksum: TunnelChecksum::None,
    };
    let mut said = config(vec![real(1, Check::On), real(2, Check::On)]);
    for one in &mut said.services[0].reals {
        one.forwarding = Forwarding::Ipip;
    }
    let silent = said.clone();
    said.services[0].reals[0].tunnel = tunnel;
    said.services[0].spec.pe = Some("sip".to_owned());
    let mut before = Bed::settled(said.clone(), 0);
    let left = Left {
        services: BTreeSet::from([SERVICE]),
        said: Said::of(&said),
    };
    let service = before.table.get_mut(&SERVICE).unwrap();
    service.destinations.get_mut(&row(2)).unwrap().tunnel = tunnel;
    let mut bed = Bed::new(silent);
    bed.table = std::mem::take(&mut before.table);
    bed.drain();
    bed.feed(Input::LeftBehind(left));
    bed.serve(Vec::new());
    let service = &bed.table[&SERVICE];
    assert_eq!(service.spec.pe, None, "the file's");
    assert_eq!(
        service.destinations[&row(1)].tunnel,
        Tunnel::Ipip,
        "the file's"
    );
    assert_eq!(
        service.destinations[&row(2)].tunnel,
        tunnel,
        "somebody else's"
    );
}

#[test]
fn what_a_living_director_of_another_file_wants_is_never_deleted() {
    let mut bed = Bed::settled(config(vec![real(1, Check::On)]), 0);
    bed.feed(Input::Others([SERVICE].into()));
    let mut moved = config(vec![real(1, Check::On)]);
    moved.services[0].key = other_service();
    let outputs = bed.feed(Input::Reload(moved));
    bed.serve(outputs);
    let services: Vec<ServiceKey> = bed.table.keys().copied().collect();
    assert_eq!(services, [SERVICE, other_service()], "after a reload");
    bed.feed(Input::Others([SERVICE, other_service()].into()));
    let outputs = bed.feed(Input::Shutdown);
    bed.serve(outputs);
    assert_eq!(bed.table.len(), 2, "after a stop");
}

#[test]
fn a_service_that_a_reload_removed_does_not_outlive_a_stop() {
    let mut bed = Bed::settled(config(vec![real(1, Check::On)]), 0);
    let mut moved = config(vec![real(1, Check::On)]);
    moved.services[0].key = other_service();
    let reading = bed.feed(Input::Reload(moved));
    assert_eq!(reading, [Output::Read]);
    bed.feed(Input::Shutdown);
    assert_eq!(bed.read(), [Edit::DeleteService(SERVICE)]);
}

#[test]
fn a_removal_that_the_kernel_refused_is_made_up_for_at_the_end() {
    let mut bed = Bed::settled(config(vec![real(1, Check::On)]), 0);
    let mut moved = config(vec![real(1, Check::On)]);
    moved.services[0].key = other_service();
    bed.refuses = |edit| matches!(edit, Edit::DeleteService(_));
    let outputs = bed.feed(Input::Reload(moved));
    bed.serve(outputs);
    assert_eq!(bed.table.len(), 2);
    bed.refuses = |_| false;
    let outputs = bed.feed(Input::Shutdown);
    bed.serve(outputs);
    assert!(bed.table.is_empty());
}

#[test]
fn only_a_valid_configuration_makes_it_reload() {
    let mut bed = Bed::new(config(vec![real(1, Check::On)]));
    assert_eq!(bed.director.phase(), DirectorPhase::Starting);
    bed.drain();
    bed.serve(Vec::new());
    assert_eq!(bed.director.phase(), DirectorPhase::Running);
    let outputs = bed.feed(Input::Reload(config(vec![real(1, Check::On)])));
    assert_eq!(bed.director.phase(), DirectorPhase::Reloading);
    bed.serve(outputs);
    assert_eq!(bed.director.phase(), DirectorPhase::Running);
    bed.feed(Input::Shutdown);
    bed.feed(Input::Reload(config(vec![real(1, Check::On)])));
    assert_eq!(bed.director.phase(), DirectorPhase::Stopping);
}

#[test]
fn a_stop_tries_a_few_times_and_then_ends() {
    let mut bed = Bed::settled(config(vec![real(1, Check::On)]), 0);
    let mut outputs = bed.feed(Input::Shutdown);
    for _ in 1..CLEAN_TRIES_MAX {
        assert_eq!(outputs.last(), Some(&Output::Read));
        bed.feed(Input::TableUnreadable("no memory".to_owned()));
        bed.now += RETRY_AFTER;
        outputs = bed.feed(Input::Tick);
    }
    let outputs = bed.feed(Input::TableUnreadable("no memory".to_owned()));
    assert_eq!(outputs.last(), Some(&Output::Exit));
    assert_eq!(bed.director.deadline(), None);
}

#[test]
fn a_stop_cleans_what_the_kernel_refused_at_first() {
    let mut bed = Bed::settled(config(vec![real(1, Check::On)]), 0);
    bed.refuses = |edit| matches!(edit, Edit::DeleteService(_));
    let outputs = bed.feed(Input::Shutdown);
    bed.serve(outputs);
    let state = bed.director.state();
    assert_eq!((state.step, state.goal), (Step::Idle, Goal::Clean));
    bed.refuses = |_| false;
    bed.pass(RETRY_AFTER);
    assert!(bed.table.is_empty());
    assert_eq!(bed.director.state().step, Step::Ended);
}

#[test]
fn a_change_costs_the_services_that_it_concerns() {
    let mut config = super::bed::many(1000);
    let probe = Check::Probe(ProbeId(2));
    config.services[7].reals.push(real(2, probe));
    let key = config.services[7].key;
    config.services[7].interval = Duration::from_secs(1);
    let mut bed = Bed::settled(config, 2);
    bed.pass(Duration::from_secs(2));
    (bed.whole, bed.edits) = (0, 0);
    bed.single.clear();
    let outputs = bed.feed(super::bed::found(2, crate::input::Finding::Down));
    bed.serve(outputs);
    assert_eq!((bed.whole, bed.single, bed.edits), (0, vec![key], 1));
}
