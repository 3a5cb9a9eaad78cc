//! What runs here: answers of the shell, and what it is asked for next.

use super::lingering::Lingering;
use crate::cluster::Cluster;
use crate::config::GroupId;
use crate::input::Failure;
use crate::output::{Notice, Output};
use crate::takeover::{Event, Request, Retries, Run};
use std::time::Instant;

impl Cluster {
    /// An answer of the shell, with the failure if there was one.
    pub(in crate::cluster) fn result(
        &mut self,
        id: GroupId,
        event: Event,
        failure: Option<Failure>,
        now: Instant,
    ) {
        if !self.is_group(id) {
            return;
        }
        let before = self.group(id).runner.run();
        self.run_event(id, event, now);
        let after = self.group(id).runner.run();
        let (Some(failure), true) = (failure, before != after) else {
            return;
        };
        let Failure {
            resource, reason, ..
        } = failure;
        let group = id;
        match after {
            Run::Failed => self.outbox.notice(Notice::GroupFailed {
                group,
                resource,
                reason,
            }),
            Run::Stuck | Run::Broken => self.outbox.notice(Notice::GroupStuck {
                group,
                resource,
                reason,
            }),
            Run::Probing
            | Run::Leftover
            | Run::Stopped
            | Run::Starting
            | Run::Running
            | Run::Stopping
            | Run::Failing => {}
        }
    }

    /// What a running group holds is gone; tells only what changes something.
    pub(in crate::cluster) fn lost(
        &mut self,
        group: GroupId,
        resource: String,
        reason: String,
        now: Instant,
    ) {
        if self.is_group(group) && self.group(group).runner.run() == Run::Running {
            self.outbox.notice(Notice::GroupLost {
                group,
                resource,
                reason,
            });
            self.run_event(group, Event::Lost, now);
        }
    }

    /// Feeds the group's run machine.
    pub(in crate::cluster) fn run_event(&mut self, id: GroupId, event: Event, now: Instant) {
        self.run(id, event, Output::Stop, now);
    }

    fn run(&mut self, id: GroupId, event: Event, stop: fn(GroupId) -> Output, now: Instant) {
        if !self.is_group(id) {
            return;
        }
        let retries = Retries {
            start: self.config.retry_failed,
            stop: self.config.retry_stop,
        };
        let group = self.group_mut(id);
        let before = group.runner.run();
        let request = group
            .runner
            .handle(event, group.stake.claim.epoch, retries, now);
        let after = group.runner.run();
        match request {
            Some(Request::Start) => {
                self.note_asked(id, now);
                self.outbox.push(Output::Start(id));
            }
            Some(Request::Stop) => self.outbox.push(stop(id)),
            None => {}
        }
        if before == after {
            return;
        }
        match after {
            Run::Running => {
                let timing = self.arrive(id, now);
                self.announce_later(id, now);
                self.outbox
                    .notice(Notice::GroupRunning { group: id, timing });
            }
            Run::Stopped if before == Run::Stopping => {
                self.outbox.notice(Notice::GroupStopped { group: id });
            }
            Run::Stopped
            | Run::Probing
            | Run::Leftover
            | Run::Starting
            | Run::Stopping
            | Run::Failing
            | Run::Failed
            | Run::Stuck
            | Run::Broken => {}
        }
        if after != Run::Running {
            let group = self.group_mut(id);
            group.timing = None;
            group.lingering = Lingering::None;
            group.announce_at = None;
            group.rivals.clear();
            group.stake.apart.clear();
            group.stake.shaken = false;
        }
    }

    /// Stops what another node runs, addresses first.
    pub(super) fn let_go(&mut self, id: GroupId, now: Instant) {
        self.run(id, Event::Stop, Output::LetGo, now);
    }

    /// After a partition the neighbours may have learnt the other node's address.
    pub(in crate::cluster) fn announce_running(&mut self) {
        let groups = self.groups.iter();
        let running = groups.filter(|(_, group)| group.speaks());
        let announcements = running.map(|(id, _)| Output::Announce(id));
        self.outbox.extend(announcements);
    }
}
