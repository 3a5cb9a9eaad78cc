//! The resource groups of this node: learns what the others report of them, asks
//! [`crate::ownership::decide`] what to do, and carries the decision out.

use super::Cluster;
use crate::config::{Config, GroupId};
use crate::extension::{GroupReport, Report};
use crate::input::Failure;
use crate::output::{Notice, Output, YieldReason};
use crate::ownership::{
    Blocker, Claim, Decision, Presence, Situation, Standing, Why, better_claim, decide,
};
use crate::roster::{NodeId, Roster};
use crate::takeover::{Event, Request, Retries, Run, Runner};
use ha_status::{NodeStatus, RunState};
use std::collections::BTreeSet;
use std::time::Instant;

/// A decision leads to the next one at most so often in one go: claim, forgive, start or stop.
const MAX_ROUNDS: usize = 6;

/// One resource group as this node sees it.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) preferred: Option<NodeId>,
    pub(super) claim: Claim,
    pub(super) runner: Runner,
    pub(super) reason: Reason,
    /// Who keeps this node from starting it.
    pub(super) waiting: Option<Blocker>,
    pub(super) homeless: bool,
    /// Since when another node has been expected to take it.
    expecting: Option<Instant>,
    /// Nodes that were seen running it while this one does, and keeps it.
    rivals: BTreeSet<NodeId>,
    /// To be decided about again.
    pub(super) dirty: bool,
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

impl Group {
    pub(super) fn all(config: &Config, roster: &Roster) -> Vec<Self> {
        let groups = config.groups.iter().map(|group| Self {
            preferred: roster.find(group.preferred.as_str()),
            claim: Claim::default(),
            runner: Runner::new(),
            reason: Reason::default(),
            waiting: None,
            homeless: false,
            expecting: None,
            rivals: BTreeSet::new(),
            dirty: true,
        });
        groups.collect()
    }
}

impl Cluster {
    /// Takes in a new report of a node; `before` is the one it replaces.
    pub(super) fn learn(&mut self, node: NodeId, before: Option<&Report>, now: Instant) {
        let report = self.membership.peer(node).and_then(|p| p.report.as_ref());
        let Some(report) = report else { return };
        let same_footing = before
            .is_some_and(|before| before.heard == report.heard && before.leaving == report.leaving);
        let told = |id: &GroupId| report.groups[usize::from(id.0)];
        let news: Vec<(GroupId, Option<GroupReport>)> = self
            .group_ids()
            .map(|id| (id, told(&id)))
            .filter(|(id, now)| before.is_none_or(|old| old.groups[usize::from(id.0)] != *now))
            .collect();
        if !same_footing {
            self.touch_all();
        }
        for (id, told) in news {
            self.group_mut(id).dirty = true;
            if let Some(GroupReport { run, claim }) = told {
                self.adopt(id, claim.unwrap_or_default(), now);
                self.watch_rival(id, node, run);
            }
        }
    }

    /// Keeps the better of our claim and one we heard of.
    fn adopt(&mut self, id: GroupId, heard: Claim, now: Instant) {
        let old = self.group(id).claim;
        if better_claim(old, heard) == old {
            return;
        }
        let me = Some(self.roster.local());
        let run = self.group(id).runner.run();
        self.set_claim(id, heard, None, now);
        if old.owner == heard.owner {
            return;
        }
        if heard.owner == me {
            self.notice_takeover(id, old.owner);
            return;
        }
        let Some(owner) = heard.owner.filter(|_| old.owner == me) else {
            return;
        };
        let to = self.roster.name(owner).clone();
        let group = id;
        let runs_there = matches!(
            self.standing(owner, id).run,
            RunState::Running | RunState::Starting
        );
        if run == Run::Failed {
            let reason = YieldReason::StartFailed;
            self.notice(Notice::GroupYield { group, to, reason });
        } else if run.held() && runs_there {
            self.notice(Notice::GroupConflictLost { group, to });
        } else if self.shutdown.is_none() {
            let reason = YieldReason::Takeover;
            self.notice(Notice::GroupYield { group, to, reason });
        }
    }

    /// This node runs a group and keeps it: does another one run it too, or has it stopped?
    fn watch_rival(&mut self, id: GroupId, node: NodeId, run: RunState) {
        let me = self.roster.local();
        let group = self.group_mut(id);
        let ours = group.claim.owner == Some(me) && group.runner.run() == Run::Running;
        let announce = match run {
            RunState::Running | RunState::Starting => {
                let rival = ours && group.rivals.insert(node);
                if rival {
                    let against = self.roster.name(node).clone();
                    let group = id;
                    self.notice(Notice::GroupConflictWon { group, against });
                }
                rival
            }
            // It may have answered for the address until this moment.
            RunState::Stopped | RunState::Failed => group.rivals.remove(&node) && ours,
            RunState::Unknown | RunState::Stopping | RunState::Stuck => false,
        };
        if announce {
            self.queue.push_back(Output::Announce(id));
        }
    }

