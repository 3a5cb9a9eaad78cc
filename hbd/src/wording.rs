//! The words for what happens: every notice of the core as log lines, with the fixed parts that
//! operators and test suites have been searching for since the old daemon (Heartbeat
//! specification 10.2). The only place where such lines are made.

use ha_status::{HoldSet, Severity};
use hbd_core::config::{Config, GroupId, LinkId, NodeName};
use hbd_core::output::{Notice, YieldReason};
use std::time::Duration;

mod outcome;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub severity: Severity,
    pub text: String,
}

impl Line {
    pub fn new(severity: Severity, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { severity, text }
    }
}

/// Knows the names behind the numbers.
#[derive(Debug, Clone)]
pub struct Wording {
    devices: Vec<String>,
    groups: Vec<String>,
    local: String,
}

impl Wording {
    pub fn new(config: &Config) -> Self {
        Self {
            devices: config
                .links
                .iter()
                .map(|link| link.device.clone())
                .collect(),
            groups: config
                .groups
                .iter()
                .map(|group| group.name.clone())
                .collect(),
            local: config.local.to_string(),
        }
    }

    /// The interface of a link.
    pub fn device(&self, link: LinkId) -> &str {
        let device = self.devices.get(usize::from(link.0));
        device.map_or("?", String::as_str)
    }

    fn silence(&self, node: &NodeName, silent: Duration) -> String {
        let unsure = if self.devices.len() == 1 {
            "; over the only link nobody can tell a dead node from a cut cable"
        } else {
            ""
        };
        format!("node {node} was silent for {}{unsure}", ms(silent))
    }

    fn group(&self, group: GroupId) -> &str {
        let name = self.groups.get(usize::from(group.0));
        name.map_or("?", String::as_str)
    }

    fn groups(&self, groups: &[GroupId]) -> String {
        let names: Vec<&str> = groups.iter().map(|group| self.group(*group)).collect();
        names.join(", ")
    }

