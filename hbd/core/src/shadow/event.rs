//! What a listener has to tell, as values: what the pair says, what would be decided in its place,
//! and how the two compare. The shell words them.

use crate::config::{GroupId, LinkId, NodeName};
use crate::wire::Reject;
use ha_status::HoldSet;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A node calls itself something else than before.
    Status { node: NodeName, status: String },
    Link {
        node: NodeName,
        link: LinkId,
        up: bool,
    },
    /// A heartbeat came later than `warntime`.
    Late {
        node: NodeName,
        interval: Duration,
        link: LinkId,
    },
    /// Silent for as long as it may be.
    Dead { node: NodeName, silent: Duration },
    /// Not heard since the start of this listener, for as long as a start may take.
    NeverHeard { node: NodeName },
    /// Its daemon was started anew; `alive` if nobody had missed it.
    Restarted { node: NodeName, alive: bool },
    /// Heard again in the same life, after it was taken for dead.
    Returned { node: NodeName },
    /// It said goodbye.
    Left { node: NodeName },
    /// It says something of resources, or of another node.
    Said { node: NodeName, said: Said },
    /// It takes another node for dead.
    Misses { node: NodeName, missed: NodeName },
    /// Numbers were skipped: packets that we, or everybody, did not hear.
    Lost { node: NodeName, count: u64 },
    /// A node that ha.cf does not name.
    Stranger { name: String },
    /// The first packet refused on this link for this reason, the tenth, the hundredth …
    Refused {
        link: LinkId,
        reason: Reject,
        count: u64,
    },
    /// This machine did not listen for so long: nobody is judged by it.
    Stalled { late: Duration },
    /// What would be decided now.
    Would(Matter),
    /// What came of it.
    Judged { matter: Matter, verdict: Verdict },
}

/// What a node says on the wire, beside its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It is up and asks what others hold.
    Starting,
    /// It holds exactly this, and nothing is moving if `stable`.
    Holds { set: HoldSet, stable: bool },
    /// It has taken these as well.
    Took(HoldSet),
    /// It begins to shut down.
    Leaving,
    /// It wants to give these away.
    Offers(HoldSet),
    /// It can take what is offered.
    Accepts(HoldSet),
    /// Its part of the move is done.
    Done(HoldSet),
    /// An operator wants these moved to it.
    Wants(HoldSet),
}

/// Something to be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matter {
    /// A node is dead.
    Death { node: NodeName },
    /// A node has gone: another takes what it ran. Not `known`: what that was has not been said since
    /// this listener started, and what prefers the node is assumed.
    Takeover {
        from: NodeName,
        to: NodeName,
        groups: Vec<GroupId>,
        known: bool,
    },
    /// The preferred node is back: it gets its groups.
    Failback {
        to: NodeName,
        from: NodeName,
        groups: Vec<GroupId>,
    },
    /// The preferred node is back: with `auto_failback off` they stay.
    Keep {
        home: NodeName,
        by: NodeName,
        groups: Vec<GroupId>,
    },
    /// A node offers what it has.
    Standby {
        from: NodeName,
        to: NodeName,
        /// In the words of the node that offers it.
        set: HoldSet,
    },
    /// A node was started anew before anybody missed it: it runs its groups again.
    Resume {
        node: NodeName,
        groups: Vec<GroupId>,
    },
    /// A node is heard again that was dead: nobody needs to let go of everything.
    Heal { node: NodeName },
}

/// How the pair's deeds compare with ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Same(Lead),
    Differs(Difference),
    CannotTell(Untold),
}

/// Who was first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    /// We decided so much earlier than the pair said that it had, or had done it.
    Ours(Duration),
    Theirs(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The pair takes the node for dead, and we heard it so long before, on this link.
    WeHeardIt { ago: Duration, link: Option<LinkId> },
    /// The node was silent for longer than it may be, and nobody of the pair has said so.
    TheyDidNot { silent: Duration },
    /// Nobody says that it runs them.
    NotTaken,
    /// They stay where they are.
    NotGivenBack,
    /// They were given back.
    GivenBack,
    /// Nobody answered the offer.
    NotAnswered,
    /// The node lets go of everything and starts anew.
    LetsGo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untold {
    /// No other node lives who could have decided.
    NobodyLeft,
    /// Something else happened before.
    Overtaken,
    /// The pair's protocol has no words for it (`auto_failback legacy`).
    NoWords,
}
