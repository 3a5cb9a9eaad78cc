//! What directives mean, one promise each.

use super::Machine;
use crate::config::draft::{Draft, Given};
use crate::config::ha_cf::parse;
use crate::config::host::find_udp_service;
use crate::config::{MediumSpec, Options, load};
use ha_plumbing::{Diagnostics, Source};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

fn read(text: &str) -> (Draft, Diagnostics) {
    let source = Source::from_bytes("ha.cf", text.as_bytes());
    let mut found = Diagnostics::new();
    let draft = parse(&source, &Machine, &mut found);
    (draft, found)
}

#[test]
fn of_several_values_the_last_counts_within_a_line_and_within_the_file() {
    let (draft, found) = read("keepalive 1 2\nkeepalive 3,4\n");
    assert_eq!(draft.keepalive.unwrap().value, Duration::from_secs(4));
    assert_eq!(draft.environment.get("HA_keepalive").unwrap(), "4");
    assert_eq!(found.warning_count(), 2);
}

#[test]
fn a_faulty_line_is_neither_exported_nor_hides_others() {
    let (draft, found) = read("keepalive 2x\nwhat\ndeadtime 3\n");
    assert_eq!(found.error_count(), 2);
    assert_eq!(draft.deadtime.unwrap().value, Duration::from_secs(3));
    assert!(!draft.environment.contains_key("HA_keepalive"));
    assert!(draft.environment.contains_key("HA_deadtime"));
}

#[test]
fn a_comment_ends_a_line_anywhere() {
    let (draft, found) = read("  node a#b c\n#node d\n");
    assert!(found.is_empty());
    assert_eq!(draft.nodes.len(), 1);
}

#[test]
fn media_keep_the_port_that_held_when_they_were_named() {
    let (draft, found) = read(
        "bcast eth0\nudpport 700\nbcast eth1\nmcast eth0 239.0.0.1 701 1 0\nucast6 eth0 fe80::2\n",
    );
    let ports: Vec<u16> = draft
        .media
        .iter()
        .map(|medium| match &medium.value {
            MediumSpec::Bcast { port, .. } => *port,
            MediumSpec::Ucast { peer, .. } => peer.port,
            MediumSpec::Mcast { group, .. } => group.port(),
            MediumSpec::Serial { .. } => 0,
        })
        .collect();
    assert_eq!(ports, [694, 700, 701, 700]);
    assert_eq!(found.warning_count(), 1);
}

#[test]
fn serial_lines_have_the_speed_that_held_when_they_were_named() {
    let speeds = |text: &str| {
        let (draft, found) = read(text);
        let speed = |given: &Given<MediumSpec>| match &given.value {
            MediumSpec::Serial { baud, .. } => Some(*baud),
            _ => None,
        };
        let speeds: Vec<u32> = draft.media.iter().filter_map(speed).collect();
        (speeds, found.error_count(), found.warning_count())
    };
    let both = "serial /dev/ttyS0 /dev/ttyS1\n";
    assert_eq!(speeds(both), (vec![19_200, 19_200], 0, 0));
    let fast = format!("baud 115200\n{both}");
    assert_eq!(speeds(&fast), (vec![115_200, 115_200], 0, 0));
    let late = format!("{both}baud 115200\n");
    assert_eq!(speeds(&late), (vec![19_200, 19_200], 0, 1));
    assert_eq!(speeds(&format!("{both}baud 19200\n")).2, 0);
    assert_eq!(speeds("baud 1200\n"), (vec![], 1, 0));
    assert_eq!(speeds("serial /dev/ttyS0 /dev/ttyS0\n").0.len(), 1);
}

#[test]
fn serial_port_is_judged_in_the_old_words() {
    for (device, phrase, refused) in [
        ("ttyS0", "Serial port not full pathname [ttyS0]", true),
        (
            "/etc/passwd",
            "Serial port [/etc/passwd] not a char device",
            true,
        ),
        (
            "/dev/ttyUSB0",
            "Nonexistent serial port [/dev/ttyUSB0]",
            false,
        ),
    ] {
        let (draft, found) = read(&format!("serial {device}\n"));
        assert!(found.to_string().contains(phrase), "{found}");
        assert_eq!(found.has_errors(), refused, "{device}");
        assert_eq!(draft.media.is_empty(), refused, "{device}");
    }
}

#[test]
fn what_may_come_later_is_a_medium_with_a_warning() {
    let late = [
        "bcast eth9\n",
        "bcast tun0\n",
        "ucast eth9 10.0.0.2\n",
        "ucast eth0 lb9\n",
        "ucast6 eth9 fe80::2%eth9\n",
        "mcast eth9 239.0.0.1 694 1 0\n",
        "mcast6 eth9 ff02::694 694 1 0\n",
    ];
    for line in late {
        let (draft, found) = read(line);
        assert_eq!(draft.media.len(), 1, "{line}");
        assert_eq!(
            (found.error_count(), found.warning_count()),
            (0, 1),
            "{line}"
        );
    }
    let (draft, found) = read("ucast eth0 10.0.0.300\n");
    assert_eq!((draft.media.len(), found.error_count()), (0, 1));
}

