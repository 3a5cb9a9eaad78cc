//! Every real server of every virtual service: what is asked about it, what is believed of it, and
//! which services a change concerns. Knows nothing of the kernel's table but what carries traffic
//! when a row is first seen in it.

mod agents;
mod operators;
mod opinions;
mod prospect;

use crate::asking::Asking;
use crate::config::{Check, Config, ProbeId, Standby};
use crate::desired;
use crate::health::{State, Transition};
use crate::input::{Finding, Verdict};
use crate::opinion::Event;
use crate::output::Notice;
use crate::overrides::Overrides;
use crate::schedule::{Finish, Schedule};
use crate::table::{DestinationKey, Service, ServiceKey, Table};
use crate::watched::{Gone, Virtual, Watched};
use ha_status::Role;
use opinions::Opinions;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

pub use prospect::Prospect;

/// Why a failure that was noticed late is no verdict.
const STOOD_STILL: &str = "this director stood still meanwhile";

/// For so long after it has become active what cannot be asked is asked again soon: the addresses that
/// move with the role are there within that time.
const EAGER: Duration = Duration::from_secs(5);
/// Between two such questions.
const EAGER_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Fleet {
    services: BTreeMap<ServiceKey, Virtual>,
    /// File order.
    order: Vec<ServiceKey>,
    /// Who waits for a probe's answer, ordered by probe.
    askers: Vec<Asker>,
    schedule: Schedule,
    overrides: Overrides,
    asking: Asking,
    pub(crate) opinions: Opinions,
    /// `readdquiescent`.
    pub(crate) readdquiescent: bool,
    pub(crate) role: Role,
    standby: Standby,
    /// Virtual services are missing whose names have no address.
    pub(crate) incomplete: bool,
    /// On standby, the table is in the kernel all the same until then.
    kept: Option<Instant>,
    /// Services whose desired rows, or whose chances to be served, may be others now.
    changed: BTreeSet<ServiceKey>,
    /// When time alone changes what a service wants, or before.
    time: Option<Instant>,
    /// It has become active a moment ago: until then what cannot be asked is asked again soon.
    eager_until: Option<Instant>,
    /// Grows with what a dashboard shows.
    pub(crate) revision: u64,
}

/// A real server that a probe asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Asker {
    probe: ProbeId,
    service: ServiceKey,
    real: DestinationKey,
    /// It asks the agent, and how often; else it checks.
    agent: Option<Duration>,
}

impl Fleet {
    pub(crate) fn new(config: Config, role: Role, now: Instant) -> Self {
        let mut fleet = Self {
            services: BTreeMap::new(),
            order: Vec::new(),
            askers: Vec::new(),
            schedule: Schedule::new(config.seed),
            overrides: Overrides::default(),
            asking: Asking::default(),
            opinions: Opinions::default(),
            readdquiescent: false,
            role,
            standby: Standby::default(),
            incomplete: false,
            kept: None,
            changed: BTreeSet::new(),
            time: None,
            eager_until: None,
            revision: 0,
        };
        fleet.set(config, now);
        fleet
    }

    /// A valid configuration replaces the running one. What is known of a real server of a service
    /// is kept.
    pub(crate) fn reload(&mut self, config: Config, now: Instant) -> Vec<Notice> {
        let mut notices = self.set(config, now);
        // Everything is set anew as well.
        notices.extend(self.review_all(now));
        self.changed.clear();
        let askers = &self.askers;
        let all_asked = self
            .asking
            .retain(|probe| !of_probe(askers, probe).is_empty());
        notices.extend(all_asked.then_some(Notice::AskedAgain));
        notices
    }

    /// What time, or a new configuration, does to slow starts and to weights that are held.
    fn review_all(&mut self, now: Instant) -> Vec<Notice> {
        let keys: Vec<ServiceKey> = self.services.keys().copied().collect();
        self.time = None;
        let reviewed = keys.into_iter();
        let reviewed = reviewed.filter_map(|key| self.review(key, false, now));
        reviewed.collect()
    }

    /// The same for one service, of which a real server may have failed just now.
    fn review(&mut self, key: ServiceKey, fell: bool, now: Instant) -> Option<Notice> {
        let interval = self.interval(self.services.get(&key)?);
        let service = self.services.get_mut(&key)?;
        let notice = service.review(fell, interval, now);
        let gone = service.end_succession(now);
        if service.climb(now) || gone || notice.is_some() {
            self.revision += 1;
            self.changed.insert(key);
        }
        self.opinion_event(key, Event::Time, now);
        let due = self.services.get(&key).and_then(Virtual::due);
        self.time = [self.time, due].into_iter().flatten().min();
        notice
    }

