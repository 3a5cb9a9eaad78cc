//! Ping nodes (Heartbeat specification 3.7): with every status that leaves, each is sent an ICMP echo
//! request, and what comes back and proves to be the answer to one of them becomes an input.
//!
//! As of old a request carries a signed message as if the ping node had said it. Ours says beside
//! which life of this node asked, and which of its requests this is: an answer counts once, and one
//! that was recorded in an earlier life does not count at all. A raw socket hears every answer to
//! anybody on this machine; a filter in the kernel leaves those to our identifier, so that a busy
//! monitor beside us costs no wakeups.

use super::outlet::trouble;
use super::receiver::poll_datagram;
use super::{Heard, Told};
use crate::config::host::interface_index;
use crate::config::ping::{PingHost, PingSpec};
use ha_status::{SendTrouble, Severity};
use hbd_core::config::LinkId;
use hbd_core::input::Input;
use hbd_core::table::Table;
use hbd_core::wire::{self, Keys, Message};
use rustix::net::{RecvFlags, recv};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;

/// An answer to a request so many requests ago is no news.
const WINDOW: u64 = 128;
/// An answer to the longest request, an IPv4 header with options included; longer ones are cut.
const ANSWER_BYTES: usize = 1024;
/// Type, code, checksum, identifier, sequence (RFC 792, RFC 4443 section 4.1).
const HEADER_BYTES: usize = 8;
/// What the message says it is.
const KIND: &str = "NS_st";
/// The field that says when it was sent, microseconds of this life, hex.
const SENT_AT: &str = "at";

/// The ping nodes, and a channel for each family.
pub struct Pings {
    nodes: Table<LinkId, Node>,
    v4: Channel,
    v6: Channel,
    /// This life of the node.
    generation: u64,
    /// Requests for each node so far.
    asked: u64,
    /// From when the times in them count.
    began: Instant,
    /// Not more often than this, however much this node has to say.
    pace: Duration,
    next: Option<Instant>,
}

struct Node {
    spec: PingSpec,
    /// The last request that was answered.
    answered: u64,
    sending: Result<(), SendTrouble>,
}

/// The socket for all hosts of a family.
struct Channel {
    six: bool,
    identifier: [u8; 2],
    open: Option<UdpSocket>,
    /// Why there is none.
    trouble: Option<String>,
}

impl Pings {
    /// For the life of this generation, which says something each `keepalive`.
    pub fn new(nodes: Table<LinkId, PingSpec>, generation: u64, keepalive: Duration) -> Self {
        let node = |(id, spec): (LinkId, &PingSpec)| {
            let node = Node {
                spec: spec.clone(),
                answered: 0,
                sending: Ok(()),
            };
            (id, node)
        };
        Self {
            nodes: nodes.iter().map(node).collect(),
            v4: Channel::new(false),
            v6: Channel::new(true),
            generation,
            asked: 0,
            began: Instant::now(),
            // A heartbeat that is a little early must not be passed over.
            pace: keepalive / 2,
            next: None,
        }
    }

    /// Opens what is needed and not open; says so once.
    pub(super) fn open(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        for channel in [&mut self.v4, &mut self.v6] {
            let mut nodes = self.nodes.values();
            if nodes.any(|node| node.spec.is_ipv6() == channel.six) {
                told.extend(channel.open());
            }
        }
        told
    }

    /// Is something closed that another try may open?
    pub(super) fn is_unfinished(&self) -> bool {
        self.v4.trouble.is_some() || self.v6.trouble.is_some()
    }

    pub(super) fn unresolved(&self) -> BTreeSet<String> {
        let names = self.nodes.values().flat_map(|node| node.spec.unresolved());
        names.map(str::to_owned).collect()
    }

    pub(super) fn resolve(&mut self, name: &str, ip: IpAddr) {
        for node in self.nodes.values_mut() {
            node.spec.resolve(name, ip);
        }
    }

