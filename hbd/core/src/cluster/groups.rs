//! The resource groups of this node: learns what the others report of them, asks
//! [`crate::ownership::decide`] what to do, and carries the decision out.

mod claiming;
mod deciding;
mod learning;
mod lingering;
mod preparing;
mod relaying;
mod running;
mod standing;
mod timing;

use super::Cluster;
use crate::config::{Config, GroupConfig, GroupId};
use crate::holddown::Returns;
use crate::output::Notice;
use crate::ownership::{Blocker, Claim, Decision, Why};
use crate::roster::{NodeId, Roster};
use crate::table::Table;
use crate::takeover::{Event, Run, Runner};
use ha_status::Timing;
use lingering::Lingering;
use preparing::Preparation;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use timing::Course;

/// One resource group as this node sees it.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) preferred: Option<NodeId>,
    pub(super) stake: Stake,
    pub(super) runner: Runner,
    pub(super) reason: Reason,
    pub(super) waiting: Option<Waiting>,
    pub(super) homeless: bool,
    preparation: Preparation,
    lingering: Lingering,
    /// When the neighbours are to be told once more who has what runs here.
    announce_at: Option<Instant>,
    course: Option<Course>,
    /// How it came to run here; only while it does.
    pub(super) timing: Option<Timing>,
    /// Since when another node has been expected to take it.
    expecting: Option<Instant>,
    /// Nodes that were seen running it, or may have its addresses already, while this one runs it.
    rivals: BTreeSet<NodeId>,
    /// Since when an old peer has said that it runs what this node runs.
    pub(super) disputed: Option<Instant>,
    pub(super) returns: Returns,
    /// What the last decision was based on.
    pub(super) decided: Option<Basis>,
}

/// Who has a right to the group, and what is known of the others' part in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Stake {
    pub(super) claim: Claim,
    /// Nodes to which contact was lost while this one ran it, and that have not agreed since.
    apart: BTreeSet<NodeId>,
    /// This node was cut off or stood still since the others last agreed to its claim.
    shaken: bool,
    /// Nodes that have ended and could not stop it.
    left_behind: BTreeSet<NodeId>,
    /// Nodes of which an operator has vouched that nothing of it is active there.
    vouched: BTreeSet<NodeId>,
}

/// What is being waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Somebody keeps this node from starting it.
    Blocked(Blocker),
    /// The preferred node must have been there for longer.
    HoldDown(NodeId),
    /// Its new owner is making ready.
    Lingering(NodeId),
}

/// How the present claim came about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reason {
    /// `None` if another node wrote it.
    pub(super) why: Option<Why>,
    /// The owner before.
    pub(super) from: Option<NodeId>,
    /// What was known of that owner at that moment.
    pub(super) fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Fate {
    #[default]
    Alive,
    Died,
    Left,
    Leaving,
    Failed,
}

/// Compared for every group at every input: without the detour over trees that are nearly always
/// empty.
impl PartialEq for Stake {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            claim,
            apart,
            shaken,
            left_behind,
            vouched,
        } = self;
        let same = |one: &BTreeSet<NodeId>, other: &BTreeSet<NodeId>| {
            one.len() == other.len() && (one.is_empty() || one == other)
        };
        *claim == other.claim
            && *shaken == other.shaken
            && same(apart, &other.apart)
            && same(left_behind, &other.left_behind)
            && same(vouched, &other.vouched)
    }
}

/// What of a group alone its decision depends on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Basis {
    stake: Stake,
    now: Moment,
}

/// The part of it that changes with time or is worked out.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Moment {
    run: Run,
    forgiven: bool,
    rested: bool,
    overdue: bool,
    lingers: bool,
    shared: bool,
}

impl Group {
    pub(super) fn all(config: &Config, roster: &Roster) -> Table<GroupId, Self> {
        let group = |group: &GroupConfig| Self {
            preferred: roster.find(group.preferred.as_str()),
            stake: Stake::default(),
            runner: Runner::new(),
            reason: Reason::default(),
            waiting: None,
            homeless: false,
            preparation: Preparation::None,
            lingering: Lingering::None,
            announce_at: None,
            course: None,
            timing: None,
            expecting: None,
            rivals: BTreeSet::new(),
            disputed: None,
            returns: Returns::default(),
            decided: None,
        };
        let groups = config.groups.iter();
        groups.map(|(id, config)| (id, group(config))).collect()
    }
}

impl Cluster {
    /// When this node stops expecting another one to take the group.
    pub(super) fn patience_ends(&self, group: &Group) -> Option<Instant> {
        group.expecting?.checked_add(self.config.deadtime)
    }

    pub(super) fn overdue(&self, group: &Group, now: Instant) -> bool {
        self.patience_ends(group).is_some_and(|end| end <= now)
    }

    /// How long the preferred node must have been there to get the group back.
    pub(super) fn hold_down(&self, group: &Group, now: Instant) -> Duration {
        group.returns.wait(self.config.hold_down, now)
    }

    /// Has the preferred node been there for long enough? If that is this node: need nobody wait?
    pub(super) fn rested(&self, group: &Group, now: Instant) -> bool {
        let wait = self.hold_down(group, now);
        if wait.is_zero() {
            return true;
        }
        let peer = group.preferred.and_then(|node| self.membership.peer(node));
        peer.is_some_and(|peer| now.saturating_duration_since(peer.since) >= wait)
    }

    /// When a group that is held down has been for long enough.
    pub(super) fn rests_at(&self, group: &Group) -> Option<Instant> {
        let Some(Waiting::HoldDown(node)) = group.waiting else {
            return None;
        };
        let since = self.membership.peer(node)?.since;
        since.checked_add(self.hold_down(group, since))
    }

    fn carry_out(&mut self, id: GroupId, decision: Decision, now: Instant) {
        self.group_mut(id).waiting = waiting(decision);
        self.look_ahead(id, decision, now);
        self.look_back(id, decision, now);
        let homeless = decision == Decision::Homeless;
        let before = std::mem::replace(&mut self.group_mut(id).homeless, homeless);
        if homeless && !before {
            self.outbox.notice(Notice::GroupHomeless { group: id });
        }
        let expecting = matches!(decision, Decision::Expect(_)).then(|| {
            // Patience begins anew if this node cannot take it either.
            let group = self.group(id);
            let since = group.expecting.filter(|_| !self.overdue(group, now));
            since.unwrap_or(now)
        });
        self.group_mut(id).expecting = expecting;
        match decision {
            Decision::Nothing
            | Decision::Wait(_)
            | Decision::HoldDown(_)
            | Decision::Linger(_)
            | Decision::Expect(_)
            | Decision::Homeless => {}
            Decision::Start => self.run_event(id, Event::Start, now),
            Decision::Stop => self.run_event(id, Event::Stop, now),
            Decision::LetGo => self.let_go(id, now),
            Decision::Adopt(claim) => self.adopt(id, claim, now),
            Decision::Forgive => self.run_event(id, Event::Forgive, now),
            Decision::Claim(claim, why) => self.write_claim(id, claim, why, now),
        }
    }
}

fn waiting(decision: Decision) -> Option<Waiting> {
    match decision {
        Decision::Wait(blocker) => Some(Waiting::Blocked(blocker)),
        Decision::HoldDown(node) => Some(Waiting::HoldDown(node)),
        Decision::Linger(node) => Some(Waiting::Lingering(node)),
        Decision::Nothing
        | Decision::Start
        | Decision::Stop
        | Decision::LetGo
        | Decision::Forgive
        | Decision::Claim(..)
        | Decision::Adopt(_)
        | Decision::Expect(_)
        | Decision::Homeless => None,
    }
}
