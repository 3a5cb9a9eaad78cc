//! What holds while packets go one way only: of two nodes that both run a group, the one that hears
//! the other lets go. It is the only one that can know.
//!
//! How soon, counted from the moment when only one way is left and both run the group:
//!
//! 1. the deaf node takes the other for dead after a deadtime, and says so at its next beat;
//! 2. the hearing node believes that once it has been said for three keepalives, or a deadtime;
//! 3. its scripts end: a start that is under way, and the stop.
//!
//! A packet that somebody held back, or that was under way, counts as a way: the deaf node hears it.
//! A life that the deaf node has never named is not believed: its packets could be a recording. And a
//! node that has just booted keeps what an earlier life left until it knows who lives.

use crate::cluster::World;
use crate::faults::{MILLI, Micros, Plan};
use std::collections::BTreeMap;

/// Two nodes, the one that hears the other first.
type Way = (usize, usize);

#[derive(Default)]
pub(crate) struct OneWay {
    /// Since when only one of two nodes hears the other, while both are awake and know each other.
    since: BTreeMap<Way, Micros>,
    /// The lives of two nodes that have talked, the lower node first.
    acquainted: BTreeMap<Way, (u64, u64)>,
    /// Time for two lives to prove themselves to each other.
    handshake: Micros,
    initdead: Micros,
    bound: Micros,
}

impl OneWay {
    pub(crate) fn new(plan: &Plan) -> Self {
        let travel = plan.keepalive + plan.network.delay * 4;
        let patience = plan.deadtime.min(plan.keepalive * 3);
        let odds = if plan.at_odds { plan.deadtime } else { 0 };
        let scripts = plan.script_limit() * 2 + 50 * MILLI;
        Self {
            handshake: travel * 4,
            initdead: plan.initdead,
            bound: plan.deadtime + travel * 2 + patience + odds + scripts,
            ..Self::default()
        }
    }

    /// Two nodes have had a way both ways since then, which has just ended.
    pub(crate) fn parted(&mut self, world: &World, pair: Way, since: Micros) {
        let born = world.nodes[pair.0].born.max(world.nodes[pair.1].born);
        if world.now >= since.max(born) + self.handshake {
            self.acquainted.insert(pair, lives(world, pair));
        }
    }

    /// After every event: looks at the ways between two nodes.
    pub(crate) fn look(&mut self, world: &World, (one, other): Way) {
        for (hears, deaf) in [(one, other), (other, one)] {
            let only = world.network.connects(deaf, hears) && !world.network.connects(hears, deaf);
            let awake = [one, other].into_iter().all(|node| {
                let node = &world.nodes[node];
                node.core.is_some() && !node.is_frozen()
            });
            let pair = (one, other);
            let known = self.acquainted.get(&pair) == Some(&lives(world, pair));
            if only && awake && known {
                self.since.entry((hears, deaf)).or_insert(world.now);
            } else {
                self.since.remove(&(hears, deaf));
            }
        }
    }

    /// Does one of two nodes, which have both run a group since then, do so for too long although it
    /// hears the other? For how long, and how long it may.
    pub(crate) fn overdue(
        &self,
        world: &World,
        (one, other): Way,
        since: Micros,
    ) -> Option<(Way, Micros)> {
        let ways = [(one, other), (other, one)].into_iter();
        let mut late = ways.filter_map(|way| {
            let only = self.since.get(&way)?;
            let born = world.nodes[one].born.max(world.nodes[other].born);
            let strayed = world.strayed.get(&way).copied().unwrap_or_default();
            let alone = since.max(*only).max(strayed);
            let both = world.now.saturating_sub(alone.max(born + self.initdead));
            (both > self.bound).then_some((way, both))
        });
        late.next()
    }

    /// Does only one of them hear the other?
    pub(crate) fn is_between(&self, (one, other): Way) -> bool {
        self.since.contains_key(&(one, other)) || self.since.contains_key(&(other, one))
    }

    pub(crate) fn bound(&self) -> Micros {
        self.bound
    }
}

fn lives(world: &World, (one, other): Way) -> (u64, u64) {
    (world.nodes[one].boot, world.nodes[other].boot)
}
