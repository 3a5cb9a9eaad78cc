//! Virtual servers as ldirectord.cf, and the scripts of those checks that are commands.

use super::model::{Check, Defaults, Head, Kind, Method, Real, Virtual, Way, is_v6};
use super::report::Report;
use super::servers::{is_six, place_of, title};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// keepalived's, where a file says nothing.
const DELAY_LOOP: f64 = 60.0;
const CONNECT_TIMEOUT: f64 = 5.0;

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) executable: bool,
}

/// What mail is sent, and where: globals of keepalived and of ldirectord.cf.
#[derive(Debug, Clone, Default)]
pub(super) struct Mail {
    pub(super) to: Vec<String>,
    pub(super) from: Option<String>,
    pub(super) server: Option<String>,
}

/// What is the same for all virtual servers of a file.
pub(super) struct Setting<'a> {
    pub(super) mail: &'a Mail,
    /// Where the files are going to be, for checks that are commands.
    pub(super) etc: &'a str,
    /// The name of the file that all of it comes from.
    pub(super) source: &'a str,
}

/// One ldirectord.cf with its scripts.
pub(super) fn configuration(
    name: &str,
    servers: &[&Virtual],
    setting: &Setting<'_>,
    report: &mut Report,
) -> Vec<Output> {
    let mut scripts = Vec::new();
    let mut text = format!("# {name}: from {} by `ldird import`.\n#\n", setting.source);
    text.push_str("# Check it before you start:  ldird ");
    text.push_str(name);
    text.push_str(" check\n\n");
    let interval = usual(servers.iter().map(|server| interval(server)));
    line(&mut text, &format!("checkinterval={interval}"));
    mail(&mut text, setting.mail);
    for server in servers {
        let chosen = choose(server, report);
        let script = script(server, &chosen, setting, scripts.len());
        for head in &server.heads {
            section(
                &mut text,
                (server, head),
                (&chosen, interval),
                script.as_ref(),
                report,
            );
        }
        scripts.extend(script.map(|(_, output)| output));
    }
    let mut outputs = vec![Output {
        name: name.to_owned(),
        text,
        executable: false,
    }];
    outputs.append(&mut scripts);
    outputs
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn mail(text: &mut String, mail: &Mail) {
    if mail.to.is_empty() {
        return;
    }
    line(text, &format!("emailalert={}", mail.to.join(",")));
    if let Some(from) = &mail.from {
        line(text, &format!("emailalertfrom={from}"));
    }
    if let Some(server) = &mail.server {
        line(text, &format!("smtp={server}"));
    }
}

/// Seconds between two checks, whole and at least one.
fn interval(server: &Virtual) -> u32 {
    let own = server.defaults.interval;
    let inner = server.reals.iter().find_map(|real| {
        let check = real.checks.iter().find_map(|check| check.defaults.interval);
        check.or(real.defaults.interval)
    });
    whole(inner.or(own).unwrap_or(DELAY_LOOP))
}

fn whole(seconds: f64) -> u32 {
    let bounded = seconds.ceil().clamp(1.0, 86_400.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped just now"
    )]
    let seconds = bounded as u32;
    seconds
}

/// The most frequent one.
fn usual<T: Ord + Copy + Default>(all: impl Iterator<Item = T>) -> T {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(one, _)| one).unwrap_or_default()
}

/// The one check of a section, and of each real server what is asked there.
struct Chosen {
    kind: Kind,
    port: Option<u16>,
    defaults: Defaults,
    /// By real server: its own question, if it has one of the same kind.
    own: Vec<Kind>,
}

/// The check that tells most of a real server's.
fn telling(real: &Real) -> Option<&Check> {
    let rank = |check: &&Check| match check.kind {
        Kind::Misc(_) => 5,
        Kind::Http { .. } => 4,
        Kind::Smtp | Kind::Dns(_) => 3,
        Kind::Tcp => 2,
        Kind::Ping => 1,
        Kind::Nothing => 0,
    };
    // Of equals the first.
    real.checks.iter().rev().max_by_key(rank)
}

