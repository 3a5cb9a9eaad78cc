//! What a section adds to its checks.

use super::{Bad, Good, Warned, check_rows, good, parse};
use crate::probes::{
    Connect, Dialler, Dialogue, Frame, Framed, Negotiate, Path, Ping, Probe, Service, Statuses,
    Wrap,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const SECTION: &str = "virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate\n";

fn with(line: &str) -> String {
    format!("{SECTION}\t{line}\n")
}

#[test]
fn what_is_added_to_checks_is_read_as_people_write_it() {
    let row = |line: &str, expect| ("added", with(line), expect);
    let status = "invalid httpstatus";
    let slow = "invalid maxresponsetime";
    check_rows(&[
        row("httpstatus=200,204,300-399", Good),
        row("httpstatus=\"200, 401\"", Good),
        row("httpstatus=2xx", Bad(status)),
        row("httpstatus=", Bad(status)),
        row("httpstatus=399-300", Bad(status)),
        row("maxresponsetime=1", Good),
        row("maxresponsetime=1.5s", Good),
        row("maxresponsetime=800ms", Good),
        row("maxresponsetime=0", Bad(slow)),
        row("maxresponsetime=-1", Bad(slow)),
        row("maxresponsetime=1e3", Bad(slow)),
        row("maxresponsetime=soon", Bad(slow)),
        row("maxresponsetime=99999999999999999999", Bad(slow)),
        row(
            "maxresponsetime=30",
            Warned("maxresponsetime has no effect"),
        ),
        row("certexpirywarn=14", Warned("certexpirywarn has no effect")),
        row("service=https\n\tcertexpirywarn=14", Good),
        row(
            "service=pgsql\n\tlogin=u\n\tpasswd=p\n\trequest=\"SELECT 1\"\n\tcertexpirywarn=14",
            Good,
        ),
        row("certexpirywarn=0", Bad("invalid certexpirywarn")),
        row("certexpirywarn=2 weeks", Bad("invalid certexpirywarn")),
        (
            "another service",
            format!("{SECTION}\tservice=ftp\n\thttpstatus=200\n"),
            Warned("httpstatus has no effect"),
        ),
        (
            "another check",
            format!("{SECTION}\tchecktype=connect\n\thttpstatus=200\n"),
            Warned("httpstatus has no effect"),
        ),
    ]);
}

#[test]
fn where_checks_come_from_and_go_is_read_as_people_write_it() {
    let row = |line: &str, expect| ("added", with(line), expect);
    check_rows(&[
        row("checkpath=vip", Good),
        row("checkpath=real", Good),
        row("checkpath=lo", Bad("invalid checkpath")),
        row(
            "checktype=on\n\tcheckpath=vip",
            Warned("checkpath=vip has no effect"),
        ),
        row(
            "protocol=udp\n\tcheckpath=vip",
            Bad("checkpath=vip is for virtual services of tcp"),
        ),
        (
            "a mark",
            "virtual=7\n\treal=10.0.0.1:80 gate\n\tchecktype=ping\n\tcheckpath=vip\n".to_owned(),
            Bad("checkpath=vip is for virtual services of tcp"),
        ),
        (
            "all ports",
            SECTION.replace(".100:80", ".100:0")
                + "\tchecktype=ping\n\tpersistent=60\n\tcheckpath=vip\n",
            Bad("checkpath=vip is for virtual services with a port"),
        ),
        (
            "a tunnel through the other family",
            "virtual6=[2001:db8::64]:80\n\treal=10.0.0.1:80 ipip\n\tcheckpath=vip\n".to_owned(),
            Warned("checkpath=vip has no effect on real servers of the other"),
        ),
        (
            "address translation",
            SECTION.replace("gate", "masq") + "\tcheckpath=vip\n",
            Warned("checkpath=vip has no effect"),
        ),
        row("checksource=10.0.0.9", Good),
        row("checksource=lb1", Bad("invalid checksource")),
        row("checksource=0.0.0.0", Bad("invalid checksource")),
        row(
            "checksource=2001:db8::9",
            Warned("checksource=2001:db8::9 is of another family"),
        ),
        row("checkdevice=eth1", Good),
        row("checkdevice=eth1:0", Bad("invalid checkdevice")),
        row(
            "checkdevice=averyveryverylongname",
            Bad("invalid checkdevice"),
        ),
        row("checkmark=7", Good),
        row("checkmark=0x10", Good),
        row("checkmark=0", Bad("invalid checkmark")),
        row("checkmark=4294967296", Bad("invalid checkmark")),
    ]);
}

fn only_probe(text: &str) -> Probe {
    let probes = good(text).probes;
    assert_eq!(probes.len(), 1, "{text}");
    Arc::unwrap_or_clone(probes.into_values().next().unwrap())
}

#[test]
fn what_a_section_adds_stands_around_its_question() {
    let target = SocketAddr::from(([10, 0, 0, 1], 80));
    let http = |statuses| {
        let dialogue = Dialogue {
            request: b"/".to_vec(),
            statuses,
            ..Dialogue::new(target, Duration::from_secs(30))
        };
        let Negotiate::Asks(question) = Service::named("http").unwrap().negotiate else {
            panic!("http is asked");
        };
        question(dialogue).unwrap()
    };
    let listed = only_probe(&with("request=\"/\"\n\thttpstatus=200,401"));
    assert_eq!(listed, http(Statuses::read("200,401")));
    let slow = only_probe(&with("request=\"/\"\n\tmaxresponsetime=800ms"));
    let frame = Frame {
        limit: Some(Duration::from_millis(800)),
        ..Frame::default()
    };
    assert_eq!(slow, Framed::around(&Arc::new(frame), http(None)));
    // The section's own counts before the global one.
    let text = format!(
        "checksource=10.0.0.8\ncheckdevice=eth1\n{SECTION}\tchecktype=ping\n\
         \tchecksource=10.0.0.9\n\tcheckmark=0x10\n"
    );
    let origin = Dialler {
        source: Some("10.0.0.9".parse().unwrap()),
        device: Some("eth1".to_owned()),
        mark: 16,
    };
    let frame = Frame {
        origin: Some(Arc::new(origin)),
        ..Frame::default()
    };
    let ping = Probe::Ping(Ping {
        target: target.ip(),
        attempts: 1,
        timeout: Duration::from_secs(5),
        lenient: false,
    });
    assert_eq!(only_probe(&text), Framed::around(&Arc::new(frame), ping));
}

/// Each real server is reached as the director hands packets on to it.
#[test]
fn the_clients_way_leads_to_each_real_server_by_its_method() {
    let text = "virtual=10.0.0.100:80\n\treal=10.0.0.1:8080 gate\n\treal=10.0.0.2:80 ipip\n\
                \treal=10.0.0.3:80 masq\n\tchecktype=connect\n\tcheckpath=vip\n\ttunnel=gue 6080\n";
    let timeout = Duration::from_secs(5);
    let expected = |host: u8, port, wrap: Option<Wrap>| {
        let real = std::net::IpAddr::from([10, 0, 0, host]);
        let virtual_server = SocketAddr::from(([10, 0, 0, 100], 80));
        let frame = Frame {
            path: wrap.and_then(|wrap| Path::new(virtual_server, real, wrap, timeout)),
            ..Frame::default()
        };
        let target = SocketAddr::from((real, port));
        let connect = Probe::Connect(Connect { target, timeout });
        Framed::around(&Arc::new(frame), connect)
    };
    let probes = good(text).probes;
    let probes: Vec<&Probe> = probes.values().map(|probe| &**probe).collect();
    assert_eq!(
        probes,
        [
            &expected(1, 8080, Some(Wrap::Direct)),
            &expected(2, 80, Some(Wrap::Gue(6080))),
            &expected(3, 80, None),
        ]
    );
}

/// A command is told where it is to ask from, and is bound to nothing.
#[test]
fn a_command_finds_its_origin_in_its_environment() {
    let text = with("checktype=external\n\tchecksource=10.0.0.9\n\tcheckmark=7");
    let shown = format!("{:?}", only_probe(&text));
    assert!(
        shown.contains("CHECK_SOURCE") && shown.contains("CHECK_MARK"),
        "{shown}"
    );
    assert!(!shown.contains("CHECK_DEVICE"), "{shown}");
    assert_eq!(parse(&text).1.len(), 1, "only that /bin/true stands in");
}
