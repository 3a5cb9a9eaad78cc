//! A snapshot in words and tables for a person at a terminal.

mod links;

use ha_status::{
    ClusterPhase, ClusterSnapshot, Group, Link, LinkState, Node, NodeKind, NodeStatus, NotSent,
    Notice, Refused, Resource, RunState, Severity, Span,
};
use std::fmt::Write as _;

/// Notices that explain the state of a node.
const LATELY_MAX: usize = 6;

/// Longest group name in a table, characters; `why` and `--json` show all of it.
const NAME_MAX: usize = 40;

/// The subject of `why` that is neither a node nor a group, unless one has that name.
const LINKS: &str = "links";

/// Nodes, links and groups as tables. Of links also the share of packets lost, and the longest
/// silence, in the last hour.
pub(super) fn status(snapshot: &ClusterSnapshot) -> String {
    let mut out = heading(snapshot);
    out.push('\n');
    let nodes = snapshot.nodes.iter().map(|node| node_row(snapshot, node));
    out.push_str(&table(
        &["NODE", "STATUS", "FOR", "HEARD", "SPEAKS"],
        nodes.collect(),
    ));
    if !snapshot.links.is_empty() {
        out.push('\n');
        let links = snapshot.links.iter().map(|link| link_row(snapshot, link));
        out.push_str(&table(
            &[
                "LINK", "STATE", "HEARD", "PACKETS", "LOST", "SILENCE", "SENDS",
            ],
            links.collect(),
        ));
    }
    if !snapshot.groups.is_empty() {
        out.push('\n');
        let groups = snapshot.groups.iter().map(group_row);
        out.push_str(&table(
            &["GROUP", "HERE", "OWNER", "PREFERRED", "REASON"],
            groups.collect(),
        ));
    }
    if !snapshot.refused.is_empty() {
        out.push('\n');
        let rows = snapshot.refused.iter().map(refused_row);
        out.push_str(&table(
            &["REFUSED FROM", "NODE", "PACKETS", "LAST", "WHY"],
            rows.collect(),
        ));
    }
    let differing: Vec<&str> = snapshot
        .nodes
        .iter()
        .filter(|node| node.same_haresources == Some(false))
        .map(|node| node.name.as_str())
        .collect();
    if !differing.is_empty() {
        let _ = writeln!(
            out,
            "\nharesources differs from that of {}!",
            differing.join(", ")
        );
    }
    out
}

fn heading(snapshot: &ClusterSnapshot) -> String {
    let phase = match snapshot.phase {
        ClusterPhase::Starting => "starting",
        ClusterPhase::Running => "running",
        ClusterPhase::Stopping => "stopping",
    };
    format!(
        "{}: {phase} for {}, auto_failback {}, keepalive {}, deadtime {}\n",
        snapshot.node,
        age(snapshot.uptime_ms),
        snapshot.auto_failback,
        exact(snapshot.keepalive_ms),
        exact(snapshot.deadtime_ms),
    )
}

fn node_row(snapshot: &ClusterSnapshot, node: &Node) -> Vec<String> {
    let speaks = match (node.local, node.extended) {
        (true, _) => "this node",
        (false, _) if node.kind == NodeKind::Ping => "ping",
        (false, true) => "hbd",
        // What is remembered of it from another time says nothing of what runs there now.
        (false, false) if node.heard_ms.is_none() => "-",
        (false, false) => "Heartbeat",
    };
    vec![
        node.name.clone(),
        node_status(node).to_owned(),
        age(snapshot.at_ms.saturating_sub(node.since_ms)),
        if node.local {
            "-".to_owned()
        } else {
            heard(node.heard_ms)
        },
        speaks.to_owned(),
    ]
}

fn link_row(snapshot: &ClusterSnapshot, link: &Link) -> Vec<String> {
    let sends = link.not_sent.map(|not_sent| {
        let since = age(snapshot.at_ms.saturating_sub(not_sent.since_ms));
        format!("not for {since}: {}", not_sent.trouble)
    });
    let hour = link.quality.as_ref().map(|quality| &quality.hour);
    let unknown = || "-".to_owned();
    vec![
        format!("{} {} {}", link.node, link.medium, link.device),
        link_state(link.state).to_owned(),
        heard(link.heard_ms),
        link.packets.to_string(),
        hour.map_or_else(unknown, Span::lost_share),
        hour.map_or_else(unknown, |hour| format!("{} ms", hour.longest_ms)),
        sends.unwrap_or_else(|| "yes".to_owned()),
    ]
}

