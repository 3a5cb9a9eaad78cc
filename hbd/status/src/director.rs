//! What ldird shows: virtual services with their real servers, as configured, as checked and as
//! they stand in the kernel's table.

use crate::notice::{Notice, Recent};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Everything one ldird shows at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectorSnapshot {
    /// The configuration's short name as in the pid file, e.g. `ldirectord` or `web.cf`.
    pub config: String,
    /// Absolute path of the configuration file.
    pub path: String,
    /// Wall clock of this snapshot, milliseconds since 1970.
    pub at_ms: u64,
    /// How long the daemon has been running, milliseconds.
    pub uptime_ms: u64,
    pub phase: DirectorPhase,
    #[serde(default)]
    pub duty: Duty,
    /// Connections are synchronised with the other director; absent: not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<ConnectionSync>,
    /// The file on disk is not the one in force, which is older; absent: it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outdated: Option<Outdated>,
    /// In file order.
    pub services: Vec<VirtualService>,
    pub totals: Totals,
    /// The last notices, oldest first, at most [`DirectorSnapshot::RECENT_MAX`].
    pub recent: Vec<Notice>,
}

impl DirectorSnapshot {
    /// How many notices a snapshot carries.
    pub const RECENT_MAX: usize = Recent::MAX;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectorPhase {
    Starting,
    Running,
    Reloading,
    Stopping,
}

/// What a director is there for at present, since when, and who said so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duty {
    pub role: Role,
    /// On standby, and the kernel's table has none of its services: `standbytable=no`.
    pub held_back: bool,
    /// It runs whether its resource is active or not: a stop of the resource leaves it on standby.
    pub resident: bool,
    /// Wall clock at which the role last changed, milliseconds since 1970.
    pub since_ms: u64,
    /// Who asked for the role, e.g. `root (uid 0, pid 123)` or `the start`; may be empty.
    pub by: String,
}

/// Does the director distribute, or does it only check?
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The resource is active here: the table is in the kernel.
    #[default]
    Active,
    /// It knows every verdict and holds its table back until the resource becomes active here.
    Standby,
}

/// The rules in force are older than the file: it was refused when it was to be read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outdated {
    /// Wall clock of the last refusal, milliseconds since 1970.
    pub refused_ms: u64,
    /// Why, in a line.
    pub why: String,
}

/// The kernel's synchronisation daemon that belongs to the director's role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionSync {
    /// The one that belongs here.
    pub end: SyncEnd,
    /// The interface that carries the multicast, e.g. `eth1`.
    pub interface: String,
    /// Tells clusters on one wire apart.
    pub sync_id: u8,
    /// It runs, whoever started it.
    pub runs: bool,
    /// Why not, or what else is wrong; empty if nothing is.
    pub problem: String,
}

/// Which end of the synchronisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncEnd {
    /// Sends connections: on the active director.
    Master,
    /// Takes them over: on the one on standby.
    Backup,
}

impl SyncEnd {
    /// As ipvsadm names it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Backup => "backup",
        }
    }
}

/// A virtual service and what the kernel says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualService {
    /// `tcp:10.0.0.100:80`, `udp:[2001:db8::1]:53`, `fwm:5`, `fwm6:5`.
    pub id: String,
    /// `10.0.0.100:80` or the mark's number.
    pub address: String,
    /// `tcp`, `udp`, `sctp` or `fwm`.
    pub protocol: String,
    /// e.g. `wlc`.
    pub scheduler: String,
    /// Persistence, seconds; 0 for none.
    pub persistent: u32,
    /// `servicename` of the file, empty if not given.
    pub name: String,
    /// Is the service in the kernel's table?
    pub in_table: bool,
    pub fallback: Option<Fallback>,
    /// So many real servers failed at once that their weights are held as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panic: Option<Panic>,
    /// Its last real server fails and has its weight all the same, or is about to be taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opinion: Option<SecondOpinion>,
    /// How many rows that others changed have been put back since the daemon started (`enforce`).
    #[serde(default)]
    pub enforced: u64,
    /// Real servers that the file does not name any more, and that serve until those in their place
    /// have been checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaving: Vec<Leaving>,
    /// In file order, ranges expanded; those at addresses on trial come last.
    pub reals: Vec<RealServer>,
    /// Connections scheduled since the service was added. Volatile.
    pub connections: u64,
    /// Packets and bytes seen by the kernel for it. Volatile.
    pub packets_in: u64,
    /// Volatile.
    pub bytes_in: u64,
}

