//! What the core must be told: virtual services with their real servers, resolved and checked by
//! the shell (`ldird/src/config`). The core never reads a file.

use crate::options::{Limits, Options};
use crate::table::{DestinationKey, Forwarding, ServiceKey, ServiceSpec, Tunnel};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// In file order, keys unique.
    pub services: Vec<VirtualService>,
    /// `readdquiescent`: at start put absent real servers into the table at weight 0.
    pub readdquiescent: bool,
    pub standby: Standby,
    /// Virtual services are missing, for their names have no address yet: what an earlier life left
    /// may be theirs and stays.
    pub incomplete: bool,
    /// Seeds the spread of checks over their interval.
    pub seed: u64,
}

/// What is different while the resource is active elsewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standby {
    /// `standbytable`: the table is in the kernel all the same.
    pub table: bool,
    /// `standbyinterval`: no real server is asked more often than this; `None`: as often as ever.
    pub interval: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualService {
    pub key: ServiceKey,
    pub spec: ServiceSpec,
    pub reals: Vec<RealServer>,
    pub fallback: Option<Fallback>,
    /// A dead real server stays in the table with weight 0 instead of leaving it.
    pub quiescent: bool,
    /// Remove the service from the table when the daemon stops.
    pub cleanstop: bool,
    /// Real servers or the fallback are missing, for their names have no address yet: rows that an
    /// earlier life left may be theirs and stay.
    pub incomplete: bool,
    /// How long between the ends of two checks of one real server, > 0.
    pub interval: Duration,
    /// No check of one of its real servers takes longer.
    pub timeout: Duration,
    /// Failed checks in a row that take a real server down, ≥ 1.
    pub failurecount: u32,
    pub options: Options,
    /// `servicename`, for mails and dashboards; may be empty.
    pub name: String,
}

impl VirtualService {
    /// How often in a row a check must fail, or pass.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            failures: self.failurecount,
            passes: self.options.risecount,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealServer {
    /// As it stands in the table: for gate and ipip the port is the virtual's, as the kernel does.
    pub key: DestinationKey,
    /// As the file has it, for log lines and dashboards.
    pub configured: DestinationKey,
    pub forwarding: Forwarding,
    pub weight: u32,
    pub upper: u32,
    pub lower: u32,
    /// How tunnelled packets are wrapped; IP in IP where the file says nothing.
    pub tunnel: Tunnel,
    pub check: Check,
    /// Its own agent, if there is one to be asked; never beside [`Check::Off`].
    pub agent: Option<AgentCheck>,
    /// What is checked, for dashboards: `negotiate http`, `connect`, …
    pub description: String,
}

/// Who else is asked about a real server: an agent on it, of which [`Noted::agent`] tells.
///
/// [`Noted::agent`]: crate::input::Noted::agent
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentCheck {
    /// No check has its number.
    pub probe: ProbeId,
    /// How long between the ends of two questions, > 0.
    pub interval: Duration,
}

/// How a real server's health is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// A probe the shell knows under this number. Real servers with the same number ask the same
    /// question as often, and share one probe; each counts failures by its own `failurecount`.
    Probe(ProbeId),
    /// `checktype=on`: always up.
    On,
    /// `checktype=off`: neither checked nor used.
    Off,
}

/// Names one distinct probe of the shell. Stays the same across reloads for the same question, and
/// is never used again for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub u32);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// As it stands in the table.
    pub key: DestinationKey,
    pub forwarding: Forwarding,
}
