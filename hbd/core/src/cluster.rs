//! The top machine: routes every input to membership, links, ownership and commands, and gathers
//! their outputs. The only type a shell needs.

use crate::config::Config;
use crate::input::Input;
use crate::output::Output;
use ha_status::ClusterSnapshot;
use std::time::Instant;

/// One node of a cluster. Feed it with [`Cluster::handle`], drain [`Cluster::poll`] to `None`,
/// then wait for the next input or [`Cluster::deadline`], whichever comes first.
#[derive(Debug)]
pub struct Cluster {
    _config: Config,
}

impl Cluster {
    /// Starts: the first outputs (probes, the first status message) are ready to be polled.
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

    /// The whole visible state. `recent` is empty: notices belong to the shell.
    pub fn snapshot(&self, _now: Instant) -> Option<ClusterSnapshot> {
        None
    }
}
