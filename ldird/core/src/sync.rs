//! Connection synchronisation: which of the kernel's two daemons is to run here. The master sends
//! connections and belongs to the director that distributes; the backup takes them over and belongs
//! to the one on standby.
//!
//! ```text
//!            look due                   nothing to do
//!   resting ──────────► looking ─────────────────────► resting
//!                          │  ▲
//!          start, or stop  ▼  │ done, refused, or nobody knows
//!                        acting
//! ```
//!
//! A machine of its own beside the director's: no edit of the table ever waits for it. It stops only
//! what it has started itself, in this life or an earlier one ([`Claim`]); another tool's daemon is
//! told and left alone.

use ha_status::Role;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// How often we look which daemons run.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What the kernel refused is tried again after so long, then after twice as long, and so on …
pub const RETRY_FIRST: Duration = Duration::from_secs(1);
/// … up to this.
pub const RETRY_MAX: Duration = Duration::from_secs(60);
/// The kernel gathers connections for two seconds and looks at them each second, and throws away what
/// it has gathered when the master is stopped: so long it goes on when the director stands by.
pub const LINGER: Duration = Duration::from_secs(3);
/// That somebody else stops our daemon is told at most so often.
pub const LOST_TOLD_EVERY: Duration = Duration::from_secs(60);

/// What the kernel takes where nothing is said.
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 81));
const PORT: u16 = 8848;
const TTL: u8 = 1;

/// Which end of the synchronisation; both may run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Sends.
    Master,
    /// Receives.
    Backup,
}

impl End {
    const ALL: [Self; 2] = [Self::Master, Self::Backup];

    /// The one of a director in this role.
    pub fn of(role: Role) -> Self {
        match role {
            Role::Active => Self::Master,
            Role::Standby => Self::Backup,
        }
    }
}

/// Where and how a daemon talks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Settings {
    pub interface: String,
    /// Tells clusters on one wire apart; a backup with 0 listens to all.
    pub sync_id: u8,
    /// Largest message, bytes; 0: as the interface's MTU allows.
    pub max_length: u16,
    /// `None`: 224.0.0.81.
    pub group: Option<IpAddr>,
    /// 0: 8848.
    pub port: u16,
    /// 0: 1.
    pub ttl: u8,
}

impl Settings {
    /// With what the kernel takes where nothing is said.
    pub fn new(interface: &str, sync_id: u8) -> Self {
        Self {
            interface: interface.to_owned(),
            sync_id,
            max_length: 0,
            group: None,
            port: 0,
            ttl: 0,
        }
    }

    /// Could this have been asked for, and the kernel has made `self` of it? The length is not
    /// compared: the kernel bends it to the interface and the end.
    pub fn comes_of(&self, asked: &Self) -> bool {
        let full = |one: &Self| {
            let port = if one.port == 0 { PORT } else { one.port };
            let ttl = if one.ttl == 0 { TTL } else { one.ttl };
            (one.group.unwrap_or(GROUP), port, ttl)
        };
        self.interface == asked.interface
            && self.sync_id == asked.sync_id
            && full(self) == full(asked)
    }
}

/// A daemon of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Daemon {
    pub end: End,
    pub settings: Settings,
}

/// A daemon that we have started, or are about to: what an earlier life says to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub asked: Settings,
    /// The interface's number then: under the same name there may be another one by now.
    pub index: u32,
}

/// A claim, and what the kernel has made of it, once we have seen that.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ours {
    claim: Claim,
    seen: Option<Settings>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Tick,
    /// The file's wish; `None`: connections are not synchronised.
    Configured(Option<Settings>),
    /// The kernel's table is what this role wants.
    Turned(Role),
    /// The answer to [`Output::Look`].
    Found {
        daemons: Vec<Daemon>,
        /// The number of the interface; `None` if there is none of that name.
        index: Option<u32>,
    },
    /// The same, if that failed.
    Unreadable(String),
    /// The answer to [`Output::Start`] and [`Output::Stop`].
    Did(Did),
    /// Stop what is ours.
    Shutdown,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Did {
    Done,
    Refused(String),
    /// No answer came: a look will show.
    Unknown(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// See which daemons run, and which number this interface has.
    Look {
        interface: Option<String>,
    },
    Start(Daemon),
    Stop(End),
    Notice(Notice),
    /// After [`Input::Shutdown`]: nothing of ours runs any more, or nobody can say.
    Exit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    Started(Daemon),
    Stopped(End),
    /// Somebody else has stopped it; it is started again.
    Lost(End),
    /// Connections are not synchronised as they should be. Said once for each trouble.
    Trouble(Trouble),
}

/// Why the daemon that should run does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    NoInterface(String),
    /// Another tool's daemon runs at this end.
    Stranger(Daemon),
    Refused {
        end: End,
        error: String,
    },
    Unreadable(String),
}

