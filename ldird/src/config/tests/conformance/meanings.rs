//! Rows of sections 8.1 to 8.4 that say what a file means, one test each.

use std::time::Duration;

use ldird_core::config::Check;
use ldird_core::table::{Forwarding, ServiceSpec};

use super::super::{B0, b0, before_b0, good, only, real, reals};
use crate::probes::Probe;

/// `NAME: FOUND => EXPECTED;`, each a test of its own.
macro_rules! meanings {
    ($($name:ident: $found:expr => $expected:expr;)+) => {
        $(
            #[test]
            fn $name() {
                assert_eq!($found, $expected);
            }
        )+
    };
}

fn interval(text: &str) -> u64 {
    only(&good(text)).interval.as_secs()
}

fn key(line: &str) -> String {
    only(&good(&format!("{line}\n"))).key.to_string()
}

/// What each server is asked, as text: addresses, patterns and time-outs are in it.
fn probes(text: &str) -> String {
    let configuration = good(text);
    let all = configuration.probes.values();
    let told: Vec<String> = all.map(|probe| format!("{probe:?}")).collect();
    told.concat()
}

/// How the first server is checked, in the words of a dashboard.
fn check(text: &str) -> String {
    let configuration = good(text);
    let real = only(&configuration).reals.first().expect("a real server");
    real.description.clone()
}

/// Does the real server with these words ask for `/a` and look for `b`?
fn asks_for_a_and_looks_for_b(words: &str) -> bool {
    let told = probes(&real(&format!("real=10.0.0.1:80 gate {words}")));
    told.contains("Here(\"/a\")") && told.contains("Pattern(\"b\")")
}

/// The lower and the upper one.
fn thresholds(words: &str) -> (u32, u32) {
    let configuration = good(&real(&format!("real=10.0.0.1:80 gate {words}")));
    let real = only(&configuration).reals.first().expect("a real server");
    (real.lower, real.upper)
}

fn fallback(text: &str) -> String {
    let configuration = good(text);
    let fallback = only(&configuration).fallback.as_ref().expect("a fallback");
    format!("{} {}", fallback.key, fallback.forwarding)
}

fn spec(lines: &str) -> ServiceSpec {
    only(&good(&format!("{B0}{lines}"))).spec.clone()
}

/// Of a connect and of a conversation, in seconds.
fn timeouts(global: &str, section: &str) -> (u64, u64) {
    let text = format!("{global}{B0}{section}\tchecktype=2\n");
    let configuration = good(&text);
    let probe = configuration.probes.values().next().expect("a probe");
    let Probe::Combined {
        negotiate, connect, ..
    } = &**probe
    else {
        panic!("{probe:?}");
    };
    let (Probe::Http(slow), Probe::Connect(fast)) = (&**negotiate, &**connect) else {
        panic!("{probe:?}");
    };
    let seconds = |timeout: Duration| timeout.as_secs();
    (seconds(fast.timeout), seconds(slow.timeout))
}

/// Address and port, method and weight of each as they stand in the table.
fn table(text: &str) -> Vec<(String, Forwarding, u32)> {
    let configuration = good(text);
    let reals = only(&configuration).reals.iter();
    reals
        .map(|real| (real.key.to_string(), real.forwarding, real.weight))
        .collect()
}

/// The program and its arguments.
fn command(text: &str) -> String {
    let text = format!("{text}\tchecktype=external\n\tcheckcommand=/bin/x\n");
    let configuration = good(&text);
    let probe = configuration.probes.values().next().expect("a probe");
    let Probe::External(external) = &**probe else {
        panic!("{probe:?}");
    };
    format!("{} {}", external.command, external.arguments.join(" "))
}

meanings! {
    p10_digits_with_a_unit: interval(&before_b0("checkinterval=10s")) => 10;
    p12_digits_with_a_fraction: interval(&before_b0("checkinterval=1.5")) => 1;
    // Better: the tab itself; the old daemon makes four blanks of it.
    p40_a_tab_between_quotes: probes(&b0("request=\"a\tb\"")).contains("/a%09b") => true;
    p45_a_global_line_behind_a_section: interval(&format!("{B0}checkinterval=3\n")) => 3;
    p50_a_mark: key("virtual=5") => "fwm:5";
    p52_an_ipv6_address: key("virtual6=[2001:DB8:0::1]:80") => "tcp:[2001:db8::1]:80";
    p55_a_service_name: key("virtual=10.0.0.100:http") => "tcp:10.0.0.100:80";
    p64_a_number_is_a_combined_check: check(&b0("checktype=5")) => "negotiate http every 5 connects";
    p66_quotes_around_the_type: check(&b0("checktype=\"connect\"")) => "connect";
    // Better: its own interval counts without fork, too.
    p72_an_interval_of_its_own_counts: interval(&b0("checkinterval=5")) => 5;
    p76_a_mark_for_ipv6: key("virtual6=7\n\treal6=[::1]:80 gate") => "fwm6:7";
}

