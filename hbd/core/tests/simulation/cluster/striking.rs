//! Faults as they strike: nodes that crash, freeze and boot, commands, lost holdings, cables, and
//! the calm at the end.

use super::{Event, RESTART, World};
use crate::faults::{Fault, LOST_AFTER, MILLI};
use crate::invariants::Violation;
use crate::setup::{self, group_id, place_of};
use ha_status::HoldSet;
use hbd_core::Cluster;
use hbd_core::config::{Config, GroupId};
use hbd_core::input::{Command, CommandId, Input};
use std::collections::BTreeMap;

impl World {
    pub(super) fn strike(&mut self, fault: &Fault) -> Result<(), Violation> {
        if self.calm {
            return Ok(());
        }
        self.log(|_| format!("fault {fault:?}"));
        match *fault {
            Fault::Cut { from, to, link } => self.network.cut(from, to, link),
            Fault::Join { from, to, link } => self.network.join(from, to, link),
            Fault::Crash { node, power } => self.crash(node, power),
            Fault::Boot { node } => {
                let rested = self.now >= self.nodes[node].down_since + RESTART;
                if self.nodes[node].core.is_none() && self.nodes[node].boot > 0 && rested {
                    return self.start(node);
                }
            }
            Fault::Freeze { node, machine } => self.freeze(node, machine),
            Fault::Thaw { node } => {
                self.nodes[node].frozen.pop();
                return self.thaw(node);
            }
            Fault::Command { node, choice } => return self.command(node, choice),
            Fault::Lose { node, choice } => {
                let group = self.group(choice);
                if !self.nodes[node].machine.take(place_of(group), true) {
                    return Ok(());
                }
                // What a look of a moment ago has found may be heard when the group has been stopped.
                let late =
                    choice >> 33 & 1 == 1 && !self.nodes[node].machine.active(place_of(group));
                self.look(node, group)?;
                if late {
                    return self.miss(node, group);
                }
            }
            Fault::Mend { node, choice } => {
                let group = self.group(choice);
                self.nodes[node].machine.take(place_of(group), false);
                return self.tell(node, Input::Mended { group });
            }
            Fault::Carrier { node, carrier } => return self.plug(node, carrier),
            Fault::Gateway { node, answers } => {
                let count = &mut self.nodes[node].unanswered_by_gateway;
                *count = if answers {
                    count.saturating_sub(1)
                } else {
                    *count + 1
                };
            }
            Fault::Calm => return self.calm_down(),
        }
        Ok(())
    }

    fn group(&self, choice: u64) -> GroupId {
        group_id((choice % self.plan.groups.len() as u64) as usize)
    }

    /// Something that only a running daemon can be told.
    fn tell(&mut self, node: usize, input: Input) -> Result<(), Violation> {
        if self.nodes[node].core.is_none() {
            return Ok(());
        }
        self.feed(node, input)
    }

    /// What a group has begun to hold is missing: said again and again.
    pub(super) fn look(&mut self, node: usize, group: GroupId) -> Result<(), Violation> {
        let machine = &self.nodes[node].machine;
        let held = machine.active(place_of(group));
        if !machine.missing(place_of(group)) {
            return Ok(());
        }
        self.at(self.now + LOST_AFTER, Event::Look { node, group });
        if !held {
            return Ok(());
        }
        self.miss(node, group)
    }

    fn miss(&mut self, node: usize, group: GroupId) -> Result<(), Violation> {
        let (resource, reason) = (what(), what());
        self.tell(
            node,
            Input::Lost {
                group,
                resource,
                reason,
            },
        )
    }

    fn plug(&mut self, node: usize, carrier: bool) -> Result<(), Violation> {
        self.nodes[node].carrier = carrier;
        for link in 0..self.plan.links {
            let interface = format!("eth{link}");
            self.tell(node, Input::Carrier { interface, carrier })?;
        }
        Ok(())
    }

    fn calm_down(&mut self) -> Result<(), Violation> {
        self.calm = true;
        self.network.calm();
        self.monitor.calm(self.now);
        for node in 0..self.nodes.len() {
            self.nodes[node].machine.calm();
            self.nodes[node].frozen.clear();
            self.nodes[node].unanswered_by_gateway = 0;
            self.thaw(node)?;
            self.plug(node, true)?;
            for group in 0..self.plan.groups.len() as u64 {
                let group = self.group(group);
                self.tell(node, Input::Mended { group })?;
            }
            if self.nodes[node].core.is_none() {
                let at = self.now + self.random.below(200 * MILLI);
                self.at(at, Event::Boot(node));
            }
        }
        Ok(())
    }

    fn crash(&mut self, node: usize, power: bool) {
        let at = self.now;
        let node = &mut self.nodes[node];
        node.core = None;
        node.machine.crash(power, self.now);
        node.inbox.clear();
        node.frozen.clear();
        node.frozen_since = 0;
        node.woke = None;
        node.boot += 1;
        node.down_since = at;
        node.unanswered.clear();
    }

    /// Boots a node; its shell tells what it sees.
    pub(super) fn start(&mut self, node: usize) -> Result<(), Violation> {
        self.boot(node);
        self.drain(node)?;
        if self.nodes[node].carrier {
            return Ok(());
        }
        self.plug(node, false)
    }

    fn boot(&mut self, node: usize) {
        if self.nodes[node].core.is_some() {
            return;
        }
        let now = self.local_time(node);
        self.nodes[node].boot += 1;
        self.nodes[node].born = self.now;
        let generation = self.nodes[node].boot;
        let known = self.nodes[node].known.clone();
        let config = setup::config(&self.plan, node, generation, now);
        let config = Config { known, ..config };
        self.nodes[node].core = Some(Cluster::new(config, now));
        self.nodes[node].taken = (None, BTreeMap::new());
        self.log(|world| format!("node {node} boots, generation {}", world.nodes[node].boot));
    }

    fn freeze(&mut self, node: usize, machine: bool) {
        let now = self.now;
        let node = &mut self.nodes[node];
        if node.core.is_some() {
            if !node.is_frozen() {
                node.frozen_since = now;
            }
            node.frozen.push(machine);
        }
    }

    fn thaw(&mut self, node: usize) -> Result<(), Violation> {
        if self.nodes[node].is_frozen() {
            return Ok(());
        }
        let noticed = self.plan.keepalive * 2 + self.plan.deadtime / 8 + MILLI;
        let frozen = &mut self.nodes[node];
        if frozen.frozen_since > 0 && self.now - frozen.frozen_since > noticed {
            frozen.woke = Some(self.now);
        }
        frozen.frozen_since = 0;
        // The shell empties its sockets before it looks at the clock.
        self.feed(node, Input::Tick)
    }

    fn command(&mut self, node: usize, choice: u64) -> Result<(), Violation> {
        let set = match choice >> 8 & 3 {
            0 => HoldSet::Local,
            1 => HoldSet::Foreign,
            _ => HoldSet::All,
        };
        let command = match choice % 5 {
            0 | 1 => Command::Standby(set),
            2 | 3 => Command::Takeover(set),
            _ => Command::Shutdown,
        };
        if self.nodes[node].core.is_none() || self.nodes[node].is_frozen() {
            return Ok(());
        }
        self.next_command += 1;
        let id = self.next_command;
        self.nodes[node].unanswered.insert(id);
        let id = CommandId(id);
        self.feed(node, Input::Command { id, command })
    }
}

fn what() -> String {
    "the address is gone".to_owned()
}
