//! One history: a seed draws a configuration, which faults are on, and everything that happens.
//!
//! Checked after every step: strangers' services are untouched; no real server gets weight before
//! a check passed (or it was found serving at start); no edit batch takes the last healthy server
//! away while another is up; nothing after `Exit`. Checked when faults have stopped and the
//! configuration was loaded once more: the table is the desired one, and stays.

use super::drawing::{draw_config, draw_table, row};
use super::kernel::Kernel;
use super::random::Random;
use ldird_core::Director;
use ldird_core::config::{Check, Config, ProbeId, RealServer, VirtualService};
use ldird_core::diff;
use ldird_core::input::{Finding, Input, Verdict};
use ldird_core::output::Output;
use ldird_core::table::{DestinationKey, DestinationSpec, Edit, Service, ServiceKey, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

const TURBULENT: Duration = Duration::from_secs(40);
/// Within so long after the faults have stopped, everything must be right.
const CALM: Duration = Duration::from_secs(30);
const TIMELINE_LINES: usize = 60;
/// No history needs more steps; more means that something spins.
const STEPS_MAX: u64 = 200_000;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) steps: u64,
    pub(crate) edits: u64,
    pub(crate) faults: u64,
    pub(crate) reloads: u64,
    pub(crate) restarts: u64,
}

impl Summary {
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.edits += other.edits;
        self.faults += other.faults;
        self.reloads += other.reloads;
        self.restarts += other.restarts;
    }
}

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) what: String,
    pub(crate) timeline: String,
}

/// What a history's seed draws.
#[derive(Debug)]
struct Plan {
    flapping: u64,
    hanging: u64,
    meddling: u64,
    reloading: u64,
    killing: u64,
    maintaining: u64,
}

struct World {
    random: Random,
    plan: Plan,
    config: Config,
    director: Director,
    kernel: Kernel,
    foreign: Table,
    /// The truth about each real server's address.
    alive: BTreeMap<DestinationKey, bool>,
    addresses: BTreeMap<ProbeId, DestinationKey>,
    /// Answers on their way: when, and which.
    pending: Vec<(Instant, u64, Input)>,
    sent: u64,
    now: Instant,
    start: Instant,
    calm: bool,
    /// Real servers that may carry weight: passed a check, or found serving at start.
    proven: BTreeSet<(ServiceKey, DestinationKey)>,
    maintenance: BTreeSet<(ServiceKey, DestinationKey)>,
    timeline: Vec<String>,
    summary: Summary,
}