meanings! {
    r1_weight_1: reals(&real("real=10.0.0.1:80 gate")) => ["10.0.0.1:80 gate 1"];
    r2_no_port_is_port_0: reals(&real("real=10.0.0.1 gate")) => ["10.0.0.1:0 gate 1"];
    r3_a_port_by_name: reals(&real("real=10.0.0.1:http masq 5")) => ["10.0.0.1:80 masq 5"];
    r8_weight_0: reals(&real("real=10.0.0.1:80 gate 0")) => ["10.0.0.1:80 gate 0"];
    r10_a_request_of_its_own: asks_for_a_and_looks_for_b("1 \"a\", \"b\"") => true;
    r11_a_blank_between_the_strings: asks_for_a_and_looks_for_b("1 \"a\" \"b\"") => true;
    r11_a_comma_between_the_strings: asks_for_a_and_looks_for_b("1 \"a\",\"b\"") => true;
    // Better: the old daemon refuses the line.
    r12_blanks_around_the_comma: asks_for_a_and_looks_for_b("1 \"a\" , \"b\"") => true;
    // Better: the old daemon takes the 1 for the weight.
    r15_digits_in_a_request: probes(&real("real=10.0.0.1:80 gate \"GET 1\", \"x\"")).contains("/GET%201") => true;
    r15_a_request_without_a_weight: asks_for_a_and_looks_for_b("\"a\",\"b\"") => true;
    r16_thresholds: thresholds("1 l:10 u:20") => (10, 20);
    r16_thresholds_without_a_weight: thresholds("l:10 u:20") => (10, 20);
    // Better: the old daemon loses the upper one.
    r17_thresholds_in_the_other_order: thresholds("1 u:20 l:10") => (10, 20);
    // Better: as the manual writes them; the old daemon takes them for a request.
    r18_thresholds_in_quotes: thresholds("1 \"l:10\" \"u:20\"") => (10, 20);
    // Better: the old daemon refuses the blanks.
    r21_blanks_around_the_arrow: reals(&real("real=10.0.0.1 -> 10.0.0.3:80 ipip")) =>
        ["10.0.0.1:80 ipip 1", "10.0.0.2:80 ipip 1", "10.0.0.3:80 ipip 1"];
    // Better: the old daemon compares digits as text and finds none.
    r22_a_range_with_more_digits_at_its_end: reals(&real("real=0.0.0.9->0.0.0.11:80 gate")) =>
        ["0.0.0.9:80 gate 1", "0.0.0.10:80 gate 1", "0.0.0.11:80 gate 1"];
    the_end_of_a_range_may_be_short: reals(&real("real=10.0.0.8->9:80 gate 2")) =>
        ["10.0.0.8:80 gate 2", "10.0.0.9:80 gate 2"];
    // Better: the old daemon has none for IPv6.
    r23_a_range_of_ipv6: reals("virtual6=[::9]:80\n\treal6=[::1]->[::2]:80 gate\n\tservice=http\n") =>
        ["[::1]:80 gate 1", "[::2]:80 gate 1"];
    r27_the_last_weight_counts: reals(&real("real=10.0.0.1:80 gate 1\n\treal=10.0.0.1:80 gate 7")) =>
        ["10.0.0.1:80 gate 7"];
    words_before_a_weight_are_skipped: reals(&real("real=10.0.0.1:80 gate -w 3")) => ["10.0.0.1:80 gate 3"];
}