    /// Sends one request to every host, as a status leaves; what that changed.
    pub(super) fn ask(&mut self, status: &Message, keys: &Keys) -> Vec<Input> {
        let now = Instant::now();
        if self.next.is_some_and(|next| now < next) {
            return Vec::new();
        }
        self.next = Some(now + self.pace);
        self.asked = self.asked.saturating_add(1);
        let asked = self.asked;
        let mark = Mark {
            generation: self.generation,
            number: asked,
            at: microseconds(now.saturating_duration_since(self.began)),
        };
        let mut changes = Vec::new();
        for (link, node) in self.nodes.iter_mut() {
            let message = request(&node.spec, status, mark);
            let Ok(payload) = wire::encode_netstring(&message, keys) else {
                continue;
            };
            let channel = if node.spec.is_ipv6() {
                &self.v6
            } else {
                &self.v4
            };
            let hosts = node.spec.hosts.iter();
            let results = hosts.map(|host| channel.send(address(host)?, asked, &payload));
            // A group is asked if one of its hosts is, but each of them is sent something.
            let results: Vec<Result<(), SendTrouble>> = results.collect();
            let worst = results.first().copied().unwrap_or(Ok(()));
            let result = results.into_iter().find(Result::is_ok).unwrap_or(worst);
            if std::mem::replace(&mut node.sending, result) != result {
                changes.push(Input::LinkWrite { link, result });
            }
        }
        changes
    }

    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut sockets = [&self.v4.open, &self.v6.open].into_iter().flatten();
        if sockets.any(|socket| poll_datagram(socket, context).is_ready()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Takes at most so many packets from each socket and appends the answers among them.
    pub(super) fn receive(&mut self, limit: usize, keys: &Keys, heard: &mut Vec<Heard>) {
        let payloads = [&self.v4, &self.v6].map(|channel| channel.receive(limit));
        for payload in payloads.into_iter().flatten() {
            // What is not signed is not ours: the identifier may be another program's as well.
            let Ok(message) = wire::decode(&payload, keys) else {
                continue;
            };
            if let Some((ping, took)) = self.answered(&message, Instant::now()) {
                heard.push(Heard {
                    from: None,
                    input: Input::PingAnswered { ping, took },
                });
            }
        }
    }

    /// Whose answer it is, if it is one, and how long after its request it is here.
    fn answered(&mut self, message: &Message, now: Instant) -> Option<(LinkId, Duration)> {
        let number = message.hex("seq")?;
        let ours = message.kind() == KIND && message.hex("hg") == Some(self.generation);
        if !ours || number > self.asked || self.asked - number >= WINDOW {
            return None;
        }
        let name = message.text("src")?;
        let mut nodes = self.nodes.iter_mut();
        let (link, node) = nodes.find(|(_, node)| node.spec.name.as_str() == name)?;
        if number <= node.answered {
            return None;
        }
        let asked = Duration::from_micros(message.hex(SENT_AT)?);
        node.answered = number;
        let took = now.saturating_duration_since(self.began);
        Some((link, took.saturating_sub(asked)))
    }
}

impl Channel {
    fn new(six: bool) -> Self {
        // As of old: the low half of the process's number, in the host's order of bytes.
        let [_, _, high, low] = std::process::id().to_be_bytes();
        Self {
            six,
            identifier: u16::from_be_bytes([high, low]).to_ne_bytes(),
            open: None,
            trouble: None,
        }
    }

    /// The line that is due, if any.
    fn open(&mut self) -> Option<Told> {
        if self.open.is_some() {
            return None;
        }
        let trouble = match socket(self.six, self.identifier) {
            Ok(socket) => {
                self.open = Some(socket);
                self.trouble = None;
                return Some((Severity::Info, "ping heartbeat started.".to_owned()));
            }
            Err(error) => error.to_string(),
        };
        let family = if self.six { "IPv6 " } else { "" };
        let text = format!("{family}ping nodes cannot be asked: {trouble}");
        let news = self.trouble.as_ref() != Some(&trouble);
        self.trouble = Some(trouble);
        news.then_some((Severity::Error, text))
    }

    fn send(&self, to: SocketAddr, number: u64, payload: &[u8]) -> Result<(), SendTrouble> {
        let Some(socket) = &self.open else {
            return Err(SendTrouble::Denied);
        };
        let packet = packet(self.six, self.identifier, number, payload);
        let flags = rustix::net::SendFlags::DONTWAIT;
        match rustix::net::sendto(socket, &packet, flags, &to) {
            Ok(bytes) if bytes == packet.len() => Ok(()),
            Ok(_) => Err(SendTrouble::Cut),
            Err(error) => Err(trouble(&error.into())),
        }
    }

    /// What echoes bring back, at most so many.
    fn receive(&self, limit: usize) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        let Some(socket) = &self.open else {
            return payloads;
        };
        let mut buffer = [0; ANSWER_BYTES];
        for _ in 0..limit {
            match recv(socket, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    let packet = buffer.get(..length).unwrap_or_default();
                    payloads.extend(payload(self.six, packet).map(<[u8]>::to_vec));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => break,
                // An error that was pending on the socket; reading took it away.
                Err(_) => {}
            }
        }
        payloads
    }
}

