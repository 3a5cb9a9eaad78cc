//! From statements to virtual servers: what each word of keepalived's means here, and a remark for
//! each that means nothing.

use super::checks;
use super::inherited::{UNKNOWN, shared};
use super::model::{Defaults, Head, Method, Real, Virtual, Way, is_v6};
use super::report::{Place, Report};
use super::tree::Statement;
use std::collections::BTreeMap;

/// Addresses of one range of a group.
const RANGE_MAX: u32 = 256;
/// keepalived's when the word stands alone.
const PERSISTENCE: u32 = 360;
/// Weights, thresholds and ports that are none are read as this.
const NO_PORT: u16 = 0;

pub(super) type Groups = BTreeMap<String, Vec<Head>>;

/// `virtual_server_group NAME { … }`.
pub(super) fn group(statement: &Statement, report: &mut Report) -> Vec<Head> {
    let mut heads = Vec::new();
    for entry in statement.statements() {
        match entry
            .words
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .as_slice()
        {
            ["fwmark", mark, ..] => heads.extend(mark.parse().ok().map(Head::Mark)),
            [addresses, rest @ ..] => {
                let port = rest.first().and_then(|port| port.parse().ok());
                if let Some(all) = range(addresses) {
                    let head = |address| Head::Address(address, port.unwrap_or(NO_PORT));
                    heads.extend(all.into_iter().map(head));
                } else {
                    let advice =
                        format!("no range of at most {RANGE_MAX} addresses; write them out");
                    report.remark(&entry.place, entry.shown(), &advice);
                }
            }
            [] => {}
        }
    }
    heads
}

/// `10.0.0.1`, `10.0.0.3-10`, `10.0.0.3-10.0.0.10`, `2001:db8::2-9` (hexadecimal).
fn range(text: &str) -> Option<Vec<String>> {
    let Some((first, last)) = text.split_once('-') else {
        return Some(vec![text.to_owned()]);
    };
    let (radix, separator) = if first.contains(':') {
        (16, ':')
    } else {
        (10, '.')
    };
    let (stem, from) = first.rsplit_once(separator)?;
    let last = match last.rsplit_once(separator) {
        Some((other, last)) => (other == stem).then_some(last)?,
        None => last,
    };
    let number = |text| u32::from_str_radix(text, radix).ok();
    let (from, to) = (number(from)?, number(last)?);
    if to < from || to - from >= RANGE_MAX {
        return None;
    }
    let name = |last: u32| {
        if radix == 16 {
            format!("{stem}{separator}{last:x}")
        } else {
            format!("{stem}{separator}{last}")
        }
    };
    Some((from..=to).map(name).collect())
}

/// `virtual_server …`; `None` after a remark.
pub(super) fn virtual_server(
    statement: &Statement,
    groups: &Groups,
    report: &mut Report,
) -> Option<Virtual> {
    let place = &statement.place;
    let mut name = None;
    let heads = match statement.values().as_slice() {
        ["fwmark", mark, ..] => mark.parse().ok().map(Head::Mark).into_iter().collect(),
        ["group", group, ..] => {
            name = Some((*group).to_owned());
            groups.get(*group).cloned().unwrap_or_default()
        }
        [address, rest @ ..] => {
            let port = rest.first().and_then(|port| port.parse().ok());
            vec![Head::Address(
                (*address).to_owned(),
                port.unwrap_or(NO_PORT),
            )]
        }
        [] => Vec::new(),
    };
    if heads.is_empty() {
        let advice = "no address, mark or group that is known; the virtual server is left out";
        report.remark(place, statement.shown(), advice);
        return None;
    }
    let mut server = Virtual {
        place: place.clone(),
        heads,
        name,
        scheduler: None,
        flags: Vec::new(),
        way: Way::default(),
        persistent: None,
        netmask: None,
        engine: None,
        protocol: None,
        one_packet: false,
        v6: None,
        virtualhost: None,
        fallback: None,
        reals: Vec::new(),
        defaults: Defaults::default(),
    };
    for inner in statement.statements() {
        if !attribute(&mut server, inner, report) && !shared(&mut server.defaults, inner, report) {
            rest(&mut server, inner, report);
        }
    }
    Some(server)
}

/// The words that are attributes of the service in the kernel.
fn attribute(server: &mut Virtual, statement: &Statement, report: &mut Report) -> bool {
    match statement.key() {
        "lb_algo" | "lvs_sched" => server.scheduler = statement.value().map(str::to_owned),
        "lb_kind" | "lvs_method" => {
            if let Some(way) = way(statement, report) {
                server.way = way;
            }
        }
        "persistence_timeout" => {
            server.persistent = Some(statement.number().unwrap_or(PERSISTENCE));
        }
        "persistence_granularity" => server.netmask = statement.value().map(str::to_owned),
        "persistence_engine" => server.engine = statement.value().map(str::to_owned),
        "protocol" => server.protocol = statement.value().map(str::to_lowercase),
        "ops" => server.one_packet = true,
        "ip_family" => server.v6 = statement.value().map(|family| family == "inet6"),
        "sh-port" => server.flags.push("sh-port"),
        "sh-fallback" => server.flags.push("sh-fallback"),
        "mh-port" => server.flags.push("mh-port"),
        "mh-fallback" => server.flags.push("mh-fallback"),
        "flag-1" => server.flags.push("flag-1"),
        "flag-2" => server.flags.push("flag-2"),
        "flag-3" => server.flags.push("flag-3"),
        "virtualhost" => server.virtualhost = statement.value().map(str::to_owned),
        // The kernel does so anyway.
        "hashed" => {}
        _ => return false,
    }
    true
}

