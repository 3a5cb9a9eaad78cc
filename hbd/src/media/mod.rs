//! How heartbeats travel: every message goes out on every medium, and whatever arrives is checked
//! and becomes an input (Heartbeat specification 3.1). One file per medium: `bcast.rs`, `mcast.rs`,
//! `ucast.rs`, `serial`; `ping.rs` asks the hosts outside the cluster that tell whether the network
//! works.
//!
//! Owns the sockets. Sending never blocks: what the kernel does not take at once is lost on that
//! link, as on a cable, and the link is marked as not working until a send succeeds. When an
//! interface vanishes, returns or changes its address, its sockets are opened anew: `way.rs` says
//! for what they are opened.

mod bcast;
mod mcast;
pub mod names;
mod outlet;
mod ping;
mod receiver;
pub(crate) mod serial;
mod ucast;
mod way;

use crate::config::MediumSpec;
use crate::config::medium::Peer;
use crate::resources::view::View;
use ha_status::{SendTrouble, Severity};
use hbd_core::config::LinkId;
use hbd_core::input::Input;
use hbd_core::table::Table;
use hbd_core::wire::{Keys, Message, WireError};
use outlet::{Outlet, Parcel, trouble};
use receiver::{Place, Receiver};
use serial::Line;
use way::Obstacle;

pub use ping::Pings;
pub use receiver::Deaf;
pub(crate) use receiver::poll_datagram;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

/// Datagrams that are taken from one socket in one turn of the loop. More than its buffer holds:
/// after a stall the whole queue is heard before any deadline is judged. Less than for ever: a
/// flood of garbage must not keep our own heartbeats from leaving.
const TURN_DATAGRAMS: usize = 1024;
/// Receive buffer of a socket, bytes (the kernel doubles it). At some 700 bytes that a heartbeat
/// takes there, fewer than `TURN_DATAGRAMS` fit.
const RECEIVE_BUFFER_BYTES: usize = 256 * 1024;

/// The node's media.
pub struct Media {
    /// Media of interfaces.
    links: Table<LinkId, Link>,
    receivers: Vec<Receiver>,
    lines: Vec<Line>,
    pings: Pings,
    /// Addresses that move between nodes: no heartbeat leaves from them.
    shared: BTreeSet<IpAddr>,
    /// What happened to links since it was last asked for.
    changes: Vec<Input>,
    /// Something is closed although its interface is there.
    unfinished: bool,
}

/// A datagram, as the core hears it, and where it came from.
#[derive(Debug)]
pub struct Heard {
    pub from: Option<IpAddr>,
    pub input: Input,
}

/// A line for people.
pub type Told = (Severity, String);

/// The sending side of one medium.
struct Link {
    medium: MediumSpec,
    /// Closed while it has no way.
    open: Option<Outlet>,
    /// The interface's index when it was last there.
    known: Option<u32>,
    /// What became of the last message.
    sending: Result<(), SendTrouble>,
    /// What was last told about it.
    told: Option<Result<(), SendTrouble>>,
}

impl Media {
    /// Opens what can be opened. A missing interface is told, not fatal: a cable may come later. A
    /// node that can listen on none of those that are there is: it would believe every peer dead.
    pub fn open(
        media: Table<LinkId, MediumSpec>,
        pings: Pings,
        shared: BTreeSet<IpAddr>,
        view: &View,
    ) -> Result<(Self, Vec<Told>), Deaf> {
        let (links, lines) = separate(&media);
        let mut media = Self {
            links,
            receivers: Vec::new(),
            lines,
            pings,
            shared,
            changes: Vec::new(),
            unfinished: false,
        };
        media.receivers = media.wanted_receivers();
        let told = media.update(view);
        let hears = media.receivers.iter().any(Receiver::is_open);
        match media.receivers.iter().find_map(Receiver::deaf) {
            Some(deaf) if !hears => Err(deaf),
            Some(_) | None => Ok((media, told)),
        }
    }

