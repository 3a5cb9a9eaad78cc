//! One virtual service with everything that is known of its real servers: one row each, found by
//! its place in the table.

use crate::agent::{Agent, Change};
use crate::config::{Check, Fallback, RealServer, VirtualService};
use crate::health::{Health, State, Transition};
use crate::hold::{self, Hold, PanicEnd, Pool};
use crate::input::{Certificate, Finding, Validity, Verdict};
use crate::opinion::{self, Opinion};
use crate::options::Limits;
use crate::output::Notice;
use crate::overrides::{self, Orders, Say};
use crate::ramp::Ramp;
use crate::table::{DestinationKey, Service, ServiceKey};
use ha_status::Asks;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use succession::Succession;

pub(crate) use succession::Gone;

mod opinions;
mod succession;

#[derive(Debug, Clone)]
pub(crate) struct Virtual {
    /// Its real servers have moved into `reals`.
    pub(crate) config: VirtualService,
    pub(crate) reals: BTreeMap<DestinationKey, Watched>,
    /// Weights are held.
    pub(crate) hold: Option<Hold>,
    /// Its last real server fails, and somebody else is asked about that or knows better.
    pub(crate) opinion: Option<Opinion>,
    /// What stands for it and its real servers when directors ask each other.
    pub(crate) digest: u64,
    /// Real servers without address yet may be those that serve in the table: rows there that are
    /// nobody's and have weight.
    pub(crate) spared: bool,
    /// Those of an earlier configuration that leave when others have been checked.
    pub(crate) succession: Succession,
}

/// A real server of a virtual service.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) config: RealServer,
    pub(crate) health: Health,
    /// Its place among the lines of the file.
    pub(crate) rank: usize,
    /// What an operator has said of it.
    pub(crate) orders: Orders,
    /// A file of the maintenance directory names it.
    pub(crate) in_folder: bool,
    /// On its way to its weight.
    pub(crate) ramp: Option<Ramp>,
    /// It fails, and has the weight that it had before.
    pub(crate) held: bool,
    /// The same, because it is the last one: see [`Virtual::opinion`].
    pub(crate) kept: bool,
    /// When the check began that took it down, if it served before. While weights are held, only
    /// of those that are.
    fell: Option<Instant>,
    /// Maintenance has ended: its first check brings it back.
    returning: bool,
    /// The table has been looked at since this row exists: who carries traffic there is known.
    placed: bool,
    /// It was found in the table at weight 0 and nobody has asked it yet: its connections go on.
    lingers: bool,
    /// A verdict that came before; it counts from then on.
    early: Option<Verdict>,
    /// What the last check saw of its certificate.
    pub(crate) certificate: Option<Certificate>,
    /// How near its end the last one was that was seen: what has been told.
    warned: Option<Validity>,
    /// What its own agent asks for.
    pub(crate) agent: Option<Agent>,
}

impl Virtual {
    pub(crate) fn new(mut config: VirtualService, now: Instant) -> Self {
        let digest = opinion::digest(&config);
        let reals = std::mem::take(&mut config.reals).into_iter().enumerate();
        let rows = reals.map(|(rank, real)| (real.key, Watched::new(real, rank, now)));
        Self {
            reals: rows.collect(),
            config,
            hold: None,
            opinion: None,
            digest,
            spared: false,
            succession: Succession::default(),
        }
    }

    /// The table was looked at: does somebody serve in it whose name may have no address yet?
    pub(crate) fn spare(&mut self, table: Option<&Service>) {
        let rows = table.into_iter().flat_map(|table| &table.destinations);
        let leaves = |key| self.succession.rows().any(|(row, _)| row == key);
        let mut strangers = rows.filter(|(key, _)| !self.has(key) && !leaves(*key));
        self.spared = self.config.incomplete && strangers.any(|(_, spec)| spec.weight > 0);
    }

