//! What happens when things come at the wrong moment, step by step.
#![allow(clippy::unwrap_used)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test picks the moment that it starts from"
)]

use super::Director;
use crate::config::{Check, Config, Fallback, ProbeId, RealServer, VirtualService};
use crate::conversation::{Reach, Step};
use crate::diff;
use crate::input::{Finding, Input, Verdict};
use crate::output::{Notice, Output};
use crate::table::{DestinationKey, Edit, Forwarding, Protocol, ServiceKey, ServiceSpec, Table};
use std::time::{Duration, Instant};

const SERVICE: ServiceKey = ServiceKey::Address {
    protocol: Protocol::Tcp,
    address: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 80),
};

fn row(last: u8) -> DestinationKey {
    DestinationKey {
        address: [10, 0, 0, last].into(),
        port: 80,
    }
}

fn real(last: u8, check: Check) -> RealServer {
    RealServer {
        key: row(last),
        configured: row(last),
        forwarding: Forwarding::Masq,
        weight: 1,
        upper: 0,
        lower: 0,
        check,
        description: String::new(),
    }
}

fn found(probe: u32, finding: Finding) -> Input {
    Input::Probed {
        probe: ProbeId(probe),
        verdict: Verdict {
            finding,
            message: format!("{finding:?}"),
            took: Duration::ZERO,
        },
    }
}

fn config(reals: Vec<RealServer>) -> Config {
    let service = VirtualService {
        key: SERVICE,
        spec: ServiceSpec {
            scheduler: "rr".to_owned(),
            persistent: None,
            netmask: 32,
            one_packet: false,
            scheduler_flags: [false; 3],
        },
        reals,
        fallback: None,
        quiescent: false,
        cleanstop: true,
        interval: Duration::from_secs(10),
        failurecount: 1,
        name: String::new(),
    };
    Config {
        services: vec![service],
        readdquiescent: false,
        seed: 1,
    }
}

/// A director, its kernel, and what it said. Nothing is answered unless a test says so.
struct Bed {
    director: Director,
    table: Table,
    now: Instant,
}

impl Bed {
    fn new(config: Config) -> Self {
        let now = Instant::now();
        Self {
            director: Director::new(config, now),
            table: Table::new(),
            now,
        }
    }

    /// A director whose probes 1 to `count` have passed and whose table is in order.
    fn settled(config: Config, count: u32) -> Self {
        let mut bed = Self::new(config);
        bed.drain();
        bed.serve(Vec::new());
        for probe in 1..=count {
            bed.verdict(probe, true);
        }
        bed
    }

    fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.director.poll()).collect()
    }

    fn feed(&mut self, input: Input) -> Vec<Output> {
        self.director.handle(input, self.now);
        self.drain()
    }

    /// Time passes, and the director is woken whenever it wants to be.
    fn pass(&mut self, time: Duration) -> Vec<Notice> {
        let mut notices = Vec::new();
        let end = self.now + time;
        while let Some(due) = self.director.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let outputs = self.feed(Input::Tick);
            notices.extend(self.serve(outputs));
        }
        self.now = end;
        notices
    }

    /// The next check of this probe, an interval later.
    fn verdict(&mut self, probe: u32, up: bool) -> Vec<Notice> {
        let finding = if up { Finding::Up } else { Finding::Down };
        self.find(probe, finding)
    }

    fn find(&mut self, probe: u32, finding: Finding) -> Vec<Notice> {
        self.pass(Duration::from_secs(10));
        let outputs = self.feed(found(probe, finding));
        self.serve(outputs)
    }

    /// Reads the table; gives back the edits that follow.
    fn read(&mut self) -> Vec<Edit> {
        let table = self.table.clone();
        let outputs = self.feed(Input::Table(table));
        let edits = outputs.into_iter().find_map(|output| match output {
            Output::Apply(edits) => Some(edits),
            _ => None,
        });
        edits.unwrap_or_default()
    }

    fn apply(&mut self, edits: Vec<Edit>) -> Vec<Output> {
        let made = edits.into_iter().map(|edit| {
            diff::apply(&mut self.table, &edit);
            (edit, Ok(()))
        });
        let results = made.collect();
        self.feed(Input::Applied(results))
    }

    /// Answers readings and edits until nothing is asked any more.
    fn serve(&mut self, outputs: Vec<Output>) -> Vec<Notice> {
        let mut notices = Vec::new();
        let mut outputs = outputs;
        if outputs.is_empty() && self.director.state().step == Step::Reading(Reach::Whole) {
            outputs.push(Output::Read);
        }
        while !outputs.is_empty() {
            let mut next = Vec::new();
            for output in std::mem::take(&mut outputs) {
                match output {
                    Output::Read => {
                        let table = self.table.clone();
                        next.extend(self.feed(Input::Table(table)));
                    }
                    Output::ReadServices(keys) => {
                        let rows = keys
                            .into_iter()
                            .map(|key| (key, self.table.get(&key).cloned()));
                        let rows = rows.collect();
                        next.extend(self.feed(Input::Services(rows)));
                    }
                    Output::List => {
                        let keys = self.table.keys().copied().collect();
                        next.extend(self.feed(Input::Listed(keys)));
                    }
                    Output::Apply(edits) => next.extend(self.apply(edits)),
                    Output::Notice(notice) => notices.push(notice),
                    Output::Probe(_) | Output::Exit => {}
                }
            }
            outputs = next;
        }
        notices
    }

    fn rows(&self) -> Vec<(DestinationKey, u32)> {
        let rows = self.table.values().flat_map(|one| &one.destinations);
        rows.map(|(row, spec)| (*row, spec.weight)).collect()
    }
}

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

#[test]
fn a_want_of_our_own_means_takes_nobody_out_and_is_told_once() {
    let probe = |id| Check::Probe(ProbeId(id));
    let mut bed = Bed::settled(config(vec![real(1, probe(1)), real(2, probe(2))]), 2);
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

/// A director that is killed and started with a shorter file, or one that hands over to it.
#[test]
fn what_an_earlier_life_left_and_nobody_wants_leaves_the_table() {
    let mut before = Bed::settled(config(vec![real(1, Check::On)]), 0);
    let mut moved = config(vec![real(1, Check::On)]);
    moved.services[0].key = other_service();
    let mut bed = Bed::new(moved);
    bed.table = std::mem::take(&mut before.table);
    bed.drain();
    bed.feed(Input::LeftBehind([SERVICE, other_service()].into()));
    bed.serve(Vec::new());
    let services: Vec<ServiceKey> = bed.table.keys().copied().collect();
    assert_eq!(services, [other_service()]);
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

fn other_service() -> ServiceKey {
    ServiceKey::Address {
        protocol: Protocol::Udp,
        address: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 80),
    }
}