    /// Compares the interfaces with what the sockets were opened for, and opens anew what differs.
    pub fn update(&mut self, view: &View) -> Vec<Told> {
        let mut told = Vec::new();
        let now = Instant::now();
        for line in &mut self.lines {
            told.extend(line.update(now, &mut self.changes));
        }
        for receiver in &mut self.receivers {
            let before = receiver.deaf();
            receiver.update(view);
            match receiver.deaf() {
                Some(deaf) if before.as_ref() != Some(&deaf) => {
                    told.push((Severity::Error, deaf.to_string()));
                }
                Some(_) | None => {}
            }
        }
        for (id, link) in self.links.iter_mut() {
            let opened = link.update(view, &self.shared);
            if opened.is_err() {
                self.changes.extend(link.now_sends(id, opened));
            }
            told.extend(link.tell(opened));
        }
        told.extend(self.pings.open());
        let silent = |link: &Link| {
            let there = way::interface(link.medium.device(), link.known, view).is_some();
            link.open.is_none() && there
        };
        self.unfinished = self.links.values().any(silent)
            || self.receivers.iter().any(|r| r.deaf().is_some())
            || self.pings.is_unfinished();
        told
    }

    /// Interfaces of media, and whether heartbeats can leave by them, as far as this node can tell.
    pub fn interfaces(&self, view: &View) -> BTreeMap<String, bool> {
        let mut interfaces = BTreeMap::new();
        for link in self.links.values() {
            let device = link.medium.device();
            let found = way::interface(device, link.known, view);
            let carrier = found.is_some_and(|found| found.up && found.carrier);
            let ways = interfaces.entry(device.to_owned()).or_insert(false);
            *ways |= carrier && link.open.is_some();
        }
        interfaces
    }

    /// Names of peers and ping nodes that do not resolve yet.
    pub fn unresolved(&self) -> Vec<String> {
        let names = self
            .links
            .values()
            .filter_map(|link| link.medium.unresolved());
        let mut names: BTreeSet<String> = names.map(str::to_owned).collect();
        names.extend(self.pings.unresolved());
        names.into_iter().collect()
    }

    /// These names are known now. An `update` must follow.
    pub fn resolve(&mut self, known: &[(String, IpAddr)]) {
        for (name, ip) in known {
            self.pings.resolve(name, *ip);
            for (id, link) in self.links.iter_mut() {
                link.medium.resolve(name, *ip);
                let peer = link.medium.peer();
                for receiver in &mut self.receivers {
                    receiver.resolve(id, peer);
                }
            }
        }
    }

    /// Is something closed that another `update` may open, without any change of interfaces?
    pub fn is_unfinished(&self) -> bool {
        self.unfinished || self.lines.iter().any(Line::is_unfinished)
    }

    /// Writes one message to every link, and asks the ping nodes as often as a status leaves. The
    /// error says why it cannot be written to any that takes it in that form.
    pub fn send(&mut self, message: &Message, keys: &Keys) -> Result<(), WireError> {
        if message.kind() == "status" {
            self.changes.extend(self.pings.ask(message, keys));
        }
        let mut parcel = Parcel::new(message, keys);
        let mut result = Ok(());
        for (id, link) in self.links.iter_mut() {
            let sent = match link.open.as_ref().map(|outlet| outlet.send(&mut parcel)) {
                Some(Ok(sent)) => sent,
                Some(Err(error)) => {
                    // No fault of the link's.
                    result = Err(error);
                    continue;
                }
                // That was told when it was closed.
                None => continue,
            };
            self.changes.extend(link.now_sends(id, sent));
        }
        for line in &mut self.lines {
            match parcel.line() {
                Ok(frame) => line.send(frame, Instant::now(), &mut self.changes),
                Err(error) => result = Err(error),
            }
        }
        result
    }

    /// Writes a message of another node to every serial line but the one that it came over.
    pub fn pass_on(
        &mut self,
        message: &Message,
        from: LinkId,
        keys: &Keys,
    ) -> Result<(), WireError> {
        let mut parcel = Parcel::new(message, keys);
        let now = Instant::now();
        for line in self.lines.iter_mut().filter(|line| line.link() != from) {
            line.send(parcel.line()?, now, &mut self.changes);
        }
        Ok(())
    }

