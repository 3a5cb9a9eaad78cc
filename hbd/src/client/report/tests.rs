#![allow(clippy::unwrap_used)]

use super::*;
use ha_status::{
    ClaimCause, ClaimReason, Counters, Fate, GroupReason, GroupRun, RefusedReason, SendTrouble,
    Timing,
};

fn node(name: &str, status: NodeStatus) -> Node {
    Node {
        name: name.to_owned(),
        local: name == "lb1",
        kind: NodeKind::Normal,
        status,
        extended: true,
        generation: 7,
        heard_ms: Some(120),
        since_ms: 1_000_000,
        deadtime_ms: 1000,
        same_haresources: Some(true),
        quality: None,
    }
}

pub(super) fn snapshot() -> ClusterSnapshot {
    ClusterSnapshot {
        node: "lb1".to_owned(),
        at_ms: 1_000_000 + 125_000,
        uptime_ms: 3_600_000 * 3 + 60_000 * 12,
        phase: ClusterPhase::Running,
        extended: true,
        auto_failback: "on".to_owned(),
        keepalive_ms: 200,
        deadtime_ms: 2000,
        nodes: vec![
            node("lb1", NodeStatus::Active),
            node("lb2", NodeStatus::Dead),
        ],
        links: vec![Link {
            node: "lb2".to_owned(),
            medium: "bcast".to_owned(),
            device: "eth0".to_owned(),
            state: LinkState::Dead,
            heard_ms: Some(4200),
            packets: 17,
            not_sent: None,
            quality: None,
        }],
        groups: vec![Group {
            name: "IPaddr::10.0.0.1/24/eth0".to_owned(),
            preferred: "lb2".to_owned(),
            owner: Some("lb1".to_owned()),
            epoch: 2,
            state: RunState::Running,
            runs: vec![GroupRun {
                node: "lb1".to_owned(),
                state: RunState::Running,
            }],
            resources: vec![Resource {
                script: "IPaddr".to_owned(),
                args: vec!["10.0.0.1/24/eth0".to_owned()],
            }],
            reason: GroupReason {
                claim: Some(ClaimReason {
                    owner: "lb1".to_owned(),
                    cause: ClaimCause::Next {
                        before: "lb2".to_owned(),
                        fate: Fate::Silent { links: 2 },
                    },
                }),
                ..GroupReason::default()
            },
            timing: Some(Timing {
                total_ms: 2012,
                silence_ms: Some(2003),
                address_ms: Some(8),
                ..Timing::default()
            }),
        }],
        refused: Vec::new(),
        counters: Counters::default(),
        recent: Vec::new(),
    }
}

#[test]
fn status_shows_nodes_links_and_groups_in_columns() {
    let expected = "\
lb1: running for 3 h 12 min, auto_failback on, keepalive 200 ms, deadtime 2 s

NODE  STATUS  FOR        HEARD       SPEAKS
lb1   active  2 min 5 s  -           this node
lb2   dead    2 min 5 s  120 ms ago  hbd

LINK            STATE  HEARD    PACKETS  LOST  SILENCE  SENDS
lb2 bcast eth0  dead   4 s ago  17       -     -        yes

GROUP                     HERE     OWNER  PREFERRED  REASON
IPaddr::10.0.0.1/24/eth0  running  lb1    lb2        lb2 fell silent on every link; lb1 was next
";
    assert_eq!(status(&snapshot()), expected);
}

#[test]
fn a_medium_on_which_nothing_leaves_is_shown_with_its_reason_in_status_and_why() {
    let mut snapshot = snapshot();
    snapshot.links[0].not_sent = Some(NotSent {
        trouble: SendTrouble::Down,
        since_ms: snapshot.at_ms - 4000,
    });
    let shown = status(&snapshot);
    let row = "lb2 bcast eth0  dead   4 s ago  17       -     -        not for 4 s: the interface is down\n";
    assert!(shown.contains(row), "{shown}");
    let told = "  nothing leaves on bcast eth0 for 4 s: the interface is down\n";
    let why = why(&snapshot, "lb2").unwrap();
    assert!(why.contains(told), "{why}");
}

#[test]
fn a_peer_that_was_never_heard_speaks_nothing_yet() {
    let mut snapshot = snapshot();
    snapshot.nodes[1].extended = false;
    assert!(status(&snapshot).contains("120 ms ago  Heartbeat\n"));
    snapshot.nodes[1].heard_ms = None;
    assert!(
        status(&snapshot).contains("never  -\n"),
        "{}",
        status(&snapshot)
    );
}

