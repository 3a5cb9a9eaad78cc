//! The top machine: routes every input to schedule, health and table, and gathers their outputs.
//! The only type a shell needs.
//!
//! The table is handled by one small conversation at a time:
//!
//! ```text
//!   Idle ──something to do──► Reading ──table──► Applying ──results──► Idle
//!    ▲                           │                  (nothing to edit: straight back)
//!    └── unreadable: retry ──────┘
//! ```
//!
//! At the end it is Reading, then Cleaning, then nothing more.
//!
//! Each edit batch is computed against a fresh dump, never against memory alone.

use crate::asking::Asking;
use crate::config::{Check, Config, ProbeId, RealServer, VirtualService};
use crate::desired;
use crate::diff::{self, Scope, merge};
use crate::health::{Health, State, Transition};
use crate::input::{Finding, Input, Verdict};
use crate::output::{Notice, Output};
use crate::report;
use crate::schedule::Schedule;
use crate::table::{DestinationKey, Edit, ServiceKey, Table};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// How often the table is read when nothing happens, to notice what others did.
pub const READ_EVERY: Duration = Duration::from_secs(10);
/// How soon a failed reading or a refused edit is tried again.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// One director. Feed it with [`Director::handle`], drain [`Director::poll`] to `None`, then wait
/// for the next input or [`Director::deadline`], whichever comes first.
#[derive(Debug)]
pub struct Director {
    config: Config,
    /// Per service of `config`, per real server: its health.
    health: Vec<Vec<Health>>,
    /// Who waits for a probe's answer: positions of service and real server.
    askers: BTreeMap<ProbeId, Vec<(usize, usize)>>,
    schedule: Schedule,
    asking: Asking,
    /// What we last wanted of the kernel's table; rows it refused are as it has them.
    intended: Table,
    /// The last dump, edits since then included.
    kernel: Table,
    step: Step,
    phase: Phase,
    /// The next merge covers everything (start, reload).
    full: bool,
    /// Desired state may differ from what is intended.
    dirty: bool,
    /// Edits wait until those under way are confirmed.
    staged: bool,
    /// The batch under way was made for a configuration that is not in force any more.
    superseded: bool,
    next_read: Instant,
    /// Rows of others' making that have been reported.
    reported_drift: BTreeSet<(ServiceKey, Option<DestinationKey>)>,
    /// Refused edits that have been reported.
    reported_failures: BTreeSet<String>,
    unreadable: bool,
    starved: BTreeSet<ServiceKey>,
    /// Of an earlier life, until the next merge.
    left_behind: BTreeSet<ServiceKey>,
    /// What living directors of other configurations want.
    others: BTreeSet<ServiceKey>,
    outputs: VecDeque<Output>,
    revision: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Idle,
    Reading,
    Applying,
    /// The last edits, after which nothing follows.
    Cleaning,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Running,
    Reloading,
    Stopping,
    Stopped,
}

impl Director {
    /// Starts: the first outputs (reading the table, the first checks) are ready to be polled.
    pub fn new(config: Config, now: Instant) -> Self {
        let mut director = Self {
            health: fresh_health(&config, now),
            askers: askers(&config),
            schedule: Schedule::new(config.seed),
            asking: Asking::default(),
            config,
            intended: Table::new(),
            kernel: Table::new(),
            step: Step::Idle,
            phase: Phase::Starting,
            full: true,
            dirty: true,
            staged: false,
            superseded: false,
            next_read: now,
            reported_drift: BTreeSet::new(),
            reported_failures: BTreeSet::new(),
            unreadable: false,
            starved: BTreeSet::new(),
            left_behind: BTreeSet::new(),
            others: BTreeSet::new(),
            outputs: VecDeque::new(),
            revision: 0,
        };
        director.schedule.set(&probes(&director.config), now);
        director.advance(now);
        director
    }

