//! Hearing what others send and receive, without a part in it: a packet socket with a filter on the
//! port (packet(7), bpf(4)), which is only ever read.
//!
//! An ordinary socket would not do. Beside a live daemon the kernel gives a broadcast to every socket
//! of the port, but a unicast to one of them only: to ours, and the daemon would take its peer for
//! dead. And none would hear what this machine itself sends.

use super::datagram::Datagram;
use crate::config::MediumSpec;
use crate::link_address::link_address;
use crate::media::poll_datagram;
use hbd_core::config::{LinkId, Received};
use hbd_core::shadow::Input;
use hbd_core::wire::{self, Keys};
use rustix::net::{RecvFlags, recv};
use socket2::{Domain, SockFilter, Socket, Type};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::task::{Context, Poll};
use tokio::net::UdpSocket;

/// Both directions, every protocol: what this machine sends is shown to no other kind of tap.
const ETH_P_ALL: u16 = 0x0003;
/// A stall of this length is survived: at some 1,500 bytes that a packet takes there, thousands.
const RECEIVE_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// The longest IPv4 packet.
const BUFFER_BYTES: usize = 65_535;
/// Packets that are taken in one turn of the loop.
const TURN_PACKETS: usize = 1024;

/// One interface and port, and the media that are heard there.
pub(super) struct Tap {
    device: String,
    port: u16,
    links: Vec<(LinkId, MediumSpec)>,
    /// Also what is not meant for this machine, for a switch that mirrors it here.
    promiscuous: bool,
    open: Option<(u32, UdpSocket)>,
    /// Why it is closed.
    trouble: Option<String>,
    buffer: Box<[u8]>,
}

/// A heartbeat that somebody sent, not verified yet.
pub(super) struct Overheard<'a> {
    pub(super) link: LinkId,
    pub(super) packet: &'a [u8],
}

impl Overheard<'_> {
    /// What it says, if its digest is right.
    pub(super) fn verify(&self, keys: &Keys) -> Input {
        let link = self.link;
        match wire::decode(self.packet, keys) {
            Ok(message) => Input::Received(Received { link, message }),
            Err(error) => Input::Rejected {
                link,
                reason: error.reason(),
            },
        }
    }
}

impl Tap {
    /// Taps for these media; serial lines have none. `apart`: on none of the cluster's machines.
    pub(super) fn all(media: Vec<(LinkId, MediumSpec)>, apart: bool) -> Vec<Self> {
        let mut taps: Vec<Self> = Vec::new();
        for (link, medium) in media {
            let port = match &medium {
                MediumSpec::Bcast { port, .. } => *port,
                MediumSpec::Mcast { group, .. } => group.port(),
                MediumSpec::Ucast { peer, .. } => peer.port,
                MediumSpec::Serial { .. } => continue,
            };
            let device = medium.device().to_owned();
            let unicast = matches!(medium, MediumSpec::Ucast { .. });
            let known = |tap: &&mut Self| tap.device == device && tap.port == port;
            if let Some(tap) = taps.iter_mut().find(known) {
                tap.promiscuous |= apart && unicast;
                tap.links.push((link, medium));
                continue;
            }
            taps.push(Self {
                device,
                port,
                links: vec![(link, medium)],
                promiscuous: apart && unicast,
                open: None,
                trouble: None,
                buffer: vec![0; BUFFER_BYTES].into(),
            });
        }
        taps
    }

