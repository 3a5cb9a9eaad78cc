//! The top machine: routes every input to membership, links, groups and commands, and gathers
//! their outputs. The only type a shell needs.
//!
//! Every `handle` runs the same steps: notice a stall of our own, take the input (or judge the
//! silent ones, at a tick), settle (decide about every group that may be affected), and speak if
//! there is news.
//! `hearing` takes messages in, `advising` passes directors' questions on, `speaking` builds what is
//! sent, `groups` carries out decisions, `commands` and `shutdown` follow what operators asked for,
//! `snapshot` shows it all.

mod advising;
mod asking;
mod believing;
mod circumstances;
mod commands;
mod disputes;
mod groups;
mod hearing;
mod old_peers;
mod orders;
mod reasons;
mod ring;
mod shutdown;
mod snapshot;
mod speaking;

use crate::config::{Config, GroupId};
use crate::footing::Footing;
use crate::greeting::Greeting;
use crate::input::{Command, Failure, Input};
use crate::links::Links;
use crate::membership::{Death, Membership};
use crate::opinions::Opinions;
use crate::outbox::Outbox;
use crate::output::{Notice, Output};
use crate::own_life::OwnLife;
use crate::ownership::Phase;
use crate::pings::Pings;
use crate::random::Random;
use crate::reception::Reception;
use crate::roster::Roster;
use crate::speech::Speech;
use crate::table::Table;
use crate::takeover::Event;
use crate::third_parties::ThirdParties;
use circumstances::Circumstances;
use groups::Group;
use ha_status::ClusterSnapshot;
use orders::Orders;
use std::time::Instant;

