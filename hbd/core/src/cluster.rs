//! The top machine: routes every input to membership, links, groups and commands, and gathers
//! their outputs. The only type a shell needs.
//!
//! Every `handle` runs the same steps: notice a stall of our own, take the input (or judge the
//! silent ones, at a tick), settle (decide about every group that may be affected), and speak if
//! there is news.
//! `hearing` takes messages in, `speaking` builds what is sent, `groups` carries out decisions,
//! `commands` and `shutdown` follow what operators asked for, `snapshot` shows it all.

mod believing;
mod circumstances;
mod commands;
mod groups;
mod hearing;
mod old_peers;
mod reasons;
mod shutdown;
mod snapshot;
mod speaking;

use crate::carriers::Carriers;
use crate::config::{Config, GroupId};
use crate::deafness::Deafness;
use crate::extension::{Codec, Life, Relay};
use crate::input::{Command, Failure, Input};
use crate::links::Links;
use crate::membership::{Death, Membership};
use crate::messages::Voice;
use crate::namesake::Namesake;
use crate::output::{Notice, Output};
use crate::ownership::{Bar, Phase};
use crate::pace::Pace;
use crate::random::Random;
use crate::roster::{NodeId, Roster};
use crate::table::Table;
use crate::takeover::Event;
use crate::wire::Reject;
use circumstances::Circumstances;
use commands::Pending;
use groups::Group;
use ha_status::{ClusterSnapshot, Counters, HoldSet, NodeStatus};
use shutdown::Shutdown;
use speaking::Said;
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// A peer that says in so many heartbeats that it does not hear us is deaf.
const DEAF_AFTER: u32 = 3;

/// One node of a cluster. Feed it with [`Cluster::handle`], drain [`Cluster::poll`] to `None`,
/// then wait for the next input or [`Cluster::deadline`], whichever comes first.
#[derive(Debug)]
pub struct Cluster {
    config: Config,
    roster: Roster,
    codec: Codec,
    random: Random,
    membership: Membership,
    links: Links,
    voice: Voice,
    pace: Pace,
    carriers: Carriers,
    deafness: Deafness,
    /// Nodes that nobody here hears.
    absent: BTreeSet<NodeId>,
    /// What this node passes on of others.
    relay: Relay,
    namesake: Namesake,
    /// In the order of haresources.
    groups: Table<GroupId, Group>,
    /// Under which the groups were last decided about.
    circumstances: Option<Circumstances>,
    /// What was said last.
    said: Option<Said>,
    commands: Vec<Pending>,
    shutdown: Option<Shutdown>,
    /// Up to now this node was `up`; since then it is `active`.
    active: bool,
    /// When the local status last changed.
    since: Instant,
    /// Stalls survived: with the generation it names this life.
    wakes: u64,
    /// Old peers that were sent `starting`.
    greeted: BTreeSet<NodeId>,
    /// What they were told last that we hold.
    told: Option<HoldSet>,
    /// Names that are not configured here and were reported.
    strangers: BTreeSet<String>,
    counters: Counters,
    queue: VecDeque<Output>,
    /// What [`Cluster::deadline`] said after the last input.
    announced: Option<Instant>,
    started: Instant,
    revision: u64,
    exited: bool,
}

impl Cluster {
    /// Starts: the first outputs (probes, the first status message) are ready to be polled.
    ///
    /// # Panics
    /// If the local node is not among the nodes, or there are more than
    /// [`crate::config::MAX_GROUPS`] groups, or two of one name: the shell checks both.
    pub fn new(config: Config, now: Instant) -> Self {
        let roster = Roster::new(&config);
        let mut random = Random::new(config.seed);
        let mut cluster = Self {
            codec: Codec::new(&config),
            membership: Membership::new(&config, &roster, &mut random, now),
            links: Links::new(roster.peers(), &config.links),
            voice: Voice::new(&config, &roster),
            pace: Pace::new(config.keepalive, now),
            carriers: Carriers::new(config.initdead),
            deafness: Deafness::new(config.deadtime.min(config.keepalive * DEAF_AFTER)),
            absent: BTreeSet::new(),
            relay: Relay::default(),
            namesake: Namesake::new(config.deadtime),
            groups: Group::all(&config, &roster),
            circumstances: None,
            said: None,
            commands: Vec::new(),
            shutdown: None,
            active: false,
            since: now,
            wakes: 0,
            greeted: BTreeSet::new(),
            told: None,
            strangers: BTreeSet::new(),
            counters: Counters::default(),
            queue: VecDeque::new(),
            announced: None,
            started: now,
            revision: 0,
            exited: false,
            config,
            roster,
            random,
        };
        cluster.say_first(now);
        let probes = cluster.groups.ids().map(Output::Probe);
        cluster.queue.extend(probes);
        cluster.settle(now);
        cluster.speak(now);
        cluster.announced = cluster.next_deadline();
        cluster
    }

