//! Connection synchronisation beside the table: the daemon follows the role once the kernel's table
//! has, never before.

use super::{Driver, until};
use crate::config::Configuration;
use crate::instance::Instance;
use crate::sync::{Claims, Daemons, Started};
use crate::wording;
use ha_status::{ConnectionSync, SyncEnd};
use ldird_core::sync::{End, Input, Output, Settings, Sync};
use std::time::{Duration, Instant};
use tokio::select;
use tokio::time::timeout;

/// At the end our daemons are stopped within so long, or stay for the next life.
const LAST_LIMIT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Synchronising {
    core: Sync,
    daemons: Daemons,
    /// What is ours, on disk.
    started: Started,
    claims: Claims,
    ended: bool,
}

impl Synchronising {
    pub(super) fn new(
        instance: &Instance,
        wanted: Option<Settings>,
        daemons: Daemons,
        now: Instant,
    ) -> Self {
        let (started, claims) = Started::open(instance);
        Self {
            core: Sync::new(wanted, claims.clone(), now),
            daemons,
            started,
            claims,
            ended: false,
        }
    }

    /// What the kernel answered. Dropping the future loses nothing.
    pub(super) async fn answer(&mut self) -> Input {
        self.daemons.answer().await
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.core.deadline()
    }

    pub(super) fn revision(&self) -> u64 {
        self.core.revision()
    }

    /// Lets what is ours reach the disk.
    pub(super) async fn close(self) {
        self.started.settle().await;
    }

    pub(super) fn shown(&self) -> Option<ConnectionSync> {
        let shown = self.core.shown()?;
        let problem = shown.trouble.map(wording::sync::trouble);
        Some(ConnectionSync {
            end: match shown.end {
                End::Master => SyncEnd::Master,
                End::Backup => SyncEnd::Backup,
            },
            interface: shown.settings.interface.clone(),
            sync_id: shown.settings.sync_id,
            runs: shown.runs,
            problem: problem.unwrap_or_default(),
        })
    }
}

impl<R: FnOnce(&Configuration)> Driver<R> {
    pub(super) fn feed_sync(&mut self, input: Input) {
        self.sync.core.handle(input, Instant::now());
        while let Some(output) = self.sync.core.poll() {
            match output {
                Output::Notice(notice) => self.tell(&wording::sync::line(&notice)),
                Output::Exit => self.sync.ended = true,
                Output::Look { .. } | Output::Start(_) | Output::Stop(_) => {
                    // What is about to be started is ours before it runs.
                    self.keep_claims();
                    self.sync.daemons.order(output);
                }
            }
        }
        self.keep_claims();
        self.publish_soon();
    }

    fn keep_claims(&mut self) {
        let claims = self.sync.core.claims();
        if claims != self.sync.claims {
            self.sync.started.note(claims.clone());
            self.sync.claims = claims;
        }
    }

    /// The director ends: what it has started ends with it, unless a successor goes on.
    pub(super) async fn finish_sync(&mut self, stopped: bool) {
        if !stopped {
            return;
        }
        let last = async {
            self.feed_sync(Input::Shutdown);
            while !self.sync.ended {
                let due = self.sync.deadline();
                let input = select! {
                    input = self.sync.answer() => input,
                    () = until(due) => Input::Tick,
                };
                self.feed_sync(input);
            }
        };
        // It is told on disk, and the kernel goes on with it.
        let _ = timeout(LAST_LIMIT, last).await;
    }
}
