//! Addresses as resources: the argument that IPaddr and IPaddr2 take, and the decision where and
//! how such an address is to be put (Heartbeat specification 1.7 and 6.3).
//!
//! Pure: words and a view of the kernel's tables in, a placement out. The tables themselves are
//! read and changed by `kernel.rs`.

use super::view::{AddressRow, LabelNumbers, View, width};
use hbd_core::config::GroupConfig;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use thiserror::Error;

/// Longest interface name and address label without the NUL (IFNAMSIZ - 1).
const NAME_MAX_BYTES: usize = 15;
/// Labels `eth0:0` to `eth0:4095` are tried.
const LABELS_MAX: u32 = 4096;

/// What a resource word asks for: `ip[/mask[/iface[:label]][/broadcast]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressSpec {
    pub ip: IpAddr,
    /// Prefix length; of the matching connected route when absent.
    pub prefix: Option<u8>,
    /// Interface; that of the matching connected route when absent.
    pub device: Option<String>,
    /// Written as `eth0:vip` or `eth0:0`.
    pub label: Option<String>,
    pub broadcast: Option<Ipv4Addr>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    #[error("{0:?} is not an IP address")]
    Address(String),
    #[error("{0:?} is not a netmask for this address")]
    Mask(String),
    #[error("{0:?} is not a name of an interface")]
    Device(String),
    #[error("{0:?} is not a broadcast address")]
    Broadcast(String),
    #[error("{0:?}: more parts than address, mask, interface and broadcast")]
    TooManyParts(String),
    #[error("an address is needed")]
    Missing,
    #[error("there is no interface {0:?}")]
    NoDevice(String),
    #[error("interface {0} is switched off: ip link set {0} up")]
    Off(String),
    #[error("no interface is connected to the network of {0}; name one: {0}/24/eth0")]
    NoRoute(IpAddr),
}

impl AddressSpec {
    /// Reads the arguments of `IPaddr` or `IPaddr2`. Only the first one means something; the old
    /// scripts ignore the rest, too.
    pub fn parse(args: &[String]) -> Result<Self, AddressError> {
        let word = args.first().ok_or(AddressError::Missing)?;
        let (ip, rest) = word.split_once('/').unwrap_or((word, ""));
        // Empty parts collapse, as ever: `10.0.0.1//24/eth0` is `10.0.0.1/24/eth0`.
        let mut parts = rest.split('/').filter(|part| !part.is_empty());
        let ip = ip
            .parse()
            .map_err(|_| AddressError::Address(ip.to_owned()))?;
        let mut spec = Self {
            ip,
            prefix: None,
            device: None,
            label: None,
            broadcast: None,
        };
        if let Some(mask) = parts.next() {
            spec.prefix = Some(prefix_of_mask(mask, ip)?);
        }
        let Some(third) = parts.next() else {
            return Ok(spec);
        };
        // A third part that begins with a digit is the broadcast address.
        if third.starts_with(|c: char| c.is_ascii_digit()) {
            spec.broadcast = Some(parse_broadcast(third)?);
        } else {
            let (device, label) = parse_device(third)?;
            spec.device = Some(device);
            spec.label = label;
            if let Some(fourth) = parts.next() {
                spec.broadcast = Some(parse_broadcast(fourth)?);
            }
        }
        match parts.next() {
            Some(_) => Err(AddressError::TooManyParts(word.clone())),
            None => Ok(spec),
        }
    }
}

/// `24` or `255.255.255.0`.
fn prefix_of_mask(mask: &str, ip: IpAddr) -> Result<u8, AddressError> {
    let bad = || AddressError::Mask(mask.to_owned());
    let prefix = match (mask.parse::<Ipv4Addr>(), ip) {
        (Ok(dotted), IpAddr::V4(_)) => {
            let bits = u32::from(dotted);
            let prefix = bits.leading_ones();
            if prefix + bits.trailing_zeros() < u32::BITS {
                return Err(bad());
            }
            u8::try_from(prefix).map_err(|_| bad())?
        }
        (Ok(_), IpAddr::V6(_)) => return Err(bad()),
        (Err(_), _) => mask.parse().map_err(|_| bad())?,
    };
    if prefix <= width(ip) {
        Ok(prefix)
    } else {
        Err(bad())
    }
}

fn parse_broadcast(word: &str) -> Result<Ipv4Addr, AddressError> {
    word.parse()
        .map_err(|_| AddressError::Broadcast(word.to_owned()))
}

