//! Standby and takeover: an operator moves groups. The command writes claims, as a failure would,
//! and then only watches until the groups run where they should.

use super::Cluster;
use super::groups::Waiting;
use crate::config::GroupId;
use crate::input::CommandId;
use crate::output::{Done, Notice, Output, Refusal, Setback, SetbackCause};
use crate::ownership::{Blocker, Cause, Claim, Phase, Why, taker};
use crate::roster::NodeId;
use crate::takeover::Run;
use ha_status::{HoldSet, RunState};
use std::time::{Duration, Instant};

/// A command is answered after this time, whatever has become of it. The claims stay.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// So many commands may be under way; further ones are refused.
const MAX_PENDING: usize = 32;

/// A command whose groups are on their way.
#[derive(Debug)]
pub(super) struct Pending {
    id: CommandId,
    moves: Vec<Move>,
    pub(super) until: Instant,
}

#[derive(Debug)]
struct Move {
    group: GroupId,
    claim: Claim,
    to: NodeId,
}

/// How a move stands.
enum Progress {
    Running,
    UnderWay,
    Failed(SetbackCause),
}

impl Cluster {
    /// Hands the groups of the set that this node owns to its peers.
    pub(super) fn standby(&mut self, id: CommandId, set: HoldSet, now: Instant) {
        if let Err(refusal) = self.may_command() {
            self.done(id, Err(refusal));
            return;
        }
        let me = self.roster.local();
        let owned = |group: &GroupId| self.group(*group).stake.claim.owner == Some(me);
        let groups: Vec<GroupId> = self.set_of(set).into_iter().filter(owned).collect();
        let mut moves = Vec::new();
        for group in groups {
            let Some(to) = self.with_situation(group, now, taker) else {
                let others_live = self.membership.peers().any(|(_, peer)| peer.lives());
                self.done(id, Err(Refusal::NoTaker { group, others_live }));
                return;
            };
            moves.push(self.plan(group, to, now));
        }
        let node = self.roster.name(me).clone();
        self.outbox.notice(Notice::Standby { node, set });
        self.begin(id, moves, Why::Standby, now);
    }

    /// Takes the groups of the set that this node does not own, and those it owns and does not run
    /// because something failed or blocks them. With `force` an operator vouches for what others could not stop.
    pub(super) fn takeover(&mut self, id: CommandId, set: HoldSet, force: bool, now: Instant) {
        if let Err(refusal) = self.may_command() {
            self.done(id, Err(refusal));
            return;
        }
        let me = self.roster.local();
        let wanted = |group: &GroupId| {
            let group = self.group(*group);
            let blocked = matches!(group.waiting, Some(Waiting::Blocked(_)));
            group.stake.claim.owner != Some(me) || failed_here(group.runner.run()) || blocked
        };
        let groups: Vec<GroupId> = self.set_of(set).into_iter().filter(wanted).collect();
        for group in &groups {
            self.group_mut(*group).runner.hurry(now);
        }
        let moves = groups.iter().map(|group| self.plan(*group, me, now));
        let moves = moves.collect();
        self.write_moves(&moves, Why::Takeover, now);
        if force {
            for group in groups {
                self.vouch_for(group, now);
            }
        }
        self.watch(id, moves, now);
    }

    fn may_command(&self) -> Result<(), Refusal> {
        match self.phase() {
            Phase::Joining => return Err(Refusal::Joining),
            Phase::Leaving => return Err(Refusal::Leaving),
            Phase::Active => {}
        }
        if let Some(old) = self.old_peer() {
            return Err(Refusal::OldPeer(self.roster.name(old).clone()));
        }
        if self.orders.pending.len() >= MAX_PENDING {
            return Err(Refusal::Busy(MAX_PENDING));
        }
        Ok(())
    }

    fn old_peer(&self) -> Option<NodeId> {
        let mut peers = self.membership.peers();
        peers
            .find(|(_, peer)| peer.lives() && !peer.extended)
            .map(|(id, _)| id)
    }

    /// The groups a set means, in the words of `hb_standby`.
    fn set_of(&self, set: HoldSet) -> Vec<GroupId> {
        let me = Some(self.roster.local());
        let meant = |group: &GroupId| match set {
            HoldSet::None => false,
            HoldSet::Local => self.group(*group).preferred == me,
            HoldSet::Foreign => self.group(*group).preferred != me,
            HoldSet::All => true,
        };
        self.groups.ids().filter(meant).collect()
    }

    fn plan(&self, group: GroupId, to: NodeId, now: Instant) -> Move {
        let cause = self.with_situation(group, now, |s| s.cause_for(to, Cause::Stay));
        Move {
            group,
            claim: self.group(group).stake.claim.succeed(to, cause),
            to,
        }
    }

