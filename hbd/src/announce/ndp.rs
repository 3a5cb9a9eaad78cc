//! Unsolicited neighbour advertisements (RFC 4861 7.2.6): the same as gratuitous ARP, for IPv6.

use super::ALL_NODES;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};

/// Receivers drop neighbour discovery that crossed a router (RFC 4861 7.1.2).
const HOP_LIMIT: u32 = 255;
/// ICMPv6 type 136, code 0; the kernel fills in the checksum of raw ICMPv6 sockets.
const NEIGHBOUR_ADVERTISEMENT: [u8; 4] = [136, 0, 0, 0];
/// "Override": replace what you know. Neither a router's nor an answer.
const FLAG_OVERRIDE: [u8; 4] = [0x20, 0, 0, 0];
/// Option 2, target link-layer address, one unit of eight bytes.
const TARGET_ADDRESS: [u8; 2] = [2, 1];
/// Header, flags, target and the option.
const PACKET_BYTES: usize = 4 + 4 + 16 + 8;

pub(super) fn send(link: u32, mac: [u8; 6], ip: Ipv6Addr) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.set_nonblocking(true)?;
    socket.set_multicast_hops_v6(HOP_LIMIT)?;
    socket.set_multicast_if_v6(link)?;
    socket.bind(&SockAddr::from(SocketAddrV6::new(ip, 0, 0, link)))?;
    let neighbours = SockAddr::from(SocketAddrV6::new(ALL_NODES, 0, 0, link));
    socket.send_to(&packet(mac, ip), &neighbours)?;
    Ok(())
}

pub(super) fn packet(mac: [u8; 6], ip: Ipv6Addr) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    let (header, rest) = packet.split_at_mut(4);
    let (flags, rest) = rest.split_at_mut(4);
    let (target, rest) = rest.split_at_mut(16);
    let (option, address) = rest.split_at_mut(2);
    header.copy_from_slice(&NEIGHBOUR_ADVERTISEMENT);
    flags.copy_from_slice(&FLAG_OVERRIDE);
    target.copy_from_slice(&ip.octets());
    option.copy_from_slice(&TARGET_ADDRESS);
    address.copy_from_slice(&mac);
    packet
}