    /// Does any link take packets?
    pub fn works(&self) -> bool {
        self.links.values().any(|link| link.sending.is_ok()) || self.lines.iter().any(Line::works)
    }

    /// What happened to links since the last call, each change once.
    pub fn changes(&mut self) -> Vec<Input> {
        std::mem::take(&mut self.changes)
    }

    /// Waits until something has arrived. Cancel-safe.
    pub async fn readable(&mut self) {
        let due = self.lines.iter().filter_map(Line::due).min();
        let arrived = std::future::poll_fn(|context| {
            let ready = |receiver: &Receiver| receiver.poll_readable(context).is_ready();
            let mut lines = self.lines.iter_mut();
            if self.receivers.iter().any(ready) || lines.any(|line| line.poll(context).is_ready()) {
                return std::task::Poll::Ready(());
            }
            self.pings.poll_readable(context)
        });
        match due {
            Some(due) => drop(tokio::time::timeout_at(due.into(), arrived).await),
            None => arrived.await,
        }
    }

    /// Takes what has arrived, at most `TURN_DATAGRAMS` from each socket.
    pub fn receive(&mut self, keys: &Keys) -> Vec<Heard> {
        let mut inputs = Vec::new();
        for receiver in &mut self.receivers {
            receiver.receive(TURN_DATAGRAMS, keys, &mut inputs);
        }
        for line in &mut self.lines {
            line.receive(keys, Instant::now(), &mut inputs, &mut self.changes);
        }
        self.pings.receive(TURN_DATAGRAMS, keys, &mut inputs);
        inputs
    }

    /// One receiving socket for each place. Those for broadcasts come first: the kernel hands a
    /// unicast to the socket that was bound last.
    fn wanted_receivers(&self) -> Vec<Receiver> {
        let mut places: BTreeMap<Place, Vec<(LinkId, Option<IpAddr>)>> = BTreeMap::new();
        for (id, link) in self.links.iter() {
            let device = link.medium.device().to_owned();
            let (place, peer) = match &link.medium {
                MediumSpec::Bcast { port, .. } => (Place::bcast(device, *port), None),
                MediumSpec::Mcast { group, .. } => (Place::mcast(device, *group), None),
                MediumSpec::Ucast { peer, .. } => {
                    // Names are asked for IPv4 addresses only.
                    let family = peer.ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
                    (Place::ucast(device, family, peer.port), peer.ip)
                }
                MediumSpec::Serial { .. } => continue,
            };
            places.entry(place).or_default().push((id, peer));
        }
        places
            .into_iter()
            .map(|(place, links)| Receiver::new(place, links))
            .collect()
    }
}

impl Link {
    fn new(medium: MediumSpec) -> Self {
        Self {
            medium,
            open: None,
            known: None,
            sending: Ok(()),
            told: None,
        }
    }

    /// Opens the outlet anew if its way is another one than before. The error says why it has none.
    fn update(&mut self, view: &View, shared: &BTreeSet<IpAddr>) -> Result<(), SendTrouble> {
        let found = way::find(&self.medium, self.known, view, shared);
        let way = match found {
            Ok(way) => way,
            Err(obstacle) => {
                self.open = None;
                return match obstacle {
                    // Nobody misses anything.
                    Obstacle::Ourselves => Ok(()),
                    Obstacle::Trouble(trouble) => Err(trouble),
                };
            }
        };
        self.known = Some(way.index);
        if self.open.as_ref().is_some_and(|outlet| outlet.way == way) {
            return Ok(());
        }
        self.open = None;
        let outlet = Outlet::open(&self.medium, way).map_err(|error| trouble(&error))?;
        self.open = Some(outlet);
        Ok(())
    }