#[test]
fn refused_packets_are_shown_with_their_reason_in_status_and_why() {
    let mut snapshot = snapshot();
    snapshot.refused = vec![Refused {
        node: Some("lb2".to_owned()),
        from: Some("10.77.0.2".to_owned()),
        reason: RefusedReason::TooLong,
        count: 81,
        last_ms: 200,
    }];
    let shown = status(&snapshot);
    let row = "10.77.0.2     lb2   81       200 ms ago  longer than any message\n";
    assert!(
        shown.contains("\nREFUSED FROM  NODE  PACKETS  LAST        WHY\n"),
        "{shown}"
    );
    assert!(shown.contains(row), "{shown}");
    let told =
        "  81 packets from 10.77.0.2 refused, the last 200 ms ago: longer than any message\n";
    assert!(why(&snapshot, "lb2").unwrap().contains(told));
    assert!(!why(&snapshot, "lb1").unwrap().contains("refused"));
    // A sender that nobody knows may be the silent peer.
    snapshot.refused[0].node = None;
    assert!(why(&snapshot, "lb2").unwrap().contains(told));
    assert!(!why(&snapshot, "lb1").unwrap().contains("refused"));
}

#[test]
fn status_warns_of_files_that_differ() {
    let mut snapshot = snapshot();
    snapshot.nodes[1].same_haresources = Some(false);
    assert!(status(&snapshot).ends_with("\nharesources differs from that of lb2!\n"));
}

#[test]
fn why_answers_for_nodes_groups_and_parts_of_names() {
    let snapshot = snapshot();
    let node = why(&snapshot, "LB2").unwrap();
    assert!(
        node.starts_with("node lb2 is dead for 2 min 5 s\n"),
        "{node}"
    );
    let silent = "it is silent; over the only link nobody can tell a dead node from a cut cable";
    assert!(node.contains(silent), "{node}");
    assert!(
        node.contains("  bcast eth0 is dead, last packet 4 s ago\n"),
        "{node}"
    );
    let local = why(&snapshot, "lb1").unwrap();
    assert!(
        local.contains("owns IPaddr::10.0.0.1/24/eth0: lb2 fell silent"),
        "{local}"
    );
    for subject in ["IPaddr::10.0.0.1/24/eth0", "10.0.0.1"] {
        let group = why(&snapshot, subject).unwrap();
        assert!(
            group.contains("because: lb2 fell silent on every link; lb1 was next\n"),
            "{group}"
        );
        assert!(
            group.contains("  runs here after 2012 ms: silence 2003 ms, address 8 ms\n"),
            "{group}"
        );
        assert!(
            group.contains("resources: IPaddr::10.0.0.1/24/eth0\n"),
            "{group}"
        );
    }
    let unknown = why(&snapshot, "mail").unwrap_err();
    assert_eq!(
        unknown,
        "no node or group `mail`; there are lb1, lb2, IPaddr::10.0.0.1/24/eth0, and `links`"
    );
    let mut two = snapshot.clone();
    two.groups.push(Group {
        name: "IPaddr::10.0.0.10".to_owned(),
        ..snapshot.groups[0].clone()
    });
    assert!(why(&two, "10.0.0.1").unwrap_err().contains("several"));
}

#[test]
fn times_are_told_in_two_units() {
    let table = [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1 s"),
        (61_000, "1 min 1 s"),
        (3_600_000, "1 h 0 min"),
        (90_000_000, "1 d 1 h"),
    ];
    for (ms, expected) in table {
        assert_eq!(age(ms), expected);
    }
    assert_eq!(exact(1500), "1500 ms");
    assert_eq!(exact(30_000), "30 s");
}

#[test]
fn why_tells_what_happened_to_the_node_lately() {
    let mut snapshot = snapshot();
    let at_ms = snapshot.at_ms - 4000;
    let severity = Severity::Warning;
    for text in [
        "node lb2: is dead",
        "lb1 wants to go standby [all]",
        "packet from 10.0.0.9 on eth0 refused: malformed",
        "Received shutdown notice from 'lb2'.",
    ] {
        let text = text.to_owned();
        snapshot.recent.push(Notice {
            at_ms,
            severity,
            text,
        });
    }
    let told = why(&snapshot, "lb2").unwrap();
    let lines: Vec<&str> = told
        .lines()
        .filter(|line| line.contains(" ago: "))
        .collect();
    assert_eq!(
        lines,
        [
            "  4 s ago: node lb2: is dead",
            "  4 s ago: packet from 10.0.0.9 on eth0 refused: malformed",
            "  4 s ago: Received shutdown notice from 'lb2'.",
        ]
    );
    let told = why(&snapshot, "lb1").unwrap();
    assert!(!told.contains("refused"), "{told}");
}
