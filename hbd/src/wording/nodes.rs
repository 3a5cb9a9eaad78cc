//! The words for nodes, this one and the others, and for the links between them.

use super::{Line, Wording, error, info, ms, warning};
use ha_status::Severity::{Critical, Info, Warning};
use hbd_core::config::{LinkId, NodeName};
use std::time::Duration;

impl Wording {
    pub(super) fn dead(&self, node: &NodeName, silent: Duration) -> Vec<Line> {
        vec![
            Line::new(Warning, format!("node {node}: is dead")),
            Line::new(Info, self.silence(node, silent)),
        ]
    }

    fn silence(&self, node: &NodeName, silent: Duration) -> String {
        let unsure = if self.devices.len() == 1 {
            "; over the only link nobody can tell a dead node from a cut cable"
        } else {
            ""
        };
        format!("node {node} was silent for {}{unsure}", ms(silent))
    }

    /// As of old a ping node's link is named like the node.
    pub(super) fn ping_answers(&self, ping: LinkId) -> Vec<Line> {
        let name = self.ping(ping);
        vec![
            Line::new(Info, format!("Link {name}:{name} up.")),
            Line::new(Info, format!("Status update for node {name}: status ping")),
        ]
    }

    pub(super) fn ping_silent(&self, ping: LinkId, silent: Duration) -> Vec<Line> {
        let name = self.ping(ping);
        vec![
            Line::new(Warning, format!("node {name}: is dead")),
            Line::new(Info, format!("Link {name}:{name} dead.")),
            Line::new(
                Info,
                format!("ping node {name} has not answered for {}", ms(silent)),
            ),
        ]
    }

    fn ping(&self, ping: LinkId) -> &str {
        self.pings.get(&ping).map_or("?", NodeName::as_str)
    }

    pub(super) fn link(&self, node: &NodeName, link: LinkId, state: &str) -> Vec<Line> {
        info(format!("Link {node}:{} {state}.", self.device(link)))
    }
}

pub(super) fn local_status(status: &str) -> Vec<Line> {
    let mut lines = info(format!("Local status now set to: '{status}'"));
    if status == "active" {
        let text = "Comm_now_up(): updating status to active";
        lines.push(Line::new(Info, text));
    }
    lines
}

pub(super) fn stall(late: Duration) -> Vec<Line> {
    warning(format!(
        "this node was {} late: its peers get time before they are judged",
        ms(late)
    ))
}

pub(super) fn same_name() -> Vec<Line> {
    error("another node has the name of this one: it takes nothing while that is heard")
}

pub(super) fn same_name_gone() -> Vec<Line> {
    info("no other node with the name of this one is heard any more")
}

pub(super) fn cut_off() -> Vec<Line> {
    error("no interface of this node has a carrier: it is cut off and takes nothing")
}

pub(super) fn pings_lost() -> Vec<Line> {
    warning("no ping node answers this node any more: who takes its groups meanwhile may keep them")
}

pub(super) fn reconnected() -> Vec<Line> {
    warning("a carrier is back: this node listens before it takes anything")
}

pub(super) fn status(node: &NodeName, status: &str) -> Vec<Line> {
    info(format!("Status update for node {node}: status {status}"))
}

pub(super) fn returned(node: &NodeName) -> Vec<Line> {
    vec![
        Line::new(
            Critical,
            format!("Cluster node {node} returning after partition."),
        ),
        Line::new(Warning, "Deadtime value may be too small."),
    ]
}

pub(super) fn unknown(name: &str) -> Vec<Line> {
    error(format!(
        "process_status_message: bad node [{}] in message",
        printable(name)
    ))
}

pub(super) fn old_peer(node: &NodeName) -> Vec<Line> {
    info(format!(
        "node {node} speaks no extension of the protocol: an old Heartbeat"
    ))
}

pub(super) fn haresources_differ(node: &NodeName) -> Vec<Line> {
    error(format!(
        "haresources of node {node} differs from ours: make them equal"
    ))
}

/// What came over the wire must not end or colour a log line.
fn printable(text: &str) -> String {
    const MOST: usize = 100;
    text.chars()
        .take(MOST)
        .flat_map(char::escape_default)
        .collect()
}
