//! Who is alive, from deadlines alone (Heartbeat specification 6).
//!
//! ```text
//! Init ──status──► Up ◄──► Active ──shutdone──► Left
//!   │               │         │                  │ status of a new generation
//!   │ initdead      └─deadtime┴──► Dead ─status──┴──► Up, Active
//!   └─────────────────────────────► Dead
//! ```
//!
//! Only a `status` refreshes a node. A node is dead at the very moment its deadline comes, but
//! silence counts only while this node could listen: after a stall of its own every deadline is
//! moved by the length of the stall, and nobody is judged before two further heartbeats could
//! have come.

use crate::config::{Config, KnownPeer};
use crate::extension::{Heard, Life, Report};
use crate::legacy::Legacy;
use crate::old_peer::OldPeer;
use crate::quality::Quality;
use crate::random::Random;
use crate::roster::{NodeId, Roster};
use crate::sequence::Receiver;
use crate::table::Table;
use ha_status::NodeStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An old peer dictates its own dead time, but not beyond three of ours and this (11.1). It asks for
/// 2 s more while it comes up and for 30 s more before it restarts itself.
const MAX_EXTRA_DEADTIME: Duration = Duration::from_secs(60);

/// Another node as this one sees it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) status: NodeStatus,
    /// The status in the peer's own word, cut to what the old daemon can hold.
    pub(crate) word: String,
    /// Did its last status carry the extension?
    pub(crate) extended: bool,
    /// What it said last in this life; `None` for an old peer and while it is dead.
    pub(crate) report: Option<Arc<Report>>,
    /// What it said of its resources in this life, if it is an old one.
    pub(crate) old: OldPeer,
    /// What it asked for and was asked for in this life, if it is an old one that does so.
    pub(crate) legacy: Legacy,
    /// What is kept of it across our own restarts; its generation is that of the life that is
    /// heard, or was last.
    pub(crate) known: KnownPeer,
    /// Another life of it that has not named ours yet.
    pub(crate) candidate: Option<Life>,
    /// Packets of it that were not believed.
    pub(crate) refused: Option<Refused>,
    pub(crate) receiver: Receiver,
    /// How well it is heard, over all links together.
    pub(crate) quality: Quality,
    /// When `status` last changed.
    pub(crate) since: Instant,
    /// When its last status came.
    pub(crate) heard: Option<Instant>,
    /// Where its silence begins to count.
    silent_since: Instant,
    /// Its own `dt`.
    advertised: Option<Duration>,
    /// An active peer that hears us does not hear this one.
    vouched_dead: bool,
    /// Told once per life: it speaks no extension.
    pub(crate) old_reported: bool,
    /// Told once per life: packets of an earlier one come in.
    pub(crate) replay_reported: bool,
}

impl Peer {
    pub(crate) fn lives(&self) -> bool {
        match self.status {
            NodeStatus::Up | NodeStatus::Active => true,
            NodeStatus::Init | NodeStatus::Left | NodeStatus::Dead | NodeStatus::Ping => false,
        }
    }

    pub(crate) fn is_retired(&self, uuid: Option<[u8; 16]>) -> bool {
        uuid.is_some_and(|uuid| self.known.retired.contains(&uuid))
    }

    /// Does it come with an identity that it never had before, while none of it lives?
    pub(crate) fn is_new(&self, uuid: Option<[u8; 16]>) -> bool {
        let other = self
            .known
            .uuid
            .zip(uuid)
            .is_some_and(|(one, other)| one != other);
        other && !self.lives() && !self.is_retired(uuid)
    }

    /// What we tell others that we hear of it. Another life of it may still be a recording, but
    /// must be named to prove that it is none.
    pub(crate) fn told(&self) -> Option<Heard> {
        let candidate = self.candidate.map(|life| Heard {
            life,
            proven: false,
        });
        candidate.or(self.life().map(|life| Heard { life, proven: true }))
    }

    /// A life has been proven: what is to be kept of it, if that is news.
    pub(crate) fn learn(&mut self, uuid: Option<[u8; 16]>, extended: bool) -> Option<KnownPeer> {
        let before = self.known.clone();
        let known = &mut self.known;
        known.generation = self.receiver.generation();
        known.extended = extended;
        let former = known.uuid.zip(uuid).filter(|(one, other)| one != other);
        if let Some((former, _)) = former {
            known.retired.push(former);
            let surplus = known.retired.len().saturating_sub(KnownPeer::MAX_RETIRED);
            known.retired.drain(..surplus);
        }
        known.uuid = uuid.or(known.uuid);
        (*known != before).then(|| known.clone())
    }