    /// Time passes; gives back what is to be told.
    pub(crate) fn pass_time(&mut self, now: Instant) -> Vec<Notice> {
        let mut notices = self.end_overrides(now);
        if self.time.is_some_and(|time| time <= now) {
            notices.extend(self.review_all(now));
        }
        notices
    }

    /// Gives back what is to be told.
    fn set(&mut self, config: Config, now: Instant) -> Vec<Notice> {
        let mut notices = Vec::new();
        let mut old = std::mem::take(&mut self.services);
        self.order = config.services.iter().map(|service| service.key).collect();
        self.readdquiescent = config.readdquiescent;
        self.standby = config.standby;
        self.incomplete = config.incomplete;
        for service in config.services {
            let key = service.key;
            let mut service = Virtual::new(service, now);
            let old = old.remove(&key);
            notices.extend(old.as_ref().and_then(opinions::reloaded));
            let gone = self.take_over(&mut service, old, now);
            // On standby nobody serves here.
            if let Some(gone) = gone.filter(|_| !self.holds_back()) {
                notices.extend(service.part(gone, now));
            }
            self.services.insert(key, service);
        }
        self.find_askers(now);
        self.changed.clear();
        self.revision += 1;
        notices
    }

    /// What is known of a service, and said of it, when it comes into force.
    fn take_over(&self, service: &mut Virtual, old: Option<Virtual>, now: Instant) -> Option<Gone> {
        let gone = old.map(|old| service.inherit(old));
        let key = service.config.key;
        for row in service.reals.values_mut() {
            row.orders = self.overrides.get(&(key, row.config.configured));
            row.settle_maintenance(now);
        }
        gone
    }

    fn find_askers(&mut self, now: Instant) {
        self.askers.clear();
        for (key, service) in &self.services {
            for row in service.reals.values() {
                let place = |probe, agent| Asker {
                    probe,
                    service: *key,
                    real: row.config.key,
                    agent,
                };
                if let Check::Probe(probe) = row.config.check {
                    self.askers.push(place(probe, None));
                }
                if let Some(agent) = row.config.agent {
                    self.askers.push(place(agent.probe, Some(agent.interval)));
                }
            }
        }
        self.askers.sort_unstable();
        let mut wanted: Vec<(ProbeId, Duration)> = Vec::with_capacity(self.askers.len());
        for asker in &self.askers {
            let Some(service) = self.services.get(&asker.service) else {
                continue;
            };
            let interval = asker.agent.unwrap_or(service.config.interval);
            let interval = self.in_role(interval);
            match wanted.last_mut().filter(|(probe, _)| *probe == asker.probe) {
                Some((_, shortest)) => *shortest = interval.min(*shortest),
                None => wanted.push((asker.probe, interval)),
            }
        }
        self.schedule.set(&wanted, now);
    }

    /// How often its real servers are asked in the present role.
    fn interval(&self, service: &Virtual) -> Duration {
        self.in_role(service.config.interval)
    }

    fn in_role(&self, interval: Duration) -> Duration {
        let least = match self.role {
            Role::Active => None,
            Role::Standby => self.standby.interval,
        };
        least.map_or(interval, |least| interval.max(least))
    }

    /// From now on its services belong into the kernel's table, or do not; on standby they stay in it
    /// until `kept`. What is known of the real servers stays.
    pub(crate) fn turn(&mut self, role: Role, kept: Option<Instant>, now: Instant) {
        self.role = role;
        self.kept = kept.filter(|_| role == Role::Standby);
        self.part_if_held_back();
        self.end_opinions(now);
        // Clients come to all of them anew.
        let rows = self.services.values_mut();
        for row in rows.flat_map(|service| service.reals.values_mut()) {
            row.start_over();
        }
        self.find_askers(now);
        self.eager_until = (role == Role::Active).then(|| now + EAGER);
        let askers = self.askers.iter();
        let unasked = askers
            .filter(|one| self.could_not_ask(one))
            .map(|one| one.probe);
        for probe in unasked.collect::<BTreeSet<_>>() {
            self.hurry_if_eager(probe, now, now);
        }
        self.changed.clear();
        self.revision += 1;
    }

    fn could_not_ask(&self, asker: &Asker) -> bool {
        let service = self.services.get(&asker.service);
        let row = service.and_then(|service| service.reals.get(&asker.real));
        row.is_some_and(|row| row.health.could_not_ask.is_some())
    }

    /// An address to ask from may have moved here with the role, or be about to: what could not be
    /// asked is asked then, not a whole interval later.
    fn hurry_if_eager(&mut self, probe: ProbeId, at: Instant, now: Instant) {
        if self.eager_until.is_some_and(|until| now < until) {
            self.schedule.hurry(probe, at);
        }
    }

    /// On standby: no service of ours is wanted in the table.
    pub(crate) fn holds_back(&self) -> bool {
        self.role == Role::Standby && !self.standby.table && self.kept.is_none()
    }

