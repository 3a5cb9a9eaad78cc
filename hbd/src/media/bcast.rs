//! The sockets of `bcast` (Heartbeat specification 3.2): one packet reaches everybody on the
//! interface's network, ourselves included.

use super::mcast;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::Ipv4Addr;

/// Sends from a port of the kernel's choice.
pub(super) fn sender(device: &str) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(device.as_bytes()))?;
    socket.set_broadcast(true)?;
    Ok(socket)
}

/// Hears every datagram of this interface and port, broadcast or not.
pub(super) fn receiver(device: &str) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(device.as_bytes()))?;
    socket.set_reuse_address(true)?;
    mcast::hear_no_groups(&socket, Ipv4Addr::UNSPECIFIED.into())?;
    Ok(socket)
}
