//! What must hold in every history, at every step and in the end.

use crate::cluster::World;
use crate::faults::{LOST_AFTER, Micros, Plan, SECOND};
use crate::one_way::OneWay;
use crate::setup::{name, place_of};
use ha_status::{Node, NodeKind, NodeStatus, RunState};
use hbd_core::config::NodeName;
use hbd_core::output::{Ending, Notice, Output};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// So many messages of one node per second at the very most: there are no echo storms.
const MAX_PER_SECOND: u64 = 300;

/// Every tenth message is acknowledged by everyone else.
const ACKNOWLEDGED: u64 = 10;

/// That comes on top, for each other node.
const MAX_ACKS_PER_SECOND: u64 = MAX_PER_SECOND / ACKNOWLEDGED;

/// Nothing can be asked and answered faster.
const ROUND_TRIP: Micros = 100;

/// What is prepared for a group that does not start is undone by then, on the slowest clock.
const MAX_PREPARED: Micros = 31 * SECOND;

/// An honest cluster changes owners a few times, not thousands of times.
const MAX_EPOCH: u64 = 500;

/// A promise that was broken, in words.
pub(crate) struct Violation(pub(crate) String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Watches a history.
#[derive(Default)]
pub(crate) struct Monitor {
    /// Does nothing in this history make a live node look dead?
    gentle: bool,
    overlap_bound: Micros,
    settling_bound: Micros,
    quiet: Micros,
    /// Since when two nodes have had a way to each other both ways, without standing still.
    connected: BTreeMap<(usize, usize), Micros>,
    /// Since when a group has been active on both.
    overlap: BTreeMap<(usize, usize, usize), Micros>,
    /// Since when a node has called a group running of which something is missing.
    hollow: BTreeMap<(usize, usize), Micros>,
    /// Messages of each node in the second that began then.
    said: BTreeMap<usize, (Micros, u64)>,
    calm: Option<Micros>,
    /// The last output that was more than a message.
    last_act: Micros,
    /// Within so long after that the others have been told.
    told: Micros,
    /// Messages since then.
    chatter: u64,
    /// A node started a group while it took another one for dead: (starter, dead one, group).
    unasked: BTreeSet<(usize, usize, usize)>,
    /// What stays active because a shutdown gave up: (node, group).
    abandoned: BTreeSet<(usize, usize)>,
    /// Can nodes that have a way to each other lose sight of one another?
    murky: bool,
    one_way: OneWay,
    /// Groups that two nodes ran while only one heard the other, and that ended.
    pub(crate) yielded: u64,
    /// When the neighbours were told last by a node that it has a group.
    announced: BTreeMap<(usize, usize), Micros>,
    /// What is prepared, by node and group, and since when.
    prepared: BTreeMap<(usize, usize), Micros>,
    /// Preparations that a start followed, and those that were undone.
    pub(crate) fulfilled: u64,
    pub(crate) undone: u64,
    deadtime: Micros,
}

impl Monitor {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            gentle: !plan.rough,
            overlap_bound: plan.overlap_bound(),
            settling_bound: plan.settling_bound(),
            quiet: plan.deadtime * 2,
            told: plan.keepalive * 2,
            murky: plan.network.loss > 0 || plan.network.delay >= plan.keepalive,
            deadtime: plan.deadtime,
            one_way: OneWay::new(plan),
            ..Self::default()
        }
    }

    pub(crate) fn calm(&mut self, now: Micros) {
        self.calm = Some(now);
        self.last_act = now;
        self.chatter = 0;
    }

    /// A node asks for something.
    pub(crate) fn output(
        &mut self,
        world: &World,
        node: usize,
        output: &Output,
    ) -> Result<(), Violation> {
        match output {
            Output::Send(message) => {
                // What was lost before is asked for and sent again for a while.
                let again = match message.kind() {
                    "status" => message.text("hbn").is_none(),
                    kind => kind == "NS_rexmit",
                };
                let rests = world.now >= self.last_act + self.told;
                self.chatter += u64::from(rests && !again);
                return self.count_message(world, node);
            }
            Output::Start(group) => {
                let place = place_of(*group);
                self.fulfilled += u64::from(self.prepared.remove(&(node, place)).is_some());
                self.check_start(world, node, place)?;
            }
            Output::Announce(group) => self.announced(node, place_of(*group), world.now),
            Output::Prepare(group) => self.check_preparation(world, node, place_of(*group))?,
            Output::Unprepare(group) => {
                self.undone += 1;
                if self.prepared.remove(&(node, place_of(*group))).is_none() {
                    return Err(Violation(format!("node {node}: {output:?} of nothing")));
                }
            }
            Output::Exit(Ending::Held) => {
                let machine = &world.nodes[node].machine;
                let held = (0..world.plan.groups.len()).filter(|group| machine.active(*group));
                self.abandoned.extend(held.map(|group| (node, group)));
            }
            Output::Notice(Notice::NodeDead { node: dead, .. }) => {
                Self::check_verdict(world, node, dead)?;
            }
            Output::PassOn { .. }
            | Output::Probe(_)
            | Output::Stop(_)
            | Output::LetGo(_)
            | Output::Remember(_)
            | Output::Linger(_)
            | Output::Inquire { .. }
            | Output::Opinion { .. }
            | Output::Notice(_)
            | Output::CommandDone { .. }
            | Output::Exit(Ending::Released) => {}
        }
        self.last_act = world.now;
        self.chatter = 0;
        Ok(())
    }

    /// The neighbours are told that this node has a group.
    pub(crate) fn announced(&mut self, node: usize, group: usize, now: Micros) {
        self.announced.insert((node, group), now);
    }

    /// Whoever answered for a group that it did not run is announced over.
    fn check_neighbours(&self, world: &World, runner: usize, group: usize) -> Result<(), String> {
        let told = self.announced.get(&(runner, group)).copied();
        for other in (0..world.nodes.len()).filter(|other| *other != runner) {
            let drawn = world.nodes[other].machine.drawn(group);
            if drawn > 0 && told.is_none_or(|told| told < drawn) {
                return Err(format!(
                    "node {other} answered for group {group} until {drawn}, and node {runner}, \
                     which runs it, told the neighbours at {told:?}"
                ));
            }
        }
        Ok(())
    }

    /// Only the owner of a group prepares for it, and once.
    fn check_preparation(
        &mut self,
        world: &World,
        node: usize,
        group: usize,
    ) -> Result<(), Violation> {
        let owner = world
            .snapshot(node)
            .and_then(|view| view.groups[group].owner.clone());
        let again = self.prepared.insert((node, group), world.now).is_some();
        if again || owner.as_deref() != Some(name(node).as_str()) {
            return Err(Violation(format!(
                "node {node} prepares for group {group}, of which the owner is {owner:?}; again: {again}"
            )));
        }
        Ok(())
    }

    /// What comes of nothing ends: with the daemon, or with the time.
    fn check_prepared(&mut self, world: &World) -> Result<(), Violation> {
        self.prepared
            .retain(|(node, _), _| world.nodes[*node].core.is_some());
        let awake = |node: usize| !world.nodes[node].is_frozen();
        let over = |since: Micros| world.now > since + MAX_PREPARED;
        // Whoever is stopping it all the while may have no address any more.
        let stopping = |group: usize| {
            let mut nodes = 0..world.nodes.len();
            nodes.any(|other| stuck(world, other, group))
        };
        let mut all = self.prepared.iter();
        match all.find(|((node, group), since)| awake(*node) && over(**since) && !stopping(*group))
        {
            Some(((node, group), _)) => Err(Violation(format!(
                "node {node} is prepared for group {group} and does not give up"
            ))),
            None => Ok(()),
        }
    }

    fn count_message(&mut self, world: &World, node: usize) -> Result<(), Violation> {
        let (begin, count) = self.said.entry(node).or_default();
        if world.now >= *begin + SECOND {
            (*begin, *count) = (world.now, 0);
        }
        *count += 1;
        let others = world.nodes.len() as u64 - 1;
        if *count > MAX_PER_SECOND + others * MAX_ACKS_PER_SECOND {
            return Err(Violation(format!(
                "node {node}: {count} messages in a second"
            )));
        }
        Ok(())
    }

    /// Nobody starts what a live node has not reported as stopped.
    fn check_start(&mut self, world: &World, node: usize, group: usize) -> Result<(), Violation> {
        self.check_world(world, node, group)?;
        let Some(view) = world.snapshot(node) else {
            return Ok(());
        };
        for other in 0..world.nodes.len() {
            let mut nodes = view.nodes.iter();
            let named = nodes.find(|row| row.name == name(other).as_str());
            if named.is_some_and(|row| row.status == NodeStatus::Dead) {
                self.unasked.insert((node, other, group));
            } else {
                self.unasked.remove(&(node, other, group));
            }
        }
        for other in view.nodes.iter().filter(|other| is_peer(other)) {
            match other.status {
                NodeStatus::Dead | NodeStatus::Left | NodeStatus::Ping => continue,
                NodeStatus::Init | NodeStatus::Up | NodeStatus::Active => {}
            }
            let runs = &view.groups[group].runs;
            let told = runs.iter().find(|run| run.node == other.name);
            if !told.is_some_and(|run| matches!(run.state, RunState::Stopped | RunState::Failed)) {
                return Err(Violation(format!(
                    "node {node} starts group {group} while {} has not said that it is stopped",
                    other.name
                )));
            }
            // What it said is one thing; that it is still true is another, unless it took the
            // starter for dead when it took the group, and did not have to ask.
            let index = (0..world.nodes.len()).find(|i| name(*i).as_str() == other.name);
            let real = index.unwrap_or(node);
            let unasked = self.unasked.contains(&(real, node, group));
            let running = world.nodes[real].machine.active(group);
            // A node that stood still must ask again before it believes what it knew.
            let woke = world.nodes[node].woke;
            if running && woke.is_some_and(|woke| world.now < woke + ROUND_TRIP) {
                return Err(Violation(format!(
                    "node {node} stood still and starts group {group}, which {} has by now",
                    other.name
                )));
            }
            let abandoned = self.abandoned.contains(&(real, group));
            if running && world.nodes[real].core.is_some() && !unasked && !abandoned {
                return Err(Violation(format!(
                    "node {node} starts group {group}, which is active on {}, not believed dead",
                    other.name
                )));
            }
        }
        Ok(())
    }

    /// Whatever a node believes: it does not start what runs on another one with which it has had a
    /// way to talk for long enough to know.
    fn check_world(&self, world: &World, node: usize, group: usize) -> Result<(), Violation> {
        let long = self.deadtime * 2 + self.overlap_bound;
        for other in (0..world.nodes.len()).filter(|other| *other != node) {
            let pair = (node.min(other), node.max(other));
            let since = self.connected.get(&pair);
            let connected = since.is_some_and(|since| world.now > since + long);
            let running = world.nodes[other].machine.active(group);
            if connected && running && !self.murky && !self.abandoned.contains(&(other, group)) {
                return Err(Violation(format!(
                    "node {node} starts group {group}, which is active on node {other}, and the \
                     two have been connected for long"
                )));
            }
        }
        Ok(())
    }

    /// Nothing is under way that time alone could make wrong.
    pub(crate) fn is_at_ease(&self) -> bool {
        self.overlap.is_empty()
    }

    /// Nobody is declared dead unheard: not while its packets wait, and not right after we
    /// stood still ourselves.
    fn check_verdict(world: &World, node: usize, dead: &NodeName) -> Result<(), Violation> {
        let judge = &world.nodes[node];
        if judge.has_mail_from(dead) {
            return Err(Violation(format!(
                "node {node} declares {dead} dead while its packets wait to be read"
            )));
        }
        let patience = world.plan.keepalive;
        if judge.woke.is_some_and(|woke| world.now < woke + patience) {
            return Err(Violation(format!(
                "node {node} declares {dead} dead right after it stood still itself"
            )));
        }
        Ok(())
    }

    /// After every event.
    pub(crate) fn check(&mut self, world: &World) -> Result<(), Violation> {
        self.abandoned
            .retain(|(node, group)| world.nodes[*node].machine.active(*group));
        self.check_prepared(world)?;
        let count = world.nodes.len();
        for one in 0..count {
            for other in one + 1..count {
                self.check_pair(world, one, other)?;
            }
        }
        for node in 0..count {
            for group in 0..world.plan.groups.len() {
                self.check_holding(world, node, group)?;
            }
        }
        Ok(())
    }

    /// A group does not stay running where clients cannot reach what it holds.
    fn check_holding(&mut self, world: &World, node: usize, group: usize) -> Result<(), Violation> {
        let place = &world.nodes[node];
        let hollow = place.machine.missing(group)
            && !place.is_frozen()
            && world
                .snapshot(node)
                .is_some_and(|view| view.groups[group].state == RunState::Running);
        if !hollow {
            self.hollow.remove(&(node, group));
            return Ok(());
        }
        let since = *self.hollow.entry((node, group)).or_insert(world.now);
        if world.now > since + LOST_AFTER * 2 {
            return Err(Violation(format!(
                "group {group} stays running on node {node}, which has lost what it holds"
            )));
        }
        Ok(())
    }

    fn check_pair(&mut self, world: &World, one: usize, other: usize) -> Result<(), Violation> {
        let now = world.now;
        let awake = |node: usize| {
            let node = &world.nodes[node];
            node.core.is_some() && !node.is_frozen()
        };
        let both_ways = world.network.connects(one, other) && world.network.connects(other, one);
        if both_ways && awake(one) && awake(other) {
            self.connected.entry((one, other)).or_insert(now);
        } else if let Some(since) = self.connected.remove(&(one, other)) {
            self.one_way.parted(world, (one, other), since);
        }
        self.one_way.look(world, (one, other));
        for group in 0..world.plan.groups.len() {
            let active = |node: usize| world.nodes[node].machine.active(group);
            if !(active(one) && active(other)) {
                let over = self.overlap.remove(&(one, other, group)).is_some();
                self.yielded += u64::from(over && self.one_way.is_between((one, other)));
                continue;
            }
            let left = |node: usize| self.abandoned.contains(&(node, group));
            if self.gentle && !left(one) && !left(other) {
                return Err(Violation(format!(
                    "group {group} is active on nodes {one} and {other}, and nothing excuses it"
                )));
            }
            let since = *self.overlap.entry((one, other, group)).or_insert(now);
            let excused = || stuck(world, one, group) || stuck(world, other, group);
            let overdue = self.one_way.overdue(world, (one, other), since);
            if let Some(((hears, deaf), both)) = overdue
                && !self.murky
                && !excused()
            {
                return Err(Violation(format!(
                    "node {hears} hears {deaf}, which does not hear it, and both run group \
                     {group} for {both} us; the bound is {} us",
                    self.one_way.bound()
                )));
            }
            let Some(connected) = self.connected.get(&(one, other)) else {
                continue;
            };
            let both = now.saturating_sub(since.max(*connected));
            if both > self.overlap_bound && !excused() {
                return Err(Violation(format!(
                    "nodes {one} and {other} hear each other and both run group {group} \
                     for {both} us; the bound is {} us",
                    self.overlap_bound
                )));
            }
        }
        Ok(())
    }

    /// After the faults: is everything as it should be, and at rest?
    pub(crate) fn finished(&self, world: &World) -> Result<bool, Violation> {
        let Some(calm) = self.calm else {
            return Ok(false);
        };
        let rested = world.now >= self.last_act + self.quiet;
        let late = world.now > calm + self.settling_bound + self.quiet;
        if !rested && !late {
            return Ok(false);
        }
        if let Err(what) = self.settled(world) {
            return if late {
                Err(Violation(what))
            } else {
                Ok(false)
            };
        }
        if !rested {
            return Err(Violation("it never comes to rest".to_owned()));
        }
        if let Some((node, group)) = self.prepared.keys().next() {
            return Err(Violation(format!(
                "node {node} is still prepared for group {group}, which runs elsewhere"
            )));
        }
        self.check_chatter(world)?;
        Ok(true)
    }

    /// At rest, once all news have been told, there is a status of each node per keepalive (one more
    /// at the edges), and each node acknowledges every tenth message of each other one (which may be
    /// the first of them). Nothing else.
    fn check_chatter(&self, world: &World) -> Result<(), Violation> {
        let beats = (world.now - self.last_act - self.told) / world.plan.keepalive + 2;
        let nodes = world.nodes.len() as u64;
        let most = nodes * beats + nodes * (nodes - 1) * (beats / ACKNOWLEDGED + 1);
        if self.chatter > most {
            return Err(Violation(format!(
                "{} messages at rest, {most} are expected at most",
                self.chatter
            )));
        }
        Ok(())
    }

    fn settled(&self, world: &World) -> Result<(), String> {
        let views: Vec<_> = (0..world.nodes.len())
            .map(|node| world.snapshot(node).ok_or(format!("node {node} is down")))
            .collect::<Result<_, _>>()?;
        for (node, view) in views.iter().enumerate() {
            for other in &view.nodes {
                let well = match other.kind {
                    NodeKind::Normal => NodeStatus::Active,
                    NodeKind::Ping => NodeStatus::Ping,
                };
                if other.status != well {
                    return Err(format!(
                        "node {node} takes {} for {:?}",
                        other.name, other.status
                    ));
                }
            }
            if let Some(id) = world.nodes[node].unanswered.first() {
                return Err(format!("node {node} has not answered command {id}"));
            }
        }
        for group in 0..world.plan.groups.len() {
            let active: Vec<usize> = (0..world.nodes.len())
                .filter(|node| world.nodes[*node].machine.active(group))
                .collect();
            let [runner] = active[..] else {
                return Err(format!("group {group} is active on {active:?}"));
            };
            let first = &views[runner].groups[group];
            if first.state != RunState::Running {
                return Err(format!("group {group} on node {runner}: {:?}", first.state));
            }
            if first.epoch > MAX_EPOCH {
                return Err(format!("group {group} has epoch {}", first.epoch));
            }
            self.check_neighbours(world, runner, group)?;
            let home = world.plan.groups[group];
            let plan = &world.plan;
            let scripts = plan.scripts.fail + plan.scripts.hang > 0;
            let moved = plan.commands || scripts || plan.at_odds || plan.losses;
            let undisturbed = self.gentle && plan.boots.iter().all(|at| *at < plan.initdead);
            if (plan.failback.iter().all(|on| *on) || undisturbed) && !moved && runner != home {
                return Err(format!(
                    "group {group} did not return from {runner} to {home}"
                ));
            }
            for (node, view) in views.iter().enumerate() {
                let told = &view.groups[group];
                if told.owner.as_deref() != Some(name(runner).as_str()) || told.epoch != first.epoch
                {
                    return Err(format!(
                        "group {group} runs on node {runner}, but node {node} believes in {:?}",
                        told.owner
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Its stop has failed: nothing that the daemon could do ends that.
fn stuck(world: &World, node: usize, group: usize) -> bool {
    world.snapshot(node).is_some_and(|view| {
        matches!(
            view.groups[group].state,
            RunState::Stuck | RunState::Stopping
        )
    })
}

fn is_peer(node: &Node) -> bool {
    !node.local && node.kind == NodeKind::Normal
}
