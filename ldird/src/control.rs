//! The director as others see it: what the status socket serves (specification: product, sockets).
//!
//! Owns the kernel's counters of the last dump, the journal, the totals and the followers;
//! everything else is asked of the core.

use crate::apply::Counters;
use crate::config;
use crate::instance::Instance;
use crate::lateness::Late;
use crate::wording::Line;
use ha_plumbing::journal::Journal;
use ha_plumbing::wall::{Wall, milliseconds};
use ha_status::socket::{BindError, Control};
use ha_status::{
    Asks, ConnectionSync, DirectorSnapshot, Draining, Duty, Health, Outdated, RealServer, Role,
    Totals, Trial, VirtualService,
};
use ldird_core::Director;
use ldird_core::config::Config;
use ldird_core::overrides::{Place, drained_in};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

/// How this daemon says hello.
const PROGRAM: &str = "ldird";
const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// Starts answering on the status socket.
pub(crate) async fn listen(instance: &Instance) -> Result<Control, BindError> {
    Control::open(&instance.socket, PROGRAM, RELEASE, &instance.name).await
}

/// The same as soon as it can be done.
pub(crate) fn listen_later(instance: &Instance) -> Control {
    Control::open_later(&instance.socket, PROGRAM, RELEASE, &instance.name)
}

/// What the loop keeps for others.
#[derive(Debug)]
pub(crate) struct View {
    instance: Instance,
    start: Instant,
    pub(crate) duty: Duty,
    pub(crate) sync: Option<ConnectionSync>,
    pub(crate) outdated: Option<Outdated>,
    /// Servers at addresses that are on trial.
    pub(crate) trials: Vec<config::Trial>,
    /// Connections that servers had when they were first seen to get no new ones.
    pub(crate) drains: BTreeMap<Place, (Instant, u32)>,
    pub(crate) counters: Counters,
    pub(crate) totals: Totals,
    pub(crate) late: Late,
    journal: Journal,
    pub(crate) control: Control,
}

impl View {
    pub(crate) fn new(instance: Instance, control: Control, now: Instant) -> Self {
        Self {
            instance,
            start: now,
            duty: Duty::default(),
            sync: None,
            outdated: None,
            trials: Vec::new(),
            drains: BTreeMap::new(),
            counters: Counters::new(),
            totals: Totals::default(),
            late: Late::new(now),
            journal: Journal::new(Wall::now(now)),
            control,
        }
    }

    pub(crate) fn is_followed(&mut self) -> bool {
        self.control.is_followed()
    }

    /// To the log, into the snapshot and to followers.
    pub(crate) fn tell(&mut self, line: &Line, now: Instant) {
        let notice = self.journal.tell(line.severity, &line.text, now);
        self.control.notice(&notice);
    }

    /// How it is now.
    pub(crate) fn snapshot(
        &mut self,
        director: &Director,
        config: &Config,
        now: Instant,
    ) -> DirectorSnapshot {
        let at_ms = self.journal.wall_ms(now);
        let mut services = director.services(now, at_ms);
        for (service, configured) in services.iter_mut().zip(&config.services) {
            let service_key = configured.key;
            for trial in self.trials.iter().filter(|one| one.service == service_key) {
                let places = service.reals.iter_mut().zip(&configured.reals);
                let mut tried = places.filter(|(_, real)| real.configured == trial.tried);
                if let Some((real, _)) = tried.next() {
                    real.trial = Some(Trial {
                        name: trial.name.0.clone(),
                        known: trial.known.to_string(),
                    });
                }
            }
            if let Some(counted) = self.counters.get(&configured.key) {
                service.connections = counted.connections;
                service.packets_in = counted.packets_in;
                service.bytes_in = counted.bytes_in;
                for (real, configured) in service.reals.iter_mut().zip(&configured.reals) {
                    let Some(counted) = counted.reals.get(&configured.key) else {
                        continue;
                    };
                    real.active_connections = counted.active;
                    real.inactive_connections = counted.inactive;
                    real.connections = counted.connections;
                    let place = (service_key, configured.configured);
                    real.draining = draining(&mut self.drains, place, real, now);
                }
            }
        }
        DirectorSnapshot {
            config: self.instance.name.clone(),
            path: self.instance.path.display().to_string(),
            at_ms,
            uptime_ms: milliseconds(now.duration_since(self.start)),
            phase: director.phase(),
            duty: self.duty.clone(),
            sync: self.sync.clone(),
            outdated: self.outdated.clone(),
            services,
            totals: Totals {
                lateness: self.late.told(now),
                ..self.totals.clone()
            },
            recent: self.journal.recent(),
        }
    }
}

