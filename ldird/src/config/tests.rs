//! The conformance tables of the ldirectord specification, 8.1 and 8.2: one row per input, with what
//! must come of it here. Rows that differ from the old daemon on purpose say so.
#![allow(clippy::unwrap_used)]

use super::{Configuration, read};
use crate::probes::{Catalogue, Probe};
use ha_plumbing::{Severity, Source};
use ldird_core::config::{Check, VirtualService};
use ldird_core::table::{Forwarding, ServiceKey};
use proptest::prelude::*;
use std::time::Duration;

mod conformance;
mod ipvs;
mod operations;
mod options;
mod services;

const B0: &str = "virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate 3\n\treal=10.0.0.2:80 gate 2\n\
                  \tfallback=127.0.0.1:80\n\tservice=http\n\tscheduler=wlc\n";

/// What a row expects.
enum Expect {
    /// Accepted; warnings are allowed.
    Good,
    /// Accepted with this warning.
    Warned(&'static str),
    /// Refused, one error beginning with this.
    Bad(&'static str),
}
use Expect::{Bad, Good, Warned};

fn parse(text: &str) -> (Option<Configuration>, Vec<(Severity, u32, String)>) {
    let source = Source::from_bytes("/etc/ha.d/test.cf", text.as_bytes());
    let (configuration, diagnostics) = read(&source, &mut Catalogue::default());
    let told = diagnostics.iter().map(|one| {
        let position = one.place.as_ref().and_then(|place| place.position.as_ref());
        let line = position.map_or(0, |position| position.line);
        (one.severity, line, one.message.clone())
    });
    (configuration, told.collect())
}

fn good(text: &str) -> Configuration {
    let (configuration, told) = parse(text);
    configuration.unwrap_or_else(|| panic!("{text}\nis refused: {told:#?}"))
}

fn check_rows(rows: &[(&str, String, Expect)]) {
    for (row, text, expect) in rows {
        let (configuration, told) = parse(text);
        let has = |severity, start: &str| {
            told.iter()
                .any(|(kind, _, message)| *kind == severity && message.starts_with(start))
        };
        let fits = match expect {
            Good => configuration.is_some(),
            Warned(message) => configuration.is_some() && has(Severity::Warning, message),
            Bad(message) => configuration.is_none() && has(Severity::Error, message),
        };
        assert!(fits, "row {row}:\n{text}\n{told:#?}");
    }
}

fn b0(line: &str) -> String {
    format!("{B0}\t{line}\n")
}

fn before_b0(line: &str) -> String {
    format!("{line}\n{B0}")
}

fn real(line: &str) -> String {
    format!("virtual=10.0.0.100:80\n\tservice=http\n\t{line}\n")
}

fn only(configuration: &Configuration) -> &VirtualService {
    let [service] = configuration.core.services.as_slice() else {
        panic!("one virtual service expected");
    };
    service
}

/// `ADDRESS:PORT METHOD WEIGHT` of every real server.
fn reals(text: &str) -> Vec<String> {
    let configuration = good(text);
    let reals = only(&configuration).reals.iter();
    reals
        .map(|real| format!("{} {} {}", real.configured, real.forwarding, real.weight))
        .collect()
}

#[test]
fn real_lines_mean_what_they_meant() {
    let rows = [
        ("R1", "real=10.0.0.1:80 gate", vec!["10.0.0.1:80 gate 1"]),
        ("R2", "real=10.0.0.1 gate", vec!["10.0.0.1:0 gate 1"]),
        (
            "R3",
            "real=10.0.0.1:http masq 5",
            vec!["10.0.0.1:80 masq 5"],
        ),
        (
            "1.8",
            "real=10.0.0.1:80 gate -w 3",
            vec!["10.0.0.1:80 gate 3"],
        ),
        ("R8", "real=10.0.0.1:80 gate 0", vec!["10.0.0.1:80 gate 0"]),
        (
            "R21",
            "real=10.0.0.1 -> 10.0.0.3:80 ipip",
            vec![
                "10.0.0.1:80 ipip 1",
                "10.0.0.2:80 ipip 1",
                "10.0.0.3:80 ipip 1",
            ],
        ),
        (
            "R22",
            "real=0.0.0.9->0.0.0.11:80 gate",
            vec![
                "0.0.0.9:80 gate 1",
                "0.0.0.10:80 gate 1",
                "0.0.0.11:80 gate 1",
            ],
        ),
        (
            "1.8",
            "real=10.0.0.8->9:80 gate 2",
            vec!["10.0.0.8:80 gate 2", "10.0.0.9:80 gate 2"],
        ),
        (
            "R27",
            "real=10.0.0.1:80 gate 1\n\treal=10.0.0.1:80 gate 7",
            vec!["10.0.0.1:80 gate 7"],
        ),
    ];
    for (row, line, expected) in rows {
        assert_eq!(reals(&real(line)), expected, "row {row}");
    }
}

#[test]
fn thresholds_in_any_order_and_quoted() {
    for options in [
        "1 l:10 u:20",
        "1 u:20 l:10",
        "1 \"l:10\" \"u:20\"",
        "l:10 u:20",
    ] {
        let configuration = good(&real(&format!("real=10.0.0.1:80 gate {options}")));
        let [real] = only(&configuration).reals.as_slice() else {
            panic!("one real server expected");
        };
        assert_eq!((real.lower, real.upper), (10, 20), "{options}");
    }
}

/// The probes as text, which shows addresses, patterns and time-outs.
fn probes(text: &str) -> Vec<String> {
    let configuration = good(text);
    configuration
        .probes
        .values()
        .map(|probe| format!("{probe:?}"))
        .collect()
}

#[test]
fn a_real_server_may_have_its_own_request() {
    for options in [
        "1 \"a\", \"b\"",
        "1 \"a\" \"b\"",
        "1 \"a\",\"b\"",
        "1 \"a\" , \"b\"",
        "\"a\",\"b\"",
    ] {
        let [probe] = &probes(&real(&format!("real=10.0.0.1:80 gate {options}")))[..] else {
            panic!("one probe expected");
        };
        assert!(probe.contains("Here(\"/a\")"), "{options}: {probe}");
        assert!(probe.contains("Pattern(\"b\")"), "{options}: {probe}");
    }
    let own = probes(&real("real=10.0.0.1:80 gate \"GET 1\", \"x\""));
    assert!(own.concat().contains("/GET%201"), "row R15: {own:?}");
}

#[test]
fn digits_count_wherever_they_stand() {
    let interval = |line: &str| only(&good(&before_b0(line))).interval;
    assert_eq!(
        interval("checkinterval=10s"),
        Duration::from_secs(10),
        "P10"
    );
    assert_eq!(interval("checkinterval=1.5"), Duration::from_secs(1), "P12");
    assert_eq!(interval("checkinterval=7"), Duration::from_secs(7));
    let after = good(&format!("{B0}checkinterval=3\n"));
    assert_eq!(only(&after).interval, Duration::from_secs(3), "P45");
    assert_eq!(
        only(&good(&b0("checkinterval=5"))).interval,
        Duration::from_secs(5),
        "P72"
    );
}

#[test]
fn virtual_lines_name_the_service() {
    let rows = [
        ("P50", "virtual=5", "fwm:5"),
        ("P52", "virtual6=[2001:DB8:0::1]:80", "tcp:[2001:db8::1]:80"),
        ("P55", "virtual=10.0.0.100:http", "tcp:10.0.0.100:80"),
        ("P76", "virtual6=7", "fwm6:7"),
        ("1.6", "virtual=10.0.0.100:domain", "udp:10.0.0.100:53"),
    ];
    for (row, line, id) in rows {
        let configuration = good(&format!("{line}\n"));
        assert_eq!(only(&configuration).key.to_string(), id, "row {row}");
    }
}

#[test]
fn timeouts_inherit_from_the_nearest_scope() {
    let rows = [
        ("R35", "", "", 5, 30),
        ("R36", "checktimeout=3", "", 3, 3),
        ("R37", "negotiatetimeout=7", "", 7, 7),
        ("R38", "checktimeout=3", "negotiatetimeout=9", 9, 9),
        ("R40", "negotiatetimeout=7", "checktimeout=2", 2, 2),
    ];
    for (row, global, section, check, negotiate) in rows {
        let text = format!("{global}\n{B0}\t{section}\n\tchecktype=2\n");
        let text = text.replace("\t\n", "");
        let configuration = good(&text);
        for probe in configuration.probes.values() {
            let Probe::Combined {
                negotiate: slow,
                connect: fast,
                ..
            } = &**probe
            else {
                panic!("row {row}: a combined probe expected");
            };
            let (Probe::Http(slow), Probe::Connect(fast)) = (&**slow, &**fast) else {
                panic!("row {row}: http and connect expected");
            };
            assert_eq!(fast.timeout, Duration::from_secs(check), "row {row}");
            assert_eq!(slow.timeout, Duration::from_secs(negotiate), "row {row}");
        }
    }
}

#[test]
fn services_follow_the_port_and_give_the_check_port() {
    let described = |text: &str| {
        let configuration = good(text);
        only(&configuration)
            .reals
            .first()
            .unwrap()
            .description
            .clone()
    };
    let on_8080 = "virtual=10.0.0.100:8080\n\treal=10.0.0.1 gate\n";
    assert_eq!(described(on_8080), "on", "R41: service none is always up");
    let http = format!("{on_8080}\tservice=http\n");
    assert_eq!(described(&http), "negotiate http");
    assert!(probes(&http).concat().contains("10.0.0.1:80"), "R42");
}

#[test]
fn fallbacks_take_the_port_of_the_virtual() {
    let fallback = |text: &str| {
        let configuration = good(text);
        let fallback = only(&configuration).fallback.clone().unwrap();
        format!("{} {}", fallback.key, fallback.forwarding)
    };
    let tcp = "virtual=10.0.0.100:80\n";
    assert_eq!(
        fallback(&format!("{tcp}\tfallback=127.0.0.1\n")),
        "127.0.0.1:80 gate",
        "R28"
    );
    assert_eq!(
        fallback(&format!("fallback=127.0.0.1:http masq\n{tcp}")),
        "127.0.0.1:80 masq",
        "R30"
    );
    let six = "fallback6=::1\nvirtual6=[2001:db8::1]:80\n";
    assert_eq!(fallback(six), "[::1]:80 gate", "R31");
    assert_eq!(
        fallback("virtual=5\n\tfallback=127.0.0.1\n"),
        "127.0.0.1:0 gate",
        "R33"
    );
    assert_eq!(
        fallback("fallback=127.0.0.1\nvirtual=5\n"),
        "127.0.0.1:0 gate",
        "1.9"
    );
}

#[test]
fn gate_and_ipip_stand_in_the_table_with_the_port_of_the_virtual() {
    let configuration = good(&real("real=10.0.0.1:8080 gate\n\treal=10.0.0.2:8080 masq"));
    let places: Vec<String> = only(&configuration)
        .reals
        .iter()
        .map(|real| real.key.to_string())
        .collect();
    assert_eq!(places, ["10.0.0.1:80", "10.0.0.2:8080"]);
    let mark = good("virtual=5\n\treal=10.0.0.1 gate\n");
    let real = only(&mark).reals.first().unwrap();
    assert_eq!(
        (real.key.port, real.forwarding, real.check),
        (0, Forwarding::Gate, Check::On),
        "T33"
    );
}

#[test]
fn the_kernel_attributes_of_a_service() {
    let spec = |lines: &str| only(&good(&format!("{B0}{lines}"))).spec.clone();
    let plain = spec("");
    assert_eq!(
        (plain.scheduler.as_str(), plain.persistent, plain.netmask),
        ("wlc", None, 32)
    );
    let sticky = spec("\tpersistent=600\n\tnetmask=255.255.255.0\n");
    assert_eq!((sticky.persistent, sticky.netmask), (Some(600), 24), "T36");
    assert_eq!(spec("\tnetmask=255.255.255.0\n").netmask, 32, "T37");
    assert!(spec("\tprotocol=udp\n\tops=yes\n").one_packet, "T39");
    assert!(!spec("\tops=yes\n").one_packet);
    let hashed = spec("\tscheduler=sh\n\tschedflags=sh-port\n");
    assert_eq!(hashed.scheduler_flags, [false, true, false], "T41");
}

#[test]
fn checks_that_are_missing_here_become_checks_that_look_at_the_server() {
    let rows = [
        (
            "\tservice=oracle\n",
            "connect",
            "virtual 10.0.0.100:80: ldird does not speak the protocol of oracle",
        ),
        (
            "\tchecktype=external\n",
            "external /bin/true",
            "virtual 10.0.0.100:80: there is no checkcommand",
        ),
        (
            "\tservice=oracle\n\tprotocol=udp\n",
            "ping",
            "virtual 10.0.0.100:80: ldird does not speak the protocol of oracle",
        ),
    ];
    for (lines, description, warning) in rows {
        let text = format!("{B0}{lines}");
        check_rows(&[("named warning", text.clone(), Warned(warning))]);
        let configuration = good(&text);
        assert!(
            only(&configuration)
                .reals
                .iter()
                .all(|real| real.description == description),
            "{lines}"
        );
    }
}

/// Kernel 6.1, `ip_vs_add_dest` and `__ip_vs_new_dest`: each of these comes back as an error for
/// good, whenever it is tried.
#[test]
fn what_the_kernel_refuses_for_good_is_told_and_never_asked_for() {
    let thresholds = |options: &str| {
        let line = real(&format!("real=10.0.0.1:80 gate 1 {options}"));
        let configuration = good(&line);
        let one = only(&configuration).reals.first().unwrap();
        (one.lower, one.upper)
    };
    assert_eq!(thresholds("l:10 u:20"), (10, 20));
    assert_eq!(thresholds("l:20 u:20"), (20, 20));
    for (options, taken) in [("l:30 u:20", (0, 20)), ("l:10", (0, 0))] {
        let line = real(&format!("real=10.0.0.1:80 gate 1 {options}"));
        check_rows(&[(
            options,
            line,
            Warned("the lower threshold is above the upper one"),
        )]);
        assert_eq!(thresholds(options), taken, "{options}");
    }
    let addresses = [
        ("real=0.0.0.0:80 gate", ""),
        ("real=224.0.0.1:80 gate", ""),
        ("real=255.255.255.255:80 gate", ""),
        ("real6=[fe80::1]:80 gate", "6"),
        ("real6=[ff02::1]:80 gate", "6"),
        ("real6=[::]:80 gate", "6"),
    ];
    for (line, six) in addresses {
        let virtual_ip = if six.is_empty() {
            "10.0.0.100"
        } else {
            "[2001:db8::1]"
        };
        let text = format!("virtual{six}={virtual_ip}:80\n\tchecktype=on\n\t{line}\n");
        check_rows(&[(line, text.clone(), Warned("real server "))]);
        assert!(only(&good(&text)).reals.is_empty(), "{line}");
        let fallback = text.replace("real", "fallback");
        check_rows(&[(line, fallback.clone(), Warned("fallback "))]);
        assert!(only(&good(&fallback)).fallback.is_none(), "{line}");
    }
}

#[test]
fn one_habit_of_a_file_is_one_fault() {
    let lines = "\tscheduler=wlc\n".repeat(20);
    let deep = |by: &str| format!("virtual=10.0.0.100:80\n{lines}").replace('\t', by);
    let indented = deep("\t").replace('\n', "\n    ").replacen("", "    ", 1);
    for text in [deep("  "), deep("\n\t"), indented] {
        let (configuration, told) = parse(&text);
        assert!(configuration.is_none());
        assert_eq!(told.len(), 1, "{text}\n{told:#?}");
    }
}

#[test]
fn one_question_is_asked_once() {
    let two = format!(
        "{B0}{}",
        B0.replace("10.0.0.100", "10.0.0.101")
            .replace("gate 3", "masq 7")
    );
    let configuration = good(&two);
    assert_eq!(
        configuration.probes.len(),
        2,
        "weight and forwarding are no part of a check"
    );
    let other = format!(
        "{B0}{}\tvirtualhost=x\n",
        B0.replace("10.0.0.100", "10.0.0.101")
    );
    assert_eq!(good(&other).probes.len(), 4, "the virtual host is");
}

#[test]
fn numbers_of_probes_survive_a_reload() {
    let mut catalogue = Catalogue::default();
    let mut load = |text: &str| {
        let source = Source::from_bytes("/x.cf", text.as_bytes());
        let configuration = read(&source, &mut catalogue).0.unwrap();
        catalogue.retain(&configuration.probes);
        configuration.probes.into_keys().collect::<Vec<_>>()
    };
    let before = load(B0);
    let without_first = load(&B0.replace("\treal=10.0.0.1:80 gate 3\n", ""));
    assert_eq!(without_first, before[1..]);
    let again = load(B0);
    assert!(
        again.contains(&before[1]) && !again.contains(&before[0]),
        "{before:?} {again:?}"
    );
}

#[test]
fn every_fault_is_told_and_in_order() {
    let text =
        "quiescent=maybe\nnosuch=1\nvirtual=10.0.0.100\n\treal=10.0.0.1:80 nat\n\tsheduler=rr\n";
    let (configuration, told) = parse(text);
    assert!(configuration.is_none());
    let lines: Vec<u32> = told.iter().map(|(_, line, _)| *line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5], "{told:#?}");
}

#[test]
fn marks_are_always_up_until_a_check_is_configured() {
    let configuration = good("virtual=5\n\treal=10.0.0.1 gate\n");
    let key = only(&configuration).key;
    assert_eq!(key, ServiceKey::Fwmark { mark: 5, v6: false });
    assert!(configuration.probes.is_empty());
}

/// The sample that people copy must be clean.
#[test]
fn the_shipped_sample_has_no_faults() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ha.d/ldirectord.cf");
    let source = Source::read(std::path::Path::new(path)).unwrap();
    let (configuration, diagnostics) = read(&source, &mut Catalogue::default());
    assert!(configuration.is_some(), "{}", diagnostics.render(false));
}

