//! From options to a command: defaults, required parts, and what may stand together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::words::{Kind, Name, Opt, Verb};
use super::{Command, Fault, Problem};
use crate::destination::{Destination, Forwarding, MAX_WEIGHT, Tunnel, TunnelChecksum};
use crate::identity::{Family, Protocol, ServiceId};
use crate::service::{Netmask, Service, check_name};

/// ipvsadm's defaults.
const DEFAULT_SCHEDULER: &str = "wlc";
const DEFAULT_TIMEOUT: u32 = 360;
const DEFAULT_WEIGHT: u32 = 1;
/// 31 days, ipvsadm's limit.
const MAX_TIMEOUT: u32 = 31 * 24 * 60 * 60;

/// What a line needs, in the order of its parts.
pub(super) fn command(options: &[Opt<'_>]) -> Result<Command, Fault> {
    let (command, verb, rest) = verb(options)?;
    match command {
        Verb::AddService => Ok(Command::AddService(service(verb, &rest)?)),
        Verb::EditService => Ok(Command::EditService(service(verb, &rest)?)),
        Verb::DeleteService => {
            only(&rest, is_identity)?;
            Ok(Command::DeleteService(required_identity(verb, &rest)?))
        }
        Verb::AddServer => {
            let (id, real) = destination(verb, &rest)?;
            Ok(Command::AddDestination(id, real))
        }
        Verb::EditServer => {
            let (id, real) = destination(verb, &rest)?;
            Ok(Command::EditDestination(id, real))
        }
        Verb::DeleteServer => {
            only(&rest, |name| is_identity(name) || name == Name::RealServer)?;
            let id = required_identity(verb, &rest)?;
            Ok(Command::DeleteDestination(
                id,
                real_address(verb, &rest, &id)?,
            ))
        }
        Verb::Clear => {
            only(&rest, |_| false)?;
            Ok(Command::Clear)
        }
        Verb::Zero => {
            only(&rest, is_identity)?;
            Ok(Command::Zero(identity(&rest)?))
        }
    }
}

/// Finds the one command among the options.
fn verb<'a>(options: &[Opt<'a>]) -> Result<(Verb, Opt<'a>, Vec<Opt<'a>>), Fault> {
    let (mut verbs, mut rest) = (Vec::new(), Vec::new());
    for option in options {
        if let Name::Verb(verb) = option.name {
            verbs.push((verb, *option));
        } else {
            rest.push(*option);
        }
    }
    match verbs.as_slice() {
        [(verb, option)] => Ok((*verb, *option, rest)),
        [] => {
            let first = options.first().map_or("", |option| option.word);
            Err(Fault::new(first, Problem::NoCommand))
        }
        [_, (_, second), ..] => Err(Fault::new(second.word, Problem::Repeated)),
    }
}

/// Refuses options that the command does not know.
fn only(options: &[Opt<'_>], belongs: impl Fn(Name) -> bool) -> Result<(), Fault> {
    match options.iter().find(|option| !belongs(option.name)) {
        Some(stranger) => Err(Fault::new(stranger.word, Problem::NotHere)),
        None => Ok(()),
    }
}

/// The option that `belongs`, at most one.
fn one<'a>(options: &[Opt<'a>], belongs: impl Fn(Name) -> bool) -> Result<Option<Opt<'a>>, Fault> {
    let mut found = options.iter().filter(|option| belongs(option.name));
    let first = found.next().copied();
    match found.next() {
        Some(second) => Err(Fault::new(second.word, Problem::Repeated)),
        None => Ok(first),
    }
}

fn is_service(name: Name) -> bool {
    matches!(name, Name::Service(_))
}

fn is_identity(name: Name) -> bool {
    is_service(name) || name == Name::Ipv6
}

/// The service of words that name one and nothing else.
pub(super) fn service_named(options: &[Opt<'_>]) -> Result<ServiceId, Fault> {
    only(options, is_identity)?;
    let first = options.first().map_or("", |option| option.word);
    identity(options)?.ok_or_else(|| Fault::new(first, Problem::ServiceMissing))
}

fn required_identity(verb: Opt<'_>, options: &[Opt<'_>]) -> Result<ServiceId, Fault> {
    identity(options)?.ok_or_else(|| Fault::new(verb.word, Problem::ServiceMissing))
}

