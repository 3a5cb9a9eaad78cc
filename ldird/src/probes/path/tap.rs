//! Sees the answers to half a handshake before the kernel throws them away, for coming from an address of
//! ours or for belonging to no connection.

use super::segment::{Ends, PROTOCOL_TCP, Said, Segment};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::io;
use tokio::net::UdpSocket;

/// As much of a packet as is looked at.
const PACKET_BYTES: usize = 128;

pub(super) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(super) const ETHERTYPE_IPV6: u16 = 0x86dd;

pub(super) struct Tap {
    socket: UdpSocket,
    /// Packets that are still looked at; the filter lets through only what belongs to it.
    left: u32,
}

impl Tap {
    pub(super) fn open(segment: &Segment, packets_max: u32) -> io::Result<Self> {
        let kind = match segment.ends {
            Ends::V4 { .. } => ETHERTYPE_IPV4,
            Ends::V6 { .. } => ETHERTYPE_IPV6,
        };
        let protocol = Protocol::from(i32::from(kind.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol))?;
        socket.attach_filter(&assembled(&filter(&segment.ends.back())))?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            // A packet socket is waited for and read exactly as a UDP one.
            socket: UdpSocket::from_std(socket.into())?,
            left: packets_max,
        })
    }

    /// Waits for what belongs to this handshake.
    pub(super) async fn hear(&mut self, segment: &Segment) -> io::Result<Said> {
        let mut buffer = [0; PACKET_BYTES];
        while self.left > 0 {
            self.left -= 1;
            let length = self.socket.recv(&mut buffer).await?;
            let packet = buffer.get(..length).unwrap_or_default();
            if let Some(said) = segment.answer(packet) {
                return Ok(said);
            }
        }
        Err(io::Error::other("a flood of packets that are no answer"))
    }
}

/// One instruction (classic BPF, as `tcpdump -dd` writes it). Whatever fails goes to the end, where nothing
/// passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Word(u32),
    Half(u32),
    Byte(u32),
    /// From here on places count from the end of IPv4's header.
    MeasureHeader,
    HalfBehindHeader(u32),
    MustBe(u32),
    MustLack(u32),
}

/// Only TCP between these ends, in whole packets: the tap of a busy director must not see its traffic.
fn filter(ends: &Ends) -> Vec<Step> {
    let (protocol_at, addresses_at) = match ends {
        Ends::V4 { .. } => (9, 12),
        Ends::V6 { .. } => (6, 8),
    };
    let mut steps = vec![Step::Byte(protocol_at), Step::MustBe(PROTOCOL_TCP.into())];
    for (at, word) in (addresses_at..).step_by(4).zip(ends.addresses().chunks(4)) {
        let word = word
            .iter()
            .fold(0, |sum, byte| (sum << 8) | u32::from(*byte));
        steps.extend([Step::Word(at), Step::MustBe(word)]);
    }
    let (from, to) = ends.ports();
    let (from, to) = (Step::MustBe(from.into()), Step::MustBe(to.into()));
    match ends {
        Ends::V4 { .. } => {
            const FRAGMENT: u32 = 0x1fff;
            steps.extend([Step::Half(6), Step::MustLack(FRAGMENT), Step::MeasureHeader]);
            steps.extend([
                Step::HalfBehindHeader(0),
                from,
                Step::HalfBehindHeader(2),
                to,
            ]);
        }
        Ends::V6 { .. } => steps.extend([Step::Half(40), from, Step::Half(42), to]),
    }
    steps
}

/// With the two ends: what came through all steps passes, as much of it as is looked at.
fn assembled(steps: &[Step]) -> Vec<SockFilter> {
    const RETURN: u16 = 0x06;
    let to_the_end = |index: usize| u8::try_from(steps.len() - index).unwrap_or(u8::MAX);
    let assemble = |(index, step): (usize, &Step)| match *step {
        Step::Word(at) => SockFilter::new(0x20, 0, 0, at),
        Step::Half(at) => SockFilter::new(0x28, 0, 0, at),
        Step::Byte(at) => SockFilter::new(0x30, 0, 0, at),
        Step::MeasureHeader => SockFilter::new(0xb1, 0, 0, 0),
        Step::HalfBehindHeader(at) => SockFilter::new(0x48, 0, 0, at),
        Step::MustBe(value) => SockFilter::new(0x15, 0, to_the_end(index), value),
        Step::MustLack(bits) => SockFilter::new(0x45, to_the_end(index), 0, bits),
    };
    let mut program: Vec<SockFilter> = steps.iter().enumerate().map(assemble).collect();
    program.push(SockFilter::new(RETURN, 0, 0, PACKET_BYTES as u32));
    program.push(SockFilter::new(RETURN, 0, 0, 0));
    program
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::segment::{Ends, Flags, Segment};
    use super::{Step, assembled, filter};

    fn ends(from: &str, to: &str) -> Ends {
        Ends::new(from.parse().unwrap(), to.parse().unwrap()).unwrap()
    }

    /// As the kernel runs it.
    fn passes(steps: &[Step], packet: &[u8]) -> bool {
        let number = |at: u32, width: usize| {
            let bytes = packet.get(at as usize..at as usize + width)?;
            Some(
                bytes
                    .iter()
                    .fold(0, |sum, byte| (sum << 8) | u32::from(*byte)),
            )
        };
        let (mut loaded, mut header) = (0, 0);
        steps.iter().all(|step| {
            let found = match *step {
                Step::Word(at) => number(at, 4),
                Step::Half(at) => number(at, 2),
                Step::Byte(at) => number(at, 1),
                Step::HalfBehindHeader(at) => number(header + at, 2),
                Step::MeasureHeader => {
                    header = u32::from(packet[0] & 15) * 4;
                    return true;
                }
                Step::MustBe(value) => return loaded == value,
                Step::MustLack(bits) => return loaded & bits == 0,
            };
            loaded = found.unwrap_or_default();
            found.is_some()
        })
    }

    #[test]
    fn only_what_belongs_to_the_handshake_passes() {
        for (from, to, fixed) in [
            (
                "10.0.0.100:80",
                "10.0.0.1:40000",
                vec![7, 9, 12, 15, 16, 19, 20, 21, 22, 23],
            ),
            (
                "[2001:db8::64]:80",
                "[2001:db8::1]:40000",
                vec![6, 8, 12, 16, 23, 24, 28, 32, 39, 40, 41, 42, 43],
            ),
        ] {
            let ends = ends(from, to);
            let steps = filter(&ends);
            let packet = Segment { ends, sequence: 7 }.bytes(Flags::Syn);
            assert!(passes(&steps, &packet), "{from}");
            for at in fixed {
                let mut other = packet.clone();
                other[at] ^= 1;
                assert!(!passes(&steps, &other), "{from}: byte {at}");
            }
            assert!(!passes(&steps, &packet[..20]), "{from}: cut off");
        }
    }

    #[test]
    fn options_of_ipv4_are_skipped() {
        let ends = ends("10.0.0.100:80", "10.0.0.1:40000");
        let mut packet = Segment { ends, sequence: 7 }.bytes(Flags::Syn);
        packet[0] = 0x46;
        packet.splice(20..20, [1; 4]);
        assert!(passes(&filter(&ends), &packet));
    }

    /// The jumps count instructions: too many would be cut.
    #[test]
    fn a_program_ends_behind_its_last_step() {
        let steps = filter(&ends("[2001:db8::64]:80", "[2001:db8::1]:40000"));
        assert!(steps.len() < 255);
        assert_eq!(assembled(&steps).len(), steps.len() + 2);
    }
}
