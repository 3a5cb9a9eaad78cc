//! `cargo lab bench`: measurements beside their budgets. They print figures and judge nothing: a
//! machine may be busy.

mod core_loop;
pub mod failover;

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
}

/// Measures and prints.
pub fn run(what: &Bench) -> Result<()> {
    match what {
        Bench::Loop => {
            core_loop::run();
            Ok(())
        }
        Bench::Failover { rounds, ours } => failover::run(*rounds, *ours),
    }
}
