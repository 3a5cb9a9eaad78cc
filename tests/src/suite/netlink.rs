//! The IPVS client's own tests, which skip themselves where the kernel has no IPVS: run where it has.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{Case, Place, score_of};
use crate::bed::{artefacts, cargo};

pub(super) const CASES: &[Case] = &[Case {
    name: "ldird_ipvs_agrees_with_the_kernel",
    place: Place::Kernel,
    run: client_tests,
}];

/// Where the path of the test binary stands: inside the emulated machine there is no cargo to ask.
fn note() -> PathBuf {
    artefacts().join("ipvs-tests")
}

/// Builds the tests and notes where they are.
pub(super) fn build() -> Result<()> {
    let output = cargo()
        .args([
            "test",
            "--workspace",
            "--test",
            "kernel",
            "--no-run",
            "--message-format=json",
        ])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(
        output.status.success(),
        "the IPVS client's tests do not build"
    );
    let path = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "kernel")
        .find_map(|message| Some(message["executable"].as_str()?.to_owned()))
        .context("cargo does not say where the IPVS client's tests are")?;
    fs::create_dir_all(artefacts())?;
    fs::write(note(), path).context("cannot note where the tests are")
}

fn client_tests() -> Result<()> {
    let path = fs::read_to_string(note()).context("the IPVS client's tests are not built")?;
    let output = Command::new(path.trim())
        .args(["--color=never", "--test-threads=1"])
        .env("LAB_KERNEL", "1")
        .stdin(Stdio::null())
        .output()
        .context("cannot run the IPVS client's tests")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{text}{errors}");
    let score = score_of(&text);
    ensure!(score.passed > 0, "nothing was tested: {text}");
    println!("    {} tests against the kernel", score.passed);
    Ok(())
}
