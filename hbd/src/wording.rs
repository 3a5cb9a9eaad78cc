//! The words for what happens: every notice of the core as log lines, with the fixed parts that
//! operators and test suites have been searching for since the old daemon (Heartbeat
//! specification 10.2). The only place where such lines are made.

use ha_status::{HoldSet, Severity};
use hbd_core::config::{Config, GroupId, LinkId, NodeName};
use hbd_core::output::Notice;
use std::collections::BTreeMap;
use std::time::Duration;

mod groups;
mod nodes;
mod outcome;
mod packets;

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

/// Knows the names behind the ids.
#[derive(Debug, Clone)]
pub struct Wording {
    devices: BTreeMap<LinkId, String>,
    pings: BTreeMap<LinkId, NodeName>,
    groups: BTreeMap<GroupId, String>,
    local: String,
}

impl Wording {
    pub fn new(config: &Config) -> Self {
        Self {
            devices: config
                .links
                .iter()
                .map(|(id, link)| (id, link.device.clone()))
                .collect(),
            pings: config
                .pings
                .iter()
                .map(|(id, ping)| (id, ping.name.clone()))
                .collect(),
            groups: config
                .groups
                .iter()
                .map(|(id, group)| (id, group.name.clone()))
                .collect(),
            local: config.local.to_string(),
        }
    }

    /// The interface of a link.
    pub fn device(&self, link: LinkId) -> &str {
        let device = self.devices.get(&link);
        device.map_or("?", String::as_str)
    }

    fn group(&self, group: GroupId) -> &str {
        let name = self.groups.get(&group);
        name.map_or("?", String::as_str)
    }

    fn groups(&self, groups: &[GroupId]) -> String {
        let names: Vec<&str> = groups.iter().map(|group| self.group(*group)).collect();
        names.join(", ")
    }

    /// The lines of a notice, the one that says it all first.
    pub fn lines(&self, notice: &Notice) -> Vec<Line> {
        match notice {
            Notice::LocalStatus(status) => nodes::local_status(status),
            Notice::LocalStall { late } => nodes::stall(*late),
            Notice::SameName => nodes::same_name(),
            Notice::SameNameGone => nodes::same_name_gone(),
            Notice::CutOff => nodes::cut_off(),
            Notice::Reconnected => nodes::reconnected(),
            Notice::NodeStatus { node, status } => nodes::status(node, status),
            Notice::NodeDead { node, silent } => self.dead(node, *silent),
            Notice::NodeLeft { node } => info(format!("Received shutdown notice from '{node}'.")),
            Notice::NodeRestarted { node } => info(format!("Heartbeat restart on node {node}")),
            Notice::NodeReturned { node } => nodes::returned(node),
            Notice::UnknownNode { name } => nodes::unknown(name),
            Notice::OldPeer { node } => nodes::old_peer(node),
            Notice::HaresourcesDiffer { node } => nodes::haresources_differ(node),
            Notice::LinkUp { node, link } => self.link(node, *link, "up"),
            Notice::LinkDead { node, link } => self.link(node, *link, "dead"),
            Notice::PingAnswers { ping } => self.ping_answers(*ping),
            Notice::PingSilent { ping, silent } => self.ping_silent(*ping, *silent),
            Notice::PingsLost => nodes::pings_lost(),
            Notice::LateHeartbeat { node, interval } => packets::late(node, *interval),
            Notice::Replay {
                node,
                generation,
                current,
            } => packets::replay(node, *generation, *current),
            Notice::PacketsLost {
                node,
                count,
                from,
                to,
            } => packets::lost(node, *count, *from..=*to),
            Notice::PacketsRecovered { node } => info(format!("No pkts missing from {node}!")),
            Notice::PacketsGone { node, seq } => packets::gone(node, *seq),
            Notice::GroupTakeover { group, from, epoch } => {
                self.takeover(*group, from.as_ref(), *epoch)
            }
            Notice::GroupYield { group, to, reason } => self.yielded(*group, to, *reason),
            Notice::GroupRunning { group, timing } => self.running(*group, timing),
            Notice::GroupStopped { group } => self.stopped(*group),
            Notice::GroupFailed {
                group,
                resource,
                reason,
            } => self.failed(*group, resource, reason),
            Notice::GroupStuck {
                group,
                resource,
                reason,
            } => self.stuck(*group, resource, reason),
            Notice::GroupLost {
                group,
                resource,
                reason,
            } => self.lost(*group, resource, reason),
            Notice::GroupConflictLost { group, to } => self.conflict_lost(*group, to),
            Notice::GroupConflictWon { group, against } => self.conflict_won(*group, against),
            Notice::GroupHomeless { group } => self.homeless(*group),
            Notice::GroupLeftBehind { group, node } => self.left_behind(*group, node),
            Notice::GroupForced { group } => self.forced(*group),
            Notice::Standby { node, set } => standby(node, *set),
            Notice::ShutdownStarted => shutdown_started(),
            Notice::ShutdownHolding { groups } => self.shutdown_holding(groups),
            Notice::ShutdownComplete => self.shutdown_complete(),
        }
    }

    fn shutdown_holding(&self, groups: &[GroupId]) -> Vec<Line> {
        critical(format!(
            "this node ends although it could not stop {}: nobody else starts that until \
             this node is back, or an operator says hbd takeover --force on another",
            self.groups(groups)
        ))
    }

    fn shutdown_complete(&self) -> Vec<Line> {
        vec![
            Line::new(Severity::Info, "All HA resources relinquished."),
            Line::new(
                Severity::Info,
                format!("{} Heartbeat shutdown complete.", self.local),
            ),
        ]
    }
}

fn shutdown_started() -> Vec<Line> {
    let pid = std::process::id();
    info(format!("Heartbeat shutdown in progress. ({pid})"))
}

fn standby(node: &NodeName, set: HoldSet) -> Vec<Line> {
    info(format!("{node} wants to go standby [{}]", hold_words(set)))
}

fn info(text: impl Into<String>) -> Vec<Line> {
    vec![Line::new(Severity::Info, text)]
}

fn warning(text: impl Into<String>) -> Vec<Line> {
    vec![Line::new(Severity::Warning, text)]
}

fn error(text: impl Into<String>) -> Vec<Line> {
    vec![Line::new(Severity::Error, text)]
}

fn critical(text: impl Into<String>) -> Vec<Line> {
    vec![Line::new(Severity::Critical, text)]
}

fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
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

#[cfg(test)]
mod tests;
