//! A configuration without faults: everything that the daemon needs except who it is in this life.

use super::medium::MediumSpec;
use super::ping::PingSpec;
use crate::identity::{GenerationFrom, UuidFrom};
use ha_plumbing::log::{Console, Facility, Layout, Settings as LogSettings};
use ha_plumbing::wall::Wall;
use ha_plumbing::{Diagnostics, realtime};
use hbd_core::config::{Config, Failback, GroupConfig, GroupId, LinkId, NodeName};
use hbd_core::wire::Keys;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// After a failed start a group is tried again here after this time.
pub const RETRY_FAILED: Duration = Duration::from_secs(60);
/// A group that has just returned to its preferred node returns again only after that node has been
/// steady for so long; the time doubles with every return.
pub const HOLD_DOWN: Duration = Duration::from_secs(10);
/// After a failed stop it is tried again after this time.
pub const RETRY_STOP: Duration = Duration::from_secs(10);

/// A configuration without faults. Everything the daemon needs except who it is in this life.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// This node; one of `nodes`.
    pub local: NodeName,
    /// In the order of the `node` lines, without duplicates.
    pub nodes: Vec<NodeName>,
    /// `cluster`: informational.
    pub cluster: String,
    pub timing: Timing,
    /// `hopfudge`, 0 to 255.
    pub hopfudge: u8,
    pub failback: Failback,
    pub uuid_from: UuidFrom,
    pub generation_from: GenerationFrom,
    /// In file order; at least one.
    pub media: Vec<MediumSpec>,
    /// In file order; names differ from each other and from those of nodes.
    pub pings: Vec<PingSpec>,
    pub keys: Keys,
    /// In file order.
    pub groups: Vec<GroupConfig>,
    /// 16 hex digits of the normalised haresources.
    pub haresources_digest: String,
    pub logging: Logging,
    /// `log_badpack`: log packets that are malformed or not authentic.
    pub log_badpack: bool,
    /// `None`: `realtime off`.
    pub realtime: Option<realtime::Settings>,
    /// `builtin`: addresses are set by hbd itself and not by scripts.
    pub builtin: bool,
    pub script_limits: ScriptLimits,
    /// For every script: `HA_<directive>` of directives that were given, and `HA_<NAME>` of `env`.
    pub environment: BTreeMap<String, String>,
    /// To be logged once.
    pub warnings: Diagnostics,
}

/// All > 0; `warntime` < `deadtime` is usual but not demanded; `initdead` ≥ `deadtime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    pub keepalive: Duration,
    pub warntime: Duration,
    pub deadtime: Duration,
    pub initdead: Duration,
    /// > 2 × `keepalive`.
    pub deadping: Duration,
    pub max_rexmit_delay: Duration,
}

/// How long a resource script may take before it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScriptLimits {
    pub start: Duration,
    pub stop: Duration,
    pub status: Duration,
}

/// Where log lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    pub logfile: Option<PathBuf>,
    pub debugfile: Option<PathBuf>,
    pub facility: Option<Facility>,
    /// `syslogmsgfmt`: false gives the dated layout in files.
    pub syslog_layout: bool,
    pub debug: u8,
}

/// Who the daemon is in this life; from `identity` and the clock.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    pub uuid: [u8; 16],
    pub generation: u64,
    pub seed: u64,
    pub wall: Wall,
}

impl Loaded {
    /// What the core must be told. Here links and groups get their ids.
    pub fn core_config(&self, life: Life) -> Config {
        let media = self.media.iter().map(MediumSpec::link);
        let pings = self.pings.iter().map(PingSpec::config);
        let mut ids = (0..).map(LinkId::new);
        let groups = self.groups.iter().cloned();
        Config {
            local: self.local.clone(),
            nodes: self.nodes.clone(),
            links: media.zip(ids.by_ref()).map(|(it, id)| (id, it)).collect(),
            pings: pings.zip(ids).map(|(it, id)| (id, it)).collect(),
            keepalive: self.timing.keepalive,
            warntime: self.timing.warntime,
            deadtime: self.timing.deadtime,
            initdead: self.timing.initdead,
            deadping: self.timing.deadping,
            failback: self.failback,
            groups: (0..).map(GroupId::new).zip(groups).collect(),
            haresources_digest: self.haresources_digest.clone(),
            uuid: life.uuid,
            generation: life.generation,
            seed: life.seed,
            hopfudge: self.hopfudge,
            max_rexmit_delay: self.timing.max_rexmit_delay,
            retry_failed: RETRY_FAILED,
            retry_stop: RETRY_STOP,
            hold_down: HOLD_DOWN,
            known: Vec::new(),
            wall: (life.wall.since, life.wall.ms),
        }
    }

    /// For `ha_plumbing::log`. The journal is spared lines that it gets from syslog anyway.
    pub fn log_settings(&self) -> LogSettings {
        let logging = self.logging.clone();
        let console = match Console::detect() {
            Console::Journal if logging.facility.is_some() => Console::Off,
            console @ (Console::Off
            | Console::Plain
            | Console::Journal
            | Console::Dated
            | Console::Bare) => console,
        };
        let layout = if logging.syslog_layout {
            Layout::Heartbeat {
                host: self.local.to_string(),
            }
        } else {
            Layout::HeartbeatDated
        };
        LogSettings {
            layout,
            console,
            logfile: logging.logfile,
            debugfile: logging.debugfile,
            facility: logging.facility,
            debug: logging.debug,
        }
    }
}
