//! Who should run a resource group: the claim that every node keeps for every group, and the
//! decision one node draws from it. Pure functions; nothing here remembers or sends anything.
//!
//! A claim is a register that all hbd nodes replicate in their status. Any node may write a better
//! one, everybody adopts the best they hear of ([`better_claim`]), and the owner starts the group
//! only when every live peer has reported *exactly* this claim and that it runs nothing. A node
//! that reported it cannot be starting the group under another one, which is what keeps two nodes
//! that hear each other from running it both.

mod claim;
mod readiness;

use crate::roster::{NodeId, Precedence};
use ha_status::RunState;

pub use claim::{Cause, Claim, MAX_LEAP, believable, better_claim};
pub use readiness::Readiness;

/// Where this node stands in its own life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not every node has been heard or declared dead: nothing new is taken.
    Joining,
    Active,
    /// Shutting down.
    Leaving,
}

/// What is known of another node's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Dead, or it said goodbye.
    Absent,
    /// It has ended and said that it could not stop the group.
    LeftHolding,
    /// Dead to us, but a live peer still hears it: a partition between the two of us only. What it
    /// runs is what that peer passes on of it; `current` says whether it has done so.
    Hearsay,
    /// Never heard and not declared dead yet.
    Unheard,
    /// It lives but speaks no extension: what it runs is known as far as its old words tell.
    Old,
    Joining,
    Active,
    Leaving,
}

/// One node's position towards one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub presence: Presence,
    /// Was its report written after it heard this life of ours? An older one may describe a world
    /// in which we had promised something that we have forgotten since.
    pub current: bool,
    /// We hear it, and for a while it has been saying that it does not hear us.
    pub deaf: bool,
    /// Contact to it was lost while this node was running the group, and it has not agreed to our
    /// claim since.
    pub apart: bool,
    /// An operator has vouched that nothing of the group is active there.
    pub vouched: bool,
    /// Does its haresources list the group?
    pub knows: bool,
    pub run: RunState,
    pub readiness: Readiness,
    /// The claim it reports; `None` if that is nonsense.
    pub claim: Option<Claim>,
}

/// Everything the decision about one group depends on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    pub me: NodeId,
    pub phase: Phase,
    /// `None` if the preferred node is not configured.
    pub preferred: Option<NodeId>,
    /// In the order of the `node` lines; the entry of this node counts for `run` only.
    pub standings: &'a [(NodeId, Standing)],
    pub precedence: &'a Precedence,
    pub claim: Claim,
    /// Does this node hold something of the group, or may it?
    pub held: bool,
    /// Why this node must take nothing at the moment, whatever else speaks for it.
    pub barred: Option<Bar>,
    /// This node itself was cut off or stood still since the others last agreed to its claim.
    pub shaken: bool,
    /// The preferred node has been there for long enough to get the group back.
    pub rested: bool,
    /// The claim is newer than this node's last failure to start the group.
    pub forgiven: bool,
    /// The haresources of a live peer differ from ours.
    pub differs: bool,
    /// `auto_failback`.
    pub returns: bool,
    /// The node we expected to take the group has had time enough, and has not.
    pub overdue: bool,
    /// What runs here may go on for a moment while its next owner makes ready.
    pub lingers: bool,
    /// It has gone on so: the next owner may have the addresses by now.
    pub shared: bool,
}

/// What to do about one group now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// All is as it should be, or what was asked for is still under way.
    Nothing,
    Start,
    Stop,
    /// It is another node's, which is making ready for it: until it is, clients are served here.
    Linger(NodeId),
    /// Stop it, addresses first: another node runs it too.
    LetGo,
    /// Forget the failed start: somebody named this node again.
    Forgive,
    /// Write this claim, then decide again.
    Claim(Claim, Why),
    /// Take over this better claim of another node, then decide again.
    Adopt(Claim),
    /// It goes back to this node once that has been steady for long enough.
    HoldDown(NodeId),
    /// This node should start it, but must not yet.
    Wait(Blocker),
    /// It has no owner, and this active node is the one to take it.
    Expect(NodeId),
    /// No node can run it.
    Homeless,
}