/// A real server on its way out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// `10.0.0.1:80`.
    pub address: String,
    /// Its weight until then.
    pub weight: u32,
    /// Wall clock at which it is gone at the latest, milliseconds since 1970.
    pub until_ms: u64,
}

/// Another address of a name, which has to pass a check before the name has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    pub name: String,
    /// The one that it has, and that stays until then, e.g. `10.0.0.1:80`.
    pub known: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    /// `127.0.0.1:80`.
    pub address: String,
    /// `gate`, `masq` or `ipip`.
    pub forwarding: String,
    /// Is it in the table, i.e. is no real server up?
    pub active: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RealServer {
    /// `10.0.0.1:80`.
    pub address: String,
    /// `gate`, `masq` or `ipip`.
    pub forwarding: String,
    /// Weight from the file, 0..=65535.
    pub weight: u32,
    /// Weight in the kernel's table; `None` if it is not in it.
    pub table_weight: Option<u32>,
    pub health: Health,
    /// Wall clock at which `health` last changed, milliseconds since 1970.
    pub since_ms: u64,
    /// Failed checks in a row, while still up.
    pub failures: u32,
    /// Failed checks in a row that take it down (`failurecount`).
    pub failure_limit: u32,
    /// What is checked, e.g. `negotiate http` or `connect`.
    pub check: String,
    /// What the last check said, e.g. `200 OK` or `connection refused`.
    pub message: String,
    /// Why the last check could not be asked, e.g. `no file descriptors`: the director's own want,
    /// which changes neither health nor weight. `None` after a verdict.
    #[serde(default)]
    pub could_not_ask: Option<String>,
    /// Where it is on its way to what its checks say; `None` if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// A name server says that a name of the file is here now; `None`: it stands in the file, or the
    /// name has been here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// When its certificate ends, as a check saw it, milliseconds since 1970; `None` where none was
    /// shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_until_ms: Option<u64>,
    /// What its own agent asks for; `None` where none is asked (`agentport`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// What an operator has said of it, the stronger first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// How far it is on its way to having no connections, while it is to get no new ones. Volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining: Option<Draining>,
    /// Age of the last verdict, milliseconds. Volatile.
    pub checked_ms: Option<u64>,
    /// How long the last check took, microseconds. Volatile.
    pub took_us: Option<u64>,
    /// Kernel counters. Volatile.
    pub active_connections: u32,
    /// Volatile.
    pub inactive_connections: u32,
    /// Connections scheduled to it since it was added. Volatile.
    pub connections: u64,
}

/// The weights of a pool are held: more of it failed within one interval than the file takes for
/// possible (`panicthreshold`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panic {
    /// Real servers that fail and have their weight all the same.
    pub failing: usize,
    /// Wall clock, milliseconds since 1970.
    pub since_ms: u64,
    /// The same, when the verdicts count at the latest (`panictime`).
    pub until_ms: u64,
}

/// The last real server of a service fails here, and another director finds one up (`secondopinion`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondOpinion {
    /// Who has its weight although it fails: `10.0.0.1:80`.
    pub real: String,
    /// Whose director finds what is in `up`; empty while it is being asked for the first time.
    pub node: String,
    /// The real servers that it finds up.
    pub up: Vec<String>,
    /// Wall clock, milliseconds since 1970.
    pub since_ms: u64,
    /// The same, when the verdict counts at the latest (`secondopiniontime`).
    pub until_ms: u64,
}

/// What a real server is in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// It passes again, and not yet often enough in a row (`risecount`).
    Rising { passes: u32, of: u32 },
    /// It came back and gets its weight in steps (`slowstart`).
    SlowStart {
        weight: u32,
        /// Wall clock, milliseconds since 1970, at which it has all of it.
        full_ms: u64,
    },
    /// It fails, and its weight is held: see [`VirtualService::panic`] and [`VirtualService::opinion`].
    Held,
}

