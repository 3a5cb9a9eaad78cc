//! Tens of thousands of simulated histories: those that `cargo test` runs a few hundred of.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{Case, Place, score_of};
use crate::bed::repository;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "simulation_20000_cluster_histories",
        place: Place::Here,
        run: clusters,
    },
    Case {
        name: "simulation_10000_director_histories",
        place: Place::Here,
        run: directors,
    },
];

/// Seconds for one simulation and its building: one that never ends is a failure.
const LIMIT_S: u32 = 400;

fn clusters() -> Result<()> {
    simulate("hbd-core", "HBD_HISTORIES", "20000")
}

fn directors() -> Result<()> {
    simulate("ldird-core", "LDIRD_HISTORIES", "10000")
}

/// Runs a core's simulation with so many histories; a failing one has its timeline printed.
fn simulate(package: &str, variable: &str, histories: &str) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new("timeout")
        .arg(LIMIT_S.to_string())
        .arg(cargo)
        .args(["test", "--package", package, "--test", "simulation"])
        .args(["--color=never", "--", "--nocapture"])
        .env(variable, histories)
        .current_dir(repository())
        .stdin(Stdio::null())
        .output()
        .context("cannot run cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{text}{errors}");
    let score = score_of(&text);
    ensure!(score.passed > 0 && score.failed == 0, "{score:?}: {text}");
    let told = text
        .split_once(" histories passed")
        .map(|(before, _)| before);
    let told = told.and_then(|before| before.lines().next_back());
    let told = told.with_context(|| format!("it does not say what it did: {text}"))?;
    println!("    {told} histories");
    // Old seeds come on top. The test's own name may stand before it on the line.
    let number = told
        .split_whitespace()
        .rev()
        .find_map(|word| word.parse::<u64>().ok());
    ensure!(number >= histories.parse().ok(), "too few: {told}");
    Ok(())
}
