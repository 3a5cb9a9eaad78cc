//! Who is told what by mail, and how often (specification 3.13).
//!
//! ```text
//!   notices ──► is it mailed? to whom? ──► one post per audience ──► mails
//!
//!             alert             due                   delivered
//!   Resting ────────► Gathering ────► Sending ──────────────────────► Resting, Gathering
//!                                      ▲   │ failed
//!                                  due │   ▼
//!                                      Waiting ── tried often enough ──► given up
//! ```
//!
//! What happens at the same time goes out in one mail; a mail server that does not answer costs
//! nothing but a told loss. A server that is down is told again by `emailalertfreq`; a fallback, and
//! what a start or a reload does, never is.

mod post;

use crate::output::Notice;
use crate::table::{DestinationKey, ServiceKey};
use ha_status::Role;
use post::{Due, Post};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

pub use post::{ALERTS_MAX, GATHER, PAUSE, RETRY_AFTER};

/// A service whose real servers cannot all be asked counts as started after this time.
pub const START_MAX: Duration = Duration::from_secs(60);

/// What the old daemon calls its state, in mails and in `emailalertstatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Starting,
    Running,
    Stopping,
    Reloading,
}

/// Who gets a mail: the addresses as the file has them, and the server that takes it; `None` for the
/// mailer of this machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Audience {
    pub to: String,
    pub relay: Option<String>,
}

/// What a virtual service's file says about mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub audience: Audience,
    /// `emailalertfreq`; zero for once.
    pub repeat: Duration,
    /// `emailalertstatus`.
    pub phases: BTreeSet<Phase>,
    /// Real servers by their place in the table, with the address that the file has.
    pub reals: BTreeMap<DestinationKey, DestinationKey>,
}

/// Only services that somebody is to be told of.
pub type Rules = BTreeMap<ServiceKey, Rule>;

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    pub service: ServiceKey,
    pub phase: Phase,
    pub fact: Fact,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The table changed.
    Changed(Notice),
    /// This real server is still down, or was from the start.
    Inaccessible(DestinationKey),
}

/// One mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub audience: Audience,
    /// At least one, at most [`ALERTS_MAX`].
    pub alerts: Vec<Alert>,
    /// So many more happened.
    pub more: usize,
}

#[derive(Debug, Clone)]
pub enum Event {
    Tick,
    /// A new configuration.
    Rules(Rules),
    Notice(Notice),
    Maintenance {
        service: ServiceKey,
        real: DestinationKey,
    },
    /// The director turns to this role; [`Notice::Turned`] says when it has.
    Turn(Role),
    /// Every real server of it has been asked, and the table shows what came of it.
    Settled(ServiceKey),
    /// What came of a mail.
    Delivered {
        audience: Audience,
        arrived: bool,
    },
    /// The director ends, and the table is clean: what there is is sent now or never.
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// It will be mailed.
    Told(Alert),
    /// Answer: [`Event::Delivered`]. One at a time for each audience.
    Send(Mail),
    /// So many alerts will never arrive.
    Lost { audience: Audience, alerts: usize },
}

/// Feed it with [`Alerts::handle`], drain [`Alerts::poll`] to `None`, then wait for the next event or
/// [`Alerts::deadline`].
#[derive(Debug, Default)]
pub struct Alerts {
    rules: Rules,
    /// What each service is at; without an entry it is running.
    phases: BTreeMap<ServiceKey, Phase>,
    /// When the last of them counts as running.
    settled_by: Option<Instant>,
    /// Real servers that are down, and when that is told again.
    down: BTreeMap<(ServiceKey, DestinationKey), Option<Instant>>,
    /// No reminder is due sooner.
    remind_at: Option<Instant>,
    /// Found down by the first check of a start, and no change of the table has said so.
    untold: BTreeSet<(ServiceKey, DestinationKey)>,
    posts: BTreeMap<Audience, Post>,
    begun: bool,
    /// On standby: the active director tells.
    quiet: bool,
    outputs: VecDeque<Output>,
}

