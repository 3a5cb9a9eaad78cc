//! What a person can do to the cluster that runs.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What can happen to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The director that runs the group loses power.
    KillPrimary,
    /// One more real server's services die.
    StopReal,
    /// The cable of the director that runs the group is cut.
    CutCable,
    /// Power, cables and services come back, all of them.
    BringBack,
}
