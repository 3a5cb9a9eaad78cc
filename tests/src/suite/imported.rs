//! What ldird makes of keepalived.conf files is taken by hbd.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Case, Place};
use crate::bed::repository;
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[Case {
    name: "hbd_check_takes_what_ldird_imports_of_keepalived_conf",
    place: Place::Here,
    run: imported_files,
}];

/// The files of the import's own tests. A pair gets a key, as its operator would give it one.
fn imported_files() -> Result<()> {
    let programs = Programs::find()?;
    let folder = repository().join("ldird/tests/import");
    let mut pairs = 0;
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let conf = path.extension().is_some_and(|end| end == "conf");
        let broken = path.file_stem().is_some_and(|name| name == "broken");
        if !conf || broken {
            continue;
        }
        let to = tempfile::tempdir()?;
        let run = |program: &str, words: &[&str]| {
            let mut command = Command::new(programs.path(program));
            command.args(words).arg(to.path());
            command
                .output()
                .with_context(|| format!("cannot run {program}"))
        };
        let file = path.to_str().context("a path that is not UTF-8")?;
        let made = run("ldird", &["import", "--node", "lb1", file, "--to"])?;
        let said = String::from_utf8_lossy(&made.stderr);
        ensure!(made.status.success(), "{file}: {said}");
        if !to.path().join("ha.cf").exists() {
            continue;
        }
        let key = Command::new(programs.path("hbd"))
            .arg("--etc")
            .arg(to.path())
            .arg("genkey")
            .output()?;
        ensure!(key.status.success(), "no key for {file}");
        let checked = run("hbd", &["--node", "lb1", "check", "--offline"])?;
        let said = String::from_utf8_lossy(&checked.stdout);
        ensure!(checked.status.success(), "{file}: {said}");
        pairs += 1;
    }
    ensure!(pairs >= 6, "only {pairs} files have a pair");
    Ok(())
}
