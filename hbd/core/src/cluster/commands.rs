//! Standby and takeover: an operator moves groups. The command writes claims, as a failure would,
//! and then only watches until the groups run where they should.

use super::Cluster;
use crate::config::GroupId;
use crate::input::CommandId;
use crate::output::{Notice, Output};
use crate::ownership::{Cause, Claim, Phase, Why, taker};
use crate::roster::NodeId;
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
    Failed(String),
}

impl Cluster {
    /// Hands the groups of the set that this node owns to its peers.
    pub(super) fn standby(&mut self, id: CommandId, set: HoldSet, now: Instant) {
        if let Err(text) = self.may_command() {
            self.done(id, Err(text));
            return;
        }
        let me = self.roster.local();
        let owned = |group: &GroupId| self.group(*group).claim.owner == Some(me);
        let groups: Vec<GroupId> = self.set_of(set).into_iter().filter(owned).collect();
        let mut moves = Vec::new();
        for group in groups {
            let Some(to) = self.with_situation(group, now, taker) else {
                let name = &self.config.groups[usize::from(group.0)].name;
                let text = format!("no other node can take {name}: {}", self.why_nobody());
                self.done(id, Err(text));
                return;
            };
            moves.push(self.plan(group, to, now));
        }
        let node = self.roster.name(me).clone();
        self.notice(Notice::Standby { node, set });
        self.begin(id, moves, Why::Standby, now);
    }

    /// Takes the groups of the set that this node does not own.
    pub(super) fn takeover(&mut self, id: CommandId, set: HoldSet, now: Instant) {
        if let Err(text) = self.may_command() {
            self.done(id, Err(text));
            return;
        }
        let me = self.roster.local();
        let elsewhere = |group: &GroupId| self.group(*group).claim.owner != Some(me);
        let groups = self.set_of(set).into_iter().filter(elsewhere);
        let moves = groups.map(|group| self.plan(group, me, now)).collect();
        self.begin(id, moves, Why::Takeover, now);
    }

    fn may_command(&self) -> Result<(), String> {
        match self.phase() {
            Phase::Joining => return Err("this node is not active yet".to_owned()),
            Phase::Leaving => return Err("this node is shutting down".to_owned()),
            Phase::Active => {}
        }
        if let Some(old) = self.old_peer() {
            let name = self.roster.name(old);
            return Err(format!(
                "{name} runs an old Heartbeat, which is not asked yet"
            ));
        }
        if self.commands.len() >= MAX_PENDING {
            return Err(format!("{MAX_PENDING} commands are under way"));
        }
        Ok(())
    }

    fn old_peer(&self) -> Option<NodeId> {
        let mut peers = self.membership.peers();
        peers
            .find(|(_, peer)| peer.lives() && !peer.extended)
            .map(|(id, _)| id)
    }

    fn why_nobody(&self) -> &'static str {
        let mut peers = self.membership.peers();
        if peers.any(|(_, peer)| peer.lives()) {
            "the others are not ready for it"
        } else {
            "no other node is active"
        }
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
        self.group_ids().filter(meant).collect()
    }

    fn plan(&self, group: GroupId, to: NodeId, now: Instant) -> Move {
        let cause = self.with_situation(group, now, |s| s.cause_for(to, Cause::Stay));
        Move {
            group,
            claim: self.group(group).claim.succeed(to, cause),
            to,
        }
    }

    fn begin(&mut self, id: CommandId, moves: Vec<Move>, why: Why, now: Instant) {
        for Move { group, claim, .. } in &moves {
            self.write_claim(*group, *claim, why, now);
        }
        self.commands.push(Pending {
            id,
            moves,
            until: now + COMMAND_LIMIT,
        });
        self.evaluate(now);
    }

    /// Answers the commands whose groups have arrived, or will not.
    pub(super) fn finish_commands(&mut self, now: Instant) {
        if self.commands.is_empty() {
            return;
        }
        let mut answers = Vec::new();
        self.commands = std::mem::take(&mut self.commands)
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

    fn answer(&self, pending: &Pending, now: Instant) -> Option<Result<String, String>> {
        let mut failures = Vec::new();
        let mut under_way = 0;
        for step in &pending.moves {
            match self.progress(step, now) {
                Progress::Running => {}
                Progress::UnderWay => under_way += 1,
                Progress::Failed(text) => failures.push(text),
            }
        }
        if under_way > 0 && (now < pending.until && self.shutdown.is_none()) {
            return None;
        }
        if under_way > 0 {
            failures.push(format!("{under_way} groups are still under way"));
        }
        Some(if failures.is_empty() {
            Ok(match pending.moves.len() {
                0 => "nothing to move".to_owned(),
                1 => "1 group moved".to_owned(),
                count => format!("{count} groups moved"),
            })
        } else {
            Err(failures.join("; "))
        })
    }

    fn progress(&self, step: &Move, now: Instant) -> Progress {
        let name = &self.config.groups[usize::from(step.group.0)].name;
        let claim = self.group(step.group).claim;
        let to = self.roster.name(step.to);
        let standing = self.standing(step.to, step.group, now);
        if claim.owner != Some(step.to) {
            let now_at = claim.owner.map(|owner| self.roster.name(owner));
            let now_at = now_at.map_or("nobody", |name| name.as_str());
            return Progress::Failed(format!("{name} did not stay on {to}: {now_at} owns it"));
        }
        match standing.run {
            RunState::Running => Progress::Running,
            // Only a failure under the new claim counts.
            RunState::Failed if standing.claim == Some(claim) => {
                Progress::Failed(format!("{to} could not start {name}"))
            }
            RunState::Unknown
            | RunState::Stopped
            | RunState::Starting
            | RunState::Stopping
            | RunState::Failed
            | RunState::Stuck => Progress::UnderWay,
        }
    }

    pub(super) fn done(&mut self, id: CommandId, result: Result<String, String>) {
        self.queue.push_back(Output::CommandDone { id, result });
    }
}
