//! Directives that make media: their arguments, and what of them this machine lacks (Heartbeat
//! specification 1.4.2).

use super::draft::Given;
use super::host::TtyFault;
use super::medium::{MediumSpec, Peer};
use super::parser::Parser;
use ha_plumbing::{Diagnostic, Word};
use hbd_core::config::MAX_LINKS;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The port if neither ha.cf nor the services database names one.
pub const DEFAULT_PORT: u16 = 694;

/// The service name of that port.
const SERVICE: &str = "ha-cluster";

/// Speeds that serial lines can have, in bits per second.
const RATES: [u32; 7] = [9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800];

/// The speed if ha.cf names none.
pub const DEFAULT_BAUD: u32 = 19_200;

/// An interface that leads nowhere.
const LOOPBACK: &str = "lo";

/// The port of media that come now.
pub(super) fn port(parser: &Parser<'_>) -> u16 {
    let given = parser.draft.udpport.as_ref().map(|port| port.value);
    given
        .or_else(|| parser.host.udp_service(SERVICE))
        .unwrap_or(DEFAULT_PORT)
}

pub(super) fn udpport(parser: &mut Parser<'_>, word: Word<'_>) {
    let Some(value) = parser.integer("udpport", word, 1, i64::from(u16::MAX)) else {
        return;
    };
    let Ok(value) = u16::try_from(value) else {
        return;
    };
    let in_force = port(parser);
    if let Some(first) = parser.draft.media.first().filter(|_| value != in_force) {
        let message = format!(
            "udpport comes after the medium of line {}, which keeps port {in_force}",
            first.span.line
        );
        let fault = Diagnostic::warning(message).hint("put udpport before bcast, ucast and ucast6");
        parser.push(fault, word.span);
    }
    parser.draft.udpport = Some(Given {
        value,
        span: word.span,
    });
}

/// One interface.
pub(super) fn bcast(parser: &mut Parser<'_>, word: Word<'_>) {
    // It may come later, as the address of an interface that is there may.
    if let Err(fault) = parser.host.broadcast(word.text) {
        let message = format!("bcast {}: {fault}", word.text);
        let fault = Diagnostic::warning(message).hint(
            "no heartbeat travels here until it is there; `ip -4 address` shows interfaces and \
             their broadcast addresses (brd)",
        );
        parser.push(fault.ownership(), word.span);
    }
    if word.text == LOOPBACK {
        let message = "bcast lo: no heartbeat leaves this machine";
        parser.push(Diagnostic::warning(message).ownership(), word.span);
    }
    let port = port(parser);
    let interface = word.text.to_owned();
    add(parser, MediumSpec::Bcast { interface, port }, word);
}

/// `INTERFACE PEER`
pub(super) fn ucast(parser: &mut Parser<'_>, words: &[Word<'_>]) {
    let [interface, peer, rest @ ..] = words else {
        incomplete(parser, words, "ucast needs an interface and a peer");
        return;
    };
    superfluous(parser, rest);
    missing_interface(parser, "ucast", *interface);
    let ip = parser.host.resolve(peer.text);
    match ip {
        None if !could_be_a_name(peer.text) => {
            let message = format!("ucast: {} is neither an IPv4 address nor a name", peer.text);
            parser.error(peer.span, message);
            return;
        }
        None => {
            let message = format!("ucast: {} has no IPv4 address", peer.text);
            let hint = "it is asked for again; name the peer's address on that interface, so that \
                        no resolver is needed";
            let fault = Diagnostic::warning(message).hint(hint).ownership();
            parser.push(fault, peer.span);
        }
        Some(ip)
            if !is_host(ip.into())
                && (peer.text.parse() == Ok(ip) || !parser.host.is_elsewhere()) =>
        {
            not_a_peer(parser, "ucast", *peer);
        }
        Some(_) => {}
    }
    let medium = MediumSpec::Ucast {
        interface: interface.text.to_owned(),
        peer: Peer {
            name: peer.text.to_owned(),
            ip: ip.map(IpAddr::V4),
            port: port(parser),
        },
    };
    add(parser, medium, *interface);
}