/// What is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown<'a> {
    pub settings: &'a Settings,
    pub end: End,
    /// It runs, whoever started it.
    pub runs: bool,
    pub trouble: Option<&'a Trouble>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Resting,
    Looking,
    Acting(End),
    Ended,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    pause: Duration,
    retry_at: Instant,
}

impl Refusal {
    fn after(before: Option<&Self>, now: Instant) -> Self {
        let pause = before.map_or(Duration::ZERO, |known| known.pause * 2);
        let pause = pause.clamp(RETRY_FIRST, RETRY_MAX);
        let retry_at = now + pause;
        Self { pause, retry_at }
    }
}

/// The synchronisation of one director. Drive it as the director itself.
#[derive(Debug)]
pub struct Sync {
    wanted: Option<Settings>,
    /// `None` before the first table.
    role: Option<Role>,
    stopping: bool,
    ours: BTreeMap<End, Ours>,
    step: Step,
    look_at: Instant,
    /// The master may go on until then.
    linger: Option<Instant>,
    refused: BTreeMap<End, Refusal>,
    unreadable: Option<Refusal>,
    trouble: Option<Trouble>,
    runs: bool,
    lost_told: Option<Instant>,
    outputs: VecDeque<Output>,
    revision: u64,
}

impl Sync {
    /// With what an earlier life has started.
    pub fn new(wanted: Option<Settings>, left: BTreeMap<End, Claim>, now: Instant) -> Self {
        let ours = left
            .into_iter()
            .map(|(end, claim)| (end, Ours { claim, seen: None }));
        Self {
            wanted,
            role: None,
            stopping: false,
            ours: ours.collect(),
            step: Step::Resting,
            look_at: now,
            linger: None,
            refused: BTreeMap::new(),
            unreadable: None,
            trouble: None,
            runs: false,
            lost_told: None,
            outputs: VecDeque::new(),
            revision: 0,
        }
    }

    /// The only way in. Never call it while `poll` still has output.
    pub fn handle(&mut self, input: Input, now: Instant) {
        match (self.step, input) {
            (Step::Ended, _) => return,
            (Step::Resting | Step::Looking | Step::Acting(_), Input::Tick) => {}
            (Step::Resting | Step::Looking | Step::Acting(_), Input::Configured(wanted)) => {
                if self.wanted != wanted {
                    self.wanted = wanted;
                    self.begin_anew(now);
                }
            }
            (Step::Resting | Step::Looking | Step::Acting(_), Input::Turned(role)) => {
                self.turned(role, now);
            }
            (Step::Resting | Step::Looking | Step::Acting(_), Input::Shutdown) => {
                self.stopping = true;
                self.hurry(now);
            }
            (Step::Looking, Input::Found { daemons, index }) => self.found(&daemons, index, now),
            (Step::Looking, Input::Unreadable(error)) => self.unreadable(error, now),
            (Step::Acting(end), Input::Did(did)) => self.did(end, did, now),
            // Answers to questions that nobody asked.
            (Step::Resting | Step::Acting(_), Input::Found { .. } | Input::Unreadable(_))
            | (Step::Resting | Step::Looking, Input::Did(_)) => {}
        }
        self.advance(now);
    }

