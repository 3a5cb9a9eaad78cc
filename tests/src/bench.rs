//! `cargo lab bench`: measurements beside their budgets. They print figures and judge nothing: a
//! machine may be busy.
#![expect(
    clippy::cast_precision_loss,
    reason = "figures for people have few digits"
)]

mod beside;
mod checks;
mod core_loop;
pub mod failover;
pub(crate) mod farm;
mod flapping;

use std::time::Duration;

use anyhow::Result;
use clap::Subcommand;

/// What can be measured.
#[derive(Debug, Clone, Subcommand)]
pub enum Bench {
    /// What the director's loop costs with 2,277 services of 16 real servers each (seconds).
    Loop,
    /// How long HTTP through the address is not served at a stop, a failback and a loss of power: hbd
    /// and ldird beside keepalived and the old pair (half an hour with ten rounds).
    ///
    /// Builds our programs as for use first, whatever the lab itself is built as.
    Failover {
        /// Clusters of each make, each with one event of each kind; of the old pair two at most.
        #[arg(long, default_value_t = 10)]
        rounds: u32,
        /// Ours alone.
        #[arg(long)]
        ours: bool,
    },
    /// 10,000 real servers asked every second: what a check costs, how late it begins (4 minutes).
    Checks {
        #[arg(long, value_name = "N", default_value_t = 10_000)]
        reals: usize,
        /// How long each kind of check is measured, after a minute to settle.
        #[arg(long, value_name = "SECONDS", default_value_t = 30)]
        seconds: u64,
    },
    /// How soon a death is seen while other servers hang, up to 5,000 of 10,000 (3 minutes).
    Hanging,
    /// Processor time for each check beside keepalived and ldirectord (10 minutes).
    Beside {
        #[arg(long, value_name = "SECONDS", default_value_t = 20)]
        seconds: u64,
    },
    /// Memory and descriptors while 500 real servers come and go.
    Flapping {
        #[arg(long, value_name = "N", default_value_t = 500)]
        reals: usize,
        #[arg(long, value_name = "MINUTES", default_value_t = 30)]
        minutes: u64,
    },
}

/// What a bench does under the kernel that it needs.
pub fn run_inside(seconds: u64) -> Result<()> {
    beside::run_inside(Duration::from_secs(seconds))
}

/// Measures and prints.
pub fn run(what: &Bench) -> Result<()> {
    match what {
        Bench::Loop => {
            core_loop::run();
            Ok(())
        }
        Bench::Failover { rounds, ours } => failover::run(*rounds, *ours),
        Bench::Checks { reals, seconds } => {
            checks::throughput(*reals, Duration::from_secs(*seconds))
        }
        Bench::Hanging => checks::hanging(),
        Bench::Beside { seconds } => beside::run(Duration::from_secs(*seconds)),
        Bench::Flapping { reals, minutes } => flapping::run(*reals, *minutes),
    }
}
