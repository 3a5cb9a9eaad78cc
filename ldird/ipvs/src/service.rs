//! Virtual services: what they are, and how the kernel spells them.
//!
//! Owns the attributes inside IPVS_CMD_ATTR_SERVICE (IPVS_SVC_ATTR_* of linux/ip_vs.h). It does not
//! know which command a service travels with.

use std::fmt;
use std::net::Ipv4Addr;

use crate::attributes::{Attributes, DecodeError, Writer};
use crate::destination::DestinationStatus;
use crate::error::Invalid;
use crate::identity::{Family, NAME_BYTES, Protocol, ServiceId};
use crate::stats::{self, Stats};

#[cfg(test)]
pub(crate) mod tests;

const AF: u16 = 1;
const PROTOCOL: u16 = 2;
const ADDR: u16 = 3;
const PORT: u16 = 4;
const FWMARK: u16 = 5;
const SCHED_NAME: u16 = 6;
const FLAGS: u16 = 7;
const TIMEOUT: u16 = 8;
const NETMASK: u16 = 9;
const STATS: u16 = 10;
const PE_NAME: u16 = 11;
const STATS64: u16 = 12;

/// IP_VS_SVC_F_HASHED: the kernel's own mark, set while a service is in its table.
const HASHED: u32 = 0x2;
/// Which flag bits an edit replaces: all but the kernel's own.
const FLAGS_MASK: u32 = !HASHED;

impl ServiceId {
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        match self {
            ServiceId::Fwmark { mark: 0, .. } => Err(Invalid::ZeroMark),
            ServiceId::Address { .. } | ServiceId::Fwmark { .. } => Ok(()),
        }
    }

    /// Writes the attributes that identify the service.
    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.u16(AF, self.family().number());
        match *self {
            ServiceId::Address { ip, protocol, port } => {
                writer.u16(PROTOCOL, protocol.number());
                writer.address(ADDR, ip);
                writer.u16_be(PORT, port);
            }
            ServiceId::Fwmark { mark, .. } => writer.u32(FWMARK, mark),
        }
    }
}

/// Switches of a virtual service. What the three scheduler flags mean depends on the scheduler: for
/// `sh` and `mh` the first is "fallback" and the second "port".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceFlags {
    /// Connections of a client stay with its real server (IP_VS_SVC_F_PERSISTENT).
    pub persistent: bool,
    /// Every packet is scheduled on its own; UDP only (IP_VS_SVC_F_ONEPACKET).
    pub one_packet: bool,
    /// IP_VS_SVC_F_SCHED1.
    pub sched1: bool,
    /// IP_VS_SVC_F_SCHED2.
    pub sched2: bool,
    /// IP_VS_SVC_F_SCHED3.
    pub sched3: bool,
}

impl ServiceFlags {
    const PERSISTENT: u32 = 0x1;
    const ONE_PACKET: u32 = 0x4;
    const SCHED1: u32 = 0x8;
    const SCHED2: u32 = 0x10;
    const SCHED3: u32 = 0x20;

    fn bits(self) -> u32 {
        [
            (self.persistent, Self::PERSISTENT),
            (self.one_packet, Self::ONE_PACKET),
            (self.sched1, Self::SCHED1),
            (self.sched2, Self::SCHED2),
            (self.sched3, Self::SCHED3),
        ]
        .into_iter()
        .fold(0, |bits, (on, bit)| if on { bits | bit } else { bits })
    }

    fn from_bits(bits: u32) -> Self {
        Self {
            persistent: bits & Self::PERSISTENT != 0,
            one_packet: bits & Self::ONE_PACKET != 0,
            sched1: bits & Self::SCHED1 != 0,
            sched2: bits & Self::SCHED2 != 0,
            sched3: bits & Self::SCHED3 != 0,
        }
    }
}

/// Which clients count as one for persistence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Netmask {
    /// An IPv4 mask; all ones means every address is its own client.
    V4(Ipv4Addr),
    /// An IPv6 prefix length, 1 to 128.
    V6(u8),
}

impl Netmask {
    /// The longest IPv6 prefix.
    const V6_HOST: u8 = 128;

    /// The default: every address is a client of its own.
    pub fn host(family: Family) -> Self {
        match family {
            Family::V4 => Netmask::V4(Ipv4Addr::BROADCAST),
            Family::V6 => Netmask::V6(Self::V6_HOST),
        }
    }

    /// The family the mask applies to.
    pub fn family(self) -> Family {
        match self {
            Netmask::V4(_) => Family::V4,
            Netmask::V6(_) => Family::V6,
        }
    }
}

/// The mask as `-M` takes it: dotted for IPv4, a number for IPv6.
impl fmt::Display for Netmask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Netmask::V4(mask) => mask.fmt(f),
            Netmask::V6(prefix) => prefix.fmt(f),
        }
    }
}

/// A virtual service as configured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// Which service.
    pub id: ServiceId,
    /// The scheduler's name (`wlc`, `rr`, ...), 1 to [`NAME_BYTES`] bytes.
    pub scheduler: String,
    /// Switches.
    pub flags: ServiceFlags,
    /// Seconds a persistent client is remembered; has no effect without `flags.persistent`. Keep it
    /// at or below 2678400 (31 days), the most that ipvsadm takes: the kernel multiplies it by HZ.
    pub timeout: u32,
    /// Which clients count as one; must be of the service's family.
    pub netmask: Netmask,
    /// The persistence engine's name (`sip`), at most [`NAME_BYTES`] bytes; needs `flags.persistent`.
    pub pe_name: Option<String>,
}

