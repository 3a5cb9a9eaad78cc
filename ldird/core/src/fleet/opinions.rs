//! Second opinions of services: who is about to lose its last real server, what others say of that, and
//! what is told and asked because of it. What follows from an answer decides `opinion`.

use super::Fleet;
use crate::opinion::{Answer, Event, Opinion, OpinionEnd, QuestionId, Silence, Step, answer};
use crate::output::{Notice, Output};
use crate::overrides::Place;
use crate::table::{DestinationKey, ServiceKey};
use crate::watched::Virtual;
use ha_status::{Found, Role};
use std::time::Instant;

#[derive(Debug, Default)]
pub(crate) struct Opinions {
    asks: Vec<Output>,
    told: Vec<Notice>,
    /// The last question.
    last: u64,
    /// That there is no opinion has been told, and why; none has been had since.
    silent: Option<Silence>,
}

impl Opinions {
    /// Who is to be asked.
    pub(crate) fn take_asks(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.asks)
    }

    pub(crate) fn take_told(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.told)
    }

    fn next(&self) -> QuestionId {
        QuestionId(self.last + 1)
    }

    fn ask(&mut self, question: QuestionId, service: &Virtual) {
        self.last = question.0;
        self.asks.push(Output::AskOpinion {
            service: service.config.key,
            question,
            digest: service.digest,
        });
    }

    fn miss(&mut self, service: ServiceKey, why: Silence) {
        let first = self.silent.as_ref() != Some(&why);
        self.silent = Some(why.clone());
        self.told.push(Notice::NoOpinion {
            service,
            why,
            first,
        });
    }
}

/// The end of a hold with a reload, if there is one: nothing of it is taken over.
pub(super) fn reloaded(old: &Virtual) -> Option<Notice> {
    let opinion = old.opinion.as_ref()?;
    opinion.held()?;
    Some(over(old, opinion.real, OpinionEnd::Reloaded))
}

fn over(service: &Virtual, real: DestinationKey, why: OpinionEnd) -> Notice {
    Notice::SecondOpinionOver {
        service: service.config.key,
        real: configured(service, real),
        why,
    }
}

/// As the file has it.
fn configured(service: &Virtual, real: DestinationKey) -> DestinationKey {
    let row = service.reals.get(&real);
    row.map_or(real, |row| row.config.configured)
}

impl Fleet {
    /// A check has just taken out this real server, which carried traffic. If nobody is left, and the
    /// file says so, it stays until others have been asked.
    pub(super) fn doubt_last(&mut self, key: ServiceKey, real: DestinationKey, now: Instant) {
        if self.role == Role::Standby {
            return;
        }
        let question = self.opinions.next();
        let Some(service) = self.services.get_mut(&key) else {
            return;
        };
        let wanted = service.config.options.opinion.is_some() && service.opinion.is_none();
        if !wanted || service.is_served() {
            return;
        }
        if let Some(row) = service.reals.get_mut(&real) {
            row.kept = true;
        }
        service.opinion = Some(Opinion::new(real, question, now));
        self.opinions.ask(question, service);
        self.time = [self.time, service.due()].into_iter().flatten().min();
        self.revision += 1;
    }

    /// Others have answered, or cannot.
    pub(crate) fn opinion_heard(
        &mut self,
        key: ServiceKey,
        question: QuestionId,
        views: Result<Vec<(String, Found)>, Silence>,
        now: Instant,
    ) {
        let Some(service) = self.services.get(&key) else {
            return;
        };
        let reals: Vec<DestinationKey> = service.reals.keys().copied().collect();
        let answer: Answer = answer(views, &reals);
        self.opinion_event(key, Event::Answered(question, answer), now);
    }

    /// What has changed may end what is held.
    pub(super) fn settle_opinions(&mut self, now: Instant) {
        let ends = self.changed.iter().filter_map(|key| {
            let service = self.services.get(key)?;
            Some((*key, service.opinion_ends()?))
        });
        for (key, why) in ends.collect::<Vec<_>>() {
            self.opinion_event(key, Event::Ended(why), now);
        }
    }

    /// An operator, or a file of the maintenance directory, has said something of this real server.
    pub(super) fn overrule_opinion(&mut self, (key, real): Place, now: Instant) {
        let Some(service) = self.services.get(&key) else {
            return;
        };
        let kept = service.opinion.as_ref().map(|opinion| opinion.real);
        if kept.is_some_and(|kept| configured(service, kept) == real) {
            self.opinion_event(key, Event::Ended(OpinionEnd::Overruled), now);
        }
    }

    /// The role turns.
    pub(super) fn end_opinions(&mut self, now: Instant) {
        for key in self.order.clone() {
            self.opinion_event(key, Event::Ended(OpinionEnd::Standby), now);
        }
    }

    pub(super) fn opinion_event(&mut self, key: ServiceKey, event: Event, now: Instant) {
        let next = self.opinions.next();
        let Some(service) = self.services.get(&key) else {
            return;
        };
        let interval = self.interval(service);
        let Some(service) = self.services.get_mut(&key) else {
            return;
        };
        let rules = service.config.options.opinion;
        let Some((opinion, rules)) = service.opinion.as_mut().zip(rules) else {
            return;
        };
        let real = opinion.real;
        let answered = matches!(event, Event::Answered(..));
        match opinion.on(event, (rules, interval), next, now) {
            Step::Nothing => {
                // What others find up may be somebody else.
                self.revision += u64::from(answered);
            }
            Step::Ask(question) => self.opinions.ask(question, service),
            Step::Hold => {
                let held = opinion.held().cloned();
                let configured = |key: DestinationKey| configured(service, key);
                let notice = held.map(|held| Notice::SecondOpinion {
                    service: key,
                    real: configured(real),
                    node: held.node,
                    up: held.up.into_iter().map(configured).collect(),
                    longest: rules.longest,
                });
                self.opinions.silent = None;
                self.opinions.told.extend(notice);
                self.revision += 1;
            }
            Step::Share { node } => {
                self.opinions.silent = None;
                let service = key;
                self.opinions
                    .told
                    .push(Notice::OpinionShared { service, node });
                self.let_go(key);
            }
            Step::Miss(why) => {
                self.opinions.miss(key, why);
                self.let_go(key);
            }
            Step::End(why) => {
                let notice = over(service, real, why);
                self.opinions.told.push(notice);
                self.let_go(key);
            }
            Step::Drop => self.let_go(key),
        }
        let due = self.services.get(&key).and_then(Virtual::due);
        self.time = [self.time, due].into_iter().flatten().min();
    }

    fn let_go(&mut self, key: ServiceKey) {
        if let Some(service) = self.services.get_mut(&key) {
            service.let_go();
            self.changed.insert(key);
            self.revision += 1;
        }
    }

    /// What our own checks find, for another director.
    pub(crate) fn find(&self, services: &[u64], now: Instant) -> Vec<Found> {
        let find = |digest: &u64| {
            let mut all = self.services.values();
            let service = all.find(|service| service.digest == *digest);
            service.map_or(Found::Unknown, |service| {
                let within = self.interval(service) + service.config.timeout;
                service.found(within, now)
            })
        };
        services.iter().map(find).collect()
    }
}
