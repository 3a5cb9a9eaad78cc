//! Where the packets of a medium leave, from which address and to which one, as the kernel's tables
//! are at this moment. Pure.
//!
//! Heartbeats say with their source who speaks: an address that moves between nodes never is one,
//! whatever happens to the node's own. A kernel that has the source itself drops the packet, so
//! that a node which lent its voice to a virtual address would not be heard by the very node that
//! has taken it.

use crate::config::MediumSpec;
use crate::resources::view::{AddressRow, LinkRow, View, contains};
use ha_status::SendTrouble;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// If it changes, the outlet is opened anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) index: u32,
    /// The interface as it is called now.
    pub(super) device: String,
    /// Of this node alone.
    pub(super) source: IpAddr,
    pub(super) destination: SocketAddr,
}

/// Why a medium has no way now. All of them may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    Trouble(SendTrouble),
    /// A `ucast` line for the other nodes: it allows the same ha.cf everywhere.
    Ourselves,
}

impl From<SendTrouble> for Obstacle {
    fn from(trouble: SendTrouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// Finds the way. `known` is the index that the interface had before: one that has been renamed is
/// followed. `shared` are the addresses that move between nodes.
pub(super) fn find(
    medium: &MediumSpec,
    known: Option<u32>,
    view: &View,
    shared: &BTreeSet<IpAddr>,
) -> Result<Way, Obstacle> {
    let link = interface(medium.device(), known, view).ok_or(SendTrouble::NoInterface)?;
    let own = Own { view, shared };
    let (source, destination) = match medium {
        MediumSpec::Bcast { port, .. } => {
            let row = own
                .broadcasting(link.index)
                .ok_or(SendTrouble::NoBroadcast)?;
            let address = row.broadcast.ok_or(SendTrouble::NoBroadcast)?;
            (row.ip, (address, *port).into())
        }
        MediumSpec::Mcast { group, .. } => {
            let source = own.multicasting(link.index, group.ip());
            let source = source.ok_or(SendTrouble::NoSource)?;
            (source, scoped(*group, link.index))
        }
        MediumSpec::Ucast { peer, .. } => {
            let peer = peer.address().ok_or(SendTrouble::NoPeer)?;
            if view.has(link.index, peer.ip()) {
                return Err(Obstacle::Ourselves);
            }
            let source = own.source(link.index, peer.ip());
            let source = source.ok_or(SendTrouble::NoSource)?;
            (source, scoped(peer, link.index))
        }
        // No interface's.
        MediumSpec::Serial { .. } => return Err(SendTrouble::NoInterface.into()),
    };
    Ok(Way {
        index: link.index,
        device: link.name.clone(),
        source,
        destination,
    })
}

/// The interface of that name, or the one that had it.
pub(super) fn interface<'a>(name: &str, known: Option<u32>, view: &'a View) -> Option<&'a LinkRow> {
    match known {
        Some(index) => view.find(name, index),
        None => view.link_named(name),
    }
}

/// This node's own addresses.
struct Own<'a> {
    view: &'a View,
    shared: &'a BTreeSet<IpAddr>,
}

impl<'a> Own<'a> {
    fn rows(&self, link: u32) -> impl Iterator<Item = &'a AddressRow> {
        let shared = self.shared;
        self.view
            .addresses_of(link)
            .filter(move |row| !shared.contains(&row.ip))
    }

    /// The address whose network is broadcast to: the first without a label of its own, as
    /// `ifconfig eth0` shows it, else the first that has a broadcast address.
    fn broadcasting(&self, link: u32) -> Option<&'a AddressRow> {
        let rows = || self.rows(link).filter(|row| row.broadcast.is_some());
        let plain = |row: &&AddressRow| row.label.as_deref().is_none_or(|l| !l.contains(':'));
        rows().find(plain).or_else(|| rows().next())
    }

    /// The interface's first address of the group's family. To a group of this link alone only
    /// a link-local one speaks in IPv6, to wider ones only for want of another.
    fn multicasting(&self, link: u32, group: IpAddr) -> Option<IpAddr> {
        let here = move |row: &&AddressRow| row.ip.is_ipv4() == group.is_ipv4();
        let rows = || self.rows(link).filter(here);
        let narrow = move |row: &&AddressRow| is_link_local(row.ip) == is_link_wide(group);
        let row = rows().find(narrow).or_else(|| rows().next());
        row.map(|row| row.ip)
    }

    /// The interface's address in the peer's network, else its first one, else the first of another
    /// interface, as for one without a number of its own.
    fn source(&self, link: u32, peer: IpAddr) -> Option<IpAddr> {
        let fits = move |row: &&AddressRow| {
            row.ip.is_ipv4() == peer.is_ipv4() && is_link_local(row.ip) == is_link_local(peer)
        };
        let near = |row: &&AddressRow| contains(row.ip, row.prefix, peer);
        let here = || self.rows(link).filter(fits);
        let elsewhere = || {
            let shared = self.shared;
            let rows = self.view.addresses().iter().filter(fits);
            let mut rows = rows.filter(|row| !row.ip.is_loopback() && !is_link_local(row.ip));
            rows.find(|row| !shared.contains(&row.ip))
        };
        let row = here().find(near).or_else(|| here().next());
        row.or_else(elsewhere).map(|row| row.ip)
    }
}

/// Means something on one link only.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// A group that no router forwards (RFC 4291 section 2.7).
fn is_link_wide(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(_) => false,
        IpAddr::V6(group) => group.octets()[1] & 0x0f <= 2,
    }
}

/// A link-local IPv6 address, and any group, is complete only with its interface.
pub(super) fn scoped(peer: SocketAddr, index: u32) -> SocketAddr {
    match peer {
        SocketAddr::V6(mut peer)
            if peer.ip().is_unicast_link_local() || peer.ip().is_multicast() =>
        {
            peer.set_scope_id(index);
            SocketAddr::V6(peer)
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => peer,
    }
}

#[cfg(test)]
mod tests;
