//! One history: a seed draws a configuration, which faults are on, and everything that happens.
//! `faults` holds what goes wrong, `checks` what must hold nevertheless, `ending` how it stops.
//!
//! Checked after every step: strangers' services are untouched; no real server gets weight before
//! a check passed (or it was found serving at start); no edit batch takes the last healthy server
//! away while another is up; nothing after `Exit`. Checked when faults have stopped and the
//! configuration was loaded once more: the table is the desired one, and stays. What is believed of
//! each real server is what a second hand believes.

use super::agents::draw_word;
use super::belief::Belief;
use super::coverage::Coverage;
use super::drawing::{addresses, draw_config, draw_table, is_agent};
use super::kernel::Kernel;
use super::random::Random;
use ha_status::{DirectorPhase, Role};
use ldird_core::Director;
use ldird_core::config::{Config, ProbeId};
use ldird_core::conversation::{Goal, Reach, Step};
use ldird_core::input::{AgentSays, Finding, Input, Noted, Verdict};
use ldird_core::output::Output;
use ldird_core::overrides::{Order, Place, Slot};
use ldird_core::table::{DestinationKey, Edit, ServiceKey, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

mod checks;
mod ending;
mod faults;
mod names;
mod operators;
mod opinions;
mod options;
mod plan;
mod succession;

use names::Nameless;
use opinions::Opinions;
use options::{Holding, Told};
use plan::{Plan, swarm};

const TURBULENT: Duration = Duration::from_secs(40);
/// Within so long after the faults have stopped, everything must be right.
const CALM: Duration = Duration::from_secs(30);
const MOMENTS: u64 = 93 << 40;
const AGENTS: u64 = 94 << 40;
const NAMES: u64 = 95 << 40;
const OPINIONS: u64 = 96 << 40;
const TIMELINE_LINES: usize = 60;
/// No second of a history needs more steps; more means that something spins. The most need big tables
/// with slow starts of several lengths, which agents begin.
const STEPS_MAX: u64 = 800;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) steps: u64,
    pub(crate) edits: u64,
    pub(crate) faults: u64,
    pub(crate) reloads: u64,
    pub(crate) restarts: u64,
    pub(crate) stalls: u64,
    pub(crate) turns: u64,
    /// Tables that went in, or stayed, for a moment.
    pub(crate) moments: u64,
    pub(crate) told: Told,
    pub(crate) coverage: Coverage,
}

impl Summary {
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.edits += other.edits;
        self.faults += other.faults;
        self.reloads += other.reloads;
        self.restarts += other.restarts;
        self.stalls += other.stalls;
        self.turns += other.turns;
        self.moments += other.moments;
        self.told.add(&other.told);
        self.coverage.add(&other.coverage);
    }
}

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) what: String,
    pub(crate) timeline: String,
}

struct World {
    random: Random,
    /// What agents say is drawn apart.
    agents: Random,
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
    /// When the present second began, and how many steps it has had.
    second: Instant,
    steps: u64,
    calm: bool,
    /// Real servers that may carry weight unasked: the first reading of the table showed that they
    /// serve.
    proven: BTreeSet<(ServiceKey, DestinationKey)>,
    /// Services that somebody has edited since the last reading.
    meddled: BTreeSet<ServiceKey>,
    ended: bool,
    belief: Belief,
    /// Services that this director has set, and that nothing has taken out of the table since.
    ours: BTreeSet<ServiceKey>,
    /// What a director of another file wants.
    others: BTreeSet<ServiceKey>,
    maintenance: BTreeSet<(ServiceKey, DestinationKey)>,
    /// What operators have said and not taken back.
    orders: BTreeMap<(Place, Slot), Order>,
    /// What the director was told last, and starts as.
    role: Role,
    /// On standby the table is in the kernel until then.
    kept: Option<Instant>,
    /// Draws when the table goes in, or stays, for a moment.
    moments: Random,
    /// Who leaves when others have been checked, and since when.
    leaving: BTreeMap<Place, Instant>,
    /// The same, also where nobody may be waited for any more.
    lingering: BTreeMap<Place, Instant>,
    /// Who has come with a reload.
    fresh: BTreeMap<Place, u32>,
    /// Names without address, and what they are when they have one.
    nameless: Nameless,
    names: Random,
    /// Where weights are held.
    holds: BTreeMap<ServiceKey, Holding>,
    /// What other directors are asked, and say.
    opinions: Opinions,
    others_say: Random,
    /// Lines of what happened; `None` if nobody reads them.
    timeline: Option<Vec<String>>,
    summary: Summary,
    /// What was compared last with what is shown: the revisions of both sides.
    compared: Option<(u64, u64)>,
}

