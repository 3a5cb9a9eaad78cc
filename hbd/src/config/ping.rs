//! A ping node, as ha.cf names it: a host whose answers show that the network works (Heartbeat
//! specification 3.7).

use hbd_core::config::{NodeName, PingConfig};
use std::net::IpAddr;

/// A ping node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingSpec {
    /// In lower case, as of every node; of a host its name or address.
    pub name: NodeName,
    /// The directive that makes it.
    pub directive: &'static str,
    /// It answers if one of these does; at least one.
    pub hosts: Vec<PingHost>,
}

/// A host that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingHost {
    /// As it is written: a name or an address.
    pub name: String,
    /// `None` while the name does not resolve: the resolver may come late.
    pub ip: Option<IpAddr>,
    /// The `%scope` of a link-local address.
    pub interface: Option<String>,
}

impl PingSpec {
    /// As the core knows it.
    pub fn config(&self) -> PingConfig {
        PingConfig {
            name: self.name.clone(),
            medium: self.directive.to_owned(),
        }
    }

    /// Does it take ICMPv6?
    pub fn is_ipv6(&self) -> bool {
        self.directive == "ping6"
    }

    /// Names that do not resolve yet.
    pub fn unresolved(&self) -> impl Iterator<Item = &str> {
        let late = self.hosts.iter().filter(|host| host.ip.is_none());
        late.map(|host| host.name.as_str())
    }

    /// The name of a host is that of this address.
    pub fn resolve(&mut self, name: &str, ip: IpAddr) {
        for host in &mut self.hosts {
            if host.ip.is_none() && host.name == name {
                host.ip = Some(ip);
            }
        }
    }
}