fn identity(options: &[Opt<'_>]) -> Result<Option<ServiceId>, Fault> {
    let ipv6 = one(options, |name| name == Name::Ipv6)?;
    let found = one(options, is_service)?.map(|option| (option, option.name));
    let Some((option, Name::Service(kind))) = found else {
        return Ok(None);
    };
    let text = option.value.unwrap_or_default();
    let protocol = match kind {
        Kind::Tcp => Protocol::Tcp,
        Kind::Udp => Protocol::Udp,
        Kind::Sctp => Protocol::Sctp,
        Kind::Fwmark => {
            let mark = text.parse().ok().filter(|&mark| mark != 0);
            let mark = mark.ok_or_else(|| option.fault(Problem::BadMark))?;
            let family = if ipv6.is_some() {
                Family::V6
            } else {
                Family::V4
            };
            return Ok(Some(ServiceId::Fwmark { family, mark }));
        }
    };
    let (ip, port) = address(text).ok_or_else(|| option.fault(Problem::BadAddress))?;
    if ipv6.is_some() && ip.is_ipv4() {
        return Err(option.fault(Problem::FamilyMismatch));
    }
    Ok(Some(ServiceId::Address {
        ip,
        protocol,
        port: port.unwrap_or(0),
    }))
}

/// `A.B.C.D[:PORT]`, `[IPV6][:PORT]` or a bare IPv6 address.
fn address(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(full) = text.parse::<SocketAddr>() {
        return Some((full.ip(), Some(full.port())));
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().ok().map(|ip| (ip.into(), None)),
        None => text.parse::<IpAddr>().ok().map(|ip| (ip, None)),
    }
}

fn service(verb: Opt<'_>, options: &[Opt<'_>]) -> Result<Service, Fault> {
    only(options, |name| {
        is_identity(name)
            || matches!(
                name,
                Name::Scheduler
                    | Name::SchedFlags
                    | Name::Persistent
                    | Name::Netmask
                    | Name::Pe
                    | Name::Ops
            )
    })?;
    let id = required_identity(verb, options)?;
    let scheduler = one(options, |name| name == Name::Scheduler)?
        .map(name)
        .transpose()?;
    let mut service = Service::new(id, scheduler.unwrap_or(DEFAULT_SCHEDULER));
    if let Some(option) = one(options, |name| name == Name::SchedFlags)? {
        scheduler_flags(option, &mut service)?;
    }
    if let Some(option) = one(options, |name| name == Name::Ops)? {
        if matches!(
            id,
            ServiceId::Address {
                protocol: Protocol::Tcp | Protocol::Sctp,
                ..
            }
        ) {
            return Err(option.fault(Problem::NotOnePacket));
        }
        service.flags.one_packet = true;
    }
    persistence(options, &mut service)?;
    if matches!(id, ServiceId::Address { port: 0, .. }) && !service.flags.persistent {
        return Err(Fault::new(verb.word, Problem::ZeroPort));
    }
    Ok(service)
}

fn name(option: Opt<'_>) -> Result<&str, Fault> {
    let name = option.value.unwrap_or_default();
    check_name(name).map_err(|_| option.fault(Problem::BadName))?;
    Ok(name)
}

/// The words of every scheduler are taken for every scheduler; they are the same three bits.
fn scheduler_flags(option: Opt<'_>, service: &mut Service) -> Result<(), Fault> {
    for word in option.value.unwrap_or_default().split(',') {
        match word {
            "flag-1" | "sh-fallback" | "mh-fallback" => service.flags.sched1 = true,
            "flag-2" | "sh-port" | "mh-port" => service.flags.sched2 = true,
            "flag-3" => service.flags.sched3 = true,
            _ => return Err(option.fault(Problem::BadFlags)),
        }
    }
    Ok(())
}

fn persistence(options: &[Opt<'_>], service: &mut Service) -> Result<(), Fault> {
    let persistent = one(options, |name| name == Name::Persistent)?;
    let netmask = one(options, |name| name == Name::Netmask)?;
    let engine = one(options, |name| name == Name::Pe)?;
    let Some(persistent) = persistent else {
        return match netmask.or(engine) {
            Some(option) => Err(Fault::new(option.word, Problem::NeedsPersistence)),
            None => Ok(()),
        };
    };
    service.flags.persistent = true;
    service.timeout = match persistent.value {
        None => DEFAULT_TIMEOUT,
        Some(text) => {
            let seconds = text
                .parse()
                .ok()
                .filter(|seconds| (1..=MAX_TIMEOUT).contains(seconds));
            seconds.ok_or_else(|| persistent.fault(Problem::BadTimeout))?
        }
    };
    if let Some(option) = netmask {
        let mask = parse_netmask(option.value.unwrap_or_default(), service.id.family());
        service.netmask = mask.ok_or_else(|| option.fault(Problem::BadNetmask))?;
    }
    service.pe_name = engine.map(name).transpose()?.map(str::to_owned);
    Ok(())
}

fn parse_netmask(text: &str, family: Family) -> Option<Netmask> {
    match family {
        Family::V4 => text.parse::<Ipv4Addr>().ok().map(Netmask::V4),
        Family::V6 => text
            .parse()
            .ok()
            .filter(|prefix| (1..=128).contains(prefix))
            .map(Netmask::V6),
    }
}

fn destination(verb: Opt<'_>, options: &[Opt<'_>]) -> Result<(ServiceId, Destination), Fault> {
    only(options, |name| {
        is_identity(name)
            || is_forwarding(name)
            || is_tunnel(name)
            || matches!(
                name,
                Name::RealServer | Name::Weight | Name::UThreshold | Name::LThreshold
            )
    })?;
    let id = required_identity(verb, options)?;
    let address = real_address(verb, options, &id)?;
    let forwarding = match one(options, is_forwarding)?.map(|option| option.name) {
        Some(Name::Masquerading) => Forwarding::Masq,
        Some(Name::Ipip) => Forwarding::Tunnel,
        _ => Forwarding::Route,
    };
    let weight = number(options, Name::Weight)?.unwrap_or(DEFAULT_WEIGHT);
    let mut real = Destination::new(address, forwarding, weight);
    // Only masquerading can change the port; ipvsadm then takes the service's, silently.
    if let (ServiceId::Address { port, .. }, Forwarding::Tunnel | Forwarding::Route) =
        (id, forwarding)
    {
        real.address.set_port(port);
    }
    real.upper_threshold = number(options, Name::UThreshold)?.unwrap_or(0);
    real.lower_threshold = number(options, Name::LThreshold)?.unwrap_or(0);
    if real.lower_threshold > real.upper_threshold {
        return Err(Fault::new(
            real.lower_threshold.to_string(),
            Problem::ThresholdOrder,
        ));
    }
    real.tunnel = tunnel(options, forwarding)?;
    Ok((id, real))
}

