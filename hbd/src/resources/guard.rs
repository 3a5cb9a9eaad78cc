//! Watches over the addresses that this node holds: what is to be put back, taken off, announced or
//! told, when the kernel's tables look like this. Pure; `kernel.rs` reads the tables and carries
//! out what is decided here.
//!
//! ```text
//!            vanished, or its interface did        for LOST_AFTER
//!   there ────────────────────────────► missing ──────────────────► lost: its group fails;
//!     ▲          put back at once; if it is            │             told again each LOST_AFTER
//!     └─────────── taken away again and again, ◄───────┴────────────────┘
//!                  after a pause that grows
//! ```

use super::address::Placement;
use super::view::{AddressRow, LinkRow, View};
use ha_plumbing::repeat::{Pauses, Repeat};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// A held address that is nowhere for so long is lost: its group has failed here, and moves. Longer
/// than it takes to restart an interface, shorter than anybody waits for a page.
pub const LOST_AFTER: Duration = Duration::from_secs(3);
/// An address that vanishes again within this time is being taken away by somebody.
const QUARREL_WINDOW: Duration = Duration::from_secs(10);
/// The pause before it is put back then, …
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// … which doubles each time up to this one. Less than [`LOST_AFTER`]: a quarrel is no loss.
const LAST_PAUSE: Duration = Duration::from_secs(1);
/// A quarrel is told so often, with the count in between.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Pause after the kernel refused to put an address.
const REFUSED_PAUSE: Duration = Duration::from_millis(200);
/// An address gives up the first place in its network at most so often.
const RESEAT_EVERY: Duration = Duration::from_secs(1);

/// The interface, as it was called when the address was put, and the address.
pub type Key = (String, IpAddr);

/// What this node holds and must not lose.
pub type Held = BTreeMap<Key, Placement>;

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// To be put, and to be reported by [`Guard::put`].
    pub put: Vec<Placement>,
    /// To be taken off the interface that is no longer theirs.
    pub leave: Vec<AddressRow>,
    /// First in their network, where an address of the node's own belongs: to be taken off and put
    /// again, behind it.
    pub reseat: Vec<Placement>,
    /// Their interface has another hardware address or a cable again: to be announced.
    pub announce: Vec<Placement>,
    pub news: Vec<News>,
    /// To be looked at again at this moment at the latest.
    pub again: Option<Instant>,
}

/// What others must hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Put back. `told` if it is worth a line: how often it was put back since the last line.
    Restored { key: Key, told: Option<u64> },
    /// It cannot be put back now, and why; told once for each reason.
    Trouble(String),
    /// It has been missing for [`LOST_AFTER`], or for so long since this was last said, and why.
    Lost { key: Key, why: String },
    /// The interface has another name now; it is followed.
    Renamed { from: String, to: String },
}

#[derive(Debug, Default)]
pub struct Guard {
    cases: BTreeMap<Key, Case>,
}

/// One held address.
#[derive(Debug, Default)]
struct Case {
    missing: Option<Missing>,
    /// What was last told about why it cannot be put back.
    trouble: Option<String>,
    quarrel: Quarrel,
    /// Not to be put before.
    not_before: Option<Instant>,
    reseated: Option<Instant>,
    /// How its interface was when it was last there.
    face: Option<Face>,
    renamed: bool,
}

#[derive(Debug)]
struct Missing {
    /// Lost, unless it is there by then.
    due: Instant,
}

/// What neighbours depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Face {
    mac: Option<[u8; 6]>,
    speaks: bool,
}

impl Guard {
    /// Compares what is held with what is there.
    /// What is `prepared` will be held: it is none of the node's own addresses.
    pub fn look(&mut self, view: &View, held: &Held, prepared: &Held, now: Instant) -> Look {
        self.cases.retain(|key, _| held.contains_key(key));
        let mut look = Look::default();
        for (key, placement) in held {
            let case = self.cases.entry(key.clone()).or_default();
            case.look(key, placement, view, now, &mut look);
        }
        self.reseat(view, (held, prepared), now, &mut look);
        look
    }

    /// Putting an address back has succeeded, or failed for this reason.
    pub fn put(&mut self, key: &Key, result: Result<(), String>, now: Instant) -> Option<News> {
        let case = self.cases.get_mut(key)?;
        match result {
            Ok(()) => {
                case.missing = None;
                case.trouble = None;
                let (pause, told) = case.quarrel.restored(now);
                case.not_before = Some(now + pause);
                let key = key.clone();
                Some(News::Restored { key, told })
            }
            Err(why) => {
                case.not_before = Some(now + REFUSED_PAUSE);
                let (device, ip) = key;
                case.trouble(format!(
                    "{ip} has vanished from {device} and cannot be put back: {why}"
                ))
            }
        }
    }

