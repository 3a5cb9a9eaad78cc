//! Packets of half a handshake as bytes (RFC 791, RFC 9293): no socket, no clock.

use std::net::SocketAddrV4;

const IP_HEADER_BYTES: u16 = 20;
const TCP_HEADER_BYTES: u16 = 20;
const PROTOCOL_TCP: u8 = 6;
const TIME_TO_LIVE: u8 = 64;
const DO_NOT_FRAGMENT: u16 = 0x4000;
const WINDOW: u16 = 64_240;

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// The beginning of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
    pub(super) sequence: u32,
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

impl Segment {
    /// A whole packet of IPv4.
    pub(super) fn bytes(&self, flags: Flags) -> Vec<u8> {
        let (flags, sequence) = match flags {
            Flags::Syn => (SYN, self.sequence),
            Flags::Reset => (RST, self.sequence.wrapping_add(1)),
        };
        let mut tcp = Vec::with_capacity(TCP_HEADER_BYTES.into());
        tcp.extend(self.from.port().to_be_bytes());
        tcp.extend(self.to.port().to_be_bytes());
        tcp.extend(sequence.to_be_bytes());
        // Acknowledges nothing; a header of five words.
        tcp.extend([0, 0, 0, 0, 5 << 4, flags]);
        tcp.extend(WINDOW.to_be_bytes());
        tcp.extend([0; 4]);
        let mut pseudo = [self.from.ip().octets(), self.to.ip().octets()].concat();
        pseudo.extend([0, PROTOCOL_TCP]);
        pseudo.extend(TCP_HEADER_BYTES.to_be_bytes());
        pseudo.extend(&tcp);
        put(&mut tcp, 16, checksum(&pseudo));

        let mut packet = vec![0x45, 0];
        packet.extend((IP_HEADER_BYTES + TCP_HEADER_BYTES).to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(DO_NOT_FRAGMENT.to_be_bytes());
        packet.extend([TIME_TO_LIVE, PROTOCOL_TCP, 0, 0]);
        packet.extend(self.from.ip().octets());
        packet.extend(self.to.ip().octets());
        let sum = checksum(&packet);
        put(&mut packet, 10, sum);
        packet.extend(tcp);
        packet
    }

    /// What a packet from there says to our first one; `None` if it is no answer to it.
    pub(super) fn answer(&self, packet: &[u8]) -> Option<Said> {
        let first = *packet.first()?;
        let length = usize::from(first & 15) * 4;
        if first >> 4 != 4 || length < IP_HEADER_BYTES.into() {
            return None;
        }
        let is = |at: usize, bytes: &[u8]| packet.get(at..at + bytes.len()) == Some(bytes);
        let belongs = is(9, &[PROTOCOL_TCP])
            && is(12, &self.to.ip().octets())
            && is(16, &self.from.ip().octets())
            && is(length, &self.to.port().to_be_bytes())
            && is(length + 2, &self.from.port().to_be_bytes())
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

    use super::{Flags, Said, Segment, checksum, put};
    use proptest::prelude::*;

    const SEGMENT: Segment = Segment {
        from: std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(10, 0, 0, 1), 40_000),
        to: std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(10, 0, 0, 100), 80),
        sequence: u32::MAX,
    };

    #[test]
    fn a_packet_is_whole_and_its_sums_are_right() {
        for (flags, sequence, bits) in [(Flags::Syn, u32::MAX, 2), (Flags::Reset, 0, 4)] {
            let packet = SEGMENT.bytes(flags);
            assert_eq!(packet.len(), 40);
            assert_eq!(packet[2..4], [0, 40]);
            assert_eq!(
                checksum(&packet[..20]),
                0,
                "RFC 1071: the sum over all is zero"
            );
            let mut pseudo = packet[12..20].to_vec();
            pseudo.extend([0, 6, 0, 20]);
            pseudo.extend(&packet[20..]);
            assert_eq!(checksum(&pseudo), 0);
            assert_eq!(packet[24..28], u32::to_be_bytes(sequence));
            assert_eq!(packet[33], bits);
        }
    }

    /// As a server answers.
    fn answer(flags: u8) -> Vec<u8> {
        let back = Segment {
            from: SEGMENT.to,
            to: SEGMENT.from,
            sequence: 7,
        };
        let mut packet = back.bytes(Flags::Syn);
        put(&mut packet, 28, 0);
        put(&mut packet, 30, 0);
        packet[33] = flags;
        packet
    }

    #[test]
    fn only_an_answer_to_the_first_packet_is_one() {
        assert_eq!(SEGMENT.answer(&answer(0x12)), Some(Said::Open));
        assert_eq!(SEGMENT.answer(&answer(0x14)), Some(Said::Refused));
        for flags in [0x02, 0x10, 0x04, 0x11] {
            assert_eq!(SEGMENT.answer(&answer(flags)), None, "{flags:#x}");
        }
        for at in [0, 9, 12, 16, 20, 22, 31] {
            let mut other = answer(0x12);
            other[at] ^= 1;
            assert_eq!(SEGMENT.answer(&other), None, "byte {at}");
        }
        let options = {
            let mut packet = answer(0x12);
            packet[0] = 0x46;
            packet.splice(20..20, [1; 4]);
            packet
        };
        assert_eq!(SEGMENT.answer(&options), Some(Said::Open));
    }

    proptest! {
        #[test]
        fn no_packet_is_a_surprise(packet in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = SEGMENT.answer(&packet);
        }
    }
}