/// Why a claim was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nobody had it.
    First,
    /// Its owner is dead, has left, is leaving, or is not a node of this cluster.
    OwnerGone,
    /// Its owner could not start it.
    OwnerFailed,
    Failback,
    Shutdown,
    /// The owner is the same; it no longer stays when its preferred node returns.
    PreferredGone,
    Standby,
    Takeover,
    /// Another node took it while neither could hear the other; this one ran it all along.
    Kept,
    /// The new owner runs it and does not hear us: nobody can make it let go.
    Deaf,
    /// The new owner says that it runs it as well, and is an old peer: nobody can make it let go.
    Disputed,
}

/// Why a node takes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    /// None of its interfaces has a carrier: it is the one that is cut off.
    NoCarrier,
    /// Its carrier has just come back and nobody has been heard yet.
    CarrierBack,
    /// Another node has its name.
    SameName,
}

/// Who keeps this node from starting a group it owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocker {
    /// This node takes nothing at the moment.
    Barred(Bar),
    /// This node itself is still joining.
    Joining,
    Unheard(NodeId),
    OldPeer(NodeId),
    /// It has ended and could not stop the group.
    LeftHolding(NodeId),
    /// It is the preferred node, but its haresources differ and do not list the group: it may run
    /// the same under a name that we cannot tell.
    Differs(NodeId),
    /// It has not yet answered this life of ours.
    NotCurrent(NodeId),
    /// It reports another claim.
    Disagrees(NodeId),
    /// It may still hold the group.
    Busy(NodeId, RunState),
    /// It runs the group until this node is ready for it.
    Lingers(NodeId),
}

/// The decision. Call it again after a `Claim` or a `Forgive` was carried out.
pub fn decide(s: &Situation<'_>) -> Decision {
    match (s.phase, s.claim.owner) {
        (Phase::Leaving, owner) => leave(s, owner),
        (Phase::Joining, Some(owner)) if owner == s.me => Decision::Wait(Blocker::Joining),
        // What an earlier life left behind is kept until it is known who should have it.
        (Phase::Joining, Some(owner)) if s.of(owner).lives() => s.release(),
        (Phase::Joining, Some(_) | None) if s.outranked() => s.release(),
        (Phase::Joining, Some(_) | None) => Decision::Nothing,
        (Phase::Active, Some(owner)) if owner == s.me => own(s),
        (Phase::Active, Some(owner)) if s.usable(owner) => s.release(),
        (Phase::Active, Some(_) | None) => succeed(s),
    }
}

/// Shutting down: name the next owner first, so that it starts the moment we have stopped.
fn leave(s: &Situation<'_>, owner: Option<NodeId>) -> Decision {
    match s.successor() {
        Some(next) if owner == Some(s.me) => {
            let cause = s.cause_for(next, Cause::Failover);
            Decision::Claim(s.claim.succeed(next, cause), Why::Shutdown)
        }
        Some(_) | None => s.release(),
    }
}

/// The group is ours.
fn own(s: &Situation<'_>) -> Decision {
    if let Some(decision) = contest(s) {
        return decision;
    }
    let mut holding = None;
    if let Some(preferred) = s.preferred.filter(|node| *node != s.me) {
        let gone = matches!(
            s.of(preferred).presence,
            Presence::Absent | Presence::LeftHolding
        );
        match s.claim.cause {
            Cause::Stay if gone => {
                let cause = Cause::Failover;
                let claim = Claim { cause, ..s.claim };
                return Decision::Claim(claim, Why::PreferredGone);
            }
            Cause::Failover if s.returns && s.ready(preferred) && !s.rested => {
                holding = Some(preferred);
            }
            Cause::Failover if s.returns && s.ready(preferred) => {
                let claim = s.claim.succeed(preferred, Cause::Home);
                return Decision::Claim(claim, Why::Failback);
            }
            Cause::Home | Cause::Failover | Cause::Stay => {}
        }
    }
    match s.of(s.me).run {
        RunState::Starting | RunState::Running => {
            holding.map_or(Decision::Nothing, Decision::HoldDown)
        }
        RunState::Stopping | RunState::Stuck => Decision::Nothing,
        RunState::Failed if s.forgiven => Decision::Forgive,
        RunState::Failed => match s.successor() {
            Some(_) => Decision::Nothing,
            None => Decision::Homeless,
        },
        RunState::Unknown if !s.held => Decision::Nothing,
        RunState::Unknown | RunState::Stopped => match (s.barred, blocker(s)) {
            (Some(bar), _) => Decision::Wait(Blocker::Barred(bar)),
            (None, Some(blocker)) => Decision::Wait(blocker),
            (None, None) => Decision::Start,
        },
    }
}

