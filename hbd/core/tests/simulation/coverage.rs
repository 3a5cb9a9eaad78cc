//! Which (state, event) pairs of groups and nodes the histories have met: promises about pairs that
//! never happen are worth nothing.

use crate::setup::place_of;
use ha_status::{ClusterPhase, RunState};
use hbd_core::Cluster;
use hbd_core::input::{Command, Input};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

/// How often each pair came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coverage(BTreeMap<(&'static str, &'static str), u64>);

impl Coverage {
    /// A node is about to be told something.
    pub(crate) fn note(&mut self, core: &Cluster, input: &Input, now: Instant) {
        let (group, event) = match input {
            Input::Tick
            | Input::Received(_)
            | Input::Rejected { .. }
            | Input::LinkWrite { .. }
            | Input::Load(_)
            | Input::WallClock(_) => return,
            Input::Probed { group, .. } => (Some(group), "probed"),
            Input::Started { group, result } => {
                let failed = result.as_ref().err();
                let event = match failed.map(|failure| failure.still_held) {
                    None => "started",
                    Some(false) => "start failed",
                    Some(true) => "start failed, held",
                };
                (Some(group), event)
            }
            Input::Stopped { group, result } => {
                let event = if result.is_ok() {
                    "stopped"
                } else {
                    "stop failed"
                };
                (Some(group), event)
            }
            Input::Lost { group, .. } => (Some(group), "lost"),
            Input::Mended { group } => (Some(group), "mended"),
            Input::Carrier { carrier, .. } => {
                (None, if *carrier { "plugged" } else { "unplugged" })
            }
            Input::Command { command, .. } => (None, command_word(*command)),
        };
        let Some(view) = core.snapshot(now) else {
            return;
        };
        let state = match group {
            Some(group) => run_word(view.groups[place_of(*group)].state),
            None => phase_word(view.phase),
        };
        *self.0.entry((state, event)).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (pair, count) in &other.0 {
            *self.0.entry(*pair).or_default() += count;
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// A line for each pair.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        for ((state, event), count) in &self.0 {
            writeln!(text, "    {state:<10} {event:<18} {count:>9}").expect("a String takes it");
        }
        text
    }
}

fn command_word(command: Command) -> &'static str {
    match command {
        Command::Standby(_) => "standby",
        Command::Takeover(_) => "takeover",
        Command::ForcedTakeover(_) => "forced takeover",
        Command::Shutdown => "shutdown",
    }
}

fn run_word(run: RunState) -> &'static str {
    match run {
        RunState::Unknown => "unknown",
        RunState::Stopped => "stopped",
        RunState::Starting => "starting",
        RunState::Running => "running",
        RunState::Stopping => "stopping",
        RunState::Failed => "failed",
        RunState::Stuck => "stuck",
    }
}

fn phase_word(phase: ClusterPhase) -> &'static str {
    match phase {
        ClusterPhase::Starting => "joining",
        ClusterPhase::Running => "active",
        ClusterPhase::Stopping => "leaving",
    }
}
