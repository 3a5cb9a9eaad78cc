//! Gratuitous ARP (RFC 5227 3): "this address is at this hardware address", told to everybody on
//! the link, once as a request and once as a reply, because old stacks heed only one of them.

use socket2::{Domain, SockAddr, SockAddrStorage, Socket, Type};
use std::io;
use std::net::Ipv4Addr;

/// `ETH_P_ARP`.
const ETHERTYPE_ARP: u16 = 0x0806;
/// Ethernet header and ARP body.
const FRAME_BYTES: usize = 14 + 28;
const BROADCAST: [u8; 6] = [0xff; 6];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Request,
    Reply,
}

/// A socket that only sends: protocol 0 receives nothing.
pub(super) fn socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

pub(super) fn send(socket: &Socket, link: u32, mac: [u8; 6], ip: Ipv4Addr) -> io::Result<()> {
    let neighbours = link_address(link)?;
    for form in [Form::Request, Form::Reply] {
        socket.send_to(&frame(form, mac, ip), &neighbours)?;
    }
    Ok(())
}

pub(super) fn frame(form: Form, mac: [u8; 6], ip: Ipv4Addr) -> [u8; FRAME_BYTES] {
    let (operation, target): (u16, _) = match form {
        // The target of a request is what it asks for: nothing (RFC 826).
        Form::Request => (1, [0; 6]),
        Form::Reply => (2, BROADCAST),
    };
    let mut frame = [0; FRAME_BYTES];
    let mut rest = frame.as_mut_slice();
    let mut put = |bytes: &[u8]| {
        let (field, after) = std::mem::take(&mut rest).split_at_mut(bytes.len());
        field.copy_from_slice(bytes);
        rest = after;
    };
    put(&BROADCAST);
    put(&mac);
    put(&ETHERTYPE_ARP.to_be_bytes());
    // Ethernet and IPv4, with their address lengths.
    put(&[0, 1, 8, 0, 6, 4]);
    put(&operation.to_be_bytes());
    put(&mac);
    put(&ip.octets());
    put(&target);
    put(&ip.octets());
    frame
}

/// Everybody on the link with this index.
#[expect(
    unsafe_code,
    reason = "neither std nor socket2 can build a sockaddr_ll"
)]
fn link_address(link: u32) -> io::Result<SockAddr> {
    let index = i32::try_from(link).map_err(io::Error::other)?;
    let address = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?,
        sll_protocol: ETHERTYPE_ARP.to_be(),
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0],
    };
    let length =
        libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is one of the address structures that a `sockaddr_storage` is made to
    // hold, it is plain data, and `view_as` checks that it fits.
    unsafe {
        *storage.view_as::<libc::sockaddr_ll>() = address;
    }
    // SAFETY: the storage holds an initialised `sockaddr_ll` of that length with its family set.
    Ok(unsafe { SockAddr::new(storage, length) })
}