fn choose(server: &Virtual, report: &mut Report) -> Chosen {
    let checks: Vec<Option<&Check>> = server.reals.iter().map(telling).collect();
    for (real, check) in server.reals.iter().zip(&checks) {
        let others = real.checks.iter().filter(|one| Some(*one) != *check);
        for other in others {
            let advice = "a real server has one check here; the one that says more is taken";
            report.remark(&other.place, "another check", advice);
        }
    }
    let first = checks.iter().flatten().next().copied();
    let kind = first.map_or(Kind::Nothing, |check| check.kind.clone());
    let (mut own, mut retries, mut timeout) = (Vec::new(), None, None);
    for (real, check) in server.reals.iter().zip(&checks) {
        let mine = check.map_or(Kind::Nothing, |check| check.kind.clone());
        let like = mine.is_like(&kind);
        let port = |check: &Check| check.port.filter(|&port| port != real.port);
        if !like || check.and_then(port) != first.and_then(port) {
            let advice = "all real servers of a virtual server are checked in one way: \
                this one like the first; give it a virtual server of its own if that is wrong";
            report.remark(&real.place, format!("real_server {}", real.address), advice);
        }
        own.push(if like { mine } else { kind.clone() });
        let nothing = Defaults::default();
        let inner = check.map_or(&nothing, |check| &check.defaults);
        let holds = server.defaults.inherited(&real.defaults).inherited(inner);
        retries = retries.max(holds.retries);
        timeout = max(timeout, holds.timeout);
    }
    Chosen {
        port: first.and_then(|check| check.port),
        defaults: Defaults {
            retries,
            timeout,
            ..server.defaults.clone()
        },
        kind,
        own,
    }
}

fn max(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

/// The command of a check, where its words have to be put behind what ldird says to it.
fn script(
    server: &Virtual,
    chosen: &Chosen,
    setting: &Setting<'_>,
    number: usize,
) -> Option<(String, Output)> {
    if !matches!(chosen.kind, Kind::Misc(_)) {
        return None;
    }
    let name = format!("check-{}.sh", number + 1);
    let mut text = format!(
        "#!/bin/sh\n# From {} by `ldird import`. ldird calls it with\n\
         #   VIRTUAL PORT REAL PORT\n# 0 is up, everything else is down.\n\ncase \"$3 $4\" in\n",
        setting.source
    );
    for (real, kind) in server.reals.iter().zip(&chosen.own) {
        if let Kind::Misc(command) = kind {
            writeln!(
                text,
                "\"{} {}\") exec {command} ;;",
                real.address, real.port
            )
            .expect(WRITES);
        }
    }
    text.push_str("esac\nexit 1\n");
    let path = format!("{}/{name}", setting.etc);
    Some((
        path,
        Output {
            name,
            text,
            executable: true,
        },
    ))
}

const WRITES: &str = "a String takes everything";

fn section(
    text: &mut String,
    (server, head): (&Virtual, &Head),
    (chosen, interval_of_file): (&Chosen, u32),
    script: Option<&(String, Output)>,
    report: &mut Report,
) {
    let six = if is_six(head, server) { "6" } else { "" };
    writeln!(text, "\nvirtual{six}={}", title(head)).expect(WRITES);
    reals(text, (server, head), chosen, report);
    if let Some((address, port, way)) = fallback(server, head, report) {
        let way = way.as_ref().unwrap_or(&server.way);
        let six = if is_v6(address) { "6" } else { "" };
        let (place, method) = (at(address, *port), way.method.word());
        writeln!(text, "\tfallback{six}={place} {method}").expect(WRITES);
    }
    check(text, (server, head), chosen, script);
    kernel(text, (server, head));
    let own = interval(server);
    if own != interval_of_file {
        writeln!(text, "\tcheckinterval={own}").expect(WRITES);
    }
    if let Some(name) = &server.name {
        writeln!(text, "\tservicename={name}").expect(WRITES);
    }
}

type Fallback = (String, u16, Option<Way>);

/// The sorry server, if it is one of the family.
fn fallback<'a>(server: &'a Virtual, head: &Head, report: &mut Report) -> Option<&'a Fallback> {
    let fallback = server.fallback.as_ref()?;
    let (address, ..) = fallback;
    if is_v6(address) == is_six(head, server) {
        return Some(fallback);
    }
    let advice = "of the other address family: it is left out";
    report.remark(place_of(server), format!("sorry_server {address}"), advice);
    None
}