/// Another node disputes a group of ours. The one rule for who keeps it:
///
/// 1. A node that does not hear us and runs it: nobody can make it let go, so we do.
/// 2. While we cannot hear whether the other has heard of us, nothing is decided.
/// 3. The node that ran it all along and was never cut off itself: clients are with it.
/// 4. The preferred node, if the group would return to it anyhow.
/// 5. The better claim.
fn contest(s: &Situation<'_>) -> Option<Decision> {
    if let Some((deaf, _)) = s.peers().find(|(_, it)| it.deaf && it.runs()) {
        let claim = s.best_claim().unwrap_or(s.claim);
        return Some(if claim.owner == Some(deaf) {
            Decision::Adopt(claim)
        } else {
            let cause = s.cause_for(deaf, Cause::Failover);
            Decision::Claim(claim.succeed(deaf, cause), Why::Deaf)
        });
    }
    let claim = s.best_claim()?;
    let said = |standing: &Standing| standing.claim == Some(claim);
    if s.of(s.me).run != RunState::Running || !claim.owner.is_some_and(|node| s.of(node).apart) {
        return Some(Decision::Adopt(claim));
    }
    if !s.peers().any(|(_, it)| said(&it) && it.current) {
        let deaf = s.peers().any(|(_, it)| said(&it) && it.deaf);
        return Some(if deaf {
            Decision::Adopt(claim)
        } else {
            Decision::Nothing
        });
    }
    let home = s.preferred == Some(s.me) && s.returns && s.rested;
    Some(if !s.shaken || home {
        Decision::Claim(
            claim.succeed(s.me, s.cause_for(s.me, s.claim.cause)),
            Why::Kept,
        )
    } else {
        Decision::Adopt(claim)
    })
}

/// The group has no owner that could run it.
fn succeed(s: &Situation<'_>) -> Decision {
    // Beside an old peer a node takes what it prefers, once that is free there, and what it is given.
    let holder = s.old_holder();
    if let Some(old) = holder.or_else(|| s.old_peer().filter(|_| s.preferred != Some(s.me))) {
        return Decision::Wait(Blocker::OldPeer(old));
    }
    if let Some(bar) = s.barred {
        return Decision::Wait(Blocker::Barred(bar));
    }
    if let Some(preferred) = s.stranger_at_home() {
        return Decision::Wait(Blocker::Differs(preferred));
    }
    match s.successor() {
        // Nodes whose haresources differ may expect each other. Two that lose patience at once
        // claim the same epoch, which `better_claim` settles.
        Some(next) if next == s.me || (s.overdue && s.eligible(s.me)) => {
            let why = match s.claim.owner {
                None if s.claim.epoch == 0 => Why::First,
                Some(owner) if s.failed(owner) => Why::OwnerFailed,
                Some(_) | None => Why::OwnerGone,
            };
            // Sending it back to where it just failed would only cost another outage.
            let failed_at_home = why == Why::OwnerFailed && s.claim.owner == s.preferred;
            let cause = if failed_at_home || s.claim.cause == Cause::Stay {
                Cause::Stay
            } else {
                Cause::Failover
            };
            let cause = s.cause_for(s.me, cause);
            Decision::Claim(s.claim.succeed(s.me, cause), why)
        }
        Some(next) if s.of(next).presence == Presence::Active => Decision::Expect(next),
        Some(_) => Decision::Nothing,
        None if s.held => Decision::Nothing,
        None => Decision::Homeless,
    }
}

/// The first reason why this node must not start the group it owns.
pub fn blocker(s: &Situation<'_>) -> Option<Blocker> {
    s.peers().find_map(|(node, peer)| objection(s, node, &peer))
}

/// Is it certain that no other hbd node has anything of the group? Old peers answer for themselves.
pub fn is_free(s: &Situation<'_>) -> bool {
    let mut others = s.peers().filter(|(_, it)| it.presence != Presence::Old);
    others.all(|(node, peer)| objection(s, node, &peer).is_none())
}

