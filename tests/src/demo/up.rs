//! `cargo lab up`: the cluster runs until the person has seen enough.

use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::control::Control;
use super::stage::{self, Stage};
use crate::bed::program;
use crate::bed::signals::Signals;
use crate::scenario::programs::Programs;

const TICK: Duration = Duration::from_millis(50);

/// Where the person looks from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Another terminal; this one waits for Ctrl-C.
    FromOutside,
    /// A shell here: nothing outside of an emulated machine reaches into it.
    FromShell,
}

/// Runs the cluster until Ctrl-C, or until the shell ends.
pub fn run(look: Look) -> Result<()> {
    let programs = Programs::find()?;
    let signals = Signals::watch()?;
    let stage = Stage::set(&programs)?;
    let control = Control::serve(&stage)?;
    match look {
        Look::FromOutside => {
            print!("{}", hints("cargo lab", "Ctrl-C ends the lab."));
            while signals.ending().is_none() {
                thread::sleep(TICK);
            }
        }
        Look::FromShell => {
            print!("{}", hints("lab", "The end of this shell ends the lab."));
            shell()?;
        }
    }
    drop(control);
    stage::end(stage)
}

fn hints(lab: &str, end: &str) -> String {
    format!(
        "\
The cluster runs. Directors lb1 lb2, real servers web1 web2 web3, client.

  {lab} in lb1 -- hbd status          a command on a host
  {lab} in lb1 -- ipvsadm -Ln
  {lab} in lb1 -- hbtui
  {lab} in client -- busybox wget -qO- http://10.10.0.100/test.html
  {lab} in web1                       a shell on a host
  {lab} do kill-primary | stop-real | cut-cable | bring-back

{end}
"
    )
}

/// The person's shell, with `lab` in its path.
fn shell() -> Result<()> {
    let program = program()?;
    let folder = program
        .parent()
        .context("the lab's binary is in no folder")?;
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new("bash")
        .args(["--norc", "-i"])
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("PS1", "lab# ")
        .status()
        .context("cannot run a shell")?;
    Ok(())
}
