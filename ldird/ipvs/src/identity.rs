//! What a virtual service is known by: address family, transport protocol, and address or mark.
//!
//! Types alone, of which everything else here speaks; how the kernel spells them is said in
//! `service`.

use std::cmp::Ordering;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// Longest name of a scheduler, persistence engine or interface, in bytes: the kernel keeps 16 with
/// the NUL (IP_VS_SCHEDNAME_MAXLEN, IP_VS_PENAME_MAXLEN, IP_VS_IFNAME_MAXLEN).
pub const NAME_BYTES: usize = 15;

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    pub(crate) fn number(self) -> u16 {
        match self {
            Family::V4 => AF_INET,
            Family::V6 => AF_INET6,
        }
    }

    pub(crate) fn from_number(number: u16) -> Option<Self> {
        match number {
            AF_INET => Some(Family::V4),
            AF_INET6 => Some(Family::V6),
            _ => None,
        }
    }
}

/// A transport protocol that IPVS balances; ordered by protocol number, as ipvsadm sorts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP, number 6.
    Tcp,
    /// UDP, number 17.
    Udp,
    /// SCTP, number 132.
    Sctp,
}

impl Protocol {
    pub(crate) fn number(self) -> u16 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Sctp => 132,
        }
    }

    pub(crate) fn from_number(number: u16) -> Option<Self> {
        match number {
            6 => Some(Protocol::Tcp),
            17 => Some(Protocol::Udp),
            132 => Some(Protocol::Sctp),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Sctp => "SCTP",
        })
    }
}

/// What makes a virtual service the same service. Ordered as ipvsadm lists: addresses before marks,
/// then by family, protocol, address and port, or by mark and family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServiceId {
    /// A virtual address and port.
    Address {
        /// The virtual address; decides the family.
        ip: IpAddr,
        /// The transport protocol.
        protocol: Protocol,
        /// The port; 0 means every port and works with persistence only.
        port: u16,
    },
    /// Whatever the firewall marked with this number.
    Fwmark {
        /// The family of the marked packets.
        family: Family,
        /// The mark; the kernel takes 0 for "no mark", so 0 is refused.
        mark: u32,
    },
}

impl ServiceId {
    /// A TCP service.
    pub fn tcp(ip: impl Into<IpAddr>, port: u16) -> Self {
        ServiceId::Address {
            ip: ip.into(),
            protocol: Protocol::Tcp,
            port,
        }
    }

    /// A UDP service.
    pub fn udp(ip: impl Into<IpAddr>, port: u16) -> Self {
        ServiceId::Address {
            ip: ip.into(),
            protocol: Protocol::Udp,
            port,
        }
    }

    /// The address family of the service.
    pub fn family(&self) -> Family {
        match self {
            ServiceId::Address { ip, .. } => Family::of(*ip),
            ServiceId::Fwmark { family, .. } => *family,
        }
    }

    fn rank(&self) -> (u32, Family, Option<(Protocol, IpAddr, u16)>) {
        match *self {
            ServiceId::Address { ip, protocol, port } => {
                (0, Family::of(ip), Some((protocol, ip, port)))
            }
            ServiceId::Fwmark { family, mark } => (mark, family, None),
        }
    }
}

impl Ord for ServiceId {
    fn cmp(&self, other: &Self) -> Ordering {
        // A mark of 0 equals no address: None sorts before Some, and no address has None.
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for ServiceId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// For messages: `TCP 192.0.2.1:80`, `FWM 5`, `FWM 5 IPv6`.
impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ServiceId::Address { ip, protocol, port } => {
                write!(f, "{protocol} {}", SocketAddr::new(ip, port))
            }
            ServiceId::Fwmark {
                family: Family::V4,
                mark,
            } => write!(f, "FWM {mark}"),
            ServiceId::Fwmark {
                family: Family::V6,
                mark,
            } => write!(f, "FWM {mark} IPv6"),
        }
    }
}