    /// Addresses that stand first in a network in which one of the node's own comes after them.
    /// The whole network is seated anew: the kernel promotes whichever comes next.
    fn reseat(
        &mut self,
        view: &View,
        (held, prepared): (&Held, &Held),
        now: Instant,
        look: &mut Look,
    ) {
        let ours = held.values().chain(prepared.values());
        let ours: BTreeSet<(u32, IpAddr)> = ours.map(|p| (p.link, p.ip)).collect();
        let is_ours = |row: &AddressRow| ours.contains(&(row.link, row.ip));
        let behind: Vec<&AddressRow> = view
            .addresses()
            .iter()
            .filter(|row| row.ip.is_ipv4() && row.secondary && !is_ours(row))
            .collect();
        if behind.is_empty() {
            return;
        }
        for (key, placement) in held {
            let mut rows = view.addresses_of(placement.link);
            let Some(row) = rows.find(|row| row.ip == placement.ip) else {
                continue;
            };
            let blocks = behind.iter().any(|own| {
                let mut first = view.addresses_of(own.link).filter(|row| !row.secondary);
                let first = first.find(|first| first.is_neighbour(own));
                own.is_neighbour(row) && first.is_some_and(is_ours)
            });
            let Some(case) = self.cases.get_mut(key).filter(|_| blocks) else {
                continue;
            };
            match case.reseated.map(|last| last + RESEAT_EVERY) {
                Some(next) if now < next => look.at(next),
                Some(_) | None => {
                    case.reseated = Some(now);
                    look.reseat.push(placement.clone());
                }
            }
        }
    }
}

impl Case {
    fn look(
        &mut self,
        key: &Key,
        placement: &Placement,
        view: &View,
        now: Instant,
        look: &mut Look,
    ) {
        let (device, ip) = key;
        let Some(link) = view.find(device, placement.link) else {
            let why = format!("interface {device} is gone, and {ip} with it, until it returns");
            look.news.extend(self.trouble(why.clone()));
            return self.missing(key, why, now, look);
        };
        self.follow(device, link, look);
        if link.index != placement.link {
            let old = view.addresses_of(placement.link);
            look.leave.extend(old.filter(|row| row.ip == *ip).cloned());
        }
        if !view.has(link.index, *ip) {
            match self.not_before {
                Some(moment) if now < moment => look.at(moment),
                Some(_) | None => look.put.push(Placement {
                    link: link.index,
                    ..placement.clone()
                }),
            }
            let why = format!("{ip} has vanished from {device} and does not stay there");
            return self.missing(key, why, now, look);
        }
        if !link.up {
            let why = format!("interface {device} is switched off, and {ip} with it");
            look.news.extend(self.trouble(why.clone()));
            return self.missing(key, why, now, look);
        }
        self.missing = None;
        self.trouble = None;
        self.announce(placement, link, look);
    }

    /// It is not there. Told again and again: whoever is told may be busy with a start of the same
    /// address, which nobody must take for a success.
    fn missing(&mut self, key: &Key, why: String, now: Instant, look: &mut Look) {
        let first = now + LOST_AFTER;
        let due = &mut self.missing.get_or_insert(Missing { due: first }).due;
        if now >= *due {
            *due = now + LOST_AFTER;
            let key = key.clone();
            look.news.push(News::Lost { key, why });
        }
        look.at(*due);
    }

    fn trouble(&mut self, text: String) -> Option<News> {
        let fresh = self.trouble.as_ref() != Some(&text);
        self.trouble = Some(text.clone());
        fresh.then_some(News::Trouble(text))
    }

    fn follow(&mut self, device: &str, link: &LinkRow, look: &mut Look) {
        let renamed = link.name != device;
        if renamed && !std::mem::replace(&mut self.renamed, renamed) {
            let (from, to) = (device.to_owned(), link.name.clone());
            let news = News::Renamed { from, to };
            if !look.news.contains(&news) {
                look.news.push(news);
            }
        }
        self.renamed = renamed;
    }

    fn announce(&mut self, placement: &Placement, link: &LinkRow, look: &mut Look) {
        let face = Face {
            mac: link.mac,
            speaks: link.carrier,
        };
        let before = self.face.replace(face);
        if face.speaks && before.is_some_and(|before| before != face) {
            look.announce.push(placement.clone());
        }
    }
}

impl Look {
    fn at(&mut self, moment: Instant) {
        self.again = Some(self.again.map_or(moment, |again| again.min(moment)));
    }
}

/// Somebody else takes an address away as often as we put it.
#[derive(Debug)]
struct Quarrel {
    last: Option<Instant>,
    pause: Duration,
    repeat: Repeat,
}

impl Default for Quarrel {
    fn default() -> Self {
        Self {
            last: None,
            pause: Duration::ZERO,
            repeat: Repeat::new(Pauses::every(TOLD_EVERY)),
        }
    }
}

impl Quarrel {
    /// It was put back: the pause before the next time, and the count if that is to be told.
    fn restored(&mut self, now: Instant) -> (Duration, Option<u64>) {
        let recent = self
            .last
            .is_some_and(|last| now.saturating_duration_since(last) < QUARREL_WINDOW);
        self.pause = if recent {
            (self.pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE)
        } else {
            Duration::ZERO
        };
        self.last = Some(now);
        (self.pause, self.repeat.again(now))
    }
}

#[cfg(test)]
mod tests;