/// A check that is missing here may be of any kind: what stands in for it asks for no more.
#[test]
fn a_stand_in_is_not_stricter_than_the_check_that_is_missing() {
    let stand_in = |text: &str| {
        let configuration = good(text);
        configuration.probes.values().next().unwrap().clone()
    };
    let udp = "virtual=10.0.0.100:99\n\treal=10.0.0.1:99 gate\n\tservice=oracle\n\tprotocol=udp\n";
    assert!(
        matches!(&*stand_in(udp), Probe::Ping(ping) if ping.lenient),
        "ICMP may be filtered where the service is not"
    );
    let tcp = "virtual=10.0.0.100:1521\n\treal=10.0.0.1:1521 gate\n";
    assert!(matches!(&*stand_in(tcp), Probe::Connect(_)));
}

#[test]
fn a_virtual_host_is_sent_as_the_file_has_it() {
    for (bytes, name) in [
        (&b"b\xfccher.example"[..], &b"b\xfccher.example"[..]),
        ("bücher.example".as_bytes(), "bücher.example".as_bytes()),
    ] {
        let mut text = format!("{B0}\tvirtualhost=").into_bytes();
        text.extend(bytes);
        text.push(b'\n');
        let source = Source::from_bytes("/x.cf", &text);
        let (configuration, diagnostics) = read(&source, &mut Catalogue::default());
        let configuration = configuration.unwrap();
        assert!(diagnostics.render(false).contains("virtualhost"));
        let probe = configuration.probes.values().next().unwrap();
        assert!(matches!(&**probe, Probe::Http(http) if http.virtualhost.as_deref() == Some(name)));
    }
}

