//! What the core must be told before it starts: names, times and groups, all resolved and checked
//! by the shell (`hbd/src/config`). The core never reads a file.

use crate::table::Table;
use crate::wire::Message;
use std::time::{Duration, Instant};

/// A node's name: lower case, as in ha.cf, 1 to 99 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(String);

impl NodeName {
    /// Longest name (the old daemon's buffer holds 99 bytes and a NUL).
    pub const MAX_BYTES: usize = 99;

    /// Lower-cases; `None` if empty, too long, or with a blank, `=` or control character.
    pub fn new(name: &str) -> Option<Self> {
        let clean = |c: char| !c.is_whitespace() && !c.is_control() && c != '=';
        let fits = !name.is_empty() && name.len() <= Self::MAX_BYTES;
        (fits && name.chars().all(clean)).then(|| Self(name.to_ascii_lowercase()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for NodeName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for NodeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One of [`Config::links`], for as long as the daemon lives; the order of ids means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(u32);

impl LinkId {
    /// A number that no other link has or had.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }
}

/// One of [`Config::groups`], for as long as the daemon lives; the order of ids means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(u32);

impl GroupId {
    /// A number that no other group has or had.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }
}

/// What was prepared for a group that is about to start is undone after so long, unless its owner is
/// stopping it all the while.
pub const PREPARED_LIMIT: Duration = Duration::from_secs(30);

/// An address that was only prepared leaves by itself so long after its node last asked for it: the
/// node may have been killed, or stand still. Whole seconds, as the kernel counts.
pub const PREPARED_LIFE: Duration = Duration::from_secs(3);

/// For so long at the most a group that another node is to run goes on running here, until that one is
/// ready for it.
pub const LINGER_LIMIT: Duration = Duration::from_secs(1);

/// The most groups a cluster can have: one status message reports them all.
pub const MAX_GROUPS: usize = 1000;

/// The most nodes, ping nodes included, as many as the old daemon can have: one status message
/// names them all.
pub const MAX_NODES: usize = 100;

/// The most media, ping nodes included, as many as the old daemon can have.
pub const MAX_LINKS: usize = 64;

/// What a group is called in reports, and each thing that it holds. Two groups of one cluster may
/// not be called the same. FNV-1a with 64 bits: names a group independently of its place in the
/// file. With 1000 groups the odds of a collision are below 1 in 10^13.
pub fn group_tag(name: &str) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    name.bytes().fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    })
}

/// Everything fixed for one life of the daemon.
#[derive(Debug, Clone)]
pub struct Config {
    /// This node; always one of `nodes`.
    pub local: NodeName,
    /// Normal nodes in the order of the `node` lines, without duplicates; at most [`MAX_NODES`].
    pub nodes: Vec<NodeName>,
    /// Media in file order; at most [`MAX_LINKS`].
    pub links: Table<LinkId, LinkConfig>,
    /// Hosts outside the cluster whose answers show that the network works, in file order, under
    /// ids of their own among those of `links`; with the nodes at most [`MAX_NODES`], with the
    /// media at most [`MAX_LINKS`].
    pub pings: Table<LinkId, PingConfig>,
    /// One status message each so often, > 0.
    pub keepalive: Duration,
    /// A heartbeat later than this is worth a warning.
    pub warntime: Duration,
    /// Silence after which a node is dead; > 2 × keepalive.
    pub deadtime: Duration,
    /// Deadtime while the cluster is starting; ≥ deadtime.
    pub initdead: Duration,
    /// Silence after which a ping node is dead; > 2 × keepalive.
    pub deadping: Duration,
    pub failback: Failback,
    /// In the order of haresources; at most [`MAX_GROUPS`], names unique.
    pub groups: Table<GroupId, GroupConfig>,
    /// Hex digest of the normalised haresources, sent to peers so that differences are noticed.
    pub haresources_digest: String,
    /// Identity of this node, persistent (`hb_uuid`).
    pub uuid: [u8; 16],
    /// Generation of this life, greater than that of any earlier one (`hb_generation`).
    pub generation: u64,
    /// Seeds jitter and acknowledgement residues.
    pub seed: u64,
    /// Part of the `ttl` field; the old default is 1.
    pub hopfudge: u8,
    /// Longest delay before a lost packet is asked for; the old default is 250 ms.
    pub max_rexmit_delay: Duration,
    /// After a failed start a group is tried again here, at the earliest, after this time.
    pub retry_failed: Duration,
    /// After a failed stop it is tried again after this time.
    pub retry_stop: Duration,
    /// A group that comes and goes returns to its preferred node only once that has been there for
    /// so long; the time doubles with every return.
    pub hold_down: Duration,
    /// What earlier lives of this node knew of its peers.
    pub known: Vec<KnownPeer>,
    /// Wall clock: at this instant it was so many milliseconds since 1970.
    pub wall: (Instant, u64),
}

/// What must be remembered of a peer across restarts of this node: without it, packets that were
/// recorded long ago would pass for news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPeer {
    pub node: NodeName,
    /// The generation of its last life that was heard.
    pub generation: u64,
    pub uuid: Option<[u8; 16]>,
    /// Did that life speak the extension?
    pub extended: bool,
    /// Identities that it had before, the latest last; at most [`KnownPeer::MAX_RETIRED`].
    pub retired: Vec<[u8; 16]>,
}

impl KnownPeer {
    /// So many former identities of one node are remembered.
    pub const MAX_RETIRED: usize = 8;
}

/// A medium as the core sees it: a name for rows and log lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkConfig {
    /// The directive: `bcast`, `ucast`, …
    pub medium: String,
    /// The interface or tty; names the link in the old log lines (`Link lb1:eth0 up.`).
    pub device: String,
    /// A line to one neighbour: what is heard there goes on over the other lines, so that a ring of
    /// them reaches every node.
    pub passes_on: bool,
}

/// A ping node: a name of its own, and how it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingConfig {
    /// No node's.
    pub name: NodeName,
    /// The directive: `ping`, `ping6`, `ping_group`.
    pub medium: String,
}

/// `auto_failback`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failback {
    On,
    Off,
    /// The old default. Between hbd nodes it means `on`, which is what `legacy` did in effect.
    Legacy,
}

impl Failback {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Legacy => "legacy",
        }
    }

    /// Does a group return to its preferred node by itself?
    pub fn returns(self) -> bool {
        match self {
            Self::On | Self::Legacy => true,
            Self::Off => false,
        }
    }
}

/// One line of haresources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    /// The group key, unique: the first resource word.
    pub name: String,
    pub preferred: NodeName,
    /// Left to right: the order of starting.
    pub resources: Vec<ResourceConfig>,
    /// What it really is, however it is written: its addresses and its disks. Groups of two nodes
    /// that hold one thing in common are one group. Empty: its name.
    pub holds: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceConfig {
    /// `IPaddr`, `ldirectord`, …
    pub script: String,
    pub args: Vec<String>,
}

/// A received packet whose digest was right.
#[derive(Debug, Clone)]
pub struct Received {
    pub link: LinkId,
    pub message: Message,
}
