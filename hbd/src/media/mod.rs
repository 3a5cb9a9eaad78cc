//! How heartbeats travel: every message goes out on every medium, and whatever arrives is checked
//! and becomes an input (Heartbeat specification 3.1). One file per medium: `bcast.rs`, `ucast.rs`.
//!
//! Owns the sockets. Sending never blocks: what the kernel does not take at once is lost on that
//! link, as on a cable, and the link is marked as not working until a send succeeds. When an
//! interface vanishes, returns or changes its address, its sockets are opened anew.

mod bcast;
mod receiver;
mod ucast;

use crate::config::MediumSpec;
use crate::resources::address::View;
use hbd_core::config::LinkId;
use hbd_core::input::Input;
use hbd_core::wire::Keys;
use receiver::{Place, Receiver};

pub use receiver::Deaf;
use socket2::{SockAddr, Socket};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

/// Datagrams that are taken from one socket in one turn of the loop. More than its buffer holds:
/// after a stall the whole queue is heard before any deadline is judged. Less than for ever: a
/// flood of garbage must not keep our own heartbeats from leaving.
const TURN_DATAGRAMS: usize = 1024;
/// Receive buffer of a socket, bytes (the kernel doubles it). At some 700 bytes that a heartbeat
/// takes there, fewer than `TURN_DATAGRAMS` fit.
const RECEIVE_BUFFER_BYTES: usize = 256 * 1024;

/// The node's media.
pub struct Media {
    links: Vec<Link>,
    receivers: Vec<Receiver>,
    /// What happened to links since it was last asked for.
    changes: Vec<Input>,
    /// Something is closed although its interface is there.
    unfinished: bool,
}

/// A datagram, as the core hears it, and where it came from.
#[derive(Debug)]
pub struct Heard {
    pub from: Option<IpAddr>,
    pub input: Input,
}

/// The sending side of one medium.
struct Link {
    medium: MediumSpec,
    /// Closed while its interface is missing or has no usable address.
    open: Option<Outlet>,
    working: bool,
}

struct Outlet {
    socket: Socket,
    destination: SockAddr,
    /// `MSG_DONTROUTE` for broadcasts: they belong on this wire, whatever the routing table says.
    flags: i32,
}

/// What sockets of an interface depend on: if it changes, they are opened anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Device {
    index: u32,
    broadcast: Option<Ipv4Addr>,
}

impl Device {
    /// The interface as it is now, with the broadcast address of its first network.
    fn find(view: &View, name: &str) -> Option<Self> {
        let index = view.link_named(name)?.index;
        let broadcast = view.broadcast(index);
        Some(Self { index, broadcast })
    }
}

impl Media {
    /// Opens what can be opened. A missing interface is told, not fatal: a cable may come later. An
    /// interface that cannot be listened on is: a deaf node would believe every peer dead.
    pub fn open(media: Vec<MediumSpec>, view: &View) -> Result<(Self, Vec<String>), Deaf> {
        let links = media
            .into_iter()
            .map(|medium| Link {
                medium,
                open: None,
                working: true,
            })
            .collect();
        let mut media = Self {
            links,
            receivers: Vec::new(),
            changes: Vec::new(),
            unfinished: false,
        };
        media.receivers = media.wanted_receivers();
        let problems = media.update(view);
        match media.receivers.iter().find_map(Receiver::deaf) {
            Some(deaf) => Err(deaf),
            None => Ok((media, problems)),
        }
    }

    /// Compares the interfaces with what the sockets were opened for, and opens anew what differs.
    pub fn update(&mut self, view: &View) -> Vec<String> {
        let mut problems = Vec::new();
        let mut reopened = BTreeMap::new();
        for receiver in &mut self.receivers {
            let device = Device::find(view, receiver.device());
            let before = receiver.deaf();
            let changed = receiver.update(device);
            *reopened
                .entry(receiver.device().to_owned())
                .or_insert(false) |= changed;
            match receiver.deaf() {
                Some(deaf) if before.as_ref() != Some(&deaf) => problems.push(deaf.to_string()),
                Some(_) | None => {}
            }
        }
        for (index, link) in self.links.iter_mut().enumerate() {
            if link.open.is_some() && reopened.get(link.medium.device()) == Some(&false) {
                continue;
            }
            link.open = None;
            match outlet(&link.medium, view) {
                Ok(outlet) => link.open = Some(outlet),
                Err(error) => {
                    if let Some(change) = link.now_works(index, false) {
                        self.changes.push(change);
                        let (name, device) = (link.medium.name(), link.medium.device());
                        problems.push(format!("{name} {device}: {error}"));
                    }
                }
            }
        }
        let silent =
            |link: &Link| link.open.is_none() && view.link_named(link.medium.device()).is_some();
        self.unfinished =
            self.links.iter().any(silent) || self.receivers.iter().any(|r| r.deaf().is_some());
        problems
    }