/// One node of a cluster. Feed it with [`Cluster::handle`], drain [`Cluster::poll`] to `None`,
/// then wait for the next input or [`Cluster::deadline`], whichever comes first.
#[derive(Debug)]
pub struct Cluster {
    config: Config,
    roster: Roster,
    random: Random,
    own: OwnLife,
    membership: Membership,
    links: Links,
    footing: Footing,
    pings: Pings,
    third_parties: ThirdParties,
    /// In the order of haresources.
    groups: Table<GroupId, Group>,
    /// Under which the groups were last decided about.
    circumstances: Option<Circumstances>,
    orders: Orders,
    speech: Speech,
    greeting: Greeting,
    reception: Reception,
    opinions: Opinions,
    outbox: Outbox,
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
            own: OwnLife::new(&config, now),
            membership: Membership::new(&config, &roster, &mut random, now),
            links: Links::new(roster.peers(), &config.links),
            footing: Footing::new(&config),
            pings: Pings::new(&config, now),
            third_parties: ThirdParties::default(),
            groups: Group::all(&config, &roster),
            circumstances: None,
            orders: Orders::default(),
            speech: Speech::new(&config, &roster, now),
            greeting: Greeting::default(),
            reception: Reception::default(),
            opinions: Opinions::new(&config),
            outbox: Outbox::default(),
            config,
            roster,
            random,
        };
        cluster.say_first(now);
        let probes = cluster.groups.ids().map(Output::Probe);
        cluster.outbox.extend(probes);
        cluster.settle(now);
        cluster.speak(now);
        cluster.outbox.announce(cluster.next_deadline());
        cluster
    }

    /// The only way in. Never call it while `poll` still has output.
    ///
    /// Nodes and links are judged at `Input::Tick` alone: read everything that waits in the
    /// sockets before a tick, and nobody is declared dead while its heartbeat lies unread.
    pub fn handle(&mut self, input: Input, now: Instant) {
        if self.outbox.has_exited() {
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
        self.outbox.announce(self.next_deadline());
    }

    /// The next thing to do; drain to `None` after every `handle`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    /// When `handle(Input::Tick, _)` is due at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.outbox.announced()
    }

    /// Grows whenever the non-volatile part of the snapshot may have changed.
    pub fn revision(&self) -> u64 {
        self.outbox.revision()
    }

    /// The whole visible state. `recent` is empty: notices belong to the shell.
    pub fn snapshot(&self, now: Instant) -> Option<ClusterSnapshot> {
        Some(self.view(now))
    }

    fn take(&mut self, input: Input, now: Instant) {
        match input {
            Input::Tick => {}
            Input::Received(received) => self.hear(received.link, &received.message, now),
            Input::Rejected { reason, .. } => self.reception.reject(reason),
            Input::LinkWrite { link, result } => {
                if self.links.wrote(link, result, now) {
                    self.outbox.changed();
                }
            }
            Input::PingAnswered { ping, took } => {
                if self.pings.answered(ping, took, now) {
                    self.outbox.notice(Notice::PingAnswers { ping });
                    self.note_agreements();
                }
            }
            Input::Probed { group, activity } => {
                self.run_event(group, Event::Probed(activity), now);
            }
            Input::Started {
                group,
                result,
                steps,
            } => {
                self.note_steps(group, steps);
                self.started(group, result, now);
            }
            Input::Stopped { group, result } => self.stopped(group, result, now),
            Input::Prepared { group } => self.prepared(group),
            Input::Unprepared { group } => self.unprepared(group),
            Input::Lingers { group, willing } => self.may_linger(group, willing),
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
            Input::Ask { id, services } => self.ask_directors(id, &services, now),
            Input::Inquired { question, found } => self.pass_finding_on(question, &found, now),
            Input::Load(load) => self.speech.voice.set_load(&load),
            Input::WallClock(milliseconds) => self.speech.voice.set_wall_clock(now, milliseconds),
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
        // A stop ends what was only prepared as well, and whatever was to undo it.
        self.unprepared(group);
        let event = match &result {
            Ok(()) => Event::Stopped,
            Err(_) => Event::StopFailed,
        };
        self.result(group, event, result.err(), now);
    }

    fn carrier(&mut self, interface: String, carrier: bool, now: Instant) {
        let Some(cut_off) = self.footing.carriers.set(interface, carrier, now) else {
            return;
        };
        self.outbox.notice(if cut_off {
            Notice::CutOff
        } else {
            Notice::Reconnected
        });
        if cut_off {
            self.shake();
        }
    }

    /// After a stall the view of the others is old, and what this node promised may have been
    /// overruled.
    fn notice_stall(&mut self, now: Instant) {
        let announced = self.outbox.announced();
        if let Some(late) = self.own.wake(announced, now) {
            self.membership.stalled(late, now);
            self.links.stalled(late);
            self.pings.stalled(late, now);
            self.outbox.notice(Notice::LocalStall { late });
            self.shake();
        }
    }

    /// Whose time has come?
    fn judge(&mut self, now: Instant) {
        for Death { node, silent } in self.membership.expire(now) {
            let name = self.roster.name(node).clone();
            self.speech.voice.forget(name.as_str());
            self.greeting.forget(node);
            self.footing.deafness.forget(node);
            self.outbox.notice(Notice::NodeDead { node: name, silent });
        }
        self.judge_pings(now);
        self.note_absence();
        if self.footing.namesake.expire(now) {
            self.outbox.notice(Notice::SameNameGone);
        }
        let membership = &self.membership;
        for (node, link) in self.links.expire(|node| membership.dead_after(node), now) {
            let node = self.roster.name(node).clone();
            self.outbox.notice(Notice::LinkDead { node, link });
            self.outbox.changed();
        }
    }

    /// Who hears none of its ping nodes any more may be the one that is cut off: what it runs from
    /// then on its clients cannot reach, so that it has no better claim than others.
    fn judge_pings(&mut self, now: Instant) {
        let dead = self.pings.expire(now);
        let lost = !dead.is_empty() && self.pings.are_lost();
        for (ping, silent) in dead {
            self.outbox.notice(Notice::PingSilent { ping, silent });
        }
        if lost {
            self.outbox.notice(Notice::PingsLost);
            self.shake();
        }
    }

    /// Can this node itself tell that it is cut off from its clients?
    fn is_cut_off(&self) -> bool {
        self.footing.carriers.cut_off() || self.pings.are_lost()
    }

    /// What failed before and may be tried again.
    fn retry(&mut self, now: Instant) {
        self.footing.settle(now);
        let due = self.groups.iter().filter(|(_, it)| it.runner.due(now));
        for group in due.map(|(id, _)| id).collect::<Vec<_>>() {
            self.run_event(group, Event::Due, now);
        }
        self.end_preparations(now);
        self.announce_again(now);
        self.follow_questions_up(now);
    }

    /// Draws all conclusions from the present state.
    fn settle(&mut self, now: Instant) {
        self.join(now);
        self.yield_to_requests(now);
        self.yield_to_rivals(now);
        self.evaluate(now);
        self.greet_old_peers(now);
        self.answer_requests(now);
        self.request_from_old_peers(now);
        self.pass_on_reports();
        self.finish_commands(now);
        self.finish_shutdown(now);
    }

    /// Becomes active once every node has been heard or declared dead; true if that is now.
    fn join(&mut self, now: Instant) -> bool {
        if self.own.is_active() || self.orders.is_leaving() || !self.membership.accounted() {
            return false;
        }
        self.own.become_active(now);
        self.membership.joined();
        self.outbox.notice(Notice::LocalStatus("active"));
        true
    }

    fn next_deadline(&self) -> Option<Instant> {
        if self.outbox.has_exited() {
            return None;
        }
        let membership = &self.membership;
        let groups = || self.groups.values();
        let runners = groups().filter_map(|group| group.runner.deadline());
        let patience = groups().filter_map(|group| self.patience_ends(group));
        let resting = groups().filter_map(|group| self.rests_at(group));
        let prepared = groups().filter_map(Group::prepared_until);
        let lingering = groups().filter_map(Group::lingering_deadline);
        let deadlines = [
            Some(self.speech.pace.deadline()),
            membership.deadline(),
            self.links.deadline(|node| membership.dead_after(node)),
            runners.min(),
            patience.min(),
            resting.min(),
            prepared.min(),
            lingering.min(),
            self.footing.deadline(),
            self.pings.deadline(),
            self.orders.deadline(),
            self.opinions.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    fn phase(&self) -> Phase {
        match (&self.orders.shutdown, self.own.is_active()) {
            (Some(_), _) => Phase::Leaving,
            (None, true) => Phase::Active,
            (None, false) => Phase::Joining,
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
}
