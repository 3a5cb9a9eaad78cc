//! The top machine: routes every input to the fleet (health) and the ledger (table), as the
//! conversation with the kernel says, and gathers their outputs. The only type a shell needs.
//!
//! ```text
//!   verdicts, maintenance ──► Fleet ──changed services──► Conversation ──► readings, edits
//!                               ▲                             │
//!                               └──what is desired── Ledger ◄─┘ readings, results
//! ```
//!
//! A change reads and edits the services that it concerns. The whole table is read when all of it is
//! to be set, and now and then to notice what others did; a big one is glanced at meanwhile.

mod moments;

use crate::config::{Config, ProbeId};
use crate::conversation::{Action, Event, Goal, Reach, State, Step};
use crate::fleet::{Fleet, Prospect};
use crate::input::{Input, Left, Verdict};
use crate::ledger::Ledger;
use crate::merge::Scope;
use crate::output::{Notice, Output, When};
use crate::overrides::{Emptied, Order, Place, Slot};
use crate::punctual::Punctual;
use crate::report;
use crate::table::{DestinationKey, Edit, Service, ServiceKey, Table};
use crate::watched::Virtual;
use ha_status::{DirectorPhase, Found, Health, Role};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// How often a big table is read as a whole when nothing happens, to notice what others did.
pub const READ_EVERY: Duration = Duration::from_secs(10);
/// How often a table is looked at: a small one as a whole, of a big one only which services there
/// are. `ipvsadm -C` or a reloaded module cost a service no more than this.
pub const GLANCE_EVERY: Duration = Duration::from_secs(1);
/// A configuration of so many services is a small one.
pub const SMALL_TABLE: usize = 64;
/// Fewer changed services than this are read one by one, more only if they are less than half.
pub const SINGLE_READS: usize = 8;
/// How soon a failed reading is tried again.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How often reading and cleaning are tried at the end.
pub const CLEAN_TRIES_MAX: u32 = 3;

/// One director. Feed it with [`Director::handle`], drain [`Director::poll`] to `None`, then wait
/// for the next input or [`Director::deadline`], whichever comes first.
#[derive(Debug)]
pub struct Director {
    fleet: Fleet,
    ledger: Ledger,
    state: State,
    punctual: Punctual,
    /// Services to be read and merged.
    dirty: BTreeSet<ServiceKey>,
    /// Those that the reading or the edits under way are about.
    under_way: BTreeSet<ServiceKey>,
    /// When the whole table is read again, when its list, and before when nothing is.
    read_at: Instant,
    glance_at: Instant,
    not_before: Instant,
    unreadable: bool,
    /// A reload, or a turn of the role, that the table has not followed yet.
    reloading: bool,
    turning: bool,
    /// A preparation that the table has not followed yet.
    preparing: bool,
    clean_tries: u32,
    outputs: VecDeque<Output>,
    revision: u64,
}

impl Director {
    /// Starts as the active one: the first outputs (reading the table, the first checks) are ready to
    /// be polled.
    pub fn new(config: Config, now: Instant) -> Self {
        Self::in_role(config, Role::Active, now)
    }

    /// Starts in either role.
    pub fn in_role(config: Config, role: Role, now: Instant) -> Self {
        let mut director = Self {
            fleet: Fleet::new(config, role, now),
            ledger: Ledger::default(),
            state: State::START,
            punctual: Punctual::default(),
            dirty: BTreeSet::new(),
            under_way: BTreeSet::new(),
            read_at: now,
            glance_at: now,
            not_before: now,
            unreadable: false,
            reloading: false,
            turning: false,
            preparing: false,
            clean_tries: 0,
            outputs: VecDeque::new(),
            revision: 0,
        };
        director.advance(now);
        director
    }

