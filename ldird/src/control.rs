//! The director as others see it: what the status socket serves (specification: product, sockets).
//!
//! Owns the kernel's counters of the last dump, the last notices, the totals and the followers;
//! everything else is asked of the core.

use crate::apply::Counters;
use crate::instance::Instance;
use crate::wording::Line;
use ha_status::socket::{BindError, Control, Responder};
use ha_status::{
    DirectorSnapshot, Health, Notice, Recent, Reply, Snapshot, Totals, VirtualService,
};
use ldird_core::Director;
use ldird_core::config::Config;
use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The wall clock may run away from ours so far before it is looked at again.
const CLOCK_SLACK_MS: u64 = 1000;

/// Starts answering on the status socket.
pub(crate) async fn listen(instance: &Instance) -> Result<Control, BindError> {
    let release = env!("CARGO_PKG_VERSION");
    Control::open(&instance.socket, "ldird", release, &instance.name).await
}

/// What the loop keeps for others.
#[derive(Debug)]
pub(crate) struct View {
    instance: Instance,
    clock: Clock,
    pub(crate) counters: Counters,
    pub(crate) totals: Totals,
    recent: Recent,
    pub(crate) control: Control,
}

impl View {
    pub(crate) fn new(instance: Instance, control: Control, now: Instant) -> Self {
        Self {
            instance,
            clock: Clock::new(now),
            counters: Counters::new(),
            totals: Totals::default(),
            recent: Recent::default(),
            control,
        }
    }

    pub(crate) fn is_followed(&mut self) -> bool {
        self.control.is_followed()
    }

    /// Keeps a line and tells it to followers.
    pub(crate) fn notice(&mut self, line: &Line, now: Instant) {
        let notice = Notice::new(self.clock.wall_ms(now), line.severity, &line.text);
        self.control.notice(&notice);
        self.recent.push(notice);
    }

    /// Tells followers how it is now.
    pub(crate) fn publish(&mut self, director: &Director, config: &Config, now: Instant) {
        if self.control.is_followed() {
            let snapshot = self.snapshot(director, config, now);
            self.control.publish(&snapshot);
        }
    }

    pub(crate) fn answer_snapshot(
        &mut self,
        reply: Responder,
        director: &Director,
        config: &Config,
        now: Instant,
    ) {
        let snapshot = self.snapshot(director, config, now);
        self.control.snapshot(reply, &snapshot);
    }

    pub(crate) fn answer_follow(
        &mut self,
        reply: Responder,
        director: &Director,
        config: &Config,
        now: Instant,
    ) {
        let snapshot = self.snapshot(director, config, now);
        self.control.follow(reply, &snapshot);
    }

    pub(crate) fn answer_metrics(
        &mut self,
        reply: Responder,
        director: &Director,
        config: &Config,
        now: Instant,
    ) {
        let Snapshot::Director(snapshot) = self.snapshot(director, config, now) else {
            return;
        };
        let text = metrics(&snapshot);
        reply.send(Reply::Metrics { text });
    }

    fn snapshot(&mut self, director: &Director, config: &Config, now: Instant) -> Snapshot {
        let at_ms = self.clock.wall_ms(now);
        let mut services = director.services(now, at_ms);
        for (service, configured) in services.iter_mut().zip(&config.services) {
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
                }
            }
        }
        Snapshot::Director(DirectorSnapshot {
            config: self.instance.name.clone(),
            path: self.instance.path.display().to_string(),
            at_ms,
            uptime_ms: milliseconds(now.duration_since(self.clock.start)),
            phase: director.phase(),
            services,
            totals: self.totals.clone(),
            recent: self.recent.list(),
        })
    }
}

/// Wall time that keeps step with the monotonic clock: the same moment always has the same number,
/// unless somebody sets the clock.
#[derive(Debug)]
struct Clock {
    start: Instant,
    start_ms: u64,
}

impl Clock {
    fn new(start: Instant) -> Self {
        let start_ms = system_ms();
        Self { start, start_ms }
    }

    fn wall_ms(&mut self, now: Instant) -> u64 {
        let passed = milliseconds(now.duration_since(self.start));
        let system = system_ms();
        if (self.start_ms + passed).abs_diff(system) > CLOCK_SLACK_MS {
            self.start_ms = system.saturating_sub(passed);
        }
        self.start_ms + passed
    }
}

fn system_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, milliseconds)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The snapshot in the text format of Prometheus.
fn metrics(snapshot: &DirectorSnapshot) -> String {
    let mut text = String::new();
    let totals = &snapshot.totals;
    for (name, value) in [
        ("ldird_checks_total", totals.checks),
        ("ldird_checks_failed_total", totals.checks_failed),
        ("ldird_checks_unasked_total", totals.checks_unasked),
        ("ldird_edits_total", totals.edits),
        ("ldird_edits_failed_total", totals.edits_failed),
    ] {
        write_row(&mut text, name, "", value);
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
