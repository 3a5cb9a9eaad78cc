//! Everything that can happen to a node, as values. The only way into the core.

use crate::config::{GroupId, LinkId, Received};
use crate::roster::NodeId;
use crate::wire::Reject;
use ha_status::{Found, HoldSet, SendTrouble};
use std::time::Duration;

#[derive(Debug, Clone)]
pub enum Input {
    /// A deadline may have come.
    Tick,
    /// An authentic message.
    Received(Received),
    /// A packet was dropped before it became a message; only counted.
    Rejected { link: LinkId, reason: Reject },
    /// Writing on this link fails, for another reason than before or for the first time, or works
    /// again; only shown.
    LinkWrite {
        link: LinkId,
        result: Result<(), SendTrouble>,
    },
    /// This ping node has answered a request that was sent lately, so long ago. The shell asks with
    /// every status message.
    PingAnswered { ping: LinkId, took: Duration },
    /// The answer to `Output::Probe`.
    Probed { group: GroupId, activity: Activity },
    /// The answer to `Output::Start`: every resource runs, or what failed (everything of the group
    /// has then been stopped again, or the stop failed too: `Failure::still_held`).
    Started {
        group: GroupId,
        result: Result<(), Failure>,
        steps: Steps,
    },
    /// The answer to `Output::Stop`.
    Stopped {
        group: GroupId,
        result: Result<(), Failure>,
    },
    /// The answer to `Output::Prepare`: what could be made ready is. Not of one that was overtaken by a
    /// `Start` or an `Unprepare`.
    Prepared { group: GroupId },
    /// The answer to `Output::Unprepare`, in the same way.
    Unprepared { group: GroupId },
    /// The answer to `Output::Linger`: may the group go on running here beside a node that is ready for
    /// it?
    Lingers { group: GroupId, willing: bool },
    /// A running group has lost something that it holds, an address or its interface, for longer
    /// than the shell bears: it has failed here.
    Lost {
        group: GroupId,
        /// Which resource, e.g. `IPaddr::10.0.0.1/24/eth0`.
        resource: String,
        reason: String,
    },
    /// What made the group fail here has passed: it may be tried again at once.
    Mended { group: GroupId },
    /// Whether one of this node's own interfaces, of a medium or of a group's address, has a
    /// carrier. One that is never reported, such as a serial line, counts for nothing; while every
    /// reported one lacks it this node is cut off.
    Carrier { interface: String, carrier: bool },
    /// An operator or a signal asks for something.
    Command { id: CommandId, command: Command },
    /// A director of this node wants to know what those of the others find of these services, at most
    /// [`QUESTION_MAX`](ha_status::opinion::QUESTION_MAX). Answered by `Output::Opinion`, within a second.
    Ask { id: AskId, services: Vec<u64> },
    /// The answer to `Output::Inquire`, a finding for each service.
    Inquired {
        question: Question,
        found: Vec<Found>,
    },
    /// `/proc/loadavg` for the `ld` field, without line end.
    Load(String),
    /// The wall clock was set: milliseconds since 1970 now.
    WallClock(u64),
}

/// Names a question of a director of this node until its `Output::Opinion`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// Names a question of another node's director. Its default is nobody's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    pub(crate) node: NodeId,
    pub(crate) number: u64,
}

/// Names a command until its `Output::CommandDone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Hand these groups to a peer.
    Standby(HoldSet),
    /// Take these groups from the peers, and start again here what has failed.
    Takeover(HoldSet),
    /// The same, and an operator vouches that nothing of them is active where a stop failed or a
    /// node has ended without stopping them.
    ForcedTakeover(HoldSet),
    /// Hand over or release everything, say goodbye, end.
    Shutdown,
}

/// What of a group was found active when the daemon started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    Nothing,
    Something,
    Everything,
    /// The probe failed or took too long: assume that something may be active.
    Unclear,
}

/// How long the parts of a start took, as the shell measured; only shown. Parts that are done at once
/// overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps {
    /// Until the addresses were there and announced.
    pub address: Option<Duration>,
    /// Until the directors had their tables in the kernel.
    pub table: Option<Duration>,
    /// The directors had been told before, and had agreed.
    pub prepared: bool,
    pub scripts: Option<ScriptSteps>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptSteps {
    pub total: Duration,
    /// The resource that took longest, e.g. `MailTo::root`.
    pub slowest: String,
    /// How long that was.
    pub longest: Duration,
}

/// Why a group could not be started or stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which resource, e.g. `IPaddr::10.0.0.1/24/eth0`.
    pub resource: String,
    /// e.g. `start: exit status 1` or `stop: no answer within 60 s`.
    pub reason: String,
    /// True if something of the group may still be active here.
    pub still_held: bool,
}
