//! The top machine: routes every input to schedule, health and table, and gathers their outputs.
//! The only type a shell needs.

use crate::config::Config;
use crate::input::Input;
use crate::output::Output;
use ha_status::VirtualService;
use std::time::Instant;

/// One director. Feed it with [`Director::handle`], drain [`Director::poll`] to `None`, then wait
/// for the next input or [`Director::deadline`], whichever comes first.
#[derive(Debug)]
pub struct Director {
    _config: Config,
}

impl Director {
    /// Starts: the first outputs (reading the table, the first checks) are ready to be polled.
    pub fn new(config: Config, _now: Instant) -> Self {
        Self { _config: config }
    }

    /// The only way in. Never call it while `poll` still has output.
    pub fn handle(&mut self, _input: Input, _now: Instant) {}

    /// The next thing to do; drain to `None` after every `handle`.
    pub fn poll(&mut self) -> Option<Output> {
        None
    }

    /// When `handle(Input::Tick, _)` is due at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Grows whenever the non-volatile part of the snapshot may have changed.
    pub fn revision(&self) -> u64 {
        0
    }

    /// The visible state; kernel counters are zero, the shell fills them in from its last dump.
    pub fn services(&self, _now: Instant) -> Vec<VirtualService> {
        Vec::new()
    }
}
