//! Ending: hand every group over, stop them all at once, say goodbye, leave.
//!
//! A stop that will not succeed does not keep the daemon for ever: it says what it still holds, so
//! that nobody else starts that, and ends with a word of its own.
//!
//! Between hbd nodes the goodbye is the last packet. An old peer must hear us a little longer, or
//! it would take the silence for a failure (Heartbeat specification 6.8, 12.1).

use super::Cluster;
use crate::config::GroupId;
use crate::input::CommandId;
use crate::messages;
use crate::output::{Done, Ending, Notice, Refusal};
use crate::takeover::Run;
use std::time::{Duration, Instant};

/// How long we keep beating after the goodbye while an old peer listens.
const OLD_PEER_FAREWELL: Duration = Duration::from_secs(2);

/// A stop that has failed so often in a row, while we shut down, will not succeed any more: the
/// shell has repeated each of them as often as the old ResourceManager does (specification 7.9).
const MAX_STOP_FAILURES: u32 = 2;

/// Whatever hangs, the daemon ends after this time. Less than the service manager gives it
/// (`TimeoutStopSec` of the unit file), or it could not say what it still holds.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(540);

/// So many heartbeats say what a node holds that ends without having stopped it all.
const LAST_WORDS: u32 = 4;

/// A shutdown under way.
#[derive(Debug)]
pub(super) struct Shutdown {
    /// Everybody who asked for it.
    ids: Vec<CommandId>,
    give_up: Instant,
    /// Goodbye has been said; the daemon ends then.
    end: Option<Instant>,
    ending: Ending,
}

impl Shutdown {
    pub(super) fn deadline(&self) -> Instant {
        self.end.unwrap_or(self.give_up)
    }

    pub(super) fn has_given_up(&self) -> bool {
        self.ending == Ending::Held
    }
}

impl Cluster {
    pub(super) fn begin_shutdown(&mut self, id: CommandId, now: Instant) {
        if let Some(shutdown) = &mut self.orders.shutdown {
            shutdown.ids.push(id);
            return;
        }
        self.orders.shutdown = Some(Shutdown {
            ids: vec![id],
            give_up: now + SHUTDOWN_LIMIT,
            end: None,
            ending: Ending::Released,
        });
        self.outbox.notice(Notice::ShutdownStarted);
        if self.hears_old_peer() {
            self.send(messages::resource_shutdown(), None, now);
        }
        for group in self.groups.values_mut() {
            group.runner.hurry(now);
            group.runner.forget_stop_failures();
        }
    }

    /// Says goodbye once nothing is held any more, and ends.
    pub(super) fn finish_shutdown(&mut self, now: Instant) {
        let Some(shutdown) = &self.orders.shutdown else {
            return;
        };
        if let Some(end) = shutdown.end {
            let ending = shutdown.ending;
            if now >= end {
                self.exit(ending);
            }
            return;
        }
        let idle = self.groups.values().all(|group| group.runner.run().idle());
        if idle {
            self.say_goodbye(now);
        } else if now >= shutdown.give_up || self.stuck_for_good() {
            self.give_up(now);
        }
    }

    fn say_goodbye(&mut self, now: Instant) {
        // The report first: either of the two packets is enough for the others to go on.
        self.say_status(self.own.word(), now);
        self.send(messages::shutdone(), None, now);
        self.answer_shutdown(&Ok(Done::Released));
        if self.hears_old_peer() {
            if let Some(shutdown) = &mut self.orders.shutdown {
                shutdown.end = Some(now + OLD_PEER_FAREWELL);
            }
        } else {
            self.exit(Ending::Released);
        }
    }

    /// The others are told what stays here. To an old peer nothing is said: it must take us for
    /// dead, not for gone in peace.
    fn give_up(&mut self, now: Instant) {
        let groups = self.still_held();
        self.outbox.notice(Notice::ShutdownHolding {
            groups: groups.clone(),
        });
        self.answer_shutdown(&Err(Refusal::StillHeld(groups)));
        let heard = self.membership.peers().any(|(_, peer)| peer.lives());
        let farewell = self.config.keepalive * if heard { LAST_WORDS } else { 0 };
        if let Some(shutdown) = &mut self.orders.shutdown {
            shutdown.end = Some(now + farewell);
            shutdown.ending = Ending::Held;
        }
        if !heard {
            self.exit(Ending::Held);
        }
    }

    fn still_held(&self) -> Vec<GroupId> {
        let groups = self.groups.iter();
        let held = groups.filter(|(_, group)| !group.runner.run().idle());
        held.map(|(id, _)| id).collect()
    }

    fn stuck_for_good(&self) -> bool {
        self.groups.values().all(|group| match group.runner.run() {
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

    fn answer_shutdown(&mut self, result: &Result<Done, Refusal>) {
        let ids = self
            .orders
            .shutdown
            .as_mut()
            .map(|s| std::mem::take(&mut s.ids));
        for id in ids.into_iter().flatten() {
            self.done(id, result.clone());
        }
    }

    fn exit(&mut self, ending: Ending) {
        // Whoever asked after the goodbye.
        match ending {
            Ending::Released => {
                self.answer_shutdown(&Ok(Done::Released));
                self.outbox.notice(Notice::ShutdownComplete);
            }
            Ending::Held => {
                let groups = self.still_held();
                self.answer_shutdown(&Err(Refusal::StillHeld(groups)));
            }
        }
        self.outbox.exit(ending);
    }

    fn hears_old_peer(&self) -> bool {
        let mut peers = self.membership.peers();
        peers.any(|(_, peer)| peer.lives() && !peer.extended)
    }
}
