//! `cargo lab bench`: measurements beside their budgets. They print figures and judge nothing: a
//! machine may be busy.

mod core_loop;

use anyhow::Result;
use clap::Subcommand;

/// What can be measured.
#[derive(Debug, Clone, Subcommand)]
pub enum Bench {
    /// What the director's loop costs with 2,277 services of 16 real servers each (seconds).
    Loop,
}

/// Measures and prints.
pub fn run(what: &Bench) -> Result<()> {
    match what {
        Bench::Loop => core_loop::run(),
    }
    Ok(())
}
