//! Carries directors' questions from node to node, and the answers back: see `opinions`.

use super::Cluster;
use crate::input::AskId;
use crate::input::Question;
use crate::opinions::{self, ASKED_NODES_MAX, Answered};
use crate::output::{Output, Silence, View};
use crate::roster::NodeId;
use crate::wire::Message;
use ha_status::Found;
use std::time::Instant;

impl Cluster {
    /// Our own director asks those of the others.
    pub(super) fn ask_directors(&mut self, id: AskId, services: &[u64], now: Instant) {
        let nodes: Vec<NodeId> = self.nodes_to_ask().collect();
        let number = self.random.next();
        match self.opinions.ask((id, number), services, &nodes, now) {
            Ok(()) => self.put(number, services, &nodes, now),
            Err(silence) => self.outbox.push(Output::Opinion {
                id,
                views: Err(silence),
            }),
        }
    }

    /// Those that live and have said that they are none of the old daemons.
    fn nodes_to_ask(&self) -> impl Iterator<Item = NodeId> {
        let peers = self.roster.peers().filter(|node| {
            let peer = self.membership.peer(*node);
            peer.is_some_and(|peer| peer.lives() && peer.extended && peer.report.is_some())
        });
        peers.take(ASKED_NODES_MAX)
    }

    fn put(&mut self, number: u64, services: &[u64], nodes: &[NodeId], now: Instant) {
        for node in nodes {
            let message = opinions::ask(self.roster.name(*node).as_str(), number, services);
            self.send(message, Some(*node), now);
        }
    }

    /// Another node's director asks ours.
    pub(super) fn hear_question(&mut self, node: NodeId, message: &Message, now: Instant) {
        if let Some((number, services)) = opinions::read_ask(message)
            && self.opinions.asked_by(node, number, now)
        {
            let question = Question { node, number };
            self.outbox.push(Output::Inquire { question, services });
        }
    }

    /// What ours said.
    pub(super) fn pass_finding_on(&mut self, question: Question, found: &[Found], now: Instant) {
        let Question { node, number } = question;
        if self.opinions.found(node, number) {
            let message = opinions::say(self.roster.name(node).as_str(), number, found);
            self.send(message, Some(node), now);
        }
    }

    pub(super) fn hear_finding(&mut self, node: NodeId, message: &Message) {
        let said = opinions::read_say(message);
        let over = said.and_then(|(number, found)| self.opinions.heard(node, number, found));
        self.tell_asker(over);
    }

    /// What nobody answers is put again, and then done without.
    pub(super) fn follow_questions_up(&mut self, now: Instant) {
        let over = self.opinions.expire(now);
        self.tell_asker(over);
        for again in self.opinions.again(now) {
            self.put(again.number, &again.services, &again.nodes, now);
        }
    }

    fn tell_asker(&mut self, over: impl IntoIterator<Item = Answered>) {
        for Answered { id, views } in over {
            let views = views.into_iter().map(|(node, found)| View {
                node: self.roster.name(node).as_str().to_owned(),
                found,
            });
            let views: Vec<View> = views.collect();
            let views = if views.is_empty() {
                Err(Silence::NoAnswer)
            } else {
                Ok(views)
            };
            self.outbox.push(Output::Opinion { id, views });
        }
    }
}