    /// In file order.
    pub(crate) fn in_order(&self) -> Vec<&Watched> {
        let mut rows: Vec<&Watched> = self.reals.values().collect();
        rows.sort_by_key(|row| row.rank);
        rows
    }

    /// Somebody who may be up has not been asked yet.
    pub(crate) fn waits(&self) -> bool {
        self.reals.values().any(Watched::is_awaited)
    }

    /// Who of the file takes new connections, as it names them; those that leave do so as well.
    pub(crate) fn carrying(&self) -> BTreeSet<DestinationKey> {
        let rows = self.reals.values();
        let rows = rows.filter(|row| row.weight(false).is_some_and(|weight| weight > 0));
        rows.map(|row| row.config.configured).collect()
    }

    /// Can a real server, not the fallback, take new connections as things stand?
    pub(crate) fn is_served(&self) -> bool {
        let quiescent = self.config.quiescent;
        let mut weights = self.reals.values().filter_map(|row| row.weight(quiescent));
        self.spared || !self.succession.is_empty() || weights.any(|weight| weight > 0)
    }

    /// Who serves where no real server does. One that is a real server as well is none while it is in
    /// maintenance or an operator has a say in it: what was taken out does not come back by that way.
    pub(crate) fn fallback(&self) -> Option<&Fallback> {
        let fallback = self.config.fallback.as_ref()?;
        let row = self.reals.get(&fallback.key);
        let taken = |row: &Watched| row.health.maintenance || row.orders.says().is_some();
        (!row.is_some_and(taken)).then_some(fallback)
    }

    /// Something may have changed that counts for panic: are weights to be held, or not any more?
    /// `fell`: one has failed just now. `interval` is how often its real servers are asked.
    pub(crate) fn review(
        &mut self,
        fell: bool,
        interval: Duration,
        now: Instant,
    ) -> Option<Notice> {
        let service = self.config.key;
        let over = |why, failing| Notice::PanicOver {
            service,
            why,
            failing,
        };
        match (self.config.options.panic, self.hold.as_mut()) {
            (None, None) => None,
            (None, Some(_)) => Some(over(PanicEnd::Withdrawn, self.release())),
            (Some(panic), None) => {
                let pool = self.pool(interval);
                if !fell || !pool.panics(panic) {
                    return None;
                }
                self.hold = Some(Hold::new(panic, now));
                let latest = self.latest_fall();
                for row in self.reals.values_mut() {
                    row.held = row.fell_about(latest, interval);
                    // Those that were dead before stay out; whoever falls from now on shows it here.
                    row.fell = row.fell.filter(|_| row.held);
                    // It has its whole weight, as before.
                    row.ramp = row.ramp.filter(|_| !row.held);
                }
                Some(Notice::Panic {
                    service,
                    failing: pool.failing,
                    of: pool.size,
                    longest: panic.longest,
                })
            }
            (Some(panic), Some(hold)) => {
                // Whoever falls while weights are held is held as well, however long ago the check
                // began that took it down: one that ran into its time limit began before all this.
                for row in self.reals.values_mut() {
                    row.held |= row.fell.is_some();
                }
                let mut pool = Pool {
                    size: 0,
                    failing: 0,
                };
                for row in self.reals.values().filter(|row| row.is_pooled()) {
                    pool.size += 1;
                    pool.failing += usize::from(row.held);
                }
                let why = hold.review(pool, panic, interval, now)?;
                Some(over(why, self.release()))
            }
        }
    }

    /// How many failed about the same time as the last one did.
    fn pool(&self, interval: Duration) -> Pool {
        let latest = self.latest_fall();
        let pooled = self.reals.values().filter(|row| row.is_pooled());
        let failing = pooled
            .clone()
            .filter(|row| row.fell_about(latest, interval));
        Pool {
            size: pooled.clone().count(),
            failing: failing.count(),
        }
    }

    fn latest_fall(&self) -> Option<Instant> {
        self.reals.values().filter_map(|row| row.fell).max()
    }

