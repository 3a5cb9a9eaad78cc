//! What checks have found, on its way into the core.

use super::Driver;
use crate::config::Configuration;
use crate::probes::Probed;
use ldird_core::input::{Finding, Input};
use std::time::Instant;

/// Answers of checks that are heard before the loop looks at everything else again.
const ANSWERS_AT_ONCE: usize = 64;

impl<R: FnOnce(&Configuration)> Driver<R> {
    /// One answer, and those that have come with it: to wait anew for each costs more than to hear it.
    pub(super) fn all_probed(&mut self, first: Probed) {
        self.probed(first);
        for _ in 1..ANSWERS_AT_ONCE {
            match self.answers.try_recv() {
                Ok(next) if self.end.is_none() => self.probed(next),
                Ok(_) | Err(_) => return,
            }
        }
    }

    fn probed(&mut self, probed: Probed) {
        let Probed {
            probe,
            late,
            verdict,
        } = probed;
        self.monitor(probe, &verdict);
        self.view.late.note(late, Instant::now());
        self.view.totals.checks += 1;
        match verdict.finding {
            Finding::Up => {}
            Finding::Down => self.view.totals.checks_failed += 1,
            Finding::CouldNotAsk => self.view.totals.checks_unasked += 1,
        }
        self.feed(Input::Probed { probe, verdict });
    }
}
