//! How much time this process has lost: stopped, starved of processor, or too busy with other
//! checks. A deadline that passed meanwhile says nothing of a server.
//!
//! A tick every [`PERIOD`] measures how late it comes; the sum is the time lost. A check that runs
//! out compares the sum with the one at its start.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Between two ticks: short against any deadline, long against the work of a tick.
const PERIOD: Duration = Duration::from_millis(50);

/// Cheap to clone; all clones are one clock.
#[derive(Debug, Clone)]
pub(super) struct Awake(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    origin: Instant,
    /// When the next tick should come, microseconds after `origin`; 0 while nobody ticks.
    due: AtomicU64,
    /// Sum of how late ticks were, microseconds.
    lost: AtomicU64,
}

/// A deadline passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Late {
    /// Because we did not run: at least half of the time was not ours.
    pub(super) ours: bool,
}

impl Awake {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            origin: Instant::now(),
            due: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }))
    }

    /// Ticks for ever.
    pub(super) async fn watch(self) {
        loop {
            let due = self.now() + micros(PERIOD);
            self.0.due.store(due, Ordering::Relaxed);
            tokio::time::sleep(PERIOD).await;
            let late = self.now().saturating_sub(due);
            self.0.lost.fetch_add(late, Ordering::Relaxed);
        }
    }

    /// Lets a check run until its deadline.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        check: impl Future<Output = T>,
    ) -> Result<T, Late> {
        let before = self.lost();
        timeout(limit, check).await.map_err(|_| {
            let lost = self.lost().saturating_sub(before);
            let ours = lost.saturating_mul(2) >= micros(limit);
            Late { ours }
        })
    }

    /// Microseconds lost so far, with the tick that is overdue now.
    pub(super) fn lost(&self) -> u64 {
        let overdue = match self.0.due.load(Ordering::Relaxed) {
            0 => 0,
            due => self.now().saturating_sub(due),
        };
        self.0.lost.load(Ordering::Relaxed) + overdue
    }

    fn now(&self) -> u64 {
        micros(self.0.origin.elapsed())
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