/// The old daemon takes the file; what the pattern would find is left out, and said.
#[test]
fn a_pattern_that_only_we_lack_is_a_warning() {
    let text = format!("{B0}\treceive=\"(a)(?1)\"\n");
    let source = Source::from_bytes("/x.cf", text.as_bytes());
    let (configuration, diagnostics) = read(&source, &mut Catalogue::default());
    let configuration = configuration.unwrap();
    assert!(diagnostics.render(false).contains("a recursion (?1)"));
    let probe = configuration.probes.values().next().unwrap();
    assert!(matches!(&**probe, Probe::Http(http) if http.receive.is_none()));
}

/// Only a request that begins with the scheme names a server.
#[test]
fn an_address_inside_a_query_is_part_of_the_path() {
    for request in ["/go?to=http://b/c", "go?to=http://b/c"] {
        let line = "virtual=10.0.0.100:80\n\treal=10.0.0.1 gate 1";
        good(&format!("{line} \"{request}\", \"OK\"\n"));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let source = Source::from_bytes("/x.cf", &bytes);
        let _ = read(&source, &mut Catalogue::default());
    }

    /// Pieces of real files in any order reach deeper than random bytes.
    #[test]
    fn no_mixture_of_pieces_makes_the_parser_panic(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("virtual=".to_owned()), Just("virtual6=".to_owned()), Just("\treal=".to_owned()),
                Just("\tfallback=".to_owned()), Just("fallback6=".to_owned()), Just("[::1]:80".to_owned()),
                Just("10.0.0.1".to_owned()), Just("->".to_owned()), Just(":80".to_owned()),
                Just(" gate".to_owned()), Just(" \"a\"".to_owned()), Just(", ".to_owned()),
                Just("\n".to_owned()), Just("\n\t".to_owned()), Just("#".to_owned()), Just("\"".to_owned()),
                Just("\treceive=\"".to_owned()), Just("checkport=".to_owned()), Just("é".to_owned()),
                Just("\tservice=http".to_owned()), Just("netmask=255.".to_owned()), "[ -~]{0,6}",
            ],
            0..60,
        )
    ) {
        let text = pieces.concat();
        let source = Source::from_bytes("/x.cf", text.as_bytes());
        let _ = read(&source, &mut Catalogue::default());
    }
}

/// The pace belongs to what is shared, `failurecount` to who counts.
#[test]
fn services_that_check_at_another_pace_do_not_share_a_probe() {
    let service = |address: u8, lines: &str| {
        format!("virtual=10.0.0.{address}:80\n\treal=10.0.0.1:80 gate\n\tservice=http\n{lines}")
    };
    let text = service(100, "")
        + &service(101, "\tfailurecount=3\n\treal=10.0.0.2:80 gate 7\n")
        + &service(102, "\tcheckinterval=2\n");
    let found = good(&text).core.services;
    let [first, second, third] = [0, 1, 2].map(|at: usize| found[at].reals[0].check);
    assert_eq!(first, second);
    assert_ne!(first, third);
    assert_ne!(first, found[1].reals[1].check);
}