    /// The lines of a notice, the one that says it all first.
    pub fn lines(&self, notice: &Notice) -> Vec<Line> {
        use Severity::{Critical, Error, Info, Warning};
        let (severity, text) = match notice {
            Notice::LocalStatus(status) => return local_status(status),
            Notice::NodeStatus { node, status } => (
                Info,
                format!("Status update for node {node}: status {status}"),
            ),
            Notice::NodeDead { node, silent } => {
                return vec![
                    Line::new(Warning, format!("node {node}: is dead")),
                    Line::new(Info, self.silence(node, *silent)),
                ];
            }
            Notice::NodeLeft { node } => (Info, format!("Received shutdown notice from '{node}'.")),
            Notice::NodeRestarted { node } => (Info, format!("Heartbeat restart on node {node}")),
            Notice::NodeReturned { node } => {
                return vec![
                    Line::new(
                        Critical,
                        format!("Cluster node {node} returning after partition."),
                    ),
                    Line::new(Warning, "Deadtime value may be too small."),
                ];
            }
            Notice::LinkUp { node, link } => {
                (Info, format!("Link {node}:{} up.", self.device(*link)))
            }
            Notice::LinkDead { node, link } => {
                (Info, format!("Link {node}:{} dead.", self.device(*link)))
            }
            Notice::LateHeartbeat { node, interval } => (
                Warning,
                format!("Late heartbeat: Node {node}: interval {}", ms(*interval)),
            ),
            Notice::LocalStall { late } => (
                Warning,
                format!(
                    "this node was {} late: its peers get time before they are judged",
                    ms(*late)
                ),
            ),
            Notice::SameName => (
                Error,
                "another node has the name of this one: it takes nothing while that is heard"
                    .to_owned(),
            ),
            Notice::SameNameGone => (
                Info,
                "no other node with the name of this one is heard any more".to_owned(),
            ),
            Notice::UnknownNode { name } => (
                Error,
                format!(
                    "process_status_message: bad node [{}] in message",
                    printable(name)
                ),
            ),
            Notice::Replay {
                node,
                generation,
                current,
            } => (
                Error,
                format!(
                    "should_drop_message: attempted replay attack [{node}]? \
                     [gen = {generation}, curgen = {current}]"
                ),
            ),
            Notice::PacketsLost {
                node,
                count,
                from,
                to,
            } => (
                Warning,
                format!("{count} lost packet(s) for [{node}] [{from}:{to}]"),
            ),
            Notice::PacketsRecovered { node } => (Info, format!("No pkts missing from {node}!")),
            Notice::PacketsGone { node, seq } => (
                Error,
                format!("Irretrievably lost packet: node {node} seq {seq}"),
            ),
            Notice::OldPeer { node } => (
                Info,
                format!("node {node} speaks no extension of the protocol: an old Heartbeat"),
            ),
            Notice::HaresourcesDiffer { node } => (
                Error,
                format!("haresources of node {node} differs from ours: make them equal"),
            ),
            Notice::GroupTakeover { group, from, epoch } => {
                return self.takeover(*group, from.as_ref().map(NodeName::as_str), *epoch);
            }
            Notice::GroupYield { group, to, reason } => (
                Info,
                format!(
                    "{} goes to {to} ({})",
                    self.group(*group),
                    reason_words(*reason)
                ),
            ),
            Notice::GroupRunning { group } => (Info, format!("{} runs here", self.group(*group))),
            Notice::GroupStopped { group } => {
                (Info, format!("{} is stopped here", self.group(*group)))
            }
            Notice::GroupFailed {
                group,
                resource,
                reason,
            } => (
                Error,
                format!("{} failed here: {resource}: {reason}", self.group(*group)),
            ),
            Notice::GroupStuck {
                group,
                resource,
                reason,
            } => (
                Critical,
                format!(
                    "Resource STOP failure. {} may still be active here, so nobody else starts it: \
                     {resource}: {reason}",
                    self.group(*group)
                ),
            ),
            Notice::GroupConflictLost { group, to } => (
                Error,
                format!(
                    "Both machines own {}! {to} keeps it, this node lets go",
                    self.group(*group)
                ),
            ),
            Notice::GroupConflictWon { group, against } => (
                Error,
                format!(
                    "Both machines own {}! This node keeps it, {against} lets go",
                    self.group(*group)
                ),
            ),
            Notice::GroupLost {
                group,
                resource,
                reason,
            } => (
                Error,
                format!(
                    "{} failed here and is stopped: {resource}: {reason}",
                    self.group(*group)
                ),
            ),
            Notice::CutOff => (
                Error,
                "no interface of this node has a carrier: it is cut off and takes nothing"
                    .to_owned(),
            ),
            Notice::Reconnected => (
                Warning,
                "a carrier is back: this node listens before it takes anything".to_owned(),
            ),
            Notice::GroupHomeless { group } => (
                Error,
                format!("No one owns {}: no node can run it now", self.group(*group)),
            ),
            Notice::Standby { node, set } => (
                Info,
                format!("{node} wants to go standby [{}]", hold_words(*set)),
            ),
            Notice::ShutdownStarted => {
                let pid = std::process::id();
                (Info, format!("Heartbeat shutdown in progress. ({pid})"))
            }
            Notice::ShutdownHolding { groups } => (
                Critical,
                format!(
                    "this node ends although it could not stop {}: nobody else starts that until \
                     this node is back, or an operator says hbd takeover --force on another",
                    self.groups(groups)
                ),
            ),
            Notice::GroupLeftBehind { group, node } => (
                Critical,
                format!(
                    "node {node} has ended and could not stop {}: it is not started here; once you \
                     are sure that nothing of it is active there: hbd takeover --force",
                    self.group(*group)
                ),
            ),
            Notice::GroupForced { group } => (
                Warning,
                format!(
                    "an operator vouches that nothing of {} is active where it could not be stopped",
                    self.group(*group)
                ),
            ),
            Notice::ShutdownComplete => {
                return vec![
                    Line::new(Info, "All HA resources relinquished."),
                    Line::new(Info, format!("{} Heartbeat shutdown complete.", self.local)),
                ];
            }
        };
        vec![Line::new(severity, text)]
    }

    fn takeover(&self, group: GroupId, from: Option<&str>, epoch: u64) -> Vec<Line> {
        let group = self.group(group);
        match from {
            Some(node) => vec![
                Line::new(
                    Severity::Info,
                    format!("Resources being acquired from {node}."),
                ),
                Line::new(
                    Severity::Info,
                    format!("taking over {group} from {node}, epoch {epoch}"),
                ),
            ],
            None => vec![Line::new(
                Severity::Info,
                format!("taking {group}, which nobody runs, epoch {epoch}"),
            )],
        }
    }
}

fn local_status(status: &str) -> Vec<Line> {
    let mut lines = vec![Line::new(
        Severity::Info,
        format!("Local status now set to: '{status}'"),
    )];
    if status == "active" {
        let text = "Comm_now_up(): updating status to active";
        lines.push(Line::new(Severity::Info, text));
    }
    lines
}

fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

fn reason_words(reason: YieldReason) -> &'static str {
    match reason {
        YieldReason::Failback => "failback to its preferred node",
        YieldReason::Standby => "standby",
        YieldReason::Takeover => "it asked to take over",
        YieldReason::Shutdown => "this node ends",
        YieldReason::Deaf => "it runs it and does not hear this node",
        YieldReason::StartFailed => "it could not be started here",
    }
}

/// A hold set in the old daemon's words.
pub fn hold_words(set: HoldSet) -> &'static str {
    match set {
        HoldSet::None => "none",
        HoldSet::Local => "local",
        HoldSet::Foreign => "foreign",
        HoldSet::All => "all",
    }
}

/// What came over the wire must not end or colour a log line.
fn printable(text: &str) -> String {
    const MOST: usize = 100;
    text.chars()
        .take(MOST)
        .flat_map(char::escape_default)
        .collect()
}

#[cfg(test)]
mod tests;
