//! A UDP datagram out of an IP packet, from any bytes. Checksums are not looked at: what counts has a
//! digest.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
const IPV6_HEADER: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) payload: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// `None` if it is not UDP, cut short, or a fragment.
    pub(super) fn read(packet: &'a [u8]) -> Option<Self> {
        let (source, destination, rest) = match packet.first()? >> 4 {
            4 => ipv4(packet)?,
            6 => ipv6(packet)?,
            _ => return None,
        };
        let length = usize::from(u16::from_be_bytes(*rest.get(4..)?.first_chunk()?));
        Some(Self {
            source,
            destination,
            payload: rest.get(UDP_HEADER..length)?,
        })
    }
}

type Parts<'a> = (IpAddr, IpAddr, &'a [u8]);

fn ipv4(packet: &[u8]) -> Option<Parts<'_>> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let place = u16::from_be_bytes(*packet.get(6..)?.first_chunk()?);
    if *packet.get(9)? != UDP || place & 0x3fff != 0 {
        return None;
    }
    let address = |at: usize| {
        let octets: [u8; 4] = *packet.get(at..)?.first_chunk()?;
        Some(IpAddr::from(Ipv4Addr::from(octets)))
    };
    Some((address(12)?, address(16)?, packet.get(header..)?))
}

fn ipv6(packet: &[u8]) -> Option<Parts<'_>> {
    if *packet.get(6)? != UDP {
        return None;
    }
    let address = |at: usize| {
        let octets: [u8; 16] = *packet.get(at..)?.first_chunk()?;
        Some(IpAddr::from(Ipv6Addr::from(octets)))
    };
    Some((address(8)?, address(24)?, packet.get(IPV6_HEADER..)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn packet() -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 31, 0, 0, 0x40, 0, 64, 17, 0, 0];
        packet.extend([10, 0, 0, 1, 10, 0, 0, 255]);
        packet.extend([0x99, 0x99, 2, 0xb6, 0, 11, 0, 0]);
        packet.extend(b"abc");
        packet
    }

    #[test]
    fn what_follows_the_datagram_in_the_frame_is_none_of_it() {
        let mut packet = packet();
        packet.extend([0; 15]);
        let datagram = Datagram::read(&packet).unwrap();
        assert_eq!(datagram.payload, b"abc");
        assert_eq!(datagram.source.to_string(), "10.0.0.1");
        assert_eq!(datagram.destination.to_string(), "10.0.0.255");
    }

    #[test]
    fn fragments_other_protocols_and_what_is_cut_are_no_datagrams() {
        let wrong: [(usize, u8); 4] = [(6, 0x20), (7, 1), (9, 6), (0, 0x35)];
        for (at, byte) in wrong {
            let mut packet = packet();
            packet[at] = byte;
            assert_eq!(Datagram::read(&packet), None, "{at}");
        }
        let packet = packet();
        assert_eq!(Datagram::read(&packet[..packet.len() - 1]), None);
    }

    #[test]
    fn a_datagram_of_the_other_family_is_read_as_well() {
        let mut packet = vec![0x60, 0, 0, 0, 0, 11, 17, 64];
        packet.extend([0xfd; 16]);
        packet.extend([0xfe; 16]);
        packet.extend([0x99, 0x99, 2, 0xb6, 0, 11, 0, 0]);
        packet.extend(b"abc");
        let datagram = Datagram::read(&packet).unwrap();
        assert_eq!(datagram.payload, b"abc");
        assert_eq!(datagram.source, IpAddr::from([0xfd; 16]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..120)) {
            let _ = Datagram::read(&bytes);
        }
    }
}