/// What a real server's own agent has asked for so far. It counts as long as the agent does not say
/// otherwise, also while it does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    pub asks: Asks,
    /// Of the weight in the file, 0..=[`Agent::PERCENT_MAX`].
    pub percent: u32,
    /// The reason that it gave; may be empty.
    pub why: String,
    /// Wall clock at which it last asked for something else, milliseconds since 1970.
    pub since_ms: u64,
    /// Why it does not answer, or cannot be understood; `None` while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent: Option<String>,
}

impl Agent {
    /// More than this is no percentage that anybody means.
    pub const PERCENT_MAX: u32 = 1000;

    /// Is everything as without an agent?
    pub fn is_content(&self) -> bool {
        (self.asks, self.percent) == (Asks::Serve, 100) && self.silent.is_none()
    }
}

/// e.g. `75 % of the weight`, `drain: updates`, `down; does not answer: connection refused`.
impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.asks {
            Asks::Serve => write!(f, "{} % of the weight", self.percent)?,
            Asks::Drain | Asks::Maintenance | Asks::Down => self.asks.fmt(f)?,
        }
        if !self.why.is_empty() {
            write!(f, ": {}", self.why)?;
        }
        match &self.silent {
            Some(reason) => write!(f, "; does not answer: {reason}"),
            None => Ok(()),
        }
    }
}

/// What becomes of a real server by its agent's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asks {
    /// It gets its percentage of the weight.
    Serve,
    /// No new connections; those that it has go on.
    Drain,
    /// Out, and that is meant so.
    Maintenance,
    /// Out, as if its check had failed.
    Down,
}

impl fmt::Display for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Serve => "serve",
            Self::Drain => "drain",
            Self::Maintenance => "maintenance",
            Self::Down => "down",
        })
    }
}

/// An operator's word about a real server: who, since when, why, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    #[serde(flatten)]
    pub says: Says,
    /// `alice (uid 1000, pid 123)`.
    pub by: String,
    /// `--reason`; may be empty.
    pub why: String,
    /// Wall clock, milliseconds since 1970.
    pub since_ms: u64,
    /// The same, when it ends by itself; `None` for never.
    pub until_ms: Option<u64>,
}

/// What counts more than health and configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "says", rename_all = "snake_case")]
pub enum Says {
    /// It is out, as with a file in the maintenance directory.
    Maintenance,
    /// It stays in the table with weight 0: no new connections.
    Drain,
    /// This weight instead of the file's; `regardless`: also while its checks fail.
    Weight { weight: u32, regardless: bool },
}

impl Says {
    /// As an operator types it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Maintenance => "maintenance",
            Self::Drain => "drain",
            Self::Weight { .. } => "weight",
        }
    }
}

/// The connections of a real server that gets no new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draining {
    /// When it began.
    pub at_first: u32,
    /// Now, active and inactive ones.
    pub left: u32,
    /// At the pace so far none are left in so many milliseconds; `None` while that says nothing.
    pub empty_in_ms: Option<u64>,
}

/// The verdict on a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Not checked yet.
    Unknown,
    Up,
    Down,
    /// Taken out by a file in the maintenance directory.
    Maintenance,
    /// `checktype=off`: neither checked nor used.
    Off,
}

/// Counts since the daemon started. All volatile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Checks finished.
    pub checks: u64,
    /// Of these, failed ones.
    pub checks_failed: u64,
    /// Of `checks`, those that could not be asked for want of the director's own means.
    #[serde(default)]
    pub checks_unasked: u64,
    /// Edits made in the kernel's table.
    pub edits: u64,
    /// Edits that the kernel refused.
    pub edits_failed: u64,
    /// How late checks began.
    #[serde(default)]
    pub lateness: Lateness,
}

/// How much later than they were due the checks of the last minute or so began: their director, or its
/// machine, has too much to do if that is much. Zero where there were none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lateness {
    /// So many checks are counted here.
    pub checks: u64,
    /// Half of them were no later, microseconds.
    pub median_us: u64,
    /// 99 of 100 were no later, microseconds.
    pub p99_us: u64,
    /// The latest one, microseconds.
    pub worst_us: u64,
}