/// How far a server is that somebody keeps new connections from.
fn draining(
    drains: &mut BTreeMap<Place, (Instant, u32)>,
    place: Place,
    real: &RealServer,
    now: Instant,
) -> Option<Draining> {
    let asked = real.agent.as_ref();
    let asked = asked.is_some_and(|agent| agent.asks == Asks::Drain);
    let meant = asked || !real.overrides.is_empty();
    if !meant || real.table_weight.is_some_and(|weight| weight > 0) {
        drains.remove(&place);
        return None;
    }
    let left = real
        .active_connections
        .saturating_add(real.inactive_connections);
    let (since, at_first) = *drains.entry(place).or_insert((now, left));
    let empty_in = drained_in(at_first, left, now.saturating_duration_since(since));
    Some(Draining {
        at_first,
        left,
        empty_in_ms: empty_in.map(milliseconds),
    })
}

/// The snapshot in the text format of Prometheus.
pub(crate) fn metrics(snapshot: &DirectorSnapshot) -> String {
    let mut text = String::new();
    let totals = &snapshot.totals;
    for (name, value) in [
        ("ldird_checks_total", totals.checks),
        ("ldird_checks_failed_total", totals.checks_failed),
        ("ldird_checks_unasked_total", totals.checks_unasked),
        ("ldird_edits_total", totals.edits),
        ("ldird_edits_failed_total", totals.edits_failed),
        (
            "ldird_active",
            u64::from(snapshot.duty.role == Role::Active),
        ),
        ("ldird_file_refused", u64::from(snapshot.outdated.is_some())),
    ] {
        write_row(&mut text, name, "", value);
    }
    if let Some(sync) = &snapshot.sync {
        let labels = format!("{{end=\"{}\"}}", sync.end.word());
        write_row(&mut text, "ldird_sync_runs", &labels, sync.runs.into());
    }
    let late = &totals.lateness;
    for (quantile, micros) in [
        ("0.5", late.median_us),
        ("0.99", late.p99_us),
        ("1", late.worst_us),
    ] {
        let labels = format!("{{quantile=\"{quantile}\"}}");
        write_row(
            &mut text,
            "ldird_check_lateness_microseconds",
            &labels,
            micros,
        );
    }
    for service in &snapshot.services {
        let labels = format!("{{service=\"{}\"}}", service.id);
        write_row(
            &mut text,
            "ldird_service_connections_total",
            &labels,
            service.connections,
        );
        write_row(
            &mut text,
            "ldird_service_bytes_in_total",
            &labels,
            service.bytes_in,
        );
        let panic = u64::from(service.panic.is_some());
        write_row(&mut text, "ldird_service_panic", &labels, panic);
        let opinion = service.opinion.as_ref();
        let opinion = u64::from(opinion.is_some_and(|opinion| !opinion.node.is_empty()));
        write_row(&mut text, "ldird_service_second_opinion", &labels, opinion);
        let name = "ldird_service_enforced_total";
        write_row(&mut text, name, &labels, service.enforced);
        write_reals(&mut text, service);
    }
    text
}

fn write_reals(text: &mut String, service: &VirtualService) {
    for real in &service.reals {
        let labels = format!("{{service=\"{}\",real=\"{}\"}}", service.id, real.address);
        let up = u64::from(real.health == Health::Up);
        write_row(text, "ldird_real_up", &labels, up);
        let weight = u64::from(real.table_weight.unwrap_or(0));
        write_row(text, "ldird_real_weight", &labels, weight);
        if let Some(until_ms) = real.certificate_until_ms {
            let name = "ldird_real_certificate_expiry_seconds";
            write_row(text, name, &labels, until_ms / 1000);
        }
        if let Some(agent) = &real.agent {
            let name = "ldird_real_agent_answers";
            write_row(text, name, &labels, agent.silent.is_none().into());
            let name = "ldird_real_agent_percent";
            write_row(text, name, &labels, agent.percent.into());
        }
        write_row(
            text,
            "ldird_real_active_connections",
            &labels,
            real.active_connections.into(),
        );
    }
}

fn write_row(text: &mut String, name: &str, labels: &str, value: u64) {
    writeln!(text, "{name}{labels} {value}").expect("writing to a String succeeds");
}
