//! Connection synchronisation as the file has it: `syncdaemon` names the interface, the others say
//! how; without it they mean nothing.

use super::given::{At, Faults, Given};
use super::words::{between_quotes, trimmed, without_comment};
use ha_plumbing::Word;
use ldird_core::config::VirtualService;
use ldird_core::sync::Settings;
use ldird_core::table::ServiceKey;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// IFNAMSIZ without the NUL.
const NAME_BYTES: usize = 15;
const IDS: RangeInclusive<u32> = 0..=255;
const PORTS: RangeInclusive<u32> = 1..=65_535;
const TTLS: RangeInclusive<u32> = 1..=255;
/// A backup of the kernel takes no less; more does not fit into a datagram.
const LENGTHS: RangeInclusive<u32> = 1024..=65_507;

/// An interface, not an address: the kernel wants its name.
pub(super) fn syncdaemon(given: &mut Given, value: Word<'_>, faults: &mut Faults<'_>) {
    let word = without_comment(trimmed(value), faults);
    let word = between_quotes(word).unwrap_or(word);
    let name = word.text;
    let possible = (1..=NAME_BYTES).contains(&name.len())
        && !name.contains(|c: char| c == '/' || c == '"' || c.is_whitespace())
        && !matches!(name, "." | "..");
    if !possible || name.parse::<IpAddr>().is_ok() {
        let hint = "syncdaemon=INTERFACE, e.g. syncdaemon=eth1: the cable between the directors";
        return faults.error_with(word.span, "invalid sync daemon interface", hint);
    }
    given.syncdaemon = Some(At {
        value: name.to_owned(),
        span: word.span,
    });
}

pub(super) fn syncgroup(given: &mut Given, value: Word<'_>, faults: &mut Faults<'_>) {
    let word = without_comment(trimmed(value), faults);
    match word.text.parse::<IpAddr>() {
        Ok(value) if value.is_multicast() => {
            let span = word.span;
            given.syncgroup = Some(At { value, span });
        }
        Ok(_) | Err(_) => faults.error_with(
            word.span,
            "invalid sync group",
            "syncgroup=ADDRESS: a multicast address, 224.0.0.81 if there is no such line",
        ),
    }
}

/// What the kernel's daemon is to be told; `None` if the file wants none.
pub(super) fn settings(
    global: &Given,
    services: &[VirtualService],
    faults: &mut Faults<'_>,
) -> Option<Settings> {
    let numbers = [
        ("syncid", &global.syncid, IDS),
        ("syncport", &global.syncport, PORTS),
        ("syncttl", &global.syncttl, TTLS),
        ("syncmaxlen", &global.syncmaxlen, LENGTHS),
    ];
    for (name, at, range) in &numbers {
        let Some(at) = at else { continue };
        if !range.contains(&at.value) {
            let message = format!("{name} is {} to {}", range.start(), range.end());
            faults.error(at.span, message);
        }
    }
    let Some(interface) = &global.syncdaemon else {
        let spans = numbers
            .iter()
            .filter_map(|(_, at, _)| Some(at.as_ref()?.span));
        let group = global.syncgroup.as_ref().map(|at| at.span);
        if let Some(span) = spans.chain(group).next() {
            let message = "connections are not synchronised without syncdaemon=INTERFACE";
            faults.warning(span, message);
        }
        return None;
    };
    if let Some(mixed) = mixed(services) {
        let hint = "the kernel refuses one beside the other: leave one of them out";
        let message = format!("syncdaemon does not go with a server of another family: {mixed}");
        faults.error_with(interface.span, message, hint);
    }
    let number = |at: &Option<At<u32>>| at.as_ref().map_or(0, |at| at.value);
    // What does not fit has been refused above.
    let small = |at| u16::try_from(number(at)).unwrap_or(0);
    Some(Settings {
        max_length: small(&global.syncmaxlen),
        group: global.syncgroup.as_ref().map(|at| at.value),
        port: small(&global.syncport),
        ttl: u8::try_from(number(&global.syncttl)).unwrap_or(0),
        ..Settings::new(
            &interface.value,
            u8::try_from(number(&global.syncid)).unwrap_or(0),
        )
    })
}

/// A service with a server of the other address family, in words.
fn mixed(services: &[VirtualService]) -> Option<String> {
    services.iter().find_map(|service| {
        let v6 = match service.key {
            ServiceKey::Address { address, .. } => address.is_ipv6(),
            ServiceKey::Fwmark { v6, .. } => v6,
        };
        let reals = service.reals.iter().map(|real| real.key);
        let fallback = service.fallback.iter().map(|fallback| fallback.key);
        let mut servers = reals.chain(fallback);
        let other = servers.find(|server| server.address.is_ipv6() != v6)?;
        Some(format!("{other} of {}", service.key))
    })
}