fn rest(server: &mut Virtual, statement: &Statement, report: &mut Report) {
    let place = &statement.place;
    let advice = match statement.key() {
        "real_server" => {
            server.reals.extend(real_server(statement, report));
            return;
        }
        "sorry_server" => {
            sorry_server(server, statement);
            return;
        }
        "sorry_server_lvs_method" => {
            let way = way(statement, report);
            if let Some((.., fallback)) = &mut server.fallback {
                *fallback = way;
            }
            return;
        }
        "quorum" if statement.number() == Some(1) => return,
        "quorum" | "hysteresis" => {
            "has no equivalent: the fallback takes over when no real server is left"
        }
        "quorum_up" | "quorum_down" => {
            "not taken over; fallbackcommand is run when the last real server leaves (start) and \
             when one is back (stop)"
        }
        "omega" => "not taken over: nothing is called for real servers when ldird stops",
        "sorry_server_inhibit" => {
            "not taken over: a fallback leaves the table when it is not needed"
        }
        "ha_suspend" => {
            "not needed: ldird keeps its table back while the node does not have the address"
        }
        _ => UNKNOWN,
    };
    report.remark(place, statement.shown(), advice);
}

fn sorry_server(server: &mut Virtual, statement: &Statement) {
    if let [address, rest @ ..] = statement.values().as_slice() {
        let port = rest.first().and_then(|port| port.parse().ok());
        server.fallback = Some(((*address).to_owned(), port.unwrap_or(NO_PORT), None));
    }
}

/// `NAT`, `DR`, `TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]`.
fn way(statement: &Statement, report: &mut Report) -> Option<Way> {
    let values = statement.values();
    let (method, rest) = values.split_first()?;
    let method = match method.to_uppercase().as_str() {
        "NAT" => Method::Masq,
        "DR" => Method::Gate,
        "TUN" => Method::Ipip,
        _ => {
            let advice = "none of NAT, DR and TUN; the usual one of its virtual server is taken";
            report.remark(&statement.place, statement.shown(), advice);
            return None;
        }
    };
    let after = |word: &str| {
        let at = rest.iter().position(|one| *one == word)?;
        rest.get(at + 1).copied()
    };
    let sum = ["csum", "remcsum"]
        .into_iter()
        .find(|sum| rest.contains(sum));
    let sum = sum.map_or_else(String::new, |sum| format!(" {sum}"));
    let tunnel = match (method, after("type")) {
        (Method::Ipip, Some("gue")) => after("port").map(|port| format!("gue {port}{sum}")),
        (Method::Ipip, Some("gre")) => Some(format!("gre{sum}")),
        (Method::Masq | Method::Gate | Method::Ipip, _) => None,
    };
    Some(Way { method, tunnel })
}

fn real_server(statement: &Statement, report: &mut Report) -> Option<Real> {
    let values = statement.values();
    let Some((address, rest)) = values.split_first() else {
        report.remark(
            &statement.place,
            statement.shown(),
            "has no address and is left out",
        );
        return None;
    };
    let port = rest.first().and_then(|port| port.parse().ok());
    let mut real = Real {
        place: statement.place.clone(),
        address: (*address).to_owned(),
        port: port.unwrap_or(NO_PORT),
        way: None,
        virtualhost: None,
        upper: 0,
        lower: 0,
        checks: Vec::new(),
        defaults: Defaults::default(),
    };
    for inner in statement.statements() {
        if shared(&mut real.defaults, inner, report) {
            continue;
        }
        match inner.key() {
            "lvs_method" | "lb_kind" => real.way = way(inner, report),
            "virtualhost" => real.virtualhost = inner.value().map(str::to_owned),
            "uthreshold" => real.upper = inner.number().unwrap_or(0),
            "lthreshold" => real.lower = inner.number().unwrap_or(0),
            "notify_up" | "notify_down" => {
                let advice =
                    "not taken over; follow `ldird show --json --follow` for such a program";
                report.remark(&inner.place, inner.shown(), advice);
            }
            "snmp_name" => {}
            _ => checks::read(&mut real, inner, report),
        }
    }
    Some(real)
}

/// Is this a virtual server of IPv6? A mark says so itself, or its real servers do.
pub(super) fn is_six(head: &Head, server: &Virtual) -> bool {
    match head {
        Head::Address(address, _) => is_v6(address),
        Head::Mark(_) => server
            .v6
            .unwrap_or_else(|| server.reals.iter().any(Real::is_v6)),
    }
}

/// For remarks about a whole virtual server.
pub(super) fn title(head: &Head) -> String {
    match head {
        Head::Address(address, port) if is_v6(address) => format!("[{address}]:{port}"),
        Head::Address(address, port) => format!("{address}:{port}"),
        Head::Mark(mark) => mark.to_string(),
    }
}

/// Where remarks about something inherited are made.
pub(super) fn place_of(server: &Virtual) -> &Place {
    &server.place
}
