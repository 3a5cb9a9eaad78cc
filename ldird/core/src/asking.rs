//! Checks that could not be asked for want of our own means. Such a want seldom comes alone: when
//! descriptors run out, thousands of checks say so each second. It is told when it begins and when
//! the last check has been asked again, and a new one not before [`TOLD_EVERY`] has passed.

use crate::config::ProbeId;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The beginning of a want is told at most so often.
pub(crate) const TOLD_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Default)]
pub(crate) struct Asking {
    /// Those whose last answer was none.
    unasked: BTreeSet<ProbeId>,
    /// When a beginning was last told.
    told_at: Option<Instant>,
    /// The beginning of the present want was told, so that its end will be.
    told: bool,
}

impl Asking {
    /// This check could not be asked. Is that to be told?
    pub(crate) fn could_not(&mut self, probe: ProbeId, now: Instant) -> bool {
        self.unasked.insert(probe);
        let recent = |at: Instant| now.saturating_duration_since(at) < TOLD_EVERY;
        if self.told || self.told_at.is_some_and(recent) {
            return false;
        }
        self.told = true;
        self.told_at = Some(now);
        true
    }

    /// This check was asked. Is it to be told that all are again?
    pub(crate) fn asked(&mut self, probe: ProbeId) -> bool {
        self.unasked.remove(&probe);
        self.unasked.is_empty() && std::mem::take(&mut self.told)
    }

    /// A reload forgets probes. Is it to be told that all that are left are asked?
    pub(crate) fn retain(&mut self, keep: impl Fn(ProbeId) -> bool) -> bool {
        self.unasked.retain(|probe| keep(*probe));
        self.unasked.is_empty() && std::mem::take(&mut self.told)
    }
}

#[cfg(test)]
mod tests;