    /// Verdicts count again; how many of those that were held still fail.
    fn release(&mut self) -> usize {
        self.hold = None;
        let mut failing = 0;
        for row in self.reals.values_mut() {
            failing += usize::from(std::mem::take(&mut row.held));
            row.fell = None;
        }
        failing
    }

    /// Real servers on their way to their weight get what they are due now. Is anything new?
    pub(crate) fn climb(&mut self, now: Instant) -> bool {
        let length = self.config.options.slowstart;
        let mut changed = false;
        for row in self.reals.values_mut().filter(|row| row.ramp.is_some()) {
            let ramp = length.and_then(|length| row.ramp?.at(length, now));
            changed |= ramp != row.ramp;
            row.ramp = ramp;
        }
        changed
    }

    /// When time alone changes what it wants.
    pub(crate) fn due(&self) -> Option<Instant> {
        let length = self.config.options.slowstart;
        let ramps = self.reals.values().filter_map(|row| row.ramp);
        let steps = length.and_then(|length| ramps.map(|ramp| ramp.due(length)).min());
        let hold = self.hold.as_ref().map(Hold::due);
        let opinion = self.opinion.as_ref().zip(self.config.options.opinion);
        let opinion = opinion.map(|(opinion, rules)| opinion.due(rules));
        let times = [steps, hold, opinion, self.succession.due()];
        times.into_iter().flatten().min()
    }
}

impl Watched {
    fn new(config: RealServer, rank: usize, now: Instant) -> Self {
        let mut health = Health::new(now);
        if config.check == Check::On {
            health.state = State::Up;
        }
        let agent = config.agent.map(|_| Agent::new(now));
        Self {
            config,
            health,
            rank,
            orders: Orders::default(),
            in_folder: false,
            ramp: None,
            held: false,
            kept: false,
            fell: None,
            returning: false,
            placed: false,
            lingers: false,
            early: None,
            certificate: None,
            warned: None,
            agent,
        }
    }

    /// The weight at which it is to stand in the table, `None` if it is not to be in it.
    pub(crate) fn weight(&self, quiescent: bool) -> Option<u32> {
        overrides::weight(self.say(quiescent))
    }

    /// Does it take new connections, or will it if its first check passes?
    pub(crate) fn may_serve(&self) -> bool {
        let say = self.say(false);
        let healthy = say.healthy || self.is_awaited();
        overrides::weight(Say { healthy, ..say }).is_some_and(|weight| weight > 0)
    }

    fn say(&self, quiescent: bool) -> Say {
        Say {
            off: self.config.check == Check::Off,
            maintenance: self.health.maintenance,
            operator: self.orders.says(),
            healthy: match self.config.check {
                Check::Off => false,
                Check::On => true,
                Check::Probe(_) => self.health.state == State::Up || self.held || self.kept,
            } && !self.agent.as_ref().is_some_and(Agent::takes_out),
            quiescent: quiescent || self.lingers,
            configured: match self.ramp {
                Some(ramp) => ramp.of(self.full_weight()),
                None => self.full_weight(),
            },
        }
    }

    /// The role has turned: clients come anew, and the table is made anew.
    pub(crate) fn start_over(&mut self) {
        (self.ramp, self.lingers) = (None, false);
    }

    /// What it gets in the end, if its checks pass and nobody says otherwise: the file's weight, or
    /// its agent's share of it.
    pub(crate) fn full_weight(&self) -> u32 {
        let weight = self.config.weight;
        let agent = self.agent.as_ref();
        agent.map_or(weight, |agent| agent.share(weight))
    }

    /// It may be up, and has not been asked yet.
    pub(crate) fn is_awaited(&self) -> bool {
        let agent = self.agent.as_ref().is_some_and(Agent::is_awaited);
        let agent = agent && !self.health.maintenance;
        match self.config.check {
            Check::Off => false,
            Check::On => agent,
            Check::Probe(_) => {
                self.health.is_awaited() || (agent && self.health.state == State::Up)
            }
        }
    }

