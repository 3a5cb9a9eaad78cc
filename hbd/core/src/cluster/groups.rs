//! The resource groups of this node: learns what the others report of them, asks
//! [`crate::ownership::decide`] what to do, and carries the decision out.

use super::Cluster;
use crate::config::{Config, GroupId};
use crate::extension::{GroupReport, MAX_OBJECTIONS, Relay, Report};
use crate::holddown::Returns;
use crate::input::Failure;
use crate::output::{Notice, Output, YieldReason};
use crate::ownership::{
    Blocker, Claim, Decision, Presence, Situation, Standing, Why, believable, better_claim, decide,
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
    pub(super) waiting: Option<Waiting>,
    pub(super) homeless: bool,
    /// Since when another node has been expected to take it.
    expecting: Option<Instant>,
    /// Nodes that were seen running it while this one does, and keeps it.
    rivals: BTreeSet<NodeId>,
    /// Nodes to which contact was lost while this one ran it, and that have not agreed since.
    apart: BTreeSet<NodeId>,
    /// This node was cut off or stood still since the others last agreed to its claim.
    shaken: bool,
    pub(super) returns: Returns,
    /// Nodes that have ended and could not stop it.
    left_behind: BTreeSet<NodeId>,
    /// Nodes of which an operator has vouched that nothing of it is active there.
    vouched: BTreeSet<NodeId>,
    /// To be decided about again.
    pub(super) dirty: bool,
}