    /// The only way in. Never call it while `poll` still has output.
    pub fn handle(&mut self, input: Input, now: Instant) {
        debug_assert!(
            self.outputs.is_empty(),
            "drain poll() before the next input"
        );
        if self.state.step == Step::Ended {
            return;
        }
        if self.punctual.wake(now) {
            self.fleet.doubt();
        }
        let notices = self.fleet.pass_time(now);
        self.tell(notices);
        if !self.is_stopping() && self.fleet.end_keeping(now) {
            self.preparing = false;
            self.set_anew();
            self.tell([Notice::HeldBack]);
            self.step(Event::Reload, now);
        }
        match input {
            Input::Tick => {}
            Input::Probed { probe, verdict } => self.probed(probe, verdict, now),
            Input::Table(table) => self.read(Reading::Whole(table), now),
            Input::Services(rows) => self.read(Reading::Some(rows), now),
            Input::Listed(keys) => self.read(Reading::List(keys), now),
            Input::TableUnreadable(error) => self.unreadable(error, now),
            Input::Applied(results) => self.applied(results, now),
            Input::Maintenance {
                service,
                real,
                active,
            } => self.fleet.maintain(service, real, active, now),
            Input::Overrule { place, slot, order } => {
                self.fleet.overrule(place, slot, order, now);
            }
            Input::Reload(config) => self.reload(config, now),
            Input::LeftBehind(left) => self.left_behind(left, now),
            Input::Others(services) => self.ledger.others = services,
            Input::Opinion {
                service,
                question,
                views,
            } => self.fleet.opinion_heard(service, question, views, now),
            Input::Turn(role) => self.turn(role, None, now),
            Input::Yield { table } => self.give_way(table, now),
            Input::Prepare { table } => self.prepare(table, now),
            Input::Shutdown => self.shutdown(now),
        }
        self.advance(now);
        self.answer_preparation();
    }