    /// A file or an operator says so; is that new?
    pub(crate) fn settle_maintenance(&mut self, now: Instant) -> bool {
        let active = self.in_folder || self.orders.maintenance();
        let new = self.health.set_maintenance(active, now);
        if new {
            (self.ramp, self.held, self.fell) = (None, false, None);
            self.kept = false;
            self.lingers = false;
            self.returning = !active;
        }
        new
    }

    /// Does it count for panic?
    fn is_pooled(&self) -> bool {
        matches!(self.config.check, Check::Probe(_)) && !self.health.maintenance
    }

    /// Did it fail within the interval before the last one that did?
    fn fell_about(&self, latest: Option<Instant>, interval: Duration) -> bool {
        let times = latest.zip(self.fell);
        times.is_some_and(|(latest, at)| latest.duration_since(at) <= hold::within(interval))
    }

    /// Does it get traffic?
    pub(crate) fn serves(&self) -> bool {
        let out = self.agent.as_ref().is_some_and(Agent::takes_out);
        match self.config.check {
            Check::Off => false,
            Check::On => !self.health.maintenance && !out,
            Check::Probe(_) => self.health.serves() && !out,
        }
    }

    /// Its agent was asked. `slow`: who comes back gets its weight in steps.
    pub(crate) fn hear_agent(&mut self, verdict: &Verdict, slow: bool, now: Instant) -> Change {
        let Some(agent) = &mut self.agent else {
            return Change::Nothing;
        };
        let before = (agent.is_awaited(), agent.lets_serve());
        let change = agent.hear(verdict, now);
        let lets_serve = agent.lets_serve();
        match (before, lets_serve) {
            // It was not let in before it was heard: a start is not slow.
            ((true, _) | (false, true), true) => {}
            ((false, false), true) => {
                self.ramp = (slow && self.serves()).then(|| Ramp::new(now));
            }
            (_, false) => self.ramp = None,
        }
        change
    }

    /// What is to be told of its agent.
    pub(crate) fn agent_notice(&self, service: ServiceKey, change: Change) -> Option<Notice> {
        let real = self.config.configured;
        let agent = self.agent.as_ref()?.shown(|_| 0);
        match change {
            Change::Nothing => None,
            Change::Asks => Some(Notice::AgentAsks {
                service,
                real,
                down: self.is_found_down(),
                agent,
            }),
            Change::Silent => Some(Notice::AgentSilent {
                service,
                real,
                message: agent.silent.unwrap_or_default(),
            }),
            Change::Answers => Some(Notice::AgentAnswers { service, real }),
        }
    }

    /// When what its checks or its agent say of its health last changed.
    pub(crate) fn shown_since(&self) -> Instant {
        let agent = self.agent.as_ref();
        let out = agent.filter(|agent| matches!(agent.asks(), Asks::Down | Asks::Maintenance));
        out.map_or(self.health.since, |agent| {
            agent.since().max(self.health.since)
        })
    }

    /// By its checks, or by its agent.
    fn is_found_down(&self) -> bool {
        let agent = self.agent.as_ref().map(Agent::asks);
        self.health.state == State::Down || agent == Some(Asks::Down)
    }

    /// Does its agent let it have new connections, or has it none?
    pub(crate) fn is_let_serve(&self) -> bool {
        self.agent.as_ref().is_none_or(Agent::lets_serve)
    }

    /// A check came back. Before the table has been seen it is not known whether the server carries
    /// traffic, and so not how often it must fail: the verdict waits. That a check could not be asked
    /// is no verdict, and takes no place from one.
    pub(crate) fn judge(&mut self, verdict: &Verdict, limits: Limits, now: Instant) -> Transition {
        if self.placed || verdict.finding == Finding::CouldNotAsk {
            return self.believe(verdict, limits, now);
        }
        self.early = Some(verdict.clone());
        Transition::None
    }

