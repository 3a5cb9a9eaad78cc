//! The sockets of `mcast` and `mcast6` (Heartbeat specification 3.3): one packet reaches everybody
//! who has joined the group on the interface's network.
//!
//! Heartbeat's receiver takes what any interface brings, so that two media of one group cannot be
//! told apart (specification 11.4); these are bound to their interface, and can.

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};

/// Sends from a port of the kernel's choice, over the interface with this index.
pub(super) fn sender(
    device: &str,
    index: u32,
    group: IpAddr,
    hops: u8,
    loopback: bool,
) -> io::Result<Socket> {
    let socket = socket(device, group)?;
    match group {
        IpAddr::V4(_) => {
            socket.set_multicast_ttl_v4(hops.into())?;
            socket.set_multicast_loop_v4(loopback)?;
        }
        IpAddr::V6(_) => {
            socket.set_multicast_if_v6(index)?;
            socket.set_multicast_hops_v6(hops.into())?;
            socket.set_multicast_loop_v6(loopback)?;
        }
    }
    Ok(socket)
}

/// Hears the group on the interface with this index, and nothing else of its port. The kernel
/// forgets that somebody has joined when the interface vanishes: then it is to be opened anew.
pub(super) fn receiver(device: &str, index: u32, group: SocketAddr) -> io::Result<Socket> {
    let socket = socket(device, group.ip())?;
    socket.set_reuse_address(true)?;
    match group.ip() {
        IpAddr::V4(group) => {
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
        }
        IpAddr::V6(group) => socket.join_multicast_v6(&group, index)?,
    }
    Ok(socket)
}

/// For sockets of other media, which would hear every group that anybody on this machine has
/// joined (ip(7), `IP_MULTICAST_ALL`), and so take its heartbeats for their own.
pub(super) fn hear_no_groups(socket: &Socket, family: IpAddr) -> io::Result<()> {
    match family {
        IpAddr::V4(_) => socket.set_multicast_all_v4(false),
        // Kernels before 4.20 do not know it: there a link is shown that is none.
        IpAddr::V6(_) => socket.set_multicast_all_v6(false).or(Ok(())),
    }
}

fn socket(device: &str, group: IpAddr) -> io::Result<Socket> {
    let domain = match group {
        IpAddr::V4(_) => Domain::IPV4,
        IpAddr::V6(_) => Domain::IPV6,
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(device.as_bytes()))?;
    if group.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}