/// Why a node keeps others from starting the group.
fn objection(s: &Situation<'_>, node: NodeId, peer: &Standing) -> Option<Blocker> {
    match peer.presence {
        Presence::Absent => None,
        Presence::LeftHolding if peer.vouched => None,
        Presence::LeftHolding => Some(Blocker::LeftHolding(node)),
        Presence::Hearsay if peer.vouched => None,
        Presence::Unheard => Some(Blocker::Unheard(node)),
        Presence::Old => (peer.run != RunState::Stopped).then_some(Blocker::OldPeer(node)),
        Presence::Hearsay | Presence::Joining | Presence::Active | Presence::Leaving => {
            if !peer.current {
                return Some(Blocker::NotCurrent(node));
            }
            if !peer.knows {
                return None;
            }
            if peer.claim.is_some_and(|claim| claim != s.claim) {
                return Some(Blocker::Disagrees(node));
            }
            match peer.run {
                RunState::Stopped | RunState::Failed => None,
                RunState::Running if peer.readiness == Readiness::Lingers => {
                    Some(Blocker::Lingers(node))
                }
                RunState::Stuck if peer.vouched => None,
                RunState::Unknown
                | RunState::Starting
                | RunState::Running
                | RunState::Stopping
                | RunState::Stuck => Some(Blocker::Busy(node, peer.run)),
            }
        }
    }
}

/// Could another node take the group if this one were lost? The live nodes that cannot, if so.
pub fn unfit(s: &Situation<'_>) -> Vec<NodeId> {
    let live = |it: &Standing| it.presence == Presence::Active && it.knows;
    let fit = |it: &Standing| !matches!(it.run, RunState::Failed | RunState::Stuck);
    if s.peers().any(|(_, it)| live(&it) && fit(&it)) {
        return Vec::new();
    }
    let live = s.peers().filter(|(_, it)| live(it));
    live.map(|(node, _)| node).collect()
}

/// The best other node to hand the group to on purpose. One that failed to start it before is the
/// last choice.
pub fn taker(s: &Situation<'_>) -> Option<NodeId> {
    let able =
        |it: &Standing| it.presence == Presence::Active && it.knows && it.run != RunState::Stuck;
    let fit = |it: &Standing| able(it) && it.run != RunState::Failed;
    let first = |able: &dyn Fn(&Standing) -> bool| {
        let found = s.peers().find(|(_, it)| able(it));
        found.map(|(node, _)| node)
    };
    let preferred = s
        .preferred
        .filter(|node| *node != s.me && fit(&s.of(*node)));
    preferred.or_else(|| first(&fit)).or_else(|| first(&able))
}

impl Standing {
    fn runs(&self) -> bool {
        matches!(self.run, RunState::Starting | RunState::Running)
    }

    fn lives(&self) -> bool {
        match self.presence {
            Presence::Absent | Presence::LeftHolding | Presence::Unheard => false,
            Presence::Hearsay
            | Presence::Old
            | Presence::Joining
            | Presence::Active
            | Presence::Leaving => true,
        }
    }
}

