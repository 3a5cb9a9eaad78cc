//! What the others report of the groups: their claims, what they run, what they left behind, and
//! whether they have agreed with this node since it was cut off from them.

use crate::cluster::Cluster;
use crate::config::GroupId;
use crate::extension::{GroupReport, Report};
use crate::output::{Notice, Output, YieldReason};
use crate::ownership::{Claim, Readiness, believable, better_claim};
use crate::roster::NodeId;
use crate::takeover::{Event, Run};
use ha_status::{NodeStatus, RunState};
use std::collections::BTreeSet;
use std::time::Instant;

impl Cluster {
    /// Takes in a new report of a node; `before` is the one it replaces.
    pub(in crate::cluster) fn learn(
        &mut self,
        node: NodeId,
        before: Option<&Report>,
        now: Instant,
    ) {
        let report = self.membership.peer(node).and_then(|p| p.report.clone());
        let Some(report) = report else { return };
        let gone = report.gone;
        let hears_us = report.heard.contains_key(&self.roster.local());
        self.footing
            .deafness
            .told(node, hears_us, before.is_none(), now);
        let told = |report: &Report, id: &GroupId| report.groups.get(id).copied();
        let news: Vec<(GroupId, Option<GroupReport>)> = self
            .groups
            .ids()
            .map(|id| (id, told(&report, &id)))
            .filter(|(id, now)| {
                // A better claim that was disputed is no news any more, but must not be forgotten.
                let better = now.is_some_and(|told| {
                    let ours = self.group(*id).stake.claim;
                    self.better(ours, told.claim) != ours
                });
                better || before.is_none_or(|old| told(old, id) != *now)
            })
            .collect();
        self.note_absence();
        for (id, told) in news {
            let Some(told) = told else { continue };
            if !self.disputes(id, told.claim) {
                self.adopt(id, told.claim, now);
                let ready = told.readiness == Readiness::Busy || told.claim.owner == Some(node);
                self.watch_rival(id, node, told.run, ready);
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
        let peer = self.membership.peer(node);
        let report = peer.and_then(|peer| peer.report.as_ref());
        for (id, group) in self.groups.iter_mut() {
            let told = report.and_then(|report| report.groups.get(&id));
            let run = told.map_or(RunState::Stopped, |told| told.run);
            let held = !matches!(run, RunState::Stopped | RunState::Failed);
            if matches!(run, RunState::Starting | RunState::Running) {
                group.stake.vouched.remove(&node);
            }
            if !(gone && held) {
                group.stake.left_behind.remove(&node);
            } else if group.stake.left_behind.insert(node) {
                let node = self.roster.name(node).clone();
                let notice = Notice::GroupLeftBehind { group: id, node };
                self.outbox.push(Output::Notice(notice));
            }
        }
    }

    /// An operator vouches that nothing of the group is active but where it really runs.
    pub(in crate::cluster) fn vouch_for(&mut self, id: GroupId, now: Instant) {
        let peers: Vec<NodeId> = self.roster.peers().collect();
        self.group_mut(id).stake.vouched.extend(peers);
        self.run_event(id, Event::Vouched, now);
        self.outbox.notice(Notice::GroupForced { group: id });
    }

    /// Does the claim come from a node that took a group of ours while neither could hear the
    /// other? Then it is not adopted unseen.
    fn disputes(&self, id: GroupId, heard: Claim) -> bool {
        let group = self.group(id);
        let apart = heard
            .owner
            .is_some_and(|node| group.stake.apart.contains(&node));
        let ours = group.stake.claim.owner == Some(self.roster.local());
        apart && ours && self.better(group.stake.claim, heard) != group.stake.claim
    }

    /// What others have reported already counts anew: this node is no longer cut off.
    pub(in crate::cluster) fn note_agreements(&mut self) {
        for node in self.roster.peers().collect::<Vec<NodeId>>() {
            self.note_agreement(node);
        }
    }

    /// Where a node that hears us reports our own claim, nothing is in dispute any more.
    fn note_agreement(&mut self, node: NodeId) {
        let cut_off = self.is_cut_off();
        let peer = self.membership.peer(node);
        let report = peer.and_then(|peer| peer.report.as_ref());
        let Some(report) = report.filter(|report| self.answers_us(report)) else {
            return;
        };
        for (id, group) in self.groups.iter_mut() {
            let told = report.groups.get(&id);
            if told.is_some_and(|told| told.claim == group.stake.claim) {
                group.stake.apart.remove(&node);
                group.stake.shaken &= cut_off;
            }
        }
    }

    fn better(&self, one: Claim, other: Claim) -> Claim {
        better_claim(one, other, self.roster.precedence())
    }

    /// Was the report written after its sender had heard this life of ours?
    pub(super) fn answers_us(&self, report: &Report) -> bool {
        report.answers(self.roster.local(), self.own.life())
    }

    /// Nobody here hears these nodes any more: they may take what we run, and we cannot know. One
    /// that a third node hears knows of our claims through that.
    pub(in crate::cluster) fn note_absence(&mut self) {
        let dead = self.membership.peers();
        let dead = dead.filter(|(_, peer)| peer.status == NodeStatus::Dead);
        let absent = dead.filter(|(node, _)| !self.membership.hearsay(*node));
        let absent: BTreeSet<NodeId> = absent.map(|(node, _)| node).collect();
        let newly = self.third_parties.note_absent(absent);
        let me = Some(self.roster.local());
        for group in self.groups.values_mut() {
            if group.stake.claim.owner == me && group.runner.run() == Run::Running {
                group.stake.apart.extend(&newly);
            }
        }
    }

    /// This node was cut off or stood still: whatever it runs, clients may be elsewhere by now.
    pub(in crate::cluster) fn shake(&mut self) {
        for group in self.groups.values_mut() {
            group.stake.shaken |= group.runner.run() == Run::Running;
        }
    }

    /// Keeps the better of our claim and one we heard of.
    pub(super) fn adopt(&mut self, id: GroupId, heard: Claim, now: Instant) {
        let old = self.group(id).stake.claim;
        if !believable(heard, old) || self.better(old, heard) == old {
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
            self.outbox.notice(Notice::GroupYield { group, to, reason });
        } else if run.held() && runs_there {
            self.outbox.notice(Notice::GroupConflictLost { group, to });
        } else if !self.orders.is_leaving() {
            let reason = YieldReason::Takeover;
            self.outbox.notice(Notice::GroupYield { group, to, reason });
        }
    }

    /// This node runs a group and keeps it: does another one run it too, or has it stopped? One that is
    /// `ready` for it may have its addresses although it does not run it.
    pub(super) fn watch_rival(&mut self, id: GroupId, node: NodeId, run: RunState, ready: bool) {
        let me = self.roster.local();
        let group = self.group_mut(id);
        let ours = group.stake.claim.owner == Some(me) && group.runner.run() == Run::Running;
        let announce = match run {
            RunState::Running | RunState::Starting => {
                let rival = ours && group.rivals.insert(node);
                if rival {
                    let against = self.roster.name(node).clone();
                    let group = id;
                    self.outbox
                        .notice(Notice::GroupConflictWon { group, against });
                }
                rival
            }
            // It may have answered for the address until this moment.
            RunState::Stopped | RunState::Failed if !ready => group.rivals.remove(&node) && ours,
            RunState::Stopped
            | RunState::Failed
            | RunState::Unknown
            | RunState::Stopping
            | RunState::Stuck => false,
        };
        if announce {
            self.outbox.push(Output::Announce(id));
        }
    }
}
