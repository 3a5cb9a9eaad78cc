//! Datagrams that are not to be believed, told so that an operator finds the machine that sends
//! them: from where, over which link, and why. Each kind at once, then ever more rarely, with the
//! count in between.
//!
//! Decides nothing: what is refused is refused whether it is told or not.

use crate::config::MediumSpec;
use crate::config::{Life, Loaded};
use ha_plumbing::repeat::{Pauses, Repeat};
use ha_status::{Refused, RefusedReason, Severity};
use hbd_core::config::NodeName;
use hbd_core::wire::{Message, Reject};
use std::collections::BTreeMap;
use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

/// How often a doubt is told as long as it lasts.
const PAUSES: Pauses = Pauses {
    first: Duration::from_secs(60),
    last: Duration::from_secs(3600),
};
/// Kinds that are told apart: senders are easily forged. Further ones are counted as one.
const KINDS_MAX: usize = 16;
/// Addresses of peers that are remembered.
const PLACES_MAX: usize = 256;
/// A kind that has been silent for so long makes room for another.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// A refusal is shown no more when its sender has been believed since, and refused no more for so
/// long: where both go on, both come more often than that.
const MENDED_AFTER: Duration = Duration::from_secs(5);
/// What authentic heartbeats show (a namesake, a clone, a stranger) is over when none has come for the
/// dead time of a node, but not sooner than this.
const GONE_AFTER_MIN: Duration = Duration::from_secs(2);

/// Why a datagram is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    NotOurs,
    WrongKey,
    UnknownKey,
    TooLong,
    Malformed,
    /// It is authentic and says that it comes from a node of our own name.
    SameName,
    /// It is authentic, from another node with our identity: a cloned machine.
    SameUuid(NodeName),
    /// It is authentic, from a node that our ha.cf does not name.
    NotConfigured(String),
}

impl Why {
    /// Is it said of packets that are not authentic?
    fn is_refusal(&self) -> bool {
        match self {
            Self::NotOurs | Self::WrongKey | Self::UnknownKey | Self::TooLong | Self::Malformed => {
                true
            }
            Self::SameName | Self::SameUuid(_) | Self::NotConfigured(_) => false,
        }
    }
}