#[test]
fn an_ignored_directive_is_named_once_with_all_its_lines() {
    let (_, found) = read("stonith a /b\nstonith a /b\nwatchdog /dev/watchdog\n");
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].ends_with(" (also line 2)"), "{told:?}");
    assert!(
        told[0].starts_with("ha.cf:1: stonith is not honoured in this release: "),
        "{told:?}"
    );
}

#[test]
fn there_are_limits_to_nodes_and_media() {
    let lines = |count: u32, line: &str| -> String {
        let numbered = |n: u32| line.replace('N', &n.to_string());
        (0..count).map(numbered).collect()
    };
    assert_eq!(read(&lines(100, "node nN\n")).1.error_count(), 0);
    assert_eq!(read(&lines(101, "node nN\n")).1.error_count(), 1);
    assert_eq!(read(&lines(64, "ucast eth0 10.0.0.N\n")).1.error_count(), 0);
    assert_eq!(read(&lines(65, "ucast eth0 10.0.0.N\n")).1.error_count(), 1);
    let media = lines(60, "ucast eth0 10.0.0.N\n");
    let pings = |count| format!("{media}{}", lines(count, "ping 10.0.1.N\n"));
    assert_eq!(read(&pings(4)).1.error_count(), 0);
    assert_eq!(read(&pings(5)).1.error_count(), 1);
    let nodes = lines(99, "node nN\n");
    assert_eq!(read(&format!("{nodes}ping 10.0.0.1\n")).1.error_count(), 0);
    assert_eq!(
        read(&format!("ping 10.0.0.1 10.0.0.2\n{nodes}"))
            .1
            .error_count(),
        1
    );
    let hosts = |count| format!("ping_group g{}\n", lines(count, " 10.0.0.N"));
    assert_eq!(read(&hosts(64)).1.error_count(), 0);
    assert_eq!(read(&hosts(65)).1.error_count(), 1);
}

#[test]
fn ping_nodes_have_names_of_their_own() {
    let text = "ping 10.0.0.1 GW.example.com\nping_group uplinks 10.0.0.2 lb2.example.com\n\
                ping6 fe80::1%eth0\nping 10.0.0.1\n";
    let (draft, found) = read(text);
    let names: Vec<&str> = draft
        .pings
        .iter()
        .map(|ping| ping.value.name.as_str())
        .collect();
    let expected = ["10.0.0.1", "gw.example.com", "uplinks", "fe80::1%eth0"];
    assert_eq!(names, expected);
    assert_eq!(
        (found.error_count(), found.warning_count()),
        (0, 2),
        "{found}"
    );
    let late: Vec<&str> = draft.pings[1].value.unresolved().collect();
    assert_eq!(late, ["GW.example.com"]);
    let group = &draft.pings[2].value;
    assert_eq!((group.hosts.len(), group.unresolved().count()), (2, 0));
    let six = &draft.pings[3].value.hosts[0];
    assert_eq!(six.interface.as_deref(), Some("eth0"));
    for (line, errors, warnings) in [
        ("ping 10.0.0.300", 1, 0),
        ("ping6 10.0.0.1", 1, 0),
        ("ping6 fe80::1", 0, 1),
        ("ping_group uplinks", 1, 0),
        ("ping_group uplinks 10.0.0.300", 1, 0),
    ] {
        let found = read(&format!("{line}\n")).1;
        let told = (found.error_count(), found.warning_count());
        assert_eq!(told, (errors, warnings), "{line}: {found}");
    }
}

#[test]
fn initdead_follows_deadtime() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("haresources"), "").unwrap();
    fs::write(path("authkeys"), "auth 1\n1 sha1 sufficiently-long\n").unwrap();
    fs::set_permissions(path("authkeys"), fs::Permissions::from_mode(0o600)).unwrap();
    for (deadtime, initdead) in [(3, 12), (5, 12), (6, 12), (10, 20), (11, 11), (30, 30)] {
        let text = format!("node lb1\nbcast eth0\ndeadtime {deadtime}\n");
        fs::write(path("ha.cf"), text).unwrap();
        let options = Options {
            node: None,
            host: &Machine,
        };
        let timing = load(folder.path(), options).unwrap().timing;
        assert_eq!(
            timing.initdead,
            Duration::from_secs(initdead),
            "deadtime {deadtime}"
        );
        assert_eq!(timing.warntime, timing.deadtime / 2);
    }
}