/// `eth0` or `eth0:label`: the device, and the whole word as label.
fn parse_device(word: &str) -> Result<(String, Option<String>), AddressError> {
    let bad = || AddressError::Device(word.to_owned());
    let (device, label) = match word.split_once(':') {
        Some((device, "")) => (device, None),
        Some((device, _)) => (device, Some(word.to_owned())),
        None => (word, None),
    };
    let fits = |name: &str| {
        !name.is_empty()
            && name.len() <= NAME_MAX_BYTES
            && !name.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    if fits(device) && label.as_deref().is_none_or(fits) {
        Ok((device.to_owned(), label))
    } else {
        Err(bad())
    }
}

/// Every address that some group of the cluster moves between nodes, whoever puts it. None of them
/// is a node's own.
pub fn virtual_addresses(groups: &[GroupConfig]) -> BTreeSet<IpAddr> {
    const SCRIPTS: [&str; 3] = ["IPaddr", "IPaddr2", "IPv6addr"];
    let resources = groups.iter().flat_map(|group| &group.resources);
    resources
        .filter(|resource| SCRIPTS.contains(&resource.script.as_str()))
        .filter_map(|resource| AddressSpec::parse(&resource.args).ok())
        .map(|spec| spec.ip)
        .collect()
}

/// An address as it is put on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pub ip: IpAddr,
    pub prefix: u8,
    pub link: u32,
    pub device: String,
    pub label: Option<String>,
    pub broadcast: Option<Ipv4Addr>,
}

impl Placement {
    /// As the kernel shows it.
    pub fn row(&self) -> AddressRow {
        AddressRow {
            link: self.link,
            ip: self.ip,
            prefix: self.prefix,
            label: self.label.clone(),
            broadcast: self.broadcast,
            secondary: false,
        }
    }
}

/// Whether an address without a written label gets the next free `eth0:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    /// As IPaddr did: `ifconfig` shows it as an interface of its own.
    Numbered,
    /// As IPaddr2 did: only a label that is written out.
    Written,
}

/// Decides where the address goes, on an interface that is switched on. An address that is there already
/// stays as it is. `promised` are
/// labels given out to addresses that are not in the view yet; a numbered label joins them.
pub fn place(
    spec: &AddressSpec,
    labels: Labels,
    view: &View,
    promised: &mut LabelNumbers,
) -> Result<Placement, AddressError> {
    let route = view.connected(spec.ip);
    let link = match &spec.device {
        Some(name) => view
            .link_named(name)
            .ok_or_else(|| AddressError::NoDevice(name.clone()))?,
        None => route
            .and_then(|route| view.link(route.link))
            .ok_or(AddressError::NoRoute(spec.ip))?,
    };
    // The kernel would put it all the same, and nobody could reach it.
    if !link.up {
        return Err(AddressError::Off(link.name.clone()));
    }
    let mut present = view.present(spec.ip, spec.device.as_deref());
    if let Some(row) = present.find(|row| row.link == link.index) {
        return Ok(Placement {
            ip: row.ip,
            prefix: row.prefix,
            link: link.index,
            device: link.name.clone(),
            label: row.label.clone(),
            broadcast: row.broadcast,
        });
    }
    let prefix = spec
        .prefix
        .or(route
            .filter(|route| route.link == link.index)
            .map(|route| route.prefix))
        .unwrap_or(width(spec.ip));
    let label = match (&spec.label, labels, spec.ip) {
        (Some(label), _, IpAddr::V4(_)) => Some(label.clone()),
        (None, Labels::Numbered, IpAddr::V4(_)) => free_label(&link.name, view, promised),
        // IPv6 addresses carry no label.
        (None, Labels::Written, _) | (_, _, IpAddr::V6(_)) => None,
    };
    Ok(Placement {
        ip: spec.ip,
        prefix,
        link: link.index,
        device: link.name.clone(),
        label,
        broadcast: spec.broadcast.or_else(|| usual_broadcast(spec.ip, prefix)),
    })
}

/// The first of `eth0:0`, `eth0:1`, … that nobody has; none if it would be too long.
fn free_label(device: &str, view: &View, promised: &mut LabelNumbers) -> Option<String> {
    let taken = view.labels(device);
    let promised = promised.entry(device.to_owned()).or_default();
    let number = (0..LABELS_MAX).find(|number| {
        !promised.contains(number) && taken.is_none_or(|taken| !taken.contains(number))
    })?;
    let label = format!("{device}:{number}");
    (label.len() <= NAME_MAX_BYTES).then(|| {
        promised.insert(number);
        label
    })
}

/// The network's last address; none for point-to-point networks (RFC 3021).
fn usual_broadcast(ip: IpAddr, prefix: u8) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) if prefix < 31 => Some(Ipv4Addr::from(u32::from(ip) | (u32::MAX >> prefix))),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests;
