//! Packets of half a handshake as bytes (RFC 791, RFC 8200, RFC 9293): no socket, no clock.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

const IPV4_HEADER_BYTES: u16 = 20;
const IPV6_HEADER_BYTES: usize = 40;
const TCP_HEADER_BYTES: u16 = 20;
pub(super) const PROTOCOL_TCP: u8 = 6;
const TIME_TO_LIVE: u8 = 64;
const DO_NOT_FRAGMENT: u16 = 0x4000;
const WINDOW: u16 = 64_240;

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// The beginning of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) ends: Ends,
    pub(super) sequence: u32,
}

/// Both of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    V4 {
        from: SocketAddrV4,
        to: SocketAddrV4,
    },
    V6 {
        from: SocketAddrV6,
        to: SocketAddrV6,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flags {
    Syn,
    /// Takes it back.
    Reset,
}

/// What the other end says to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Open,
    Refused,
}

impl Ends {
    /// `None` if they are of two families.
    pub(super) fn new(from: SocketAddr, to: SocketAddr) -> Option<Self> {
        match (from, to) {
            (SocketAddr::V4(from), SocketAddr::V4(to)) => Some(Self::V4 { from, to }),
            (SocketAddr::V6(from), SocketAddr::V6(to)) => Some(Self::V6 { from, to }),
            (SocketAddr::V4(_), SocketAddr::V6(_)) | (SocketAddr::V6(_), SocketAddr::V4(_)) => None,
        }
    }

    /// Of the two ends.
    pub(super) fn ports(&self) -> (u16, u16) {
        match self {
            Self::V4 { from, to } => (from.port(), to.port()),
            Self::V6 { from, to } => (from.port(), to.port()),
        }
    }

    /// The addresses as they stand in a header, one behind the other.
    pub(super) fn addresses(&self) -> Vec<u8> {
        match self {
            Self::V4 { from, to } => [from.ip().octets(), to.ip().octets()].concat(),
            Self::V6 { from, to } => [from.ip().octets(), to.ip().octets()].concat(),
        }
    }

    /// The same, as they stand in an answer.
    pub(super) fn back(&self) -> Self {
        match *self {
            Self::V4 { from, to } => Self::V4 { from: to, to: from },
            Self::V6 { from, to } => Self::V6 { from: to, to: from },
        }
    }
}

impl Segment {
    /// A whole packet of IP.
    pub(super) fn bytes(&self, flags: Flags) -> Vec<u8> {
        let tcp = self.tcp(flags);
        let mut packet = match self.ends {
            Ends::V4 { .. } => {
                let mut header = vec![0x45, 0];
                header.extend((IPV4_HEADER_BYTES + TCP_HEADER_BYTES).to_be_bytes());
                header.extend([0, 0]);
                header.extend(DO_NOT_FRAGMENT.to_be_bytes());
                header.extend([TIME_TO_LIVE, PROTOCOL_TCP, 0, 0]);
                header.extend(self.ends.addresses());
                let sum = checksum(&header);
                put(&mut header, 10, sum);
                header
            }
            Ends::V6 { .. } => {
                let mut header = vec![0x60, 0, 0, 0];
                header.extend(TCP_HEADER_BYTES.to_be_bytes());
                header.extend([PROTOCOL_TCP, TIME_TO_LIVE]);
                header.extend(self.ends.addresses());
                header
            }
        };
        packet.extend(tcp);
        packet
    }

    fn tcp(&self, flags: Flags) -> Vec<u8> {
        let (flags, sequence) = match flags {
            Flags::Syn => (SYN, self.sequence),
            Flags::Reset => (RST, self.sequence.wrapping_add(1)),
        };
        let (from, to) = self.ends.ports();
        let mut tcp = Vec::with_capacity(TCP_HEADER_BYTES.into());
        tcp.extend(from.to_be_bytes());
        tcp.extend(to.to_be_bytes());
        tcp.extend(sequence.to_be_bytes());
        // Acknowledges nothing; a header of five words.
        tcp.extend([0, 0, 0, 0, 5 << 4, flags]);
        tcp.extend(WINDOW.to_be_bytes());
        tcp.extend([0; 4]);
        let mut pseudo = self.ends.addresses();
        // The two families write length and protocol in different widths, which sum up alike.
        pseudo.extend([0, PROTOCOL_TCP]);
        pseudo.extend(TCP_HEADER_BYTES.to_be_bytes());
        pseudo.extend(&tcp);
        put(&mut tcp, 16, checksum(&pseudo));
        tcp
    }

