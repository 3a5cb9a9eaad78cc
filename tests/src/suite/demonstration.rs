//! The demos are what people see first: their scripts, without a terminal, down to the last step.

use anyhow::{Result, ensure};

use super::{Case, Place};
use crate::demo::{self, Shape};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "the_demo_runs_to_its_last_step",
        place: Place::Kernel,
        run: || steps(Shape::Dr, 12),
    },
    Case {
        name: "the_demo_nat_runs_to_its_last_step",
        place: Place::Kernel,
        run: || steps(Shape::Nat, 11),
    },
    Case {
        name: "the_demo_tun_runs_to_its_last_step",
        place: Place::Kernel,
        run: || steps(Shape::Tun, 13),
    },
    Case {
        name: "the_demo_keepalived_runs_to_its_last_step",
        place: Place::Kernel,
        run: || steps(Shape::Keepalived, 10),
    },
];

/// A cluster that cannot be started is one step; a demo with fewer than these has lost some.
fn steps(shape: Shape, least: usize) -> Result<()> {
    let score = demo::run_steps(shape)?;
    ensure!(
        score.failed == 0 && score.passed >= least,
        "{} steps passed, {} failed",
        score.passed,
        score.failed
    );
    Ok(())
}
