//! Where packets for the virtual address leave to one real server: as IPVS sends them, and past IPVS, which
//! would choose a server for them.

use super::super::switch::Switch;
use super::super::{Answer, Dialler};
use super::next_hop::NextHop;
use super::segment::Ends;
use super::tap::{ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

const PROTOCOL_IPIP: u8 = 4;
const PROTOCOL_IPV6: u8 = 41;
const PROTOCOL_GRE: i32 = 47;
const PROTOCOL_RAW: i32 = 255;

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

pub(super) struct Door {
    socket: Socket,
    to: SockAddr,
    /// Stands before each packet.
    header: Vec<u8>,
}

impl Door {
    /// To this real server, for packets of such ends.
    pub(super) fn open(
        wrap: Wrap,
        real: IpAddr,
        ends: &Ends,
        dialler: &Dialler,
    ) -> Result<Self, Answer> {
        let door = match (wrap, real) {
            (Wrap::Direct, IpAddr::V6(real)) => return Self::past_the_stack(real, dialler),
            (Wrap::Direct, IpAddr::V4(_)) => Self::raw(PROTOCOL_RAW, real, Vec::new(), dialler),
            (Wrap::Ipip, _) => Self::raw(protocol_of(ends).into(), real, Vec::new(), dialler),
            // No flags, and what it carries (RFC 2784).
            (Wrap::Gre, _) => {
                let [high, low] = ethertype_of(ends).to_be_bytes();
                Self::raw(PROTOCOL_GRE, real, vec![0, 0, high, low], dialler)
            }
            // Version 0, no options, what it carries (draft-ietf-intarea-gue).
            (Wrap::Gue(port), _) => {
                let header = vec![0, protocol_of(ends), 0, 0];
                let real = SocketAddr::new(real, port);
                Self::of(Type::DGRAM, None, real, header, dialler)
            }
        };
        let door = door.and_then(|door| {
            // What belongs to no tunnel carries the virtual address itself.
            if wrap == Wrap::Direct {
                Switch::NoDefragmentation.on(&SockRef::from(&door.socket))?;
            }
            Ok(door)
        });
        door.map_err(|error| Answer::failed(&error))
    }

    fn raw(protocol: i32, real: IpAddr, header: Vec<u8>, dialler: &Dialler) -> io::Result<Self> {
        let protocol = Some(Protocol::from(protocol));
        Self::of(
            Type::RAW,
            protocol,
            SocketAddr::new(real, 0),
            header,
            dialler,
        )
    }

    fn of(
        kind: Type,
        protocol: Option<Protocol>,
        real: SocketAddr,
        header: Vec<u8>,
        dialler: &Dialler,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(real), kind, protocol)?;
        socket.set_nonblocking(true)?;
        dialler.prepare(&SockRef::from(&socket), real)?;
        let to = real.into();
        Ok(Self { socket, to, header })
    }

    /// Of IPv6 no raw socket gets past IPVS (`ip_vs_in` asks for IPv4's option only): the packet is given
    /// to the link itself.
    fn past_the_stack(real: Ipv6Addr, dialler: &Dialler) -> Result<Self, Answer> {
        let hop = NextHop::to(real, dialler).map_err(|error| {
            Answer::unasked(format!(
                "the hardware address of {real} is not known: {error}"
            ))
        })?;
        let door = || {
            // Protocol 0 receives nothing.
            let socket = Socket::new(Domain::PACKET, Type::DGRAM, None)?;
            socket.set_nonblocking(true)?;
            if dialler.mark != 0 {
                socket.set_mark(dialler.mark)?;
            }
            let (to, header) = (link_address(hop)?, Vec::new());
            io::Result::Ok(Self { socket, to, header })
        };
        door().map_err(|error| Answer::failed(&error))
    }

    pub(super) fn send(&self, packet: &[u8]) -> io::Result<()> {
        let bytes = [self.header.as_slice(), packet].concat();
        self.socket.send_to(&bytes, &self.to).map(drop)
    }
}

fn protocol_of(ends: &Ends) -> u8 {
    match ends {
        Ends::V4 { .. } => PROTOCOL_IPIP,
        Ends::V6 { .. } => PROTOCOL_IPV6,
    }
}

fn ethertype_of(ends: &Ends) -> u16 {
    match ends {
        Ends::V4 { .. } => ETHERTYPE_IPV4,
        Ends::V6 { .. } => ETHERTYPE_IPV6,
    }
}

#[expect(
    unsafe_code,
    reason = "neither std nor socket2 can build a sockaddr_ll"
)]
fn link_address(hop: NextHop) -> io::Result<SockAddr> {
    let mut hardware = [0; 8];
    hardware[..6].copy_from_slice(&hop.hardware);
    let address = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?,
        sll_protocol: ETHERTYPE_IPV6.to_be(),
        sll_ifindex: i32::try_from(hop.link).map_err(io::Error::other)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: hardware,
    };
    let length = size_of::<libc::sockaddr_ll>();
    let length = libc::socklen_t::try_from(length).map_err(io::Error::other)?;
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is one of the address structures that a `sockaddr_storage` is made to
    // hold, it is plain data, and `view_as` checks that it fits.
    unsafe {
        *storage.view_as::<libc::sockaddr_ll>() = address;
    }
    // SAFETY: the storage holds an initialised `sockaddr_ll` of that length with its family set.
    Ok(unsafe { SockAddr::new(storage, length) })
}