    /// What a packet from there says to our first one; `None` if it is no answer to it.
    pub(super) fn answer(&self, packet: &[u8]) -> Option<Said> {
        let first = *packet.first()?;
        let (version, protocol_at, addresses_at, length) = match self.ends {
            Ends::V4 { .. } => (4, 9, 12, usize::from(first & 15) * 4),
            // What has a header of another kind before TCP is no answer of an ordinary server.
            Ends::V6 { .. } => (6, 6, 8, IPV6_HEADER_BYTES),
        };
        if first >> 4 != version || length < IPV4_HEADER_BYTES.into() {
            return None;
        }
        let is = |at: usize, bytes: &[u8]| packet.get(at..at + bytes.len()) == Some(bytes);
        let back = self.ends.back();
        let (from, to) = back.ports();
        let belongs = is(protocol_at, &[PROTOCOL_TCP])
            && is(addresses_at, &back.addresses())
            && is(length, &from.to_be_bytes())
            && is(length + 2, &to.to_be_bytes())
            && is(length + 8, &self.sequence.wrapping_add(1).to_be_bytes());
        let flags = *packet.get(length + 13).filter(|_| belongs)?;
        match flags & (SYN | RST | ACK) {
            both if both == SYN | ACK => Some(Said::Open),
            both if both == RST | ACK => Some(Said::Refused),
            _ => None,
        }
    }
}

fn put(bytes: &mut [u8], at: usize, number: u16) {
    for (to, from) in bytes.iter_mut().skip(at).zip(number.to_be_bytes()) {
        *to = from;
    }
}

/// RFC 1071, over an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Ends, Flags, Said, Segment, checksum, put};
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

    const V4: Segment = Segment {
        ends: Ends::V4 {
            from: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 40_000),
            to: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 100), 80),
        },
        sequence: u32::MAX,
    };

    const V6: Segment = Segment {
        ends: Ends::V6 {
            from: SocketAddrV6::new(v6(1), 40_000, 0, 0),
            to: SocketAddrV6::new(v6(100), 80, 0, 0),
        },
        sequence: u32::MAX,
    };

    const fn v6(last: u16) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)
    }

    /// Where TCP begins.
    fn header(segment: &Segment) -> usize {
        match segment.ends {
            Ends::V4 { .. } => 20,
            Ends::V6 { .. } => 40,
        }
    }

    #[test]
    fn a_packet_is_whole_and_its_sums_are_right() {
        for segment in [V4, V6] {
            for (flags, sequence, bits) in [(Flags::Syn, u32::MAX, 2), (Flags::Reset, 0, 4)] {
                let packet = segment.bytes(flags);
                let at = header(&segment);
                assert_eq!(packet.len(), at + 20);
                match segment.ends {
                    Ends::V4 { .. } => {
                        assert_eq!(packet[2..4], [0, 40], "the whole packet");
                        assert_eq!(checksum(&packet[..20]), 0, "RFC 1071: zero over all");
                    }
                    Ends::V6 { .. } => assert_eq!(packet[4..6], [0, 20], "behind the header"),
                }
                let mut pseudo = packet[at - segment.ends.addresses().len()..at].to_vec();
                pseudo.extend([0, 0, 0, 20, 0, 0, 0, 6]);
                pseudo.extend(&packet[at..]);
                assert_eq!(checksum(&pseudo), 0);
                assert_eq!(packet[at + 4..at + 8], u32::to_be_bytes(sequence));
                assert_eq!(packet[at + 13], bits);
            }
        }
    }

    /// As a server answers.
    fn answer(segment: &Segment, flags: u8) -> Vec<u8> {
        let back = Segment {
            ends: segment.ends.back(),
            sequence: 7,
        };
        let mut packet = back.bytes(Flags::Syn);
        let at = header(segment);
        put(&mut packet, at + 8, 0);
        put(&mut packet, at + 10, 0);
        packet[at + 13] = flags;
        packet
    }

    #[test]
    fn only_an_answer_to_the_first_packet_is_one() {
        for (segment, bytes) in [
            (V4, [0, 9, 12, 16, 20, 22, 31]),
            (V6, [0, 6, 8, 24, 40, 42, 51]),
        ] {
            let said = |packet: &[u8]| segment.answer(packet);
            assert_eq!(said(&answer(&segment, 0x12)), Some(Said::Open));
            assert_eq!(said(&answer(&segment, 0x14)), Some(Said::Refused));
            for flags in [0x02, 0x10, 0x04, 0x11] {
                assert_eq!(said(&answer(&segment, flags)), None, "{flags:#x}");
            }
            for at in bytes {
                let mut other = answer(&segment, 0x12);
                // The version stands in the high half.
                other[at] ^= 0x11;
                assert_eq!(said(&other), None, "byte {at}");
            }
        }
        let options = {
            let mut packet = answer(&V4, 0x12);
            packet[0] = 0x46;
            packet.splice(20..20, [1; 4]);
            packet
        };
        assert_eq!(V4.answer(&options), Some(Said::Open));
    }

    #[test]
    fn ends_are_of_one_family() {
        let v4 = "10.0.0.1:80".parse().unwrap();
        let v6 = "[2001:db8::1]:80".parse().unwrap();
        assert!(Ends::new(v4, v4).is_some() && Ends::new(v6, v6).is_some());
        assert_eq!((Ends::new(v4, v6), Ends::new(v6, v4)), (None, None));
    }

    proptest! {
        #[test]
        fn no_packet_is_a_surprise(packet in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = (V4.answer(&packet), V6.answer(&packet));
        }
    }
}
