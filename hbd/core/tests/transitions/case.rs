//! Situations to decide about.

use ha_status::RunState;
use hbd_core::ownership::{
    Bar, Cause, Claim, Decision, Phase, Presence, Readiness, Situation, Standing, Why, decide,
};
use hbd_core::roster::{NodeId, Precedence};

/// Its name is the lower one. Ids are neither dense nor in order: nobody may count on either.
pub(crate) const ME: NodeId = NodeId::new(70);
pub(crate) const PEER: NodeId = NodeId::new(3);

/// A situation of two nodes, this one preferred: both are active, the group is stopped on both,
/// this node owns it and the peer agrees.
pub(crate) struct Case {
    pub(crate) phase: Phase,
    pub(crate) preferred: NodeId,
    pub(crate) run: RunState,
    pub(crate) held: bool,
    pub(crate) barred: Option<Bar>,
    pub(crate) shaken: bool,
    pub(crate) rested: bool,
    pub(crate) differs: bool,
    pub(crate) forgiven: bool,
    pub(crate) returns: bool,
    pub(crate) overdue: bool,
    pub(crate) lingers: bool,
    pub(crate) shared: bool,
    pub(crate) claim: Claim,
    pub(crate) peer: Standing,
}

pub(crate) fn case() -> Case {
    let claim = Claim {
        epoch: 5,
        owner: Some(ME),
        cause: Cause::Home,
    };
    Case {
        phase: Phase::Active,
        preferred: ME,
        run: RunState::Stopped,
        held: false,
        barred: None,
        shaken: false,
        rested: true,
        differs: false,
        forgiven: true,
        returns: true,
        overdue: false,
        lingers: true,
        shared: false,
        claim,
        peer: Standing {
            presence: Presence::Active,
            current: true,
            deaf: false,
            apart: false,
            vouched: false,
            knows: true,
            run: RunState::Stopped,
            readiness: Readiness::Still,
            claim: Some(claim),
        },
    }
}

impl Case {
    pub(crate) fn decide(&self) -> Decision {
        let own = Standing {
            presence: Presence::Active,
            current: true,
            deaf: false,
            apart: false,
            vouched: false,
            knows: true,
            run: self.run,
            readiness: Readiness::Still,
            claim: Some(self.claim),
        };
        decide(&Situation {
            me: ME,
            phase: self.phase,
            preferred: Some(self.preferred),
            standings: &[(ME, own), (PEER, self.peer)],
            precedence: &Precedence::new([ME, PEER]),
            claim: self.claim,
            held: self.held,
            barred: self.barred,
            shaken: self.shaken,
            rested: self.rested,
            differs: self.differs,
            forgiven: self.forgiven,
            returns: self.returns,
            overdue: self.overdue,
            lingers: self.lingers,
            shared: self.shared,
        })
    }

    pub(crate) fn claim(mut self, owner: Option<NodeId>, cause: Cause) -> Self {
        self.claim = Claim {
            epoch: 5,
            owner,
            cause,
        };
        self.peer.claim = Some(self.claim);
        self
    }

    pub(crate) fn presence(mut self, presence: Presence) -> Self {
        self.peer.presence = presence;
        self
    }

    pub(crate) fn peer_runs(mut self, run: RunState) -> Self {
        self.peer.run = run;
        self
    }

    pub(crate) fn runs(mut self) -> Self {
        (self.run, self.held) = (RunState::Running, true);
        self
    }
}

pub(crate) fn claimed(owner: NodeId, cause: Cause, why: Why) -> Decision {
    let claim = Claim {
        epoch: 6,
        owner: Some(owner),
        cause,
    };
    Decision::Claim(claim, why)
}
