//! Ending: hand every group over, stop them all at once, say goodbye, leave.
//!
//! Between hbd nodes the goodbye is the last packet. An old peer must hear us a little longer, or
//! it would take the silence for a failure (Heartbeat specification 6.8, 12.1).

use super::Cluster;
use crate::input::CommandId;
use crate::messages;
use crate::output::{Notice, Output};
use crate::takeover::Run;
use std::time::{Duration, Instant};

/// How long we keep beating after the goodbye while an old peer listens.
const OLD_PEER_FAREWELL: Duration = Duration::from_secs(2);

/// A stop that has failed so often in a row, while we shut down, will not succeed any more: as
/// many attempts as the old ResourceManager makes (specification 7.9).
const MAX_STOP_FAILURES: u32 = 10;

/// Whatever hangs, the daemon ends after this time, as the old one's emergency timer has it.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(3600);

/// A shutdown under way.
#[derive(Debug)]
pub(super) struct Shutdown {
    /// Everybody who asked for it.
    ids: Vec<CommandId>,
    give_up: Instant,
    /// Goodbye has been said; the daemon ends then.
    end: Option<Instant>,
}

impl Shutdown {
    pub(super) fn deadline(&self) -> Instant {
        self.end.unwrap_or(self.give_up)
    }
}

impl Cluster {
    pub(super) fn begin_shutdown(&mut self, id: CommandId, now: Instant) {
        if let Some(shutdown) = &mut self.shutdown {
            shutdown.ids.push(id);
            return;
        }
        self.shutdown = Some(Shutdown {
            ids: vec![id],
            give_up: now + SHUTDOWN_LIMIT,
            end: None,
        });
        self.notice(Notice::ShutdownStarted);
        if self.hears_old_peer() {
            self.send(messages::resource_shutdown(), None, now);
        }
        for group in &mut self.groups {
            group.runner.hurry(now);
            group.runner.forget_stop_failures();
        }
        self.news();
        self.touch_all();
    }

    /// Says goodbye once nothing is held any more, and ends.
    pub(super) fn finish_shutdown(&mut self, now: Instant) {
        let Some(shutdown) = &self.shutdown else {
            return;
        };
        if let Some(end) = shutdown.end {
            if now >= end {
                self.exit();
            }
            return;
        }
        let idle = self.groups.iter().all(|group| group.runner.run().idle());
        if idle {
            self.say_goodbye(now);
        } else if now >= shutdown.give_up || self.stuck_for_good() {
            self.give_up();
        }
    }

    fn say_goodbye(&mut self, now: Instant) {
        // The report first: either of the two packets is enough for the others to go on.
        self.say_status(self.word(), now);
        self.send(messages::shutdone(), None, now);
        self.answer_shutdown(&Ok("everything is released".to_owned()));
        if self.hears_old_peer() {
            if let Some(shutdown) = &mut self.shutdown {
                shutdown.end = Some(now + OLD_PEER_FAREWELL);
            }
        } else {
            self.exit();
        }
    }

    /// Nothing is said: the others must take us for dead, not for gone in peace.
    fn give_up(&mut self) {
        let held = self.groups.iter().zip(&self.config.groups);
        let held = held.filter(|(group, _)| !group.runner.run().idle());
        let names: Vec<&str> = held.map(|(_, config)| config.name.as_str()).collect();
        let text = format!("could not be stopped: {}", names.join(", "));
        self.answer_shutdown(&Err(text));
        self.exit();
    }

    fn stuck_for_good(&self) -> bool {
        self.groups.iter().all(|group| match group.runner.run() {
            Run::Stuck | Run::Broken => group.runner.stop_failures() >= MAX_STOP_FAILURES,
            Run::Stopped | Run::Failed => true,
            Run::Probing
            | Run::Leftover
            | Run::Starting
            | Run::Running
            | Run::Stopping
            | Run::Failing => false,
        })
    }

    fn answer_shutdown(&mut self, result: &Result<String, String>) {
        let ids = self.shutdown.as_mut().map(|s| std::mem::take(&mut s.ids));
        for id in ids.into_iter().flatten() {
            self.done(id, result.clone());
        }
    }

    fn exit(&mut self) {
        // Whoever asked after the goodbye.
        self.answer_shutdown(&Ok("everything is released".to_owned()));
        self.notice(Notice::ShutdownComplete);
        self.queue.push_back(Output::Exit);
        self.exited = true;
    }

    fn hears_old_peer(&self) -> bool {
        let mut peers = self.membership.peers();
        peers.any(|(_, peer)| peer.lives() && !peer.extended)
    }
}
