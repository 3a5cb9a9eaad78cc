//! Listing, saving and restoring, against ipvsadm's own lines.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::destination::tests::any_destination;
use crate::destination::{Destination, DestinationStatus, Forwarding, Tunnel, TunnelChecksum};
use crate::info::{Info, Version};
use crate::service::tests::any_service;
use crate::service::{Netmask, ServiceStatus};
use crate::stats::Stats;

fn reals(destinations: Vec<Destination>, stats: Stats) -> Vec<DestinationStatus> {
    let status = |destination| DestinationStatus {
        destination,
        active_connections: 3,
        inactive_connections: 4,
        persistent_connections: 5,
        stats,
    };
    destinations.into_iter().map(status).collect()
}

fn web(stats: Stats) -> ServiceStatus {
    let mut service = Service::new(ServiceId::tcp([192, 0, 2, 1], 80), "sh");
    service.flags.sched1 = true;
    service.flags.sched3 = true;
    let mut real = Destination::new("10.0.0.1:80".parse().unwrap(), Forwarding::Route, 3);
    real.upper_threshold = 20;
    real.lower_threshold = 10;
    ServiceStatus {
        service,
        stats,
        destinations: reals(vec![real], stats),
    }
}

fn body(table: &[ServiceStatus], columns: Columns) -> Vec<String> {
    let version = Version {
        major: 1,
        minor: 2,
        patch: 1,
    };
    let info = Info {
        version,
        connection_table_size: 4096,
    };
    list(&info, table, columns)
        .lines()
        .skip(3)
        .map(str::to_owned)
        .collect()
}

#[test]
fn numbers_change_unit_where_ipvsadm_does() {
    let table = [
        (99_999_999, " 99999999", " 99999999"),
        (100_000_000, "  100000K", " 100000000"),
        (999_999_999, "  999999K", " 999999999"),
        (1_000_000_000, "    1000M", " 1000000000"),
        (99_999_999_999, "   99999M", " 99999999999"),
        (100_000_000_000, "     100G", " 100000000000"),
        (99_999_999_999_999, "   99999G", " 99999999999999"),
        (100_000_000_000_000, "     100T", " 100000000000000"),
    ];
    for (value, units, exact) in table {
        let stats = Stats {
            connections: value,
            ..Stats::default()
        };
        let start = |numbers| body(&[web(stats)], Columns::Stats(numbers))[0][33..].to_owned();
        assert!(start(Numbers::Units).starts_with(units), "{value}");
        assert!(start(Numbers::Exact).starts_with(exact), "{value}");
    }
}

#[test]
fn each_variant_shows_its_columns() {
    let stats = Stats {
        connection_rate: 1,
        in_packet_rate: 123_456_789,
        in_byte_rate: 123_456_789,
        ..Stats::default()
    };
    let lines = |columns| body(&[web(stats)], columns);
    assert_eq!(
        lines(Columns::Normal),
        [
            "TCP  192.0.2.1:80 sh (sh-fallback,flag-3)",
            "  -> 10.0.0.1:80                  Route   3      3          4         ",
        ]
    );
    assert_eq!(
        lines(Columns::Thresholds)[1],
        "  -> 10.0.0.1:80                  20         10         3          4         "
    );
    assert_eq!(
        lines(Columns::PersistentConnections)[1],
        "  -> 10.0.0.1:80                  3         5           3          4         "
    );
    assert_eq!(
        lines(Columns::Rate(Numbers::Units)),
        [
            "TCP  192.0.2.1:80                        1  123456K        0  123456K        0",
            "  -> 10.0.0.1:80                         1 123456789        0  123456K        0",
        ]
    );
}

fn one(line: &str) -> Command {
    let mut commands = parse(line).unwrap();
    assert_eq!(commands.len(), 1);
    commands.remove(0)
}

#[test]
fn options_may_be_long_short_bundled_or_attached() {
    let mut service = Service::new(ServiceId::tcp([10, 0, 0, 1], 444), "wrr");
    service.flags.persistent = true;
    service.timeout = 30;
    let expected = Command::AddService(service);
    for line in [
        "-A -t 10.0.0.1:444 -s wrr -p 30",
        "-At 10.0.0.1:444 -swrr -p30",
        "  -p 30 -s=wrr -t10.0.0.1:444\t-A ",
        "--add-service --tcp-service=10.0.0.1:444 --scheduler wrr --persistent=30",
    ] {
        assert_eq!(one(line), expected, "{line}");
    }
}

