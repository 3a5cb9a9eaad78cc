//! What ha.cf says, as it was given: every value remembers where it stands.

use super::medium::MediumSpec;
use super::ping::PingSpec;
use ha_plumbing::Span;
use ha_plumbing::log::Facility;
use hbd_core::config::NodeName;
use std::collections::BTreeMap;
use std::time::Duration;

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given<T> {
    pub value: T,
    pub span: Span,
}

/// What ha.cf says, before defaults and before anything was compared.
#[derive(Debug, Default)]
pub struct Draft {
    /// Without duplicates.
    pub nodes: Vec<Given<NodeName>>,
    pub media: Vec<Given<MediumSpec>>,
    /// Names differ.
    pub pings: Vec<Given<PingSpec>>,
    pub udpport: Option<Given<u16>>,
    pub baud: Option<Given<u32>>,
    pub cluster: Option<Given<String>>,
    pub keepalive: Option<Given<Duration>>,
    pub deadtime: Option<Given<Duration>>,
    pub warntime: Option<Given<Duration>>,
    pub initdead: Option<Given<Duration>>,
    pub deadping: Option<Given<Duration>>,
    pub auto_failback: Option<Given<hbd_core::config::Failback>>,
    pub hopfudge: Option<Given<i64>>,
    pub max_rexmit_delay: Option<Given<i64>>,
    pub uuidfrom: Option<Given<&'static str>>,
    pub hbgenmethod: Option<Given<&'static str>>,
    pub autojoin: Option<Given<&'static str>>,
    pub logfacility: Option<Given<Option<Facility>>>,
    pub logfile: Option<Given<String>>,
    pub debugfile: Option<Given<String>>,
    pub use_logd: Option<Given<bool>>,
    pub syslogmsgfmt: Option<Given<bool>>,
    pub debug: Option<Given<i64>>,
    pub log_badpack: Option<Given<bool>>,
    pub realtime: Option<Given<bool>>,
    pub rtprio: Option<Given<i64>>,
    pub builtin: Option<Given<bool>>,
    pub start_timeout: Option<Given<Duration>>,
    pub stop_timeout: Option<Given<Duration>>,
    pub status_timeout: Option<Given<Duration>>,
    /// `pacemaker` with a value that switches haresources off.
    pub pacemaker: Option<Given<()>>,
    /// `HA_<directive>` and `HA_<NAME>` of `env`.
    pub environment: BTreeMap<String, String>,
}
