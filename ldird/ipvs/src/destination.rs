//! Real servers ("destinations" in the kernel): what they are, and how the kernel spells them.
//!
//! Owns the attributes inside IPVS_CMD_ATTR_DEST (IPVS_DEST_ATTR_* of linux/ip_vs.h). It does not
//! know which command a real server travels with.

use std::net::SocketAddr;

use crate::attributes::{Attribute, Attributes, DecodeError, Writer};
use crate::error::Invalid;
use crate::identity::{Family, ServiceId};
use crate::stats::{self, Stats};

#[cfg(test)]
pub(crate) mod tests;

const ADDR: u16 = 1;
const PORT: u16 = 2;
const FWD_METHOD: u16 = 3;
const WEIGHT: u16 = 4;
const U_THRESH: u16 = 5;
const L_THRESH: u16 = 6;
const ACTIVE_CONNS: u16 = 7;
const INACT_CONNS: u16 = 8;
const PERSIST_CONNS: u16 = 9;
const STATS: u16 = 10;
const ADDR_FAMILY: u16 = 11;
const STATS64: u16 = 12;
const TUN_TYPE: u16 = 13;
const TUN_PORT: u16 = 14;
const TUN_FLAGS: u16 = 15;

/// IP_VS_CONN_F_FWD_MASK: the bits of FWD_METHOD that name the method.
const FORWARDING_MASK: u32 = 0x7;

/// The largest weight: the kernel keeps a signed number and refuses negative ones.
pub const MAX_WEIGHT: u32 = i32::MAX.unsigned_abs();

/// How packets reach a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forwarding {
    /// Rewritten and back through the director (ipvsadm `-m`).
    Masq,
    /// To the director itself. The kernel reports it, nobody configures it.
    Local,
    /// Wrapped in another packet (ipvsadm `-i`); see [`Destination::tunnel`].
    Tunnel,
    /// Direct routing (ipvsadm `-g`, ldirectord `gate`).
    Route,
    /// Past the balancer to the original address; used by the kernel for caches.
    Bypass,
}

impl Forwarding {
    fn number(self) -> u32 {
        match self {
            Forwarding::Masq => 0,
            Forwarding::Local => 1,
            Forwarding::Tunnel => 2,
            Forwarding::Route => 3,
            Forwarding::Bypass => 4,
        }
    }

    fn decode(attribute: Attribute<'_>) -> Result<Self, DecodeError> {
        match attribute.u32()? & FORWARDING_MASK {
            0 => Ok(Forwarding::Masq),
            1 => Ok(Forwarding::Local),
            2 => Ok(Forwarding::Tunnel),
            3 => Ok(Forwarding::Route),
            4 => Ok(Forwarding::Bypass),
            other => Err(attribute.unknown(other)),
        }
    }
}

/// The wrapping of tunnelled packets. Kernels before 5.2 know only the first and ignore the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// IP in IP.
    #[default]
    Ipip,
    /// Generic UDP encapsulation.
    Gue {
        /// The UDP port at the real server; 0 is refused by the kernel.
        port: u16,
        /// Checksums of the outer packet.
        checksum: TunnelChecksum,
    },
    /// Generic routing encapsulation, kernels since 5.3.
    Gre {
        /// Checksums of the outer packet; the remote kind exists for GUE only.
        checksum: TunnelChecksum,
    },
}

/// Checksums of a tunnel's outer packet, kernels since 5.3.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TunnelChecksum {
    /// None (ipvsadm `--tun-nocsum`).
    #[default]
    None,
    /// Computed here (ipvsadm `--tun-csum`).
    Full,
    /// Offloaded to the far end (ipvsadm `--tun-remcsum`).
    Remote,
}

impl Tunnel {
    const IPIP: u8 = 0;
    const GUE: u8 = 1;
    const GRE: u8 = 2;

    fn encode(self, writer: &mut Writer) {
        let (kind, port, checksum) = match self {
            Tunnel::Ipip => (Self::IPIP, 0, TunnelChecksum::None),
            Tunnel::Gue { port, checksum } => (Self::GUE, port, checksum),
            Tunnel::Gre { checksum } => (Self::GRE, 0, checksum),
        };
        writer.u8(TUN_TYPE, kind);
        writer.u16_be(TUN_PORT, port);
        writer.u16(TUN_FLAGS, checksum.bits());
    }
}

impl TunnelChecksum {
    /// IP_VS_TUNNEL_ENCAP_FLAG_*.
    fn bits(self) -> u16 {
        match self {
            TunnelChecksum::None => 0,
            TunnelChecksum::Full => 1,
            TunnelChecksum::Remote => 2,
        }
    }

    fn decode(attribute: Attribute<'_>) -> Result<Self, DecodeError> {
        match attribute.u16()? {
            0 => Ok(TunnelChecksum::None),
            1 => Ok(TunnelChecksum::Full),
            2 => Ok(TunnelChecksum::Remote),
            other => Err(attribute.unknown(other.into())),
        }
    }
}

/// A real server as configured, within one virtual service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// Address and port: what makes it the same real server. Mark services usually have port 0, "as
    /// the client asked". An IPv6 scope cannot be expressed in IPVS and is dropped.
    pub address: SocketAddr,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// Its share of new connections, 0 to [`MAX_WEIGHT`]; 0 is quiesced: no new ones, old ones stay.
    pub weight: u32,
    /// At this many connections it gets no new ones; 0 is no limit.
    pub upper_threshold: u32,
    /// It gets new ones again below this many; 0 lets the kernel take three quarters of the upper.
    pub lower_threshold: u32,
    /// The wrapping; of use only if `forwarding` is [`Forwarding::Tunnel`], but the kernel keeps it
    /// with every other one, too.
    pub tunnel: Tunnel,
}

