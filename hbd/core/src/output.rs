//! Everything the core asks of its shell, as values. A request, never a fact: what came of it
//! returns as an `Input`.

use crate::config::{GroupId, KnownPeer, LinkId, NodeName};
use crate::input::{AskId, CommandId, Question};
use crate::wire::Message;
pub use ha_status::View;
use ha_status::{HoldSet, Timing};
use std::time::Duration;

#[derive(Debug, Clone)]
pub enum Output {
    /// Sign this and write it to every link.
    Send(Message),
    /// Sign this message of another node and write it to every line of a ring
    /// ([`passes_on`](crate::config::LinkConfig::passes_on)) but the one it came over.
    PassOn { message: Message, from: LinkId },
    /// Find out what of the group is active. Answer: `Input::Probed`.
    Probe(GroupId),
    /// Start its resources left to right. Answer: `Input::Started`.
    Start(GroupId),
    /// The group is this node's, and the node that runs it says that it goes on until this one is ready: what can
    /// be made ready is to be, the tables first and then the addresses, which leave by themselves
    /// after [`PREPARED_LIFE`] unless they are asked for again. Answer: `Input::Prepared`, also
    /// if there is nothing that could be done. A `Start` or an `Unprepare` follows, within
    /// [`PREPARED_LIMIT`] unless the other node is stopping it all the while, or this one ends or stands
    /// still; either cuts a preparation short.
    ///
    /// [`PREPARED_LIMIT`]: crate::config::PREPARED_LIMIT
    /// [`PREPARED_LIFE`]: crate::config::PREPARED_LIFE
    Prepare(GroupId),
    /// What was made ready is not wanted any more. Answer: `Input::Unprepared`.
    Unprepare(GroupId),
    /// The group is another node's, and is to run here until that one is ready for it, which then has
    /// the addresses as well. Answer: `Input::Lingers`.
    Linger(GroupId),
    /// Stop its resources right to left. Answer: `Input::Stopped`. May follow a `Start` that has
    /// not answered yet: the shell then ends that start first, answers it, and stops.
    Stop(GroupId),
    /// Like `Stop`, but another node runs the group at this very moment: its addresses go first,
    /// whatever the order.
    LetGo(GroupId),
    /// Tell the neighbours again who has the addresses of this running group.
    Announce(GroupId),
    /// Keep this for the next life, in the place of what was kept of the same node.
    Remember(KnownPeer),
    /// The director of another node wants to know what ours find of these services. Answer, if one comes
    /// within a second: `Input::Inquired`.
    Inquire {
        question: Question,
        services: Vec<u64>,
    },
    /// What the directors of other nodes find; once per `Input::Ask`.
    Opinion {
        id: AskId,
        views: Result<Vec<View>, Silence>,
    },
    /// Something an operator may want to read.
    Notice(Notice),
    /// The command is finished or refused; once per command.
    CommandDone {
        id: CommandId,
        result: Result<Done, Refusal>,
    },
    /// Goodbye has been sent; nothing follows.
    Exit(Ending),
}

/// Why no other director has said anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// No other node is heard that could be asked.
    NobodyElse,
    /// Too much is being asked already.
    Busy,
    NoAnswer,
}

/// How the daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nothing is active here any more.
    Released,
    /// Something could not be stopped and may still be active.
    Held,
}

/// What a command has achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// So many groups have been moved.
    Moved(usize),
    /// Everything was released.
    Released,
}

/// Why a command was refused, or what came of it instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// This node is not active yet.
    Joining,
    /// This node is shutting down.
    Leaving,
    /// An old Heartbeat is not asked yet.
    OldPeer(NodeName),
    /// So many commands are under way.
    Busy(usize),
    /// No other node can take the group.
    NoTaker { group: GroupId, others_live: bool },
    /// Some groups are not where they should be.
    Setbacks(Vec<Setback>),
    /// These could not be stopped.
    StillHeld(Vec<GroupId>),
}

