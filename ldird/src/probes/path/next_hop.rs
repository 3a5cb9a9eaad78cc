//! Where the kernel would send a packet for an address next: through which link, to whose hardware address
//! (rtnetlink(7)). One question about the route and one about the neighbour; the kernel has answered each
//! when the call that asks returns, so nothing is waited for.

use super::super::Dialler;
use rustix::net::netdevice;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read as _, Write as _};
use std::net::Ipv6Addr;

/// A route or a neighbour with all its attributes is a few hundred bytes.
const ANSWER_BYTES: usize = 8192;
const MESSAGE_HEADER_BYTES: usize = 16;
const REQUEST: u16 = 1;
const ERROR: u16 = 2;

const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
/// `struct rtmsg`, and what of it is asked with.
const ROUTE_HEADER_BYTES: usize = 12;
const ROUTE_TO: u16 = 1;
const ROUTE_LINK: u16 = 4;
const ROUTE_GATEWAY: u16 = 5;
const ROUTE_MARK: u16 = 16;

const NEW_NEIGHBOUR: u16 = 28;
const GET_NEIGHBOUR: u16 = 30;
/// `struct ndmsg`.
const NEIGHBOUR_HEADER_BYTES: usize = 12;
const NEIGHBOUR_ADDRESS: u16 = 1;
const NEIGHBOUR_HARDWARE: u16 = 2;

const FAMILY_IPV6: u8 = libc::AF_INET6 as u8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NextHop {
    pub(super) link: u32,
    pub(super) hardware: [u8; 6],
}

impl NextHop {
    /// On the way of this dialler. The kernel knows the neighbour of somebody who has just answered.
    pub(super) fn to(target: Ipv6Addr, dialler: &Dialler) -> io::Result<Self> {
        let mut socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, None::<Protocol>)?;
        socket.set_nonblocking(true)?;
        let link = dialler.device.as_deref().map(link_of).transpose()?;
        let reply = ask(&mut socket, &route_request(target, link, dialler.mark))?;
        let (link, gateway) = route(&reply)?;
        let next = gateway.unwrap_or(target);
        let reply = ask(&mut socket, &neighbour_request(next, link))?;
        let hardware = neighbour(&reply)?;
        Ok(Self { link, hardware })
    }
}

fn link_of(name: &str) -> io::Result<u32> {
    let any = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    Ok(netdevice::name_to_index(&any, name)?)
}