    /// After a partition the neighbours may have learnt the other node's address.
    pub(super) fn announce_running(&mut self) {
        for id in self.group_ids() {
            if self.group(id).runner.run() == Run::Running {
                self.queue.push_back(Output::Announce(id));
            }
        }
    }

    /// Decides about every group that may be affected by what happened, until nothing changes.
    pub(super) fn evaluate(&mut self, now: Instant) {
        for _ in 0..MAX_ROUNDS {
            let dirty: Vec<GroupId> = self
                .group_ids()
                .filter(|id| self.group(*id).dirty)
                .collect();
            if dirty.is_empty() {
                return;
            }
            for id in dirty {
                self.group_mut(id).dirty = false;
                let overdue = self.overdue(id, now);
                let barred = self.bar(now);
                let decision = self.with_situation(id, |s| {
                    let s = Situation {
                        barred,
                        overdue,
                        ..*s
                    };
                    decide(&s)
                });
                self.carry_out(id, decision, now);
            }
        }
    }

    /// When this node stops expecting another one to take the group.
    pub(super) fn patience_ends(&self, id: GroupId) -> Option<Instant> {
        self.group(id).expecting?.checked_add(self.config.deadtime)
    }

    pub(super) fn overdue(&self, id: GroupId, now: Instant) -> bool {
        self.patience_ends(id).is_some_and(|end| end <= now)
    }

    fn carry_out(&mut self, id: GroupId, decision: Decision, now: Instant) {
        let waiting = match decision {
            Decision::Wait(blocker) => Some(blocker),
            _ => None,
        };
        if std::mem::replace(&mut self.group_mut(id).waiting, waiting) != waiting {
            self.changed();
        }
        let homeless = decision == Decision::Homeless;
        if std::mem::replace(&mut self.group_mut(id).homeless, homeless) != homeless {
            self.changed();
            if homeless {
                self.notice(Notice::GroupHomeless { group: id });
            }
        }
        let expecting = match decision {
            // Patience begins anew if this node cannot take it either.
            Decision::Expect(_) if self.overdue(id, now) => Some(now),
            Decision::Expect(_) => self.group(id).expecting.or(Some(now)),
            _ => None,
        };
        self.group_mut(id).expecting = expecting;
        match decision {
            Decision::Nothing | Decision::Wait(_) | Decision::Expect(_) | Decision::Homeless => {}
            Decision::Start => self.run_event(id, Event::Start, now),
            Decision::Stop => self.run_event(id, Event::Stop, now),
            Decision::Forgive => self.run_event(id, Event::Forgive, now),
            Decision::Claim(claim, why) => self.write_claim(id, claim, why, now),
        }
    }

    /// Writes a claim of our own and says so.
    pub(super) fn write_claim(&mut self, id: GroupId, claim: Claim, why: Why, now: Instant) {
        let old = self.group(id).claim;
        self.set_claim(id, claim, Some(why), now);
        let Some(owner) = claim.owner.filter(|owner| old.owner != Some(*owner)) else {
            return;
        };
        if owner == self.roster.local() {
            self.notice_takeover(id, old.owner);
            return;
        }
        let reason = match why {
            Why::Failback => YieldReason::Failback,
            Why::Shutdown => YieldReason::Shutdown,
            Why::Standby => YieldReason::Standby,
            Why::Takeover => YieldReason::Takeover,
            Why::OwnerFailed => YieldReason::StartFailed,
            Why::First | Why::OwnerGone | Why::PreferredGone => return,
        };
        let (group, to) = (id, self.roster.name(owner).clone());
        self.notice(Notice::GroupYield { group, to, reason });
    }

    fn notice_takeover(&mut self, id: GroupId, from: Option<NodeId>) {
        self.notice(Notice::GroupTakeover {
            group: id,
            from: from.map(|node| self.roster.name(node).clone()),
            epoch: self.group(id).claim.epoch,
        });
    }

    fn set_claim(&mut self, id: GroupId, claim: Claim, why: Option<Why>, _now: Instant) {
        let from = self.group(id).claim.owner;
        if from != claim.owner || why.is_some() {
            let fate = from.map_or(Fate::Alive, |owner| self.fate(owner, id));
            self.group_mut(id).reason = Reason { why, from, fate };
        }
        let group = self.group_mut(id);
        group.claim = claim;
        group.dirty = true;
        self.news();
    }

    fn fate(&self, owner: NodeId, id: GroupId) -> Fate {
        let run = self.standing(owner, id).run;
        if matches!(run, RunState::Failed | RunState::Stuck) {
            return Fate::Failed;
        }
        let Some(peer) = self.membership.peer(owner) else {
            return Fate::Alive;
        };
        match peer.status {
            NodeStatus::Dead => Fate::Died,
            NodeStatus::Left => Fate::Left,
            NodeStatus::Init | NodeStatus::Up | NodeStatus::Active | NodeStatus::Ping => {
                if peer.report.as_ref().is_some_and(|r| r.leaving) {
                    Fate::Leaving
                } else {
                    Fate::Alive
                }
            }
        }
    }

