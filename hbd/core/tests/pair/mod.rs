//! A few nodes on a perfect network, for stories that are told step by step: packets take 100 us,
//! scripts a millisecond, clocks are exact.

#![allow(dead_code, reason = "every file of stories uses its part")]

use ha_status::{ClusterSnapshot, HoldSet};
use hbd_core::Cluster;
use hbd_core::config::{
    Config, Failback, GroupConfig, GroupId, LinkConfig, LinkId, MAX_GROUPS, NodeName, Received,
    ResourceConfig,
};
use hbd_core::input::{Activity, Command, CommandId, Failure, Input, Steps};
use hbd_core::output::{Done, Notice, Output, Refusal};
use hbd_core::wire::Message;
use std::time::{Duration, Instant};

pub(crate) const NAMES: [&str; 3] = ["lb1", "lb2", "lb3"];
pub(crate) const KEEPALIVE: Duration = Duration::from_millis(100);
pub(crate) const DEADTIME: Duration = Duration::from_secs(1);
pub(crate) const WARNTIME: Duration = Duration::from_millis(300);
pub(crate) const HOLD_DOWN: Duration = Duration::from_secs(2);
pub(crate) const INITDEAD: Duration = Duration::from_secs(3);

/// Ids that are neither dense nor in order: nobody may count on either.
pub(crate) const LINK: LinkId = LinkId::new(40);

/// In a ring.
pub(crate) const LINE_TO_NEXT: LinkId = LinkId::new(12);
pub(crate) const LINE_TO_BEFORE: LinkId = LinkId::new(3);

/// The gateway of the clients, where nodes are told to ask it.
pub(crate) const PING: LinkId = LinkId::new(21);

pub(crate) const fn group_id(place: usize) -> GroupId {
    GroupId::new(1_000_000 - 7 * place as u32)
}

fn place_of(id: GroupId) -> usize {
    let mut places = 0..=MAX_GROUPS;
    places
        .find(|place| group_id(*place) == id)
        .expect("an id of ours")
}

const TRAVEL: Duration = Duration::from_micros(100);
pub(crate) const STOPS_SLOWLY: Duration = Duration::from_secs(50);
pub(crate) const SCRIPT: Duration = Duration::from_millis(1);

/// Something that arrives at a node later.
struct Coming {
    at: Duration,
    node: usize,
    input: Input,
}

pub(crate) struct Pair {
    base: Instant,
    pub(crate) now: Duration,
    nodes: Vec<Option<Cluster>>,
    generations: Vec<u64>,
    configs: Vec<Config>,
    coming: Vec<Coming>,
    /// Everything that was asked for, with its time and node.
    pub(crate) outputs: Vec<(Duration, usize, Output)>,
    /// What is active on which machine, by group.
    pub(crate) active: Vec<Vec<bool>>,
    /// Packets between nodes are lost.
    pub(crate) cut: bool,
    /// So are those from one of these to the other.
    pub(crate) mute: Option<(usize, usize)>,
    /// So are those between these two, both ways.
    pub(crate) strangers: Option<(usize, usize)>,
    /// The nodes stand in a ring of serial lines, each between one node and the next: which of them
    /// carry anything. Empty: one network for all.
    pub(crate) ring: Vec<bool>,
    /// The gateway answers these.
    pub(crate) answered: Vec<usize>,
    /// This node does not run at all.
    pub(crate) frozen: Option<usize>,
    /// Starts fail on this node.
    pub(crate) broken: Option<usize>,
    /// Stops fail on this node.
    pub(crate) stubborn: Option<usize>,
    /// Stops take [`STOPS_SLOWLY`] on this node.
    pub(crate) slow: Option<usize>,
    /// Preparations do not end on this node.
    pub(crate) unready: Option<usize>,
    /// This node goes on running nothing that is another's.
    pub(crate) unwilling: Option<usize>,
    /// Or only those of these groups.
    pub(crate) stubborn_groups: Option<(usize, Vec<GroupId>)>,
    next_command: u64,
}