/// `10.0.0.1:80`, `[2001:db8::1]:80`, without a port that is 0.
fn at(address: &str, port: u16) -> String {
    let address = if is_v6(address) {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    if port == 0 {
        address
    } else {
        format!("{address}:{port}")
    }
}

fn reals(
    text: &mut String,
    (server, head): (&Virtual, &Head),
    chosen: &Chosen,
    report: &mut Report,
) {
    let quiescent =
        server.defaults.inhibit || server.reals.iter().any(|real| real.defaults.inhibit);
    for (real, kind) in server.reals.iter().zip(&chosen.own) {
        let way = real.way.as_ref().unwrap_or(&server.way);
        tell_way(real, way, (server, head), report);
        if way.method != Method::Ipip && real.is_v6() != is_six(head, server) {
            let advice = "of the other address family, where only TUN leads: it is left out";
            report.remark(&real.place, format!("real_server {}", real.address), advice);
            continue;
        }
        let six = if real.is_v6() { "6" } else { "" };
        let weight = real.defaults.weight.or(server.defaults.weight).unwrap_or(1);
        let (place, method) = (at(&real.address, real.port), way.method.word());
        write!(text, "\treal{six}={place} {method} {weight}").expect(WRITES);
        if *kind != chosen.kind
            && let Kind::Http {
                request, receive, ..
            } = kind
        {
            let receive = receive.as_deref().unwrap_or_default();
            write!(text, " \"{request}\", \"{receive}\"").expect(WRITES);
        }
        for (word, limit) in [("l", real.lower), ("u", real.upper)] {
            if limit > 0 {
                write!(text, " {word}:{limit}").expect(WRITES);
            }
        }
        text.push('\n');
        if quiescent && !real.defaults.inhibit && !server.defaults.inhibit {
            let advice = "it stays in the table with weight 0 like the others of its virtual \
                server (quiescent=yes), for these say inhibit_on_failure";
            report.remark(&real.place, format!("real_server {}", real.address), advice);
        }
    }
    if quiescent {
        line(text, "\tquiescent=yes");
    }
    let tunnel = server
        .reals
        .iter()
        .find_map(|real| real.way.as_ref()?.tunnel.as_ref());
    if let Some(tunnel) = tunnel.or(server.way.tunnel.as_ref()) {
        writeln!(text, "\ttunnel={tunnel}").expect(WRITES);
    }
}

/// What the kernel cannot do as the file has it.
fn tell_way(real: &Real, way: &Way, (server, head): (&Virtual, &Head), report: &mut Report) {
    let what = || format!("real_server {} {}", real.address, real.port);
    if let Head::Address(_, port) = head
        && way.method != Method::Masq
        && real.port != 0
        && real.port != *port
    {
        let advice = "only NAT can change the port: packets arrive at the virtual server's";
        report.remark(&real.place, what(), advice);
    }
    if way.tunnel.is_some() && way.tunnel != server.way.tunnel && server.reals.len() > 1 {
        let advice = "one kind of tunnel for all real servers of a virtual server";
        report.remark(&real.place, what(), advice);
    }
}

fn check(
    text: &mut String,
    (server, head): (&Virtual, &Head),
    chosen: &Chosen,
    script: Option<&(String, Output)>,
) {
    let host = server.virtualhost.as_ref();
    let mut host = host.or_else(|| {
        server
            .reals
            .iter()
            .find_map(|real| real.virtualhost.as_ref())
    });
    match &chosen.kind {
        Kind::Nothing => line(text, "\tchecktype=on"),
        Kind::Tcp => line(text, "\tchecktype=connect"),
        Kind::Ping => line(text, "\tchecktype=ping"),
        Kind::Smtp => line(text, "\tservice=smtp\n\tchecktype=negotiate"),
        Kind::Dns(name) => {
            line(text, "\tservice=dns\n\tchecktype=negotiate");
            writeln!(text, "\trequest=\"{name}\"").expect(WRITES);
        }
        Kind::Misc(_) => {
            line(text, "\tchecktype=external");
            if let Some((path, _)) = script {
                writeln!(text, "\tcheckcommand={path}").expect(WRITES);
            }
        }
        Kind::Http {
            tls,
            request,
            receive,
            virtualhost,
        } => {
            let service = if *tls { "https" } else { "http" };
            writeln!(text, "\tservice={service}\n\tchecktype=negotiate").expect(WRITES);
            writeln!(text, "\trequest=\"{request}\"").expect(WRITES);
            if let Some(receive) = receive {
                writeln!(text, "\treceive=\"{receive}\"").expect(WRITES);
            }
            host = virtualhost.as_ref().or(host);
        }
    }
    if let (Some(host), Kind::Http { .. }) = (host, &chosen.kind) {
        writeln!(text, "\tvirtualhost={host}").expect(WRITES);
    }
    let real = server.reals.first().map_or(0, |real| real.port);
    let mark = matches!(head, Head::Mark(_));
    if let Some(port) = chosen.port.filter(|&port| mark || port != real) {
        writeln!(text, "\tcheckport={port}").expect(WRITES);
    }
    if chosen.kind != Kind::Nothing {
        let timeout = whole(chosen.defaults.timeout.unwrap_or(CONNECT_TIMEOUT));
        writeln!(text, "\tchecktimeout={timeout}").expect(WRITES);
    }
    if let Some(retries) = chosen.defaults.retries.filter(|&retries| retries > 0) {
        writeln!(text, "\tfailurecount={}", retries.saturating_add(1)).expect(WRITES);
    }
}

/// What the kernel is told about the service.
fn kernel(text: &mut String, (server, head): (&Virtual, &Head)) {
    let scheduler = server.scheduler.as_deref().unwrap_or("wlc");
    writeln!(text, "\tscheduler={scheduler}").expect(WRITES);
    if !server.flags.is_empty() {
        writeln!(text, "\tschedflags={}", server.flags.join(",")).expect(WRITES);
    }
    if let Some(seconds) = server.persistent {
        writeln!(text, "\tpersistent={seconds}").expect(WRITES);
        if let Some(mask) = &server.netmask {
            writeln!(text, "\tnetmask={mask}").expect(WRITES);
        }
        if let Some(engine) = &server.engine {
            writeln!(text, "\tpe={engine}").expect(WRITES);
        }
    }
    match head {
        Head::Mark(_) => line(text, "\tprotocol=fwm"),
        Head::Address(..) => {
            let protocol = server.protocol.as_deref().unwrap_or("tcp");
            writeln!(text, "\tprotocol={protocol}").expect(WRITES);
        }
    }
    if server.one_packet {
        line(text, "\tops=yes");
    }
}

/// Remarks about virtual servers whose address nobody sets.
pub(super) fn tell_unowned(server: &Virtual, report: &mut Report) {
    for head in &server.heads {
        if let Head::Address(address, _) = head {
            let advice = "no vrrp_instance has this address: add it to a line of haresources, \
                or make sure that something else sets it";
            report.remark(
                place_of(server),
                format!("virtual_server {address}"),
                advice,
            );
        }
    }
}