fn ask(socket: &mut Socket, request: &[u8]) -> io::Result<Vec<u8>> {
    socket.write_all(request)?;
    let mut answer = vec![0; ANSWER_BYTES];
    let length = socket.read(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

fn route_request(target: Ipv6Addr, link: Option<u32>, mark: u32) -> Vec<u8> {
    let mut header = [0; ROUTE_HEADER_BYTES];
    header[0] = FAMILY_IPV6;
    header[1] = 128;
    let mut attributes = vec![(ROUTE_TO, target.octets().to_vec())];
    attributes.extend(link.map(|link| (ROUTE_LINK, link.to_ne_bytes().to_vec())));
    let mark = Some(mark).filter(|mark| *mark != 0);
    attributes.extend(mark.map(|mark| (ROUTE_MARK, mark.to_ne_bytes().to_vec())));
    request(GET_ROUTE, &header, &attributes)
}

/// The link, and the gateway if there is one.
fn route(reply: &[u8]) -> io::Result<(u32, Option<Ipv6Addr>)> {
    let attributes = content(reply, NEW_ROUTE, ROUTE_HEADER_BYTES)?;
    let link = attribute(attributes, ROUTE_LINK);
    let link = link.and_then(|bytes| Some(u32::from_ne_bytes(bytes.try_into().ok()?)));
    let gateway = attribute(attributes, ROUTE_GATEWAY);
    let gateway = gateway.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    let link = link.ok_or_else(|| io::Error::other("a route without a link"))?;
    Ok((link, gateway.map(Ipv6Addr::from)))
}

fn neighbour_request(address: Ipv6Addr, link: u32) -> Vec<u8> {
    let mut header = [0; NEIGHBOUR_HEADER_BYTES];
    header[0] = FAMILY_IPV6;
    header[4..8].copy_from_slice(&link.to_ne_bytes());
    let attributes = [(NEIGHBOUR_ADDRESS, address.octets().to_vec())];
    request(GET_NEIGHBOUR, &header, &attributes)
}

fn neighbour(reply: &[u8]) -> io::Result<[u8; 6]> {
    let attributes = content(reply, NEW_NEIGHBOUR, NEIGHBOUR_HEADER_BYTES)?;
    let hardware = attribute(attributes, NEIGHBOUR_HARDWARE);
    let hardware = hardware.and_then(|bytes| bytes.try_into().ok());
    hardware.ok_or_else(|| io::Error::other("a neighbour without a hardware address"))
}

fn request(kind: u16, header: &[u8], attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = header.to_vec();
    for (kind, value) in attributes {
        // None of ours is longer than an address.
        body.extend((4 + value.len() as u16).to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(value);
    }
    let length = MESSAGE_HEADER_BYTES + body.len();
    let mut message = (length as u32).to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    // Sequence number and port: the one question of this socket.
    message.extend([0; 8]);
    message.extend(body);
    message
}

/// The attributes of the wanted message; what the kernel says instead is an error.
fn content(reply: &[u8], wanted: u16, header: usize) -> io::Result<&[u8]> {
    let short = || io::Error::other("an answer of the kernel that is cut off");
    let length = number(reply, 0).ok_or_else(short)?;
    let kind = reply.get(4..6).and_then(|bytes| bytes.try_into().ok());
    let kind = kind.map(u16::from_ne_bytes).ok_or_else(short)?;
    let message = reply.get(..length as usize).ok_or_else(short)?;
    if kind == ERROR {
        let code = number(message, MESSAGE_HEADER_BYTES).ok_or_else(short)?;
        return Err(io::Error::from_raw_os_error(
            code.cast_signed().wrapping_neg(),
        ));
    }
    let attributes = message.get(MESSAGE_HEADER_BYTES + header..);
    attributes.filter(|_| kind == wanted).ok_or_else(short)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    const HEAD_BYTES: usize = 4;
    loop {
        let length = usize::from(u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(attributes.get(2..HEAD_BYTES)?.try_into().ok()?);
        let value = attributes.get(HEAD_BYTES..length)?;
        if kind == wanted {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    const TARGET: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x11);
    const GATEWAY: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

    fn reply(kind: u16, header: usize, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
        request(kind, &vec![0; header], attributes)
    }

    #[test]
    fn a_route_leads_to_its_gateway_or_to_the_target_itself() {
        let link = (ROUTE_LINK, 3_u32.to_ne_bytes().to_vec());
        let odd = (30, vec![7; 5]);
        let near = reply(NEW_ROUTE, 12, std::slice::from_ref(&link));
        assert_eq!(route(&near).unwrap(), (3, None));
        // An attribute of five bytes is followed by three that are none.
        let padded = {
            let mut message = reply(NEW_ROUTE, 12, &[odd]);
            message.extend([0; 3]);
            let rest = reply(
                NEW_ROUTE,
                0,
                &[link, (ROUTE_GATEWAY, GATEWAY.octets().into())],
            );
            message.extend(&rest[16..]);
            let length = message.len() as u32;
            message[..4].copy_from_slice(&length.to_ne_bytes());
            message
        };
        assert_eq!(route(&padded).unwrap(), (3, Some(GATEWAY)));
        assert!(route(&reply(NEW_ROUTE, 12, &[])).is_err(), "no link");
        assert!(route(&reply(NEW_NEIGHBOUR, 12, &[])).is_err());
    }

    #[test]
    fn a_neighbour_has_a_hardware_address_or_none() {
        let known = [(NEIGHBOUR_HARDWARE, vec![2, 0, 0, 0, 0, 1])];
        let known = reply(NEW_NEIGHBOUR, 12, &known);
        assert_eq!(neighbour(&known).unwrap(), [2, 0, 0, 0, 0, 1]);
        let tunnel = reply(NEW_NEIGHBOUR, 12, &[(NEIGHBOUR_HARDWARE, vec![1; 16])]);
        for reply in [reply(NEW_NEIGHBOUR, 12, &[]), tunnel] {
            assert!(neighbour(&reply).is_err());
        }
    }

    #[test]
    fn what_the_kernel_refuses_is_its_error() {
        let refused = reply(ERROR, 0, &[]);
        let mut refused = [&refused[..], &(-libc::ENETUNREACH).to_ne_bytes()].concat();
        refused[0] = 20;
        let error = route(&refused).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENETUNREACH));
    }

    #[test]
    fn questions_are_whole_messages() {
        let plain = route_request(TARGET, None, 0);
        let bound = route_request(TARGET, Some(3), 7);
        let neighbour = neighbour_request(TARGET, 3);
        for (message, length) in [(&plain, 48), (&bound, 64), (&neighbour, 48)] {
            assert_eq!(message.len(), length);
            assert_eq!(number(message, 0), Some(length as u32));
        }
        let attributes = content(&bound, GET_ROUTE, 12).unwrap();
        assert_eq!(
            attribute(attributes, ROUTE_MARK),
            Some(&7_u32.to_ne_bytes()[..])
        );
    }

    proptest! {
        #[test]
        fn no_answer_is_a_surprise(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (route(&bytes), neighbour(&bytes), attribute(&bytes, 1));
        }
    }
}