impl Alerts {
    /// The only way in.
    pub fn handle(&mut self, event: Event, now: Instant) {
        match event {
            Event::Tick => {}
            Event::Rules(rules) => self.rule(rules, now),
            Event::Notice(notice) => self.notice(notice, now),
            Event::Maintenance { service, real } => {
                self.down.remove(&(service, real));
                self.untold.remove(&(service, real));
            }
            Event::Turn(role) => self.turn(role, now),
            Event::Settled(service) => self.settled(service, now),
            Event::Delivered { audience, arrived } => self.delivered(audience, arrived, now),
            Event::End => {
                for post in self.posts.values_mut() {
                    post.end(now);
                }
            }
        }
        self.remind(now);
        self.send(now);
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Event::Tick`] is due at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let posts = self.posts.values().filter_map(Post::deadline);
        posts.chain(self.remind_at).chain(self.settled_by).min()
    }

    /// Services of which [`Event::Settled`] is awaited.
    pub fn unsettled(&self) -> impl Iterator<Item = ServiceKey> {
        let young = |phase: &Phase| matches!(phase, Phase::Starting | Phase::Reloading);
        let rows = self.phases.iter().filter(move |(_, phase)| young(phase));
        rows.map(|(service, _)| *service)
    }

    /// Nothing is under way or waits to be sent.
    pub fn is_at_rest(&self) -> bool {
        self.posts.values().all(Post::is_at_rest)
    }

    fn rule(&mut self, rules: Rules, now: Instant) {
        let phase = match (self.quiet, self.begun) {
            (true, _) => Phase::Stopping,
            (false, true) => Phase::Reloading,
            (false, false) => Phase::Starting,
        };
        self.begun = true;
        self.phases = rules.keys().map(|service| (*service, phase)).collect();
        self.settled_by = (!rules.is_empty()).then(|| now + START_MAX);
        let known = |(service, real): &(ServiceKey, DestinationKey)| {
            let rule: Option<&Rule> = rules.get(service);
            rule.is_some_and(|rule| rule.reals.values().any(|one| one == real))
        };
        self.down.retain(|place, _| known(place));
        self.untold.retain(known);
        for ((service, _), again) in &mut self.down {
            let repeat = rules.get(service).map(|rule| rule.repeat);
            *again = repeat.and_then(|repeat| after(now, repeat)).map(|new| {
                // What is due sooner by the old rule stays so.
                again.map_or(new, |old| old.min(new))
            });
        }
        self.remind_at = self.down.values().flatten().min().copied();
        self.posts.retain(|audience, post| {
            !post.is_at_rest() || rules.values().any(|rule| rule.audience == *audience)
        });
        self.rules = rules;
    }

    /// A director that becomes active tells what a starting one does; one that stands by ends.
    fn turn(&mut self, role: Role, now: Instant) {
        let phase = match role {
            Role::Active => Phase::Starting,
            Role::Standby => Phase::Stopping,
        };
        self.phases = self.rules.keys().map(|service| (*service, phase)).collect();
        self.settled_by = None;
        self.untold.clear();
        self.quiet = false;
        self.remind_at = None;
        for ((service, real), again) in &mut self.down {
            *again = None;
            if role == Role::Active {
                let repeat = self.rules.get(service).map(|rule| rule.repeat);
                *again = repeat.and_then(|repeat| after(now, repeat));
                self.untold.insert((*service, *real));
            }
        }
        if role == Role::Active {
            self.settled_by = Some(now + START_MAX);
            self.remind_at = self.down.values().flatten().min().copied();
        }
    }

    fn notice(&mut self, notice: Notice, now: Instant) {
        match &notice {
            Notice::RealAdded { service, real, .. }
            | Notice::RealReadded { service, real }
            | Notice::RealRestored { service, real, .. }
            | Notice::RealQuiesced { service, real }
            | Notice::RealDeleted { service, real }
            | Notice::RealPurged { service, real, .. } => {
                let (service, real) = (*service, *real);
                self.told_by_table(service, real);
                self.alert(service, Fact::Changed(notice), now);
            }
            Notice::FallbackAdded { service, .. }
            | Notice::FallbackDeleted { service, .. }
            | Notice::CertificateEnds { service, .. } => {
                let service = *service;
                self.alert(service, Fact::Changed(notice), now);
            }
            Notice::Panic { service, .. }
            | Notice::PanicOver { service, .. }
            | Notice::SecondOpinion { service, .. }
            | Notice::SecondOpinionOver { service, .. } => {
                let service = *service;
                self.alert(service, Fact::Changed(notice), now);
            }
            Notice::Down { service, real, .. } => self.went_down(*service, *real, now),
            Notice::Up { service, real, .. } => self.came_back((*service, *real)),
            Notice::AgentAsks {
                service,
                real,
                down,
                ..
            } => self.agent_asks((*service, *real), *down, now),
            Notice::Turned(role) => self.quiet = *role == Role::Standby,
            Notice::ShutdownStarted => {
                let services = self.rules.keys();
                self.phases = services.map(|key| (*key, Phase::Stopping)).collect();
                self.settled_by = None;
                self.down.clear();
                self.untold.clear();
            }
            Notice::ServiceAdded(_)
            | Notice::ServiceChanged(_)
            | Notice::ServicePurged { .. }
            | Notice::LeavesLater { .. }
            | Notice::SoftFailure { .. }
            | Notice::SoftFailureReset { .. }
            | Notice::Rising { .. }
            | Notice::OpinionShared { .. }
            | Notice::NoOpinion { .. }
            | Notice::RealWeighted { .. }
            | Notice::AgentSilent { .. }
            | Notice::AgentAnswers { .. }
            | Notice::Enforced { .. }
            | Notice::CouldNotAsk { .. }
            | Notice::AskedAgain
            | Notice::OverrideEnded { .. }
            | Notice::NobodyServes(_)
            | Notice::ServedAgain(_)
            | Notice::EditFailed { .. }
            | Notice::MoreEditsFailed(_)
            | Notice::TableUnreadable(_)
            | Notice::Drift(_)
            | Notice::Started
            | Notice::Prepared { .. }
            | Notice::HeldBack
            | Notice::Reloaded => {}
        }
    }

    /// The table says what became of a server: nothing else need.
    fn told_by_table(&mut self, service: ServiceKey, real: DestinationKey) {
        let rule = self.rules.get(&service);
        if let Some(configured) = rule.and_then(|rule| rule.reals.get(&real)) {
            self.untold.remove(&(service, *configured));
        }
    }

    fn agent_asks(&mut self, place: (ServiceKey, DestinationKey), down: bool, now: Instant) {
        if down {
            self.went_down(place.0, place.1, now);
        } else {
            self.came_back(place);
        }
    }

    fn came_back(&mut self, place: (ServiceKey, DestinationKey)) {
        self.down.remove(&place);
        self.untold.remove(&place);
    }

    fn went_down(&mut self, service: ServiceKey, real: DestinationKey, now: Instant) {
        let Some(rule) = self.rules.get(&service) else {
            return;
        };
        let phase = self.phase(service);
        let again = after(now, rule.repeat).filter(|_| phase != Phase::Stopping);
        self.down.insert((service, real), again);
        self.remind_at = self.remind_at.into_iter().chain(again).min();
        if matches!(phase, Phase::Starting | Phase::Reloading) {
            self.untold.insert((service, real));
        }
    }

    fn settled(&mut self, service: ServiceKey, now: Instant) {
        let place = |real| (service, real);
        let mine: Vec<_> = self
            .rules
            .get(&service)
            .into_iter()
            .flat_map(|rule| rule.reals.values().copied().map(place))
            .filter(|place| self.untold.contains(place))
            .collect();
        for (service, real) in mine {
            self.untold.remove(&(service, real));
            self.alert(service, Fact::Inaccessible(real), now);
        }
        if self.phase(service) != Phase::Stopping {
            self.phases.remove(&service);
        }
        if self.phases.is_empty() {
            self.settled_by = None;
        }
    }

    /// Tells again what is due, and settles who takes too long.
    fn remind(&mut self, now: Instant) {
        if self.settled_by.is_some_and(|by| by <= now) {
            self.settled_by = None;
            let late: Vec<ServiceKey> = self.unsettled().collect();
            for service in late {
                self.settled(service, now);
            }
        }
        if self.remind_at.is_none_or(|at| at > now) {
            return;
        }
        let due = |again: &Option<Instant>| again.is_some_and(|at| at <= now);
        let due: Vec<(ServiceKey, DestinationKey)> = self
            .down
            .iter()
            .filter(|(_, again)| due(again))
            .map(|(place, _)| *place)
            .collect();
        for (service, real) in due {
            let repeat = self.rules.get(&service).map(|rule| rule.repeat);
            let again = repeat.and_then(|repeat| after(now, repeat));
            self.down.insert((service, real), again);
            self.alert(service, Fact::Inaccessible(real), now);
        }
        self.remind_at = self.down.values().flatten().min().copied();
    }

    fn alert(&mut self, service: ServiceKey, fact: Fact, now: Instant) {
        let phase = self.phase(service);
        let Some(rule) = self.rules.get(&service) else {
            return;
        };
        if self.quiet || !rule.phases.contains(&phase) {
            return;
        }
        let alert = Alert {
            service,
            phase,
            fact,
        };
        let post = self.posts.entry(rule.audience.clone()).or_default();
        if post.take(alert.clone(), now) {
            self.outputs.push_back(Output::Told(alert));
        }
    }

    fn phase(&self, service: ServiceKey) -> Phase {
        let phase = self.phases.get(&service);
        phase.copied().unwrap_or(Phase::Running)
    }

    fn delivered(&mut self, audience: Audience, arrived: bool, now: Instant) {
        let Some(post) = self.posts.get_mut(&audience) else {
            return;
        };
        let alerts = post.delivered(arrived, now);
        if alerts > 0 {
            self.outputs.push_back(Output::Lost { audience, alerts });
        }
    }

    fn send(&mut self, now: Instant) {
        for (audience, post) in &mut self.posts {
            if let Some(Due { alerts, more }) = post.due(now) {
                self.outputs.push_back(Output::Send(Mail {
                    audience: audience.clone(),
                    alerts,
                    more,
                }));
            }
        }
    }
}

/// `None` for never.
fn after(now: Instant, repeat: Duration) -> Option<Instant> {
    (!repeat.is_zero())
        .then(|| now.checked_add(repeat))
        .flatten()
}

#[cfg(test)]
mod tests;