impl Destination {
    /// A real server without thresholds, tunnelled by IP in IP if at all.
    pub fn new(address: SocketAddr, forwarding: Forwarding, weight: u32) -> Self {
        Self {
            address,
            forwarding,
            weight,
            upper_threshold: 0,
            lower_threshold: 0,
            tunnel: Tunnel::Ipip,
        }
    }

    /// Refuses what the kernel could not be told.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        if self.weight > MAX_WEIGHT {
            Err(Invalid::Weight(self.weight))
        } else {
            Ok(())
        }
    }

    /// Writes the whole real server. Old kernels ignore the attributes that they do not know.
    pub(crate) fn encode(&self, writer: &mut Writer) {
        encode_address(self.address, writer);
        writer.u32(FWD_METHOD, self.forwarding.number());
        writer.u32(WEIGHT, self.weight);
        writer.u32(U_THRESH, self.upper_threshold);
        writer.u32(L_THRESH, self.lower_threshold);
        self.tunnel.encode(writer);
    }
}

/// Writes the attributes that identify a real server within its service.
pub(crate) fn encode_address(address: SocketAddr, writer: &mut Writer) {
    writer.u16(ADDR_FAMILY, Family::of(address.ip()).number());
    writer.address(ADDR, address.ip());
    writer.u16_be(PORT, address.port());
}

/// A real server as the kernel reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DestinationStatus {
    /// The real server.
    pub destination: Destination,
    /// Connections in an established state.
    pub active_connections: u32,
    /// Connections in any other state.
    pub inactive_connections: u32,
    /// Persistence templates: clients that are tied to it.
    pub persistent_connections: u32,
    /// Traffic since it was added or zeroed.
    pub stats: Stats,
}

impl DestinationStatus {
    /// Reads the attributes inside IPVS_CMD_ATTR_DEST, for a real server of `service`: kernels
    /// before 3.18 do not say the address family and mean the service's.
    pub(crate) fn decode(
        attributes: Attributes<'_>,
        service: &ServiceId,
    ) -> Result<Self, DecodeError> {
        let mut found = Found::default();
        for attribute in attributes.clone() {
            found.take(attribute?)?;
        }
        let missing = |what| DecodeError::Missing { list: LIST, what };
        let family = found.family.unwrap_or(service.family());
        let ip = attributes.find(ADDR, "ADDR")?.address(family)?;
        Ok(Self {
            destination: Destination {
                address: SocketAddr::new(ip, found.port.ok_or(missing("PORT"))?),
                forwarding: found.forwarding.ok_or(missing("FWD_METHOD"))?,
                weight: found.weight.ok_or(missing("WEIGHT"))?,
                upper_threshold: found.upper_threshold,
                lower_threshold: found.lower_threshold,
                tunnel: match found.tunnel {
                    Tunnel::IPIP => Tunnel::Ipip,
                    Tunnel::GUE => Tunnel::Gue {
                        port: found.tunnel_port,
                        checksum: found.checksum,
                    },
                    _ => Tunnel::Gre {
                        checksum: found.checksum,
                    },
                },
            },
            active_connections: found.active,
            inactive_connections: found.inactive,
            persistent_connections: found.persistent,
            stats: found.stats64.or(found.stats).unwrap_or_default(),
        })
    }
}

/// The name of this list in errors.
pub(crate) const LIST: &str = "real server";

/// What one walk over the attributes gathers.
#[derive(Default)]
struct Found {
    family: Option<Family>,
    port: Option<u16>,
    forwarding: Option<Forwarding>,
    weight: Option<u32>,
    upper_threshold: u32,
    lower_threshold: u32,
    active: u32,
    inactive: u32,
    persistent: u32,
    stats: Option<Stats>,
    stats64: Option<Stats>,
    tunnel: u8,
    tunnel_port: u16,
    checksum: TunnelChecksum,
}

impl Found {
    fn take(&mut self, attribute: Attribute<'_>) -> Result<(), DecodeError> {
        match attribute.kind {
            PORT => self.port = Some(attribute.u16_be()?),
            FWD_METHOD => self.forwarding = Some(Forwarding::decode(attribute)?),
            WEIGHT => self.weight = Some(attribute.u32()?),
            U_THRESH => self.upper_threshold = attribute.u32()?,
            L_THRESH => self.lower_threshold = attribute.u32()?,
            ACTIVE_CONNS => self.active = attribute.u32()?,
            INACT_CONNS => self.inactive = attribute.u32()?,
            PERSIST_CONNS => self.persistent = attribute.u32()?,
            STATS => self.stats = Some(stats::decode_32(attribute)?),
            STATS64 => self.stats64 = Some(stats::decode_64(attribute)?),
            ADDR_FAMILY => {
                let number = attribute.u16()?;
                let known = Family::from_number(number);
                self.family = Some(known.ok_or_else(|| attribute.unknown(number.into()))?);
            }
            TUN_TYPE => {
                self.tunnel = attribute.u8()?;
                if self.tunnel > Tunnel::GRE {
                    return Err(attribute.unknown(self.tunnel.into()));
                }
            }
            TUN_PORT => self.tunnel_port = attribute.u16_be()?,
            TUN_FLAGS => self.checksum = TunnelChecksum::decode(attribute)?,
            // ADDR is read when the family is known; later kernels may add more.
            _ => {}
        }
        Ok(())
    }
}
