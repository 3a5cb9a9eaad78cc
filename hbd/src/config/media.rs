//! Directives that make media: `bcast` and `ucast`, which this release honours, and the others,
//! whose arguments are checked all the same (Heartbeat specification 1.4.2).

use super::draft::Given;
use super::medium::{MediumSpec, Peer};
use super::parser::Parser;
use ha_plumbing::{Diagnostic, Word};
use hbd_core::config::MAX_LINKS;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The port if neither ha.cf nor the services database names one.
pub const DEFAULT_PORT: u16 = 694;

/// The service name of that port.
const SERVICE: &str = "ha-cluster";

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
        let fault = Diagnostic::warning(message).hint("put udpport before bcast and ucast");
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
    if !parser.host.has_interface(interface.text) {
        let message = format!("ucast {}: no such interface", interface.text);
        let hint = "no heartbeat travels here until it is there; `ip link` shows the interfaces";
        let fault = Diagnostic::warning(message).hint(hint).ownership();
        parser.push(fault, interface.span);
    }
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
            if !is_host(ip) && (peer.text.parse() == Ok(ip) || !parser.host.is_elsewhere()) =>
        {
            let message = format!("ucast: {} is not the address of a peer", peer.text);
            let fault =
                Diagnostic::warning(message).hint("no heartbeat of this line reaches a node");
            parser.push(fault.ownership(), peer.span);
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
fn could_be_a_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.chars().all(fits) && text.contains(|c: char| c.is_ascii_alphabetic())
}

/// Could a peer have this address?
fn is_host(ip: Ipv4Addr) -> bool {
    !(ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || ip.is_broadcast())
}

fn add(parser: &mut Parser<'_>, medium: MediumSpec, word: Word<'_>) {
    let media = &parser.draft.media;
    if let Some(same) = media.iter().find(|given| given.value == medium) {
        let (name, device) = (medium.name(), medium.device());
        let line = same.span.line;
        let message = format!("{name} {device} is the same medium as that of line {line}");
        parser.warning(word.span, message);
    } else if media.len() == MAX_LINKS {
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
    parser.draft.other_media.insert("ucast6");
    let [interface, peer, rest @ ..] = words else {
        incomplete(parser, words, "ucast6 needs an interface and a peer");
        return;
    };
    superfluous(parser, rest);
    let (address, scope) = peer.text.split_once('%').unwrap_or((peer.text, ""));
    if address.parse::<Ipv6Addr>().is_err() {
        let message = format!("ucast6: {address} is not an IPv6 address");
        parser.error(peer.span, message);
    }
    if !scope.is_empty() && scope != interface.text {
        let message = format!("ucast6: scope {scope} is not interface {}", interface.text);
        parser.error(peer.span, message);
    }
}

/// `INTERFACE GROUP PORT TTL LOOP`
pub(super) fn mcast(parser: &mut Parser<'_>, words: &[Word<'_>]) {
    parser.draft.other_media.insert("mcast");
    let Some(group) = multicast(parser, "mcast", words) else {
        return;
    };
    let address = group.text.parse::<Ipv4Addr>();
    if !address.is_ok_and(|address| address.is_multicast()) {
        let message = format!("mcast: {} is not a multicast address", group.text);
        parser.error(group.span, message);
    }
}

/// `INTERFACE GROUP PORT HOPS LOOP`
pub(super) fn mcast6(parser: &mut Parser<'_>, words: &[Word<'_>]) {
    parser.draft.other_media.insert("mcast6");
    let Some(group) = multicast(parser, "mcast6", words) else {
        return;
    };
    let address = group.text.parse::<Ipv6Addr>();
    if !address.is_ok_and(|address| address.is_multicast()) {
        let message = format!("mcast6: {} is not a multicast address", group.text);
        parser.error(group.span, message);
    }
}

/// What both have in common; the group word if all five are there.
fn multicast<'w>(parser: &mut Parser<'_>, name: &str, words: &[Word<'w>]) -> Option<Word<'w>> {
    let [_interface, group, port, hops, loopback, rest @ ..] = words else {
        let message = format!("{name} needs interface, group, port, hops (ttl) and loop");
        incomplete(parser, words, &message);
        return None;
    };
    superfluous(parser, rest);
    parser.integer(&format!("{name} port"), *port, 1, i64::from(u16::MAX));
    parser.integer(&format!("{name} ttl"), *hops, 0, 4);
    parser.integer(&format!("{name} loop"), *loopback, 0, 1);
    Some(*group)
}

pub(super) fn baud(parser: &mut Parser<'_>, word: Word<'_>) {
    const RATES: [&str; 7] = [
        "9600", "19200", "38400", "57600", "115200", "230400", "460800",
    ];
    if !RATES.contains(&word.text) {
        let message = format!("baud: {} is none of {}", word.text, RATES.join(", "));
        parser.error(word.span, message);
    }
}

/// One port.
pub(super) fn serial(parser: &mut Parser<'_>, word: Word<'_>) {
    parser.draft.other_media.insert("serial");
    if !word.text.starts_with('/') {
        let message = format!("serial: {} is not an absolute path", word.text);
        parser.error(word.span, message);
    }
}

/// One host. Not a way to reach nodes, so not a medium that could be missed.
pub(super) fn ping(_: &mut Parser<'_>, _: Word<'_>) {}

pub(super) fn ping6(parser: &mut Parser<'_>, word: Word<'_>) {
    let address = word.text.split('%').next().unwrap_or_default();
    if address.parse::<Ipv6Addr>().is_err() {
        let message = format!("ping6: {} is not an IPv6 address", word.text);
        parser.error(word.span, message);
    }
}

/// `NAME HOST…`
pub(super) fn ping_group(parser: &mut Parser<'_>, words: &[Word<'_>]) {
    if let [only] = words {
        let message = format!("ping_group {}: at least one host is needed", only.text);
        parser.error(only.span, message);
    }
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