/// A name that does not resolve may do so later; a mistyped address never will.
pub(super) fn could_be_a_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.chars().all(fits) && text.contains(|c: char| c.is_ascii_alphabetic())
}

/// Could a peer have this address?
fn is_host(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !(ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || broadcast)
}

fn not_a_peer(parser: &mut Parser<'_>, name: &str, peer: Word<'_>) {
    let message = format!("{name}: {} is not the address of a peer", peer.text);
    let fault = Diagnostic::warning(message).hint("no heartbeat of this line reaches a node");
    parser.push(fault.ownership(), peer.span);
}

/// It may come later.
fn missing_interface(parser: &mut Parser<'_>, name: &str, interface: Word<'_>) {
    if !parser.host.has_interface(interface.text) {
        let message = format!("{name} {}: no such interface", interface.text);
        let hint = "no heartbeat travels here until it is there; `ip link` shows the interfaces";
        let fault = Diagnostic::warning(message).hint(hint).ownership();
        parser.push(fault, interface.span);
    }
}

fn add(parser: &mut Parser<'_>, medium: MediumSpec, word: Word<'_>) {
    let media = &parser.draft.media;
    if let Some(same) = media.iter().find(|given| given.value == medium) {
        let (name, device) = (medium.name(), medium.device());
        let line = same.span.line;
        let message = format!("{name} {device} is the same medium as that of line {line}");
        parser.warning(word.span, message);
    } else if media.len() + parser.draft.pings.len() >= MAX_LINKS {
        parser.error(word.span, format!("more than {MAX_LINKS} media"));
    } else {
        parser.draft.media.push(Given {
            value: medium,
            span: word.span,
        });
    }
}

/// `INTERFACE PEER`, where the peer's `%scope` must be the interface.
pub(super) fn ucast6(parser: &mut Parser<'_>, words: &[Word<'_>]) {
    let [interface, peer, rest @ ..] = words else {
        incomplete(parser, words, "ucast6 needs an interface and a peer");
        return;
    };
    superfluous(parser, rest);
    missing_interface(parser, "ucast6", *interface);
    let (address, scope) = peer.text.split_once('%').unwrap_or((peer.text, ""));
    if !scope.is_empty() && scope != interface.text {
        let message = format!("ucast6: scope {scope} is not interface {}", interface.text);
        parser.error(peer.span, message);
        return;
    }
    let Ok(ip) = address.parse::<Ipv6Addr>() else {
        let message = format!("ucast6: {address} is not an IPv6 address");
        parser.error(peer.span, message);
        return;
    };
    if !is_host(ip.into()) {
        not_a_peer(parser, "ucast6", *peer);
    }
    let medium = MediumSpec::Ucast {
        interface: interface.text.to_owned(),
        peer: SocketAddr::from((ip, port(parser))).into(),
    };
    add(parser, medium, *interface);
}

/// `INTERFACE GROUP PORT TTL LOOP`
pub(super) fn mcast(parser: &mut Parser<'_>, words: &[Word<'_>]) {
    let group = |text: &str| text.parse().ok().map(IpAddr::V4);
    multicast(parser, "mcast", group, words);
}

/// `INTERFACE GROUP PORT HOPS LOOP`
pub(super) fn mcast6(parser: &mut Parser<'_>, words: &[Word<'_>]) {
    let group = |text: &str| text.parse().ok().map(IpAddr::V6);
    multicast(parser, "mcast6", group, words);
}

