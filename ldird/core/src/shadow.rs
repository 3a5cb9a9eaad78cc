//! Two tables held against each other, look after look: the one that we would make, and the kernel's,
//! which somebody else makes. Where they differ, since when, who moved first, and how much later the
//! other one followed.
//!
//! Both are compared at the moments when the kernel is looked at, so neither is ahead for having been
//! seen sooner; what happens between two looks happened at the same time.

use crate::table::{DestinationKey, DestinationSpec, Service, ServiceKey, ServiceSpec, Table};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// So many leads of a kind are kept for the median, the newest.
pub const LEADS_MAX: usize = 4096;
/// Places that ever differed and are remembered.
pub const PLACES_MAX: usize = 65_536;

/// What is compared: a service's own attributes, or one of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub service: ServiceKey,
    pub real: Option<DestinationKey>,
}

/// Whose table it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Ours,
    Kernel,
}

/// How two entries differ, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The service is in one table only.
    Missing,
    /// One sends new connections there, the other does not.
    Traffic,
    /// Other attributes of a service; another way, wrapping or threshold of a row.
    Manner,
    /// Both send connections there, in other shares.
    Weight,
    /// Neither sends any: one has the row at weight 0, the other has none.
    Form,
}

/// An entry of either table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    None,
    Service(ServiceSpec),
    Real(DestinationSpec),
}

/// A difference that lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apart {
    pub kind: Kind,
    pub since: Instant,
    pub ours: Entry,
    pub kernel: Entry,
    /// Who left what both had; `None` if they differed when first compared, or both moved at once.
    pub mover: Option<Side>,
    /// What the kernel had before, and we in effect.
    before: Entry,
}

/// What one look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// They differ now.
    Parted { place: Place, apart: Apart },
    /// They differ in another way than before.
    Shifted { place: Place, apart: Apart },
    /// They are the same again.
    Met {
        place: Place,
        kind: Kind,
        lasted: Duration,
        how: Meeting,
    },
    /// The kernel has none of our services: another director's turn. Nothing is compared.
    Asleep,
    /// It has some again.
    Awake,
}

/// How a difference ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meeting {
    /// This side moved first, and the other one followed.
    Followed(Side),
    /// This side moved, and came back.
    Alone(Side),
    /// Nobody can say who was first.
    Settled,
}

/// What a place has been through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    pub times: u64,
    /// Differences that are over.
    pub lasted: Duration,
    pub longest: Duration,
}

/// Which way traffic changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    TakenOut,
    BroughtIn,
}

/// How often a side was the first, and by how much.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leads {
    pub count: u64,
    pub longest: Duration,
    kept: VecDeque<Duration>,
}

/// Two tables, compared since the first look.
#[derive(Debug, Default)]
pub struct Shadow {
    /// What we had and the kernel had at the last look.
    last: BTreeMap<Place, (Entry, Entry)>,
    apart: BTreeMap<Place, Apart>,
    past: BTreeMap<Place, Past>,
    leads: BTreeMap<(Side, Way), Leads>,
    /// Changes of traffic that only this side made, and took back.
    alone: BTreeMap<Side, u64>,
    asleep: bool,
    /// There was a look before this one that it can be held against.
    known: bool,
    /// When they were compared last, and for how long in all, and in how much of it nothing differed
    /// that traffic notices.
    looked: Option<Instant>,
    compared: Duration,
    equal: Duration,
    looks: u64,
}

impl Shadow {
    /// Holds both against each other. `ours` are all services of the file, those that are not wanted
    /// in the table included as missing; only these are compared.
    pub fn look(&mut self, ours: &Table, kernel: &Table, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        let asleep = !ours.is_empty() && !ours.keys().any(|key| kernel.contains_key(key));
        if asleep {
            if !std::mem::replace(&mut self.asleep, true) || self.looks == 0 {
                self.rest();
                events.push(Event::Asleep);
            }
            self.looks += 1;
            return events;
        }
        if std::mem::replace(&mut self.asleep, false) {
            events.push(Event::Awake);
        }
        self.known = self.looked.is_some();
        self.count_time(now);
        self.looks += 1;
        let found = entries(ours, kernel);
        // Places that neither table has any more are the same now.
        let gone = self.apart.keys().filter(|place| !found.contains_key(place));
        let gone: Vec<Place> = gone.copied().collect();
        for place in gone {
            self.compare(place, Entry::None, Entry::None, now, &mut events);
        }
        self.last.retain(|place, _| found.contains_key(place));
        for (place, (ours, kernel)) in found {
            self.compare(place, ours, kernel, now, &mut events);
        }
        events
    }