    /// The line that is due, if any: each state of a medium is told once.
    fn tell(&mut self, opened: Result<(), SendTrouble>) -> Option<Told> {
        if self.open.is_none() && opened.is_ok() {
            return None;
        }
        if self.told.as_ref() == Some(&opened) {
            return None;
        }
        let line = match &opened {
            Ok(()) => (Severity::Info, started(&self.medium)),
            Err(why) => {
                let (name, device) = (self.medium.name(), self.medium.device());
                let text = format!("{name} {device}: {why}: heartbeats use it when it is there");
                (Severity::Warning, text)
            }
        };
        self.told = Some(opened);
        Some(line)
    }

    fn now_sends(&mut self, link: LinkId, result: Result<(), SendTrouble>) -> Option<Input> {
        let news = self.sending != result;
        self.sending = result;
        news.then_some(Input::LinkWrite { link, result })
    }
}

/// Media of interfaces, and serial lines.
fn separate(media: &Table<LinkId, MediumSpec>) -> (Table<LinkId, Link>, Vec<Line>) {
    let mut lines = Vec::new();
    let mut links = Vec::new();
    for (id, medium) in media.iter() {
        match medium {
            MediumSpec::Serial { device, baud } => lines.push(Line::new(id, device.clone(), *baud)),
            MediumSpec::Bcast { .. } | MediumSpec::Mcast { .. } | MediumSpec::Ucast { .. } => {
                links.push((id, Link::new(medium.clone())));
            }
        }
    }
    (links.into_iter().collect(), lines)
}

/// The media without `ucast` lines that lead to this machine: they allow the same ha.cf everywhere,
/// and nobody else can be heard on them. All of them if nothing else would be left.
pub fn without_ourselves(media: &[MediumSpec], view: &View) -> Vec<MediumSpec> {
    let ours = |medium: &&MediumSpec| match medium {
        MediumSpec::Bcast { .. } | MediumSpec::Mcast { .. } | MediumSpec::Serial { .. } => false,
        MediumSpec::Ucast { interface, peer } => peer.ip.is_some_and(|ip| {
            let link = view.link_named(interface);
            link.is_some_and(|link| view.has(link.index, ip))
        }),
    };
    let others: Vec<MediumSpec> = media.iter().filter(|m| !ours(m)).cloned().collect();
    if others.is_empty() {
        media.to_vec()
    } else {
        others
    }
}

/// The line that the old daemon logs when a medium is up.
pub fn started(medium: &MediumSpec) -> String {
    match medium {
        MediumSpec::Bcast { interface, port } => {
            format!("UDP Broadcast heartbeat started on port {port} ({port}) interface {interface}")
        }
        MediumSpec::Mcast {
            interface,
            group: SocketAddr::V4(group),
            hops,
            loopback,
        } => {
            let (ip, port, looped) = (group.ip(), group.port(), u8::from(*loopback));
            format!(
                "UDP multicast heartbeat started for group {ip} port {port} interface {interface} \
                 (ttl={hops} loop={looped})"
            )
        }
        MediumSpec::Mcast {
            interface,
            group: SocketAddr::V6(group),
            hops,
            loopback,
        } => {
            let (ip, port, looped) = (group.ip(), group.port(), u8::from(*loopback));
            format!(
                "UDP multicast heartbeat started for [{ip}]:{port} on interface {interface} \
                 (hops={hops} loop={looped})"
            )
        }
        MediumSpec::Ucast {
            interface,
            peer:
                Peer {
                    ip: Some(IpAddr::V6(ip)),
                    port,
                    ..
                },
        } => format!("ucast6: heartbeat started for [{ip}]:{port} on interface {interface}"),
        MediumSpec::Ucast { interface, peer } => {
            let port = peer.port;
            let ip = peer
                .ip
                .map_or_else(|| peer.name.clone(), |ip| ip.to_string());
            format!("ucast: started on port {port} interface {interface} to {ip}")
        }
        MediumSpec::Serial { device, baud } => serial::started(device, *baud),
    }
}

#[cfg(test)]
mod tests;
