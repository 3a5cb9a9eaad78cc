//! Rows of the kernel's tables as rtnetlink's messages, and back.

use crate::resources::address::Placement;
use crate::resources::view::{AddressRow, LinkRow, RouteRow};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope, CacheInfo,
};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteType,
};
use std::net::IpAddr;
use std::time::Duration;

/// An address that leaves by itself: the kernel counts whole seconds. One of IPv6 leaves the route to its
/// network alone, which would get the same life, and may be there for others.
pub(super) fn fleeting(placement: &Placement, life: Duration) -> AddressMessage {
    let mut message = message(placement);
    let seconds = u32::try_from(life.as_secs()).unwrap_or(u32::MAX);
    let mut info = CacheInfo::default();
    (info.ifa_preferred, info.ifa_valid) = (seconds, seconds);
    message.attributes.push(AddressAttribute::CacheInfo(info));
    if placement.ip.is_ipv6() {
        let flags = AddressFlags::Nodad | AddressFlags::Noprefixroute;
        message.attributes.push(AddressAttribute::Flags(flags));
    }
    message
}

pub(super) fn message(placement: &Placement) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(placement.ip);
    message.header.prefix_len = placement.prefix;
    message.header.index = placement.link;
    message.header.scope = if placement.ip.is_loopback() {
        AddressScope::Host
    } else {
        AddressScope::Universe
    };
    // Duplicate detection would hold the address back for a second; whoever had it is known dead
    // or has let go.
    if placement.ip.is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    let attributes = &mut message.attributes;
    attributes.push(AddressAttribute::Local(placement.ip));
    attributes.push(AddressAttribute::Address(placement.ip));
    attributes.extend(placement.broadcast.map(AddressAttribute::Broadcast));
    attributes.extend(placement.label.clone().map(AddressAttribute::Label));
    message
}

pub(super) fn deletion(row: &AddressRow) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(row.ip);
    message.header.prefix_len = row.prefix;
    message.header.index = row.link;
    message.attributes.push(AddressAttribute::Local(row.ip));
    message
}

fn family(ip: IpAddr) -> AddressFamily {
    match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

pub(super) fn link_row(message: &LinkMessage) -> Option<LinkRow> {
    let name = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        })?;
    let hardware = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Address(bytes) => <[u8; 6]>::try_from(bytes.as_slice()).ok(),
            _ => None,
        });
    let flags = message.header.flags;
    let announces =
        message.header.link_layer_type == LinkLayerType::Ether && !flags.contains(LinkFlags::Noarp);
    Some(LinkRow {
        index: message.header.index,
        name,
        loopback: flags.contains(LinkFlags::Loopback),
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
        mac: hardware.filter(|_| announces),
    })
}

/// The interface's own address: `IFA_LOCAL`, or `IFA_ADDRESS` for IPv6, which has no local one.
pub(super) fn local_address(message: &AddressMessage) -> Option<IpAddr> {
    let find =
        |want: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(want);
    find(|attribute| match attribute {
        AddressAttribute::Local(ip) => Some(*ip),
        _ => None,
    })
    .or_else(|| {
        find(|attribute| match attribute {
            AddressAttribute::Address(ip) => Some(*ip),
            _ => None,
        })
    })
}

pub(super) fn address_row(message: &AddressMessage) -> Option<AddressRow> {
    let mut row = AddressRow {
        link: message.header.index,
        ip: local_address(message)?,
        prefix: message.header.prefix_len,
        label: None,
        broadcast: None,
        secondary: message.header.flags.contains(AddressHeaderFlags::Secondary),
    };
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Label(label) => row.label = Some(label.clone()),
            AddressAttribute::Broadcast(broadcast) => row.broadcast = Some(*broadcast),
            _ => {}
        }
    }
    Some(row)
}

/// Asks for the entry of the routing tables that leads to one address, and not for the way a packet
/// would take, which names no network.
pub(super) fn route_request(ip: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    let (family, width, address) = match ip {
        IpAddr::V4(ip) => (AddressFamily::Inet, 32, RouteAddress::Inet(ip)),
        IpAddr::V6(ip) => (AddressFamily::Inet6, 128, RouteAddress::Inet6(ip)),
    };
    message.header.address_family = family;
    message.header.destination_prefix_length = width;
    message.header.flags = RouteFlags::FibMatch;
    message
        .attributes
        .push(RouteAttribute::Destination(address));
    message
}

/// A route without a gateway: to a network, or to an address of the machine itself.
pub(super) fn route_row(message: &RouteMessage) -> Option<RouteRow> {
    let header = &message.header;
    if !matches!(header.kind, RouteType::Unicast | RouteType::Local) {
        return None;
    }
    let mut network = None;
    let mut link = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Gateway(_) | RouteAttribute::Via(_) | RouteAttribute::MultiPath(_) => {
                return None;
            }
            RouteAttribute::Destination(RouteAddress::Inet(ip)) => network = Some(IpAddr::V4(*ip)),
            RouteAttribute::Destination(RouteAddress::Inet6(ip)) => network = Some(IpAddr::V6(*ip)),
            RouteAttribute::Oif(index) => link = Some(*index),
            _ => {}
        }
    }
    Some(RouteRow {
        link: link?,
        network: network?,
        prefix: header.destination_prefix_length,
    })
}