    /// The only way in. Never call it while `poll` still has output.
    ///
    /// Nodes and links are judged at `Input::Tick` alone: read everything that waits in the
    /// sockets before a tick, and nobody is declared dead while its heartbeat lies unread.
    pub fn handle(&mut self, input: Input, now: Instant) {
        if self.exited {
            return;
        }
        self.notice_stall(now);
        if matches!(input, Input::Tick) {
            self.judge(now);
            // From here on the shorter deadtime holds.
            if self.join(now) {
                self.judge(now);
            }
        }
        self.take(input, now);
        self.retry(now);
        self.settle(now);
        self.speak(now);
        self.announced = self.next_deadline();
    }

    /// The next thing to do; drain to `None` after every `handle`.
    pub fn poll(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    /// When `handle(Input::Tick, _)` is due at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.announced
    }

    /// Grows whenever the non-volatile part of the snapshot may have changed.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The whole visible state. `recent` is empty: notices belong to the shell.
    pub fn snapshot(&self, now: Instant) -> Option<ClusterSnapshot> {
        Some(self.view(now))
    }

    /// What a node is taken for, without all the rest of the snapshot; `None` for this node and for
    /// one that is not configured.
    pub fn status_of(&self, node: &str) -> Option<NodeStatus> {
        let peer = self.membership.peer(self.roster.find(node)?)?;
        Some(peer.status)
    }

    fn take(&mut self, input: Input, now: Instant) {
        match input {
            Input::Tick => {}
            Input::Received(received) => self.hear(received.link, &received.message, now),
            Input::Rejected { reason, .. } => self.count_reject(reason),
            Input::LinkWrite { link, result } => {
                if self.links.wrote(link, result, now) {
                    self.changed();
                }
            }
            Input::Probed { group, activity } => {
                self.run_event(group, Event::Probed(activity), now);
            }
            Input::Started { group, result } => self.started(group, result, now),
            Input::Stopped { group, result } => self.stopped(group, result, now),
            Input::Lost {
                group,
                resource,
                reason,
            } => self.lost(group, resource, reason, now),
            Input::Mended { group } => self.run_event(group, Event::Mended, now),
            Input::Carrier { interface, carrier } => self.carrier(interface, carrier, now),
            Input::Command { id, command } => match command {
                Command::Standby(set) => self.standby(id, set, now),
                Command::Takeover(set) => self.takeover(id, set, false, now),
                Command::ForcedTakeover(set) => self.takeover(id, set, true, now),
                Command::Shutdown => self.begin_shutdown(id, now),
            },
            Input::Load(load) => self.voice.set_load(&load),
            Input::WallClock(milliseconds) => self.voice.set_wall_clock(now, milliseconds),
        }
    }

    fn started(&mut self, group: GroupId, result: Result<(), Failure>, now: Instant) {
        let event = match &result {
            Ok(()) => Event::Started,
            Err(failure) if failure.still_held => Event::StartFailedHeld,
            Err(_) => Event::StartFailed,
        };
        self.result(group, event, result.err(), now);
    }

    fn stopped(&mut self, group: GroupId, result: Result<(), Failure>, now: Instant) {
        let event = match &result {
            Ok(()) => Event::Stopped,
            Err(_) => Event::StopFailed,
        };
        self.result(group, event, result.err(), now);
    }

    fn carrier(&mut self, interface: String, carrier: bool, now: Instant) {
        let Some(cut_off) = self.carriers.set(interface, carrier, now) else {
            return;
        };
        self.notice(if cut_off {
            Notice::CutOff
        } else {
            Notice::Reconnected
        });
        if cut_off {
            self.shake();
        }
    }

    /// Why this node must take nothing now.
    fn bar(&self, now: Instant) -> Option<Bar> {
        if self.carriers.cut_off() {
            return Some(Bar::NoCarrier);
        }
        if self.namesake.is_heard() {
            return Some(Bar::SameName);
        }
        self.carriers.unsure(now).then_some(Bar::CarrierBack)
    }

