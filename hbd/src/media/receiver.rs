//! A receiving socket: one for each interface, port and kind of medium.
//!
//! Reads the socket itself and not only the runtime's idea of its readiness: after a stall the
//! queue is heard first, whatever the runtime has noticed so far.

use super::{Heard, RECEIVE_BUFFER_BYTES, bcast, mcast, ucast, way};
use crate::resources::view::{LinkRow, View};
use hbd_core::config::{LinkId, Received};
use hbd_core::input::Input;
use hbd_core::wire::{self, Keys, frame::MAX_PACKET};
use rustix::net::{RecvFlags, recv, recvfrom};
use socket2::SockAddr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll, ready};
use thiserror::Error;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// What makes a receiving socket one of its own. Broadcasts come first in the order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    cast: Cast,
    device: String,
    /// The group, or the wildcard address of the family, and the port.
    local: SocketAddr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cast {
    Broadcast,
    Multicast,
    Unicast,
}

impl Place {
    pub(super) fn bcast(device: String, port: u16) -> Self {
        Self {
            cast: Cast::Broadcast,
            device,
            local: (Ipv4Addr::UNSPECIFIED, port).into(),
        }
    }

    pub(super) fn mcast(device: String, group: SocketAddr) -> Self {
        Self {
            cast: Cast::Multicast,
            device,
            local: group,
        }
    }

    /// The local port is that of the peer.
    pub(super) fn ucast(device: String, peer: IpAddr, port: u16) -> Self {
        let anybody: IpAddr = match peer {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Self {
            cast: Cast::Unicast,
            device,
            local: (anybody, port).into(),
        }
    }
}

/// An interface is there, but nothing can be heard on it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot listen on {device} port {port}: {why}")]
pub struct Deaf {
    device: String,
    port: u16,
    why: String,
}

pub(super) struct Receiver {
    place: Place,
    /// The media it serves, in file order, with the peers of unicast ones; never empty.
    links: Vec<(LinkId, Option<IpAddr>)>,
    open: Option<UdpSocket>,
    /// The interface's index when it was last there; the socket belongs to it.
    known: Option<u32>,
    /// Had the interface a carrier then?
    carried: bool,
    /// Why it is closed although the interface is there.
    trouble: Option<String>,
    buffer: Box<[u8]>,
}

impl Receiver {
    pub(super) fn new(place: Place, links: Vec<(LinkId, Option<IpAddr>)>) -> Self {
        Self {
            place,
            links,
            open: None,
            known: None,
            carried: false,
            trouble: None,
            // One byte more than a packet may have tells a longer one.
            buffer: vec![0; MAX_PACKET + 1].into(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The peer of a medium is known now.
    pub(super) fn resolve(&mut self, medium: LinkId, ip: Option<IpAddr>) {
        for (link, peer) in &mut self.links {
            if *link == medium {
                *peer = ip;
            }
        }
    }

    /// Opens the socket anew if the interface is another one than before. A group is joined anew
    /// when the carrier is back, too: the switch behind the cable may be one that has not been
    /// told yet, and forwards the group only to those who have joined.
    pub(super) fn update(&mut self, view: &View) {
        self.trouble = None;
        let Some(link) = way::interface(&self.place.device, self.known, view) else {
            self.open = None;
            return;
        };
        let carries = link.up && link.carrier;
        let carried = std::mem::replace(&mut self.carried, carries);
        let stale = self.place.cast == Cast::Multicast && carries && !carried;
        if self.open.is_some() && self.known == Some(link.index) && !stale {
            return;
        }
        self.open = None;
        self.known = Some(link.index);
        match self.socket(link) {
            Ok(socket) => self.open = Some(socket),
            Err(error) => self.trouble = Some(error.to_string()),
        }
    }

    /// Why nothing is heard on an interface that is there.
    pub(super) fn deaf(&self) -> Option<Deaf> {
        let why = self.trouble.clone()?;
        let Place { device, local, .. } = &self.place;
        let (device, port) = (device.clone(), local.port());
        Some(Deaf { device, port, why })
    }

    fn socket(&self, link: &LinkRow) -> io::Result<UdpSocket> {
        let Place { cast, local, .. } = &self.place;
        let device = link.name.as_str();
        let socket = match cast {
            Cast::Broadcast => bcast::receiver(device)?,
            Cast::Multicast => mcast::receiver(device, link.index, *local)?,
            Cast::Unicast => ucast::receiver(device, *local)?,
        };
        socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        socket.bind(&SockAddr::from(way::scoped(*local, link.index)))?;
        UdpSocket::from_std(socket.into())
    }

    /// Ready when a datagram can be taken.
    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        match &self.open {
            Some(socket) => poll_datagram(socket, context),
            None => Poll::Pending,
        }
    }

    /// Takes at most so many datagrams and appends what they say.
    pub(super) fn receive(&mut self, limit: usize, keys: &Keys, heard: &mut Vec<Heard>) {
        let Some(socket) = &self.open else {
            return;
        };
        for _ in 0..limit {
            let received = recvfrom(socket, &mut *self.buffer, RecvFlags::DONTWAIT);
            let (length, source) = match received {
                Ok((length, _, source)) => (length, source),
                Err(rustix::io::Errno::WOULDBLOCK) => return,
                // An error that was pending on the socket (ENETDOWN); reading took it away.
                Err(_) => continue,
            };
            let source = source.and_then(|source| SocketAddr::try_from(source).ok());
            let link = self.link_of(source);
            // Never indexed: the kernel's word on the length is believed as far as it fits.
            let packet = self.buffer.get(..length).unwrap_or_default();
            let input = match wire::decode(packet, keys) {
                Ok(message) => Input::Received(Received { link, message }),
                Err(error) => Input::Rejected {
                    link,
                    reason: error.reason(),
                },
            };
            let from = source.map(|source| source.ip());
            heard.push(Heard { from, input });
        }
    }

    /// Tells one socket from another.
    #[cfg(test)]
    pub(super) fn inode(&self) -> Option<u64> {
        let stat = rustix::fs::fstat(self.open.as_ref()?).ok()?;
        Some(stat.st_ino)
    }

    /// The medium whose peer sent it, else the first one.
    pub(super) fn link_of(&self, source: Option<SocketAddr>) -> LinkId {
        let sender = source.map(|source| source.ip());
        self.links
            .iter()
            .find(|(_, peer)| peer.is_some() && *peer == sender)
            .or(self.links.first())
            .map(|(link, _)| *link)
            .expect("a receiver serves a link")
    }
}

/// Ready when the socket itself has something, whatever the runtime has noticed so far.
pub(crate) fn poll_datagram(socket: &UdpSocket, context: &mut Context<'_>) -> Poll<()> {
    let peek = || {
        Ok(recv(
            socket,
            &mut [0; 1],
            RecvFlags::PEEK | RecvFlags::DONTWAIT,
        )?)
    };
    loop {
        if ready!(socket.poll_recv_ready(context)).is_err() {
            // The runtime ends.
            return Poll::Pending;
        }
        match socket.try_io(Interest::READABLE, peek) {
            // The runtime remembered what has been taken since, and now knows better.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => return Poll::Ready(()),
        }
    }
}
