//! What operators have asked for and is not finished: commands on their way, and the end.

use super::commands::Pending;
use super::shutdown::Shutdown;
use std::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) pending: Vec<Pending>,
    pub(super) shutdown: Option<Shutdown>,
}

impl Orders {
    pub(super) fn is_leaving(&self) -> bool {
        self.shutdown.is_some()
    }

    /// Does this node end although it may hold something?
    pub(super) fn has_given_up(&self) -> bool {
        self.shutdown.as_ref().is_some_and(Shutdown::has_given_up)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let commands = self.pending.iter().map(|pending| pending.until);
        let shutdown = self.shutdown.as_ref().map(Shutdown::deadline);
        commands.chain(shutdown).min()
    }
}
