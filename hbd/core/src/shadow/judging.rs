//! What would be decided in the pair's place at each event, and whether the pair has done the same.

use super::Shadow;
use super::event::{Difference, Event, Lead, Matter, Said, Untold, Verdict};
use super::holdings::Runs;
use super::question::{Kind, Question};
use super::tally::Judged;
use crate::config::{GroupId, NodeName};
use crate::roster::NodeId;
use ha_status::{HoldSet, NodeStatus, RunState};
use std::time::{Duration, Instant};

/// The old daemon looks at its clocks every 250 ms; after so long beyond two heartbeats it has had
/// its chance to miss a node.
const DEATH_PATIENCE: Duration = Duration::from_secs(2);
/// Scripts take their time: so long may pass until somebody says that it runs what has moved.
const MOVE_PATIENCE: Duration = Duration::from_secs(300);
/// The old daemon withdraws an offer that nobody has answered for so long.
const OFFER_PATIENCE: Duration = Duration::from_secs(10);
/// The old daemon lets go 2 s after the return of a node that was dead to it.
const HEAL_PATIENCE: Duration = Duration::from_secs(10);

/// What a node ran.
pub(super) struct Ran {
    groups: Vec<GroupId>,
    /// By its own word; otherwise what prefers it.
    known: bool,
}