    /// The life that this node hears, if it does.
    pub(crate) fn life(&self) -> Option<Life> {
        self.lives().then(|| Life {
            generation: self.receiver.generation(),
            wakes: self.report.as_ref().map_or(0, |report| report.wakes),
        })
    }

    /// Its daemon was restarted: nothing it said before counts.
    pub(crate) fn begin_life(&mut self) {
        self.report = None;
        self.old = OldPeer::default();
        self.legacy = Legacy::default();
        self.candidate = None;
        self.refused = None;
        self.advertised = None;
        self.heard = None;
        self.old_reported = false;
        self.replay_reported = false;
    }

    /// Changes the status; true if it was another one.
    pub(crate) fn become_status(&mut self, status: NodeStatus, now: Instant) -> bool {
        let changed = self.status != status;
        if changed {
            self.status = status;
            self.since = now;
        }
        changed
    }

    /// Whether a node that lives, or has never been heard, is waited for.
    fn watched(&self) -> bool {
        match self.status {
            NodeStatus::Init | NodeStatus::Up | NodeStatus::Active => true,
            NodeStatus::Left | NodeStatus::Dead | NodeStatus::Ping => false,
        }
    }
}

/// Why a packet under a peer's name is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disbelief {
    /// Of a life of the peer that is over.
    Replay,
    /// It has not answered this life of ours.
    Unanswered,
}

/// Packets under a peer's name that were not believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused {
    pub(crate) why: Disbelief,
    /// What they called their generation.
    pub(crate) generation: u64,
    pub(crate) count: u64,
    pub(crate) last: Instant,
}

/// All other nodes.
#[derive(Debug)]
pub(crate) struct Membership {
    /// In the order of the `node` lines, without the local one.
    peers: Table<NodeId, Peer>,
    keepalive: Duration,
    deadtime: Duration,
    initdead: Duration,
    /// Until every node has been heard or declared dead.
    joining: bool,
    /// Nobody is judged before.
    not_before: Instant,
}

/// How long a node may be silent: an old one as long as it asks for, within reason, any other one as
/// long as ha.cf says.
pub(crate) fn silence_limit(
    asked: Option<Duration>,
    keepalive: Duration,
    deadtime: Duration,
) -> Duration {
    match asked {
        Some(asked) if !asked.is_zero() => {
            let most = deadtime.saturating_mul(3) + MAX_EXTRA_DEADTIME;
            asked.clamp((keepalive * 2).min(most), most)
        }
        Some(_) | None => deadtime,
    }
}

/// A node whose deadline came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Death {
    pub(crate) node: NodeId,
    pub(crate) silent: Duration,
}

impl Membership {
    pub(crate) fn new(config: &Config, roster: &Roster, random: &mut Random, now: Instant) -> Self {
        let peer = |id| {
            let name = roster.name(id);
            let known = config.known.iter().find(|known| known.node == *name);
            let known = known.cloned().unwrap_or(KnownPeer {
                node: name.clone(),
                generation: 0,
                uuid: None,
                extended: false,
                retired: Vec::new(),
            });
            let receiver = Receiver::new(random.next(), config.max_rexmit_delay);
            let peer = Peer {
                status: NodeStatus::Init,
                word: String::new(),
                extended: false,
                report: None,
                old: OldPeer::default(),
                legacy: Legacy::default(),
                receiver: receiver.knowing(known.generation),
                known,
                candidate: None,
                refused: None,
                quality: Quality::default(),
                since: now,
                heard: None,
                silent_since: now,
                advertised: None,
                vouched_dead: false,
                old_reported: false,
                replay_reported: false,
            };
            (id, peer)
        };
        Self {
            peers: roster.peers().map(peer).collect(),
            keepalive: config.keepalive,
            deadtime: config.deadtime,
            initdead: config.initdead,
            joining: true,
            not_before: now,
        }
    }

    /// `None` for the local node.
    pub(crate) fn peer(&self, id: NodeId) -> Option<&Peer> {
        self.peers.get(id)
    }

    pub(crate) fn peer_mut(&mut self, id: NodeId) -> Option<&mut Peer> {
        self.peers.get_mut(id)
    }

