//! The way that a client's packets take: to the virtual address, at the door of this real server
//! (direct routing) or through its tunnel. A check of the server's own address does not see that the
//! virtual one is missing on its `lo`, or that its service is not bound to it.
//!
//! Half a handshake of TCP is made by hand: the director holds the virtual address itself, so its
//! kernel would neither send such a connection out nor take the answer, which comes from an address
//! of its own. The first packet leaves through a raw socket that IPVS leaves alone, the answer is
//! seen by a packet socket, and the connection is taken back before the server's program hears of it.
//! Nothing of this machine is changed: no rule, no route, no setting, nothing to clean up.

mod segment;

use super::means::TAPS_MAX;
use super::switch::Switch;
use super::{Answer, Means};
use segment::{Flags, Said, Segment};
use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// The first packet is sent so often, as packets get lost; each further pause is twice as long.
const SENDS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Packets looked at in one check; the filter lets through only what belongs to it.
const PACKETS_MAX: u32 = 100;
/// As much of a packet as is looked at.
const PACKET_BYTES: usize = 128;
/// For asking the kernel which of our addresses it would use; nothing is sent there.
const ANY_PORT: u16 = 9;

const ETHERTYPE_IPV4: u16 = 0x0800;
const PROTOCOL_IPIP: i32 = 4;
const PROTOCOL_GRE: i32 = 47;
const PROTOCOL_RAW: i32 = 255;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    pub(crate) virtual_server: SocketAddrV4,
    pub(crate) real: Ipv4Addr,
    pub(crate) wrap: Wrap,
    pub(crate) timeout: Duration,
}

/// How the director hands packets on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Wrap {
    /// As they are, to the real server's hardware address.
    Direct,
    Ipip,
    /// In UDP to this port.
    Gue(u16),
    Gre,
}

/// What the clients' way says of a server that is up otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Walked {
    /// It answers there as well, or it is this machine.
    Through,
    /// It does not, for this reason; or we could not find out.
    Not(Answer),
}

impl Path {
    pub(super) async fn walk(&self, means: &Means) -> Walked {
        // Whoever waits for a place does not spend the server's time.
        let place = timeout(self.timeout, means.taps.acquire()).await;
        let Ok(Ok(_place)) = place else {
            let text = format!("{TAPS_MAX} others are being asked on the clients' way");
            return Walked::Not(Answer::unasked(text));
        };
        let walk = Box::pin(self.shake_hands(means));
        let server = self.virtual_server;
        match means.awake.within(self.timeout, walk).await {
            Ok(Ok(None | Some(Said::Open))) => Walked::Through,
            Ok(Ok(Some(Said::Refused))) => Walked::Not(Answer::down(format!(
                "connection refused on the clients' way, at {server}"
            ))),
            Ok(Err(answer)) => Walked::Not(answer),
            Err(late) if late.ours => Walked::Not(Answer::too_slow()),
            Err(_) => Walked::Not(Answer::down(format!(
                "no answer on the clients' way, from {server}: is that address on its lo?"
            ))),
        }
    }

    /// What the server answers to the beginning of a connection; `None` if it is this machine.
    async fn shake_hands(&self, means: &Means) -> Result<Option<Said>, Answer> {
        let Some(source) = self.source(means)? else {
            return Ok(None);
        };
        let said = self.shake_hands_from(source, means).await;
        said.map(Some).map_err(|error| Answer::failed(&error))
    }

    async fn shake_hands_from(&self, source: Ipv4Addr, means: &Means) -> io::Result<Said> {
        // While this one holds the port nobody else connects from it.
        let port = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        port.bind(&SocketAddr::from((source, 0)).into())?;
        let local = port.local_addr()?.as_socket_ipv4();
        let local = local.ok_or_else(|| io::Error::other("no local port"))?;
        let segment = Segment {
            from: local,
            to: self.virtual_server,
            sequence: u32::from_ne_bytes(super::random::bytes()),
        };
        let tap = tap(&segment)?;
        let door = self.door(means)?;
        let send = |flags| door.send(&segment.bytes(flags));
        let mut left = PACKETS_MAX;
        let mut pause = FIRST_PAUSE;
        for turn in 1..=SENDS {
            send(Flags::Syn)?;
            let heard = hear(&tap, &segment, &mut left);
            let said = if turn < SENDS {
                let Ok(said) = timeout(pause, heard).await else {
                    pause *= 2;
                    continue;
                };
                said?
            } else {
                heard.await?
            };
            if said == Said::Open {
                // Whoever did not hear it lets the half connection go by itself.
                let _ = send(Flags::Reset);
            }
            return Ok(said);
        }
        Err(io::Error::other("nothing was sent"))
    }