#[test]
fn the_nodes_name_comes_from_the_option_then_nodeinfo_then_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("ha.cf"), "node lb1 lb2 LB3\nbcast eth0\n").unwrap();
    fs::write(path("haresources"), "").unwrap();
    fs::write(path("authkeys"), "auth 1\n1 sha1 sufficiently-long\n").unwrap();
    fs::set_permissions(path("authkeys"), fs::Permissions::from_mode(0o600)).unwrap();
    let local = |node: Option<&str>| {
        let options = Options {
            node,
            host: &Machine,
        };
        load(folder.path(), options).map(|loaded| loaded.local.to_string())
    };
    assert_eq!(local(None).unwrap(), "lb1");
    fs::write(path("nodeinfo"), "Lb2\nignored\n").unwrap();
    assert_eq!(local(None).unwrap(), "lb2");
    assert_eq!(local(Some("lb3")).unwrap(), "lb3");
    assert!(local(Some("lb4")).is_err());
    fs::write(path("nodeinfo"), "lb2").unwrap();
    assert_eq!(
        local(None).unwrap(),
        "lb1",
        "a line without its end is no line"
    );
}

#[test]
fn the_services_database_is_read_as_it_is_written() {
    let services = "ssh 22/tcp\n# ha-cluster 1/udp\nha-cluster 694/tcp\nheartbeat\t694/udp ha-cluster # Linux-HA\n";
    assert_eq!(find_udp_service(services, "ha-cluster"), Some(694));
    assert_eq!(find_udp_service(services, "ssh"), None);
    assert_eq!(find_udp_service("x y/udp\nx\n\n", "x"), None);
}

#[test]
fn every_program_that_nobody_starts_is_named() {
    let (_, found) = read(
        "respawn hacluster /usr/lib/heartbeat/ipfail\nrespawn root /usr/bin/watcher -v\n\
         failfast root /usr/bin/watcher\n",
    );
    let told: Vec<String> = found.ranked().iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].contains("/usr/lib/heartbeat/ipfail is not started"),
        "{told:?}"
    );
    assert!(told[0].contains("a say in where groups run"), "{told:?}");
    assert!(told[1].contains("ha.cf:2: /usr/bin/watcher") && told[1].ends_with("(also line 3)"));
}

#[test]
fn a_port_that_changes_nothing_is_no_cause_for_alarm() {
    assert!(read("bcast eth0\nudpport 694\n").1.is_empty());
    assert_eq!(read("bcast eth0\nudpport 695\n").1.warning_count(), 1);
}

#[test]
fn characters_that_look_like_others_are_named() {
    for (text, expected) in [
        (
            "logfile \"/var/log/ha-log\"\n",
            "the quotation marks are part of the value",
        ),
        (
            "logfile \u{201c}/x\u{201d}\n",
            "the quotation marks are part of the value",
        ),
        ("\u{feff}node lb1\n", "a byte order mark (U+FEFF)"),
        ("keepalive\u{a0}1\n", "a no-break space (U+00A0)"),
        ("keepalive,1\n", "Illegal directive [keepalive,1]"),
        (",keepalive 1\n", "Illegal directive [,keepalive]"),
    ] {
        let told = read(text).1.to_string();
        assert!(told.contains(expected), "{text:?}: {told}");
    }
}

#[test]
fn media_that_reach_nobody_are_named() {
    for line in [
        "bcast lo",
        "ucast eth0 127.0.0.1",
        "ucast eth0 255.255.255.255",
        "ucast eth0 225.0.0.1",
        "ucast eth0 0.0.0.0",
        "ucast6 eth0 ::1",
        "ucast6 eth0 ff02::1",
        "mcast eth0 239.0.0.1 694 0 0",
        "mcast6 eth0 ff02::694 694 0 0",
        "mcast6 eth0 ff01::694 694 1 0",
    ] {
        let (_, found) = read(line);
        assert_eq!(found.warning_count(), 1, "{line}");
    }
}

#[test]
fn variables_for_scripts_stay_below_what_the_kernel_hands_over() {
    let lines = |count: usize| -> String {
        let line = |n| format!("env V{n:04}={}\n", "x".repeat(1000));
        (0..count).map(line).collect()
    };
    assert!(!read(&lines(60)).1.has_errors());
    assert!(read(&lines(70)).1.has_errors());
}

#[test]
fn a_directive_that_may_be_given_once_is_given_by_its_value() {
    assert_eq!(
        read("watchdog\nwatchdog /dev/watchdog\n").1.error_count(),
        0
    );
    assert_eq!(read("watchdog /a\nwatchdog /b\n").1.error_count(), 1);
    assert_eq!(read("baud 9600 19200\n").1.error_count(), 1);
}

#[test]
fn commas_after_the_name_are_skipped_and_kept_within_a_whole_line() {
    let (draft, found) = read("ucast , eth0 10.0.0.2\nbcast ,eth1,\n");
    assert_eq!((draft.media.len(), found.error_count()), (2, 0), "{found}");
    assert_eq!(read("ucast , eth0\n").1.error_count(), 1);
    assert_eq!(read("ucast eth0,10.0.0.2\n").1.error_count(), 1);
}