    /// Every other node, in the order of the `node` lines.
    pub(crate) fn peers(&self) -> impl Iterator<Item = (NodeId, &Peer)> {
        self.peers.iter()
    }

    /// Has every node been heard or declared dead?
    pub(crate) fn accounted(&self) -> bool {
        self.peers()
            .all(|(_, peer)| peer.status != NodeStatus::Init)
    }

    /// From now on deadtime holds instead of initdead.
    pub(crate) fn joined(&mut self) {
        self.joining = false;
    }

    /// A status of the node came. The time since the one before, if there was one and this node
    /// was listening all the time.
    pub(crate) fn heard(
        &mut self,
        id: NodeId,
        advertised: Option<u64>,
        now: Instant,
    ) -> Option<Duration> {
        let peer = self.peer_mut(id)?;
        let before = peer.heard.filter(|heard| peer.silent_since == *heard);
        peer.heard = Some(now);
        peer.silent_since = now;
        peer.advertised = advertised.map(Duration::from_millis);
        before.map(|heard| now.saturating_duration_since(heard))
    }

    /// How long a node may be silent: between hbd nodes our own deadtime, for an old peer what it
    /// asks for, within reason.
    pub(crate) fn dead_after(&self, id: NodeId) -> Duration {
        let Some(peer) = self.peer(id) else {
            return self.deadtime;
        };
        let asked = peer.advertised.filter(|_| !peer.extended);
        let usual = silence_limit(asked, self.keepalive, self.deadtime);
        match (self.joining, peer.status) {
            (true, NodeStatus::Init) if peer.vouched_dead => self.deadtime,
            (true, _) => usual.max(self.initdead),
            (false, _) => usual,
        }
    }

    fn deadline_of(&self, id: NodeId, peer: &Peer) -> Option<Instant> {
        if !peer.watched() {
            return None;
        }
        let silent = peer.silent_since.checked_add(self.dead_after(id))?;
        Some(silent.max(self.not_before))
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadlines = self.peers().filter_map(|(id, peer)| {
            let lost = peer.lives().then(|| peer.receiver.deadline()).flatten();
            match (self.deadline_of(id, peer), lost) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            }
        });
        deadlines.min()
    }

    /// Declares dead whoever's deadline has come.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Death> {
        let due = |(id, peer): (NodeId, &Peer)| {
            self.deadline_of(id, peer).filter(|at| *at <= now)?;
            let silent = now.saturating_duration_since(peer.heard.unwrap_or(peer.silent_since));
            Some(Death { node: id, silent })
        };
        let dead: Vec<Death> = self.peers().filter_map(due).collect();
        for Death { node, .. } in &dead {
            if let Some(peer) = self.peer_mut(*node) {
                peer.become_status(NodeStatus::Dead, now);
                "dead".clone_into(&mut peer.word);
                peer.report = None;
                peer.old = OldPeer::default();
                peer.legacy = Legacy::default();
                peer.receiver.forget_missing();
            }
        }
        dead
    }

    /// This node could not listen for so long.
    pub(crate) fn stalled(&mut self, late: Duration, now: Instant) {
        self.not_before = now + self.keepalive * 2;
        for peer in self.peers.values_mut() {
            peer.silent_since += late;
        }
    }

    /// Does a live peer hear this node?
    pub(crate) fn hearsay(&self, id: NodeId) -> bool {
        self.peers().any(|(witness, peer)| {
            let report = peer.report.as_ref().filter(|_| peer.lives());
            witness != id && report.is_some_and(|report| report.hears(id))
        })
    }

    /// Which nodes active peers miss: a newcomer need not wait longer for those than they did.
    pub(crate) fn vouch(&mut self, local: NodeId, life: Life) {
        let missed = |id: NodeId| {
            self.peers().any(|(witness, peer)| {
                let report = peer.report.as_ref();
                let active = peer.status == NodeStatus::Active && witness != id;
                report.is_some_and(|report| {
                    active && report.answers(local, life) && !report.hears(id)
                })
            })
        };
        let verdicts: Vec<(NodeId, bool)> = self.peers().map(|(id, _)| (id, missed(id))).collect();
        for (id, missed) in verdicts {
            if let Some(peer) = self.peer_mut(id) {
                peer.vouched_dead = missed;
            }
        }
    }
}