    /// Our address on the way to the real server; `None` if that is ours as well.
    fn source(&self, means: &Means) -> Result<Option<Ipv4Addr>, Answer> {
        let real = SocketAddr::from((self.real, ANY_PORT));
        let socket = means.dialler.connect_udp(real);
        let local = socket.and_then(|socket| socket.local_addr());
        match local.map_err(|error| Answer::failed(&error))?.ip() {
            IpAddr::V4(source) if source == self.real => Ok(None),
            IpAddr::V4(source) if source == *self.virtual_server.ip() => Err(Answer::unasked(
                "the virtual address is our own on the way to it: checksource=ADDRESS names another",
            )),
            IpAddr::V4(source) => Ok(Some(source)),
            IpAddr::V6(_) => Err(Answer::unasked("no IPv4 address of ours leads to it")),
        }
    }

    /// Where packets for the virtual address leave to this real server.
    fn door(&self, means: &Means) -> io::Result<Door> {
        let (kind, protocol, port, header): (_, _, _, &'static [u8]) = match self.wrap {
            Wrap::Direct => (Type::RAW, PROTOCOL_RAW, 0, &[]),
            Wrap::Ipip => (Type::RAW, PROTOCOL_IPIP, 0, &[]),
            // No flags, and what it carries: IPv4 (RFC 2784).
            Wrap::Gre => (Type::RAW, PROTOCOL_GRE, 0, &[0, 0, 8, 0]),
            // Version 0, no options, what it carries: IPv4 (draft-ietf-intarea-gue).
            Wrap::Gue(port) => (Type::DGRAM, 0, port, &[0, 4, 0, 0]),
        };
        let protocol = (protocol != 0).then(|| Protocol::from(protocol));
        let socket = Socket::new(Domain::IPV4, kind, protocol)?;
        socket.set_nonblocking(true)?;
        let real = SocketAddr::from((self.real, port));
        means.dialler.prepare(&SockRef::from(&socket), real)?;
        if self.wrap == Wrap::Direct {
            Switch::NoDefragmentation.on(&SockRef::from(&socket))?;
        }
        Ok(Door {
            socket,
            real,
            header,
        })
    }
}

struct Door {
    socket: Socket,
    real: SocketAddr,
    /// Stands before each packet.
    header: &'static [u8],
}

impl Door {
    fn send(&self, packet: &[u8]) -> io::Result<()> {
        let bytes = [self.header, packet].concat();
        self.socket.send_to(&bytes, &self.real.into()).map(drop)
    }
}

/// Waits for what belongs to this handshake.
async fn hear(tap: &UdpSocket, segment: &Segment, left: &mut u32) -> io::Result<Said> {
    let mut buffer = [0; PACKET_BYTES];
    while *left > 0 {
        *left -= 1;
        let length = tap.recv(&mut buffer).await?;
        let packet = buffer.get(..length).unwrap_or_default();
        if let Some(said) = segment.answer(packet) {
            return Ok(said);
        }
    }
    Err(io::Error::other("a flood of packets that are no answer"))
}

/// Sees the answers before the kernel throws them away for coming from an address of ours.
fn tap(segment: &Segment) -> io::Result<UdpSocket> {
    let protocol = Protocol::from(i32::from(ETHERTYPE_IPV4.to_be()));
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol))?;
    socket.attach_filter(&filter(segment))?;
    socket.set_nonblocking(true)?;
    // A packet socket is waited for and read exactly as a UDP one.
    UdpSocket::from_std(socket.into())
}

/// Only TCP from the virtual server to our port, in whole packets: the tap of a busy director must
/// not see its traffic (classic BPF, as `tcpdump -dd` writes it).
fn filter(segment: &Segment) -> [SockFilter; 15] {
    const LOAD_WORD: u16 = 0x20;
    const LOAD_HALF: u16 = 0x28;
    const LOAD_BYTE: u16 = 0x30;
    const LOAD_HALF_BEHIND_HEADER: u16 = 0x48;
    const HEADER_LENGTH: u16 = 0xb1;
    const EQUAL: u16 = 0x15;
    const ANY_BIT: u16 = 0x45;
    const RETURN: u16 = 0x06;
    let load = |code, at| SockFilter::new(code, 0, 0, at);
    // Else to the end, so many steps on.
    let must_be = |value, steps| SockFilter::new(EQUAL, 0, steps, value);
    [
        load(LOAD_BYTE, 9),
        must_be(6, 12),
        load(LOAD_WORD, 12),
        must_be(u32::from(*segment.to.ip()), 10),
        load(LOAD_WORD, 16),
        must_be(u32::from(*segment.from.ip()), 8),
        load(LOAD_HALF, 6),
        SockFilter::new(ANY_BIT, 6, 0, 0x1fff),
        load(HEADER_LENGTH, 0),
        load(LOAD_HALF_BEHIND_HEADER, 0),
        must_be(segment.to.port().into(), 3),
        load(LOAD_HALF_BEHIND_HEADER, 2),
        must_be(segment.from.port().into(), 1),
        SockFilter::new(RETURN, 0, 0, PACKET_BYTES as u32),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests;
