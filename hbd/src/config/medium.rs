//! A way for heartbeats to travel, as ha.cf names it.

use hbd_core::config::LinkConfig;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediumSpec {
    /// UDP broadcast on an interface.
    Bcast { interface: String, port: u16 },
    /// UDP multicast on an interface, of either family.
    Mcast {
        interface: String,
        /// The group's address and port.
        group: SocketAddr,
        /// Routers that a packet may pass, and one; 0 to 4, where 0 keeps it on this machine.
        hops: u8,
        /// Does this node hear itself?
        loopback: bool,
    },
    /// UDP to one peer, of either family; the local port is the same.
    Ucast { interface: String, peer: Peer },
    /// A serial line, a null-modem cable to one node; bits per second.
    Serial { device: String, baud: u32 },
}

/// The other end of a unicast medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// As it is written: a name or an address.
    pub name: String,
    /// `None` while the name does not resolve: the resolver may come late.
    pub ip: Option<IpAddr>,
    pub port: u16,
}

impl Peer {
    /// Where packets go, if that is known.
    pub fn address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.ip?, self.port))
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self {
            name: address.ip().to_string(),
            ip: Some(address.ip()),
            port: address.port(),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Some(address) => write!(f, "{address}"),
            None => write!(f, "{}:{}", self.name, self.port),
        }
    }
}

impl MediumSpec {
    /// The directive that makes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bcast { .. } => "bcast",
            Self::Mcast { group, .. } if group.is_ipv6() => "mcast6",
            Self::Mcast { .. } => "mcast",
            // Names are asked for IPv4 addresses only.
            Self::Ucast { peer, .. } if peer.ip.is_some_and(|ip| ip.is_ipv6()) => "ucast6",
            Self::Ucast { .. } => "ucast",
            Self::Serial { .. } => "serial",
        }
    }

    /// The interface or the tty it uses.
    pub fn device(&self) -> &str {
        match self {
            Self::Bcast { interface, .. }
            | Self::Mcast { interface, .. }
            | Self::Ucast { interface, .. } => interface,
            Self::Serial { device, .. } => device,
        }
    }

    /// The one node that it reaches, if that is known here.
    pub fn peer(&self) -> Option<IpAddr> {
        match self {
            Self::Bcast { .. } | Self::Mcast { .. } | Self::Serial { .. } => None,
            Self::Ucast { peer, .. } => peer.ip.filter(|ip| !ip.is_unspecified()),
        }
    }

    /// The name of its peer, if that does not resolve yet.
    pub fn unresolved(&self) -> Option<&str> {
        match self {
            Self::Ucast { peer, .. } if peer.ip.is_none() => Some(&peer.name),
            Self::Bcast { .. } | Self::Mcast { .. } | Self::Ucast { .. } | Self::Serial { .. } => {
                None
            }
        }
    }

    /// The name of its peer is that of this address.
    pub fn resolve(&mut self, name: &str, ip: IpAddr) {
        match self {
            Self::Ucast { peer, .. } if peer.ip.is_none() && peer.name == name => {
                peer.ip = Some(ip);
            }
            Self::Bcast { .. } | Self::Mcast { .. } | Self::Ucast { .. } | Self::Serial { .. } => {}
        }
    }

    /// As the core knows it.
    pub fn link(&self) -> LinkConfig {
        LinkConfig {
            medium: self.name().to_owned(),
            device: self.device().to_owned(),
            passes_on: matches!(self, Self::Serial { .. }),
        }
    }
}