    /// An answer of the shell, with the failure if there was one.
    pub(super) fn result(
        &mut self,
        id: GroupId,
        event: Event,
        failure: Option<Failure>,
        now: Instant,
    ) {
        if !self.is_group(id) {
            return;
        }
        let before = self.group(id).runner.run();
        self.run_event(id, event, now);
        let after = self.group(id).runner.run();
        let (Some(failure), true) = (failure, before != after) else {
            return;
        };
        let Failure {
            resource, reason, ..
        } = failure;
        let group = id;
        match after {
            Run::Failed => self.notice(Notice::GroupFailed {
                group,
                resource,
                reason,
            }),
            Run::Stuck | Run::Broken => self.notice(Notice::GroupStuck {
                group,
                resource,
                reason,
            }),
            Run::Probing
            | Run::Leftover
            | Run::Stopped
            | Run::Starting
            | Run::Running
            | Run::Stopping
            | Run::Failing => {}
        }
    }

    /// What a running group holds is gone; tells only what changes something.
    pub(super) fn lost(&mut self, group: GroupId, resource: String, reason: String, now: Instant) {
        if self.is_group(group) && self.group(group).runner.run() == Run::Running {
            self.notice(Notice::GroupLost {
                group,
                resource,
                reason,
            });
            self.run_event(group, Event::Lost, now);
        }
    }

    /// Feeds the group's run machine.
    pub(super) fn run_event(&mut self, id: GroupId, event: Event, now: Instant) {
        if !self.is_group(id) {
            return;
        }
        let retries = Retries {
            start: self.config.retry_failed,
            stop: self.config.retry_stop,
        };
        let group = self.group_mut(id);
        let before = group.runner.run();
        let request = group.runner.handle(event, group.claim.epoch, retries, now);
        let after = group.runner.run();
        match request {
            Some(Request::Start) => self.queue.push_back(Output::Start(id)),
            Some(Request::Stop) => self.queue.push_back(Output::Stop(id)),
            None => {}
        }
        if before == after {
            return;
        }
        self.group_mut(id).dirty = true;
        self.news();
        match after {
            Run::Running => self.notice(Notice::GroupRunning { group: id }),
            Run::Stopped if before == Run::Stopping => {
                self.notice(Notice::GroupStopped { group: id });
            }
            Run::Stopped
            | Run::Probing
            | Run::Leftover
            | Run::Starting
            | Run::Stopping
            | Run::Failing
            | Run::Failed
            | Run::Stuck
            | Run::Broken => {}
        }
        if after != Run::Running {
            self.group_mut(id).rivals.clear();
        }
    }

    /// Everything the decision about a group depends on.
    pub(super) fn with_situation<T>(
        &self,
        id: GroupId,
        judge: impl FnOnce(&Situation<'_>) -> T,
    ) -> T {
        let nodes = (0..).map(NodeId).take(self.roster.len());
        let standings: Vec<Standing> = nodes.map(|node| self.standing(node, id)).collect();
        let group = self.group(id);
        judge(&Situation {
            me: self.roster.local(),
            phase: self.phase(),
            preferred: group.preferred,
            order: self.roster.order(),
            standings: &standings,
            claim: group.claim,
            held: group.runner.run().held(),
            barred: None,
            forgiven: group.runner.forgiven(group.claim.epoch),
            returns: self.config.failback.returns(),
            overdue: false,
        })
    }

    /// One node's position towards a group.
    pub(super) fn standing(&self, node: NodeId, id: GroupId) -> Standing {
        let Some(peer) = self.membership.peer(node) else {
            let group = self.group(id);
            return Standing {
                presence: Presence::Active,
                current: true,
                knows: true,
                run: group.runner.run().state(),
                claim: Some(group.claim),
            };
        };
        let presence = match peer.status {
            NodeStatus::Dead if self.membership.hearsay(node) => Presence::Hearsay,
            NodeStatus::Dead | NodeStatus::Left | NodeStatus::Ping => Presence::Absent,
            NodeStatus::Init => Presence::Unheard,
            NodeStatus::Up | NodeStatus::Active if !peer.extended => Presence::Old,
            NodeStatus::Up => Presence::Joining,
            NodeStatus::Active => Presence::Active,
        };
        let Some(report) = peer.report.as_ref() else {
            let at_home = self.group(id).preferred == Some(node);
            return Standing {
                presence,
                current: false,
                knows: true,
                run: peer.old.run(at_home),
                claim: None,
            };
        };
        let told = report.groups[usize::from(id.0)];
        Standing {
            presence: if report.leaving && presence != Presence::Absent {
                Presence::Leaving
            } else {
                presence
            },
            current: report.heard[self.roster.local().index()] == Some(self.life()),
            knows: told.is_some(),
            run: told.map_or(RunState::Stopped, |told| told.run),
            claim: told.and_then(|told| told.claim),
        }
    }
}