pub(crate) fn run(seed: u64) -> Result<Summary, Failure> {
    let mut world = World::new(seed);
    match world.live() {
        Ok(()) => Ok(world.summary),
        Err(what) => {
            let skip = world.timeline.len().saturating_sub(TIMELINE_LINES);
            let mut timeline = format!("plan: {:?}\n", world.plan);
            for line in world.timeline.iter().skip(skip) {
                let _ = writeln!(timeline, "{line}");
            }
            Err(Failure { what, timeline })
        }
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let swarm = |random: &mut Random, most: u64| {
            if random.chance(50) {
                1 + random.below(most)
            } else {
                0
            }
        };
        let plan = Plan {
            flapping: swarm(&mut random, 30),
            hanging: swarm(&mut random, 20),
            meddling: swarm(&mut random, 5),
            reloading: swarm(&mut random, 4),
            killing: swarm(&mut random, 2),
            maintaining: swarm(&mut random, 4),
        };
        let config = draw_config(&mut random);
        let (table, foreign) = draw_table(&mut random, &config);
        let kernel = Kernel {
            table,
            refuses: swarm(&mut random, 15),
            unreadable: swarm(&mut random, 15),
        };
        let now = Instant::now();
        let mut world = Self {
            director: Director::new(config.clone(), now),
            random,
            plan,
            config,
            kernel,
            foreign,
            alive: BTreeMap::new(),
            addresses: (1..=6)
                .map(|last| (ProbeId(u32::from(last)), row(last)))
                .collect(),
            pending: Vec::new(),
            sent: 0,
            now,
            start: now,
            calm: false,
            proven: BTreeSet::new(),
            maintenance: BTreeSet::new(),
            timeline: Vec::new(),
            summary: Summary::default(),
        };
        world.found_serving();
        world
    }

    fn note(&mut self, text: &str) {
        let at = self.now.duration_since(self.start).as_secs_f64();
        self.timeline.push(format!("{at:9.3} {text}"));
    }

    /// A director that starts or reads a new configuration believes in what carries weight.
    fn found_serving(&mut self) {
        for (key, service) in &self.kernel.table {
            let serving = service
                .destinations
                .iter()
                .filter(|(_, spec)| spec.weight > 0);
            self.proven.extend(serving.map(|(row, _)| (*key, *row)));
        }
    }

    fn live(&mut self) -> Result<(), String> {
        self.drain()?;
        while self.now.duration_since(self.start) < TURBULENT {
            self.step()?;
            self.misfortune()?;
        }
        self.calm_down()?;
        let calm_until = self.now + CALM;
        while self.now < calm_until {
            self.step()?;
        }
        self.everything_is_right()?;
        let edits = self.summary.edits;
        let still_until = self.now + CALM;
        while self.now < still_until {
            self.step()?;
        }
        if self.summary.edits != edits {
            return Err("the table is still being edited although nothing happens".to_owned());
        }
        self.stop()
    }

    /// The next thing that is due: an answer, or the director's own deadline.
    fn step(&mut self) -> Result<(), String> {
        self.summary.steps += 1;
        if self.summary.steps > STEPS_MAX {
            return Err("too many steps: something spins".to_owned());
        }
        let answer = self
            .pending
            .iter()
            .map(|(at, order, _)| (*at, *order))
            .min();
        let deadline = self.director.deadline();
        let tick_first = match (answer, deadline) {
            (Some((at, _)), Some(deadline)) => deadline < at,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => return Err("nothing is due and nothing is awaited".to_owned()),
        };
        let input = if tick_first {
            self.now = self.now.max(deadline.unwrap_or(self.now));
            Input::Tick
        } else {
            let index = self
                .pending
                .iter()
                .position(|(at, order, _)| Some((*at, *order)) == answer)
                .ok_or("the answer is gone")?;
            let (at, _, input) = self.pending.swap_remove(index);
            self.now = self.now.max(at);
            input
        };
        self.feed(input)
    }

    fn feed(&mut self, input: Input) -> Result<(), String> {
        match &input {
            // What a verdict changed shows as a notice.
            Input::Tick | Input::Probed { .. } => {}
            Input::Table(table) => self.note(&format!("read {} services", table.len())),
            other => self.note(&format!("in   {}", first_line(other))),
        }
        self.director.handle(input, self.now);
        self.drain()
    }

    fn answer(&mut self, least_ms: u64, spread_ms: u64, input: Input) {
        let delay = least_ms + self.random.below(spread_ms);
        self.sent += 1;
        self.pending
            .push((self.now + Duration::from_millis(delay), self.sent, input));
    }

    fn drain(&mut self) -> Result<(), String> {
        while let Some(output) = self.director.poll() {
            match output {
                Output::Probe(probe) => self.probe(probe),
                Output::Read => {
                    let answer = match self.kernel.read(&mut self.random) {
                        Ok(table) => Input::Table(table),
                        Err(error) => Input::TableUnreadable(error),
                    };
                    self.answer(0, 3, answer);
                }
                Output::ReadServices(keys) => {
                    let answer = match self.kernel.read(&mut self.random) {
                        Ok(table) => {
                            let rows = keys.into_iter().map(|key| (key, table.get(&key).cloned()));
                            Input::Services(rows.collect())
                        }
                        Err(error) => Input::TableUnreadable(error),
                    };
                    self.answer(0, 3, answer);
                }
                Output::List => {
                    let answer = match self.kernel.read(&mut self.random) {
                        Ok(table) => Input::Listed(table.into_keys().collect()),
                        Err(error) => Input::TableUnreadable(error),
                    };
                    self.answer(0, 3, answer);
                }
                Output::Apply(edits) => self.apply(edits)?,
                Output::Notice(notice) => self.note(&format!("say  {}", first_line(&notice))),
                Output::Exit => return Err("it ended although nobody asked".to_owned()),
            }
        }
        Ok(())
    }

    fn probe(&mut self, probe: ProbeId) {
        let address = self.addresses.get(&probe).copied();
        let up = address.is_some_and(|key| self.alive.get(&key).copied().unwrap_or(true));
        let hangs = !self.calm && self.random.chance(self.plan.hanging);
        let (least, spread) = if hangs { (2900, 200) } else { (1, 40) };
        let message = if up && !hangs { "200 OK" } else { "timed out" }.to_owned();
        let verdict = Verdict {
            finding: if up && !hangs {
                Finding::Up
            } else {
                Finding::Down
            },
            message,
            took: Duration::from_millis(least),
        };
        self.answer(least, spread, Input::Probed { probe, verdict });
    }

    fn apply(&mut self, edits: Vec<Edit>) -> Result<(), String> {
        let mut results = Vec::new();
        let at_start = self.kernel.table.clone();
        for edit in edits {
            let before = self.kernel.table.clone();
            let result = self.kernel.edit(&edit, &mut self.random);
            self.note(&format!("edit {} -> {result:?}", first_line(&edit)));
            self.summary.edits += 1;
            self.summary.faults += u64::from(result.is_err());
            self.check_edit(&before, &edit)?;
            results.push((edit, result));
        }
        self.check_batch(&at_start, &results)?;
        self.answer(0, 5, Input::Applied(results));
        Ok(())
    }

    /// Whatever the kernel refuses, a batch never leaves a service empty that had, and should have,
    /// somebody to serve.
    fn check_batch(
        &self,
        before: &Table,
        results: &[(Edit, Result<(), String>)],
    ) -> Result<(), String> {
        let serving = |table: &Table, key: &ServiceKey| {
            table
                .get(key)
                .is_some_and(|s| s.destinations.values().any(|spec| spec.weight > 0))
        };
        for service in &self.config.services {
            let wanted = results.iter().any(|(edit, _)| match edit {
                Edit::AddDestination(key, _, spec) | Edit::EditDestination(key, _, spec) => {
                    *key == service.key && spec.weight > 0
                }
                _ => false,
            });
            let lost = serving(before, &service.key) && !serving(&self.kernel.table, &service.key);
            if wanted && lost {
                return Err(format!(
                    "{} lost its last server to a refused edit",
                    service.key
                ));
            }
        }
        Ok(())
    }

    fn check_edit(&self, before: &Table, edit: &Edit) -> Result<(), String> {
        for (key, service) in &self.foreign {
            if before.get(key) == Some(service) && self.kernel.table.get(key) != Some(service) {
                return Err(format!("{key} is not ours and was touched"));
            }
        }
        if let Edit::AddDestination(key, row, spec) | Edit::EditDestination(key, row, spec) = edit {
            let service = self
                .config
                .services
                .iter()
                .find(|service| service.key == *key);
            let real = service.and_then(|s| s.reals.iter().find(|real| real.key == *row));
            let checked = real.is_some_and(|real| matches!(real.check, Check::Probe(_)));
            let trusted = self.shown_up(*key, *row) || !checked;
            if spec.weight > 0 && !trusted {
                return Err(format!("{row} of {key} got weight before a check passed"));
            }
        }
        Ok(())
    }

    fn shown_up(&self, key: ServiceKey, row: DestinationKey) -> bool {
        let rows = self.director.services(self.now, 0);
        let service = rows.iter().find(|service| service.id == key.to_string());
        service.is_some_and(|service| {
            service.reals.iter().any(|real| {
                let proven = real.checked_ms.is_some() || self.proven.contains(&(key, row));
                real.address == row.to_string() && real.health == ha_status::Health::Up && proven
            })
        })
    }

    /// Draws what goes wrong after a step.
    fn misfortune(&mut self) -> Result<(), String> {
        if self.random.chance(self.plan.flapping) {
            let last = 1 + self.random.below(6) as u8;
            let up = self.random.chance(60);
            self.alive.insert(row(last), up);
            self.summary.faults += 1;
            self.note(&format!(
                "fault {} is {}",
                row(last),
                if up { "alive" } else { "dead" }
            ));
        }
        if self.random.chance(self.plan.meddling)
            && let Some(what) = self.kernel.meddle(&mut self.random)
        {
            self.summary.faults += 1;
            self.note(&format!("fault somebody {what}"));
            // Foreign services may be edited by their owners.
            self.foreign
                .retain(|key, service| self.kernel.table.get(key) == Some(service));
        }
        if self.random.chance(self.plan.reloading) {
            self.config = draw_config(&mut self.random);
            self.foreign
                .retain(|key, _| self.config.services.iter().all(|s| s.key != *key));
            self.summary.reloads += 1;
            self.found_serving();
            self.feed(Input::Reload(self.config.clone()))?;
            // The files are still there; the shell says so again after each reload.
            for (service, real) in self.maintenance.clone() {
                self.feed(Input::Maintenance {
                    service,
                    real,
                    active: true,
                })?;
            }
        }
        if self.random.chance(self.plan.maintaining) {
            self.toggle_maintenance()?;
        }
        if self.random.chance(self.plan.killing) {
            self.kill();
            self.drain()?;
        }
        Ok(())
    }

    fn toggle_maintenance(&mut self) -> Result<(), String> {
        let Some(service) = self.random.pick(&self.config.services).cloned() else {
            return Ok(());
        };
        let Some(real) = self.random.pick(&service.reals) else {
            return Ok(());
        };
        let place = (service.key, real.configured);
        let active = !self.maintenance.remove(&place);
        if active {
            self.maintenance.insert(place);
        }
        self.feed(Input::Maintenance {
            service: place.0,
            real: place.1,
            active,
        })
    }

    /// kill -9, and a new director finds the table as it is.
    fn kill(&mut self) {
        self.note("fault kill -9 and restart");
        self.summary.restarts += 1;
        self.summary.faults += 1;
        self.pending.clear();
        self.maintenance.clear();
        self.proven.clear();
        self.found_serving();
        self.director = Director::new(self.config.clone(), self.now);
    }

    fn calm_down(&mut self) -> Result<(), String> {
        self.note("calm from here on, and the configuration is loaded once more");
        self.calm = true;
        self.kernel.refuses = 0;
        self.kernel.unreadable = 0;
        for (service, real) in std::mem::take(&mut self.maintenance) {
            self.feed(Input::Maintenance {
                service,
                real,
                active: false,
            })?;
        }
        // Let what is under way end, so that the reload is the last word on everything.
        let until = self.now + Duration::from_secs(5);
        while self.now < until {
            self.step()?;
        }
        self.found_serving();
        self.feed(Input::Reload(self.config.clone()))
    }

    fn everything_is_right(&self) -> Result<(), String> {
        for service in &self.config.services {
            let wanted = self.expected(service);
            let actual = self.kernel.table.get(&service.key);
            if actual != Some(&wanted) {
                return Err(format!(
                    "{}: want {wanted:?}\n  kernel has {actual:?}",
                    service.key
                ));
            }
        }
        for (key, service) in &self.foreign {
            if self.kernel.table.get(key) != Some(service) {
                return Err(format!("{key} is not ours and was touched"));
            }
        }
        Ok(())
    }

    /// The specification in a second hand: from the truth about the servers, not from the core.
    fn expected(&self, service: &VirtualService) -> Service {
        let mut destinations = BTreeMap::new();
        let spec = |real: &RealServer, weight| DestinationSpec {
            forwarding: real.forwarding,
            weight,
            upper: real.upper,
            lower: real.lower,
        };
        let mut served = false;
        for real in &service.reals {
            let alive = match real.check {
                Check::Off => continue,
                Check::On => true,
                Check::Probe(_) => self.alive.get(&real.key).copied().unwrap_or(true),
            };
            if alive {
                served |= real.weight > 0;
                destinations.insert(real.key, spec(real, real.weight));
            } else if service.quiescent {
                destinations.insert(real.key, spec(real, 0));
            }
        }
        let all_off = service.reals.iter().all(|real| real.check == Check::Off);
        if let Some(fallback) = &service.fallback
            && !served
            && !all_off
        {
            let spec = DestinationSpec {
                forwarding: fallback.forwarding,
                weight: 1,
                upper: 0,
                lower: 0,
            };
            destinations.insert(fallback.key, spec);
        }
        Service {
            spec: service.spec.clone(),
            destinations,
        }
    }

    /// The end: our services leave as `cleanstop` says, everybody else's stay.
    fn stop(&mut self) -> Result<(), String> {
        let mut expected = self.kernel.table.clone();
        for service in self
            .config
            .services
            .iter()
            .filter(|service| service.cleanstop)
        {
            expected.remove(&service.key);
        }
        self.director.handle(Input::Shutdown, self.now);
        for _ in 0..STEPS_MAX {
            match self.director.poll() {
                Some(Output::Exit) => break,
                Some(Output::Read) => {
                    let table = self.kernel.table.clone();
                    self.director.handle(Input::Table(table), self.now);
                }
                Some(Output::Apply(edits)) => {
                    let done = |edit: Edit, table: &mut Table| {
                        diff::apply(table, &edit);
                        (edit, Ok(()))
                    };
                    let results = edits
                        .into_iter()
                        .map(|edit| done(edit, &mut self.kernel.table))
                        .collect();
                    self.drain_notices();
                    self.director.handle(Input::Applied(results), self.now);
                }
                Some(
                    Output::Notice(_) | Output::Probe(_) | Output::ReadServices(_) | Output::List,
                ) => {}
                // What was asked before the stop is still answered.
                None => match self.pending.pop() {
                    Some((_, _, input)) => self.director.handle(input, self.now),
                    None => return Err("the stop never ends".to_owned()),
                },
            }
        }
        if self.kernel.table != expected {
            return Err("the table after the stop is not what cleanstop says".to_owned());
        }
        self.director.handle(Input::Tick, self.now);
        if self.director.poll().is_some() || self.director.deadline().is_some() {
            return Err("something follows the end".to_owned());
        }
        Ok(())
    }

    fn drain_notices(&mut self) {
        while let Some(output) = self.director.poll() {
            debug_assert!(
                matches!(output, Output::Notice(_)),
                "{output:?} before an answer"
            );
        }
    }
}

fn first_line(value: &impl std::fmt::Debug) -> String {
    const LONGEST: usize = 160;
    let text = format!("{value:?}");
    text.chars().take(LONGEST).collect()
}