    /// Is something closed that another `update` may open, without any change of interfaces?
    pub fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    /// Writes one packet to every link.
    pub fn send(&mut self, packet: &[u8]) {
        for (index, link) in self.links.iter_mut().enumerate() {
            let sent = link.open.as_ref().is_some_and(|outlet| {
                let Outlet {
                    socket,
                    destination,
                    flags,
                } = outlet;
                let sent = socket.send_to_with_flags(packet, destination, *flags);
                sent.is_ok_and(|bytes| bytes == packet.len())
            });
            self.changes.extend(link.now_works(index, sent));
        }
    }

    /// Does any link take packets?
    pub fn works(&self) -> bool {
        self.links.iter().any(|link| link.working)
    }

    /// What happened to links since the last call, each change once.
    pub fn changes(&mut self) -> Vec<Input> {
        std::mem::take(&mut self.changes)
    }

    /// Waits until something has arrived. Cancel-safe.
    pub async fn readable(&self) {
        std::future::poll_fn(|context| {
            let ready = |receiver: &Receiver| receiver.poll_readable(context).is_ready();
            if self.receivers.iter().any(ready) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }

    /// Takes what has arrived, at most `TURN_DATAGRAMS` from each socket.
    pub fn receive(&mut self, keys: &Keys) -> Vec<Heard> {
        let mut inputs = Vec::new();
        for receiver in &mut self.receivers {
            receiver.receive(TURN_DATAGRAMS, keys, &mut inputs);
        }
        inputs
    }

    /// One receiving socket for each place. Those for broadcasts come first: the kernel hands a
    /// unicast to the socket that was bound last.
    fn wanted_receivers(&self) -> Vec<Receiver> {
        let mut places: BTreeMap<Place, Vec<(LinkId, Option<IpAddr>)>> = BTreeMap::new();
        for (index, link) in self.links.iter().enumerate() {
            let device = link.medium.device().to_owned();
            let (place, peer) = match &link.medium {
                MediumSpec::Bcast { port, .. } => (Place::bcast(device, *port), None),
                MediumSpec::Ucast { peer, .. } => (Place::ucast(device, *peer), Some(peer.ip())),
            };
            places
                .entry(place)
                .or_default()
                .push((link_id(index), peer));
        }
        places
            .into_iter()
            .map(|(place, links)| Receiver::new(place, links))
            .collect()
    }
}

impl Link {
    fn now_works(&mut self, index: usize, working: bool) -> Option<Input> {
        (self.working != working).then(|| {
            self.working = working;
            let link = link_id(index);
            Input::LinkWrite { link, working }
        })
    }
}

fn link_id(index: usize) -> LinkId {
    LinkId(u16::try_from(index).expect("the configuration bounds the media"))
}

fn outlet(medium: &MediumSpec, view: &View) -> io::Result<Outlet> {
    let Some(device) = Device::find(view, medium.device()) else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no such interface"));
    };
    match medium {
        MediumSpec::Bcast { interface, port } => {
            let address = device.broadcast.ok_or_else(|| {
                io::Error::new(io::ErrorKind::AddrNotAvailable, "no IPv4 broadcast address")
            })?;
            Ok(Outlet {
                socket: bcast::sender(interface)?,
                destination: SocketAddrV4::new(address, *port).into(),
                flags: libc::MSG_DONTROUTE,
            })
        }
        MediumSpec::Ucast { interface, peer } => Ok(Outlet {
            socket: ucast::sender(interface, *peer)?,
            destination: scoped(*peer, device.index).into(),
            flags: 0,
        }),
    }
}

/// A link-local IPv6 address is complete only with its interface.
fn scoped(peer: SocketAddr, index: u32) -> SocketAddr {
    match peer {
        SocketAddr::V6(mut peer) if peer.ip().is_unicast_link_local() => {
            peer.set_scope_id(index);
            SocketAddr::V6(peer)
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => peer,
    }
}

/// The media without `ucast` lines that lead to this machine: they allow the same ha.cf everywhere,
/// and nobody else can be heard on them. All of them if nothing else would be left.
pub fn without_ourselves(media: &[MediumSpec], view: &View) -> Vec<MediumSpec> {
    let ours = |medium: &&MediumSpec| match medium {
        MediumSpec::Bcast { .. } => false,
        MediumSpec::Ucast { interface, peer } => view
            .link_named(interface)
            .is_some_and(|link| view.has(link.index, peer.ip())),
    };
    let others: Vec<MediumSpec> = media.iter().filter(|m| !ours(m)).cloned().collect();
    if others.is_empty() {
        media.to_vec()
    } else {
        others
    }
}

/// The line that the old daemon logs when a medium is up.
pub fn started(medium: &MediumSpec) -> String {
    match medium {
        MediumSpec::Bcast { interface, port } => {
            format!("UDP Broadcast heartbeat started on port {port} ({port}) interface {interface}")
        }
        MediumSpec::Ucast { interface, peer } => {
            let (port, ip) = (peer.port(), peer.ip());
            format!("ucast: started on port {port} interface {interface} to {ip}")
        }
    }
}

#[cfg(test)]
mod tests;