    fn begin(&mut self, id: CommandId, moves: Vec<Move>, why: Why, now: Instant) {
        self.write_moves(&moves, why, now);
        self.watch(id, moves, now);
    }

    fn write_moves(&mut self, moves: &Vec<Move>, why: Why, now: Instant) {
        for Move { group, claim, .. } in moves {
            self.write_claim(*group, *claim, why, now);
        }
    }

    fn watch(&mut self, id: CommandId, moves: Vec<Move>, now: Instant) {
        self.orders.pending.push(Pending {
            id,
            moves,
            until: now + COMMAND_LIMIT,
        });
        self.evaluate(now);
    }

    /// Answers the commands whose groups have arrived, or will not.
    pub(super) fn finish_commands(&mut self, now: Instant) {
        if self.orders.pending.is_empty() {
            return;
        }
        let mut answers = Vec::new();
        self.orders.pending = std::mem::take(&mut self.orders.pending)
            .into_iter()
            .filter_map(|pending| match self.answer(&pending, now) {
                Some(result) => {
                    answers.push((pending.id, result));
                    None
                }
                None => Some(pending),
            })
            .collect();
        for (id, result) in answers {
            self.done(id, result);
        }
    }

    fn answer(&self, pending: &Pending, now: Instant) -> Option<Result<Done, Refusal>> {
        let mut setbacks = Vec::new();
        let waits = now < pending.until && !self.orders.is_leaving();
        for step in &pending.moves {
            let cause = match self.progress(step, now) {
                Progress::Running => continue,
                Progress::UnderWay if waits => return None,
                Progress::UnderWay => SetbackCause::UnderWay,
                Progress::Failed(cause) => cause,
            };
            setbacks.push(Setback {
                group: step.group,
                to: self.roster.name(step.to).clone(),
                cause,
            });
        }
        Some(if setbacks.is_empty() {
            Ok(Done::Moved(pending.moves.len()))
        } else {
            Err(Refusal::Setbacks(setbacks))
        })
    }

    fn progress(&self, step: &Move, now: Instant) -> Progress {
        let group = self.group(step.group);
        let claim = group.stake.claim;
        let standing = self.standing(step.to, step.group, now);
        if claim.owner != Some(step.to) {
            let owner = claim.owner.map(|owner| self.roster.name(owner).clone());
            return Progress::Failed(SetbackCause::OwnedBy(owner));
        }
        match standing.run {
            RunState::Running => Progress::Running,
            // Only a failure under the new claim counts.
            RunState::Failed if standing.claim == Some(claim) => {
                Progress::Failed(SetbackCause::StartFailed)
            }
            RunState::Stuck if standing.claim == Some(claim) => {
                Progress::Failed(SetbackCause::Stuck)
            }
            RunState::Unknown
            | RunState::Stopped
            | RunState::Starting
            | RunState::Stopping
            | RunState::Failed
            | RunState::Stuck => match self.hindrance(step) {
                Some(cause) => Progress::Failed(cause),
                None => Progress::UnderWay,
            },
        }
    }

    /// What keeps this node from starting a group and will not pass soon by itself.
    fn hindrance(&self, step: &Move) -> Option<SetbackCause> {
        let Some(Waiting::Blocked(blocker)) = self.group(step.group).waiting else {
            return None;
        };
        let name = |node: NodeId| self.roster.name(node).clone();
        match blocker {
            Blocker::Busy(node, RunState::Stuck) => Some(SetbackCause::StuckOn(name(node))),
            Blocker::LeftHolding(node) => Some(SetbackCause::LeftBehindBy(name(node))),
            Blocker::Barred(_) => Some(SetbackCause::Barred),
            Blocker::Joining
            | Blocker::Unheard(_)
            | Blocker::OldPeer(_)
            | Blocker::Differs(_)
            | Blocker::NotCurrent(_)
            | Blocker::Disagrees(_)
            | Blocker::Busy(..)
            | Blocker::Lingers(_) => None,
        }
    }

    pub(super) fn done(&mut self, id: CommandId, result: Result<Done, Refusal>) {
        self.outbox.push(Output::CommandDone { id, result });
    }
}

/// It could not be started or stopped here.
fn failed_here(run: Run) -> bool {
    match run {
        Run::Failing | Run::Failed | Run::Stuck | Run::Broken => true,
        Run::Probing
        | Run::Leftover
        | Run::Stopped
        | Run::Starting
        | Run::Running
        | Run::Stopping => false,
    }
}