meanings! {
    r28_a_fallback_takes_the_port: fallback("virtual=10.0.0.100:80\n\tfallback=127.0.0.1\n") => "127.0.0.1:80 gate";
    // Better: the old daemon does not find the name for udp, which nobody asked for.
    r30_a_global_fallback_with_a_service_name:
        fallback("fallback=127.0.0.1:http masq\nvirtual=10.0.0.100:80\n") => "127.0.0.1:80 masq";
    // Better: the old daemon takes the last digits for a port.
    r31_a_fallback_without_brackets: fallback("fallback6=::1\nvirtual6=[2001:db8::1]:80\n") => "[::1]:80 gate";
    r33_a_fallback_of_a_mark: fallback("virtual=5\n\tfallback=127.0.0.1\n") => "127.0.0.1:0 gate";
    a_global_fallback_of_a_mark: fallback("fallback=127.0.0.1\nvirtual=5\n") => "127.0.0.1:0 gate";
    r35_no_timeout: timeouts("", "") => (5, 30);
    r36_a_global_checktimeout: timeouts("checktimeout=3\n", "") => (3, 3);
    r37_a_global_negotiatetimeout: timeouts("negotiatetimeout=7\n", "") => (7, 7);
    r38_a_section_wins: timeouts("checktimeout=3\n", "\tnegotiatetimeout=9\n") => (9, 9);
    r40_a_section_wins_the_other_way: timeouts("negotiatetimeout=7\n", "\tchecktimeout=2\n") => (2, 2);
    r41_no_service_is_always_up: check("virtual=10.0.0.100:8080\n\treal=10.0.0.1 gate\n") => "on";
    r42_the_port_of_the_service:
        probes("virtual=10.0.0.100:8080\n\treal=10.0.0.1 gate\n\tservice=http\n").contains("10.0.0.1:80") => true;
    // Better: anonymous, as where the service is written out.
    r43_ftp_by_port_has_a_login:
        probes("virtual=10.0.0.100:21\n\treal=10.0.0.1:21 gate\n").contains(&format!("{:?}", b"anonymous")) => true;
}

meanings! {
    t32_masq_has_a_port_of_its_own: table(&real("real=10.0.0.1:8080 masq")) =>
        [("10.0.0.1:8080".to_owned(), Forwarding::Masq, 1)];
    // T31 comes from this: the old daemon looks for port 8080, which gate cannot have.
    t31_gate_has_the_port_of_the_virtual: table(&real("real=10.0.0.1:8080 gate")) =>
        [("10.0.0.1:80".to_owned(), Forwarding::Gate, 1)];
    t33_a_mark_without_a_check: {
        let mark = good("virtual=5\n\treal=10.0.0.1 gate\n");
        let real = only(&mark).reals.first().expect("a real server").clone();
        (real.key.port, real.forwarding, real.check)
    } => (0, Forwarding::Gate, Check::On);
    t34_a_mark_for_ipv6: key("virtual6=5") => "fwm6:5";
    t36_persistence_with_a_mask: {
        let sticky = spec("\tpersistent=600\n\tnetmask=255.255.255.0\n");
        (sticky.persistent, sticky.netmask)
    } => (Some(600), 24);
    t37_a_mask_alone: spec("\tnetmask=255.255.255.0\n").netmask => 32;
    t39_one_packet: spec("\tprotocol=udp\n\tops=yes\n").one_packet => true;
    t39_not_with_tcp: spec("\tops=yes\n").one_packet => false;
    t41_flags_of_a_scheduler: spec("\tscheduler=sh\n\tschedflags=sh-port\n").scheduler_flags => [false, true, false];
    t54_a_global_fallback_for_tcp: fallback(&format!("fallback=127.0.0.1\n{}", real("protocol=tcp"))) =>
        "127.0.0.1:80 gate";
    t54_and_for_udp: fallback(&format!("fallback=127.0.0.1\n{}", real("protocol=udp"))) => "127.0.0.1:80 gate";
    k17_connect_over_udp_is_a_ping:
        probes(&b0("protocol=udp\n\tchecktype=connect")).starts_with("Ping") => true;
    k23_the_arguments_of_a_command: command("virtual=10.0.0.100:80\n\treal=10.0.0.1:8080 masq\n") =>
        "/bin/x 10.0.0.100 80 10.0.0.1 8080";
    k24_the_arguments_of_a_command_for_a_mark: command("virtual=5\n\treal=10.0.0.1 gate\n") =>
        "/bin/x 5 0 10.0.0.1 0";
    k46_service_none_asks_nobody: probes(&b0("service=none")) => "";
}
