//! Talking with old peers about resources: the words of `old_peer`, carried out.

use super::Cluster;
use crate::config::GroupId;
use crate::greeting::Due;
use crate::membership::Peer;
use crate::messages;
use crate::old_peer::{Answer, Word};
use crate::ownership::{Cause, Why};
use crate::roster::NodeId;
use crate::takeover::Run;
use crate::wire::Message;
use ha_status::{HoldSet, NodeStatus, RunState};
use std::time::Instant;

impl Cluster {
    /// An old peer waits for `starting` before it settles its resources, and complains if that
    /// comes before it is active itself (specification 7.3, 7.4).
    pub(super) fn greet_old_peers(&mut self, now: Instant) {
        if !self.own.is_active() || self.orders.is_leaving() {
            return;
        }
        let old = |status| status == NodeStatus::Active;
        let peers = self.membership.peers();
        let old = peers.filter(|(id, peer)| {
            old(peer.status) && !peer.extended && !self.greeting.restarts(*id, now)
        });
        let old: Vec<NodeId> = old.map(|(id, _)| id).collect();
        let held = if old.is_empty() {
            HoldSet::None
        } else {
            self.held()
        };
        match self.greeting.due(&old, held) {
            Due::Nothing => {}
            Due::Report => self.report_held(now),
            Due::Greeting => {
                self.send(messages::starting(), None, now);
                self.report_held(now);
            }
        }
    }

    /// A message of an old peer.
    pub(super) fn hear_old_peer(&mut self, node: NodeId, message: &Message, now: Instant) {
        let peer = self.membership.peer(node);
        if peer.is_none_or(|peer| peer.extended || !peer.lives()) {
            return;
        }
        match message.kind() {
            "ip-request" => return self.hear_request(node, message, now),
            "ip-request-resp" => return self.hear_response(node, message),
            "query-cstatus" => return self.answer_for_clients(node, message, now),
            _ => {}
        }
        let Some(peer) = self.membership.peer_mut(node) else {
            return;
        };
        let word = Word::read(message);
        if word == Word::Other {
            return;
        }
        let answer = peer.old.hear(word);
        if self.orders.is_leaving() {
            return;
        }
        match answer {
            Answer::Nothing => {}
            Answer::Report if self.greeting.restarts(node, now) => {}
            Answer::Report => self.report_held(now),
            Answer::Accept(set) if self.speaks_for_all(node) => {
                self.send(messages::ask_resources("other", set), None, now);
            }
            Answer::Take(set) if self.speaks_for_all(node) => self.take_given(node, set, now),
            Answer::Accept(_) | Answer::Take(_) => {}
        }
    }

    /// Its `cl_status clientstatus` asks for a client of this node's daemon: there is none, and without an
    /// answer it waits in vain.
    fn answer_for_clients(&mut self, node: NodeId, message: &Message, now: Instant) {
        let asked = message.text("cn").zip(message.text("from_id"));
        let Some((client, asker)) = asked.filter(|_| messages::addressed_to(message, &self.config))
        else {
            return;
        };
        let name = self.roster.name(node).clone();
        let answer = messages::client_is_offline(name.as_str(), client, asker);
        self.send(answer, Some(node), now);
    }

    /// An old peer has released a set: it becomes ours, and the conversation ends.
    fn take_given(&mut self, giver: NodeId, set: HoldSet, now: Instant) {
        let me = self.roster.local();
        let given: Vec<GroupId> = self
            .groups
            .iter()
            .filter(|(_, group)| set.has_home(group.preferred == Some(giver)))
            .filter(|(_, group)| group.stake.claim.owner != Some(me))
            .map(|(id, _)| id)
            .collect();
        for id in given {
            let cause = self.with_situation(id, now, |s| s.cause_for(me, Cause::Stay));
            let why = match cause {
                Cause::Home => Why::Failback,
                Cause::Failover | Cause::Stay => Why::Standby,
            };
            let claim = self.group(id).stake.claim.succeed(me, cause);
            self.write_claim(id, claim, why, now);
        }
        self.send(messages::ask_resources("done", set), None, now);
        // Its report waits until the groups are starting: told before that we hold nothing, the
        // giver complains that nobody owns what it gave.
        self.greeting.is_due();
    }

    /// The old protocol knows one other node: among several hbd nodes the first that lives is it.
    pub(super) fn speaks_for_all(&self, old: NodeId) -> bool {
        let lives = |node: &NodeId| {
            let peer = self.membership.peer(*node);
            *node != old && peer.is_none_or(Peer::lives)
        };
        self.roster.order().find(lives) == Some(self.roster.local())
    }

    fn report_held(&mut self, now: Instant) {
        let held = self.held();
        self.greeting.reported(held);
        self.send(messages::resource(held), None, now);
    }

    /// What an old peer is told that we hold: what we run or are about to run. It complains when
    /// nobody holds a set, even one without groups: of those we hold what it does not.
    fn held(&self) -> HoldSet {
        let me = Some(self.roster.local());
        let holds = |home: bool| {
            let mut groups = self.groups.values();
            let mut any = false;
            let ours = groups.any(|group| {
                let meant = (group.preferred == me) == home;
                any |= meant;
                meant
                    && match group.runner.run() {
                        Run::Leftover
                        | Run::Starting
                        | Run::Running
                        | Run::Stopping
                        | Run::Failing
                        | Run::Stuck
                        | Run::Broken => true,
                        Run::Probing | Run::Stopped | Run::Failed => false,
                    }
            });
            ours || (!any && self.nobody_holds(home))
        };
        HoldSet::of(holds(true), holds(false))
    }

    /// Does every old peer say that it does not hold our local groups, or those of others?
    fn nobody_holds(&self, ours: bool) -> bool {
        let old = |(_, peer): &(NodeId, &Peer)| peer.lives() && !peer.extended;
        let mut peers = self.membership.peers().filter(old);
        peers.all(|(_, peer)| peer.old.run(!ours) == RunState::Stopped)
    }
}
