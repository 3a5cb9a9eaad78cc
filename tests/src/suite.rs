//! `cargo lab test`: the catalogue of cases that need more than `cargo test` has, and running them.
//!
//! A case runs in namespaces here, or under a kernel with IPVS: all of those share one boot. The cases
//! themselves live in the files below; this file proves nothing by itself.

mod agents;
mod balancing;
mod bed;
mod clients;
mod compatibility;
mod configuration;
mod dashboard;
mod demonstration;
mod differential;
mod doubts;
mod failover;
mod flapping;
mod garbage;
mod grammar;
mod imported;
mod interfaces;
mod interplay;
mod lifecycle;
mod links;
mod listening;
mod manager;
mod media;
mod model;
mod moving;
mod netlink;
mod oldfiles;
mod opinions;
mod origins;
mod ownership;
mod peers;
mod random;
mod restart;
mod roles;
mod rows;
mod serial;
mod services;
mod shadow;
mod simulation;
mod split;
mod standby;
mod strain;
mod synchronisation;
mod table;
mod talks;
mod tidy;
mod watch;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::bed::{cargo, modules, packages, program, say, scratch, vm};
use crate::scenario::programs::Programs;
use crate::score::Score;

/// Where a case can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In namespaces on this machine's kernel.
    Here,
    /// Where the kernel has IPVS, tunnels and netem: inside the emulated machine if need be.
    Kernel,
}

/// A promise and its proof.
pub struct Case {
    /// States the promise: `power_off_silences_a_host`.
    pub name: &'static str,
    pub place: Place,
    pub run: fn() -> Result<()>,
}

/// How much of something a case does, or with which seed: as it usually does, or as this variable says.
fn amount(variable: &str, usual: u64) -> Result<u64> {
    match std::env::var(variable) {
        Ok(text) => text.parse().with_context(|| format!("{variable}={text}")),
        Err(_) => Ok(usual),
    }
}

/// All cases, cheap ones first.
fn catalogue() -> impl Iterator<Item = &'static Case> {
    let tables = [
        tidy::CASES,
        bed::CASES,
        configuration::CASES,
        grammar::CASES,
        oldfiles::CASES,
        failover::CASES,
        split::CASES,
        doubts::CASES,
        restart::CASES,
        interfaces::CASES,
        talks::CASES,
        imported::CASES,
        garbage::CASES,
        strain::CASES,
        services::CASES,
        flapping::CASES,
        origins::CASES,
        dashboard::CASES,
        simulation::CASES,
        peers::CASES,
        roles::CASES,
        interplay::CASES,
        listening::CASES,
        balancing::CASES,
        agents::CASES,
        table::CASES,
        lifecycle::CASES,
        clients::CASES,
        standby::CASES,
        opinions::CASES,
        shadow::CASES,
        differential::CASES,
        synchronisation::CASES,
        model::CASES,
        moving::CASES,
        netlink::CASES,
        compatibility::CASES,
        manager::CASES,
        media::CASES,
        links::CASES,
        serial::CASES,
        demonstration::CASES,
    ];
    tables.into_iter().flatten()
}

/// The name under which the tests of `cargo test` are asked for.
const WORKSPACE: &str = "workspace";
/// For one case, building and emulation included.
const CASE_LIMIT: Duration = Duration::from_secs(900);
/// For all cases that share one boot.
const KERNEL_LIMIT: Duration = Duration::from_secs(2700);

/// Prints every name, one per line.
pub fn list() {
    println!("{WORKSPACE}");
    for case in catalogue() {
        println!("{}", case.name);
    }
}

