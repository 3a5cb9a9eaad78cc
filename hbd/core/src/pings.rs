//! Ping nodes: hosts outside the cluster whose answers show that this node's network works
//! (Heartbeat specification 3.7). What is known of them is known here alone: nobody is told.
//!
//! ```text
//! Init ──answer──► Ping ◄──answer── Dead
//!   │               └────deadping────┘│
//!   └──deadping, or initdead if longer┘
//! ```
//!
//! As with nodes, silence counts only while this node could listen. Nobody waits for a ping node:
//! one that never answers must not keep groups from running (specification 11.1).

use crate::config::{Config, LinkId};
use crate::quality::Quality;
use crate::table::Table;
use ha_status::{LinkState, NodeStatus};
use std::time::{Duration, Instant};

/// One ping node.
#[derive(Debug, Clone)]
pub(crate) struct Ping {
    pub(crate) state: LinkState,
    /// When `state` last changed.
    pub(crate) since: Instant,
    /// When an answer last came.
    pub(crate) heard: Option<Instant>,
    pub(crate) answers: u64,
    /// Where its silence begins to count.
    silent_since: Instant,
    pub(crate) quality: Quality,
}

/// All of them, in file order.
#[derive(Debug, Clone)]
pub(crate) struct Pings {
    rows: Table<LinkId, Ping>,
    deadping: Duration,
    /// For one that has not answered yet.
    initdead: Duration,
    /// The time between two requests.
    keepalive: Duration,
    /// Nobody is judged before.
    not_before: Instant,
}

impl Pings {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        let row = || Ping {
            state: LinkState::Init,
            since: now,
            heard: None,
            answers: 0,
            silent_since: now,
            quality: Quality::default(),
        };
        Self {
            rows: config.pings.ids().map(|id| (id, row())).collect(),
            deadping: config.deadping,
            initdead: config.initdead.max(config.deadping),
            keepalive: config.keepalive,
            not_before: now,
        }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = (LinkId, &Ping)> {
        self.rows.iter()
    }

    /// How long this one may be silent.
    pub(crate) fn dead_after(&self, ping: &Ping) -> Duration {
        match ping.state {
            LinkState::Init => self.initdead,
            LinkState::Up | LinkState::Dead => self.deadping,
        }
    }

    /// An answer came, so long after its request; true if it is the first, or the first after a
    /// silence.
    pub(crate) fn answered(&mut self, id: LinkId, took: Duration, now: Instant) -> bool {
        let deadping = self.deadping;
        let Some(ping) = self.rows.get_mut(id) else {
            return false;
        };
        ping.quality.answer(now);
        ping.quality.round_trip(took);
        if ping.heard.is_some() {
            let silence = now.saturating_duration_since(ping.silent_since);
            ping.quality.silence(silence, deadping, now);
        }
        ping.heard = Some(now);
        ping.silent_since = now;
        ping.answers = ping.answers.saturating_add(1);
        ping.become_state(LinkState::Up, now)
    }

    /// Declares dead whoever's deadline has come, with the time of its silence.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<(LinkId, Duration)> {
        let due = |(id, ping): (LinkId, &Ping)| {
            self.deadline_of(ping).filter(|at| *at <= now)?;
            let silent = now.saturating_duration_since(ping.heard.unwrap_or(ping.silent_since));
            Some((id, silent))
        };
        let dead: Vec<(LinkId, Duration)> = self.rows.iter().filter_map(due).collect();
        for (id, _) in &dead {
            if let Some(ping) = self.rows.get_mut(*id) {
                ping.become_state(LinkState::Dead, now);
            }
        }
        dead
    }

    /// There were answers, and none comes any more: as far as this node can tell it is cut off.
    pub(crate) fn are_lost(&self) -> bool {
        let mut rows = self.rows.values();
        let silent = self.rows.values().all(|ping| ping.state != LinkState::Up);
        silent && rows.any(|ping| ping.heard.is_some())
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let rows = self.rows.values();
        rows.filter_map(|ping| self.deadline_of(ping)).min()
    }

    fn deadline_of(&self, ping: &Ping) -> Option<Instant> {
        match ping.state {
            LinkState::Init | LinkState::Up => {
                let silent = ping.silent_since.checked_add(self.dead_after(ping))?;
                Some(silent.max(self.not_before))
            }
            LinkState::Dead => None,
        }
    }

    /// This node could neither ask nor listen for so long.
    pub(crate) fn stalled(&mut self, late: Duration, now: Instant) {
        self.not_before = now + self.keepalive * 2;
        for ping in self.rows.values_mut() {
            ping.silent_since += late;
        }
    }
}

impl Ping {
    /// As a node is shown.
    pub(crate) fn status(&self) -> NodeStatus {
        match self.state {
            LinkState::Init => NodeStatus::Init,
            LinkState::Up => NodeStatus::Ping,
            LinkState::Dead => NodeStatus::Dead,
        }
    }

    /// Changes the state; true if it was another one.
    fn become_state(&mut self, state: LinkState, now: Instant) -> bool {
        let changed = self.state != state;
        if changed {
            self.state = state;
            self.since = now;
        }
        changed
    }
}