impl Service {
    /// A service with nothing special: no persistence, no flags.
    pub fn new(id: ServiceId, scheduler: impl Into<String>) -> Self {
        Self {
            id,
            scheduler: scheduler.into(),
            flags: ServiceFlags::default(),
            timeout: 0,
            netmask: Netmask::host(id.family()),
            pe_name: None,
        }
    }

    /// Refuses what the kernel could not be told.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        self.id.check()?;
        check_name(&self.scheduler)?;
        self.pe_name.as_deref().map_or(Ok(()), check_name)?;
        if self.netmask.family() == self.id.family() {
            Ok(())
        } else {
            Err(Invalid::NetmaskFamily)
        }
    }

    /// Writes the whole service, in the order of ipvsadm.
    pub(crate) fn encode(&self, writer: &mut Writer) {
        self.id.encode(writer);
        writer.name(SCHED_NAME, &self.scheduler);
        if let Some(name) = &self.pe_name {
            writer.name(PE_NAME, name);
        }
        // struct ip_vs_flags { flags, mask }: the kernel keeps the bits outside the mask.
        let [flags, mask] = [self.flags.bits(), FLAGS_MASK].map(u32::to_ne_bytes);
        writer.bytes(FLAGS, &[flags, mask].concat());
        writer.u32(TIMEOUT, self.timeout);
        match self.netmask {
            Netmask::V4(mask) => writer.bytes(NETMASK, &mask.octets()),
            Netmask::V6(prefix) => writer.u32(NETMASK, prefix.into()),
        }
    }
}

/// Refuses names that do not fit the kernel's 16 bytes with NUL.
pub(crate) fn check_name(name: &str) -> Result<(), Invalid> {
    if name.is_empty() || name.len() > NAME_BYTES || name.contains('\0') {
        return Err(Invalid::Name {
            name: name.to_owned(),
        });
    }
    Ok(())
}

/// A virtual service as the kernel reports it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceStatus {
    /// The service.
    pub service: Service,
    /// Traffic since the service was added or zeroed.
    pub stats: Stats,
    /// Its real servers, ordered by address.
    pub destinations: Vec<DestinationStatus>,
}

impl ServiceStatus {
    /// Reads the attributes inside IPVS_CMD_ATTR_SERVICE; real servers arrive separately.
    pub(crate) fn decode(attributes: Attributes<'_>) -> Result<Self, DecodeError> {
        let mut found = Found::default();
        for attribute in attributes.clone() {
            let attribute = attribute?;
            match attribute.kind {
                PROTOCOL => {
                    let number = attribute.u16()?;
                    let known = Protocol::from_number(number);
                    found.protocol = Some(known.ok_or_else(|| attribute.unknown(number.into()))?);
                }
                PORT => found.port = Some(attribute.u16_be()?),
                FWMARK => found.mark = Some(attribute.u32()?),
                SCHED_NAME => found.scheduler = Some(attribute.name()?),
                PE_NAME => found.pe_name = Some(attribute.name()?).filter(|name| !name.is_empty()),
                FLAGS => {
                    let [a, b, c, d, _, _, _, _] = attribute.array()?;
                    found.flags = ServiceFlags::from_bits(u32::from_ne_bytes([a, b, c, d]));
                }
                TIMEOUT => found.timeout = attribute.u32()?,
                STATS => found.stats = Some(stats::decode_32(attribute)?),
                STATS64 => found.stats64 = Some(stats::decode_64(attribute)?),
                // AF, ADDR and NETMASK are read below; later kernels may add more.
                _ => {}
            }
        }
        found.finish(attributes)
    }
}

/// What one walk over the attributes gathered.
#[derive(Default)]
struct Found {
    protocol: Option<Protocol>,
    port: Option<u16>,
    mark: Option<u32>,
    scheduler: Option<String>,
    pe_name: Option<String>,
    flags: ServiceFlags,
    timeout: u32,
    stats: Option<Stats>,
    stats64: Option<Stats>,
}

impl Found {
    fn finish(self, attributes: Attributes<'_>) -> Result<ServiceStatus, DecodeError> {
        let missing = |what| DecodeError::Missing { list: LIST, what };
        let family = decode_family(&attributes)?;
        let id = if let Some(mark) = self.mark {
            ServiceId::Fwmark { family, mark }
        } else {
            ServiceId::Address {
                ip: attributes.clone().find(ADDR, "ADDR")?.address(family)?,
                protocol: self.protocol.ok_or(missing("PROTOCOL"))?,
                port: self.port.ok_or(missing("PORT"))?,
            }
        };
        let service = Service {
            id,
            scheduler: self.scheduler.ok_or(missing("SCHED_NAME"))?,
            flags: self.flags,
            timeout: self.timeout,
            netmask: decode_netmask(attributes, family)?,
            pe_name: self.pe_name,
        };
        let stats = self.stats64.or(self.stats).unwrap_or_default();
        Ok(ServiceStatus {
            service,
            stats,
            destinations: Vec::new(),
        })
    }
}

/// The name of this list in errors.
pub(crate) const LIST: &str = "service";

fn decode_family(attributes: &Attributes<'_>) -> Result<Family, DecodeError> {
    let attribute = attributes.clone().find(AF, "AF")?;
    let number = attribute.u16()?;
    Family::from_number(number).ok_or_else(|| attribute.unknown(number.into()))
}

fn decode_netmask(attributes: Attributes<'_>, family: Family) -> Result<Netmask, DecodeError> {
    let attribute = attributes.find(NETMASK, "NETMASK")?;
    match family {
        Family::V4 => Ok(Netmask::V4(Ipv4Addr::from(attribute.array::<4>()?))),
        Family::V6 => {
            let prefix = attribute.u32()?;
            let prefix = u8::try_from(prefix).map_err(|_| attribute.unknown(prefix))?;
            Ok(Netmask::V6(prefix))
        }
    }
}
