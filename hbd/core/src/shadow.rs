//! Listening only: what a live pair of any make says, what this program would decide in its place at
//! each event, and whether the pair did the same. Sends nothing, asks nobody, joins nothing.
//!
//! ```text
//! packet ──► seen (who lives, how late) ──► holdings (who runs what, as far as the wire tells)
//!                      │                             │
//!                      └──► questions: we would … ◄──┘──► same, differs, cannot be told
//! ```
//!
//! A listener has no vote and no life of its own: a packet is believed when its digest and its numbers
//! are right, for nothing depends on it but a report.

mod event;
mod hearing;
mod holdings;
mod judging;
mod nodes;
mod question;
mod snapshot;
mod tally;

pub use event::{Difference, Event, Lead, Matter, Said, Untold, Verdict};
pub use nodes::Lateness;
pub use tally::{Judged, Tally, VERDICTS_MAX};

use crate::config::{Config, LinkId, NodeName, Received};
use crate::extension::Codec;
use crate::links::Links;
use crate::reception::Reception;
use crate::roster::{NodeId, Roster};
use crate::wire::Reject;
use holdings::Holdings;
use nodes::Nodes;
use question::Questions;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Everything that can happen to a listener.
#[derive(Debug, Clone)]
pub enum Input {
    /// A deadline may have come.
    Tick,
    /// An authentic message.
    Received(Received),
    /// A packet was dropped before it became a message.
    Rejected { link: LinkId, reason: Reject },
}

/// A listener.
#[derive(Debug)]
pub struct Shadow {
    config: Config,
    roster: Roster,
    codec: Codec,
    nodes: Nodes,
    links: Links,
    holdings: Holdings,
    questions: Questions,
    tally: Tally,
    reception: Reception,
    refused: BTreeMap<(LinkId, Reject), u64>,
    started: Instant,
    /// When this machine last listened: a longer silence is its own.
    listened: Instant,
    /// Nobody is judged before.
    not_before: Instant,
    events: VecDeque<Event>,
    revision: u64,
}

impl Shadow {
    /// For the nodes, media and groups of this configuration; who of them is local means nothing.
    pub fn new(config: Config, now: Instant) -> Self {
        let roster = Roster::new(&config);
        let nodes = Nodes::new(&config, &roster, now);
        Self {
            codec: Codec::new(&config),
            links: Links::new(roster.order(), &config.links),
            holdings: Holdings::default(),
            questions: Questions::default(),
            tally: Tally::default(),
            reception: Reception::default(),
            refused: BTreeMap::new(),
            started: now,
            listened: now,
            not_before: now,
            events: VecDeque::new(),
            revision: 0,
            config,
            roster,
            nodes,
        }
    }

    /// The only way in.
    pub fn handle(&mut self, input: Input, now: Instant) {
        self.notice_stall(now);
        match input {
            Input::Tick => {}
            Input::Received(received) => self.hear(received.link, &received.message, now),
            Input::Rejected { link, reason } => self.refuse(link, reason),
        }
        self.expire(now);
        self.judge(now);
    }

    /// What there is to tell; call it until `None` after each [`Shadow::handle`].
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Input::Tick`] is due: at least each keepalive, or this listener has been standing still.
    pub fn deadline(&self) -> Instant {
        let own = self.listened + self.config.keepalive;
        let dead_after = |node| self.nodes.dead_after(node);
        let nodes = self.nodes.deadline(self.not_before);
        let deadlines = [
            nodes,
            self.links.deadline(dead_after),
            self.questions.deadline(),
        ];
        deadlines.into_iter().flatten().fold(own, Instant::min)
    }

    /// What was judged since the start.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How punctual each node was, in the order of the `node` lines.
    pub fn lateness(&self) -> impl Iterator<Item = (&NodeName, &Lateness)> {
        let rows = self.nodes.rows();
        rows.map(|(id, node)| (self.roster.name(id), &node.lateness))
    }

    /// Packets that were refused on each link, by reason.
    pub fn refused(&self) -> impl Iterator<Item = (LinkId, Reject, u64)> {
        let rows = self.refused.iter();
        rows.map(|((link, reason), count)| (*link, *reason, *count))
    }

    /// Grows with everything that shows.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How long a heartbeat may take before it is worth a warning (`warntime`).
    pub fn warntime(&self) -> Duration {
        self.config.warntime
    }

    fn tell(&mut self, event: Event) {
        self.revision = self.revision.wrapping_add(1);
        self.events.push_back(event);
    }

    fn name(&self, node: NodeId) -> NodeName {
        self.roster.name(node).clone()
    }

    /// The silence of a machine that stands still itself says nothing about others.
    fn notice_stall(&mut self, now: Instant) {
        let away = now.saturating_duration_since(self.listened);
        self.listened = self.listened.max(now);
        let Some(late) = away.checked_sub(self.config.keepalive) else {
            return;
        };
        if late < self.config.keepalive.max(STALL_MIN) {
            return;
        }
        self.not_before = now + self.config.keepalive * 2;
        self.nodes.stalled(late);
        self.links.stalled(late);
        self.questions.stalled(late);
        self.tell(Event::Stalled { late });
    }

    fn refuse(&mut self, link: LinkId, reason: Reject) {
        self.reception.reject(reason);
        if self.config.links.get(link).is_none() {
            return;
        }
        let count = self.refused.entry((link, reason)).or_insert(0);
        *count = count.saturating_add(1);
        let count = *count;
        if is_told(count) {
            self.tell(Event::Refused {
                link,
                reason,
                count,
            });
        }
    }
}

/// Less than this is no stall, however short the keepalive.
const STALL_MIN: Duration = Duration::from_millis(50);

/// The first is told, the tenth, the hundredth …
fn is_told(count: u64) -> bool {
    count
        .checked_ilog10()
        .is_some_and(|zeros| count == 10_u64.pow(zeros))
}

#[cfg(test)]
mod tests;
