//! A snapshot as Prometheus text (exposition format 0.0.4).

use ha_status::{ClusterSnapshot, LinkState, NodeStatus, RunState, Timing};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One metric: name, kind, help, and its samples.
struct Metric<'a> {
    name: &'a str,
    kind: &'a str,
    help: &'a str,
}

pub(super) fn render(snapshot: &ClusterSnapshot) -> String {
    let mut text = String::new();
    states(&mut text, snapshot);
    let counters = &snapshot.counters;
    let rows = [
        (
            "packets_in_total",
            "Datagrams accepted by the digest check",
            counters.packets_in,
        ),
        ("packets_out_total", "Messages sent", counters.packets_out),
        (
            "rejected_frame_total",
            "Dropped: neither framing",
            counters.rejected_frame,
        ),
        (
            "rejected_digest_total",
            "Dropped: wrong digest",
            counters.rejected_digest,
        ),
        (
            "rejected_key_total",
            "Dropped: unknown key",
            counters.rejected_key,
        ),
        (
            "rejected_length_total",
            "Dropped: too long",
            counters.rejected_length,
        ),
        (
            "rejected_malformed_total",
            "Dropped: malformed",
            counters.rejected_malformed,
        ),
        ("replays_total", "Dropped: replayed", counters.replays),
        (
            "duplicates_total",
            "Copies over further links",
            counters.duplicates,
        ),
        (
            "late_total",
            "Heartbeats later than warntime",
            counters.late,
        ),
        ("lost_total", "Messages that never arrived", counters.lost),
        (
            "addresses_restored_total",
            "Addresses put back",
            counters.addresses_restored,
        ),
    ];
    for (name, help, value) in rows {
        let kind = "counter";
        let samples = [(String::new(), value)];
        metric(&mut text, &Metric { name, kind, help }, samples);
    }
    text
}

fn states(text: &mut String, snapshot: &ClusterSnapshot) {
    let kind = "gauge";
    let nodes = snapshot.nodes.iter().map(|node| {
        let alive = matches!(
            node.status,
            NodeStatus::Up | NodeStatus::Active | NodeStatus::Ping
        );
        (label(&[("node", &node.name)]), u64::from(alive))
    });
    let (name, help) = ("node_alive", "1 while the node is up or active");
    metric(text, &Metric { name, kind, help }, nodes);
    let links = snapshot.links.iter().map(|link| {
        let labels = [
            ("node", link.node.as_str()),
            ("medium", &link.medium),
            ("device", &link.device),
        ];
        (label(&labels), u64::from(link.state == LinkState::Up))
    });
    let (name, help) = ("link_up", "1 while the node is heard on this link");
    metric(text, &Metric { name, kind, help }, links);
    // One medium carries to all nodes.
    let media: BTreeMap<_, _> = snapshot
        .links
        .iter()
        .map(|link| {
            let labels = [("medium", link.medium.as_str()), ("device", &link.device)];
            (label(&labels), u64::from(link.not_sent.is_none()))
        })
        .collect();
    let (name, help) = ("medium_sends", "1 while heartbeats leave on this medium");
    metric(text, &Metric { name, kind, help }, media);
    let running = snapshot.groups.iter().map(|group| {
        let running = group.state == RunState::Running;
        (label(&[("group", &group.name)]), u64::from(running))
    });
    let (name, help) = ("group_running", "1 while the group runs on this node");
    metric(text, &Metric { name, kind, help }, running);
    let epochs = snapshot
        .groups
        .iter()
        .map(|group| (label(&[("group", &group.name)]), group.epoch));
    let (name, help) = ("group_epoch", "Grows at every change of owner");
    metric(text, &Metric { name, kind, help }, epochs);
    let took = snapshot.groups.iter().flat_map(|group| {
        let timing = group.timing.iter().flat_map(Timing::parts);
        timing.map(|(part, ms)| (label(&[("group", &group.name), ("part", part)]), ms))
    });
    let (name, help) = (
        "group_took_milliseconds",
        "How long it took until the group ran here, in all and by part",
    );
    metric(text, &Metric { name, kind, help }, took);
}

fn metric(
    text: &mut String,
    metric: &Metric<'_>,
    samples: impl IntoIterator<Item = (String, u64)>,
) {
    let Metric { name, kind, help } = metric;
    // Writing to a String succeeds.
    let _ = writeln!(text, "# HELP hbd_{name} {help}\n# TYPE hbd_{name} {kind}");
    for (labels, value) in samples {
        let _ = writeln!(text, "hbd_{name}{labels} {value}");
    }
}

fn label(pairs: &[(&str, &str)]) -> String {
    let escaped = |value: &str| {
        let value = value.replace('\\', "\\\\");
        value.replace('"', "\\\"").replace('\n', "\\n")
    };
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_quoted() {
        let labels = label(&[("group", "a\"b\\c"), ("node", "lb1")]);
        assert_eq!(labels, r#"{group="a\"b\\c",node="lb1"}"#);
    }

    #[test]
    fn samples_follow_their_help_and_type() {
        let mut text = String::new();
        let head = Metric {
            name: "late_total",
            kind: "counter",
            help: "Late",
        };
        metric(&mut text, &head, [(String::new(), 7)]);
        let expected =
            "# HELP hbd_late_total Late\n# TYPE hbd_late_total counter\nhbd_late_total 7\n";
        assert_eq!(text, expected);
    }
}
