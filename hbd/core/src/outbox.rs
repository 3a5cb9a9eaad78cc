//! What waits to be done by the shell, and what the shell was promised.

use crate::output::{Ending, Notice, Output};
use std::collections::VecDeque;
use std::time::Instant;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Output>,
    /// When the next tick is due, as was said after the last input.
    announced: Option<Instant>,
    /// Grows whenever the snapshot may have changed.
    revision: u64,
    exited: bool,
}

impl Outbox {
    pub(crate) fn push(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    pub(crate) fn extend(&mut self, outputs: impl IntoIterator<Item = Output>) {
        self.queue.extend(outputs);
    }

    pub(crate) fn notice(&mut self, notice: Notice) {
        self.push(Output::Notice(notice));
    }

    /// The last output: no input is taken any more.
    pub(crate) fn exit(&mut self, ending: Ending) {
        self.push(Output::Exit(ending));
        self.exited = true;
    }

    pub(crate) fn has_exited(&self) -> bool {
        self.exited
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    pub(crate) fn announce(&mut self, deadline: Option<Instant>) {
        self.announced = deadline;
    }

    pub(crate) fn announced(&self) -> Option<Instant> {
        self.announced
    }

    pub(crate) fn changed(&mut self) {
        self.revision = self.revision.saturating_add(1);
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }
}
