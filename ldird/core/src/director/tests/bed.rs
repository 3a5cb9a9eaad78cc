//! A director, its kernel, and what it said. Nothing is answered unless a test says so.

use super::super::Director;
use crate::config::{Check, Config, ProbeId, RealServer, Standby, VirtualService};
use crate::conversation::{Reach, Step};
use crate::diff;
use crate::input::{Finding, Input, Noted, Verdict};
use crate::options::Options;
use crate::output::{Notice, Output};
use crate::table::{
    DestinationKey, DestinationSpec, Edit, Forwarding, Protocol, Service, ServiceKey, ServiceSpec,
    Table, Tunnel,
};
use ha_status::Role;
use std::time::{Duration, Instant};

pub(super) const SERVICE: ServiceKey = ServiceKey::Address {
    protocol: Protocol::Tcp,
    address: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 80),
};

pub(super) fn row(last: u8) -> DestinationKey {
    DestinationKey {
        address: [10, 0, 0, last].into(),
        port: 80,
    }
}

pub(super) fn real(last: u8, check: Check) -> RealServer {
    RealServer {
        key: row(last),
        configured: row(last),
        forwarding: Forwarding::Masq,
        weight: 1,
        upper: 0,
        lower: 0,
        tunnel: Tunnel::Ipip,
        check,
        agent: None,
        description: String::new(),
    }
}

/// The questions among these.
pub(super) fn asked(outputs: &[Output]) -> Vec<ProbeId> {
    let mut asked = Vec::new();
    for output in outputs {
        if let Output::Probe { probe, .. } = output {
            asked.push(*probe);
        }
    }
    asked
}

pub(super) fn found(probe: u32, finding: Finding) -> Input {
    found_after(probe, finding, Duration::ZERO)
}

/// The same of a check that took its time.
pub(super) fn found_after(probe: u32, finding: Finding, took: Duration) -> Input {
    Input::Probed {
        probe: ProbeId(probe),
        verdict: Verdict {
            finding,
            message: format!("{finding:?}"),
            took,
            noted: Noted::default(),
        },
    }
}

pub(super) fn config(reals: Vec<RealServer>) -> Config {
    let service = VirtualService {
        key: SERVICE,
        spec: ServiceSpec {
            scheduler: "rr".to_owned(),
            persistent: None,
            netmask: 32,
            one_packet: false,
            scheduler_flags: [false; 3],
            pe: None,
        },
        reals,
        fallback: None,
        quiescent: false,
        cleanstop: true,
        incomplete: false,
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        failurecount: 1,
        options: Options::default(),
        name: String::new(),
    };
    Config {
        services: vec![service],
        readdquiescent: false,
        standby: Standby::default(),
        incomplete: false,
        seed: 1,
    }
}

pub(super) struct Bed {
    pub(super) director: Director,
    pub(super) table: Table,
    pub(super) now: Instant,
    /// What the kernel refuses.
    pub(super) refuses: fn(&Edit) -> bool,
    /// Readings of the whole table, readings of single services, and edits so far.
    pub(super) whole: usize,
    pub(super) single: Vec<ServiceKey>,
    pub(super) edits: usize,
}

impl Bed {
    pub(super) fn new(config: Config) -> Self {
        Self::in_role(config, Role::Active)
    }

    pub(super) fn in_role(config: Config, role: Role) -> Self {
        let now = Instant::now();
        Self {
            director: Director::in_role(config, role, now),
            table: Table::new(),
            now,
            refuses: |_| false,
            whole: 0,
            single: Vec::new(),
            edits: 0,
        }
    }

    /// A director that serves a table in which these carry traffic, at weight 1.
    pub(super) fn adopting(config: Config, serving: &[u8]) -> Self {
        let mut bed = Self::new(config.clone());
        let service = &config.services[0];
        let spec = DestinationSpec {
            forwarding: Forwarding::Masq,
            weight: 1,
            upper: 0,
            lower: 0,
            tunnel: Tunnel::Ipip,
        };
        let rows = serving.iter().map(|last| (row(*last), spec.clone()));
        let row = Service {
            spec: service.spec.clone(),
            destinations: rows.collect(),
        };
        bed.table.insert(service.key, row);
        bed.drain();
        bed
    }