    /// If this call comes much later than announced, this node (or its machine) stood still: its
    /// view of the others is old, and what it promised may have been overruled.
    fn notice_stall(&mut self, now: Instant) {
        let late = self.announced.map_or(Duration::ZERO, |announced| {
            now.saturating_duration_since(announced)
        });
        if late <= self.config.keepalive.max(self.config.deadtime / 8) {
            return;
        }
        self.wakes = self.wakes.saturating_add(1);
        self.membership.stalled(late, now);
        self.links.stalled(late);
        self.notice(Notice::LocalStall { late });
        self.shake();
    }

    /// Whose time has come?
    fn judge(&mut self, now: Instant) {
        for Death { node, silent } in self.membership.expire(now) {
            let name = self.roster.name(node).clone();
            self.voice.forget(name.as_str());
            self.greeted.remove(&node);
            self.deafness.forget(node);
            self.notice(Notice::NodeDead { node: name, silent });
        }
        self.note_absence();
        if self.namesake.expire(now) {
            self.notice(Notice::SameNameGone);
        }
        let membership = &self.membership;
        for (node, link) in self.links.expire(|node| membership.dead_after(node), now) {
            let node = self.roster.name(node).clone();
            self.notice(Notice::LinkDead { node, link });
            self.changed();
        }
    }

    /// What failed before and may be tried again.
    fn retry(&mut self, now: Instant) {
        self.carriers.settle(now);
        self.deafness.settle(now);
        let due = self.groups.iter().filter(|(_, it)| it.runner.due(now));
        for group in due.map(|(id, _)| id).collect::<Vec<_>>() {
            self.run_event(group, Event::Due, now);
        }
    }

    /// Draws all conclusions from the present state.
    fn settle(&mut self, now: Instant) {
        self.join(now);
        self.greet_old_peers(now);
        self.evaluate(now);
        self.pass_on_reports();
        self.finish_commands(now);
        self.finish_shutdown(now);
    }

    /// Becomes active once every node has been heard or declared dead; true if that is now.
    fn join(&mut self, now: Instant) -> bool {
        if self.active || self.shutdown.is_some() || !self.membership.accounted() {
            return false;
        }
        self.active = true;
        self.since = now;
        self.membership.joined();
        self.notice(Notice::LocalStatus("active"));
        true
    }

    fn next_deadline(&self) -> Option<Instant> {
        if self.exited {
            return None;
        }
        let membership = &self.membership;
        let groups = || self.groups.values();
        let runners = groups().filter_map(|group| group.runner.deadline());
        let patience = groups().filter_map(|group| self.patience_ends(group));
        let resting = groups().filter_map(|group| self.rests_at(group));
        let commands = self.commands.iter().map(|pending| pending.until);
        let deadlines = [
            Some(self.pace.deadline()),
            membership.deadline(),
            self.links.deadline(|node| membership.dead_after(node)),
            runners.min(),
            patience.min(),
            resting.min(),
            self.deafness.deadline(),
            commands.min(),
            self.shutdown.as_ref().map(Shutdown::deadline),
            self.carriers.deadline(),
            self.namesake.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    fn phase(&self) -> Phase {
        match (&self.shutdown, self.active) {
            (Some(_), _) => Phase::Leaving,
            (None, true) => Phase::Active,
            (None, false) => Phase::Joining,
        }
    }

    fn life(&self) -> Life {
        Life {
            generation: self.config.generation,
            wakes: self.wakes,
        }
    }

    fn group(&self, id: GroupId) -> &Group {
        self.groups.get(id).expect("the group is of this cluster")
    }

    fn group_mut(&mut self, id: GroupId) -> &mut Group {
        self.groups
            .get_mut(id)
            .expect("the group is of this cluster")
    }

    /// Does the shell speak of a group of ours?
    fn is_group(&self, id: GroupId) -> bool {
        self.groups.get(id).is_some()
    }

    /// The snapshot may have changed.
    fn changed(&mut self) {
        self.revision = self.revision.saturating_add(1);
    }

    fn notice(&mut self, notice: Notice) {
        self.queue.push_back(Output::Notice(notice));
    }

    fn count_reject(&mut self, reason: Reject) {
        let counter = match reason {
            Reject::BadFrame => &mut self.counters.rejected_frame,
            Reject::BadDigest => &mut self.counters.rejected_digest,
            Reject::UnknownKey => &mut self.counters.rejected_key,
            Reject::TooLong => &mut self.counters.rejected_length,
            Reject::Malformed => &mut self.counters.rejected_malformed,
        };
        *counter = counter.saturating_add(1);
    }
}
