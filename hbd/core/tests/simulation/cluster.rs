//! The world of one history: nodes with their clocks, machines, the network between them, and the
//! one queue of everything that is going to happen.

mod obeying;
mod striking;

use crate::coverage::Coverage;
use crate::faults::{MILLI, Micros, Plan, SECOND};
use crate::generator::Generator;
use crate::invariants::{Monitor, Violation};
use crate::network::Network;
use crate::scripts::{Answer, Machine};
use crate::setup::{GATEWAY, group_id, link_id};
use ha_status::{ClusterSnapshot, NodeStatus};
use hbd_core::Cluster;
use hbd_core::config::{GroupId, KnownPeer, NodeName, Received};
use hbd_core::input::{Input, Steps};
use hbd_core::output::Output;
use hbd_core::wire::{Key, Keys, Message, Method, decode, encode_netstring};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A socket's buffer holds so many packets; more are lost.
const INBOX: usize = 200;

/// No history needs so many events for each cable between two nodes; a usual one has ten thousand.
const MAX_EVENTS: u64 = 1_000_000;

/// Makes other numbers of a seed.
const GATEWAY_NUMBERS: u64 = 0x6a09_e667_f3bc_c908;

/// An echo is back after so long.
const ECHO: Micros = 300;

/// After Exit a daemon stays away at least so long.
const RESTART: Micros = 300 * MILLI;

enum Event {
    Wake {
        node: usize,
        ticket: u64,
    },
    Deliver {
        from: usize,
        to: usize,
        link: u16,
        message: Rc<Message>,
    },
    Script {
        node: usize,
        boot: u64,
        group: usize,
        ticket: u64,
        took: Micros,
    },
    /// What is made ready for a start, or undone, is done.
    Preparation {
        node: usize,
        boot: u64,
        group: usize,
        ticket: u64,
    },
    /// The shell says whether a group may go on.
    Lingers {
        node: usize,
        boot: u64,
        group: GroupId,
        willing: bool,
    },
    /// An answer of the gateway.
    Echo {
        node: usize,
        boot: u64,
    },
    Fault(usize),
    Boot(usize),
    /// The shell looks at what a group holds.
    Look {
        node: usize,
        group: GroupId,
    },
}

/// One node: a daemon that may run, on a machine that may stand still.
pub(crate) struct Node {
    pub(crate) core: Option<Cluster>,
    pub(crate) machine: Machine,
    pub(crate) boot: u64,
    /// When its daemon was started last.
    pub(crate) born: Micros,
    /// How many freezes hold it, and whether one of them stops the whole machine.
    frozen: Vec<bool>,
    inbox: VecDeque<Input>,
    frozen_since: Micros,
    /// When it last woke from a freeze that lasted so long that it must have noticed.
    pub(crate) woke: Option<Micros>,
    skew: i64,
    ticket: u64,
    /// Since the daemon exited; it is started again later.
    down_since: Micros,
    /// Commands that have not been answered.
    pub(crate) unanswered: BTreeSet<u64>,
    carrier: bool,
    /// How many faults keep it from the gateway.
    unanswered_by_gateway: u32,
    /// Its disk.
    known: Vec<KnownPeer>,
    /// The last status in the timeline.
    said: String,
    /// What it takes the others for, and at which revision of its view.
    taken: (Option<u64>, BTreeMap<String, NodeStatus>),
}

impl Node {
    pub(crate) fn is_frozen(&self) -> bool {
        !self.frozen.is_empty()
    }

    /// What it takes another node for; `None` for itself and for one that is not configured.
    fn takes_for(&mut self, other: Option<&str>, now: Instant) -> Option<NodeStatus> {
        let core = self.core.as_ref()?;
        let (revision, statuses) = &mut self.taken;
        if *revision != Some(core.revision()) {
            *revision = Some(core.revision());
            let nodes = core.snapshot(now)?.nodes.into_iter();
            let others = nodes.filter(|row| !row.local);
            *statuses = others.map(|row| (row.name, row.status)).collect();
        }
        statuses.get(other?).copied()
    }

