//! Who lives and how punctual each is, from heartbeats alone. The rule for a node's death is that of
//! `membership`: an old node says how long it may be silent, within reason; of others ha.cf does.

use crate::config::{Config, LinkId};
use crate::extension::Report;
use crate::membership::silence_limit;
use crate::roster::{NodeId, Roster};
use crate::sequence::Receiver;
use crate::table::Table;
use ha_status::NodeStatus;
use std::time::{Duration, Instant};

/// How punctual a node's heartbeats were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lateness {
    pub heartbeats: u64,
    /// Later than `warntime`.
    pub late: u64,
    /// The longest time between two heartbeats of one life, and on which link the later one came first.
    pub longest: Duration,
    pub longest_on: Option<LinkId>,
    /// Taken for dead.
    pub deaths: u64,
    /// Lives that were heard.
    pub lives: u64,
}

/// A node as it is heard.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) status: NodeStatus,
    /// The status in its own word.
    pub(super) word: String,
    pub(super) since: Instant,
    pub(super) extended: bool,
    pub(super) report: Option<Report>,
    pub(super) receiver: Receiver,
    pub(super) uuid: Option<[u8; 16]>,
    /// When its last status came, and over which link first.
    pub(super) heard: Option<Instant>,
    pub(super) heard_on: Option<LinkId>,
    /// Where its silence begins to count; later than `heard` if we did not listen.
    silent_since: Instant,
    advertised: Option<Duration>,
    /// It has been away since it was last active.
    pub(super) away: bool,
    /// It has begun to shut down in this life.
    pub(super) leaving: bool,
    pub(super) lateness: Lateness,
}

impl Seen {
    pub(super) fn lives(&self) -> bool {
        match self.status {
            NodeStatus::Up | NodeStatus::Active => true,
            NodeStatus::Init | NodeStatus::Left | NodeStatus::Dead | NodeStatus::Ping => false,
        }
    }

    pub(super) fn become_status(&mut self, status: NodeStatus, now: Instant) -> bool {
        let changed = self.status != status;
        if changed {
            self.status = status;
            self.since = now;
        }
        changed
    }

    /// Its daemon was started anew: nothing it said before counts.
    pub(super) fn begin_life(&mut self) {
        self.report = None;
        self.heard = None;
        self.advertised = None;
        self.leaving = false;
        self.away = true;
        self.lateness.lives = self.lateness.lives.saturating_add(1);
    }

    /// A status came. The time since the one before it in this life, if we listened all the time.
    pub(super) fn beat(&mut self, link: LinkId, dt: Option<u64>, now: Instant) -> Option<Duration> {
        let before = self.heard.filter(|heard| self.silent_since == *heard);
        self.heard = Some(now);
        self.heard_on = Some(link);
        self.silent_since = now;
        self.advertised = dt.map(Duration::from_millis);
        let interval = before.map(|heard| now.saturating_duration_since(heard));
        let lateness = &mut self.lateness;
        lateness.heartbeats = lateness.heartbeats.saturating_add(1);
        if interval.is_some_and(|interval| interval > lateness.longest) {
            lateness.longest = interval.unwrap_or_default();
            lateness.longest_on = Some(link);
        }
        interval
    }
}

#[derive(Debug)]
pub(super) struct Nodes {
    /// In the order of the `node` lines.
    rows: Table<NodeId, Seen>,
    keepalive: Duration,
    deadtime: Duration,
    initdead: Duration,
}

impl Nodes {
    pub(super) fn new(config: &Config, roster: &Roster, now: Instant) -> Self {
        let seen = || Seen {
            status: NodeStatus::Init,
            word: String::new(),
            since: now,
            extended: false,
            report: None,
            // Acknowledgements are not ours to give: their spread means nothing.
            receiver: Receiver::new(0, config.max_rexmit_delay),
            uuid: None,
            heard: None,
            heard_on: None,
            silent_since: now,
            advertised: None,
            away: false,
            leaving: false,
            lateness: Lateness::default(),
        };
        Self {
            rows: roster.order().map(|id| (id, seen())).collect(),
            keepalive: config.keepalive,
            deadtime: config.deadtime,
            initdead: config.initdead,
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (NodeId, &Seen)> {
        self.rows.iter()
    }

    pub(super) fn get(&self, id: NodeId) -> &Seen {
        self.rows
            .get(id)
            .expect("every node of the roster has a row")
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> &mut Seen {
        self.rows
            .get_mut(id)
            .expect("every node of the roster has a row")
    }

    pub(super) fn lives(&self, id: NodeId) -> bool {
        self.get(id).lives()
    }

    /// The first other node that lives.
    pub(super) fn survivor(&self, of: NodeId) -> Option<NodeId> {
        let mut rows = self.rows();
        let found = rows.find(|(id, seen)| *id != of && seen.lives() && !seen.leaving);
        found.map(|(id, _)| id)
    }

    /// How long a node may be silent.
    pub(super) fn dead_after(&self, id: NodeId) -> Duration {
        let seen = self.get(id);
        if seen.status == NodeStatus::Init {
            return self.deadtime.max(self.initdead);
        }
        let asked = seen.advertised.filter(|_| !seen.extended);
        silence_limit(asked, self.keepalive, self.deadtime)
    }

    /// When a node is dead if nothing more is heard of it; `None` if nobody waits for it.
    fn deadline_of(&self, id: NodeId, seen: &Seen, not_before: Instant) -> Option<Instant> {
        match seen.status {
            NodeStatus::Init | NodeStatus::Up | NodeStatus::Active => {}
            NodeStatus::Left | NodeStatus::Dead | NodeStatus::Ping => return None,
        }
        let silent = seen.silent_since.checked_add(self.dead_after(id))?;
        Some(silent.max(not_before))
    }

    pub(super) fn deadline(&self, not_before: Instant) -> Option<Instant> {
        let rows = self.rows();
        rows.filter_map(|(id, seen)| self.deadline_of(id, seen, not_before))
            .min()
    }

    /// Who has been silent for too long, and for how long.
    pub(super) fn overdue(&self, not_before: Instant, now: Instant) -> Vec<(NodeId, Duration)> {
        let late = |(id, seen): (NodeId, &Seen)| {
            self.deadline_of(id, seen, not_before)
                .filter(|at| *at <= now)?;
            let heard = seen.heard.unwrap_or(seen.silent_since);
            Some((id, now.saturating_duration_since(heard)))
        };
        self.rows().filter_map(late).collect()
    }

    /// We did not listen for so long.
    pub(super) fn stalled(&mut self, late: Duration) {
        for seen in self.rows.values_mut() {
            seen.silent_since += late;
        }
    }
}
