//! What was judged: counts of each verdict and the last of them.

use super::event::{Matter, Verdict};
use std::collections::VecDeque;
use std::time::Duration;

/// So many verdicts are kept, the newest.
pub const VERDICTS_MAX: usize = 256;

/// One matter that is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub matter: Matter,
    pub verdict: Verdict,
    /// How long after the start of the listener.
    pub at: Duration,
}

#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub same: u64,
    pub differs: u64,
    pub untold: u64,
    kept: VecDeque<Judged>,
}

impl Tally {
    pub(super) fn add(&mut self, judged: Judged) {
        let count = match judged.verdict {
            Verdict::Same(_) => &mut self.same,
            Verdict::Differs(_) => &mut self.differs,
            Verdict::CannotTell(_) => &mut self.untold,
        };
        *count = count.saturating_add(1);
        if self.kept.len() >= VERDICTS_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(judged);
    }

    /// The last ones, oldest first.
    pub fn kept(&self) -> impl Iterator<Item = &Judged> {
        self.kept.iter()
    }

    pub fn count(&self) -> u64 {
        self.same
            .saturating_add(self.differs)
            .saturating_add(self.untold)
    }
}