fn is_forwarding(name: Name) -> bool {
    matches!(name, Name::Gatewaying | Name::Ipip | Name::Masquerading)
}

fn is_checksum(name: Name) -> bool {
    matches!(name, Name::TunNocsum | Name::TunCsum | Name::TunRemcsum)
}

fn is_tunnel(name: Name) -> bool {
    is_checksum(name) || matches!(name, Name::TunType | Name::TunPort)
}

/// The real server's address; without a port it is the service's.
fn real_address(verb: Opt<'_>, options: &[Opt<'_>], id: &ServiceId) -> Result<SocketAddr, Fault> {
    let option = one(options, |name| name == Name::RealServer)?;
    let option = option.ok_or_else(|| Fault::new(verb.word, Problem::DestinationMissing))?;
    let (ip, port) = address(option.value.unwrap_or_default())
        .ok_or_else(|| option.fault(Problem::BadAddress))?;
    let service_port = match id {
        ServiceId::Address { port, .. } => *port,
        ServiceId::Fwmark { .. } => 0,
    };
    Ok(SocketAddr::new(
        ip,
        port.filter(|&port| port != 0).unwrap_or(service_port),
    ))
}

fn number(options: &[Opt<'_>], wanted: Name) -> Result<Option<u32>, Fault> {
    let Some(option) = one(options, |name| name == wanted)? else {
        return Ok(None);
    };
    let number = option
        .value
        .and_then(|text| text.parse().ok())
        .filter(|&number| number <= MAX_WEIGHT);
    number
        .map(Some)
        .ok_or_else(|| option.fault(Problem::BadNumber))
}

fn tunnel(options: &[Opt<'_>], forwarding: Forwarding) -> Result<Tunnel, Fault> {
    let kind = one(options, |name| name == Name::TunType)?;
    let port = one(options, |name| name == Name::TunPort)?;
    let checksum = one(options, is_checksum)?;
    let mismatch = |option: Opt<'_>| Err(Fault::new(option.word, Problem::TunnelMismatch));
    if let Some(stray) = kind.or(port).or(checksum)
        && forwarding != Forwarding::Tunnel
    {
        return mismatch(stray);
    }
    let sum = match checksum.map(|option| option.name) {
        Some(Name::TunCsum) => TunnelChecksum::Full,
        Some(Name::TunRemcsum) => TunnelChecksum::Remote,
        _ => TunnelChecksum::None,
    };
    let ipip = || port.or(checksum).map_or(Ok(Tunnel::Ipip), mismatch);
    let Some(kind) = kind else {
        return ipip();
    };
    match kind.value.unwrap_or_default() {
        "ipip" => ipip(),
        "gue" => {
            let text = port.and_then(|option| option.value);
            let number = text
                .and_then(|text| text.parse().ok())
                .filter(|&port| port != 0);
            let port = number.ok_or_else(|| port.unwrap_or(kind).fault(Problem::BadTunnelPort))?;
            Ok(Tunnel::Gue {
                port,
                checksum: sum,
            })
        }
        "gre" => match (port, checksum) {
            (Some(port), _) => mismatch(port),
            (None, Some(option)) if sum == TunnelChecksum::Remote => mismatch(option),
            (None, _) => Ok(Tunnel::Gre { checksum: sum }),
        },
        _ => Err(kind.fault(Problem::BadTunnel)),
    }
}