    /// The file has changed, or they are not compared for a while: what differs counts from now on.
    pub fn rest(&mut self) {
        self.apart.clear();
        self.last.clear();
        self.looked = None;
    }

    /// What differs now.
    pub fn apart(&self) -> impl Iterator<Item = (&Place, &Apart)> {
        self.apart.iter()
    }

    /// What has differed, and is or is not over.
    pub fn past(&self) -> impl Iterator<Item = (&Place, &Past)> {
        self.past.iter()
    }

    pub fn leads(&self, side: Side, way: Way) -> Option<&Leads> {
        self.leads.get(&(side, way))
    }

    /// Changes of traffic that this side took back before the other one followed.
    pub fn alone(&self, side: Side) -> u64 {
        self.alone.get(&side).copied().unwrap_or(0)
    }

    /// The kernel has none of the services.
    pub fn is_asleep(&self) -> bool {
        self.asleep
    }

    /// For how long they were compared, and for how long of it traffic went the same ways.
    pub fn times(&self) -> (Duration, Duration) {
        (self.compared, self.equal)
    }

    pub fn looks(&self) -> u64 {
        self.looks
    }

    fn count_time(&mut self, now: Instant) {
        if let Some(before) = self.looked.replace(now) {
            let passed = now.saturating_duration_since(before);
            self.compared += passed;
            let differs = self.apart.values().any(|one| one.kind.is_grave());
            if !differs {
                self.equal += passed;
            }
        }
    }

    fn compare(
        &mut self,
        place: Place,
        ours: Entry,
        kernel: Entry,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let before = self.last.insert(place, (ours.clone(), kernel.clone()));
        // What neither had at the last look is known, too.
        let before = before.or_else(|| self.known.then_some((Entry::None, Entry::None)));
        let kind = kind(&ours, &kernel);
        match (self.apart.remove(&place), kind) {
            (None, None) => {}
            (Some(apart), None) => events.push(self.met(place, &apart, &kernel, now)),
            // The same difference goes on, in other words.
            (Some(mut apart), Some(kind)) if apart.kind.is_grave() == kind.is_grave() => {
                let shifted = apart.kind != kind;
                (apart.kind, apart.ours, apart.kernel) = (kind, ours, kernel);
                self.apart.insert(place, apart.clone());
                if shifted {
                    events.push(Event::Shifted { place, apart });
                }
            }
            (apart, Some(kind)) => {
                if let Some(apart) = apart {
                    events.push(self.met(place, &apart, &kernel, now));
                }
                let apart = Apart {
                    kind,
                    since: now,
                    mover: before
                        .as_ref()
                        .and_then(|before| mover(kind, before, &ours, &kernel)),
                    before: before.map_or(Entry::None, |(_, kernel)| kernel),
                    ours,
                    kernel,
                };
                self.part(place, apart.clone());
                events.push(Event::Parted { place, apart });
            }
        }
    }

    fn part(&mut self, place: Place, apart: Apart) {
        self.apart.insert(place, apart);
        if self.past.len() < PLACES_MAX || self.past.contains_key(&place) {
            self.past.entry(place).or_default().times += 1;
        }
    }

    /// A difference is over: the kernel has `is`, and we have the same, or what traffic cannot tell
    /// from it.
    fn met(&mut self, place: Place, apart: &Apart, is: &Entry, now: Instant) -> Event {
        let lasted = now.saturating_duration_since(apart.since);
        if let Some(past) = self.past.get_mut(&place) {
            past.lasted += lasted;
            past.longest = past.longest.max(lasted);
        }
        let way = match (serves(&apart.before), serves(is)) {
            (true, false) => Some(Way::TakenOut),
            (false, true) => Some(Way::BroughtIn),
            (true, true) | (false, false) => None,
        };
        let back = if apart.kind.is_grave() {
            way.is_none()
        } else {
            kind(&apart.before, is).is_none()
        };
        let how = match apart.mover {
            None => Meeting::Settled,
            Some(side) if back => Meeting::Alone(side),
            Some(side) => Meeting::Followed(side),
        };
        match (how, way) {
            (Meeting::Followed(side), Some(way)) if apart.kind.is_grave() => {
                self.leads.entry((side, way)).or_default().add(lasted);
            }
            (Meeting::Alone(side), _) if apart.kind.is_grave() => {
                *self.alone.entry(side).or_default() += 1;
            }
            (Meeting::Followed(_) | Meeting::Alone(_) | Meeting::Settled, _) => {}
        }
        let kind = apart.kind;
        Event::Met {
            place,
            kind,
            lasted,
            how,
        }
    }
}