    fn believe(&mut self, verdict: &Verdict, limits: Limits, now: Instant) -> Transition {
        let before = self.health.state;
        let transition = self.health.judge(verdict, limits, now);
        self.lingers &= self.health.is_awaited();
        match transition {
            Transition::WentUp => {
                // One that was held has never left.
                let back = before == State::Down && !self.held && !self.kept;
                let back = back || std::mem::take(&mut self.returning);
                self.ramp = back.then(|| Ramp::new(now));
                (self.held, self.fell) = (false, None);
            }
            Transition::WentDown => {
                let began = now.checked_sub(verdict.took).unwrap_or(now);
                self.fell = (before == State::Up).then_some(began);
                self.ramp = None;
                self.returning = false;
            }
            Transition::None
            | Transition::SoftFailure
            | Transition::Recovered
            | Transition::Rising => {}
        }
        transition
    }

    /// What a check saw of its certificate; gives back what is to be told. A check that saw none, as
    /// one that only connects, changes nothing.
    pub(crate) fn note_certificate(
        &mut self,
        service: ServiceKey,
        seen: Option<Certificate>,
    ) -> Option<Notice> {
        let seen = seen?;
        self.certificate = Some(seen);
        let before = std::mem::replace(&mut self.warned, seen.near);
        let left = match (before, seen.near) {
            (_, None)
            | (Some(Validity::Days(_)), Some(Validity::Days(_)))
            | (Some(Validity::Nothing), Some(Validity::Nothing)) => return None,
            (None, Some(left))
            | (Some(Validity::Days(_)), Some(left @ Validity::Nothing))
            | (Some(Validity::Nothing), Some(left @ Validity::Days(_))) => left,
        };
        Some(Notice::CertificateEnds {
            service,
            real: self.config.configured,
            left,
        })
    }

    /// The table was looked at: what carries traffic goes on carrying it until a check says
    /// otherwise, `failurecount` times; what stands there at weight 0 stays until its first verdict.
    /// Then the verdict that waited counts.
    pub(crate) fn place(
        &mut self,
        table: Option<&Service>,
        limits: Limits,
        now: Instant,
    ) -> Transition {
        if std::mem::replace(&mut self.placed, true) {
            return Transition::None;
        }
        let row = table.and_then(|service| service.destinations.get(&self.config.key));
        if row.is_some_and(|spec| spec.weight > 0) {
            self.health.adopt();
        }
        self.lingers = row.is_some() && self.health.is_awaited();
        if let Some(agent) = &mut self.agent {
            agent.place(row.map(|spec| spec.weight));
        }
        let transition = match self.early.take() {
            Some(verdict) => self.believe(&verdict, limits, now),
            None => Transition::None,
        };
        // Nobody has waited for it: a start is not slow.
        self.ramp = None;
        transition
    }

    /// The notice for what a verdict changed, if anything.
    pub(crate) fn notice(
        &self,
        service: ServiceKey,
        limits: Limits,
        transition: Transition,
    ) -> Option<Notice> {
        let real = self.config.configured;
        let message = || self.health.message.clone();
        match transition {
            Transition::None => None,
            Transition::WentUp => Some(Notice::Up {
                service,
                real,
                message: message(),
            }),
            Transition::WentDown => Some(Notice::Down {
                service,
                real,
                message: message(),
            }),
            Transition::SoftFailure => Some(Notice::SoftFailure {
                service,
                real,
                failures: self.health.failures,
                limit: limits.failures,
                message: message(),
            }),
            Transition::Recovered => Some(Notice::SoftFailureReset { service, real }),
            Transition::Rising => Some(Notice::Rising {
                service,
                real,
                passes: self.health.passes,
                limit: limits.passes,
            }),
        }
    }

    /// What a verdict may change in the steady part of a snapshot, for comparison.
    pub(crate) fn shown(&self) -> ([u32; 2], String, Option<String>) {
        let health = &self.health;
        let (message, unasked) = (&health.message, &health.could_not_ask);
        let counts = [health.failures, health.passes];
        (counts, message.clone(), unasked.clone())
    }
}
