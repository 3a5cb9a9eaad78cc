//! What goes wrong in one history: the seed first draws which kinds of fault there are at all
//! (with everything on, one fault hides another), then when each strikes.

use crate::generator::Generator;

/// Microseconds of virtual time.
pub(crate) type Micros = u64;

pub(crate) const MILLI: Micros = 1000;
pub(crate) const SECOND: Micros = 1_000_000;

/// A group returns to its preferred node for the second time after so long; then this doubles, up
/// to 32 times.
pub(crate) const HOLD_DOWN: Micros = 30 * MILLI;

/// The shell says each time that this is over that what a group holds is missing.
pub(crate) const LOST_AFTER: Micros = 100 * MILLI;

/// As many nodes as a history can have.
pub(crate) const MOST_NODES: usize = 16;

/// When the first fault may strike.
const QUIET_START: Micros = SECOND;

/// The shape of a history.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) links: u16,
    /// The preferred node of each group.
    pub(crate) groups: Vec<usize>,
    pub(crate) keepalive: Micros,
    pub(crate) deadtime: Micros,
    pub(crate) initdead: Micros,
    /// `auto_failback` of each node.
    pub(crate) failback: Vec<bool>,
    /// The last node's haresources name another preferred node for every group.
    pub(crate) at_odds: bool,
    pub(crate) retry_failed: Micros,
    pub(crate) retry_stop: Micros,
    /// Are packets really encoded, signed and decoded?
    pub(crate) encoded: bool,
    /// When each node starts.
    pub(crate) boots: Vec<Micros>,
    /// Clock rate, parts per million off.
    pub(crate) skew: Vec<i64>,
    /// Faults end here.
    pub(crate) calm: Micros,
    pub(crate) network: NetworkFaults,
    pub(crate) scripts: ScriptFaults,
    /// Does something happen that can make one node take a live one for dead?
    pub(crate) rough: bool,
    pub(crate) commands: bool,
    /// Do nodes ask a gateway whether they are connected?
    pub(crate) gateway: bool,
    /// Which node was alone, from when to when.
    partitions: Vec<(usize, Micros, Micros)>,
    /// Do groups lose what they hold?
    pub(crate) losses: bool,
    pub(crate) schedule: Vec<(Micros, Fault)>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct NetworkFaults {
    /// Percent.
    pub(crate) loss: u64,
    /// Percent of packets that come twice.
    pub(crate) duplicate: u64,
    /// Percent of packets that somebody plays back much later.
    pub(crate) replay: u64,
    /// The longest delay; packets overtake each other if it is long.
    pub(crate) delay: Micros,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct ScriptFaults {
    /// Percent of operations.
    pub(crate) fail: u64,
    pub(crate) hang: u64,
    pub(crate) slow: u64,
}

#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Packets from one node to another are lost, on one link or on all.
    Cut {
        from: usize,
        to: usize,
        link: Option<u16>,
    },
    Join {
        from: usize,
        to: usize,
        link: Option<u16>,
    },
    /// The daemon is gone. With `power` everything on the machine is, else what ran stays active.
    Crash {
        node: usize,
        power: bool,
    },
    Boot {
        node: usize,
    },
    /// The process stands still; with `machine` the network card does too.
    Freeze {
        node: usize,
        machine: bool,
    },
    Thaw {
        node: usize,
    },
    Command {
        node: usize,
        choice: u64,
    },
    /// What a group holds on a node has vanished for longer than its shell bears, and cannot be put
    /// again before `Mend`.
    Lose {
        node: usize,
        choice: u64,
    },
    /// The reason of that is gone.
    Mend {
        node: usize,
        choice: u64,
    },
    /// The cables of a node are pulled out, or plugged in, and its shell knows.
    Carrier {
        node: usize,
        carrier: bool,
    },
    /// The gateway no longer answers a node, or does so again.
    Gateway {
        node: usize,
        answers: bool,
    },
    Calm,
}

impl Plan {
    pub(crate) fn draw(random: &mut Generator) -> Self {
        let nodes = match random.below(100) {
            0..70 => 2,
            70..92 => 3,
            92..99 => random.between(4, 6) as usize,
            _ => random.between(7, MOST_NODES as u64) as usize,
        };
        let keepalive = random.between(100, 300) * MILLI;
        let deadtime = keepalive * random.between(3, 8);
        let groups = (0..random.between(1, 4))
            .map(|_| random.pick(nodes))
            .collect();
        let mut plan = Self {
            nodes,
            links: if random.percent(40) { 2 } else { 1 },
            groups,
            keepalive,
            deadtime,
            initdead: deadtime * random.between(1, 3),
            failback: vec![random.percent(60); nodes],
            at_odds: false,
            retry_failed: 200 * MILLI,
            retry_stop: 300 * MILLI,
            encoded: random.percent(20),
            boots: (0..nodes).map(|_| random.below(600 * MILLI)).collect(),
            skew: vec![0; nodes],
            calm: QUIET_START + random.between(3, 12) * SECOND,
            network: NetworkFaults {
                loss: 0,
                duplicate: 0,
                replay: 0,
                delay: 500,
            },
            scripts: ScriptFaults::default(),
            rough: false,
            commands: false,
            gateway: false,
            partitions: Vec::new(),
            losses: false,
            schedule: Vec::new(),
        };
        plan.draw_faults(random);
        plan.schedule.push((plan.calm, Fault::Calm));
        plan
    }

