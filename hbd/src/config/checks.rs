//! What directives mean together: defaults and the checks that the old daemon makes after reading
//! ha.cf, in its order and, where it had any, in its words (Heartbeat specification 1.5).

use super::draft::{Draft, Given};
use super::loaded::{Logging, ScriptLimits, Timing};
use super::medium::MediumSpec;
use super::ping::PingSpec;
use crate::identity::{GenerationFrom, UuidFrom};
use ha_plumbing::log::Facility;
use ha_plumbing::{Diagnostic, Diagnostics, Source, realtime};
use hbd_core::config::{Failback, NodeName};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

const KEEPALIVE: Duration = Duration::from_secs(1);
const DEADTIME: Duration = Duration::from_secs(30);
const MAX_REXMIT_DELAY_MS: i64 = 250;
const START_LIMIT: Duration = Duration::from_secs(180);
const STOP_LIMIT: Duration = Duration::from_secs(180);
const STATUS_LIMIT: Duration = Duration::from_secs(30);

/// A shorter initdead is doubtful: switches and media need time after a cold start.
const SHORT_INITDEAD: Duration = Duration::from_secs(10);

/// ha.cf with defaults.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) local: Option<NodeName>,
    pub(super) nodes: Vec<NodeName>,
    pub(super) cluster: String,
    pub(super) timing: Timing,
    pub(super) hopfudge: u8,
    pub(super) failback: Failback,
    pub(super) uuid_from: UuidFrom,
    pub(super) generation_from: GenerationFrom,
    pub(super) media: Vec<MediumSpec>,
    pub(super) pings: Vec<PingSpec>,
    pub(super) logging: Logging,
    pub(super) log_badpack: bool,
    pub(super) realtime: Option<realtime::Settings>,
    pub(super) builtin: bool,
    pub(super) script_limits: ScriptLimits,
    pub(super) environment: BTreeMap<String, String>,
}

/// Applies defaults and compares.
pub(super) fn check(
    draft: Draft,
    source: &Source,
    local: Option<&str>,
    found: &mut Diagnostics,
) -> Checked {
    let mut checks = Checks { source, found };
    checks.media(&draft);
    let local = checks.local_node(&draft, local);
    let timing = checks.timing(&draft);
    let pings = checks.pings(&draft);
    checks.policies(&draft);
    let logging = checks.logging(&draft);
    let small = |given: &Option<Given<i64>>, default: u8| {
        let value = given.as_ref().map(|given| given.value);
        value
            .and_then(|value| u8::try_from(value).ok())
            .unwrap_or(default)
    };
    let flag = |given: &Option<Given<bool>>| given.as_ref().is_none_or(|given| given.value);
    let chosen = |given: &Option<Given<&'static str>>, word: &str| {
        given.as_ref().is_some_and(|given| given.value == word)
    };
    Checked {
        local,
        timing,
        pings,
        logging,
        cluster: value(draft.cluster.as_ref()).unwrap_or_else(|| "linux-ha".to_owned()),
        hopfudge: small(&draft.hopfudge, 1),
        failback: value(draft.auto_failback.as_ref()).unwrap_or(Failback::Legacy),
        uuid_from: if chosen(&draft.uuidfrom, "nodename") {
            UuidFrom::Nodename
        } else {
            UuidFrom::File
        },
        generation_from: if chosen(&draft.hbgenmethod, "time") {
            GenerationFrom::Time
        } else {
            GenerationFrom::File
        },
        log_badpack: flag(&draft.log_badpack),
        realtime: flag(&draft.realtime).then(|| realtime::Settings {
            priority: value(draft.rtprio.as_ref()).and_then(|priority| u8::try_from(priority).ok()),
        }),
        builtin: flag(&draft.builtin),
        script_limits: ScriptLimits {
            start: value(draft.start_timeout.as_ref()).unwrap_or(START_LIMIT),
            stop: value(draft.stop_timeout.as_ref()).unwrap_or(STOP_LIMIT),
            status: value(draft.status_timeout.as_ref()).unwrap_or(STATUS_LIMIT),
        },
        nodes: draft.nodes.into_iter().map(|node| node.value).collect(),
        media: draft.media.into_iter().map(|medium| medium.value).collect(),
        environment: draft.environment,
    }
}

fn value<T: Clone>(given: Option<&Given<T>>) -> Option<T> {
    given.map(|given| given.value.clone())
}

