//! What hbd shows: nodes, links, resource groups and counters, as one node sees them.
//!
//! Ages and times are milliseconds. "Age" fields count back from `at_ms`; they are *volatile*:
//! they change without anything having happened.

use crate::notice::{Notice, Recent};
use crate::quality::Quality;
use crate::reason::{GroupReason, RefusedReason, SendTrouble};
use crate::timing::Timing;
use serde::{Deserialize, Serialize};

/// Everything hbd shows at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSnapshot {
    /// The local node's name, lower case, e.g. `lb1`.
    pub node: String,
    /// Wall clock of this snapshot, milliseconds since 1970.
    pub at_ms: u64,
    /// How long the daemon has been running, milliseconds.
    pub uptime_ms: u64,
    pub phase: ClusterPhase,
    /// True while every live peer speaks hbd's extension of the protocol.
    pub extended: bool,
    /// `auto_failback` as configured: `on`, `off` or `legacy`.
    pub auto_failback: String,
    /// keepalive, milliseconds, e.g. 200.
    pub keepalive_ms: u64,
    /// deadtime, milliseconds, e.g. 2000.
    pub deadtime_ms: u64,
    /// In the order of the `node` lines, the local node included, ping nodes last.
    pub nodes: Vec<Node>,
    /// One row for each pair of remote node and medium.
    pub links: Vec<Link>,
    /// In the order of haresources.
    pub groups: Vec<Group>,
    /// Packets that are not believed, of late: who sends them, why they are refused, what to do.
    #[serde(default)]
    pub refused: Vec<Refused>,
    pub counters: Counters,
    /// The last notices, oldest first, at most [`ClusterSnapshot::RECENT_MAX`].
    pub recent: Vec<Notice>,
}

impl ClusterSnapshot {
    /// How many notices a snapshot carries.
    pub const RECENT_MAX: usize = Recent::MAX;
}

/// Where the daemon is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterPhase {
    /// Not every node has been heard or declared dead yet; no resources are touched.
    Starting,
    Running,
    /// Releasing resources before the daemon ends.
    Stopping,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Lower case, as in ha.cf.
    pub name: String,
    /// Is this the node that answers?
    pub local: bool,
    pub kind: NodeKind,
    pub status: NodeStatus,
    /// Does it speak hbd's extension? False for Heartbeat 3.0.6 and for nodes never heard.
    pub extended: bool,
    /// Its generation number (`hg`); 0 before it was heard.
    pub generation: u64,
    /// Age of its last status message, milliseconds; `None` if never heard. Volatile.
    pub heard_ms: Option<u64>,
    /// How long it may be silent before it is declared dead, milliseconds.
    pub deadtime_ms: u64,
    /// Wall clock at which `status` last changed, milliseconds since 1970.
    pub since_ms: u64,
    /// Does its haresources equal ours? `None` while unknown (an old peer never says).
    pub same_haresources: Option<bool>,
    /// How well it is heard over all links together; `None` before, and of the local node. Volatile.
    #[serde(default)]
    pub quality: Option<Box<Quality>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    Normal,
    Ping,
}

/// A node's status as the local node believes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeStatus {
    /// Never heard from.
    Init,
    /// Its daemon runs and waits for its peers.
    Up,
    /// Fully operational.
    Active,
    /// It said goodbye after releasing its resources.
    Left,
    /// Silent for longer than its dead time.
    Dead,
    /// A ping node that answers.
    Ping,
}

/// One way of hearing one remote node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The remote node.
    pub node: String,
    /// The directive that made the medium: `bcast`, `ucast`, `serial`, …
    pub medium: String,
    /// Interface or tty, e.g. `eth0`.
    pub device: String,
    pub state: LinkState,
    /// Age of the last packet from the node on this link, milliseconds. Volatile.
    pub heard_ms: Option<u64>,
    /// Packets heard. Volatile.
    pub packets: u64,
    /// Why nothing leaves on this medium now, to whomever; `None` while it does.
    #[serde(default)]
    pub not_sent: Option<NotSent>,
    /// How well the node is heard on this link; `None` before. Volatile.
    #[serde(default)]
    pub quality: Option<Box<Quality>>,
}