impl Situation<'_> {
    fn of(&self, node: NodeId) -> Standing {
        let mut standings = self.standings.iter();
        let found = standings.find(|(of, _)| *of == node);
        found.expect("every node has a standing").1
    }

    fn peers(&self) -> impl Iterator<Item = (NodeId, Standing)> {
        let others = self.standings.iter().copied();
        others.filter(|(node, _)| *node != self.me)
    }

    fn old_peer(&self) -> Option<NodeId> {
        let mut peers = self.peers();
        let old = peers.find(|(_, it)| it.presence == Presence::Old);
        old.map(|(node, _)| node)
    }

    /// An old peer that may hold the group.
    fn old_holder(&self) -> Option<NodeId> {
        let mut peers = self.peers();
        let holder =
            peers.find(|(_, it)| it.presence == Presence::Old && it.run != RunState::Stopped);
        holder.map(|(node, _)| node)
    }

    /// The preferred node, if it lives and its haresources, which differ, lack the group.
    fn stranger_at_home(&self) -> Option<NodeId> {
        let preferred = self
            .preferred
            .filter(|node| *node != self.me && self.differs);
        preferred.filter(|node| self.of(*node).lives() && !self.of(*node).knows)
    }

    /// The best claim of a live peer that is better than ours.
    fn best_claim(&self) -> Option<Claim> {
        let told = self.peers().filter(|(_, it)| it.lives());
        let best = told
            .filter_map(|(_, it)| it.claim)
            .fold(self.claim, |one, other| {
                better_claim(one, other, self.precedence)
            });
        (best != self.claim).then_some(best)
    }

    fn release(&self) -> Decision {
        match (self.held, self.claim.owner) {
            (false, _) => Decision::Nothing,
            (true, Some(owner)) if owner != self.me && self.of(owner).runs() => Decision::LetGo,
            (true, Some(owner)) if owner != self.me && self.lingers_for(owner) => {
                Decision::Linger(owner)
            }
            (true, Some(owner)) if owner != self.me && self.shared => Decision::LetGo,
            (true, _) => Decision::Stop,
        }
    }

    /// Is the new owner making ready, or has it not heard yet that it is the owner? One that runs the
    /// group, cannot be asked or knows no preparations is not waited for.
    fn lingers_for(&self, owner: NodeId) -> bool {
        let it = self.of(owner);
        let agrees = it.claim == Some(self.claim);
        self.lingers
            && self.of(self.me).run == RunState::Running
            && it.presence == Presence::Active
            && it.current
            && it.knows
            && !it.deaf
            && !it.apart
            && it.run == RunState::Stopped
            && match it.readiness {
                Readiness::Unsaid => false,
                Readiness::Still | Readiness::Lingers => !agrees,
                Readiness::Busy => true,
            }
    }

    /// Does another node that may hold the group have a better right to what an earlier life left
    /// behind? Nobody owns it, so only the preferred node, else the lowest name, may keep it.
    fn outranked(&self) -> bool {
        let rank = |node| self.precedence.rank(node);
        self.peers().any(|(node, standing)| {
            let holds = !matches!(standing.run, RunState::Stopped | RunState::Failed);
            let first = match self.preferred {
                Some(preferred) if preferred == self.me => false,
                Some(preferred) if preferred == node => true,
                Some(_) | None => rank(node) < rank(self.me),
            };
            standing.lives() && standing.knows && holds && first
        })
    }

    /// Can the present owner, another node, be expected to run it?
    fn usable(&self, owner: NodeId) -> bool {
        let standing = self.of(owner);
        match standing.presence {
            Presence::Absent | Presence::LeftHolding | Presence::Leaving => false,
            Presence::Hearsay | Presence::Unheard => true,
            Presence::Old => standing.run != RunState::Stopped,
            Presence::Joining | Presence::Active => standing.knows && !self.failed(owner),
        }
    }

    /// Did it fail under this very claim? One that was named anew has not answered yet.
    fn failed(&self, node: NodeId) -> bool {
        let standing = self.of(node);
        let broken = matches!(standing.run, RunState::Failed | RunState::Stuck);
        broken && (node == self.me || standing.claim == Some(self.claim))
    }

    /// The preferred node if it can run the group, else the first that can.
    fn successor(&self) -> Option<NodeId> {
        let first = self.preferred.filter(|node| self.eligible(*node));
        first.or_else(|| {
            let mut all = self.standings.iter();
            let next = all.find(|(node, standing)| self.fits(*node, *standing));
            next.map(|(node, _)| *node)
        })
    }

    /// Could the node take the group over?
    fn eligible(&self, node: NodeId) -> bool {
        self.fits(node, self.of(node))
    }

    fn fits(&self, node: NodeId, standing: Standing) -> bool {
        let fit = !matches!(standing.run, RunState::Failed | RunState::Stuck);
        if node == self.me {
            return fit && self.phase == Phase::Active;
        }
        match standing.presence {
            Presence::Absent
            | Presence::LeftHolding
            | Presence::Hearsay
            | Presence::Unheard
            | Presence::Old
            | Presence::Leaving => false,
            // When a cluster starts, a node that is just coming up is worth waiting for.
            Presence::Joining => fit && standing.knows && self.claim.epoch == 0,
            Presence::Active => fit && standing.knows,
        }
    }

    /// Is the preferred node waiting to take the group back at once?
    fn ready(&self, preferred: NodeId) -> bool {
        let standing = self.of(preferred);
        standing.presence == Presence::Active
            && standing.current
            && standing.knows
            && standing.run == RunState::Stopped
            && standing.claim == Some(self.claim)
            && self.old_peer().is_none()
    }

    /// `Home` at the preferred node, else the cause given.
    pub fn cause_for(&self, owner: NodeId, cause: Cause) -> Cause {
        if self.preferred == Some(owner) {
            Cause::Home
        } else {
            cause
        }
    }
}