impl Shadow {
    fn runs(&self) -> Runs<'_> {
        Runs {
            nodes: &self.nodes,
            holdings: &self.holdings,
            groups: &self.config.groups,
        }
    }

    /// Whether a node runs a group, as far as the wire tells.
    pub(super) fn run(&self, node: NodeId, group: GroupId) -> RunState {
        self.runs().of(node, self.roster.name(node), group)
    }

    pub(super) fn ran(&self, node: NodeId) -> Ran {
        let all = || self.config.groups.ids();
        let running = all().filter(|id| self.run(node, *id) == RunState::Running);
        let groups: Vec<GroupId> = running.collect();
        let untold = all().all(|id| self.run(node, id) == RunState::Unknown);
        if !untold {
            let known = true;
            return Ran { groups, known };
        }
        Ran {
            groups: self.preferring(node),
            known: false,
        }
    }

    fn preferring(&self, node: NodeId) -> Vec<GroupId> {
        let name = self.roster.name(node);
        let groups = self.config.groups.iter();
        groups
            .filter(|(_, group)| group.preferred == *name)
            .map(|(id, _)| id)
            .collect()
    }

    /// Nodes and links that have been silent for too long.
    pub(super) fn expire(&mut self, now: Instant) {
        for (node, silent) in self.nodes.overdue(self.not_before, now) {
            self.fell_silent(node, silent, now);
        }
        let nodes = &self.nodes;
        for (node, link) in self.links.expire(|node| nodes.dead_after(node), now) {
            let node = self.name(node);
            let up = false;
            self.tell(Event::Link { node, link, up });
        }
    }

    fn fell_silent(&mut self, node: NodeId, silent: Duration, now: Instant) {
        let ran = self.ran(node);
        let seen = self.nodes.get_mut(node);
        let never = seen.status == NodeStatus::Init;
        seen.become_status(NodeStatus::Dead, now);
        "dead".clone_into(&mut seen.word);
        seen.away = true;
        seen.report = None;
        seen.receiver.forget_missing();
        let silence = (silent, seen.heard_on);
        let name = self.name(node);
        if never {
            self.tell(Event::NeverHeard { node: name });
            return;
        }
        let seen = self.nodes.get_mut(node);
        seen.lateness.deaths = seen.lateness.deaths.saturating_add(1);
        self.tell(Event::Dead {
            node: name.clone(),
            silent,
        });
        match self.questions.death_of(&name) {
            Some(asked) => asked.ours = Some(now),
            None => self.would(Question {
                matter: Matter::Death { node: name },
                ours: Some(now),
                theirs: None,
                silence,
                until: now + DEATH_PATIENCE + self.config.keepalive * 2,
            }),
        }
        self.gone(node, ran, now);
    }

    /// A node takes another one for dead.
    pub(super) fn declared_dead(&mut self, by: NodeId, missed: NodeId, now: Instant) {
        let (status, heard) = {
            let seen = self.nodes.get(missed);
            (seen.status, (seen.heard, seen.heard_on))
        };
        let (node, missed_name) = (self.name(by), self.name(missed));
        if by == missed || status == NodeStatus::Left {
            return;
        }
        self.tell(Event::Misses {
            node,
            missed: missed_name.clone(),
        });
        match (self.questions.death_of(&missed_name), status) {
            (Some(asked), _) => {
                asked.theirs.get_or_insert(now);
            }
            (None, NodeStatus::Up | NodeStatus::Active) => {
                let ago = heard.0.map(|at| now.saturating_duration_since(at));
                self.questions.open(Question {
                    matter: Matter::Death { node: missed_name },
                    ours: None,
                    theirs: Some(now),
                    silence: (ago.unwrap_or_default(), heard.1),
                    until: now + self.nodes.dead_after(missed) + DEATH_PATIENCE,
                });
            }
            (None, NodeStatus::Init | NodeStatus::Left | NodeStatus::Dead | NodeStatus::Ping) => {}
        }
    }

    /// A node has gone, by its own word or without one: somebody takes what it ran.
    pub(super) fn gone(&mut self, node: NodeId, ran: Ran, now: Instant) {
        self.holdings.forget(node);
        let name = self.name(node);
        self.settle(now, |question| {
            question
                .matter
                .needs(&name)
                .then_some(Verdict::CannotTell(Untold::Overtaken))
        });
        let Some(to) = self.nodes.survivor(node) else {
            return;
        };
        if ran.groups.is_empty() {
            return;
        }
        let matter = Matter::Takeover {
            from: name,
            to: self.name(to),
            groups: ran.groups,
            known: ran.known,
        };
        self.decide(matter, MOVE_PATIENCE, now);
    }

    pub(super) fn restarted(&mut self, node: NodeId, alive: bool, now: Instant) {
        let ran = self.ran(node);
        let name = self.name(node);
        self.tell(Event::Restarted {
            node: name.clone(),
            alive,
        });
        self.holdings.forget(node);
        self.still_there(node, now);
        if alive && ran.known && !ran.groups.is_empty() {
            let groups = ran.groups;
            self.decide(Matter::Resume { node: name, groups }, MOVE_PATIENCE, now);
        }
    }

    pub(super) fn returned(&mut self, node: NodeId, now: Instant) {
        let name = self.name(node);
        self.tell(Event::Returned { node: name.clone() });
        self.still_there(node, now);
        self.decide(Matter::Heal { node: name }, HEAL_PATIENCE, now);
    }

    /// A heartbeat of a node that somebody takes for dead: one of us is wrong.
    pub(super) fn still_there(&mut self, node: NodeId, now: Instant) {
        let name = self.name(node);
        self.settle(now, |question| {
            let (silent, link) = question.silence;
            let difference = match (question.ours, question.theirs) {
                (Some(_), None) => Difference::TheyDidNot { silent },
                (None, _) => Difference::WeHeardIt { ago: silent, link },
                (Some(_), Some(_)) => return None,
            };
            (question.matter.kind() == Kind::Death(&name)).then_some(Verdict::Differs(difference))
        });
    }

    /// A node is active again after it was away: does it get back what prefers it?
    pub(super) fn came_back(&mut self, node: NodeId, now: Instant) {
        let wanted = self.preferring(node);
        let holder = self.roster.order().find(|other| {
            let mut wanted = wanted.iter();
            *other != node && wanted.any(|group| self.run(*other, *group) == RunState::Running)
        });
        let Some(holder) = holder else { return };
        let held = wanted.into_iter();
        let held = held.filter(|group| self.run(holder, *group) == RunState::Running);
        let groups: Vec<GroupId> = held.collect();
        let (home, by) = (self.name(node), self.name(holder));
        let matter = if self.config.failback.returns() {
            Matter::Failback {
                to: home,
                from: by,
                groups,
            }
        } else {
            Matter::Keep { home, by, groups }
        };
        self.decide(matter, MOVE_PATIENCE, now);
    }

    /// A node offers a set. In a failback that is how the pair gives the groups back.
    pub(super) fn offered(&mut self, node: NodeId, set: HoldSet, now: Instant) {
        self.said(node, Said::Offers(set));
        let name = self.name(node);
        let failback = self
            .questions
            .iter()
            .any(|question| match &question.matter {
                Matter::Failback { from, .. } => *from == name,
                Matter::Death { .. }
                | Matter::Takeover { .. }
                | Matter::Keep { .. }
                | Matter::Standby { .. }
                | Matter::Resume { .. }
                | Matter::Heal { .. } => false,
            });
        let taker = self.nodes.survivor(node).filter(|_| !failback);
        if let Some(to) = taker {
            let (from, to) = (name, self.name(to));
            self.decide(Matter::Standby { from, to, set }, OFFER_PATIENCE, now);
        }
    }

    pub(super) fn accepted(&mut self, node: NodeId, set: HoldSet, now: Instant) {
        self.said(node, Said::Accepts(set));
        let name = self.name(node);
        if let Some(offer) = self.offer_to(&name) {
            offer.until = now + MOVE_PATIENCE;
        }
    }

    pub(super) fn done(&mut self, node: NodeId, set: HoldSet, now: Instant) {
        self.said(node, Said::Done(set));
        let name = self.name(node);
        if let Some(offer) = self.offer_to(&name) {
            offer.theirs = Some(now);
        }
    }

    fn offer_to(&mut self, node: &NodeName) -> Option<&mut Question> {
        let mut questions = self.questions.iter_mut();
        questions.find(|question| match &question.matter {
            Matter::Standby { to, .. } => to == node,
            Matter::Death { .. }
            | Matter::Takeover { .. }
            | Matter::Failback { .. }
            | Matter::Keep { .. }
            | Matter::Resume { .. }
            | Matter::Heal { .. } => false,
        })
    }

    /// A node begins to let go of everything: after a partition that is what the old daemon does.
    pub(super) fn lets_go(&mut self, now: Instant) {
        self.settle(now, |question| match question.matter.kind() {
            Kind::Heal(_) => Some(Verdict::Differs(Difference::LetsGo)),
            Kind::Death(_)
            | Kind::Takeover(_)
            | Kind::Home(_)
            | Kind::Standby(_)
            | Kind::Resume(_) => None,
        });
    }

    fn decide(&mut self, matter: Matter, patience: Duration, now: Instant) {
        self.would(Question {
            matter,
            ours: Some(now),
            theirs: None,
            silence: (Duration::ZERO, None),
            until: now + patience,
        });
    }

    fn would(&mut self, question: Question) {
        self.tell(Event::Would(question.matter.clone()));
        self.questions.open(question);
    }

    /// Settles whatever can be settled by now.
    pub(super) fn judge(&mut self, now: Instant) {
        let questions: Vec<Question> = self.questions.iter().cloned().collect();
        for question in questions {
            if let Some(verdict) = self.verdict(&question, now) {
                let kind = question.matter.kind();
                self.settle(now, |other| {
                    (other.matter.kind() == kind).then_some(verdict)
                });
            }
        }
    }

    fn settle(&mut self, now: Instant, verdict: impl FnMut(&Question) -> Option<Verdict>) {
        for (question, verdict) in self.questions.settle(verdict) {
            let matter = question.matter;
            self.tally.add(Judged {
                matter: matter.clone(),
                verdict,
                at: now.saturating_duration_since(self.started),
            });
            self.tell(Event::Judged { matter, verdict });
        }
    }

    fn verdict(&self, question: &Question, now: Instant) -> Option<Verdict> {
        let over = question.until <= now;
        let since = now.saturating_duration_since(question.ours.unwrap_or(now));
        let done = Verdict::Same(Lead::Ours(since));
        let moved = |moved: bool, difference| {
            if moved {
                Some(done)
            } else {
                self.not_moved(over, difference)
            }
        };
        match &question.matter {
            Matter::Death { node } => self.verdict_of_death(question, node, over),
            Matter::Takeover { from, groups, .. } => {
                let taken = self
                    .roster
                    .order()
                    .any(|node| self.roster.name(node) != from && self.runs_all(node, groups));
                moved(taken, Difference::NotTaken)
            }
            Matter::Failback { to, groups, .. } => {
                moved(self.named_runs_all(to, groups), Difference::NotGivenBack)
            }
            Matter::Resume { node, groups } => {
                moved(self.named_runs_all(node, groups), Difference::NotTaken)
            }
            Matter::Keep { home, groups, .. } => self.verdict_of_keeping(home, groups, over, done),
            Matter::Standby { .. } if question.theirs.is_some() => Some(done),
            Matter::Standby { .. } => over.then_some(Verdict::Differs(Difference::NotAnswered)),
            Matter::Heal { .. } => over.then_some(Verdict::Same(Lead::Ours(Duration::ZERO))),
        }
    }

    fn verdict_of_death(
        &self,
        question: &Question,
        node: &NodeName,
        over: bool,
    ) -> Option<Verdict> {
        let (silent, link) = question.silence;
        match (question.ours, question.theirs) {
            (Some(ours), Some(theirs)) => {
                Some(Verdict::Same(match theirs.checked_duration_since(ours) {
                    Some(later) => Lead::Ours(later),
                    None => Lead::Theirs(ours.saturating_duration_since(theirs)),
                }))
            }
            (Some(_), None) => {
                let node = self.roster.find(node.as_str())?;
                if self.nodes.survivor(node).is_none() {
                    return Some(Verdict::CannotTell(Untold::NobodyLeft));
                }
                over.then_some(Verdict::Differs(Difference::TheyDidNot { silent }))
            }
            (None, _) => over.then_some(Verdict::Differs(Difference::WeHeardIt {
                ago: silent,
                link,
            })),
        }
    }

    /// When the time is over: that nothing has moved, if the pair has words for it.
    fn not_moved(&self, over: bool, difference: Difference) -> Option<Verdict> {
        let mut living = self.nodes.rows().filter(|(_, seen)| seen.lives());
        let has_words = living.any(|(id, _)| {
            let mut groups = self.config.groups.ids();
            groups.any(|group| self.run(id, group) != RunState::Unknown)
        });
        over.then_some(if has_words {
            Verdict::Differs(difference)
        } else {
            Verdict::CannotTell(Untold::NoWords)
        })
    }

    fn verdict_of_keeping(
        &self,
        home: &NodeName,
        groups: &[GroupId],
        over: bool,
        done: Verdict,
    ) -> Option<Verdict> {
        let home = self.roster.find(home.as_str())?;
        let mut groups = groups.iter();
        if groups.any(|group| self.run(home, *group) == RunState::Running) {
            return Some(Verdict::Differs(Difference::GivenBack));
        }
        // It has said that it is settled, without them.
        (over || self.holdings.is_settled(home)).then_some(done)
    }

    fn named_runs_all(&self, node: &NodeName, groups: &[GroupId]) -> bool {
        let node = self.roster.find(node.as_str());
        node.is_some_and(|node| self.runs_all(node, groups))
    }

    fn runs_all(&self, node: NodeId, groups: &[GroupId]) -> bool {
        let mut groups = groups.iter();
        groups.all(|group| self.run(node, *group) == RunState::Running)
    }
}

impl Matter {
    /// Is nothing of it left to decide when this node goes?
    fn needs(&self, node: &NodeName) -> bool {
        match self {
            Self::Death { .. } => false,
            Self::Takeover { to, .. } => to == node,
            Self::Failback { to, from, .. } | Self::Standby { from, to, .. } => {
                to == node || from == node
            }
            Self::Keep { home, by, .. } => home == node || by == node,
            Self::Resume { node: one, .. } | Self::Heal { node: one } => one == node,
        }
    }
}