    /// The only way in. Never call it while `poll` still has output.
    pub fn handle(&mut self, input: Input, now: Instant) {
        debug_assert!(
            self.outputs.is_empty(),
            "drain poll() before the next input"
        );
        if self.phase == Phase::Stopped {
            return;
        }
        match input {
            Input::Tick => {}
            Input::Probed { probe, verdict } => self.probed(probe, &verdict, now),
            Input::Table(table) => self.read(table, now),
            Input::TableUnreadable(error) => self.unreadable(error, now),
            Input::Applied(results) => self.applied(results, now),
            Input::Maintenance {
                service,
                real,
                active,
            } => {
                self.maintenance(service, real, active, now);
            }
            Input::Reload(config) => self.reload(config, now),
            Input::LeftBehind(services) => {
                self.dirty |= !services.is_empty();
                self.left_behind.extend(services);
            }
            Input::Others(services) => self.others = services,
            Input::Shutdown => self.shutdown(),
        }
        self.advance(now);
    }

    /// The next thing to do; drain to `None` after every `handle`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When `handle(Input::Tick, _)` is due at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        match (self.phase, self.step) {
            (Phase::Stopped, _) => None,
            (Phase::Stopping, Step::Idle) => Some(self.next_read),
            (Phase::Stopping, _) => None,
            (_, Step::Idle) => earliest(self.schedule.deadline(), Some(self.next_read)),
            (_, Step::Reading | Step::Applying | Step::Cleaning) => self.schedule.deadline(),
        }
    }

    /// Grows whenever the non-volatile part of the snapshot may have changed.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The visible state; kernel counters are zero, the shell fills them in from its last dump.
    /// `wall_ms` is the wall clock at `now`, milliseconds since 1970.
    pub fn services(&self, now: Instant, wall_ms: u64) -> Vec<ha_status::VirtualService> {
        report::services(&self.config, &self.health, &self.kernel, now, wall_ms)
    }

    /// Starts what is due: checks, and a reading of the table when there is a reason for one.
    fn advance(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Stopping | Phase::Stopped) {
            while let Some(probe) = self.schedule.start_due(now) {
                self.outputs.push_back(Output::Probe(probe));
            }
        }
        let due = self.dirty || self.next_read <= now;
        if self.step == Step::Idle && due && self.phase != Phase::Stopped {
            self.step = Step::Reading;
            self.outputs.push_back(Output::Read);
        }
    }

    fn probed(&mut self, probe: ProbeId, verdict: &Verdict, now: Instant) {
        if !self.schedule.finish(probe) {
            return;
        }
        for &(service, real) in self.askers.get(&probe).into_iter().flatten() {
            let health = self.health.get_mut(service);
            let (Some(service), Some(health)) = (
                self.config.services.get(service),
                health.and_then(|rows| rows.get_mut(real)),
            ) else {
                continue;
            };
            let Some(real) = service.reals.get(real) else {
                continue;
            };
            let shown = report::shown(health);
            let transition = health.judge(verdict, service.failurecount, now);
            let notice = report::transition(service, real, health, transition);
            self.dirty |= matches!(transition, Transition::WentUp | Transition::WentDown);
            if notice.is_some() || shown != report::shown(health) {
                self.revision += 1;
            }
            self.outputs.extend(notice.map(Output::Notice));
        }
        self.report_asking(probe, verdict, now);
    }

    /// A want of our own means is told for all checks together.
    fn report_asking(&mut self, probe: ProbeId, verdict: &Verdict, now: Instant) {
        let notice = match verdict.finding {
            Finding::Up | Finding::Down => self.asking.asked(probe).then_some(Notice::AskedAgain),
            Finding::CouldNotAsk => {
                let first = self.askers.get(&probe).and_then(|places| places.first());
                let place = first.and_then(|&(service, real)| {
                    let service = self.config.services.get(service)?;
                    Some((service.key, service.reals.get(real)?.configured))
                });
                let told = place.filter(|_| self.asking.could_not(probe, now));
                told.map(|(service, real)| Notice::CouldNotAsk {
                    service,
                    real,
                    message: verdict.message.clone(),
                })
            }
        };
        self.outputs.extend(notice.map(Output::Notice));
    }

    fn maintenance(&mut self, key: ServiceKey, real: DestinationKey, active: bool, now: Instant) {
        for (service, health) in self.config.services.iter().zip(&mut self.health) {
            for (row, health) in service.reals.iter().zip(health) {
                let here = service.key == key && row.configured == real;
                if here && health.set_maintenance(active, now) {
                    self.dirty = true;
                    self.revision += 1;
                    match row.check {
                        Check::Probe(probe) => self.schedule.hurry(probe, now),
                        // No check will say so.
                        Check::On => health.state = State::Up,
                        Check::Off => {}
                    }
                }
            }
        }
    }

    /// The kernel's table arrived: decide what to edit.
    fn read(&mut self, actual: Table, now: Instant) {
        if self.step != Step::Reading {
            return;
        }
        self.unreadable = false;
        self.revision += u64::from(self.kernel != actual);
        self.kernel = actual;
        if self.phase == Phase::Stopping {
            self.clean_up();
            return;
        }
        if self.full {
            self.adopt();
        }
        let desired = self.desired();
        self.report_starvation(&desired);
        let scope = if self.full {
            Scope::Full
        } else {
            Scope::Changes {
                readd_quiescent: self.config.readdquiescent,
            }
        };
        self.claim(&desired);
        let merged = merge(&self.kernel, &self.intended, &desired, scope);
        self.report_drift(&merged.drift, &merged.vanished);
        self.dirty = false;
        self.intended = desired;
        let edits = diff::diff(&self.kernel, &merged.target);
        if edits.is_empty() {
            self.reported_failures.clear();
            self.settle(now);
        } else {
            let (edits, later) = diff::stage(&self.kernel, edits);
            for edit in &later {
                diff::revert(&mut self.intended, &self.kernel, edit);
            }
            self.staged = !later.is_empty();
            self.step = Step::Applying;
            self.outputs.push_back(Output::Apply(edits));
        }
    }

    /// What is not desired is deleted if it counts as intended: what an earlier life left does, what
    /// somebody else wants does not.
    fn claim(&mut self, desired: &Table) {
        for key in std::mem::take(&mut self.left_behind) {
            if let Some(service) = self.kernel.get(&key) {
                self.intended.entry(key).or_insert_with(|| service.clone());
            }
        }
        let others = &self.others;
        self.intended
            .retain(|key, _| desired.contains_key(key) || !others.contains(key));
    }

    /// A merge is done, edits or not: from here on only changes count.
    fn settle(&mut self, now: Instant) {
        self.step = Step::Idle;
        self.next_read = now + READ_EVERY;
        if std::mem::take(&mut self.superseded) {
            return;
        }
        self.full = false;
        let notice = match self.phase {
            Phase::Starting => Some(Notice::Started),
            Phase::Reloading => Some(Notice::Reloaded),
            Phase::Running | Phase::Stopping | Phase::Stopped => None,
        };
        if let Some(notice) = notice {
            self.phase = Phase::Running;
            self.revision += 1;
            self.outputs.push_back(Output::Notice(notice));
        }
    }

    fn unreadable(&mut self, error: String, now: Instant) {
        if self.step != Step::Reading {
            return;
        }
        self.step = Step::Idle;
        self.dirty = false;
        self.next_read = now + RETRY_AFTER;
        if self.phase == Phase::Stopping {
            self.outputs
                .push_back(Output::Notice(Notice::TableUnreadable(error)));
            self.exit();
        } else if !self.unreadable {
            self.unreadable = true;
            self.outputs
                .push_back(Output::Notice(Notice::TableUnreadable(error)));
        }
    }

    /// The kernel answered a batch: believe what it confirmed, say it, retry the rest later.
    fn applied(&mut self, results: Vec<(Edit, Result<(), String>)>, now: Instant) {
        let cleaning = self.step == Step::Cleaning;
        if !cleaning && self.step != Step::Applying {
            return;
        }
        self.revision += 1;
        let mut refused = Vec::new();
        for (edit, result) in results {
            match result {
                Ok(()) => {
                    diff::apply(&mut self.kernel, &edit);
                    self.confirm(&edit, cleaning);
                }
                Err(error) => refused.push((edit, error)),
            }
        }
        let failed = !refused.is_empty();
        let missing: BTreeSet<ServiceKey> = refused
            .iter()
            .filter_map(|(edit, _)| match edit {
                Edit::AddService(key, _) => Some(*key),
                _ => None,
            })
            .collect();
        for (edit, error) in refused {
            diff::revert(&mut self.intended, &self.kernel, &edit);
            // Without the service nothing can be added to it: one complaint is enough.
            if matches!(&edit, Edit::AddDestination(key, ..) if missing.contains(key)) {
                continue;
            }
            if self.reported_failures.insert(format!("{edit:?} {error}")) {
                self.outputs
                    .push_back(Output::Notice(Notice::EditFailed { edit, error }));
            }
        }
        if cleaning {
            self.exit();
            return;
        }
        if self.phase == Phase::Stopping {
            // A batch from before the stop; the table is still to be cleaned.
            self.step = Step::Idle;
            return;
        }
        self.settle(now);
        if failed {
            self.next_read = now + RETRY_AFTER;
        } else {
            self.dirty |= self.staged;
        }
        self.staged = false;
    }

    fn confirm(&mut self, edit: &Edit, cleaning: bool) {
        let notices = report::confirmed(&self.config, &self.health, edit, cleaning);
        self.outputs.extend(notices.into_iter().map(Output::Notice));
    }

    /// At start, and for what a reload adds: what carries traffic goes on carrying it until a check
    /// says otherwise.
    fn adopt(&mut self) {
        for (service, health) in self.config.services.iter().zip(&mut self.health) {
            let Some(row) = self.kernel.get(&service.key) else {
                continue;
            };
            for (real, health) in service.reals.iter().zip(health) {
                if row
                    .destinations
                    .get(&real.key)
                    .is_some_and(|spec| spec.weight > 0)
                {
                    health.adopt();
                }
            }
        }
    }

    fn desired(&self) -> Table {
        self.config
            .services
            .iter()
            .zip(&self.health)
            .map(|(service, health)| (service.key, desired::service(service, health)))
            .collect()
    }

    fn report_starvation(&mut self, desired: &Table) {
        let starves = |(service, health): (&VirtualService, &Vec<Health>)| {
            let row = desired.get(&service.key)?;
            let empty = row.destinations.values().all(|spec| spec.weight == 0);
            // Who has not been checked yet may be up.
            let waiting =
                service.reals.iter().zip(health).any(|(real, health)| {
                    matches!(real.check, Check::Probe(_)) && health.is_awaited()
                });
            (empty && !waiting && !service.reals.is_empty()).then_some(service.key)
        };
        let services = self.config.services.iter().zip(&self.health);
        let starved: BTreeSet<ServiceKey> = services.filter_map(starves).collect();
        if self.phase != Phase::Starting {
            for key in starved.difference(&self.starved) {
                self.outputs
                    .push_back(Output::Notice(Notice::NobodyServes(*key)));
            }
            self.starved = starved;
        }
    }

    fn report_drift(
        &mut self,
        drift: &BTreeSet<(ServiceKey, Option<DestinationKey>)>,
        vanished: &BTreeSet<ServiceKey>,
    ) {
        for (service, row) in drift.difference(&self.reported_drift) {
            let text = match row {
                Some(row) => format!("{row} was changed by somebody else; left alone"),
                None => "its scheduler or persistence was changed by somebody else; left alone"
                    .to_owned(),
            };
            self.outputs.push_back(Output::Notice(Notice::Drift {
                service: *service,
                text,
            }));
        }
        for service in vanished {
            let text = "was deleted by somebody else; adding it again".to_owned();
            self.outputs.push_back(Output::Notice(Notice::Drift {
                service: *service,
                text,
            }));
        }
        self.reported_drift.clone_from(drift);
    }

    /// A valid configuration replaces the running one. What is known of a real server of a service
    /// is kept, also where another question is asked about it from now on: it goes on serving, or
    /// not, until the new check has answered.
    fn reload(&mut self, config: Config, now: Instant) {
        if self.phase == Phase::Stopping {
            return;
        }
        let mut known: BTreeMap<(ServiceKey, DestinationKey), (Check, Health)> = BTreeMap::new();
        for (service, health) in self.config.services.iter().zip(&self.health) {
            for (real, health) in service.reals.iter().zip(health) {
                let place = (service.key, real.configured);
                known.insert(place, (real.check, health.clone()));
            }
        }
        let mut health = fresh_health(&config, now);
        for (service, rows) in config.services.iter().zip(&mut health) {
            for (real, row) in service.reals.iter().zip(rows) {
                let Some((check, old)) = known.remove(&(service.key, real.configured)) else {
                    continue;
                };
                match (check, real.check) {
                    _ if check == real.check => *row = old,
                    (Check::Probe(_), Check::Probe(_)) => row.inherit(&old),
                    // What nobody asked about is seen in the table.
                    (_, Check::Probe(_) | Check::On | Check::Off) => {
                        row.maintenance = old.maintenance;
                    }
                }
            }
        }
        self.schedule.set(&probes(&config), now);
        self.askers = askers(&config);
        let askers = &self.askers;
        if self.asking.retain(|probe| askers.contains_key(&probe)) {
            self.outputs.push_back(Output::Notice(Notice::AskedAgain));
        }
        self.config = config;
        self.health = health;
        if self.phase == Phase::Running {
            self.phase = Phase::Reloading;
        }
        self.superseded = self.step == Step::Applying;
        self.full = true;
        self.dirty = true;
        self.revision += 1;
    }

    fn shutdown(&mut self) {
        if self.phase == Phase::Stopping {
            return;
        }
        self.phase = Phase::Stopping;
        self.dirty = true;
        self.revision += 1;
        self.outputs
            .push_back(Output::Notice(Notice::ShutdownStarted));
    }

    /// Removes the services that `cleanstop` says; the kernel drops their destinations with them.
    fn clean_up(&mut self) {
        self.dirty = false;
        let mut keys: Vec<ServiceKey> = self.config.services.iter().map(|row| row.key).collect();
        let ours: BTreeSet<ServiceKey> = keys.iter().copied().collect();
        let kept = self.config.services.iter().filter(|row| !row.cleanstop);
        let kept: BTreeSet<ServiceKey> = kept.map(|row| row.key).collect();
        keys.extend(self.left_behind.difference(&ours));
        keys.retain(|key| self.kernel.contains_key(key));
        keys.retain(|key| !kept.contains(key) && !self.others.contains(key));
        let edits: Vec<Edit> = keys.into_iter().map(Edit::DeleteService).collect();
        if edits.is_empty() {
            self.exit();
        } else {
            self.step = Step::Cleaning;
            self.outputs.push_back(Output::Apply(edits));
        }
    }

    fn exit(&mut self) {
        self.phase = Phase::Stopped;
        self.outputs.push_back(Output::Exit);
    }
}

fn fresh_health(config: &Config, now: Instant) -> Vec<Vec<Health>> {
    let start = |real: &RealServer| {
        let mut health = Health::new(now);
        if real.check == Check::On {
            health.state = State::Up;
        }
        health
    };
    config
        .services
        .iter()
        .map(|service| service.reals.iter().map(start).collect())
        .collect()
}

/// Every probe with the shortest interval that anybody wants it at.
fn probes(config: &Config) -> BTreeMap<ProbeId, Duration> {
    let mut probes = BTreeMap::new();
    for service in &config.services {
        for real in &service.reals {
            if let Check::Probe(probe) = real.check {
                let interval = probes.entry(probe).or_insert(service.interval);
                *interval = service.interval.min(*interval);
            }
        }
    }
    probes
}

fn askers(config: &Config) -> BTreeMap<ProbeId, Vec<(usize, usize)>> {
    let mut askers: BTreeMap<ProbeId, Vec<(usize, usize)>> = BTreeMap::new();
    for (at, service) in config.services.iter().enumerate() {
        for (row, real) in service.reals.iter().enumerate() {
            if let Check::Probe(probe) = real.check {
                askers.entry(probe).or_default().push((at, row));
            }
        }
    }
    askers
}

fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests;