impl Pair {
    /// Nodes that have not been started, with groups that prefer the nodes given.
    pub(crate) fn new(nodes: usize, preferred: &[usize], failback: Failback) -> Self {
        let base = base();
        let config = |node| config(node, nodes, preferred, failback, base);
        Self {
            base,
            now: Duration::ZERO,
            nodes: (0..nodes).map(|_| None).collect(),
            generations: vec![0; nodes],
            configs: (0..nodes).map(config).collect(),
            coming: Vec::new(),
            outputs: Vec::new(),
            active: vec![vec![false; preferred.len()]; nodes],
            cut: false,
            mute: None,
            strangers: None,
            ring: Vec::new(),
            answered: Vec::new(),
            frozen: None,
            broken: None,
            stubborn: None,
            slow: None,
            unready: None,
            unwilling: None,
            stubborn_groups: None,
            next_command: 0,
        }
    }

    /// Nodes in a ring of serial lines, started and settled.
    pub(crate) fn in_a_ring(nodes: usize, preferred: &[usize]) -> Self {
        let mut pair = Self::new(nodes, preferred, Failback::On);
        pair.ring = vec![true; nodes];
        for node in 0..nodes {
            let line = |device: &str| LinkConfig {
                medium: "serial".to_owned(),
                device: device.to_owned(),
                passes_on: true,
            };
            let lines = [
                (LINE_TO_NEXT, line("/dev/ttyS0")),
                (LINE_TO_BEFORE, line("/dev/ttyS1")),
            ];
            pair.configure(node, |config| config.links = lines.into_iter().collect());
            pair.start(node);
        }
        pair.run_for(Duration::from_secs(2));
        pair.outputs.clear();
        pair
    }

    /// Nodes that have been started and have settled.
    pub(crate) fn running(nodes: usize, preferred: &[usize], failback: Failback) -> Self {
        let mut pair = Self::new(nodes, preferred, failback);
        (0..nodes).for_each(|node| pair.start(node));
        pair.run_for(Duration::from_secs(2));
        pair.outputs.clear();
        pair
    }

    pub(crate) fn configure(&mut self, node: usize, change: impl FnOnce(&mut Config)) {
        change(&mut self.configs[node]);
    }

    /// Its disk is new, with this identity; its next generation follows this one.
    pub(crate) fn reinstall(&mut self, node: usize, generation: u64, uuid: [u8; 16]) {
        self.generations[node] = generation;
        self.configs[node].uuid = uuid;
        self.configs[node].known.clear();
    }

    pub(crate) fn start(&mut self, node: usize) {
        self.generations[node] += 1;
        let mut config = self.configs[node].clone();
        config.generation = self.generations[node];
        self.nodes[node] = Some(Cluster::new(config, self.base + self.now));
        self.drain(node);
    }

    /// The machine loses power.
    pub(crate) fn power_off(&mut self, node: usize) {
        self.kill(node);
        self.active[node].fill(false);
    }