/// Runs what the names ask for (a name asks for all that contain it; none asks for everything),
/// prints a line for each and the score last. True if nothing failed.
pub fn run(names: &[String]) -> Result<bool> {
    let wanted =
        |name: &str| names.is_empty() || names.iter().any(|part| name.contains(part.as_str()));
    let chosen: Vec<&'static Case> = catalogue().filter(|case| wanted(case.name)).collect();
    ensure!(
        wanted(WORKSPACE) || !chosen.is_empty(),
        "no test is called {}",
        names.join(" or ")
    );
    packages::ensure_programs()?;
    if !chosen.is_empty() {
        Programs::build()?;
    }
    if chosen.iter().any(|case| case.place == Place::Kernel) {
        netlink::build()?;
    }
    let mut score = Score::default();
    if wanted(WORKSPACE) {
        score.add(run_workspace()?);
    }
    let direct = modules::kernel_has_ipvs();
    let (here, kernel): (Vec<&'static Case>, Vec<&'static Case>) = chosen
        .into_iter()
        .partition(|case| direct || case.place == Place::Here);
    score.add(run_cases(&here));
    if !kernel.is_empty() {
        score.add(run_in_machine(&kernel)?);
    }
    println!("{} passed, {} failed", score.passed, score.failed);
    Ok(score.failed == 0)
}

/// The inner half of [`run_in_machine`]: runs cases by exact name, writes the score to `results`.
pub fn run_inside(results: &Path, names: &[String]) -> Result<()> {
    let chosen: Vec<&'static Case> = catalogue()
        .filter(|case| names.iter().any(|name| name == case.name))
        .collect();
    let score = run_cases(&chosen);
    fs::write(results, serde_json::to_vec(&score)?).context("cannot write the results")
}

fn run_cases(cases: &[&'static Case]) -> Score {
    let mut score = Score::default();
    for case in cases {
        let started = Instant::now();
        let outcome = run_case(case);
        let seconds = started.elapsed().as_secs_f64();
        match &outcome {
            Ok(()) => println!("test {} ... ok ({seconds:.1} s)", case.name),
            Err(error) => println!(
                "test {} ... FAILED ({seconds:.1} s)\n    {error:#}",
                case.name
            ),
        }
        score.count(outcome.is_ok());
    }
    score
}

/// Runs a case on a thread of its own. One that never ends is left behind, with its hosts, until the
/// lab itself ends, and the next case begins.
fn run_case(case: &'static Case) -> Result<()> {
    let (done, outcome) = mpsc::channel();
    let run = case.run;
    thread::spawn(move || {
        let outcome = catch_unwind(run);
        let _ = done.send(outcome.unwrap_or_else(|_| Err(anyhow!("panicked, see above"))));
    });
    outcome
        .recv_timeout(CASE_LIMIT)
        .unwrap_or_else(|_| Err(anyhow!("not finished after {} s", CASE_LIMIT.as_secs())))
}

fn run_in_machine(cases: &[&Case]) -> Result<Score> {
    fs::create_dir_all(scratch())?;
    let results: PathBuf = scratch().join(format!("results-{}.json", std::process::id()));
    let program = program()?;
    let mut argv = vec![program.display().to_string(), "test-inside".to_owned()];
    argv.push(results.display().to_string());
    argv.extend(cases.iter().map(|case| case.name.to_owned()));
    let ended = vm::run(&vm::Options::command(argv, KERNEL_LIMIT));
    let score = fs::read(&results)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let _ = fs::remove_file(&results);
    let code = ended?;
    score.with_context(|| format!("the kernel tests ended without a score (exit code {code})"))
}

/// Unit tests, simulations and the programs' own tests, by cargo.
fn run_workspace() -> Result<Score> {
    say("cargo test --workspace");
    let output = cargo()
        .args(["test", "--workspace", "--no-fail-fast", "--color=never"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut score = score_of(&text);
    if !output.status.success() {
        println!("{text}");
        // A build or a crash that no summary counted is a failure all the same.
        score.failed = score.failed.max(1);
    }
    println!(
        "test {WORKSPACE} ... {} passed, {} failed",
        score.passed, score.failed
    );
    Ok(score)
}

/// Adds up lines such as `test result: ok. 12 passed; 0 failed; 0 ignored; ...`.
fn score_of(text: &str) -> Score {
    let mut score = Score::default();
    for line in text.lines().filter(|line| line.starts_with("test result:")) {
        let number_before = |word: &str| -> usize {
            let before = line
                .split(';')
                .find_map(|part| part.trim().strip_suffix(word));
            before
                .and_then(|part| part.trim().rsplit(' ').next()?.parse().ok())
                .unwrap_or(0)
        };
        score.passed += number_before("passed");
        score.failed += number_before("failed");
    }
    score
}

#[cfg(test)]
mod tests;