    /// The next thing to do; drain to `None` after every `handle`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When `handle(Input::Tick, _)` is due at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let rests = self.step == Step::Resting && self.has_work();
        rests.then_some(self.look_at)
    }

    /// Grows whenever [`Sync::shown`] may have changed.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What is ours, for the next life.
    pub fn claims(&self) -> BTreeMap<End, Claim> {
        let ours = self.ours.iter();
        ours.map(|(end, ours)| (*end, ours.claim.clone())).collect()
    }

    /// `None` if connections are not to be synchronised.
    pub fn shown(&self) -> Option<Shown<'_>> {
        Some(Shown {
            settings: self.wanted.as_ref()?,
            end: End::of(self.role?),
            runs: self.runs,
            trouble: self.trouble.as_ref(),
        })
    }

    /// Before the first table nobody knows which end is wanted: what runs goes on.
    fn has_work(&self) -> bool {
        let follows = self.role.is_some() && (self.wanted.is_some() || !self.ours.is_empty());
        self.stopping || follows
    }

    /// Something is new: it is looked at now, and whatever was refused is tried again.
    fn hurry(&mut self, now: Instant) {
        self.look_at = now;
        self.refused.clear();
        self.unreadable = None;
        self.revision += 1;
    }

    fn turned(&mut self, role: Role, now: Instant) {
        if self.role == Some(role) {
            return;
        }
        let was_active = self.role == Some(Role::Active);
        self.role = Some(role);
        self.linger = (was_active && self.ours.contains_key(&End::Master)).then_some(now + LINGER);
        self.begin_anew(now);
    }

    /// What was told is history.
    fn begin_anew(&mut self, now: Instant) {
        self.runs = false;
        self.trouble = None;
        self.lost_told = None;
        self.hurry(now);
    }

    fn advance(&mut self, now: Instant) {
        if self.step == Step::Resting && self.stopping && self.ours.is_empty() {
            self.step = Step::Ended;
            self.outputs.push_back(Output::Exit);
        }
        if self.step == Step::Resting && self.has_work() && self.look_at <= now {
            self.step = Step::Looking;
            let interface = self.wanted.as_ref().map(|wanted| wanted.interface.clone());
            // Of no use to what is only to be stopped.
            let interface = interface.filter(|_| !self.stopping);
            self.outputs.push_back(Output::Look { interface });
        }
    }

    fn found(&mut self, daemons: &[Daemon], index: Option<u32>, now: Instant) {
        self.step = Step::Resting;
        self.look_at = now + LOOK_EVERY;
        self.unreadable = None;
        let lost = End::ALL.map(|end| self.recognise(end, at(daemons, end), now));
        let mut trouble = None;
        for (end, lost) in End::ALL.into_iter().zip(lost) {
            match self.next(end, at(daemons, end), index, now) {
                Next::Nothing => {}
                Next::Trouble(found) => trouble = Some(found),
                Next::Act(order) => {
                    if lost && self.tells_loss(now) {
                        self.tell(Notice::Lost(end));
                    }
                    self.act(end, order);
                    break;
                }
            }
        }
        self.note(trouble, daemons);
    }

    /// Is the daemon at this end ours? Gives whether it was, and is gone.
    fn recognise(&mut self, end: End, row: Option<&Settings>, now: Instant) -> bool {
        let Some(ours) = self.ours.get_mut(&end) else {
            return false;
        };
        let known = match (&ours.seen, row) {
            (Some(seen), Some(row)) => seen == row,
            (None, Some(row)) => row.comes_of(&ours.claim.asked),
            (Some(_) | None, None) => false,
        };
        if let Some(row) = row.filter(|_| known) {
            ours.seen = Some(row.clone());
            return false;
        }
        let was_there = ours.seen.is_some();
        self.ours.remove(&end);
        if end == End::Master && self.linger.is_some_and(|until| now < until) {
            self.linger = None;
        }
        was_there && row.is_none()
    }

    /// What is to be done at this end.
    fn next(&self, end: End, row: Option<&Settings>, index: Option<u32>, now: Instant) -> Next {
        let wanted = self.wanted_at(end);
        let held = self.refused.get(&end).is_some_and(|one| now < one.retry_at);
        if let Some(ours) = self.ours.get(&end) {
            let as_wanted = wanted == Some(&ours.claim.asked);
            let stays = as_wanted && index == Some(ours.claim.index);
            let lingers = end == End::Master
                && self.linger.is_some_and(|until| now < until)
                && self.wanted.as_ref() == Some(&ours.claim.asked)
                && !self.stopping;
            return match (stays || lingers, held) {
                (true, _) => Next::Nothing,
                (false, true) => self.kept_trouble(),
                (false, false) => Next::Act(Order::Stop),
            };
        }
        let Some(wanted) = wanted else {
            return Next::Nothing;
        };
        match (row, index) {
            (Some(row), _) if row.comes_of(wanted) => Next::Nothing,
            (Some(row), _) => Next::Trouble(Trouble::Stranger(Daemon {
                end,
                settings: row.clone(),
            })),
            (None, None) => Next::Trouble(Trouble::NoInterface(wanted.interface.clone())),
            (None, Some(_)) if held => self.kept_trouble(),
            (None, Some(index)) => Next::Act(Order::Start(Claim {
                asked: wanted.clone(),
                index,
            })),
        }
    }

    fn wanted_at(&self, end: End) -> Option<&Settings> {
        let here = self.role.map(End::of) == Some(end) && !self.stopping;
        self.wanted.as_ref().filter(|_| here)
    }

    /// It is as it was until something is tried again.
    fn kept_trouble(&self) -> Next {
        self.trouble.clone().map_or(Next::Nothing, Next::Trouble)
    }

    fn act(&mut self, end: End, order: Order) {
        self.step = Step::Acting(end);
        match order {
            Order::Stop => self.outputs.push_back(Output::Stop(end)),
            Order::Start(claim) => {
                let settings = claim.asked.clone();
                // Ours from now on, whatever becomes of us before the answer.
                self.ours.insert(end, Ours { claim, seen: None });
                let daemon = Daemon { end, settings };
                self.outputs.push_back(Output::Start(daemon));
            }
        }
    }

    fn did(&mut self, end: End, did: Did, now: Instant) {
        self.step = Step::Resting;
        // What it has come to is seen at once.
        self.look_at = now;
        let started = self.ours.get(&end).filter(|ours| ours.seen.is_none());
        let started = started.map(|ours| ours.claim.asked.clone());
        match (did, started) {
            (Did::Done, Some(settings)) => {
                self.refused.remove(&end);
                if !self.is_quiet(now) {
                    self.tell(Notice::Started(Daemon { end, settings }));
                }
            }
            (Did::Done, None) => {
                self.refused.remove(&end);
                self.ours.remove(&end);
                self.tell(Notice::Stopped(end));
            }
            (Did::Refused(error), started) => {
                if started.is_some() {
                    self.ours.remove(&end);
                }
                self.hold(end, error, now);
                if self.stopping {
                    // There is no later in which it could be tried again.
                    self.ours.remove(&end);
                }
            }
            (Did::Unknown(error), _) => self.hold(end, error, now),
        }
    }

    fn hold(&mut self, end: End, error: String, now: Instant) {
        let refusal = Refusal::after(self.refused.get(&end), now);
        self.refused.insert(end, refusal);
        self.set_trouble(Some(Trouble::Refused { end, error }));
    }

    fn unreadable(&mut self, error: String, now: Instant) {
        self.step = Step::Resting;
        let refusal = Refusal::after(self.unreadable.as_ref(), now);
        self.look_at = refusal.retry_at;
        self.unreadable = Some(refusal);
        self.set_trouble(Some(Trouble::Unreadable(error)));
        if self.stopping {
            self.ours.clear();
        }
    }

    /// What a look has shown, for who looks on.
    fn note(&mut self, trouble: Option<Trouble>, daemons: &[Daemon]) {
        if let Some(end) = self.role.map(End::of) {
            let row = at(daemons, end);
            let wanted = self.wanted_at(end);
            let runs = row
                .zip(wanted)
                .is_some_and(|(row, wanted)| row.comes_of(wanted));
            self.revision += u64::from(runs != self.runs);
            self.runs = runs;
        }
        // Before an order is answered nobody knows whether the trouble is over.
        if trouble.is_some() || self.step == Step::Resting {
            self.set_trouble(trouble);
        }
    }

    fn set_trouble(&mut self, trouble: Option<Trouble>) {
        if self.trouble == trouble {
            return;
        }
        self.revision += 1;
        if let Some(trouble) = &trouble {
            self.tell(Notice::Trouble(trouble.clone()));
        }
        self.trouble = trouble;
    }

    fn tells_loss(&mut self, now: Instant) -> bool {
        let tells = !self.is_quiet(now);
        if tells {
            self.lost_told = Some(now);
        }
        tells
    }

    /// Somebody stops our daemon again and again.
    fn is_quiet(&self, now: Instant) -> bool {
        let recent = |told: Instant| now.saturating_duration_since(told) < LOST_TOLD_EVERY;
        self.lost_told.is_some_and(recent)
    }

    fn tell(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Notice(notice));
    }
}

fn at(daemons: &[Daemon], end: End) -> Option<&Settings> {
    let found = daemons.iter().find(|daemon| daemon.end == end);
    found.map(|daemon| &daemon.settings)
}

enum Next {
    Nothing,
    Trouble(Trouble),
    Act(Order),
}

enum Order {
    Start(Claim),
    Stop,
}