    /// The daemon is killed; what it ran stays active.
    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node] = None;
        self.coming.retain(|coming| coming.node != node);
    }

    pub(crate) fn command(&mut self, node: usize, command: Command) -> CommandId {
        self.next_command += 1;
        let id = CommandId(self.next_command);
        self.input(node, Input::Command { id, command });
        id
    }

    pub(crate) fn standby(&mut self, node: usize, set: HoldSet) -> CommandId {
        self.command(node, Command::Standby(set))
    }

    /// One input for a node, now.
    pub(crate) fn input(&mut self, node: usize, input: Input) {
        let now = self.base + self.now;
        if let Some(core) = &mut self.nodes[node] {
            core.handle(input, now);
            self.drain(node);
        }
    }

    /// A message that somebody else wrote.
    pub(crate) fn inject(&mut self, node: usize, message: Message) {
        let link = LINK;
        self.input(node, Input::Received(Received { link, message }));
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
    }

    /// Runs until something holds; panics if that takes longer than `limit`. How long it took.
    pub(crate) fn run_until(&mut self, limit: Duration, holds: impl Fn(&Self) -> bool) -> Duration {
        let (begin, end) = (self.now, self.now + limit);
        while !holds(self) {
            assert!(self.step(end), "it did not happen within {limit:?}");
        }
        self.now.saturating_sub(begin)
    }

    /// The next event, if it is due before `end`.
    fn step(&mut self, end: Duration) -> bool {
        let tick = |node: usize| {
            let core = self.nodes[node]
                .as_ref()
                .filter(|_| self.frozen != Some(node));
            let deadline = core.and_then(Cluster::deadline)?;
            let at = deadline.saturating_duration_since(self.base);
            Some((at.max(self.now), node))
        };
        let tick = (0..self.nodes.len()).filter_map(tick).min();
        let awake = self.coming.iter().enumerate();
        let awake = awake.filter(|(_, coming)| self.frozen != Some(coming.node));
        let next = awake.map(|(index, coming)| (coming.at, index)).min();
        match (next, tick) {
            (Some((at, index)), _) if at <= end && tick.is_none_or(|(due, _)| at <= due) => {
                self.now = self.now.max(at);
                let Coming { node, input, .. } = self.coming.remove(index);
                self.arrive(node, input);
            }
            (_, Some((at, node))) if at <= end => {
                self.now = at;
                self.input(node, Input::Tick);
            }
            _ => {
                self.now = end;
                return false;
            }
        }
        true
    }

    fn arrive(&mut self, node: usize, input: Input) {
        if let Input::Stopped {
            group,
            result: Ok(()),
        } = &input
        {
            self.active[node][place_of(*group)] = false;
        }
        self.input(node, input);
    }

    fn drain(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].as_mut().and_then(Cluster::poll) {
            self.outputs.push((self.now, node, output.clone()));
            match output {
                Output::Send(message) => self.send(node, &message),
                Output::PassOn { message, from } => self.send_along(node, Some(from), &message),
                Output::Probe(group) => {
                    let activity = if self.active[node][place_of(group)] {
                        Activity::Everything
                    } else {
                        Activity::Nothing
                    };
                    self.later(node, SCRIPT, Input::Probed { group, activity });
                }
                Output::Start(group) => {
                    let result = self.try_start(node, group);
                    self.later(
                        node,
                        SCRIPT,
                        Input::Started {
                            group,
                            result,
                            steps: Steps {
                                address: Some(SCRIPT),
                                ..Steps::default()
                            },
                        },
                    );
                }
                Output::Stop(group) | Output::LetGo(group) => {
                    let some = self.stubborn_groups.as_ref();
                    let some =
                        some.is_some_and(|(at, groups)| *at == node && groups.contains(&group));
                    let result = if some || self.stubborn == Some(node) {
                        Err(failure("stop: exit status 1", true))
                    } else {
                        Ok(())
                    };
                    let slow = self.slow == Some(node);
                    let takes = if slow { STOPS_SLOWLY } else { SCRIPT };
                    self.later(node, takes, Input::Stopped { group, result });
                }
                Output::Exit(_) => self.nodes[node] = None,
                Output::Remember(known) => {
                    let kept = &mut self.configs[node].known;
                    kept.retain(|other| other.node != known.node);
                    kept.push(known);
                }
                Output::Prepare(group) if self.unready != Some(node) => {
                    self.later(node, SCRIPT, Input::Prepared { group });
                }
                Output::Unprepare(group) => {
                    self.later(node, SCRIPT, Input::Unprepared { group });
                }
                Output::Linger(group) => {
                    let willing = self.unwilling != Some(node);
                    self.later(node, TRAVEL, Input::Lingers { group, willing });
                }
                Output::Prepare(_)
                | Output::Announce(_)
                | Output::Inquire { .. }
                | Output::Opinion { .. }
                | Output::Notice(_)
                | Output::CommandDone { .. } => {}
            }
        }
    }

    fn try_start(&mut self, node: usize, group: GroupId) -> Result<(), Failure> {
        if self.broken == Some(node) {
            return Err(failure("start: exit status 1", false));
        }
        self.active[node][place_of(group)] = true;
        Ok(())
    }

    fn send(&mut self, from: usize, message: &Message) {
        if message.kind() == "status" && self.answered.contains(&from) {
            let (ping, took) = (PING, TRAVEL);
            self.later(from, TRAVEL, Input::PingAnswered { ping, took });
        }
        if self.cut {
            return;
        }
        if !self.ring.is_empty() {
            self.send_along(from, None, message);
            return;
        }
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            if self.strangers == Some((from.min(to), from.max(to))) || self.mute == Some((from, to))
            {
                continue;
            }
            let (link, message) = (LINK, message.clone());
            self.later(to, TRAVEL, Input::Received(Received { link, message }));
        }
    }

    /// Over every line of the ring, or every one but this.
    fn send_along(&mut self, node: usize, except: Option<LinkId>, message: &Message) {
        let count = self.nodes.len();
        let (next, before) = ((node + 1) % count, (node + count - 1) % count);
        for (line, to, theirs, segment) in [
            (LINE_TO_NEXT, next, LINE_TO_BEFORE, node),
            (LINE_TO_BEFORE, before, LINE_TO_NEXT, before),
        ] {
            if Some(line) != except && self.ring[segment] {
                let message = message.clone();
                let link = theirs;
                self.later(to, TRAVEL, Input::Received(Received { link, message }));
            }
        }
    }

    fn later(&mut self, node: usize, delay: Duration, input: Input) {
        let at = self.now + delay;
        self.coming.push(Coming { at, node, input });
    }

    pub(crate) fn is_up(&self, node: usize) -> bool {
        self.nodes[node].is_some()
    }

    pub(crate) fn view(&self, node: usize) -> ClusterSnapshot {
        let core = self.nodes[node].as_ref().expect("the node runs");
        core.snapshot(self.base + self.now).expect("a snapshot")
    }

    pub(crate) fn revision(&self, node: usize) -> u64 {
        let core = self.nodes[node].as_ref();
        core.expect("the node runs").revision()
    }

    /// The nodes on which a group is active.
    pub(crate) fn runners(&self, group: usize) -> Vec<usize> {
        let nodes = 0..self.nodes.len();
        nodes.filter(|node| self.active[*node][group]).collect()
    }

    pub(crate) fn notices(&self, node: usize) -> Vec<Notice> {
        let notice = |(_, from, output): &(Duration, usize, Output)| match output {
            Output::Notice(notice) if *from == node => Some(notice.clone()),
            _ => None,
        };
        self.outputs.iter().filter_map(notice).collect()
    }

    /// What a node said, of one kind.
    pub(crate) fn said(&self, node: usize, kind: &str) -> Vec<Message> {
        let message = |(_, from, output): &(Duration, usize, Output)| match output {
            Output::Send(message) if *from == node && message.kind() == kind => {
                Some(message.clone())
            }
            _ => None,
        };
        self.outputs.iter().filter_map(message).collect()
    }

    /// When something was asked for first.
    pub(crate) fn when(&self, wanted: impl Fn(usize, &Output) -> bool) -> Option<Duration> {
        let mut outputs = self.outputs.iter();
        outputs
            .find(|(_, node, output)| wanted(*node, output))
            .map(|(at, _, _)| *at)
    }

    pub(crate) fn answer(&self, id: CommandId) -> Option<Result<Done, Refusal>> {
        self.outputs.iter().find_map(|(_, _, output)| match output {
            Output::CommandDone { id: done, result } if *done == id => Some(result.clone()),
            _ => None,
        })
    }
}

