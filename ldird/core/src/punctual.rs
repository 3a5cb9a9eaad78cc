//! Do we run when we asked to? A process that was stopped, or a machine that does not get round to
//! us, finds every deadline passed, and that says nothing about the servers. So the core asks to be
//! woken in short steps while probes run, and notices when it was not.

use std::time::{Duration, Instant};

/// While probes run, the core wants to be woken so often.
pub(crate) const PULSE: Duration = Duration::from_secs(1);
/// Woken so much too late, we have stood still.
pub(crate) const LATE: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Default)]
pub(crate) struct Punctual {
    /// When we asked to be woken at the latest.
    due: Option<Instant>,
}

impl Punctual {
    /// We run. Did we stand still?
    pub(crate) fn wake(&mut self, now: Instant) -> bool {
        let due = self.due.take();
        due.is_some_and(|due| now.saturating_duration_since(due) > LATE)
    }

    /// We are going to sleep, until this deadline at the latest; `asking` while probes run.
    pub(crate) fn rest(&mut self, deadline: Option<Instant>, asking: bool, now: Instant) {
        let pulse = asking.then_some(now + PULSE);
        self.due = [deadline, pulse].into_iter().flatten().min();
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }
}

#[cfg(test)]
mod tests;
