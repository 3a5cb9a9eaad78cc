//! The sockets of `ucast` and `ucast6` (Heartbeat specification 3.4): one packet reaches one peer, over routers
//! as well.

use super::mcast;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;

/// `IPTOS_LOWDELAY`, as the old daemon asks for.
const LOW_DELAY: u32 = 0x10;

/// Sends from a port of the kernel's choice.
pub(super) fn sender(device: &str, peer: SocketAddr) -> io::Result<Socket> {
    let socket = socket(device, peer)?;
    socket.set_reuse_port(true)?;
    if peer.is_ipv4() {
        socket.set_tos_v4(LOW_DELAY)?;
    }
    Ok(socket)
}

/// Hears every peer on this interface: several `ucast` lines of one interface share it.
pub(super) fn receiver(device: &str, local: SocketAddr) -> io::Result<Socket> {
    let socket = socket(device, local)?;
    socket.set_reuse_address(true)?;
    mcast::hear_no_groups(&socket, local.ip())?;
    Ok(socket)
}

fn socket(device: &str, address: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(device.as_bytes()))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}