fn failure(reason: &str, still_held: bool) -> Failure {
    Failure {
        resource: "IPaddr".to_owned(),
        reason: reason.to_owned(),
        still_held,
    }
}

pub(crate) fn name(node: usize) -> NodeName {
    NodeName::new(NAMES[node]).expect("a legal name")
}

pub(crate) fn config(
    node: usize,
    nodes: usize,
    preferred: &[usize],
    failback: Failback,
    base: Instant,
) -> Config {
    let group = |(index, preferred): (usize, &usize)| GroupConfig {
        name: format!("IPaddr::10.0.0.{index}"),
        holds: Vec::new(),
        preferred: name(*preferred),
        resources: vec![ResourceConfig {
            script: "IPaddr".to_owned(),
            args: vec![format!("10.0.0.{index}")],
        }],
    };
    let groups = preferred.iter().enumerate().map(group);
    let link = LinkConfig {
        medium: "bcast".to_owned(),
        device: "eth0".to_owned(),
        passes_on: false,
    };
    Config {
        local: name(node),
        nodes: (0..nodes).map(name).collect(),
        links: std::iter::once((LINK, link)).collect(),
        pings: std::iter::empty().collect(),
        keepalive: KEEPALIVE,
        warntime: WARNTIME,
        deadtime: DEADTIME,
        initdead: INITDEAD,
        deadping: DEADTIME,
        failback,
        groups: (0..).map(group_id).zip(groups).collect(),
        haresources_digest: "d1".to_owned(),
        uuid: [node as u8 + 1; 16],
        generation: 1,
        seed: 7,
        hopfudge: 1,
        max_rexmit_delay: Duration::from_millis(250),
        retry_failed: Duration::from_secs(2),
        retry_stop: Duration::from_secs(1),
        hold_down: HOLD_DOWN,
        known: Vec::new(),
        wall: (base, 1_700_000_000_000),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made otherwise; only differences to it are used"
)]
pub(crate) fn base() -> Instant {
    Instant::now()
}