    /// On standby the table is in the kernel until then. True if that is new.
    pub(crate) fn keep(&mut self, until: Instant) -> bool {
        self.role == Role::Standby && self.kept.replace(until).is_none()
    }

    /// Is the table in the kernel on standby, for a moment?
    pub(crate) fn keeps(&self) -> bool {
        self.kept.is_some()
    }

    /// The moment is over, if it is; true if it is now.
    pub(crate) fn end_keeping(&mut self, now: Instant) -> bool {
        let ended = self.kept.take_if(|until| *until <= now).is_some();
        if ended {
            self.part_if_held_back();
        }
        ended
    }

    /// Who is not in the file any more serves until others can. Where the table is held back nobody
    /// does, and when the role comes back the file alone counts.
    fn part_if_held_back(&mut self) {
        if self.holds_back() {
            let services = self.services.values_mut();
            services.for_each(Virtual::give_up_succession);
        }
    }

    /// What `cleanstop=no` says of a service that is held back: as a stop, that leaves it where it is.
    pub(crate) fn leaves_alone(&self, key: ServiceKey) -> bool {
        let service = self.services.get(&key);
        self.holds_back() && service.is_some_and(|service| !service.config.cleanstop)
    }

    /// Is it to be in the table?
    pub(crate) fn wants(&self, key: ServiceKey) -> bool {
        !self.holds_back() && self.services.contains_key(&key)
    }

    pub(crate) fn start_due(&mut self, now: Instant) -> Option<(ProbeId, Instant)> {
        self.schedule.start_due(now)
    }

