//! The conformance tables of the ldirectord specification, 8.1 and 8.2: one row per input, with what
//! must come of it here. Rows that differ from the old daemon on purpose say so.
#![allow(clippy::unwrap_used)]

use super::{Configuration, read};
use crate::probes::{Catalogue, Probe};
use ha_plumbing::{Severity, Source};
use ldird_core::config::{Check, VirtualService};
use ldird_core::table::{Forwarding, ServiceKey};
use proptest::prelude::*;

mod agent;
mod conformance;
mod framing;
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
        check_row(row, text, expect);
    }
}

fn check_row(row: &str, text: &str, expect: &Expect) {
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
    // Of different lines: the fault is told in the same words.
    let lines = "\tscheduler=wlc\n\tchecktype=connect\n\tcheckport=8080\n".repeat(7);
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