    /// Whether there is a gateway, and when it is silent: of numbers of their own, so that a seed
    /// means what it did before.
    pub(crate) fn draw_gateway(&mut self, random: &mut Generator) {
        self.gateway = random.percent(40);
        if !self.gateway {
            return;
        }
        for (alone, begin, end) in self.partitions.clone() {
            // On which side of the cut it stands.
            let near = random.percent(30);
            for node in (0..self.nodes).filter(|node| (*node == alone) != near) {
                self.silence(node, begin, end);
            }
        }
        if random.percent(50) {
            self.strike(random, 3, |plan, random, begin, end| {
                let node = random.pick(plan.nodes);
                plan.silence(node, begin, end);
            });
        }
        if random.percent(30) {
            self.strike(random, 1, |plan, _, begin, end| {
                (0..plan.nodes).for_each(|node| plan.silence(node, begin, end));
            });
        }
    }

    fn silence(&mut self, node: usize, begin: Micros, end: Micros) {
        for (at, answers) in [(begin, false), (end, true)] {
            self.schedule.push((at, Fault::Gateway { node, answers }));
        }
    }

    fn draw_faults(&mut self, random: &mut Generator) {
        if random.percent(15) {
            // A latecomer, or a node that is never there before the end.
            let late = random.pick(self.nodes);
            self.boots[late] = random.below(self.calm);
        }
        if random.percent(25) {
            self.network.loss = random.between(1, 20);
            self.rough = true;
        }
        if random.percent(25) {
            self.network.duplicate = random.between(1, 50);
        }
        if random.percent(25) {
            self.network.delay = random.between(1, self.keepalive / MILLI / 2) * MILLI;
            if random.percent(30) {
                // Packets overtake several others.
                self.network.delay = random.between(1, self.deadtime / MILLI) * MILLI;
                self.rough = true;
            }
        }
        if random.percent(15) {
            self.network.replay = random.between(1, 50);
        }
        if random.percent(10) {
            let odd = random.pick(self.nodes);
            self.failback[odd] ^= true;
        }
        self.at_odds = random.percent(7);
        if random.percent(20) {
            let skews = self.skew.iter_mut();
            skews.for_each(|skew| *skew = 20_000 - random.below(40_000).cast_signed());
        }
        if random.percent(20) {
            self.scripts.fail = random.between(5, 50);
        }
        if random.percent(15) {
            self.scripts.hang = random.between(5, 30);
        }
        if random.percent(20) {
            self.scripts.slow = random.between(10, 60);
        }
        if random.percent(35) {
            self.commands = true;
            self.strike(random, 6, Self::command);
        }
        if random.percent(10) {
            self.losses = true;
            self.strike(random, 4, Self::lose);
        }
        self.draw_silence(random);
    }

    /// Each of these can make a live node look dead.
    fn draw_silence(&mut self, random: &mut Generator) {
        let calm = self.schedule.len();
        if random.percent(30) {
            self.strike(random, 3, Self::partition);
        }
        if random.percent(20) {
            self.strike(random, 3, Self::one_way);
        }
        if random.percent(15) {
            if random.percent(70) {
                self.failback.fill(false);
            }
            self.strike(random, 2, Self::half_heal);
        }
        if random.percent(15) {
            self.strike(random, 8, Self::flap);
        }
        if random.percent(10) {
            self.strike(random, 2, Self::unplug);
        }
        if random.percent(35) {
            self.strike(random, 3, Self::crash);
        }
        if random.percent(30) {
            self.strike(random, 3, Self::freeze);
        }
        self.rough |= self.schedule.len() > calm;
    }

    /// One to `most` faults of a kind, each at its time and for a while.
    fn strike(
        &mut self,
        random: &mut Generator,
        most: u64,
        fault: fn(&mut Self, &mut Generator, Micros, Micros),
    ) {
        for _ in 0..random.between(1, most) {
            let begin = random.between(QUIET_START, self.calm - 1);
            let lasting = match random.below(3) {
                0 => random.below(self.keepalive * 2),
                1 => random.below(self.deadtime * 2),
                _ => random.below(self.deadtime * 5),
            };
            fault(self, random, begin, begin + lasting + 1);
        }
    }

    fn partition(&mut self, random: &mut Generator, begin: Micros, end: Micros) {
        let alone = random.pick(self.nodes);
        self.partitions.push((alone, begin, end));
        for other in (0..self.nodes).filter(|node| *node != alone) {
            for (from, to) in [(alone, other), (other, alone)] {
                self.cut(from, to, None, begin, end);
            }
        }
    }

