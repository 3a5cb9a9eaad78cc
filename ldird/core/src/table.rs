//! The kernel's IPVS table as plain values, in the words of ipvsadm. Knows nothing of netlink: the
//! shell translates to and from `ldird-ipvs`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// Which virtual service. Ordered as a listing shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceKey {
    Address {
        protocol: Protocol,
        address: SocketAddr,
    },
    /// Firewall marks, never 0; `v6` chooses the family.
    Fwmark { mark: u32, v6: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

/// A virtual service's own attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    /// 1 to 15 bytes, e.g. `wlc`.
    pub scheduler: String,
    /// Seconds; `None` for no persistence.
    pub persistent: Option<u32>,
    /// Prefix length of the persistence mask: 32 (v4) or 128 (v6) for single clients.
    pub netmask: u8,
    pub one_packet: bool,
    /// The kernel's scheduler flags 1, 2, 3.
    pub scheduler_flags: [bool; 3],
    /// The persistence engine, e.g. `sip`. Where the file says nothing it is somebody else's setting.
    pub pe: Option<String>,
}

impl ServiceSpec {
    /// Takes over from what the kernel holds whatever the file says nothing about, unless it said so
    /// before: `was` is what we last made of it.
    pub fn keep(&mut self, is: &Self, was: Option<&Self>) {
        if self.is_silent() && was.is_none_or(Self::is_silent) {
            self.pe.clone_from(&is.pe);
        }
    }

    /// Without what `said`, or nobody, says nothing about.
    pub(crate) fn unless_silent(&self, said: Option<&Self>) -> Self {
        let mut spec = self.clone();
        if said.is_none_or(Self::is_silent) {
            spec.pe = None;
        }
        spec
    }

    fn is_silent(&self) -> bool {
        self.pe.is_none()
    }
}

/// Identity of a destination inside its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationKey {
    pub address: IpAddr,
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationSpec {
    pub forwarding: Forwarding,
    /// 0 ..= 2³¹−1; 0 takes no new connections.
    pub weight: u32,
    /// Upper and lower connection threshold, 0 for none.
    pub upper: u32,
    pub lower: u32,
    /// The wrapping, of meaning for `Ipip` only; IP in IP where the file says nothing, as for `pe`.
    pub tunnel: Tunnel,
}

impl DestinationSpec {
    /// Takes over from what the kernel holds whatever the file says nothing about, unless it said so
    /// before: `was` is what we last made of it.
    ///
    /// A destination that the kernel shows as local keeps that word: it stands for any forwarding
    /// method when the address is the director's own.
    pub fn keep(&mut self, is: &Self, was: Option<&Self>) {
        if is.forwarding == Forwarding::Local {
            self.forwarding = Forwarding::Local;
        }
        let same = is.forwarding == self.forwarding;
        if same && self.is_silent() && was.is_none_or(Self::is_silent) {
            self.tunnel = is.tunnel;
        }
    }

    /// Without what `said`, or nobody, says nothing about.
    pub(crate) fn unless_silent(&self, said: Option<&Self>) -> Self {
        let mut spec = self.clone();
        if said.is_none_or(Self::is_silent) {
            spec.tunnel = Tunnel::Ipip;
        }
        spec
    }

    fn is_silent(&self) -> bool {
        self.tunnel == Tunnel::Ipip
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forwarding {
    Gate,
    Masq,
    Ipip,
    /// The kernel's word for a destination that is an address of this machine; equal to any
    /// configured method for such an address.
    Local,
}

/// How tunnelled packets are wrapped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tunnel {
    #[default]
    Ipip,
    /// The UDP port is the real server's, never 0.
    Gue {
        port: u16,
        checksum: TunnelChecksum,
    },
    Gre {
        checksum: TunnelChecksum,
    },
}

/// Checksums of the outer packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TunnelChecksum {
    #[default]
    None,
    Full,
    /// Offloaded to the far end.
    Remote,
}

/// What a service holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub spec: ServiceSpec,
    pub destinations: BTreeMap<DestinationKey, DestinationSpec>,
}

/// A whole table.
pub type Table = BTreeMap<ServiceKey, Service>;

/// One change of the kernel's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    AddService(ServiceKey, ServiceSpec),
    EditService(ServiceKey, ServiceSpec),
    DeleteService(ServiceKey),
    AddDestination(ServiceKey, DestinationKey, DestinationSpec),
    EditDestination(ServiceKey, DestinationKey, DestinationSpec),
    DeleteDestination(ServiceKey, DestinationKey),
}

impl Edit {
    /// The service that it is about.
    pub fn service(&self) -> ServiceKey {
        match self {
            Self::AddService(key, _)
            | Self::EditService(key, _)
            | Self::DeleteService(key)
            | Self::AddDestination(key, ..)
            | Self::EditDestination(key, ..)
            | Self::DeleteDestination(key, _) => *key,
        }
    }

    /// An edit of what the kernel holds takes over whatever the file says nothing about.
    pub fn keep(&mut self, held: &Service) {
        match self {
            Self::EditService(_, spec) => spec.keep(&held.spec, None),
            Self::EditDestination(_, row, spec) => {
                if let Some(is) = held.destinations.get(row) {
                    spec.keep(is, None);
                }
            }
            Self::AddService(..)
            | Self::DeleteService(_)
            | Self::AddDestination(..)
            | Self::DeleteDestination(..) => {}
        }
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// The original's identity string: `tcp:10.0.0.100:80`, `fwm:5`, `fwm6:5`.
impl std::fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address { protocol, address } => write!(f, "{protocol}:{address}"),
            Self::Fwmark { mark, v6: false } => write!(f, "fwm:{mark}"),
            Self::Fwmark { mark, v6: true } => write!(f, "fwm6:{mark}"),
        }
    }
}

/// `10.0.0.1:80`, `[2001:db8::1]:80`.
impl std::fmt::Display for DestinationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}

/// The file's words; the kernel's `Local` has none there.
impl std::fmt::Display for Forwarding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Gate => "gate",
            Self::Masq => "masq",
            Self::Ipip => "ipip",
            Self::Local => "local",
        })
    }
}