impl Kind {
    /// Clients notice it.
    pub fn is_grave(self) -> bool {
        match self {
            Self::Missing | Self::Traffic => true,
            Self::Manner | Self::Weight | Self::Form => false,
        }
    }
}

impl Leads {
    fn add(&mut self, lead: Duration) {
        self.count += 1;
        self.longest = self.longest.max(lead);
        if self.kept.len() == LEADS_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(lead);
    }

    pub fn median(&self) -> Duration {
        let mut kept: Vec<Duration> = self.kept.iter().copied().collect();
        kept.sort_unstable();
        kept.get(kept.len() / 2).copied().unwrap_or_default()
    }
}

/// Both tables' entries of every place that either has. A service that is missing as a whole is one
/// place: its rows are not listed one by one.
fn entries(ours: &Table, kernel: &Table) -> BTreeMap<Place, (Entry, Entry)> {
    let mut found = BTreeMap::new();
    for (key, wanted) in ours {
        let held = kernel.get(key);
        let mut spec = wanted.spec.clone();
        if let Some(held) = held {
            spec.keep(&held.spec, None);
        }
        let service = Place {
            service: *key,
            real: None,
        };
        let is = held.map_or(Entry::None, |held| Entry::Service(held.spec.clone()));
        found.insert(service, (Entry::Service(spec), is));
        if let Some(held) = held {
            rows(*key, wanted, held, &mut found);
        }
    }
    found
}

fn rows(
    service: ServiceKey,
    wanted: &Service,
    held: &Service,
    found: &mut BTreeMap<Place, (Entry, Entry)>,
) {
    let all = wanted.destinations.keys().chain(held.destinations.keys());
    for row in all {
        let is = held.destinations.get(row);
        let want = wanted.destinations.get(row).map(|spec| {
            let mut spec = spec.clone();
            if let Some(is) = is {
                spec.keep(is, None);
            }
            spec
        });
        let real = Some(*row);
        let entry = |spec: Option<DestinationSpec>| spec.map_or(Entry::None, Entry::Real);
        let place = Place { service, real };
        found.insert(place, (entry(want), entry(is.cloned())));
    }
}

/// How two entries of one place differ; `None` if they are the same.
fn kind(ours: &Entry, kernel: &Entry) -> Option<Kind> {
    match (ours, kernel) {
        (Entry::None, Entry::None) => None,
        (Entry::Service(_), Entry::None) | (Entry::None, Entry::Service(_)) => Some(Kind::Missing),
        (Entry::Service(a), Entry::Service(b)) => (a != b).then_some(Kind::Manner),
        (Entry::Real(a), Entry::Real(b)) if (a.weight > 0) == (b.weight > 0) => {
            let unweighed = |spec: &DestinationSpec| DestinationSpec {
                weight: 0,
                ..spec.clone()
            };
            if unweighed(a) == unweighed(b) {
                (a.weight != b.weight).then_some(Kind::Weight)
            } else {
                Some(Kind::Manner)
            }
        }
        (Entry::Real(_), Entry::Real(_)) => Some(Kind::Traffic),
        (Entry::Real(one), Entry::None) | (Entry::None, Entry::Real(one)) if one.weight == 0 => {
            Some(Kind::Form)
        }
        // A service is never compared with a row.
        (Entry::Real(_), Entry::None | Entry::Service(_))
        | (Entry::None | Entry::Service(_), Entry::Real(_)) => Some(Kind::Traffic),
    }
}

fn serves(entry: &Entry) -> bool {
    match entry {
        Entry::Real(spec) => spec.weight > 0,
        Entry::Service(_) => true,
        Entry::None => false,
    }
}

/// Who left what both had, if only one did.
fn mover(kind: Kind, before: &(Entry, Entry), ours: &Entry, kernel: &Entry) -> Option<Side> {
    let moved = |before: &Entry, now: &Entry| {
        if kind.is_grave() {
            serves(before) != serves(now)
        } else {
            before != now
        }
    };
    match (moved(&before.0, ours), moved(&before.1, kernel)) {
        (true, false) => Some(Side::Ours),
        (false, true) => Some(Side::Kernel),
        (true, true) | (false, false) => None,
    }
}

#[cfg(test)]
mod tests;