/// An ICMP socket is waited for exactly as a UDP one.
fn socket(six: bool, identifier: [u8; 2]) -> io::Result<UdpSocket> {
    let (domain, protocol) = if six {
        (Domain::IPV6, Protocol::ICMPV6)
    } else {
        (Domain::IPV4, Protocol::ICMPV4)
    };
    let socket = Socket::new(domain, Type::RAW, Some(protocol))?;
    socket.set_nonblocking(true)?;
    socket.attach_filter(&filter(six, identifier))?;
    UdpSocket::from_std(socket.into())
}

/// A program for the kernel that lets through echo replies with this identifier (bpf(4)). To IPv4
/// raw channel packets come with their IP header, to IPv6 ones without (RFC 3542 section 3).
fn filter(six: bool, identifier: [u8; 2]) -> Vec<SockFilter> {
    /// Register X: the length of an IPv4 header.
    const HEADER_TO_X: u16 = 0xb1;
    const BYTE_AT_X: u16 = 0x50;
    const HALF_AT_X: u16 = 0x48;
    const BYTE_AT: u16 = 0x30;
    const HALF_AT: u16 = 0x28;
    const SAME: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let (byte, half) = if six {
        (BYTE_AT, HALF_AT)
    } else {
        (BYTE_AT_X, HALF_AT_X)
    };
    let header = (!six).then(|| SockFilter::new(HEADER_TO_X, 0, 0, 0));
    let rest = [
        SockFilter::new(byte, 0, 0, 0),
        // Jumps count from the next instruction.
        SockFilter::new(SAME, 0, 3, echo_reply(six).into()),
        SockFilter::new(half, 0, 0, 4),
        SockFilter::new(SAME, 0, 1, u16::from_be_bytes(identifier).into()),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ];
    header.into_iter().chain(rest).collect()
}

fn echo_reply(six: bool) -> u8 {
    if six { 129 } else { 0 }
}

/// Where the host is now. A link-local address is complete only with its interface.
fn address(host: &PingHost) -> Result<SocketAddr, SendTrouble> {
    match host.ip.ok_or(SendTrouble::NoPeer)? {
        IpAddr::V4(ip) => Ok((ip, 0).into()),
        IpAddr::V6(ip) => {
            let scope = match &host.interface {
                Some(name) => interface_index(name).ok_or(SendTrouble::NoInterface)?,
                None => 0,
            };
            Ok(SocketAddrV6::new(ip, 0, 0, scope).into())
        }
    }
}

/// What only we read when a request comes back.
#[derive(Debug, Clone, Copy)]
struct Mark {
    generation: u64,
    number: u64,
    /// Microseconds of this life.
    at: u64,
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// As if the ping node had said it. Other messages of this kind lack what the mark says.
fn request(spec: &PingSpec, status: &Message, mark: Mark) -> Message {
    let mut message = Message::new(KIND)
        .with("st", "ping")
        .with("info", spec.directive)
        .with("src", spec.name.as_str())
        .with("ts", status.text("ts").unwrap_or("1"));
    message.set_hex("hg", mark.generation);
    message.set_hex("seq", mark.number);
    message.set_hex(SENT_AT, mark.at);
    message
}

/// An echo request. The kernel adds the checksum of IPv6, which covers addresses as well.
fn packet(six: bool, identifier: [u8; 2], number: u64, payload: &[u8]) -> Vec<u8> {
    let [.., high, low] = number.to_be_bytes();
    let kind = if six { 128 } else { 8 };
    let mut packet = vec![kind, 0, 0, 0, identifier[0], identifier[1], high, low];
    packet.extend(payload);
    if !six {
        let [high, low] = checksum(&packet).to_be_bytes();
        packet.splice(2..4, [high, low]);
    }
    packet
}

/// The Internet checksum (RFC 1071) of what has none yet.
fn checksum(bytes: &[u8]) -> u16 {
    let pairs = bytes.chunks(2).map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(u16::from_be_bytes([*high, 0])),
        _ => 0,
    });
    let mut sum: u32 = pairs.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// What an echo reply brings back.
fn payload(six: bool, packet: &[u8]) -> Option<&[u8]> {
    let header = match packet.first() {
        _ if six => 0,
        Some(first) => usize::from(first & 0x0f) * 4,
        None => return None,
    };
    let icmp = packet.get(header..)?;
    let (kind, code) = (icmp.first()?, icmp.get(1)?);
    let echo = *kind == echo_reply(six) && *code == 0;
    icmp.get(HEADER_BYTES..).filter(|_| echo)
}

#[cfg(test)]
mod tests;