    /// Opens it, or opens it anew if the interface is another one than before. What there is to tell.
    pub(super) fn look(&mut self) -> Option<Result<String, String>> {
        let index = index_of(&self.device);
        if index.is_some() && index == self.open.as_ref().map(|(index, _)| *index) {
            return None;
        }
        self.open = None;
        let opened = index
            .ok_or_else(|| "there is no such interface".to_owned())
            .and_then(|index| {
                let socket = self.socket(index).map_err(|error| error.to_string())?;
                Ok((index, socket))
            });
        let (device, port) = (&self.device, self.port);
        match opened {
            Ok(open) => {
                self.open = Some(open);
                self.trouble = None;
                Some(Ok(format!("Listening on {device}, port {port}")))
            }
            Err(why) => {
                let told = self.trouble.as_ref() == Some(&why);
                let text = format!("cannot listen on {device}, port {port}: {why}");
                self.trouble = Some(why);
                (!told).then_some(Err(text))
            }
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn socket(&self, index: u32) -> io::Result<UdpSocket> {
        // With protocol 0 nothing comes in before it is bound, and by then it is filtered.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        socket.attach_filter(&filter(self.port))?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        socket.bind(&link_address(index, ETH_P_ALL)?)?;
        // Without it (kernels before 4.12) a message in fragments is not heard.
        let _ = options::defragment(&socket);
        for (_, medium) in &self.links {
            if let MediumSpec::Mcast { group, .. } = medium {
                options::admit_group(&socket, index, group.ip())?;
            }
        }
        if self.promiscuous {
            options::admit_everything(&socket, index)?;
        }
        // The runtime watches any socket as one of these; only its readiness is used.
        UdpSocket::from_std(socket.into())
    }

    /// Ready when a packet can be taken.
    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let Some((_, socket)) = &self.open else {
            return Poll::Pending;
        };
        poll_datagram(socket, context)
    }

    /// Takes what has arrived, at most [`TURN_PACKETS`].
    pub(super) fn receive(&mut self, mut each: impl FnMut(Overheard<'_>)) {
        for _ in 0..TURN_PACKETS {
            let Some((_, socket)) = &self.open else {
                return;
            };
            let received = recv(socket, &mut *self.buffer, RecvFlags::DONTWAIT);
            let length = match received {
                Ok((length, _)) => length,
                Err(rustix::io::Errno::WOULDBLOCK) => return,
                // The interface has gone: the next look opens it anew.
                Err(rustix::io::Errno::NETDOWN | rustix::io::Errno::NODEV) => {
                    self.open = index_of(&self.device).and(self.open.take());
                    continue;
                }
                Err(_) => continue,
            };
            let packet = self.buffer.get(..length).unwrap_or_default();
            let Some(datagram) = Datagram::read(packet) else {
                continue;
            };
            if let Some(link) = link_of(&self.links, &datagram) {
                each(Overheard {
                    link,
                    packet: datagram.payload,
                });
            }
        }
    }
}

/// The medium that a datagram travels on: a group's by its address; the unicast one whose peer gets
/// it or has sent it; else the broadcast one.
fn link_of(links: &[(LinkId, MediumSpec)], datagram: &Datagram<'_>) -> Option<LinkId> {
    let found = |wanted: &dyn Fn(&MediumSpec) -> bool| {
        let link = links.iter().find(|(_, medium)| wanted(medium));
        link.map(|(link, _)| *link)
    };
    if datagram.destination.is_multicast() {
        return found(&|medium| match medium {
            MediumSpec::Mcast { group, .. } => group.ip() == datagram.destination,
            MediumSpec::Bcast { .. } | MediumSpec::Ucast { .. } | MediumSpec::Serial { .. } => {
                false
            }
        });
    }
    let to = |ip: IpAddr| move |medium: &MediumSpec| medium.peer() == Some(ip);
    found(&to(datagram.destination))
        .or_else(|| found(&to(datagram.source)))
        .or_else(|| found(&|medium| matches!(medium, MediumSpec::Bcast { .. })))
}

fn index_of(device: &str) -> Option<u32> {
    let text = fs::read_to_string(format!("/sys/class/net/{device}/ifindex")).ok()?;
    text.trim().parse().ok()
}

/// UDP to this port, of either family, whole or as its first fragment, without a VLAN tag: tagged
/// packets are those of another interface.
fn filter(port: u16) -> [SockFilter; 18] {
    /// `SKF_AD_OFF`, and what lies there.
    const EXTRA: u32 = 0xffff_f000;
    const PROTOCOL: u32 = EXTRA;
    const VLAN_TAG_PRESENT: u32 = EXTRA + 48;
    const LOAD_WORD: u16 = 0x20;
    const LOAD_HALF: u16 = 0x28;
    const LOAD_BYTE: u16 = 0x30;
    const LOAD_HALF_AT_X: u16 = 0x48;
    const HEADER_LENGTH_TO_X: u16 = 0xb1;
    const IS_EQUAL: u16 = 0x15;
    const HAS_BITS: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const UDP: u32 = 17;
    let port = u32::from(port);
    let line = SockFilter::new;
    [
        line(LOAD_WORD, 0, 0, VLAN_TAG_PRESENT),
        line(IS_EQUAL, 0, 14, 0),
        line(LOAD_HALF, 0, 0, PROTOCOL),
        line(IS_EQUAL, 0, 7, 0x0800),
        // IPv4.
        line(LOAD_BYTE, 0, 0, 9),
        line(IS_EQUAL, 0, 10, UDP),
        line(LOAD_HALF, 0, 0, 6),
        line(HAS_BITS, 8, 0, 0x1fff),
        line(HEADER_LENGTH_TO_X, 0, 0, 0),
        line(LOAD_HALF_AT_X, 0, 0, 2),
        line(IS_EQUAL, 6, 5, port),
        line(IS_EQUAL, 0, 4, 0x86dd),
        // IPv6 without extension headers.
        line(LOAD_BYTE, 0, 0, 6),
        line(IS_EQUAL, 0, 2, UDP),
        line(LOAD_HALF, 0, 0, 42),
        line(IS_EQUAL, 1, 0, port),
        line(RETURN, 0, 0, 0),
        line(RETURN, 0, 0, u32::MAX),
    ]
}

/// Options of packet sockets that no crate of ours knows.
mod options {
    use super::{IpAddr, Socket, io};
    use std::os::fd::AsRawFd as _;

    /// The kernel puts fragments together again (a group of one socket, `PACKET_FANOUT_FLAG_DEFRAG`).
    pub(super) fn defragment(socket: &Socket) -> io::Result<()> {
        /// `PACKET_FANOUT_FLAG_DEFRAG` and `PACKET_FANOUT_FLAG_UNIQUEID`, in the upper half.
        const ALONE_WHOLE: u32 = 0xa000_0000;
        set(socket, libc::PACKET_FANOUT, &ALONE_WHOLE)
    }

    /// The interface lets frames for the group pass. Unlike joining, that is told to nobody.
    pub(super) fn admit_group(socket: &Socket, index: u32, group: IpAddr) -> io::Result<()> {
        let mac = match group {
            IpAddr::V4(ip) => {
                let [_, b, c, d] = ip.octets();
                [0x01, 0x00, 0x5e, b & 0x7f, c, d]
            }
            IpAddr::V6(ip) => {
                let [.., a, b, c, d] = ip.octets();
                [0x33, 0x33, a, b, c, d]
            }
        };
        membership(socket, index, libc::PACKET_MR_MULTICAST, mac)
    }

    pub(super) fn admit_everything(socket: &Socket, index: u32) -> io::Result<()> {
        membership(socket, index, libc::PACKET_MR_PROMISC, [0; 6])
    }

    fn membership(socket: &Socket, index: u32, kind: libc::c_int, mac: [u8; 6]) -> io::Result<()> {
        let mut address = [0; 8];
        address[..mac.len()].copy_from_slice(&mac);
        let request = libc::packet_mreq {
            mr_ifindex: i32::try_from(index).map_err(io::Error::other)?,
            mr_type: u16::try_from(kind).map_err(io::Error::other)?,
            mr_alen: 6,
            mr_address: address,
        };
        set(socket, libc::PACKET_ADD_MEMBERSHIP, &request)
    }

    #[expect(unsafe_code, reason = "neither std nor socket2 knows these options")]
    fn set<T>(socket: &Socket, name: libc::c_int, value: &T) -> io::Result<()> {
        let length = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
        // SAFETY: the value is plain data that lives through the call, its length is its own, and the
        // descriptor belongs to the socket.
        let done = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_PACKET,
                name,
                std::ptr::from_ref(value).cast(),
                length,
            )
        };
        if done == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

#[cfg(test)]
mod tests;