    fn one_way(&mut self, random: &mut Generator, begin: Micros, end: Micros) {
        let from = random.pick(self.nodes);
        let to = (from + 1 + random.pick(self.nodes - 1)) % self.nodes;
        self.cut(from, to, None, begin, end);
    }

    /// A full cut that heals in one direction first.
    fn half_heal(&mut self, random: &mut Generator, begin: Micros, end: Micros) {
        let alone = random.pick(self.nodes);
        let hears = random.percent(50);
        let half = end + self.deadtime + random.below(self.deadtime * 3);
        let whole = half + random.below(self.deadtime * 8);
        for other in (0..self.nodes).filter(|node| *node != alone) {
            for (from, to) in [(alone, other), (other, alone)] {
                let first = (to == alone) == hears;
                self.cut(from, to, None, begin, if first { half } else { whole });
            }
        }
    }

    fn flap(&mut self, random: &mut Generator, begin: Micros, end: Micros) {
        let from = random.pick(self.nodes);
        let to = (from + 1 + random.pick(self.nodes - 1)) % self.nodes;
        let link = Some(random.below(u64::from(self.links)) as u16);
        let mut at = begin;
        while at < end {
            let (down, up) = (random.between(1, 400), random.between(1, 400));
            self.cut(from, to, link, at, at + down * MILLI);
            self.cut(to, from, link, at, at + down * MILLI);
            at += (down + up) * MILLI;
        }
    }

    fn cut(&mut self, from: usize, to: usize, link: Option<u16>, begin: Micros, end: Micros) {
        self.schedule.push((begin, Fault::Cut { from, to, link }));
        self.schedule.push((end, Fault::Join { from, to, link }));
    }

    fn crash(&mut self, random: &mut Generator, begin: Micros, end: Micros) {
        let node = random.pick(self.nodes);
        let power = random.percent(50);
        self.schedule.push((begin, Fault::Crash { node, power }));
        self.schedule.push((end, Fault::Boot { node }));
    }

    fn freeze(&mut self, random: &mut Generator, begin: Micros, end: Micros) {
        let node = random.pick(self.nodes);
        let machine = random.percent(40);
        self.schedule.push((begin, Fault::Freeze { node, machine }));
        self.schedule.push((end, Fault::Thaw { node }));
    }

    fn lose(&mut self, random: &mut Generator, begin: Micros, end: Micros) {
        let (node, choice) = (random.pick(self.nodes), random.next());
        let mut nodes = vec![(node, begin)];
        if choice >> 32 & 1 == 1 {
            // The next one loses it, too, while it is perhaps starting there.
            let next = (node + 1) % self.nodes;
            nodes.push((next, begin + (choice >> 40) % (20 * MILLI)));
        }
        for (node, begin) in nodes {
            self.schedule.push((begin, Fault::Lose { node, choice }));
            self.schedule
                .push((end.max(begin), Fault::Mend { node, choice }));
        }
    }

    fn unplug(&mut self, random: &mut Generator, begin: Micros, end: Micros) {
        let node = random.pick(self.nodes);
        for other in (0..self.nodes).filter(|other| *other != node) {
            for (from, to) in [(node, other), (other, node)] {
                self.cut(from, to, None, begin, end);
            }
        }
        for (at, carrier) in [(begin, false), (end, true)] {
            self.schedule.push((at, Fault::Carrier { node, carrier }));
        }
    }

    fn command(&mut self, random: &mut Generator, begin: Micros, end: Micros) {
        let node = random.pick(self.nodes);
        let choice = random.next();
        self.schedule.push((begin, Fault::Command { node, choice }));
        // A daemon that was shut down comes back some time.
        self.schedule.push((end, Fault::Boot { node }));
    }

    /// The longest time a script takes until it answers.
    pub(crate) fn script_limit(&self) -> Micros {
        match (self.scripts.hang, self.scripts.slow) {
            (0, 0) => 25 * MILLI,
            (0, _) => 800 * MILLI,
            _ => 1500 * MILLI,
        }
    }

    /// Two nodes that have heard each other for so long must not run a group both: time for the
    /// news to arrive, and for two scripts to end.
    pub(crate) fn overlap_bound(&self) -> Micros {
        let beats = if self.network.loss > 0 { 14 } else { 2 };
        // Nodes that expect each other to take a group lose patience after a deadtime.
        let patience = if self.at_odds { self.deadtime } else { 0 };
        let travel = self.keepalive * beats + self.network.delay * 4;
        travel + patience + self.script_limit() * 2 + 50 * MILLI
    }

    /// When faults have stopped for so long, every group runs exactly once: the longest wait for a
    /// node that never comes back, the longest wait after failed starts, and some scripts.
    pub(crate) fn settling_bound(&self) -> Micros {
        let retries = self.retry_failed * 32 + self.retry_stop * 2 + HOLD_DOWN * 32;
        self.initdead + self.deadtime * 3 + retries + self.script_limit() * 6 + SECOND
    }
}