    /// The next thing to do; drain to `None` after every `handle`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When `handle(Input::Tick, _)` is due at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.punctual.due()
    }

    /// Grows whenever the non-volatile part of the snapshot may have changed.
    pub fn revision(&self) -> u64 {
        self.revision + self.fleet.revision
    }

    /// What it is at, for those who look on. Reloading is what a valid configuration makes of it.
    pub fn phase(&self) -> DirectorPhase {
        match self.state.goal {
            Goal::Reload if self.reloading => DirectorPhase::Reloading,
            Goal::Follow | Goal::Reload => DirectorPhase::Running,
            Goal::Start => DirectorPhase::Starting,
            Goal::Clean => DirectorPhase::Stopping,
        }
    }

    pub fn role(&self) -> Role {
        self.fleet.role
    }

    /// On standby, with none of its services wanted in the table.
    pub fn holds_back(&self) -> bool {
        self.fleet.holds_back()
    }

    /// The services of which nobody would be left, if this were said, that somebody serves now.
    pub fn emptied_by(&self, orders: &[(Place, Slot, Option<Order>)]) -> Vec<Emptied> {
        self.fleet.emptied_by(orders)
    }

    /// The state of the conversation with the kernel.
    pub fn state(&self) -> State {
        self.state
    }

    /// The visible state; kernel counters are zero, the shell fills them in from its last dump.
    /// `wall_ms` is the wall clock at `now`, milliseconds since 1970.
    pub fn services(&self, now: Instant, wall_ms: u64) -> Vec<ha_status::VirtualService> {
        report::services(&self.fleet, &self.ledger, now, wall_ms)
    }

    /// Of each service, what another configuration would leave of those who serve it; `maintained` are
    /// in maintenance then, by a file of the directory.
    pub fn prospects(
        &self,
        next: &Config,
        maintained: &BTreeSet<Place>,
        now: Instant,
    ) -> BTreeMap<ServiceKey, Prospect> {
        self.fleet.prospects(next, maintained, now)
    }

    /// Does a real server of this service take connections? `None` while nobody knows, or the table
    /// has yet to show it, and on standby, where that is another director's affair.
    pub fn serving(&self, service: ServiceKey) -> Option<bool> {
        let behind = self.dirty.contains(&service) || self.under_way.contains(&service);
        let service = self.fleet.get(service)?;
        let known = service.is_served() || !service.waits();
        let follows = self.state.goal == Goal::Follow && !behind && self.role() == Role::Active;
        (known && follows).then(|| service.is_served())
    }

    /// What is known of a real server, as the file names it.
    pub fn health(&self, service: ServiceKey, real: DestinationKey) -> Option<Health> {
        let reals = &self.fleet.get(service)?.reals;
        let mut rows = reals.values();
        let row = rows.find(|row| row.config.configured == real)?;
        Some(report::shown_health(row))
    }

    /// What the checks of this director find of services that another one asks about.
    pub fn find(&self, services: &[u64], now: Instant) -> Vec<Found> {
        self.fleet.find(services, now)
    }

    /// What the last check of a real server said, if there was one.
    pub fn said(&self, service: ServiceKey, real: DestinationKey) -> Option<String> {
        let said = self.fleet.get(service)?.reals.get(&real)?.health.said();
        (!said.is_empty()).then(|| said.to_owned())
    }

    /// Does it wait for nobody of this service any more?
    pub fn is_settled(&self, service: ServiceKey) -> bool {
        let waits = self.fleet.get(service).is_some_and(Virtual::waits);
        !waits && self.serving(service).is_some()
    }

    /// Starts what is due: checks, and a reading of the table when there is a reason for one.
    fn advance(&mut self, now: Instant) {
        let stopping = self.is_stopping();
        while !stopping && let Some((probe, due)) = self.fleet.start_due(now) {
            self.outputs.push_back(Output::Probe { probe, due });
        }
        self.dirty.append(&mut self.fleet.take_changed(now));
        self.say_opinions(stopping);
        if let Some(reach) = self.due(now) {
            self.step(Event::Due(reach), now);
        }
        let probes = self.fleet.deadline().filter(|_| !stopping);
        let table = self.table_due().filter(|_| self.state.step == Step::Idle);
        let deadline = [probes, table].into_iter().flatten().min();
        let asking = !stopping && self.fleet.is_asking();
        self.punctual.rest(deadline, asking, now);
    }

    /// Whose last real servers others are to be asked about, and what became of that. Who stops asks
    /// nobody any more.
    fn say_opinions(&mut self, stopping: bool) {
        let asks = self.fleet.opinions.take_asks().into_iter();
        self.outputs.extend(asks.filter(|_| !stopping));
        let told = self.fleet.opinions.take_told();
        self.tell(told);
    }

    /// What is to be read now, the most urgent first.
    fn due(&mut self, now: Instant) -> Option<Reach> {
        if self.state.step != Step::Idle || now < self.not_before {
            return None;
        }
        if self.state.goal != Goal::Follow || self.read_at <= now {
            return Some(Reach::Whole);
        }
        self.dirty.extend(self.ledger.refusals.due(now));
        if !self.dirty.is_empty() {
            let few = SINGLE_READS.max(self.fleet.len() / 2);
            let single = self.dirty.len() <= few;
            return Some(if single { Reach::Some } else { Reach::Whole });
        }
        (self.glance_at <= now).then_some(Reach::List)
    }

    /// When something is to be read at the latest, if nothing is under way.
    fn table_due(&self) -> Option<Instant> {
        let at_once = self.state.goal != Goal::Follow || !self.dirty.is_empty();
        let retry = self.ledger.refusals.deadline();
        let times = [Some(self.read_at), Some(self.glance_at), retry];
        let next = times.into_iter().flatten().min();
        let next = if at_once { Some(self.not_before) } else { next };
        next.map(|at| at.max(self.not_before))
    }

    /// Takes the machine on by one event and does what it says.
    fn step(&mut self, event: Event, now: Instant) {
        let (state, action) = self.state.on(event);
        self.state = state;
        match action {
            Action::Nothing | Action::Apply | Action::Decide | Action::Compare => {}
            Action::Read(reach) => self.start_reading(reach),
            Action::Later => self.not_before = now + RETRY_AFTER,
            Action::Settle => self.settle(now),
            Action::Announce(goal) => {
                self.settle(now);
                self.announce(goal);
            }
            Action::Exit => self.outputs.push_back(Output::Exit),
        }
    }

    fn start_reading(&mut self, reach: Reach) {
        let output = match reach {
            Reach::List => Output::List,
            Reach::Some => {
                self.under_way = std::mem::take(&mut self.dirty);
                Output::ReadServices(self.under_way.iter().copied().collect())
            }
            Reach::Whole => Output::Read,
        };
        self.outputs.push_back(output);
    }

    fn probed(&mut self, probe: ProbeId, verdict: Verdict, now: Instant) {
        let notices = self.fleet.probed(probe, verdict, now);
        self.tell(notices);
    }

    /// A reading arrived: decide what to edit.
    fn read(&mut self, reading: Reading, now: Instant) {
        if self.state.step != Step::Reading(reading.reach()) {
            return;
        }
        self.unreadable = false;
        let (state, action) = self.state.on(Event::Read);
        let decides = action == Action::Decide;
        match reading {
            Reading::List(listed) => {
                self.glance_at = now + GLANCE_EVERY;
                self.dirty.append(&mut self.ledger.missing(&listed));
            }
            Reading::Some(rows) => {
                self.revision += u64::from(self.ledger.read_some(rows));
                // Of use to nobody if the whole table is read next, which covers all that changed.
                self.dirty
                    .extend(self.under_way.iter().filter(|_| !decides));
            }
            Reading::Whole(table) => {
                self.revision += u64::from(self.ledger.read_whole(table));
            }
        }
        if decides {
            self.decide(now);
        } else {
            self.state = state;
            if let Action::Read(reach) = action {
                self.start_reading(reach);
            }
        }
    }

    /// Finds the edits that the reading under way comes to, and makes them.
    fn decide(&mut self, now: Instant) {
        let edits = if self.is_stopping() {
            self.ledger.clean(&self.fleet)
        } else {
            self.plan(now)
        };
        let some = !edits.is_empty();
        if some {
            self.outputs.push_back(Output::Apply(edits));
        }
        self.step(Event::Decided { edits: some }, now);
    }

    fn plan(&mut self, now: Instant) -> Vec<Edit> {
        let full = self.state.goal != Goal::Follow;
        if self.state.step == Step::Reading(Reach::Whole) {
            self.ledger.claim(&self.fleet, full);
            self.under_way = self.ledger.all(&self.fleet);
            // Also what is none of ours any more, to be done with it.
            self.under_way.append(&mut self.dirty);
            self.read_at = now + self.read_every();
        }
        if full {
            let notices = self.fleet.place(self.ledger.kernel(), now);
            self.tell(notices);
            self.ledger.refusals.hurry(now);
        }
        self.dirty.append(&mut self.fleet.take_changed(now));
        let under_way = &self.under_way;
        self.dirty.retain(|key| !under_way.contains(key));
        let scope = if full {
            Scope::Full
        } else {
            Scope::Changes {
                readd_quiescent: self.fleet.readdquiescent,
            }
        };
        let plan = self.ledger.plan(under_way, &self.fleet, scope, now);
        self.tell(plan.notices);
        plan.edits
    }

    fn unreadable(&mut self, error: String, now: Instant) {
        if !matches!(self.state.step, Step::Reading(_)) {
            return;
        }
        self.dirty.append(&mut self.under_way);
        if !std::mem::replace(&mut self.unreadable, true) {
            self.tell([Notice::TableUnreadable(error)]);
        }
        self.step(Event::Unreadable, now);
        self.try_again_to_clean(now);
    }

    /// The kernel answered a batch.
    fn applied(&mut self, results: Vec<(Edit, Result<(), String>)>, now: Instant) {
        let cleaning = self.state.step == Step::Cleaning;
        if !cleaning && !matches!(self.state.step, Step::Applying { .. }) {
            return;
        }
        self.revision += 1;
        let outcome = self.ledger.applied(results, now);
        let leaving = cleaning || self.fleet.holds_back();
        let when = if leaving { When::Stop } else { When::Start };
        for made in &outcome.made {
            let notices = report::confirmed(&self.fleet, made, when);
            self.tell(notices);
        }
        self.tell(outcome.notices);
        self.dirty.extend(outcome.unfinished);
        let again = cleaning && outcome.refused;
        self.step(Event::Applied { again }, now);
        if again {
            self.try_again_to_clean(now);
        }
    }

    /// The end may fail so often, then it comes anyway.
    fn try_again_to_clean(&mut self, now: Instant) {
        if self.is_stopping() {
            self.clean_tries += 1;
            if self.clean_tries >= CLEAN_TRIES_MAX {
                self.step(Event::GiveUp, now);
            }
        }
    }

    /// A merge is done, edits or not.
    fn settle(&mut self, now: Instant) {
        let merged = std::mem::take(&mut self.under_way);
        self.glance_at = self.glance_at.max(now + self.glance_every());
        if !self.is_stopping() {
            let notices = self.ledger.watch_served(&merged, &self.fleet);
            self.tell(notices);
        }
    }

    fn announce(&mut self, goal: Goal) {
        self.revision += 1;
        let reloaded = std::mem::take(&mut self.reloading);
        match goal {
            Goal::Start => self.tell([Notice::Started]),
            Goal::Reload if reloaded => self.tell([Notice::Reloaded]),
            Goal::Reload | Goal::Follow | Goal::Clean => {}
        }
        if std::mem::take(&mut self.turning) {
            self.tell([Notice::Turned(self.fleet.role)]);
        }
    }

    /// Everything is set anew for the role, on standby with the table left in until `kept`; who asks
    /// again while that is under way is answered when it is done.
    fn turn(&mut self, role: Role, kept: Option<Instant>, now: Instant) {
        if self.is_stopping() {
            return;
        }
        if self.fleet.role == role && !self.fleet.keeps() {
            let done = (!self.turning).then_some(Notice::Turned(role));
            self.tell(done);
            return;
        }
        self.fleet.turn(role, kept, now);
        self.turning = true;
        self.preparing = false;
        self.set_anew();
        self.step(Event::Reload, now);
    }

    /// All of the table is to be read and set, whatever was to be set of it.
    fn set_anew(&mut self) {
        self.dirty.clear();
        self.revision += 1;
    }

    fn reload(&mut self, config: Config, now: Instant) {
        if self.is_stopping() {
            return;
        }
        let notices = self.fleet.reload(config, now);
        self.tell(notices);
        self.reloading = true;
        self.dirty.clear();
        self.step(Event::Reload, now);
    }

    /// Services of an earlier life: a reading of the whole table shows whether they are still there.
    fn left_behind(&mut self, left: Left, now: Instant) {
        if !left.services.is_empty() {
            self.read_at = now;
        }
        self.ledger.left_behind.services.extend(left.services);
        self.ledger.left_behind.said.extend(left.said);
    }

    fn shutdown(&mut self, now: Instant) {
        if self.is_stopping() {
            return;
        }
        self.not_before = now;
        self.revision += 1;
        self.step(Event::Stop, now);
        self.tell([Notice::ShutdownStarted]);
    }

    fn tell(&mut self, notices: impl IntoIterator<Item = Notice>) {
        self.outputs.extend(notices.into_iter().map(Output::Notice));
    }

    fn is_stopping(&self) -> bool {
        self.state.goal == Goal::Clean
    }

    fn is_small(&self) -> bool {
        self.fleet.len() <= SMALL_TABLE
    }

    fn read_every(&self) -> Duration {
        if self.is_small() {
            GLANCE_EVERY
        } else {
            READ_EVERY
        }
    }

    /// A small table is read as a whole instead.
    fn glance_every(&self) -> Duration {
        if self.is_small() {
            READ_EVERY
        } else {
            GLANCE_EVERY
        }
    }
}

/// What was read.
enum Reading {
    List(BTreeSet<ServiceKey>),
    Some(Vec<(ServiceKey, Option<Service>)>),
    Whole(Table),
}

impl Reading {
    fn reach(&self) -> Reach {
        match self {
            Self::List(_) => Reach::List,
            Self::Some(_) => Reach::Some,
            Self::Whole(_) => Reach::Whole,
        }
    }
}

#[cfg(test)]
mod tests;
