//! What a node's shell does when the core asks for it, and how it answers.

use super::{Event, World};
use crate::faults::{MILLI, Micros};
use crate::invariants::Violation;
use crate::scripts::{self, Begun, Operation, Preparation};
use crate::setup::place_of;
use hbd_core::config::GroupId;
use hbd_core::input::{Input, Steps};
use hbd_core::output::{Notice, Output};

impl World {
    pub(super) fn obey(&mut self, node: usize, output: Output) -> Result<(), Violation> {
        match output {
            Output::Send(message) => self.send(node, message),
            Output::PassOn { .. } => {
                return Err(Violation(format!("node {node} passes on without a line")));
            }
            Output::Probe(group) => self.begin(node, group, Operation::Probe),
            Output::Start(group) => self.begin(node, group, Operation::Start),
            Output::Stop(group) | Output::LetGo(group) => self.begin(node, group, Operation::Stop),
            Output::CommandDone { id, .. } => {
                if !self.nodes[node].unanswered.remove(&id.0) {
                    return Err(Violation(format!("node {node}: {id:?} answered twice")));
                }
            }
            Output::Remember(known) => {
                let kept = &mut self.nodes[node].known;
                kept.retain(|other| other.node != known.node);
                kept.push(known);
            }
            Output::Notice(Notice::PingsLost) => self.coverage.gateway_lost += 1,
            Output::Prepare(group) => self.prepare(node, group, Preparation::Make),
            Output::Unprepare(group) => self.prepare(node, group, Preparation::Undo),
            Output::Linger(group) => {
                self.coverage.lingered += 1;
                let boot = self.nodes[node].boot;
                let willing = !self.random.percent(10);
                let after = self.random.between(MILLI / 10, 20 * MILLI);
                let event = Event::Lingers {
                    node,
                    boot,
                    group,
                    willing,
                };
                self.at(self.now + after, event);
            }
            Output::Announce(_)
            | Output::Inquire { .. }
            | Output::Opinion { .. }
            | Output::Notice(_)
            | Output::Exit(_) => {}
        }
        Ok(())
    }

    fn prepare(&mut self, node: usize, group: GroupId, preparation: Preparation) {
        let index = place_of(group);
        let machine = &mut self.nodes[node].machine;
        let begun = machine.begin_preparation(index, preparation, &mut self.random);
        let Begun { ticket, takes } = begun;
        let boot = self.nodes[node].boot;
        self.at(
            self.now + takes,
            Event::Preparation {
                node,
                boot,
                group: index,
                ticket,
            },
        );
    }

    fn begin(&mut self, node: usize, group: GroupId, operation: Operation) {
        let index = place_of(group);
        self.changed = true;
        let machine = &mut self.nodes[node].machine;
        let (Begun { ticket, takes }, ended) = machine.begin(index, operation, &mut self.random);
        let boot = self.nodes[node].boot;
        self.at(
            self.now + takes,
            Event::Script {
                node,
                boot,
                group: index,
                ticket,
                took: takes,
            },
        );
        if ended {
            // The answer of the start that this stop has ended; outputs are drained first.
            let result = scripts::ended();
            let inbox = &mut self.nodes[node].inbox;
            inbox.push_back(Input::Started {
                group,
                result,
                steps: Steps::default(),
            });
        }
    }

    pub(super) fn script_ends(
        &mut self,
        (node, boot): (usize, u64),
        group: usize,
        (ticket, took): (u64, Micros),
    ) -> Result<(), Violation> {
        if self.nodes[node].boot != boot {
            return Ok(());
        }
        let machine = &mut self.nodes[node].machine;
        let answer = machine.finish(group, ticket, (took, self.now), &mut self.random);
        answer.map_or(Ok(()), |answer| self.answer(node, group, answer))
    }

    pub(super) fn preparation_ends(
        &mut self,
        (node, boot): (usize, u64),
        group: usize,
        ticket: u64,
    ) -> Result<(), Violation> {
        if self.nodes[node].boot != boot {
            return Ok(());
        }
        let machine = &mut self.nodes[node].machine;
        let answer = machine.finish_preparation(group, ticket, self.now, &mut self.random);
        answer.map_or(Ok(()), |answer| self.answer(node, group, answer))
    }
}