    /// When the next probe is due, an operator's word ends, or time changes what is wanted.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let orders = self.overrides.deadline();
        let times = [self.schedule.deadline(), orders, self.time, self.kept];
        times.into_iter().flatten().min()
    }

    pub(crate) fn is_asking(&self) -> bool {
        self.schedule.is_asking()
    }

    /// This process stood still.
    pub(crate) fn doubt(&mut self) {
        self.schedule.doubt();
    }

    /// An answer came; gives back what is to be told.
    pub(crate) fn probed(
        &mut self,
        probe: ProbeId,
        mut verdict: Verdict,
        now: Instant,
    ) -> Vec<Notice> {
        match (
            self.schedule.finish(probe, verdict.took, now),
            verdict.finding,
        ) {
            (Finish::Forgotten, Finding::Up | Finding::Down | Finding::CouldNotAsk) => {
                return Vec::new();
            }
            (Finish::Doubtful, Finding::Down) => {
                verdict.finding = Finding::CouldNotAsk;
                STOOD_STILL.clone_into(&mut verdict.message);
                self.schedule.hurry(probe, now);
            }
            (Finish::Doubtful, Finding::Up | Finding::CouldNotAsk)
            | (Finish::Trusted, Finding::Up | Finding::Down | Finding::CouldNotAsk) => {}
        }
        let mut notices = match of_probe(&self.askers, probe).first() {
            Some(Asker { agent: Some(_), .. }) => self.agent_asked(probe, &verdict, now),
            Some(Asker { agent: None, .. }) => self.checked(probe, &verdict, now),
            None => Vec::new(),
        };
        notices.extend(self.report_asking(probe, &verdict, now));
        notices
    }

    /// Real servers are up or down, as each counts.
    fn checked(&mut self, probe: ProbeId, verdict: &Verdict, now: Instant) -> Vec<Notice> {
        let mut notices = Vec::new();
        let standby = self.role == Role::Standby;
        let mut turned = Vec::new();
        for place in of_probe(&self.askers, probe) {
            let Some(service) = self.services.get_mut(&place.service) else {
                continue;
            };
            let limits = service.config.limits();
            let slow = service.config.options.slowstart.is_some() && !standby;
            let Some(row) = service.reals.get_mut(&place.real) else {
                continue;
            };
            let carried = row.weight(false).is_some_and(|weight| weight > 0);
            let shown = row.shown();
            let transition = row.judge(verdict, limits, now);
            let slow = slow && row.is_let_serve();
            row.ramp = row.ramp.filter(|_| slow);
            if transition != Transition::None || shown != row.shown() {
                self.revision += 1;
            }
            if matters(transition) {
                self.changed.insert(place.service);
                let fell = transition == Transition::WentDown;
                turned.push((place.service, place.real, fell, fell && carried));
            }
            let seen = verdict.noted.certificate;
            if seen.is_some() && seen != row.certificate {
                self.revision += 1;
            }
            notices.extend(row.note_certificate(place.service, seen));
            notices.extend(row.notice(place.service, limits, transition));
        }
        for (key, real, fell, carried) in turned {
            notices.extend(self.review(key, fell, now));
            if carried {
                self.doubt_last(key, real, now);
            }
        }
        notices
    }

    /// A want of our own means is told for all checks together.
    fn report_asking(&mut self, probe: ProbeId, verdict: &Verdict, now: Instant) -> Option<Notice> {
        match verdict.finding {
            Finding::Up | Finding::Down => self.asking.asked(probe).then_some(Notice::AskedAgain),
            Finding::CouldNotAsk => {
                self.hurry_if_eager(probe, now + EAGER_PAUSE, now);
                let place = *of_probe(&self.askers, probe).first()?;
                let row = self.services.get(&place.service)?.reals.get(&place.real)?;
                self.asking
                    .could_not(probe, now)
                    .then(|| Notice::CouldNotAsk {
                        service: place.service,
                        real: row.config.configured,
                        message: verdict.message.clone(),
                    })
            }
        }
    }

    /// The whole table was read: what carries traffic is known for every row from now on.
    pub(crate) fn place(&mut self, table: &Table, now: Instant) -> Vec<Notice> {
        let mut notices = Vec::new();
        let mut turned = BTreeMap::new();
        let mut fell = Vec::new();
        for (key, service) in &mut self.services {
            let limits = service.config.limits();
            service.spare(table.get(key));
            for row in service.reals.values_mut() {
                let row_there = table.get(key);
                let row_there = row_there.and_then(|one| one.destinations.get(&row.config.key));
                let carried = row_there.is_some_and(|spec| spec.weight > 0);
                let transition = row.place(table.get(key), limits, now);
                if carried && transition == Transition::WentDown {
                    fell.push((*key, row.config.key));
                }
                if matters(transition) {
                    *turned.entry(*key).or_default() |= transition == Transition::WentDown;
                }
                notices.extend(row.notice(*key, limits, transition));
            }
            // One that was found serving is waited for no more.
            if !service.succession.is_over() {
                turned.entry(*key).or_default();
            }
        }
        let turned = turned.into_iter();
        notices.extend(turned.filter_map(|(key, fell)| self.review(key, fell, now)));
        for (key, real) in fell {
            self.doubt_last(key, real, now);
        }
        // Who is found serving there may be somebody else than the last one.
        let doubted = self.services.values().filter(|one| one.opinion.is_some());
        self.changed.extend(doubted.map(|one| one.config.key));
        self.revision += 1;
        notices
    }

    /// The services that something has happened to since the last call.
    pub(crate) fn take_changed(&mut self, now: Instant) -> BTreeSet<ServiceKey> {
        self.settle_opinions(now);
        std::mem::take(&mut self.changed)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = ServiceKey> {
        self.order.iter().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn get(&self, key: ServiceKey) -> Option<&Virtual> {
        self.services.get(&key)
    }

    /// Is that a real server of this service, or its fallback?
    pub(crate) fn names(&self, key: ServiceKey, row: &DestinationKey) -> bool {
        self.services
            .get(&key)
            .is_some_and(|service| service.has(row))
    }

    /// Is what others change in it put back?
    pub(crate) fn enforces(&self, key: ServiceKey) -> bool {
        let service = self.services.get(&key);
        service.is_some_and(|service| service.config.options.enforce)
    }

    /// What a service of ours should hold; `None` where it is not to be in the table.
    pub(crate) fn desired(&self, key: ServiceKey) -> Option<Service> {
        let service = self.services.get(&key).filter(|_| !self.holds_back());
        service.map(desired::service)
    }

    /// Is it ours, and can nobody take a connection although everybody has been asked?
    pub(crate) fn starves(&self, key: ServiceKey, table: Option<&Service>) -> bool {
        let empty = table.is_none_or(|row| row.destinations.values().all(|spec| spec.weight == 0));
        self.services.get(&key).is_some_and(|service| {
            let anybody: Option<&Watched> = service.reals.values().next();
            empty && anybody.is_some() && !service.waits() && !self.holds_back()
        })
    }
}

/// Maintenance has begun or ended: a check that is asked at once says what follows.
fn ask_anew(row: &mut Watched, schedule: &mut Schedule, now: Instant) {
    match row.config.check {
        Check::Probe(probe) => schedule.hurry(probe, now),
        // No check will say so.
        Check::On => row.health.state = State::Up,
        Check::Off => {}
    }
}

fn of_probe(askers: &[Asker], probe: ProbeId) -> &[Asker] {
    let start = askers.partition_point(|asker| asker.probe < probe);
    let rest = askers.get(start..).unwrap_or_default();
    let end = rest.partition_point(|asker| asker.probe == probe);
    rest.get(..end).unwrap_or_default()
}

/// Does it change the desired rows, or what is known of who could serve?
fn matters(transition: Transition) -> bool {
    match transition {
        Transition::WentUp | Transition::WentDown => true,
        Transition::None | Transition::SoftFailure | Transition::Recovered | Transition::Rising => {
            false
        }
    }
}
