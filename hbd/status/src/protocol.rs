//! The conversation on a status socket: one JSON value per line, the server's first line a hello.

use crate::{
    Change, ClusterSnapshot, DirectorSnapshot, Group, HoldSet, Notice, View, VirtualService,
};
use serde::{Deserialize, Serialize};

/// Grows when a field changes its meaning; new fields alone do not raise it.
pub const SCHEMA_VERSION: u32 = 2;

/// The server's first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`SCHEMA_VERSION`] of the server.
    pub version: u32,
    /// `hbd` or `ldird`.
    pub program: String,
    /// The program's release, e.g. `0.1.0`.
    pub release: String,
    /// Node name (hbd) or configuration name (ldird).
    pub name: String,
    pub pid: u32,
}

/// One line from a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// One snapshot.
    Snapshot,
    /// A snapshot, then every change, numbered without gaps.
    Follow,
    /// Counters and states as Prometheus text.
    Metrics,
    /// What is found of these services ([`opinion`](crate::opinion)), at most
    /// [`QUESTION_MAX`](crate::opinion::QUESTION_MAX). ldird: by its own checks; hbd: by the directors of
    /// the other nodes. Answered by `opinion` or `error`.
    Opinion { services: Vec<u64> },
    /// Do something; answered by `done` or `error` when it is finished or refused.
    Act { action: Action },
}

/// What an operator can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Action {
    /// hbd: hand these groups to the peer.
    Standby { set: HoldSet },
    /// hbd: take these groups from the peer, and start again what has failed here. With `force` the
    /// operator vouches that nothing of them is active where a stop has failed.
    Takeover {
        set: HoldSet,
        #[serde(default)]
        force: bool,
    },
    /// ldird: its resource becomes active here; done when the kernel has the table.
    Serve,
    /// ldird that is resident: its resource stops here; done when the table has left the kernel.
    HoldBack,
    /// ldird on standby: its resource is about to become active here, so the table goes into the kernel
    /// already; done when that has begun. It is held back again by `HoldBack`, and by itself when
    /// nothing follows. Refused where this machine is a real server of the table.
    Prepare,
    /// The same as `HoldBack` where another director takes over at once: done when the role is on
    /// disk, and the table leaves the kernel a moment later.
    Yield,
    /// ldird: an operator's word about real servers.
    Overrule {
        /// A virtual service: its id, address, mark or name; `all` for every one.
        service: String,
        /// `10.0.0.1:80`, or `10.0.0.1` for all its ports.
        real: String,
        word: Word,
        /// When it ends by itself, seconds from now.
        for_s: Option<u64>,
        why: String,
        /// Also if a service is left without anybody; a weight also while checks fail.
        force: bool,
    },
    /// Both: end in order, releasing resources (hbd) or the table (ldird, `cleanstop`).
    Stop,
    /// Both: read the configuration again; a broken one changes nothing, and neither does one that
    /// takes out more than half of what serves (ldird), unless it is forced.
    Reload {
        #[serde(default)]
        force: bool,
    },
}

/// What can be said of a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "snake_case")]
pub enum Word {
    Drain,
    /// Ends a drain, and a weight.
    Undrain,
    Weight {
        weight: u32,
    },
    Maintenance {
        on: bool,
    },
}

/// One line from a server.
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, on its way to or from a line; never stored"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    Hello(Hello),
    /// Rows of the snapshot that comes next, before its own: a large table travels in lines of
    /// bounded length. The client of this crate puts them together.
    Rows {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        groups: Vec<Group>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        services: Vec<VirtualService>,
        /// The first of `services` is the last one before, with more real servers.
        #[serde(default)]
        continued: bool,
    },
    Snapshot {
        /// Number of the last change that this snapshot contains.
        seq: u64,
        snapshot: Snapshot,
    },
    Change {
        /// One more than the change or snapshot before.
        seq: u64,
        changes: Vec<Change>,
    },
    /// Something worth telling happened; numbered like changes.
    Notice {
        seq: u64,
        notice: Notice,
    },
    Metrics {
        text: String,
    },
    /// What was asked for, of each node whose directors answered in time; of ldird it is its own.
    Opinion {
        views: Vec<View>,
    },
    /// The action is finished.
    Done {
        text: String,
    },
    /// The request was refused or failed; nothing was changed unless the text says so.
    Error {
        text: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Snapshot {
    Cluster(ClusterSnapshot),
    Director(DirectorSnapshot),
}