    /// Does a packet of that node wait to be read?
    pub(crate) fn has_mail_from(&self, name: &NodeName) -> bool {
        self.inbox.iter().any(|input| match input {
            Input::Received(received) => received.message.text("src") == Some(name.as_str()),
            _ => false,
        })
    }
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) nodes: Vec<Node>,
    pub(crate) network: Network,
    pub(crate) now: Micros,
    random: Generator,
    /// When, in which order, and at which place of `events`.
    queue: BinaryHeap<Reverse<(Micros, u64, usize)>>,
    /// Apart, so that the queue itself stays small.
    events: Vec<Option<Event>>,
    /// Places of `events` that are free.
    free: Vec<usize>,
    order: u64,
    epoch: Instant,
    keys: Keys,
    pub(crate) monitor: Monitor,
    calm: bool,
    /// May it matter to what must always hold?
    changed: bool,
    /// When a packet last arrived from one node at another over no way: held back and played later,
    /// or under way when the cable was cut.
    pub(crate) strayed: BTreeMap<(usize, usize), Micros>,
    /// What happened to groups in which state, for the score.
    pub(crate) coverage: Coverage,
    next_command: u64,
    /// Lines of what happened; `None` if nobody reads them.
    timeline: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, traced: bool) -> Self {
        let mut random = Generator::new(seed);
        let mut plan = Plan::draw(&mut random);
        plan.draw_gateway(&mut Generator::new(seed ^ GATEWAY_NUMBERS));
        let node = |index: usize| Node {
            core: None,
            machine: Machine::new(&plan),
            boot: 0,
            born: 0,
            frozen: Vec::new(),
            inbox: VecDeque::new(),
            frozen_since: 0,
            woke: None,
            skew: plan.skew[index],
            ticket: 0,
            down_since: 0,
            unanswered: BTreeSet::new(),
            carrier: true,
            unanswered_by_gateway: 0,
            known: Vec::new(),
            said: String::new(),
            taken: (None, BTreeMap::new()),
        };
        let mut world = Self {
            nodes: (0..plan.nodes).map(node).collect(),
            network: Network::new(plan.network.clone(), plan.nodes, plan.links),
            now: 0,
            random,
            queue: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
            order: 0,
            epoch: epoch(),
            keys: Keys::single(1, Key::new(Method::Md5, b"simulation")),
            monitor: Monitor::new(&plan),
            calm: false,
            changed: true,
            strayed: BTreeMap::new(),
            coverage: Coverage::default(),
            next_command: 0,
            timeline: traced.then(Vec::new),
            plan,
        };
        for (node, at) in world.plan.boots.clone().into_iter().enumerate() {
            world.at(at, Event::Boot(node));
        }
        let faults: Vec<Micros> = world.plan.schedule.iter().map(|(at, _)| *at).collect();
        for (index, at) in faults.into_iter().enumerate() {
            world.at(at, Event::Fault(index));
        }
        world.log(|world| format!("{:#?}", world.plan));
        world
    }

    /// Runs the history to its end.
    pub(crate) fn run(&mut self) -> Result<(), Violation> {
        while let Some(Reverse((at, _, place))) = self.queue.pop() {
            let event = self.events[place].take().expect("queued events exist");
            self.free.push(place);
            self.now = at;
            let pairs = (self.nodes.len() * (self.nodes.len() - 1) / 2) as u64;
            if self.order > MAX_EVENTS * pairs * u64::from(self.plan.links) {
                return Err(Violation("the history has no end".to_owned()));
            }
            self.happen(event)?;
            self.check()?;
            if self.calm && self.monitor.finished(self)? {
                return Ok(());
            }
        }
        Ok(())
    }

    pub(crate) fn timeline(&self) -> &[String] {
        self.timeline.as_deref().unwrap_or_default()
    }

    fn check(&mut self) -> Result<(), Violation> {
        if !std::mem::take(&mut self.changed) && self.monitor.is_at_ease() {
            return Ok(());
        }
        let mut monitor = std::mem::take(&mut self.monitor);
        let result = monitor.check(self);
        self.monitor = monitor;
        result
    }

    fn at(&mut self, at: Micros, event: Event) {
        self.order += 1;
        let place = self.free.pop().unwrap_or(self.events.len());
        if place == self.events.len() {
            self.events.push(None);
        }
        self.events[place] = Some(event);
        let at = at.max(self.now);
        self.queue.push(Reverse((at, self.order, place)));
    }

    pub(crate) fn log(&mut self, text: impl FnOnce(&Self) -> String) {
        if self.timeline.is_some() {
            let (seconds, rest) = (self.now / SECOND, self.now % SECOND);
            let line = format!("{seconds:3}.{rest:06} {}", text(self));
            self.timeline.iter_mut().for_each(|t| t.push(line.clone()));
        }
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        self.changed |= !matches!(
            event,
            Event::Wake { .. } | Event::Deliver { .. } | Event::Echo { .. }
        );
        match event {
            Event::Wake { node, ticket } => {
                let current = self.nodes[node].ticket == ticket;
                if current && !self.nodes[node].is_frozen() {
                    self.feed(node, Input::Tick)?;
                }
                Ok(())
            }
            Event::Deliver {
                from,
                to,
                link,
                message,
            } => self.deliver((from, to), link, message),
            Event::Script {
                node,
                boot,
                group,
                ticket,
                took,
            } => self.script_ends((node, boot), group, (ticket, took)),
            Event::Preparation {
                node,
                boot,
                group,
                ticket,
            } => self.preparation_ends((node, boot), group, ticket),
            Event::Lingers {
                node,
                boot,
                group,
                willing,
            } => {
                if self.nodes[node].boot != boot {
                    return Ok(());
                }
                self.feed(node, Input::Lingers { group, willing })
            }
            Event::Echo { node, boot } => {
                let there =
                    self.nodes[node].boot == boot && !self.nodes[node].frozen.contains(&true);
                if there {
                    let (ping, took) = (GATEWAY, Duration::from_micros(ECHO));
                    self.feed(node, Input::PingAnswered { ping, took })?;
                }
                Ok(())
            }
            Event::Fault(index) => {
                let (_, fault) = self.plan.schedule[index].clone();
                self.strike(&fault)
            }
            Event::Boot(node) => self.start(node),
            Event::Look { node, group } => self.look(node, group),
        }
    }

    fn deliver(
        &mut self,
        (from, to): (usize, usize),
        link: u16,
        message: Rc<Message>,
    ) -> Result<(), Violation> {
        if !self.network.connects(from, to) {
            self.strayed.insert((from, to), self.now);
        }
        let node = &self.nodes[to];
        let deaf = node.frozen.contains(&true) || node.inbox.len() >= INBOX;
        if node.core.is_none() || deaf {
            return Ok(());
        }
        let message = Rc::unwrap_or_clone(message);
        let link = link_id(link);
        self.feed(to, Input::Received(Received { link, message }))
    }

    fn answer(&mut self, node: usize, group: usize, answer: Answer) -> Result<(), Violation> {
        self.log(|_| format!("node {node} group {group} {answer:?}"));
        if matches!(answer, Answer::Started(Ok(()))) {
            self.monitor.announced(node, group, self.now);
        }
        let group = group_id(group);
        self.feed(
            node,
            match answer {
                Answer::Probed(activity) => Input::Probed { group, activity },
                Answer::Started(result) => Input::Started {
                    group,
                    result,
                    steps: Steps::default(),
                },
                Answer::Stopped(result) => Input::Stopped { group, result },
                Answer::Prepared => Input::Prepared { group },
                Answer::Unprepared => Input::Unprepared { group },
            },
        )
    }

    /// One input for a node, behind those that wait in its inbox while it stands still.
    fn feed(&mut self, node: usize, input: Input) -> Result<(), Violation> {
        if self.nodes[node].core.is_some() {
            self.nodes[node].inbox.push_back(input);
        }
        while !self.nodes[node].is_frozen() {
            let Some(input) = self.nodes[node].inbox.pop_front() else {
                break;
            };
            let now = self.local_time(node);
            let Some(core) = &mut self.nodes[node].core else {
                break;
            };
            let tick = matches!(input, Input::Tick);
            self.coverage.note(core, &input, now);
            if let Input::Received(Received { message, .. }) = &input
                && let Some(sender) = self.nodes[node].takes_for(message.text("src"), now)
            {
                self.coverage.hear(sender, message);
            }
            let Some(core) = &mut self.nodes[node].core else {
                break;
            };
            core.handle(input, now);
            if tick && core.deadline().is_some_and(|at| at <= now) {
                return Err(Violation(format!("node {node} asks for a tick at once")));
            }
            self.drain(node)?;
        }
        Ok(())
    }

    fn drain(&mut self, node: usize) -> Result<(), Violation> {
        let mut exited = false;
        loop {
            let core = self.nodes[node].core.as_mut();
            let Some(output) = core.and_then(Cluster::poll) else {
                break;
            };
            if exited {
                return Err(Violation(format!("node {node}: {output:?} after Exit")));
            }
            self.observe(node, &output)?;
            exited = matches!(output, Output::Exit(_));
            self.obey(node, output)?;
        }
        if exited {
            self.changed = true;
            let (at, index) = (self.now, node);
            let node = &mut self.nodes[node];
            node.core = None;
            node.inbox.clear();
            node.boot += 1;
            node.down_since = at;
            if self.calm {
                self.at(at + RESTART, Event::Boot(index));
            }
            return Ok(());
        }
        self.schedule_wake(node);
        Ok(())
    }

    fn observe(&mut self, node: usize, output: &Output) -> Result<(), Violation> {
        if !matches!(output, Output::Send(_)) {
            self.log(|_| format!("node {node} -> {output:?}"));
        } else if let (Output::Send(message), true) = (output, self.timeline.is_some()) {
            let text = |field| message.text(field).unwrap_or("").to_owned();
            let (kind, heard, groups) = (text("t"), text("hbn"), text("hbg"));
            let words = format!("{kind} {} {heard} | {groups}", text("st"));
            // Repeated heartbeats and what is sent again tell a reader nothing.
            let again = kind == "status" && heard.is_empty();
            if again || kind.starts_with("NS_") || self.nodes[node].said == words {
                return self.watch(node, output);
            }
            self.log(|_| format!("node {node} says {words}"));
            self.nodes[node].said = words;
        }
        self.watch(node, output)
    }

    fn watch(&mut self, node: usize, output: &Output) -> Result<(), Violation> {
        let mut monitor = std::mem::take(&mut self.monitor);
        let result = monitor.output(self, node, output);
        self.monitor = monitor;
        result
    }

    fn send(&mut self, from: usize, message: Message) {
        let asks = self.plan.gateway && message.kind() == "status";
        if asks && self.nodes[from].unanswered_by_gateway == 0 {
            let boot = self.nodes[from].boot;
            self.at(self.now + ECHO, Event::Echo { node: from, boot });
        }
        let message = if self.plan.encoded {
            let bytes = encode_netstring(&message, &self.keys);
            let bytes = bytes.expect("a message of ours can be encoded");
            decode(&bytes, &self.keys).expect("what was encoded decodes")
        } else {
            message
        };
        let message = Rc::new(message);
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            for link in 0..self.plan.links {
                let way = (from, to, link);
                for at in self.network.carry(way, self.now, &mut self.random) {
                    let message = Rc::clone(&message);
                    let event = Event::Deliver {
                        from,
                        to,
                        link,
                        message,
                    };
                    self.at(at, event);
                }
            }
        }
    }

    fn schedule_wake(&mut self, node: usize) {
        let Some(deadline) = self.nodes[node].core.as_ref().and_then(Cluster::deadline) else {
            return;
        };
        let local = deadline.saturating_duration_since(self.epoch).as_micros() as u64;
        let rate = (1_000_000 + self.nodes[node].skew).cast_unsigned();
        let jitter = self.random.below(300);
        let due = (local * 1_000_000).div_ceil(rate) + 1 + jitter;
        self.nodes[node].ticket += 1;
        let ticket = self.nodes[node].ticket;
        self.at(due, Event::Wake { node, ticket });
    }

    /// The node's own clock.
    fn local_time(&self, node: usize) -> Instant {
        let rate = (1_000_000 + self.nodes[node].skew).cast_unsigned();
        self.epoch + Duration::from_micros(self.now * rate / 1_000_000)
    }

    pub(crate) fn snapshot(&self, node: usize) -> Option<ClusterSnapshot> {
        let now = self.local_time(node);
        self.nodes[node].core.as_ref()?.snapshot(now)
    }
}

/// What happened last, for a reader.
pub(crate) fn last_lines(timeline: &[String], count: usize) -> String {
    let mut text = String::new();
    let skipped = timeline.len().saturating_sub(count);
    for line in timeline
        .iter()
        .take(1)
        .chain(timeline.iter().skip(skipped.max(1)))
    {
        writeln!(text, "{line}").expect("writing to a String succeeds");
    }
    text
}

#[expect(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made otherwise; only differences to it are used"
)]
fn epoch() -> Instant {
    Instant::now()
}