#[test]
fn what_is_not_said_has_ipvsadms_defaults() {
    let Command::AddService(service) = one("-A -t 10.0.0.1:80 -p") else {
        panic!("not -A")
    };
    assert_eq!((service.scheduler.as_str(), service.timeout), ("wlc", 360));
    assert_eq!(service.netmask, Netmask::host(Family::V4));
    let Command::AddDestination(_, real) = one("-a -t 10.0.0.1:80 -r 10.0.0.2") else {
        panic!("not -a")
    };
    assert_eq!(
        real,
        Destination::new("10.0.0.2:80".parse().unwrap(), Forwarding::Route, 1)
    );
    let Command::AddDestination(_, real) = one("-a -f 5 -6 -r 2001:db8::7 -g") else {
        panic!("not -a")
    };
    assert_eq!(real.address, "[2001:db8::7]:0".parse().unwrap());
}

#[test]
fn only_masquerading_changes_the_port() {
    let port = |line| match one(line) {
        Command::AddDestination(_, real) => real.address.port(),
        other => panic!("{other:?}"),
    };
    assert_eq!(port("-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -m"), 8080);
    assert_eq!(port("-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -g"), 80);
    assert_eq!(port("-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -i"), 80);
    assert_eq!(port("-a -f 1 -r 10.0.0.2:8080 -g"), 8080);
}

#[test]
fn tunnels_thresholds_and_flags_are_read() {
    let Command::EditDestination(_, real) = one(
        "-e -t 10.0.0.1:80 -r 10.0.0.2 -i -x 9 -y 3 --tun-type gue --tun-port 6080 --tun-remcsum",
    ) else {
        panic!("not -e")
    };
    assert_eq!(
        real.tunnel,
        Tunnel::Gue {
            port: 6080,
            checksum: TunnelChecksum::Remote
        }
    );
    assert_eq!((real.upper_threshold, real.lower_threshold), (9, 3));
    let Command::AddService(service) = one("-A -f 1 -s mh -b mh-port,flag-1") else {
        panic!("not -A")
    };
    assert!(service.flags.sched1 && service.flags.sched2 && !service.flags.sched3);
}

/// A line, the word at fault and what is wrong with it.
const FAULTS: &[(&str, &str, Problem)] = &[
    ("hello", "hello", Problem::UnexpectedWord),
    ("-", "-", Problem::UnexpectedWord),
    ("--", "--", Problem::UnknownOption),
    ("-A -t 10.0.0.1:80 -q", "-q", Problem::UnknownOption),
    (
        "-A -t 10.0.0.1:80 --ops=1",
        "--ops=1",
        Problem::ValueUnexpected,
    ),
    ("-A -s rr -t", "-t", Problem::ValueMissing),
    ("-t 10.0.0.1:80", "-t", Problem::NoCommand),
    ("-A -D -t 10.0.0.1:80", "-D", Problem::Repeated),
    ("-A -t 10.0.0.1:80 -u 10.0.0.1:80", "-u", Problem::Repeated),
    ("-A -t 10.0.0.1:80 -r 10.0.0.2", "-r", Problem::NotHere),
    ("-C -t 10.0.0.1:80", "-t", Problem::NotHere),
    ("-A -s rr", "-A", Problem::ServiceMissing),
    ("-a -t 10.0.0.1:80", "-a", Problem::DestinationMissing),
    ("-A -t www:80", "www:80", Problem::BadAddress),
    ("-A -t 10.0.0.1:http", "10.0.0.1:http", Problem::BadAddress),
    ("-A -t [10.0.0.1]:80", "[10.0.0.1]:80", Problem::BadAddress),
    ("-A -f 0", "0", Problem::BadMark),
    (
        "-A -6 -t 10.0.0.1:80",
        "10.0.0.1:80",
        Problem::FamilyMismatch,
    ),
    ("-A -t 10.0.0.1", "-A", Problem::ZeroPort),
    (
        "-A -t 10.0.0.1:80 -p 2678401",
        "2678401",
        Problem::BadTimeout,
    ),
    ("-A -t 10.0.0.1:80 -p 0", "0", Problem::BadTimeout),
    ("-A -t 10.0.0.1:80 -p -M 24", "24", Problem::BadNetmask),
    ("-A -t [::1]:80 -p -M 129", "129", Problem::BadNetmask),
    (
        "-A -t 10.0.0.1:80 -M 255.255.255.0",
        "-M",
        Problem::NeedsPersistence,
    ),
    (
        "-A -t 10.0.0.1:80 --pe sip",
        "--pe",
        Problem::NeedsPersistence,
    ),
    (
        "-A -t 10.0.0.1:80 -s sixteen-bytes-xx",
        "sixteen-bytes-xx",
        Problem::BadName,
    ),
    ("-A -t 10.0.0.1:80 -b flag-4", "flag-4", Problem::BadFlags),
    ("-A -t 10.0.0.1:80 -o", "-o", Problem::NotOnePacket),
    (
        "-a -t 10.0.0.1:80 -r 10.0.0.2 -w -1",
        "-1",
        Problem::BadNumber,
    ),
    (
        "-a -t 10.0.0.1:80 -r 10.0.0.2 -w 2147483648",
        "2147483648",
        Problem::BadNumber,
    ),
    (
        "-a -t 10.0.0.1:80 -r 10.0.0.2 -x 1 -y 2",
        "2",
        Problem::ThresholdOrder,
    ),
    (
        "-a -t 10.0.0.1:80 -r 10.0.0.2 -i --tun-type vxlan",
        "vxlan",
        Problem::BadTunnel,
    ),
    (
        "-a -t 10.0.0.1:80 -r 10.0.0.2 -i --tun-type gue",
        "gue",
        Problem::BadTunnelPort,
    ),
    (
        "-a -t 10.0.0.1:80 -r 10.0.0.2 -i --tun-csum",
        "--tun-csum",
        Problem::TunnelMismatch,
    ),
    (
        "-a -t 10.0.0.1:80 -r 10.0.0.2 -g --tun-type ipip",
        "--tun-type",
        Problem::TunnelMismatch,
    ),
    (
        "-a -t 10.0.0.1:80 -r 10.0.0.2 -g -m",
        "-m",
        Problem::Repeated,
    ),
];