fn refused_row(refused: &Refused) -> Vec<String> {
    let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    vec![
        word(&refused.from),
        word(&refused.node),
        refused.count.to_string(),
        heard(Some(refused.last_ms)),
        refused.meaning(),
    ]
}

fn group_row(group: &Group) -> Vec<String> {
    vec![
        shortened(&group.name),
        run_state(group.state).to_owned(),
        group.owner.clone().unwrap_or_else(|| "-".to_owned()),
        group.preferred.clone(),
        group.reason.to_string(),
    ]
}

/// Why a node or group is as it is; the error says what there is to ask about.
pub(super) fn why(snapshot: &ClusterSnapshot, subject: &str) -> Result<String, String> {
    let lower = subject.to_ascii_lowercase();
    if let Some(node) = snapshot.nodes.iter().find(|node| node.name == lower) {
        return Ok(why_node(snapshot, node));
    }
    let exact = snapshot.groups.iter().find(|group| group.name == subject);
    if let Some(group) = exact {
        return Ok(why_group(snapshot, group));
    }
    if lower == LINKS {
        return Ok(links::why_links(snapshot));
    }
    let mut partly = snapshot.groups.iter().filter(|group| {
        let resources = &mut group.resources.iter();
        resources.any(|one| resource(one).contains(subject)) || group.name.contains(subject)
    });
    match (partly.next(), partly.next()) {
        (Some(group), None) => Ok(why_group(snapshot, group)),
        (Some(_), Some(_)) => Err(format!("`{subject}` is a part of several groups")),
        (None, _) => Err(format!(
            "no node or group `{subject}`; there are {}, and `links`",
            names(snapshot)
        )),
    }
}

fn names(snapshot: &ClusterSnapshot) -> String {
    let nodes = snapshot.nodes.iter().map(|node| node.name.as_str());
    let groups = snapshot.groups.iter().map(|group| group.name.as_str());
    nodes.chain(groups).collect::<Vec<_>>().join(", ")
}

fn why_node(snapshot: &ClusterSnapshot, node: &Node) -> String {
    let since = age(snapshot.at_ms.saturating_sub(node.since_ms));
    let mut out = format!("node {} is {} for {since}\n", node.name, node_status(node));
    if !node.local {
        let _ = match node.heard_ms {
            Some(ms) => writeln!(
                out,
                "  last heard {} ago; it is declared dead after {}",
                age(ms),
                exact(node.deadtime_ms)
            ),
            None => writeln!(out, "  never heard since this daemon started"),
        };
    }
    if node.status == NodeStatus::Dead && node.kind == NodeKind::Normal {
        let links = snapshot.links.iter().filter(|link| link.node == node.name);
        out.push_str(match links.count() {
            1 => {
                "  it is silent; over the only link nobody can tell a dead node from a cut cable\n"
            }
            _ => "  it is silent on every link\n",
        });
    }
    for link in snapshot.links.iter().filter(|link| link.node == node.name) {
        let (medium, device, state) = (&link.medium, &link.device, link_state(link.state));
        let last = heard(link.heard_ms);
        let _ = writeln!(out, "  {medium} {device} is {state}, last packet {last}");
        if let Some(NotSent { trouble, since_ms }) = link.not_sent {
            let since = age(snapshot.at_ms.saturating_sub(since_ms));
            let _ = writeln!(
                out,
                "  nothing leaves on {medium} {device} for {since}: {trouble}"
            );
        }
    }
    let silent = !node.local
        && node.kind == NodeKind::Normal
        && !matches!(node.status, NodeStatus::Up | NodeStatus::Active);
    // Those of nobody known may be those of a peer that is not heard.
    let concerns = |refused: &&Refused| match &refused.node {
        Some(name) => *name == node.name,
        None => silent,
    };
    for refused in snapshot.refused.iter().filter(concerns) {
        let last = heard(Some(refused.last_ms));
        let from = refused.from.as_ref();
        let from = from.map_or_else(String::new, |from| format!(" from {from}"));
        let (count, text) = (refused.count, refused.meaning());
        let _ = writeln!(
            out,
            "  {count} packets{from} refused, the last {last}: {text}"
        );
    }
    out.push_str(&lately(snapshot, |text| {
        let part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let mut words = text.split(|c| !part(c));
        words.any(|word| word.trim_end_matches('.') == node.name)
            // Refused packets may be those of a peer that is not heard.
            || (silent && text.starts_with("packet from "))
    }));
    let owned = |group: &&Group| group.owner.as_deref() == Some(node.name.as_str());
    for group in snapshot.groups.iter().filter(owned) {
        let _ = writeln!(out, "  owns {}: {}", group.name, group.reason);
    }
    out
}