struct Checks<'a> {
    source: &'a Source,
    found: &'a mut Diagnostics,
}

impl Checks<'_> {
    fn media(&mut self, draft: &Draft) {
        if !draft.media.is_empty() {
            return;
        }
        let fault = Diagnostic::error("No heartbeat media defined");
        let hint = "add a line such as `bcast eth0` or `ucast eth0 192.0.2.2`";
        self.found
            .push(fault.hint(hint).in_file(self.source.path()));
    }

    /// Nodes, and the local one among them.
    fn local_node(&mut self, draft: &Draft, local: Option<&str>) -> Option<NodeName> {
        let path = self.source.path();
        if draft.nodes.is_empty() {
            let hint = "add a line `node NAME NAME` with the names that `uname -n` prints there";
            let fault = Diagnostic::error("no nodes defined").hint(hint);
            self.found.push(fault.in_file(path));
            return None;
        }
        if let [only] = draft.nodes.as_slice() {
            let fault = Diagnostic::warning(format!("{} is the only node", only.value))
                .hint("no other node takes its groups when it dies");
            self.found
                .push(fault.ownership().at(self.source, only.span));
        }
        let text = local?;
        let name = NodeName::new(text);
        let known = |name: &NodeName| draft.nodes.iter().any(|node| node.value == *name);
        if let Some(name) = name.filter(known) {
            return Some(name);
        }
        let names: Vec<&str> = draft.nodes.iter().map(|node| node.value.as_str()).collect();
        let shown = text.to_ascii_lowercase();
        let fault = Diagnostic::error(format!("Current node [{shown}] not in configuration!"))
            .hint(format!(
                "the nodes are {}; this machine's name comes from --node, the first line of \
                 nodeinfo, or `uname -n`",
                names.join(", ")
            ));
        self.found.push(fault.in_file(path));
        None
    }

    /// Those that are no nodes: what a node says itself tells more than its answers.
    fn pings(&mut self, draft: &Draft) -> Vec<PingSpec> {
        let mut pings = Vec::new();
        for given in &draft.pings {
            let name = &given.value.name;
            if draft.nodes.iter().any(|node| node.value == *name) {
                let message = format!("{name} is a node: it is not watched as a ping node");
                let hint = "name a host outside the cluster, such as the gateway of the clients";
                let fault = Diagnostic::warning(message).hint(hint).ownership();
                self.push(fault, Some(given));
            } else {
                pings.push(given.value.clone());
            }
        }
        pings
    }

    fn timing(&mut self, draft: &Draft) -> Timing {
        let keepalive = value(draft.keepalive.as_ref()).unwrap_or(KEEPALIVE);
        let deadtime = value(draft.deadtime.as_ref()).unwrap_or(DEADTIME);
        let small = "must be more than twice keepalive";
        if deadtime <= keepalive * 2 {
            let message = format!(
                "Dead time [{}] is too small compared to keeplive [{}]",
                deadtime.as_millis(),
                keepalive.as_millis()
            );
            let fault = Diagnostic::error(message).hint(format!("deadtime {small}"));
            self.push(fault, draft.deadtime.as_ref().or(draft.keepalive.as_ref()));
        }
        let initdead = self.initdead(draft, deadtime);
        if let Some(deadping) = &draft.deadping
            && deadping.value <= keepalive * 2
        {
            let message = format!(
                "Ping dead time [{}] is too small compared to keeplive [{}]",
                deadping.value.as_millis(),
                keepalive.as_millis()
            );
            let fault = Diagnostic::error(message).hint(format!("deadping {small}"));
            self.push(fault, Some(deadping));
        }
        let warntime = value(draft.warntime.as_ref()).unwrap_or(deadtime / 2);
        if let Some(given) = draft.warntime.as_ref().filter(|_| warntime >= deadtime) {
            let message = format!(
                "warntime {} ms is not shorter than deadtime {} ms: no late heartbeat will be told",
                warntime.as_millis(),
                deadtime.as_millis()
            );
            self.push(Diagnostic::warning(message), Some(given));
        }
        let delay = value(draft.max_rexmit_delay.as_ref()).unwrap_or(MAX_REXMIT_DELAY_MS);
        Timing {
            keepalive,
            warntime,
            deadtime,
            initdead,
            deadping: value(draft.deadping.as_ref()).unwrap_or(deadtime),
            max_rexmit_delay: Duration::from_millis(u64::try_from(delay).unwrap_or_default()),
        }
    }

    fn initdead(&mut self, draft: &Draft, deadtime: Duration) -> Duration {
        let Some(given) = &draft.initdead else {
            return default_initdead(deadtime);
        };
        let (initdead, ms) = (given.value, given.value.as_millis());
        if initdead < deadtime {
            let dead = deadtime.as_millis();
            let message = format!("Initial dead time [{ms}] is smaller than deadtime [{dead}]");
            let fault = Diagnostic::error(message).hint("initdead must be at least deadtime");
            self.push(fault, Some(given));
        } else if initdead < SHORT_INITDEAD {
            let message = format!("Initial dead time [{ms}] may be too small!");
            let hint = "after a power failure switches need time; until then each node is alone";
            self.push(
                Diagnostic::warning(message).hint(hint).ownership(),
                Some(given),
            );
        }
        initdead
    }

    /// Failback and joining.
    fn policies(&mut self, draft: &Draft) {
        let legacy = draft.auto_failback.as_ref();
        if legacy.is_none_or(|given| given.value == Failback::Legacy) {
            let message = "Deprecated 'legacy' auto_failback option selected.";
            let hint = "write auto_failback on or off; legacy acts as on and is the old default";
            let fault = Diagnostic::warning(message).hint(hint);
            match legacy {
                Some(given) => self.push(fault, Some(given)),
                None => self.found.push(fault.in_file(self.source.path())),
            }
        }
        let autojoin = draft.autojoin.as_ref();
        if let Some(given) = autojoin.filter(|given| given.value != "none") {
            let message = format!(
                "R1 style resource management conflicts with autojoin {}",
                given.value
            );
            let hint = "haresources needs nodes that are known: write autojoin none";
            self.push(Diagnostic::error(message).hint(hint), Some(given));
        }
    }

    fn logging(&mut self, draft: &Draft) -> Logging {
        let path = |given: &Option<Given<String>>| {
            let path = PathBuf::from(value(given.as_ref())?);
            (path != Path::new("/dev/null")).then_some(path)
        };
        let nothing =
            draft.logfile.is_none() && draft.debugfile.is_none() && draft.logfacility.is_none();
        let daemon = Facility::from_name("daemon");
        let mut facility = value(draft.logfacility.as_ref()).flatten();
        let instead = "lines go to syslog facility daemon, as the logging daemon's would";
        match &draft.use_logd {
            Some(given) if !given.value && nothing => {
                let message = "use_logd off, but neither logfacility nor logfile nor debugfile: \
                               nothing would be logged";
                let hint = "add a line such as `logfacility local0`";
                self.push(Diagnostic::error(message).hint(hint), Some(given));
            }
            Some(given) if given.value => {
                let message = "the logging daemon is not used in this release";
                let hint = if nothing {
                    facility = daemon;
                    instead
                } else {
                    "lines go straight to what logfacility, logfile and debugfile name"
                };
                self.push(Diagnostic::warning(message).hint(hint).minor(), Some(given));
            }
            None if nothing => {
                facility = daemon;
                let fault = Diagnostic::warning("No log entry found in ha.cf").hint(instead);
                self.found.push(fault.minor().in_file(self.source.path()));
            }
            Some(_) | None => {}
        }
        let debug = value(draft.debug.as_ref()).and_then(|level| u8::try_from(level).ok());
        Logging {
            logfile: path(&draft.logfile),
            debugfile: path(&draft.debugfile),
            facility,
            syslog_layout: draft.syslogmsgfmt.as_ref().is_none_or(|given| given.value),
            debug: debug.unwrap_or(0),
        }
    }

    /// At the value, or in the file if it was not given.
    fn push<T>(&mut self, fault: Diagnostic, given: Option<&Given<T>>) {
        self.found.push(match given {
            Some(given) => fault.at(self.source, given.span),
            None => fault.in_file(self.source.path()),
        });
    }
}

/// Deadtime if that is long; else long enough for a cold start.
fn default_initdead(deadtime: Duration) -> Duration {
    if deadtime > Duration::from_secs(10) {
        deadtime
    } else if deadtime < Duration::from_secs(6) {
        Duration::from_secs(12)
    } else {
        deadtime * 2
    }
}
