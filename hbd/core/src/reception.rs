//! What came in, counted, and who called whose name is not configured.

use crate::wire::Reject;
use ha_status::Counters;
use std::collections::BTreeSet;

/// So many names of strangers are remembered and reported; further ones are only dropped.
const MAX_STRANGERS: usize = 16;

#[derive(Debug, Clone, Default)]
pub(crate) struct Reception {
    pub(crate) counters: Counters,
    /// Names that are not configured here and were reported.
    strangers: BTreeSet<String>,
}

impl Reception {
    pub(crate) fn reject(&mut self, reason: Reject) {
        let counters = &mut self.counters;
        let counter = match reason {
            Reject::BadFrame => &mut counters.rejected_frame,
            Reject::BadDigest => &mut counters.rejected_digest,
            Reject::UnknownKey => &mut counters.rejected_key,
            Reject::TooLong => &mut counters.rejected_length,
            Reject::Malformed => &mut counters.rejected_malformed,
        };
        *counter = counter.saturating_add(1);
    }

    /// Somebody calls itself by a name that is not configured; true if that is to be reported.
    pub(crate) fn meet(&mut self, stranger: &str) -> bool {
        let new = !self.strangers.contains(stranger) && self.strangers.len() < MAX_STRANGERS;
        if new {
            self.strangers.insert(stranger.to_owned());
        }
        new
    }
}

#[cfg(test)]
mod tests;
