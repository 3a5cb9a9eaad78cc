#![allow(clippy::unwrap_used)]

use super::*;
use ha_status::Timing;

fn wording() -> Wording {
    Wording {
        devices: BTreeMap::from([(LinkId::new(70), "eth0".to_owned())]),
        pings: BTreeMap::from([(LinkId::new(9), NodeName::new("10.0.0.254").unwrap())]),
        groups: BTreeMap::from([(GroupId::new(41), "IPaddr::10.0.0.1".to_owned())]),
        local: "lb1".to_owned(),
    }
}

fn node() -> NodeName {
    NodeName::new("lb2").unwrap()
}

/// What people search for stands in the first line.
fn told(rows: &[(Notice, &str)]) {
    for (notice, text) in rows {
        assert_eq!(wording().lines(notice)[0].text, *text);
    }
}

#[test]
fn lines_about_nodes_have_the_parts_that_people_search_for() {
    let link = LinkId::new(70);
    told(&[
        (Notice::LocalStatus("up"), "Local status now set to: 'up'"),
        (
            Notice::NodeStatus {
                node: node(),
                status: "active".to_owned(),
            },
            "Status update for node lb2: status active",
        ),
        (
            Notice::NodeDead {
                node: node(),
                silent: Duration::from_secs(2),
            },
            "node lb2: is dead",
        ),
        (
            Notice::NodeLeft { node: node() },
            "Received shutdown notice from 'lb2'.",
        ),
        (Notice::LinkUp { node: node(), link }, "Link lb2:eth0 up."),
        (
            Notice::LinkDead { node: node(), link },
            "Link lb2:eth0 dead.",
        ),
        (
            Notice::PingAnswers {
                ping: LinkId::new(9),
            },
            "Link 10.0.0.254:10.0.0.254 up.",
        ),
        (
            Notice::PingSilent {
                ping: LinkId::new(9),
                silent: Duration::from_secs(2),
            },
            "node 10.0.0.254: is dead",
        ),
        (
            Notice::NodeRestarted { node: node() },
            "Heartbeat restart on node lb2",
        ),
        (
            Notice::NodeReturned { node: node() },
            "Cluster node lb2 returning after partition.",
        ),
    ]);
}

#[test]
fn lines_about_packets_have_the_parts_that_people_search_for() {
    told(&[
        (
            Notice::LateHeartbeat {
                node: node(),
                interval: Duration::from_millis(1234),
            },
            "Late heartbeat: Node lb2: interval 1234 ms",
        ),
        (
            Notice::PacketsLost {
                node: node(),
                count: 2,
                from: 7,
                to: 9,
            },
            "2 lost packet(s) for [lb2] [7:9]",
        ),
        (
            Notice::PacketsRecovered { node: node() },
            "No pkts missing from lb2!",
        ),
    ]);
}

#[test]
fn lines_about_groups_have_the_parts_that_people_search_for() {
    told(&[
        (
            Notice::GroupTakeover {
                group: GroupId::new(41),
                from: Some(node()),
                epoch: 3,
            },
            "Resources being acquired from lb2.",
        ),
        (
            Notice::Standby {
                node: node(),
                set: HoldSet::Foreign,
            },
            "lb2 wants to go standby [foreign]",
        ),
    ]);
}

#[test]
fn end_of_the_daemon_is_told_in_two_lines() {
    let lines = wording().lines(&Notice::ShutdownComplete);
    assert_eq!(lines[0].text, "All HA resources relinquished.");
    assert_eq!(lines[1].text, "lb1 Heartbeat shutdown complete.");
}

#[test]
fn names_from_the_wire_cannot_forge_lines() {
    let name = format!("evil\nWARN: node lb1: is dead{}", "x".repeat(500));
    let lines = wording().lines(&Notice::UnknownNode { name });
    assert!(!lines[0].text.contains('\n'));
    assert!(lines[0].text.len() < 300);
}

#[test]
fn a_group_that_runs_tells_where_the_time_went() {
    let lines = wording().lines(&Notice::GroupRunning {
        group: GroupId::new(41),
        timing: Timing {
            total_ms: 1012,
            silence_ms: Some(1003),
            address_ms: Some(3),
            table_ms: Some(6),
            prepared: true,
            ..Timing::default()
        },
    });
    assert_eq!(
        lines[0].text,
        "IPaddr::10.0.0.1 runs here after 1012 ms: silence 1003 ms, address 3 ms, table 6 ms \
         (prepared)"
    );
}

#[test]
fn unknown_ids_never_panic() {
    let lines = wording().lines(&Notice::GroupRunning {
        group: GroupId::new(9),
        timing: Timing::default(),
    });
    assert_eq!(lines[0].text, "? runs here after 0 ms");
}
