//! `cargo lab demo` and `cargo lab up`: the scenarios for people who want to see them run.
//!
//! Here stands where each part runs: the cluster under a kernel with IPVS, which may be an emulated
//! machine's; outages are measured outside of it, where a millisecond is one.

pub mod action;
pub mod control;
mod live;
mod load;
mod menu;
mod script;
mod shapes;
mod stage;
mod up;

use std::fs;
use std::io::{IsTerminal, Write, stdin, stdout};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::bed::{modules, packages, program, scratch, vm};
use crate::scenario::programs::Programs;
use crate::score::Score;

pub use live::run as run_live;
pub use menu::run as run_menu;
pub use up::{Look, run as run_up};

/// The shapes of clusters that the lab can build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// Direct routing: real servers answer the client by themselves.
    Dr,
    /// Address translation: the directors are the real servers' gateway.
    Nat,
    /// Tunnels, and directors that are real servers themselves.
    Tun,
    /// The pair of a keepalived.conf, imported.
    Keepalived,
}

impl Shape {
    /// Its steps, under a kernel with IPVS.
    fn script(self, programs: &Programs) -> Score {
        match self {
            Self::Dr => script::run(programs),
            Self::Nat => shapes::run_nat(programs),
            Self::Tun => shapes::run_tun(programs),
            Self::Keepalived => shapes::run_keepalived(programs),
        }
    }

    /// As it is typed.
    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// People see and break one shape only; the others tell their story by themselves.
    fn live(self) -> Result<()> {
        let name = self.name();
        ensure!(
            self == Self::Dr,
            "at a terminal there is only dr: cargo lab demo {name} --script"
        );
        Ok(())
    }
}

/// For the whole scripted scenario, boot included.
const SCRIPT_LIMIT: Duration = Duration::from_secs(220);

/// The demo without a terminal: a line per step, gaps, the score. True if nothing failed.
pub fn run_script(shape: Shape) -> Result<bool> {
    packages::ensure_demo()?;
    let programs = Programs::build()?;
    let mut score = if modules::kernel_has_ipvs() {
        shape.script(&programs)
    } else {
        run_script_in_machine(shape).unwrap_or_else(script::aborted)
    };
    if shape == Shape::Dr {
        script::measure_gaps(&programs, &mut score);
    }
    println!("{} passed, {} failed", score.passed, score.failed);
    Ok(score.failed == 0)
}

/// Only the outages of [`run_script`].
pub fn run_gaps() -> Result<bool> {
    packages::ensure_demo()?;
    let mut score = Score::default();
    script::measure_gaps(&Programs::build_only(&["hbd"])?, &mut score);
    Ok(score.failed == 0)
}

/// The steps alone, under a kernel with IPVS and with programs that are built.
pub fn run_steps(shape: Shape) -> Result<Score> {
    Ok(shape.script(&Programs::find()?))
}

/// The inner half: prints the steps, writes the score to `results`.
pub fn run_script_inside(shape: Shape, results: &Path) -> Result<()> {
    let score = run_steps(shape)?;
    fs::write(results, serde_json::to_vec(&score)?).context("cannot write the results")
}

fn run_script_in_machine(shape: Shape) -> Result<Score> {
    fs::create_dir_all(scratch())?;
    let results = scratch().join(format!("demo-{}.json", std::process::id()));
    let argv = [
        program()?.display().to_string(),
        "demo-inside".to_owned(),
        shape.name(),
        results.display().to_string(),
    ];
    let ended = vm::run(&vm::Options::command(argv, SCRIPT_LIMIT));
    let score = fs::read(&results)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let _ = fs::remove_file(&results);
    let code = ended?;
    score.with_context(|| format!("the demo ended without a score (exit code {code})"))
}

/// The demo at a person's terminal.
pub fn run(shape: Shape) -> Result<u8> {
    shape.live()?;
    ensure!(
        stdin().is_terminal() && stdout().is_terminal(),
        "this needs a terminal; without one: cargo lab demo --script"
    );
    packages::ensure_demo()?;
    Programs::build()?;
    if modules::kernel_has_ipvs() {
        return live::run().map(|()| 0);
    }
    enter_machine("demo-live")
}

/// Leaves the cluster running for a look.
pub fn up(shape: Shape) -> Result<u8> {
    shape.live()?;
    packages::ensure_demo()?;
    Programs::build()?;
    if modules::kernel_has_ipvs() {
        return up::run(Look::FromOutside).map(|()| 0);
    }
    ensure!(
        stdin().is_terminal() && stdout().is_terminal(),
        "this kernel has no IPVS, so the lab runs in an emulated machine, which needs a terminal \
         to look around in"
    );
    enter_machine("up-inside")
}

fn enter_machine(task: &str) -> Result<u8> {
    let ended = vm::run(&vm::Options {
        argv: vec![program()?.display().to_string(), task.to_owned()],
        limit: None,
        interactive: true,
    });
    if !matches!(ended, Ok(0)) {
        // tmux in there could not leave the screen as it found it.
        print!("{LEAVE_SCREEN}");
        let _ = stdout().flush();
    }
    ended
}

/// Main screen, cursor visible, no mouse reports, no bracketed paste, plain keypad and letters.
const LEAVE_SCREEN: &str = "\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\
    \x1b[?2004l\x1b[?1l\x1b>\x1b[0m\r\n";
