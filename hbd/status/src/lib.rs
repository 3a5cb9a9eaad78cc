//! The status socket's vocabulary, shared by hbd, ldird and hbtui: what a snapshot, a change, a
//! request and a reply look like, and how they stand on a line of JSON.
//!
//! Plain data and pure functions. The two halves of the socket itself (`server`, `client`) need a
//! runtime and live behind the `socket` feature.

pub mod change;
pub mod cluster;
pub mod director;
pub mod mirror;
pub mod notice;
pub mod opinion;
pub mod protocol;
pub mod quality;
pub mod reason;
#[cfg(feature = "socket")]
pub mod socket;
pub mod timing;

pub use change::{Change, Volatile, apply, apply_notice, diff};
pub use cluster::{
    ClusterPhase, ClusterSnapshot, Counters, Group, GroupRun, HoldSet, Link, LinkState, Node,
    NodeKind, NodeStatus, NotSent, Refused, Resource, RunState,
};
pub use director::{
    Agent, Asks, ConnectionSync, DirectorPhase, DirectorSnapshot, Draining, Duty, Fallback, Health,
    Lateness, Leaving, Outdated, Override, Panic, RealServer, Role, Says, SecondOpinion, Stage,
    SyncEnd, Totals, Trial, VirtualService,
};
pub use mirror::{Gap, Heard, Mirror};
pub use notice::{Notice, Recent, Severity, printable};
pub use opinion::{Found, View};
pub use protocol::{Action, Hello, Reply, Request, SCHEMA_VERSION, Snapshot, Word};
pub use quality::{Quality, Silences, Span};
pub use reason::{
    Attempt, ClaimCause, ClaimReason, Fate, GroupReason, RefusedReason, SendTrouble, Unfit, Waiting,
};
pub use timing::{ScriptTiming, Timing};