impl From<Reject> for Why {
    fn from(reason: Reject) -> Self {
        match reason {
            Reject::BadFrame => Self::NotOurs,
            Reject::BadDigest => Self::WrongKey,
            Reject::UnknownKey => Self::UnknownKey,
            Reject::TooLong => Self::TooLong,
            Reject::Malformed => Self::Malformed,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// `None` for everybody beyond `KINDS_MAX`.
    from: Option<(IpAddr, String)>,
    why: Why,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    repeat: Repeat,
    /// Since it was first seen.
    total: u64,
    last: Instant,
    /// When an authentic packet came from the same place, if that was after the last refused one.
    believed: Option<Instant>,
}

pub struct Doubts {
    local: NodeName,
    nodes: Vec<NodeName>,
    uuid: [u8; 16],
    generation: u64,
    /// `log_badpack`.
    tell_refusals: bool,
    /// Who sends heartbeats and has been silent for so long sends none any more.
    gone_after: Duration,
    kinds: BTreeMap<Kind, Told>,
    /// An address of this machine from which our own packets come back.
    ours: Option<IpAddr>,
    /// Where peers are: addresses that ha.cf names, and those that their packets come from.
    places: BTreeMap<IpAddr, NodeName>,
}

impl Doubts {
    pub fn new(loaded: &Loaded, life: Life) -> Self {
        Self {
            local: loaded.local.clone(),
            nodes: loaded.nodes.clone(),
            uuid: life.uuid,
            generation: life.generation,
            tell_refusals: loaded.log_badpack,
            gone_after: loaded.timing.deadtime.max(GONE_AFTER_MIN),
            kinds: BTreeMap::new(),
            ours: None,
            places: named_places(loaded),
        }
    }

    /// What is refused or doubtful of late, for the status.
    pub fn rows(&self, now: Instant) -> Vec<Refused> {
        let row = |(kind, told): (&Kind, &Told)| {
            let age = now.saturating_duration_since(told.last);
            let from = kind.from.as_ref().map(|(ip, _)| *ip);
            let row = || Refused {
                node: self.node(kind),
                from: from.map(|ip| ip.to_string()),
                reason: reason(kind),
                count: told.total,
                last_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            };
            let over = age >= self.lasts(&kind.why, told);
            (!over).then(row)
        };
        self.kinds.iter().filter_map(row).collect()
    }

    /// For so long after its last packet a doubt has something to say.
    fn lasts(&self, why: &Why, told: &Told) -> Duration {
        match (why.is_refusal(), told.believed) {
            (true, Some(_)) => MENDED_AFTER,
            (true, None) => FORGOTTEN_AFTER,
            (false, _) => self.gone_after,
        }
    }

    /// The configured node that most likely sends these.
    fn node(&self, kind: &Kind) -> Option<String> {
        match &kind.why {
            Why::SameUuid(name) => return Some(name.to_string()),
            Why::SameName => return Some(self.local.to_string()),
            Why::NotConfigured(_) => return None,
            Why::NotOurs | Why::WrongKey | Why::UnknownKey | Why::TooLong | Why::Malformed => {}
        }
        let (ip, _) = kind.from.as_ref()?;
        self.places.get(ip).map(NodeName::to_string)
    }

    /// A message of a configured node came from there.
    fn learn_place(&mut self, from: IpAddr, name: &NodeName) {
        let known = self.places.get(&from) == Some(name);
        if !known && (self.places.len() < PLACES_MAX || self.places.contains_key(&from)) {
            self.places.insert(from, name.clone());
        }
    }

    /// A packet was refused. The line to be told now, if any.
    pub fn refused(
        &mut self,
        from: IpAddr,
        device: &str,
        reason: Reject,
        now: Instant,
    ) -> Option<(Severity, String)> {
        let told = self.tell_refusals;
        let line = self.count(from, device, reason.into(), now);
        line.filter(|_| told)
    }

    /// An authentic message came. The line to be told now, if its sender is doubtful.
    pub fn authentic(
        &mut self,
        from: IpAddr,
        device: &str,
        message: &Message,
        now: Instant,
    ) -> Option<(Severity, String)> {
        self.believe(from, device, now);
        let why = self.doubt(from, message)?;
        self.count(from, device, why, now)
    }

    /// Whoever sends from there has our key now.
    fn believe(&mut self, from: IpAddr, device: &str, now: Instant) {
        for (kind, told) in &mut self.kinds {
            let place = kind.from.as_ref();
            let same = place.is_some_and(|(ip, on)| *ip == from && on == device);
            if same && kind.why.is_refusal() {
                told.believed = Some(now);
            }
        }
    }

    fn doubt(&mut self, from: IpAddr, message: &Message) -> Option<Why> {
        let name = NodeName::new(message.text("src")?)?;
        let same_uuid = message
            .binary("srcuuid")
            .is_some_and(|uuid| uuid == self.uuid);
        if name == self.local {
            let life = message.hex("hg") == Some(self.generation);
            let echo = same_uuid && life && self.is_ours(from);
            return (!echo).then_some(Why::SameName);
        }
        if !self.nodes.contains(&name) {
            return Some(Why::NotConfigured(name.to_string()));
        }
        self.learn_place(from, &name);
        same_uuid.then_some(Why::SameUuid(name))
    }

    /// Is it an address of this machine? Only such a one can be bound to.
    fn is_ours(&mut self, ip: IpAddr) -> bool {
        if self.ours != Some(ip) {
            match UdpSocket::bind((ip, 0)) {
                Ok(_) => self.ours = Some(ip),
                Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => return false,
                // No reason for a false alarm.
                Err(_) => {}
            }
        }
        true
    }

    fn count(
        &mut self,
        from: IpAddr,
        device: &str,
        why: Why,
        now: Instant,
    ) -> Option<(Severity, String)> {
        let mut kind = Kind {
            from: Some((from, device.to_owned())),
            why,
        };
        if !self.kinds.contains_key(&kind) && self.kinds.len() >= KINDS_MAX {
            self.kinds
                .retain(|_, told| now.saturating_duration_since(told.last) < FORGOTTEN_AFTER);
            if self.kinds.len() >= KINDS_MAX {
                kind = Kind {
                    from: None,
                    why: Why::NotOurs,
                };
            }
        }
        let told = self.kinds.entry(kind.clone()).or_insert(Told {
            repeat: Repeat::new(PAUSES),
            total: 0,
            last: now,
            believed: None,
        });
        told.total = told.total.saturating_add(1);
        told.last = now;
        told.believed = None;
        let since = match told.repeat.again(now)? {
            1 => String::new(),
            count => format!(" ({count} since this was last told)"),
        };
        let (severity, text) = self.words(&kind);
        Some((severity, format!("{text}{since}")))
    }

    fn words(&self, kind: &Kind) -> (Severity, String) {
        let Some((ip, device)) = &kind.from else {
            return (Severity::Warning, self.meaning(kind));
        };
        let meaning = self.meaning(kind);
        match &kind.why {
            Why::NotOurs | Why::WrongKey | Why::UnknownKey | Why::TooLong | Why::Malformed => {
                let phrase = phrase(&kind.why);
                let text = format!("packet from {ip} on {device} refused: {phrase}{meaning}");
                (Severity::Warning, text)
            }
            Why::SameName | Why::NotConfigured(_) => {
                (Severity::Error, format!("{ip} on {device} {meaning}"))
            }
            Why::SameUuid(name) => {
                let text = format!("node {name} at {ip} on {device} {meaning}");
                (Severity::Error, text)
            }
        }
    }

    /// Why it is refused or doubtful, and what to do about it.
    fn meaning(&self, kind: &Kind) -> String {
        reason(kind).meaning(self.node(kind).as_deref())
    }
}

/// The addresses that ha.cf names: with one peer only they can be nobody else's.
fn named_places(loaded: &Loaded) -> BTreeMap<IpAddr, NodeName> {
    let mut peers = loaded.nodes.iter().filter(|node| **node != loaded.local);
    let (Some(peer), None) = (peers.next(), peers.next()) else {
        return BTreeMap::new();
    };
    let place = |medium: &MediumSpec| match medium {
        MediumSpec::Ucast { peer: place, .. } => Some((place.ip?, peer.clone())),
        MediumSpec::Bcast { .. } | MediumSpec::Mcast { .. } | MediumSpec::Serial { .. } => None,
    };
    loaded.media.iter().filter_map(place).collect()
}

/// The old daemon's words, which scripts look for in the log.
fn phrase(why: &Why) -> &'static str {
    match why {
        Why::WrongKey => "netstring authentication failed: ",
        Why::UnknownKey => "Invalid authentication type in message! ",
        Why::NotOurs
        | Why::TooLong
        | Why::Malformed
        | Why::SameName
        | Why::SameUuid(_)
        | Why::NotConfigured(_) => "",
    }
}

fn reason(kind: &Kind) -> RefusedReason {
    if kind.from.is_none() {
        return RefusedReason::Others;
    }
    match &kind.why {
        Why::NotOurs => RefusedReason::NotOurs,
        Why::WrongKey => RefusedReason::WrongKey,
        Why::UnknownKey => RefusedReason::UnknownKey,
        Why::TooLong => RefusedReason::TooLong,
        Why::Malformed => RefusedReason::Malformed,
        Why::SameName => RefusedReason::SameName,
        Why::SameUuid(_) => RefusedReason::SameIdentity,
        Why::NotConfigured(name) => RefusedReason::NotConfigured { name: name.clone() },
    }
}

#[cfg(test)]
mod tests;
