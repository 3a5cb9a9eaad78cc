//! The demo is what people see first: its script, without a terminal, down to the last step.

use anyhow::{Result, ensure};

use super::{Case, Place};
use crate::demo;

pub(super) const CASES: &[Case] = &[Case {
    name: "the_demo_runs_to_its_last_step",
    place: Place::Kernel,
    run: steps,
}];

/// A cluster that cannot be started is one step; a demo with fewer than these has lost some.
const STEPS: usize = 12;

fn steps() -> Result<()> {
    let score = demo::run_steps()?;
    ensure!(
        score.failed == 0 && score.passed >= STEPS,
        "{} steps passed, {} failed",
        score.passed,
        score.failed
    );
    Ok(())
}