/// Why a group is not where it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setback {
    pub group: GroupId,
    /// Where it should be.
    pub to: NodeName,
    pub cause: SetbackCause,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetbackCause {
    /// It is this node's now.
    OwnedBy(Option<NodeName>),
    StartFailed,
    /// Its stop failed there, so that it cannot be started.
    Stuck,
    /// It is being moved, and this was not waited for any longer.
    UnderWay,
    /// Its stop failed on this other node.
    StuckOn(NodeName),
    /// This node has ended and could not stop it.
    LeftBehindBy(NodeName),
    /// This node takes nothing at the moment.
    Barred,
}

/// Facts worth telling. The shell words them (`hbd/src/wording.rs`), so tests compare values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    LocalStatus(&'static str),
    NodeStatus {
        node: NodeName,
        status: String,
    },
    NodeDead {
        node: NodeName,
        silent: Duration,
    },
    NodeLeft {
        node: NodeName,
    },
    NodeRestarted {
        node: NodeName,
    },
    NodeReturned {
        node: NodeName,
    },
    LinkUp {
        node: NodeName,
        link: LinkId,
    },
    LinkDead {
        node: NodeName,
        link: LinkId,
    },
    /// The ping node answers, for the first time or again.
    PingAnswers {
        ping: LinkId,
    },
    PingSilent {
        ping: LinkId,
        silent: Duration,
    },
    /// No ping node answers any more: as far as this node can tell, it is the one that is cut off.
    PingsLost,
    LateHeartbeat {
        node: NodeName,
        interval: Duration,
    },
    /// This node itself was late by so much and gives its peers time before it judges them.
    LocalStall {
        late: Duration,
    },
    /// Another node has our name: this one takes nothing.
    SameName,
    /// It is heard no more.
    SameNameGone,
    UnknownNode {
        name: String,
    },
    Replay {
        node: NodeName,
        generation: u64,
        current: u64,
    },
    PacketsLost {
        node: NodeName,
        count: u64,
        from: u64,
        to: u64,
    },
    PacketsRecovered {
        node: NodeName,
    },
    PacketsGone {
        node: NodeName,
        seq: u64,
    },
    /// The peer speaks no extension: an old Heartbeat.
    OldPeer {
        node: NodeName,
    },
    HaresourcesDiffer {
        node: NodeName,
    },
    GroupTakeover {
        group: GroupId,
        from: Option<NodeName>,
        epoch: u64,
    },
    GroupYield {
        group: GroupId,
        to: NodeName,
        reason: YieldReason,
    },
    GroupRunning {
        group: GroupId,
        timing: Timing,
    },
    GroupStopped {
        group: GroupId,
    },
    GroupFailed {
        group: GroupId,
        resource: String,
        reason: String,
    },
    GroupStuck {
        group: GroupId,
        resource: String,
        reason: String,
    },
    /// Two nodes ran it; the other claim is better, this node lets go.
    GroupConflictLost {
        group: GroupId,
        to: NodeName,
    },
    /// Two nodes ran it; this node keeps it.
    GroupConflictWon {
        group: GroupId,
        against: NodeName,
    },
    /// Something that the group holds has been missing for too long.
    GroupLost {
        group: GroupId,
        resource: String,
        reason: String,
    },
    /// No interface of this node has a carrier: it takes nothing.
    CutOff,
    /// A carrier is back.
    Reconnected,
    /// Nobody can run it now.
    GroupHomeless {
        group: GroupId,
    },
    Standby {
        node: NodeName,
        set: HoldSet,
    },
    ShutdownStarted,
    ShutdownComplete,
    /// The daemon ends although these could not be stopped; the others are told.
    ShutdownHolding {
        groups: Vec<GroupId>,
    },
    /// The node has ended and could not stop the group: nobody else starts it.
    GroupLeftBehind {
        group: GroupId,
        node: NodeName,
    },
    /// An operator vouches that nothing of the group is active elsewhere.
    GroupForced {
        group: GroupId,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YieldReason {
    Failback,
    Standby,
    Takeover,
    Shutdown,
    StartFailed,
    /// The other node runs it and does not hear this one.
    Deaf,
    /// The other node runs it as well, and is an old Heartbeat, which never lets go by itself.
    Disputed,
}