/// One history. A failed one is run again, to be told.
pub(crate) fn run(seed: u64) -> Result<Summary, Failure> {
    let mut world = World::new(seed, false);
    if world.live().is_ok() {
        return Ok(world.summary);
    }
    let (result, lines) = trace(seed);
    let Err(what) = result else {
        panic!("history {seed} failed once, but not again");
    };
    let timeline = last_lines(&lines, TIMELINE_LINES);
    Err(Failure { what, timeline })
}

/// The same, with all that happened; the first line is the plan.
pub(crate) fn trace(seed: u64) -> (Result<Summary, String>, Vec<String>) {
    let mut world = World::new(seed, true);
    let result = world.live();
    let lines = world.timeline.take().unwrap_or_default();
    (result.map(|()| world.summary), lines)
}

/// The plan, and what happened last.
pub(crate) fn last_lines(lines: &[String], count: usize) -> String {
    let skip = lines.len().saturating_sub(count).max(1);
    let lines = lines.iter().take(1).chain(lines.iter().skip(skip));
    lines.fold(String::new(), |text, line| text + line + "\n")
}

impl World {
    fn new(seed: u64, traced: bool) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::draw(&mut random, seed);
        let crowded = plan.crowded;
        let config = draw_config(&mut random, crowded);
        let (table, foreign) = draw_table(&mut random, &config);
        let kernel = Kernel {
            table,
            refuses: swarm(&mut random, 15),
            unreadable: swarm(&mut random, 15).max(if crowded { 30 } else { 0 }),
            stubborn: BTreeMap::new(),
        };
        let role = if random.chance(25) {
            Role::Standby
        } else {
            Role::Active
        };
        let now = Instant::now();
        let mut world = Self {
            director: Director::in_role(config.clone(), role, now),
            random,
            agents: Random::new(seed ^ AGENTS),
            plan,
            config,
            kernel,
            foreign,
            alive: BTreeMap::new(),
            addresses: addresses(),
            pending: Vec::new(),
            sent: 0,
            now,
            start: now,
            second: now,
            steps: 0,
            calm: false,
            proven: BTreeSet::new(),
            meddled: BTreeSet::new(),
            ended: false,
            belief: Belief::default(),
            ours: BTreeSet::new(),
            others: BTreeSet::new(),
            maintenance: BTreeSet::new(),
            orders: BTreeMap::new(),
            role,
            kept: None,
            moments: Random::new(seed ^ MOMENTS),
            leaving: BTreeMap::new(),
            lingering: BTreeMap::new(),
            fresh: BTreeMap::new(),
            nameless: Nameless::default(),
            names: Random::new(seed ^ NAMES),
            holds: BTreeMap::new(),
            opinions: Opinions::default(),
            others_say: Random::new(seed ^ OPINIONS),
            timeline: traced.then(Vec::new),
            summary: Summary::default(),
            compared: None,
        };
        world.note(|world| format!("plan: {:?}", world.plan));
        world.belief.configure(&world.config);
        world.nameless = Nameless::new(&world.config);
        world
    }

    fn note(&mut self, text: impl FnOnce(&Self) -> String) {
        if self.timeline.is_some() {
            let at = self.now.duration_since(self.start).as_secs_f64();
            let line = format!("{at:9.3} {}", text(self));
            self.timeline.iter_mut().for_each(|t| t.push(line.clone()));
        }
    }

    fn live(&mut self) -> Result<(), String> {
        self.drain()?;
        while self.now.duration_since(self.start) < TURBULENT {
            self.step()?;
            self.misfortune()?;
            if self.plan.hasty && self.random.chance(self.haste()) {
                return self.stop();
            }
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
        self.provoke()?;
        self.stop()
    }

    /// The next thing that is due: an answer, or the director's own deadline.
    fn step(&mut self) -> Result<(), String> {
        self.summary.steps += 1;
        if self.now.duration_since(self.second) >= Duration::from_secs(1) {
            (self.second, self.steps) = (self.now, 0);
        }
        self.steps += 1;
        if self.steps > STEPS_MAX {
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
            Input::Table(table) => self.note(|_| format!("read {} services", table.len())),
            other => self.note(|_| format!("in   {}", first_line(other))),
        }
        self.end_orders();
        self.keep(&input);
        self.leave_with_the_role();
        self.note_held_back();
        self.believe(&input);
        self.forget_gone();
        self.summary.coverage.met(self.director.state(), &input);
        self.director.handle(input.clone(), self.now);
        self.compare_ends(&input)?;
        self.compare()?;
        self.drain()
    }

    /// Is shown what a second hand believes? A snapshot is dear: it is made when either side says
    /// that it may have changed, and now and then to see that they do say so.
    fn compare(&mut self) -> Result<(), String> {
        const UNASKED_EVERY: u64 = 32;
        let revisions = Some((self.director.revision(), self.belief.revision()));
        let unasked = self.summary.steps.is_multiple_of(UNASKED_EVERY);
        if self.compared != revisions || unasked {
            self.compared = revisions;
            let shown = self.director.services(self.now, 0);
            self.belief.compare(&shown)?;
            self.compare_options(&shown)?;
        }
        Ok(())
    }

    /// What another director wants, and we do not, is not ours any more, and neither is what
    /// `cleanstop=no` leaves behind on standby.
    fn let_others(&mut self) {
        let held = self.holds_back();
        let services = &self.config.services;
        let find = |key: &ServiceKey| services.iter().find(|one| one.key == *key);
        self.ours.retain(|key| match find(key) {
            Some(service) if held => service.cleanstop && !self.others.contains(key),
            Some(_) => true,
            None => !self.others.contains(key),
        });
    }

    /// None of our services belongs into the table.
    fn holds_back(&self) -> bool {
        self.role == Role::Standby && !self.config.standby.table && self.kept.is_none()
    }

    /// The table is in the kernel for a moment on standby, or no longer.
    fn keep(&mut self, input: &Input) {
        if self.director.state().goal == Goal::Clean {
            return;
        }
        self.kept = self.kept.filter(|until| *until > self.now);
        match input {
            Input::Turn(_) => self.kept = None,
            Input::Yield { table } => {
                let left = self.role == Role::Active;
                self.kept = left.then_some(self.now + *table);
                self.role = Role::Standby;
            }
            Input::Prepare { table } if self.role == Role::Standby => {
                self.kept = Some(self.now + *table);
            }
            _ => {}
        }
    }

    /// What a second hand makes of the same input.
    fn believe(&mut self, input: &Input) {
        let goal = self.director.state().goal;
        match input {
            Input::Probed { probe, verdict } => self.belief.answered(*probe, verdict),
            Input::Table(_) if goal == Goal::Clean => {}
            Input::Table(table) if matches!(goal, Goal::Start | Goal::Reload) => {
                self.proven.extend(self.belief.placed(table));
                let set: Vec<_> = self.config.services.iter().map(|one| one.key).collect();
                let (claimed, wanted) = if self.holds_back() {
                    (set, Vec::new())
                } else {
                    (Vec::new(), set)
                };
                self.ours.extend(claimed);
                self.ours.retain(|key| table.contains_key(key));
                self.let_others();
                self.ours.extend(wanted);
            }
            Input::Table(_) => self.let_others(),
            Input::Maintenance {
                service,
                real,
                active,
            } => self.belief.maintain((*service, *real), *active),
            Input::Overrule { place, slot, order } => {
                if *slot == Slot::Maintenance {
                    self.belief.order(*place, order.is_some());
                }
            }
            Input::Reload(_) if goal == Goal::Clean => {}
            Input::Reload(config) => {
                self.succeed(config);
                self.nameless.configure(config);
                self.belief.configure(config);
                self.proven.retain(|place| self.belief.is_placed(*place));
            }
            Input::Tick
            | Input::Services(_)
            | Input::Listed(_)
            | Input::TableUnreadable(_)
            | Input::Applied(_)
            | Input::LeftBehind(_)
            | Input::Others(_)
            | Input::Opinion { .. }
            | Input::Turn(_)
            | Input::Yield { .. }
            | Input::Prepare { .. }
            | Input::Shutdown => {}
        }
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
                Output::Probe { probe, .. } => self.probe(probe),
                Output::Read => self.read(|table| Input::Table(table.clone())),
                Output::ReadServices(keys) => self.read(|table| {
                    let rows = keys.into_iter().map(|key| (key, table.get(&key).cloned()));
                    Input::Services(rows.collect())
                }),
                Output::List => self.read(|table| Input::Listed(table.keys().copied().collect())),
                Output::Apply(edits) => self.apply(edits)?,
                Output::AskOpinion {
                    service, question, ..
                } => {
                    self.note(|_| format!("ask  others of {service}, {question:?}"));
                    self.ask_others(service, question);
                }
                Output::Notice(notice) => {
                    self.summary.told.note(&notice);
                    self.note_leaving(&notice);
                    self.note(|_| format!("say  {}", first_line(&notice)));
                }
                Output::Exit if self.director.phase() == DirectorPhase::Stopping => {
                    self.ended = true;
                }
                Output::Exit => return Err("it ended although nobody asked".to_owned()),
            }
        }
        Ok(())
    }

    fn read(&mut self, reading: impl FnOnce(&Table) -> Input) {
        let answer = match self.kernel.read(&mut self.random) {
            Ok(table) => {
                self.meddled.clear();
                reading(table)
            }
            Err(error) => Input::TableUnreadable(error),
        };
        // Only big tables are listed, and that seldom.
        let listing = self.director.state().step == Step::Reading(Reach::List);
        let percent = if listing { 100 } else { self.plan.sluggish };
        let spread = self.spread(3, percent);
        self.answer(0, spread, answer);
    }

    /// Within how many milliseconds the kernel answers.
    fn spread(&mut self, usual: u64, percent: u64) -> u64 {
        const LONG: u64 = 400;
        let slow = self.plan.sluggish > 0 && !self.calm && self.random.chance(percent);
        if slow { LONG } else { usual }
    }

    fn probe(&mut self, probe: ProbeId) {
        if is_agent(probe) {
            return self.ask_agent(probe);
        }
        let address = self.addresses.get(&probe).copied();
        let up = address.is_some_and(|key| self.alive.get(&key).copied().unwrap_or(true));
        let hangs = !self.calm && self.random.chance(self.plan.hanging);
        let wants = !self.calm && self.random.chance(self.plan.wanting);
        let (least, spread) = if hangs { (2900, 200) } else { (1, 40) };
        let (finding, message) = match (wants, up && !hangs) {
            (true, _) => (Finding::CouldNotAsk, "no descriptors"),
            (false, true) => (Finding::Up, "200 OK"),
            (false, false) => (Finding::Down, "timed out"),
        };
        self.belief.asked(probe);
        let verdict = Verdict {
            finding,
            message: message.to_owned(),
            took: Duration::from_millis(least),
            noted: Noted::default(),
        };
        self.answer(least, spread, Input::Probed { probe, verdict });
    }

    /// It says something, or it does not answer; in calm times it has nothing new to say.
    fn ask_agent(&mut self, probe: ProbeId) {
        let silent = !self.calm && self.agents.chance(20);
        let wants = !self.calm && self.agents.chance(self.plan.wanting);
        let (finding, agent) = match (wants, silent) {
            (true, _) => (Finding::CouldNotAsk, None),
            (false, true) => (Finding::Down, None),
            (false, false) if self.calm => (Finding::Up, Some(AgentSays::default())),
            (false, false) => (Finding::Up, Some(draw_word(&mut self.agents))),
        };
        self.belief.asked(probe);
        let verdict = Verdict {
            finding,
            message: "an agent".to_owned(),
            took: Duration::from_millis(1),
            noted: Noted {
                agent,
                ..Noted::default()
            },
        };
        self.answer(1, 40, Input::Probed { probe, verdict });
    }

    fn apply(&mut self, edits: Vec<Edit>) -> Result<(), String> {
        let mut results = Vec::with_capacity(edits.len());
        let mut served: BTreeSet<ServiceKey> = edits.iter().map(Edit::service).collect();
        served.retain(|key| self.serves(*key));
        let mut shown = None;
        for edit in edits {
            let before = self.kernel.table.get(&edit.service()).cloned();
            let result = self.kernel.edit(&edit, self.now, &mut self.random);
            self.note(|_| format!("edit {} -> {result:?}", first_line(&edit)));
            self.summary.edits += 1;
            self.summary.faults += u64::from(result.is_err());
            self.check_edit(before.as_ref(), &edit, &mut shown)?;
            results.push((edit, result));
        }
        self.check_batch(&served, &results)?;
        let spread = self.spread(5, self.plan.sluggish);
        self.answer(0, spread, Input::Applied(results));
        Ok(())
    }

    fn calm_down(&mut self) -> Result<(), String> {
        self.note(|_| "calm from here on, and the configuration is loaded once more".to_owned());
        self.calm = true;
        self.kernel.refuses = 0;
        self.kernel.unreadable = 0;
        self.kernel.stubborn.clear();
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
        self.feed(Input::Reload(self.config.clone()))
    }
}

fn first_line(value: &impl std::fmt::Debug) -> String {
    const LONGEST: usize = 160;
    let text = format!("{value:?}");
    text.chars().take(LONGEST).collect()
}