/// What is being waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Somebody keeps this node from starting it.
    Blocked(Blocker),
    /// The preferred node must have been there for longer.
    HoldDown(NodeId),
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
            apart: BTreeSet::new(),
            shaken: false,
            returns: Returns::default(),
            left_behind: BTreeSet::new(),
            vouched: BTreeSet::new(),
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
        let gone = report.gone;
        let same_footing = before.is_some_and(|before| {
            before.heard == report.heard
                && before.leaving == report.leaving
                && before.relay == report.relay
        });
        let hears_us = report.heard[self.roster.local().index()].is_some();
        self.deafness.told(node, hears_us, before.is_none(), now);
        let told = |id: &GroupId| report.groups[usize::from(id.0)];
        let news: Vec<(GroupId, Option<GroupReport>)> = self
            .group_ids()
            .map(|id| (id, told(&id)))
            .filter(|(id, now)| before.is_none_or(|old| old.groups[usize::from(id.0)] != *now))
            .collect();
        if !same_footing {
            self.note_absence();
            self.touch_all();
        }
        for (id, told) in news {
            self.group_mut(id).dirty = true;
            let Some(GroupReport { run, claim }) = told else {
                continue;
            };
            if !self.disputes(id, claim) {
                self.adopt(id, claim, now);
                self.watch_rival(id, node, run);
            }
        }
        self.note_left_behind(node, gone);
        if gone {
            self.hear_shutdone(node, now);
        } else {
            self.note_agreement(node);
        }
    }

    /// What a node holds as it ends stays there until it is heard again, or somebody vouches.
    fn note_left_behind(&mut self, node: NodeId, gone: bool) {
        for id in self.group_ids() {
            let peer = self.membership.peer(node).and_then(|p| p.report.as_ref());
            let told = peer.and_then(|report| report.groups[usize::from(id.0)]);
            let run = told.map_or(RunState::Stopped, |told| told.run);
            let held = !matches!(run, RunState::Stopped | RunState::Failed);
            let group = self.group_mut(id);
            if matches!(run, RunState::Starting | RunState::Running) {
                group.vouched.remove(&node);
            }
            if !(gone && held) {
                group.left_behind.remove(&node);
            } else if group.left_behind.insert(node) {
                let node = self.roster.name(node).clone();
                self.notice(Notice::GroupLeftBehind { group: id, node });
            }
        }
    }

    /// An operator vouches that nothing of the group is active but where it really runs.
    pub(super) fn vouch_for(&mut self, id: GroupId, now: Instant) {
        let peers: Vec<NodeId> = self.roster.peers().collect();
        self.group_mut(id).vouched.extend(peers);
        self.run_event(id, Event::Vouched, now);
        self.notice(Notice::GroupForced { group: id });
    }

    /// Does the claim come from a node that took a group of ours while neither could hear the
    /// other? Then it is not adopted unseen.
    fn disputes(&self, id: GroupId, heard: Claim) -> bool {
        let group = self.group(id);
        let apart = heard.owner.is_some_and(|node| group.apart.contains(&node));
        let ours = group.claim.owner == Some(self.roster.local());
        apart && ours && better_claim(group.claim, heard) != group.claim
    }

    /// Where a node that hears us reports our own claim, nothing is in dispute any more.
    fn note_agreement(&mut self, node: NodeId) {
        let cut_off = self.carriers.cut_off();
        for id in self.group_ids() {
            let group = self.group(id);
            if group.apart.is_empty() && !group.shaken {
                continue;
            }
            let peer = self.membership.peer(node).and_then(|p| p.report.as_ref());
            let told = peer.and_then(|report| report.groups[usize::from(id.0)]);
            let current = peer.is_some_and(|report| self.answers_us(report));
            if current && told.is_some_and(|told| told.claim == group.claim) {
                let group = self.group_mut(id);
                group.apart.remove(&node);
                group.shaken &= cut_off;
            }
        }
    }

    /// Was the report written after its sender had heard this life of ours?
    fn answers_us(&self, report: &Report) -> bool {
        report.answers(self.roster.local(), self.life())
    }

    /// Nobody here hears these nodes any more: they may take what we run, and we cannot know. One
    /// that a third node hears knows of our claims through that.
    pub(super) fn note_absence(&mut self) {
        let dead = self.membership.peers();
        let dead = dead.filter(|(_, peer)| peer.status == NodeStatus::Dead);
        let absent = dead.filter(|(node, _)| !self.membership.hearsay(*node));
        let absent: BTreeSet<NodeId> = absent.map(|(node, _)| node).collect();
        // Those who were away before it ran here have taken nothing from us.
        let newly: Vec<NodeId> = absent.difference(&self.absent).copied().collect();
        self.absent = absent;
        let me = Some(self.roster.local());
        for group in &mut self.groups {
            if group.claim.owner == me && group.runner.run() == Run::Running {
                group.apart.extend(&newly);
            }
        }
    }

    /// This node was cut off or stood still: whatever it runs, clients may be elsewhere by now.
    pub(super) fn shake(&mut self) {
        for group in &mut self.groups {
            group.shaken |= group.runner.run() == Run::Running;
        }
    }

    /// Keeps the better of our claim and one we heard of.
    fn adopt(&mut self, id: GroupId, heard: Claim, now: Instant) {
        let old = self.group(id).claim;
        if !believable(heard, old) || better_claim(old, heard) == old {
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
            self.standing(owner, id, now).run,
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
                let decision = self.with_situation(id, now, decide);
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

    /// How long the preferred node must have been there to get the group back.
    pub(super) fn hold_down(&self, id: GroupId, now: Instant) -> std::time::Duration {
        self.group(id).returns.wait(self.config.hold_down, now)
    }

    /// Has the preferred node been there for long enough? If that is this node: need nobody wait?
    fn rested(&self, id: GroupId, now: Instant) -> bool {
        let wait = self.hold_down(id, now);
        let preferred = self.group(id).preferred;
        let peer = preferred.and_then(|node| self.membership.peer(node));
        match peer {
            None => wait.is_zero(),
            Some(peer) => now.saturating_duration_since(peer.since) >= wait,
        }
    }

    /// When a group that is held down has been for long enough.
    pub(super) fn rests_at(&self, id: GroupId) -> Option<Instant> {
        let Some(Waiting::HoldDown(node)) = self.group(id).waiting else {
            return None;
        };
        let since = self.membership.peer(node)?.since;
        since.checked_add(self.hold_down(id, since))
    }

    fn carry_out(&mut self, id: GroupId, decision: Decision, now: Instant) {
        let waiting = match decision {
            Decision::Wait(blocker) => Some(Waiting::Blocked(blocker)),
            Decision::HoldDown(node) => Some(Waiting::HoldDown(node)),
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
            Decision::Nothing
            | Decision::Wait(_)
            | Decision::HoldDown(_)
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

    /// Stops what another node runs, addresses first.
    fn let_go(&mut self, id: GroupId, now: Instant) {
        self.run(id, Event::Stop, Output::LetGo, now);
    }

    /// Writes a claim of our own and says so.
    pub(super) fn write_claim(&mut self, id: GroupId, claim: Claim, why: Why, now: Instant) {
        let old = self.group(id).claim;
        self.set_claim(id, claim, Some(why), now);
        self.count_return(id, why, now);
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
            Why::Deaf => YieldReason::Deaf,
            Why::First | Why::OwnerGone | Why::PreferredGone | Why::Kept => return,
        };
        let (group, to) = (id, self.roster.name(owner).clone());
        self.notice(Notice::GroupYield { group, to, reason });
    }

    /// A group that returned to its preferred node, or was kept there although others had served
    /// it meanwhile: the next time that takes longer.
    fn count_return(&mut self, id: GroupId, why: Why, now: Instant) {
        let base = self.config.hold_down;
        let shaken = self.group(id).shaken;
        match why {
            Why::Failback => self.group_mut(id).returns.count(base, now),
            Why::Kept if shaken => self.group_mut(id).returns.count(base, now),
            Why::Kept
            | Why::First
            | Why::OwnerGone
            | Why::OwnerFailed
            | Why::Shutdown
            | Why::PreferredGone
            | Why::Standby
            | Why::Takeover
            | Why::Deaf => {}
        }
        if why == Why::Kept {
            // Said once to those who hear it, so that two cannot outbid each other for ever.
            self.note_absence();
            let apart = self.group(id).apart.intersection(&self.absent).copied();
            self.group_mut(id).apart = apart.collect();
            let peers: Vec<NodeId> = self.roster.peers().collect();
            for node in peers {
                let run = self.standing(node, id, now).run;
                self.watch_rival(id, node, run);
            }
        }
    }

    fn notice_takeover(&mut self, id: GroupId, from: Option<NodeId>) {
        self.notice(Notice::GroupTakeover {
            group: id,
            from: from.map(|node| self.roster.name(node).clone()),
            epoch: self.group(id).claim.epoch,
        });
    }

    fn set_claim(&mut self, id: GroupId, claim: Claim, why: Option<Why>, now: Instant) {
        let from = self.group(id).claim.owner;
        if from != claim.owner || why.is_some() {
            let fate = from.map_or(Fate::Alive, |owner| self.fate(owner, id, now));
            self.group_mut(id).reason = Reason { why, from, fate };
        }
        let me = Some(self.roster.local());
        let group = self.group_mut(id);
        if claim.owner != me {
            group.vouched.clear();
        }
        group.claim = claim;
        group.dirty = true;
        self.news();
    }

    fn fate(&self, owner: NodeId, id: GroupId, now: Instant) -> Fate {
        let run = self.standing(owner, id, now).run;
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
        self.run(id, event, Output::Stop, now);
    }

    fn run(&mut self, id: GroupId, event: Event, stop: fn(GroupId) -> Output, now: Instant) {
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
            Some(Request::Stop) => self.queue.push_back(stop(id)),
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
            let group = self.group_mut(id);
            group.rivals.clear();
            group.apart.clear();
            group.shaken = false;
        }
    }

    /// Everything the decision about a group depends on.
    pub(super) fn with_situation<T>(
        &self,
        id: GroupId,
        now: Instant,
        judge: impl FnOnce(&Situation<'_>) -> T,
    ) -> T {
        let nodes = (0..).map(NodeId).take(self.roster.len());
        let standings: Vec<Standing> = nodes.map(|node| self.standing(node, id, now)).collect();
        let group = self.group(id);
        judge(&Situation {
            me: self.roster.local(),
            phase: self.phase(),
            preferred: group.preferred,
            order: self.roster.order(),
            standings: &standings,
            claim: group.claim,
            held: group.runner.run().held(),
            barred: self.bar(now),
            shaken: group.shaken,
            rested: self.rested(id, now),
            forgiven: group.runner.forgiven(group.claim.epoch),
            differs: self.haresources_differ(),
            returns: self.config.failback.returns(),
            overdue: self.overdue(id, now),
        })
    }

    fn haresources_differ(&self) -> bool {
        let ours = &self.config.haresources_digest;
        let mut peers = self.membership.peers().filter(|(_, peer)| peer.lives());
        peers.any(|(_, peer)| peer.report.as_ref().is_some_and(|r| r.digest != *ours))
    }

    /// One node's position towards a group.
    pub(super) fn standing(&self, node: NodeId, id: GroupId, now: Instant) -> Standing {
        let group = self.group(id);
        let Some(peer) = self.membership.peer(node) else {
            return Standing {
                presence: Presence::Active,
                current: true,
                deaf: false,
                apart: false,
                vouched: false,
                knows: true,
                run: group.runner.run().state(),
                claim: Some(group.claim),
            };
        };
        let presence = match peer.status {
            NodeStatus::Dead if self.membership.hearsay(node) => Presence::Hearsay,
            NodeStatus::Dead | NodeStatus::Left if self.is_left_behind(node, id) => {
                Presence::LeftHolding
            }
            NodeStatus::Dead | NodeStatus::Left | NodeStatus::Ping => Presence::Absent,
            NodeStatus::Init => Presence::Unheard,
            NodeStatus::Up | NodeStatus::Active if !peer.extended => Presence::Old,
            NodeStatus::Up => Presence::Joining,
            NodeStatus::Active => Presence::Active,
        };
        let unknown = Standing {
            presence,
            current: false,
            deaf: false,
            apart: group.apart.contains(&node),
            vouched: group.vouched.contains(&node),
            knows: true,
            run: RunState::Unknown,
            claim: None,
        };
        if presence == Presence::Hearsay {
            let relayed = self.relayed(node, id);
            return Standing {
                current: relayed.is_some(),
                run: relayed.unwrap_or(RunState::Unknown),
                ..unknown
            };
        }
        let Some(report) = peer.report.as_ref() else {
            let run = peer.old.run(group.preferred == Some(node));
            return Standing { run, ..unknown };
        };
        let told = report.groups[usize::from(id.0)];
        let claim = told.map(|told| told.claim);
        Standing {
            presence: if report.leaving && presence != Presence::Absent {
                Presence::Leaving
            } else {
                presence
            },
            current: self.answers_us(report),
            deaf: presence != Presence::Absent && self.deafness.is_deaf(node, now),
            knows: told.is_some(),
            run: told.map_or(RunState::Stopped, |told| told.run),
            claim: claim.filter(|claim| believable(*claim, group.claim)),
            ..unknown
        }
    }

    /// Has the node ended without stopping the group, as far as anybody here knows?
    fn is_left_behind(&self, node: NodeId, id: GroupId) -> bool {
        let mut peers = self.membership.peers().filter(|(_, peer)| peer.lives());
        let told = |(_, peer): (NodeId, &crate::membership::Peer)| {
            let report = peer.report.as_ref();
            report.is_some_and(|report| report.relay.objections.contains_key(&(node, id)))
        };
        self.group(id).left_behind.contains(&node) || peers.any(told)
    }

    /// What live peers pass on of a node that this one cannot hear; `None` until one of them does.
    fn relayed(&self, node: NodeId, id: GroupId) -> Option<RunState> {
        let mut found = None;
        for (_, peer) in self.membership.peers() {
            let report = peer.report.as_ref().filter(|_| peer.lives());
            let Some(report) = report.filter(|report| report.relay.nodes.contains(&node)) else {
                continue;
            };
            if report.groups[usize::from(id.0)].is_none() {
                continue;
            }
            let objection = report.relay.objections.get(&(node, id)).copied();
            found = objection.or(found).or(Some(RunState::Stopped));
        }
        found
    }

    /// Passes on what was heard of nodes that a third one misses.
    pub(super) fn pass_on_reports(&mut self) {
        let relay = self.find_relay();
        if relay != self.relay {
            self.relay = relay;
            self.news();
        }
    }

    fn find_relay(&self) -> Relay {
        let mut relay = Relay::default();
        let peers = self.membership.peers().filter(|(_, peer)| peer.lives());
        let reports: Vec<(NodeId, &Report)> = peers
            .filter_map(|(node, peer)| Some((node, peer.report.as_ref()?)))
            .collect();
        for (node, report) in &reports {
            let missed = |(other, by): &(NodeId, &Report)| other != node && !by.hears(*node);
            if !reports.iter().any(missed) {
                continue;
            }
            let objections = self.objections(*node, report);
            if relay.objections.len() + objections.len() <= MAX_OBJECTIONS {
                relay.nodes.insert(*node);
                relay.objections.extend(objections);
            }
        }
        // Whoever missed the goodbye of a node must know, too.
        for (id, group) in self.group_ids().zip(&self.groups) {
            let left = group.left_behind.iter();
            let left = left.map(|node| ((*node, id), RunState::Stuck));
            relay
                .objections
                .extend(left.take(MAX_OBJECTIONS.saturating_sub(relay.objections.len())));
        }
        relay
    }

    /// The groups that the node may hold, or about which it has not agreed with us.
    fn objections(&self, node: NodeId, report: &Report) -> Vec<((NodeId, GroupId), RunState)> {
        let groups = self.group_ids().zip(&self.groups);
        let objection = |(id, group): (GroupId, &Group)| {
            let told = report.groups[usize::from(id.0)]?;
            let idle = matches!(told.run, RunState::Stopped | RunState::Failed);
            let run = if idle { RunState::Unknown } else { told.run };
            (!idle || told.claim != group.claim).then_some(((node, id), run))
        };
        groups.filter_map(objection).collect()
    }
}