/// Both; `group` reads an address of the family. The port is the line's own: `udpport` does not
/// count here (Heartbeat specification 1.4.2).
fn multicast(
    parser: &mut Parser<'_>,
    name: &str,
    group: fn(&str) -> Option<IpAddr>,
    words: &[Word<'_>],
) {
    let [interface, address, port, hops, loopback, rest @ ..] = words else {
        let message = format!("{name} needs interface, group, port, hops (ttl) and loop");
        incomplete(parser, words, &message);
        return;
    };
    superfluous(parser, rest);
    let limit = i64::from(u16::MAX);
    let port = parser.integer(&format!("{name} port"), *port, 1, limit);
    let range = parser.integer(&format!("{name} ttl"), *hops, 0, 4);
    let loopback = parser.integer(&format!("{name} loop"), *loopback, 0, 1);
    let Some(group) = group(address.text).filter(IpAddr::is_multicast) else {
        let message = format!("{name}: {} is not a multicast address", address.text);
        parser.error(address.span, message);
        return;
    };
    let (Some(port), Some(range), Some(loopback)) = (port, range, loopback) else {
        return;
    };
    missing_interface(parser, name, *interface);
    if range == 0 || interface.text == LOOPBACK || is_interface_local(group) {
        let message = format!(
            "{name} {}: no heartbeat leaves this machine",
            interface.text
        );
        let hint = "write a ttl (hops) of 1, a group such as 239.0.0.1 or ff02::694, and an \
                    interface that leads to the other nodes";
        let fault = Diagnostic::warning(message).hint(hint);
        parser.push(fault.ownership(), hops.span);
    }
    let medium = MediumSpec::Mcast {
        interface: interface.text.to_owned(),
        group: SocketAddr::new(group, u16::try_from(port).unwrap_or_default()),
        hops: u8::try_from(range).unwrap_or_default(),
        loopback: loopback == 1,
    };
    add(parser, medium, *interface);
}

/// `ff00` and `ff01` stay on the machine (RFC 4291 section 2.7).
fn is_interface_local(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(_) => false,
        IpAddr::V6(group) => group.octets()[1] & 0x0f <= 1,
    }
}

pub(super) fn baud(parser: &mut Parser<'_>, word: Word<'_>) {
    let rate = RATES.iter().find(|rate| rate.to_string() == word.text);
    let Some(value) = rate.copied() else {
        let rates: Vec<String> = RATES.iter().map(u32::to_string).collect();
        let message = format!("baud: {} is none of {}", word.text, rates.join(", "));
        parser.error(word.span, message);
        return;
    };
    let serial = |given: &&Given<MediumSpec>| matches!(given.value, MediumSpec::Serial { baud, .. } if baud != value);
    if let Some(first) = parser.draft.media.iter().find(serial) {
        let message = format!(
            "baud comes after the serial line of line {}, which keeps its speed",
            first.span.line
        );
        let fault = Diagnostic::warning(message).hint("put baud before serial");
        parser.push(fault, word.span);
    }
    parser.draft.baud = Some(Given {
        value,
        span: word.span,
    });
}

/// One line.
pub(super) fn serial(parser: &mut Parser<'_>, word: Word<'_>) {
    if !word.text.starts_with('/') {
        let message = format!(
            "Serial port not full pathname [{}] in config file",
            word.text
        );
        let fault = Diagnostic::error(message).hint("write the absolute path, as /dev/ttyS0");
        parser.push(fault, word.span);
        return;
    }
    match parser.host.tty(word.text) {
        Ok(()) => {}
        // An adapter on USB may come later.
        Err(TtyFault::Missing) => {
            let message = format!("Nonexistent serial port [{}] in config file", word.text);
            let hint = "no heartbeat travels here until it is there; `ls /dev/tty[SU]*` shows \
                        serial ports";
            let fault = Diagnostic::warning(message).hint(hint).ownership();
            parser.push(fault, word.span);
        }
        Err(TtyFault::NoDevice) => {
            let message = format!(
                "Serial port [{}] not a char device in config file",
                word.text
            );
            parser.error(word.span, message);
            return;
        }
    }
    let given = parser.draft.baud.as_ref().map(|baud| baud.value);
    let device = word.text.to_owned();
    let baud = given.unwrap_or(DEFAULT_BAUD);
    add(parser, MediumSpec::Serial { device, baud }, word);
}

fn incomplete(parser: &mut Parser<'_>, words: &[Word<'_>], message: &str) {
    if let Some(last) = words.last() {
        parser.error(last.span, message);
    }
}

fn superfluous(parser: &mut Parser<'_>, rest: &[Word<'_>]) {
    if let Some(first) = rest.first() {
        let message = format!("{} and what follows it is ignored", first.text);
        parser.warning(first.span, message);
    }
}