/// The last notices of a kind, oldest first.
fn lately(snapshot: &ClusterSnapshot, concerns: impl Fn(&str) -> bool) -> String {
    let notices = snapshot.recent.iter().rev();
    let last: Vec<&Notice> = notices
        .filter(|notice| concerns(&notice.text))
        .take(LATELY_MAX)
        .collect();
    last.iter().rev().fold(String::new(), |mut out, notice| {
        let passed = age(snapshot.at_ms.saturating_sub(notice.at_ms));
        let _ = writeln!(out, "  {passed} ago: {}", notice.text);
        out
    })
}

fn why_group(snapshot: &ClusterSnapshot, group: &Group) -> String {
    let mut out = match &group.owner {
        Some(owner) => format!("group {} belongs to {owner}\n", group.name),
        None => format!("group {} belongs to nobody\n", group.name),
    };
    let _ = writeln!(out, "  because: {}", group.reason);
    let _ = writeln!(out, "  preferred node: {}", group.preferred);
    for run in &group.runs {
        let _ = writeln!(out, "  on {}: {}", run.node, run_state(run.state));
    }
    if let Some(timing) = &group.timing {
        let _ = writeln!(out, "  runs here after {timing}");
    }
    let resources: Vec<String> = group.resources.iter().map(resource).collect();
    let _ = writeln!(out, "  resources: {}", resources.join(" "));
    out.push_str(&lately(snapshot, |text| text.contains(&group.name)));
    out
}

fn resource(resource: &Resource) -> String {
    let mut words = vec![resource.script.clone()];
    words.extend(resource.args.iter().cloned());
    words.join("::")
}

pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Debug => "debug",
        Severity::Info => "info",
        Severity::Notice => "notice",
        Severity::Warning => "warning",
        Severity::Error => "error",
        Severity::Critical => "critical",
    }
}

fn node_status(node: &Node) -> &'static str {
    match (node.kind, node.status) {
        (NodeKind::Ping, NodeStatus::Ping) => "answering",
        (_, NodeStatus::Init) => "never heard",
        (_, NodeStatus::Up) => "up",
        (_, NodeStatus::Active) => "active",
        (_, NodeStatus::Left) => "stopped",
        (_, NodeStatus::Dead) => "dead",
        (NodeKind::Normal, NodeStatus::Ping) => "ping",
    }
}

fn link_state(state: LinkState) -> &'static str {
    match state {
        LinkState::Init => "never heard",
        LinkState::Up => "up",
        LinkState::Dead => "dead",
    }
}

fn run_state(state: RunState) -> &'static str {
    match state {
        RunState::Unknown => "not examined",
        RunState::Stopped => "stopped",
        RunState::Starting => "starting",
        RunState::Running => "running",
        RunState::Stopping => "stopping",
        RunState::Failed => "failed",
        RunState::Stuck => "stuck",
    }
}

fn heard(ms: Option<u64>) -> String {
    ms.map_or_else(|| "never".to_owned(), |ms| format!("{} ago", age(ms)))
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME_MAX {
        return name.to_owned();
    }
    let mut short: String = name.chars().take(NAME_MAX - 1).collect();
    short.push('…');
    short
}

/// A configured time: `200 ms`, `2 s`, `1500 ms`.
fn exact(ms: u64) -> String {
    if ms >= 1000 && ms.is_multiple_of(1000) {
        format!("{} s", ms / 1000)
    } else {
        format!("{ms} ms")
    }
}

/// A measured time in its two largest units: `120 ms`, `4 s`, `2 min 5 s`, `3 h 12 min`, `9 d 1 h`.
fn age(ms: u64) -> String {
    let seconds = ms / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (1.., _, _) => format!("{days} d {} h", hours % 24),
        (0, 1.., _) => format!("{hours} h {} min", minutes % 60),
        (0, 0, 1..) => format!("{minutes} min {} s", seconds % 60),
        (0, 0, 0) if seconds > 0 => format!("{seconds} s"),
        (0, 0, 0) => format!("{ms} ms"),
    }
}

/// Columns as wide as their widest cell, two blanks between, none at line ends.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let head: Vec<String> = head.iter().map(|&word| word.to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests;
