//! Directives that make ping nodes: `ping`, `ping6` and `ping_group` (Heartbeat specification
//! 1.4.2).

use super::draft::Given;
use super::parser::Parser;
use super::ping::{PingHost, PingSpec};
use super::{grammar, media};
use ha_plumbing::{Diagnostic, Word};
use hbd_core::config::{MAX_LINKS, MAX_NODES, NodeName};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Hosts of one `ping_group`: each of them is asked with every heartbeat.
const MAX_HOSTS: usize = 64;

/// `ping HOST…`: one host.
pub(super) fn ping(parser: &mut Parser<'_>, word: Word<'_>) {
    if let Some(host) = host(parser, "ping", word) {
        add(parser, "ping", word, vec![host]);
    }
}

/// `ping6 ADDRESS…`: one host.
pub(super) fn ping6(parser: &mut Parser<'_>, word: Word<'_>) {
    let (address, scope) = word.text.split_once('%').unwrap_or((word.text, ""));
    let Ok(ip) = address.parse::<Ipv6Addr>() else {
        let message = format!("ping6: {} is not an IPv6 address", word.text);
        parser.error(word.span, message);
        return;
    };
    if ip.is_unicast_link_local() && scope.is_empty() {
        let message = format!("ping6: {address} means nothing without an interface");
        let fault = Diagnostic::warning(message).hint(format!("write {address}%eth0"));
        parser.push(fault.ownership(), word.span);
    }
    let host = PingHost {
        name: word.text.to_owned(),
        ip: Some(ip.into()),
        interface: (!scope.is_empty()).then(|| scope.to_owned()),
    };
    add(parser, "ping6", word, vec![host]);
}

/// `ping_group NAME HOST…`
pub(super) fn ping_group(parser: &mut Parser<'_>, words: &[Word<'_>]) {
    let Some((name, words)) = words.split_first() else {
        return;
    };
    match words {
        [] => {
            let message = format!("ping_group {}: at least one host is needed", name.text);
            parser.error(name.span, message);
            return;
        }
        [.., last] if words.len() > MAX_HOSTS => {
            let message = format!("ping_group {}: more than {MAX_HOSTS} hosts", name.text);
            parser.error(last.span, message);
            return;
        }
        _ => {}
    }
    let hosts = words.iter().map(|word| host(parser, "ping_group", *word));
    let hosts: Vec<Option<PingHost>> = hosts.collect();
    if let Some(hosts) = hosts.into_iter().collect() {
        add(parser, "ping_group", *name, hosts);
    }
}

/// An IPv4 address or a name.
fn host(parser: &mut Parser<'_>, directive: &str, word: Word<'_>) -> Option<PingHost> {
    let ip = parser.host.resolve(word.text);
    if ip.is_none() {
        if !media::could_be_a_name(word.text) {
            let message = format!(
                "{directive}: {} is neither an IPv4 address nor a name",
                word.text
            );
            parser.error(word.span, message);
            return None;
        }
        let message = format!("{directive}: {} has no IPv4 address", word.text);
        let hint = "it is asked for again, and the host is not pinged until then; its address \
                    needs no resolver";
        let fault = Diagnostic::warning(message).hint(hint).ownership();
        parser.push(fault, word.span);
    }
    Some(PingHost {
        name: word.text.to_owned(),
        // Of another machine's file nobody is asked.
        ip: ip.filter(|ip| *ip != Ipv4Addr::UNSPECIFIED).map(IpAddr::V4),
        interface: None,
    })
}

fn add(parser: &mut Parser<'_>, directive: &'static str, word: Word<'_>, hosts: Vec<PingHost>) {
    let Some(name) = NodeName::new(word.text) else {
        let longest = NodeName::MAX_BYTES;
        let message = format!(
            "{directive}: {} is not a name of 1 to {longest} bytes",
            word.text
        );
        parser.error(word.span, message);
        return;
    };
    let draft = &parser.draft;
    if let Some(same) = draft.pings.iter().find(|ping| ping.value.name == name) {
        let line = same.span.line;
        let message = format!("{directive} {name} is the ping node of line {line}");
        parser.warning(word.span, message);
    } else if draft.media.len() + draft.pings.len() >= MAX_LINKS {
        parser.error(word.span, format!("more than {MAX_LINKS} media"));
    } else if draft.nodes.len() + draft.pings.len() >= MAX_NODES {
        parser.error(word.span, grammar::too_many_nodes());
    } else {
        let value = PingSpec {
            name,
            directive,
            hosts,
        };
        let span = word.span;
        parser.draft.pings.push(Given { value, span });
    }
}