    /// A director whose probes 1 to `count` have passed and whose table is in order.
    pub(super) fn settled(config: Config, count: u32) -> Self {
        Self::settled_in(config, Role::Active, count)
    }

    pub(super) fn settled_in(config: Config, role: Role, count: u32) -> Self {
        let mut bed = Self::in_role(config, role);
        bed.drain();
        bed.serve(Vec::new());
        for probe in 1..=count {
            bed.verdict(probe, true);
        }
        bed
    }

    pub(super) fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.director.poll()).collect()
    }

    pub(super) fn feed(&mut self, input: Input) -> Vec<Output> {
        self.director.handle(input, self.now);
        self.drain()
    }

    /// Time passes, and the director is woken whenever it wants to be.
    pub(super) fn pass(&mut self, time: Duration) -> Vec<Notice> {
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
    pub(super) fn verdict(&mut self, probe: u32, up: bool) -> Vec<Notice> {
        let finding = if up { Finding::Up } else { Finding::Down };
        self.find(probe, finding)
    }

    pub(super) fn find(&mut self, probe: u32, finding: Finding) -> Vec<Notice> {
        self.pass(Duration::from_secs(10));
        let outputs = self.feed(found(probe, finding));
        self.serve(outputs)
    }

    /// Reads the table; gives back the edits that follow.
    pub(super) fn read(&mut self) -> Vec<Edit> {
        let table = self.table.clone();
        let outputs = self.feed(Input::Table(table));
        let edits = outputs.into_iter().find_map(|output| match output {
            Output::Apply(edits) => Some(edits),
            _ => None,
        });
        edits.unwrap_or_default()
    }

    pub(super) fn apply(&mut self, edits: Vec<Edit>) -> Vec<Output> {
        self.edits += edits.len();
        let results = edits.into_iter().map(|edit| {
            let made = !(self.refuses)(&edit) && diff::apply(&mut self.table, &edit);
            let error = "Invalid argument".to_owned();
            (edit, if made { Ok(()) } else { Err(error) })
        });
        let results = results.collect();
        self.feed(Input::Applied(results))
    }

    /// Answers readings and edits until nothing is asked any more.
    pub(super) fn serve(&mut self, outputs: Vec<Output>) -> Vec<Notice> {
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
                        self.whole += 1;
                        let table = self.table.clone();
                        next.extend(self.feed(Input::Table(table)));
                    }
                    Output::ReadServices(keys) => {
                        self.single.extend(&keys);
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
                    Output::Probe { .. } | Output::AskOpinion { .. } | Output::Exit => {}
                }
            }
            outputs = next;
        }
        notices
    }

    pub(super) fn rows(&self) -> Vec<(DestinationKey, u32)> {
        let rows = self.table.values().flat_map(|one| &one.destinations);
        rows.map(|(row, spec)| (*row, spec.weight)).collect()
    }
}

/// Real servers 1 to `count`, each with the probe of its number.
pub(super) fn checked(count: u8) -> Vec<RealServer> {
    let one = |last| real(last, Check::Probe(ProbeId(u32::from(last))));
    (1..=count).map(one).collect()
}

/// So many services with one real server each; they are checked by the same probe.
pub(super) fn many(count: u16) -> Config {
    let mut many = config(checked(1));
    let service = many.services.remove(0);
    let at = |port| ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: (std::net::Ipv4Addr::LOCALHOST, port).into(),
    };
    many.services = (1..=count)
        .map(|port| VirtualService {
            key: at(port),
            ..service.clone()
        })
        .collect();
    many
}

pub(super) fn other_service() -> ServiceKey {
    ServiceKey::Address {
        protocol: Protocol::Udp,
        address: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 80),
    }
}
