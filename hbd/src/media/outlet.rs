//! The sending end of a medium, and the forms in which a message leaves. Each kind of outlet asks
//! for the form it needs; a form is made once for all of them.

use super::way::{self, Way};
use super::{bcast, mcast, ucast};
use crate::config::MediumSpec;
use ha_status::SendTrouble;
use hbd_core::wire::{self, Keys, Message, WireError};
use socket2::{SockAddr, Socket};
use std::io;
use std::net::SocketAddr;

/// One message, encoded as far as somebody has asked.
pub(super) struct Parcel<'a> {
    message: &'a Message,
    keys: &'a Keys,
    datagram: Option<Vec<u8>>,
    line: Option<Vec<u8>>,
}

impl<'a> Parcel<'a> {
    pub(super) fn new(message: &'a Message, keys: &'a Keys) -> Self {
        Self {
            message,
            keys,
            datagram: None,
            line: None,
        }
    }

    /// As it travels in a datagram (Heartbeat specification 2.3).
    fn datagram(&mut self) -> Result<&[u8], WireError> {
        let packet = match self.datagram.take() {
            Some(packet) => packet,
            None => wire::encode_netstring(self.message, self.keys)?,
        };
        Ok(self.datagram.insert(packet))
    }

    /// As it travels over a serial line (Heartbeat specification 2.2, 3.5): without NUL.
    pub(super) fn line(&mut self) -> Result<&[u8], WireError> {
        let frame = match self.line.take() {
            Some(frame) => frame,
            None => wire::encode_classic(self.message, self.keys, false)?,
        };
        Ok(self.line.insert(frame))
    }
}

/// What an error of the kernel means for a medium.
pub(super) fn trouble(error: &io::Error) -> SendTrouble {
    match error.raw_os_error() {
        Some(libc::ENODEV | libc::ENXIO) => SendTrouble::NoInterface,
        Some(libc::ENETDOWN) => SendTrouble::Down,
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH) => SendTrouble::Unreachable,
        Some(libc::EPERM | libc::EACCES) => SendTrouble::Denied,
        Some(libc::EMSGSIZE) => SendTrouble::TooLong,
        Some(libc::ENOBUFS | libc::ENOMEM | libc::EAGAIN) => SendTrouble::NoBuffers,
        Some(errno) => SendTrouble::Other { errno },
        // No error of the kernel's.
        None => SendTrouble::Cut,
    }
}

/// An open outlet.
pub(super) struct Outlet {
    /// For which it was opened.
    pub(super) way: Way,
    kind: Kind,
}

enum Kind {
    Datagram {
        socket: Socket,
        destination: SockAddr,
        /// `MSG_DONTROUTE` for broadcasts: they belong on this wire, whatever the routing table
        /// says.
        flags: i32,
    },
}

impl Outlet {
    /// Opens the socket, bound to the source: the kernel chooses none itself.
    pub(super) fn open(medium: &MediumSpec, way: Way) -> io::Result<Self> {
        let (socket, flags) = match medium {
            MediumSpec::Bcast { .. } => (bcast::sender(&way.device)?, libc::MSG_DONTROUTE),
            MediumSpec::Mcast {
                group,
                hops,
                loopback,
                ..
            } => {
                let (device, index) = (&way.device, way.index);
                let socket = mcast::sender(device, index, group.ip(), *hops, *loopback)?;
                (socket, 0)
            }
            MediumSpec::Ucast { .. } => (ucast::sender(&way.device, way.destination)?, 0),
            // It sends no datagrams.
            MediumSpec::Serial { .. } => return Err(io::ErrorKind::Unsupported.into()),
        };
        let source = way::scoped(SocketAddr::new(way.source, 0), way.index);
        socket.bind(&source.into())?;
        let kind = Kind::Datagram {
            socket,
            destination: way.destination.into(),
            flags,
        };
        Ok(Self { way, kind })
    }

    /// Hands it to the kernel, and says whether that took it; the outer error if there is no such
    /// form of the message.
    pub(super) fn send(
        &self,
        parcel: &mut Parcel<'_>,
    ) -> Result<Result<(), SendTrouble>, WireError> {
        match &self.kind {
            Kind::Datagram {
                socket,
                destination,
                flags,
            } => {
                let packet = parcel.datagram()?;
                let sent = socket.send_to_with_flags(packet, destination, *flags);
                Ok(match sent {
                    Ok(bytes) if bytes == packet.len() => Ok(()),
                    Ok(_) => Err(SendTrouble::Cut),
                    Err(error) => Err(trouble(&error)),
                })
            }
        }
    }

    /// From where it sends.
    #[cfg(test)]
    pub(super) fn source(&self) -> SocketAddr {
        match &self.kind {
            Kind::Datagram { socket, .. } => socket
                .local_addr()
                .ok()
                .and_then(|address| address.as_socket())
                .expect("a bound socket has an address"),
        }
    }
}
