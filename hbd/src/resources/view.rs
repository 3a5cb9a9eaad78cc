//! The kernel's tables of interfaces, addresses and networks at one moment, as far as they matter
//! to addresses and media. Plain data and questions about it; read by `kernel.rs`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// The `N` of labels `eth0:N`, by interface.
pub type LabelNumbers = BTreeMap<String, BTreeSet<u32>>;

/// The kernel's tables at one moment, as far as they matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    links: Vec<LinkRow>,
    addresses: Vec<AddressRow>,
    routes: Vec<RouteRow>,
    labels: LabelNumbers,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    pub index: u32,
    pub name: String,
    pub loopback: bool,
    /// Switched on by the administrator.
    pub up: bool,
    /// Is there somebody at the other end of the cable?
    pub carrier: bool,
    /// The hardware address if it is one that ARP can announce (Ethernet, ARP not switched off).
    pub mac: Option<[u8; 6]>,
}

#[cfg(test)]
impl LinkRow {
    /// An Ethernet card that works.
    pub fn sample(index: u32, name: &str) -> Self {
        Self {
            index,
            name: name.to_owned(),
            loopback: false,
            up: true,
            carrier: true,
            mac: Some([2, 0, 0, 0, 0, 1]),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressRow {
    pub link: u32,
    pub ip: IpAddr,
    pub prefix: u8,
    pub label: Option<String>,
    pub broadcast: Option<Ipv4Addr>,
    /// Behind another address of its network: goes with that one, unless the kernel promotes it.
    pub secondary: bool,
}

impl AddressRow {
    /// Are both of one network on one interface?
    pub fn is_neighbour(&self, other: &Self) -> bool {
        self.link == other.link
            && self.prefix == other.prefix
            && contains(self.ip, self.prefix, other.ip)
    }
}

/// A connected route: its network is reached without a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteRow {
    pub link: u32,
    pub network: IpAddr,
    pub prefix: u8,
}

impl View {
    /// The networks of the addresses are known to be connected; no route needs to say so.
    pub fn new(links: Vec<LinkRow>, addresses: Vec<AddressRow>) -> Self {
        let up = |row: &&AddressRow| {
            let link = links.iter().find(|link| link.index == row.link);
            link.is_some_and(|link| link.up) && row.prefix < width(row.ip)
        };
        let routes = addresses.iter().filter(up).map(|row| RouteRow {
            link: row.link,
            network: row.ip,
            prefix: row.prefix,
        });
        let routes = routes.collect();
        let mut labels = LabelNumbers::new();
        for row in &addresses {
            if let Some((device, number)) = row.label.as_deref().and_then(numbered) {
                labels.entry(device.to_owned()).or_default().insert(number);
            }
        }
        Self {
            links,
            addresses,
            routes,
            labels,
        }
    }

    pub fn link_named(&self, name: &str) -> Option<&LinkRow> {
        self.links.iter().find(|link| link.name == name)
    }

    pub fn link(&self, index: u32) -> Option<&LinkRow> {
        self.links.iter().find(|link| link.index == index)
    }

    /// The interface of that name, or the one with that index if it has been renamed.
    pub fn find(&self, name: &str, index: u32) -> Option<&LinkRow> {
        self.link_named(name).or_else(|| self.link(index))
    }

    /// In the kernel's order: of each network on an interface the primary address first.
    pub fn addresses(&self) -> &[AddressRow] {
        &self.addresses
    }

    /// Those of one interface.
    pub fn addresses_of(&self, link: u32) -> impl Iterator<Item = &AddressRow> {
        self.addresses.iter().filter(move |row| row.link == link)
    }

    /// The numbers of an interface's labels.
    pub(super) fn labels(&self, device: &str) -> Option<&BTreeSet<u32>> {
        self.labels.get(device)
    }

    /// Adds what the kernel's routing table says beyond the networks of the addresses.
    pub fn add_route(&mut self, route: RouteRow) {
        self.routes.push(route);
    }

    /// Does the interface have another address in the network of this one?
    pub fn shares_network(&self, one: &AddressRow) -> bool {
        let mut rows = self.addresses_of(one.link);
        rows.any(|row| row.ip != one.ip && one.is_neighbour(row))
    }

    /// Does the address stand on this interface?
    pub fn has(&self, link: u32, ip: IpAddr) -> bool {
        self.addresses_of(link).any(|row| row.ip == ip)
    }

    /// Where the address stands now: on the named interface, or on any that it can be meant for. A
    /// real server's copy of a virtual address, on the loopback or a tunnel, is not the resource.
    pub fn present<'a>(
        &'a self,
        ip: IpAddr,
        device: Option<&'a str>,
    ) -> impl Iterator<Item = &'a AddressRow> {
        let routed = self.connected(ip).map(|route| route.link);
        let meant = move |link: &LinkRow| match device {
            Some(device) => link.name == device,
            None => link.mac.is_some() || routed == Some(link.index),
        };
        self.addresses
            .iter()
            .filter(move |row| row.ip == ip)
            .filter(move |row| self.link(row.link).is_some_and(&meant))
    }

    /// The interface that is connected to the network of the address.
    pub fn device_towards(&self, ip: IpAddr) -> Option<&str> {
        let link = self.link(self.connected(ip)?.link)?;
        Some(&link.name)
    }

    /// Every interface with a hardware address: those by which a machine reaches others.
    pub fn network_devices(&self) -> impl Iterator<Item = &str> {
        let links = self.links.iter().filter(|link| link.mac.is_some());
        links.map(|link| link.name.as_str())
    }

    /// Is the address in a network that is reached without a gateway?
    pub fn is_connected(&self, ip: IpAddr) -> bool {
        self.connected(ip).is_some()
    }

    /// The longest connected route to the address, as the old `findif` chooses, the first of several.
    pub(super) fn connected(&self, ip: IpAddr) -> Option<&RouteRow> {
        self.routes
            .iter()
            .filter(|route| contains(route.network, route.prefix, ip))
            .filter(|route| self.link(route.link).is_some_and(|link| !link.loopback))
            .min_by_key(|route| Reverse(route.prefix))
    }
}

/// Bits of an address of this family.
pub(super) fn width(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Is the address in this network?
pub fn contains(network: IpAddr, prefix: u8, ip: IpAddr) -> bool {
    let differing = match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            (u32::from(network) ^ u32::from(ip)).leading_zeros()
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => {
            (u128::from(network) ^ u128::from(ip)).leading_zeros()
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    differing >= u32::from(prefix)
}

/// `eth0:3` as `("eth0", 3)`.
pub fn numbered(label: &str) -> Option<(&str, u32)> {
    let (device, number) = label.split_once(':')?;
    Some((device, number.parse().ok()?))
}