#[test]
fn every_fault_names_its_line_and_word() {
    for &(line, token, problem) in FAULTS {
        let text = format!("# saved\n\n{line}\n");
        let expected = RestoreError {
            line: 3,
            token: token.to_owned(),
            problem,
        };
        assert_eq!(parse(&text), Err(vec![expected]), "{line}");
    }
}

#[test]
fn all_faults_are_gathered_up_to_a_bound() {
    let faults = parse("-A\n-A -f 1\n-C x\n").unwrap_err();
    let lines: Vec<_> = faults
        .iter()
        .map(|fault| (fault.line, fault.token.as_str()))
        .collect();
    assert_eq!(lines, [(1, "-A"), (3, "x")]);
    assert_eq!(faults[1].to_string(), "line 3: \"x\": unexpected word");
    assert_eq!(parse(&"x\n".repeat(1000)).unwrap_err().len(), MAX_FAULTS);
    let long = format!("-A -s {}", "x".repeat(MAX_LINE_BYTES));
    assert_eq!(parse(&long).unwrap_err()[0].problem, Problem::LineTooLong);
}

/// What ipvsadm's options can express of a service.
fn expressible(mut service: Service) -> Service {
    if let ServiceId::Address { protocol, port, .. } = &mut service.id {
        service.flags.one_packet &= *protocol == crate::identity::Protocol::Udp;
        *port = (*port).max(1);
    }
    if service.flags.persistent {
        service.timeout = service.timeout % 2_678_400 + 1;
    } else {
        let plain = Service::new(service.id, "");
        service = Service {
            timeout: 0,
            netmask: plain.netmask,
            pe_name: None,
            ..service
        };
    }
    service
}

/// What ipvsadm's options can express of a real server.
fn expressible_real(service: &Service, mut real: Destination) -> Destination {
    real.upper_threshold = 0;
    real.lower_threshold = 0;
    if matches!(real.forwarding, Forwarding::Local | Forwarding::Bypass) {
        real.forwarding = Forwarding::Route;
    }
    real.address.set_port(real.address.port().max(1));
    if let (ServiceId::Address { port, .. }, Forwarding::Route | Forwarding::Tunnel) =
        (service.id, real.forwarding)
    {
        real.address.set_port(port);
    }
    if real.forwarding != Forwarding::Tunnel {
        real.tunnel = Tunnel::Ipip;
    }
    real.tunnel = match real.tunnel {
        Tunnel::Gue { port, checksum } => Tunnel::Gue {
            port: port.max(1),
            checksum,
        },
        Tunnel::Gre {
            checksum: TunnelChecksum::Remote,
        } => Tunnel::Gre {
            checksum: TunnelChecksum::Full,
        },
        other => other,
    };
    real
}

proptest! {
    #[test]
    fn what_is_saved_is_restored(service in any_service(), real in any_destination()) {
        let service = expressible(service);
        let real = expressible_real(&service, real);
        let status = ServiceStatus {
            service: service.clone(),
            stats: Stats::default(),
            destinations: reals(vec![real], Stats::default()),
        };
        let id = service.id;
        let commands = parse(&save(&[status])).unwrap();
        prop_assert_eq!(commands, [Command::AddService(service), Command::AddDestination(id, real)]);
    }

    #[test]
    fn reading_any_text_never_panics(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn reading_any_options_never_panics(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "-A", "-E", "-D", "-a", "-e", "-d", "-C", "-Z", "-t", "-u", "-f", "-6", "-s", "-b", "-p", "-M",
                "--pe", "-o", "-r", "-g", "-i", "-m", "-w", "-x", "-y", "--tun-type", "--tun-port", "--tun-csum",
                "10.0.0.1:80", "10.0.0.2", "[::1]:0", "5", "rr", "gue", "flag-1", "255.0.0.0", "-At", "-é", "--=",
            ]),
            0..12,
        )
    ) {
        let _ = parse(&words.join(" "));
    }
}
