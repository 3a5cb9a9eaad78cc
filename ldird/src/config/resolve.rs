//! Words to numbers: literal addresses, service names, ranges, time-outs that inherit
//! (specification 1.6, 1.10). Asks nobody.

use super::given::{Family, Given};
use super::options;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Where the system keeps names of ports.
const SERVICES_FILE: &str = "/etc/services";

/// What is written where an address belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    Address(IpAddr),
    /// A name; its address has to be asked for.
    Name,
    /// Neither, and nobody need be asked.
    Wrong,
}

/// Longest host name, characters (RFC 1035, section 2.3.4).
const NAME_MAX: usize = 253;

pub(crate) fn host(text: &str, family: Family) -> Host {
    let address = match family {
        Family::V4 => text.parse::<Ipv4Addr>().map(IpAddr::from).ok(),
        Family::V6 => text.parse::<Ipv6Addr>().map(IpAddr::from).ok(),
    };
    let number = |c: char| c.is_ascii_digit() || c == '.';
    match address {
        Some(address) => Host::Address(address),
        // A resolver would take `5060` or `10.1` for an address.
        None if text.chars().all(number) => Host::Wrong,
        None if text.contains(':') || text.len() > NAME_MAX => Host::Wrong,
        None => Host::Name,
    }
}

/// Names of ports.
#[derive(Debug)]
pub(crate) struct Ports {
    /// The text of services(5).
    services: String,
}

impl Ports {
    pub(crate) fn new() -> Self {
        // A minimal system has no such file; the usual names are known without.
        let services = std::fs::read_to_string(SERVICES_FILE).unwrap_or_default();
        Self { services }
    }

    /// A port of digits or a name; without a protocol the first entry of that name counts.
    pub(crate) fn number(&self, text: &str, protocol: Option<&str>) -> Option<u16> {
        if text.chars().all(|c| c.is_ascii_digit()) {
            return text.parse().ok();
        }
        self.services
            .lines()
            .chain(USUAL_SERVICES.lines())
            .find_map(|line| port_in(line, text, protocol))
    }
}

/// One line of services(5): `name port/protocol aliases # comment`.
fn port_in(line: &str, name: &str, protocol: Option<&str>) -> Option<u16> {
    let line = line.split('#').next().unwrap_or_default();
    let mut words = line.split_whitespace();
    let official = words.next()?;
    let (port, its_protocol) = words.next()?.split_once('/')?;
    let named = official == name || words.any(|alias| alias == name);
    let fits = protocol.is_none_or(|wanted| wanted == its_protocol);
    (named && fits).then(|| port.parse().ok()).flatten()
}

/// What load balanced services are called, for systems without a services file.
const USUAL_SERVICES: &str = "\
ftp 21/tcp\nssh 22/tcp\nsmtp 25/tcp mail\ndomain 53/tcp\ndomain 53/udp\nhttp 80/tcp www\n\
pop3 110/tcp pop-3\nnntp 119/tcp\nntp 123/udp\nimap2 143/tcp imap\nldap 389/tcp\nldap 389/udp\n\
https 443/tcp\nhttps 443/udp\nsubmission 587/tcp\nldaps 636/tcp\nimaps 993/tcp\npop3s 995/tcp\n\
radius 1812/tcp\nradius 1812/udp\nmysql 3306/tcp\nsip 5060/tcp\nsip 5060/udp\npostgresql 5432/tcp\n";

/// The time-outs in force for a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    pub(crate) check: Duration,
    pub(crate) negotiate: Duration,
}

const CHECK_TIMEOUT_SECONDS: u32 = 5;
const NEGOTIATE_TIMEOUT_SECONDS: u32 = 30;

/// The nearest value that is set; either one stands in for the other before the wider scope is
/// asked.
pub(crate) fn timeouts(section: &Given, global: &Given) -> Timeouts {
    let check =
        |given: &Given| options::time(given.checktimeout.as_ref(), given.checktimeoutms.as_ref());
    let negotiate = |given: &Given| {
        let ms = given.negotiatetimeoutms.as_ref();
        options::time(given.negotiatetimeout.as_ref(), ms)
    };
    let default = |seconds: u32| Duration::from_secs(seconds.into());
    Timeouts {
        check: check(section)
            .or_else(|| negotiate(section))
            .or_else(|| check(global))
            .or_else(|| negotiate(global))
            .unwrap_or(default(CHECK_TIMEOUT_SECONDS)),
        negotiate: negotiate(section)
            .or_else(|| check(section))
            .or_else(|| negotiate(global))
            .or_else(|| check(global))
            .unwrap_or(default(NEGOTIATE_TIMEOUT_SECONDS)),
    }
}

/// Most real servers of one range.
pub(crate) const RANGE_MAX: u128 = 65_536;

/// Why a range is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RangeFault {
    /// The first address is above the last.
    Backwards,
    /// More than [`RANGE_MAX`] addresses.
    Long,
}

/// Every address from the first to the last, as numbers.
pub(crate) fn range(first: IpAddr, last: IpAddr) -> Result<Vec<IpAddr>, RangeFault> {
    let (from, to) = (number(first), number(last));
    if from > to {
        return Err(RangeFault::Backwards);
    }
    if to - from >= RANGE_MAX {
        return Err(RangeFault::Long);
    }
    let address = |number: u128| match first {
        IpAddr::V4(_) => Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        IpAddr::V6(_) => Ipv6Addr::from(number).into(),
    };
    Ok((from..=to).map(address).collect())
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// `10.0.0.1->9`: a last address of digits alone replaces the last number of the first.
pub(crate) fn short_end(first: IpAddr, last: &str) -> Option<IpAddr> {
    let IpAddr::V4(first) = first else {
        return None;
    };
    let [a, b, c, _] = first.octets();
    let last = last.parse().ok()?;
    Some(Ipv4Addr::new(a, b, c, last).into())
}