/// Nothing leaves on a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotSent {
    /// What kept the last message from leaving.
    pub trouble: SendTrouble,
    /// Wall clock of the first message that did not leave, milliseconds since 1970.
    pub since_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Nothing heard yet.
    Init,
    Up,
    Dead,
}

/// Packets of one sender that are refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The node that it calls itself or whose address it has; `None` if nobody can tell.
    pub node: Option<String>,
    /// The address that the last one came from, e.g. `10.77.0.2`; `None` if many send them.
    pub from: Option<String>,
    pub reason: RefusedReason,
    /// How many have come. Volatile.
    pub count: u64,
    /// Age of the last one, milliseconds. Volatile.
    pub last_ms: u64,
}

impl Refused {
    /// What it means and what to do about it, in one sentence.
    pub fn meaning(&self) -> String {
        self.reason.meaning(self.node.as_deref())
    }
}

/// A resource group: one line of haresources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The group key: the first resource word of the line, e.g. `IPaddr::10.0.0.1/24/eth0`.
    pub name: String,
    /// The node named by the line.
    pub preferred: String,
    /// The node that should run it, as far as is agreed.
    pub owner: Option<String>,
    /// Grows at every change of owner.
    pub epoch: u64,
    /// What really happens here, on the local node.
    pub state: RunState,
    /// What each live node says of it, the local node included, by node order; and `stuck` for one
    /// that has ended without being able to stop it.
    pub runs: Vec<GroupRun>,
    pub resources: Vec<Resource>,
    /// The causal chain of the present owner, and what the group waits for; as a sentence e.g.
    /// `lb1 fell silent on every link; lb2 was next`.
    pub reason: GroupReason,
    /// How long it took until it ran here, and what of that; `None` while it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRun {
    pub node: String,
    pub state: RunState,
}

/// What runs on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Not examined yet since the daemon started.
    Unknown,
    Stopped,
    Starting,
    Running,
    Stopping,
    /// The start failed here; everything was stopped again.
    Failed,
    /// The stop failed: the node may still hold it, so nobody else may start it.
    Stuck,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The script's name, e.g. `IPaddr`.
    pub script: String,
    pub args: Vec<String>,
}

/// Which groups are meant, in the words of `hb_standby`: local ones name the speaking node as
/// preferred, foreign ones name another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldSet {
    None,
    Local,
    Foreign,
    All,
}

impl HoldSet {
    pub fn of(local: bool, foreign: bool) -> Self {
        match (local, foreign) {
            (false, false) => Self::None,
            (true, false) => Self::Local,
            (false, true) => Self::Foreign,
            (true, true) => Self::All,
        }
    }

    /// Are the speaker's own groups in it, or with `false` those of others?
    pub fn has_home(self, home: bool) -> bool {
        if home {
            self.has_local()
        } else {
            self.has_foreign()
        }
    }

    pub fn has_local(self) -> bool {
        matches!(self, Self::Local | Self::All)
    }

    pub fn has_foreign(self) -> bool {
        matches!(self, Self::Foreign | Self::All)
    }
}

/// Counts since the daemon started. All volatile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Datagrams accepted by the digest check.
    pub packets_in: u64,
    /// Messages sent (each goes out on every link).
    pub packets_out: u64,
    /// Dropped: neither framing.
    pub rejected_frame: u64,
    /// Dropped: the digest does not fit.
    pub rejected_digest: u64,
    /// Dropped: signed with a key we do not have.
    pub rejected_key: u64,
    /// Dropped: longer than a message may be.
    pub rejected_length: u64,
    /// Dropped: authentic, but not a message.
    pub rejected_malformed: u64,
    /// Dropped: an old generation or sequence number (replay).
    pub replays: u64,
    /// Copies over further links; normal.
    pub duplicates: u64,
    /// Heartbeats later than warntime.
    pub late: u64,
    /// Messages that never arrived.
    pub lost: u64,
    /// Addresses that somebody removed and hbd put back.
    pub addresses_restored: u64,
}
