//! The ping check: an ICMP echo request is answered in time (specification 2.5), for both families.
//!
//! A reply is recognised by the random bytes it brings back, so it does not matter whether the
//! kernel chose the identifier (datagram socket) or we did (raw socket).

use super::awake::Late;
use super::{Answer, Dialler, Means};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;

/// Data bytes of an echo request, as the old daemon sends.
const DATA_BYTES: usize = 64;
/// Type, code, checksum, identifier, sequence (RFC 792, RFC 4443 section 4.1).
const HEADER_BYTES: usize = 8;
const ECHO_REQUEST_V4: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;
/// The largest reply that matters: an IPv4 header with options comes with raw sockets.
const REPLY_BYTES: usize = 60 + HEADER_BYTES + DATA_BYTES;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Ping {
    pub(crate) target: IpAddr,
    /// Requests sent before the server counts as silent, at least 1.
    pub(crate) attempts: u32,
    /// How long each waits for its reply.
    pub(crate) timeout: Duration,
    /// For servers that may filter ICMP: silence is up, only a host that cannot be reached is down.
    pub(crate) lenient: bool,
}

impl Ping {
    pub(super) async fn ask(&self, means: &Means) -> Answer {
        // One whole attempt without a reply is evidence.
        let mut ours = true;
        for attempt in 0..self.attempts.max(1) {
            let exchange = self.exchange(attempt as u16, &means.dialler);
            match means.awake.within(self.timeout, exchange).await {
                Ok(Ok(())) => return Answer::up("echo reply"),
                Ok(Err(error)) => return Answer::failed(&error),
                Err(Late { ours: late }) => ours &= late,
            }
        }
        if ours {
            Answer::too_slow()
        } else if self.lenient {
            Answer::up("no echo reply, which may be filtered")
        } else {
            Answer::down("no echo reply")
        }
    }

    async fn exchange(&self, sequence: u16, dialler: &Dialler) -> io::Result<()> {
        // An ICMP socket is waited for, written and read exactly as a UDP one.
        let socket = UdpSocket::from_std(open(self.target, dialler)?.into())?;
        let request = request(self.target.is_ipv6(), sequence, token());
        socket.send(&request).await?;
        let mut buffer = [0; REPLY_BYTES];
        loop {
            let length = socket.recv(&mut buffer).await?;
            if is_reply(&request, buffer.get(..length).unwrap_or_default()) {
                return Ok(());
            }
        }
    }
}

/// Datagram sockets need no privilege where the system allows them; raw ones need it everywhere.
fn open(target: IpAddr, dialler: &Dialler) -> io::Result<Socket> {
    let (domain, protocol) = match target {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(protocol))
        .or_else(|_| Socket::new(domain, Type::RAW, Some(protocol)))?;
    socket.set_nonblocking(true)?;
    let target = SocketAddr::new(target, 0);
    dialler.prepare(&SockRef::from(&socket), target)?;
    // Only packets of that address are received from then on.
    socket.connect(&target.into())?;
    Ok(socket)
}

/// Fresh for every request, so that an old reply is none.
fn token() -> [u8; 8] {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0).to_ne_bytes()
}

fn request(v6: bool, sequence: u16, token: [u8; 8]) -> Vec<u8> {
    let kind = if v6 { ECHO_REQUEST_V6 } else { ECHO_REQUEST_V4 };
    let [high, low] = sequence.to_be_bytes();
    let [a, b, ..] = token;
    let mut packet = vec![kind, 0, 0, 0, a, b, high, low];
    packet.extend(token.iter().cycle().take(DATA_BYTES));
    // For IPv6 the kernel computes it, over addresses that we do not know yet.
    if !v6 {
        let [high, low] = checksum(&packet).to_be_bytes();
        for (to, from) in packet.iter_mut().skip(2).zip([high, low]) {
            *to = from;
        }
    }
    packet
}

/// Does the packet end in an echo reply with our data?
fn is_reply(request: &[u8], packet: &[u8]) -> bool {
    let (Some(kind), Some(data)) = (request.first(), request.get(HEADER_BYTES..)) else {
        return false;
    };
    // Raw IPv4 sockets give the IP header, too.
    let start = match packet.first() {
        Some(first) if first >> 4 == 4 && packet.len() > request.len() => {
            usize::from(first & 15) * 4
        }
        _ => 0,
    };
    let reply_kind = if *kind == ECHO_REQUEST_V6 { 129 } else { 0 };
    packet.get(start) == Some(&reply_kind) && packet.get(start + HEADER_BYTES..) == Some(data)
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| {
        let high = pair.first().copied().unwrap_or_default();
        let low = pair.get(1).copied().unwrap_or_default();
        u32::from(u16::from_be_bytes([high, low]))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests;
