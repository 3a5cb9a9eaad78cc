//! Gratuitous ARP (RFC 5227 3): "this address is at this hardware address", told to everybody on
//! the link, once as a request and once as a reply, because old stacks heed only one of them.

use crate::link_address::link_address;
use socket2::{Domain, Socket, Type};
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
    let neighbours = link_address(link, ETHERTYPE_ARP)?;
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
