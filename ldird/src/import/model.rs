//! What an import understands of keepalived's balancing: virtual servers, their real servers, and how
//! each is checked.

use super::report::Place;
use std::net::IpAddr;

/// Where a virtual server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Head {
    /// As written: an address (or a name), and a port, 0 for every port.
    Address(String, u16),
    Mark(u32),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Virtual {
    pub(super) place: Place,
    /// Several for a `virtual_server_group`.
    pub(super) heads: Vec<Head>,
    /// The group's name.
    pub(super) name: Option<String>,
    pub(super) scheduler: Option<String>,
    pub(super) flags: Vec<&'static str>,
    pub(super) way: Way,
    pub(super) persistent: Option<u32>,
    pub(super) netmask: Option<String>,
    pub(super) engine: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) one_packet: bool,
    pub(super) v6: Option<bool>,
    pub(super) virtualhost: Option<String>,
    pub(super) fallback: Option<(String, u16, Option<Way>)>,
    pub(super) reals: Vec<Real>,
    pub(super) defaults: Defaults,
}

/// How packets reach a real server, and the wrapping of tunnels in ldirectord.cf's words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) method: Method,
    /// `gue 6080 csum`.
    pub(super) tunnel: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Method {
    #[default]
    Masq,
    Gate,
    Ipip,
}

impl Method {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Masq => "masq",
            Self::Gate => "gate",
            Self::Ipip => "ipip",
        }
    }
}

/// What a virtual server, a real server or a check may say and the next inner one inherits.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Defaults {
    pub(super) interval: Option<f64>,
    pub(super) retries: Option<u32>,
    pub(super) timeout: Option<f64>,
    pub(super) inhibit: bool,
    pub(super) weight: Option<u32>,
}

impl Defaults {
    /// What holds inside, where `inner` says nothing.
    pub(super) fn inherited(&self, inner: &Self) -> Self {
        Self {
            interval: inner.interval.or(self.interval),
            retries: inner.retries.or(self.retries),
            timeout: inner.timeout.or(self.timeout),
            inhibit: inner.inhibit || self.inhibit,
            weight: inner.weight.or(self.weight),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Real {
    pub(super) place: Place,
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) way: Option<Way>,
    pub(super) virtualhost: Option<String>,
    pub(super) upper: u32,
    pub(super) lower: u32,
    pub(super) checks: Vec<Check>,
    pub(super) defaults: Defaults,
}

impl Real {
    pub(super) fn is_v6(&self) -> bool {
        is_v6(&self.address)
    }
}

pub(super) fn is_v6(address: &str) -> bool {
    matches!(address.parse(), Ok(IpAddr::V6(_)))
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Check {
    pub(super) place: Place,
    pub(super) kind: Kind,
    pub(super) port: Option<u16>,
    pub(super) defaults: Defaults,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Tcp,
    Http {
        tls: bool,
        request: String,
        receive: Option<String>,
        virtualhost: Option<String>,
    },
    Misc(String),
    Smtp,
    Dns(String),
    Ping,
    /// Nothing: a real server without any check is up.
    Nothing,
}

impl Kind {
    /// The same but for what may differ from real server to real server of one section.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match self {
            Self::Http {
                tls, virtualhost, ..
            } => matches!(other, Self::Http { tls: other, virtualhost: host, .. }
                if (tls, virtualhost) == (other, host)),
            // One script asks for each of them what its own command was.
            Self::Misc(_) => matches!(other, Self::Misc(_)),
            Self::Tcp | Self::Smtp | Self::Dns(_) | Self::Ping | Self::Nothing => self == other,
        }
    }
}
