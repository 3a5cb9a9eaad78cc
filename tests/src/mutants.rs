//! `cargo lab mutants`: small bugs put into the pure cores one at a time. A test that notices kills
//! the mutant; one that nobody notices names a line that no test holds.
//!
//! The work is cargo-mutants'. This file says which files are tried where time is short, counts the
//! kill rate of each core and file, and holds the survivors against those that are explained.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use crate::bed::{artefacts, cargo, repository, say};

/// The release that the survivors were explained with.
const VERSION: &str = "27.1.0";

/// A test that has not ended after so many seconds has noticed the mutant.
const TEST_LIMIT_S: u32 = 60;

/// Survivors that are no fault of a test, each with its reason: `name: reason` by line.
const EXPLAINED: &str = include_str!("mutants/explained.txt");

/// A core, what its tests simulate for each mutant, and the files that are tried in every run of CI.
struct Core {
    package: &'static str,
    /// Its files are there.
    folder: &'static str,
    histories: (&'static str, &'static str),
    bounded: &'static [&'static str],
}

const CORES: &[Core] = &[
    Core {
        package: "hbd-core",
        folder: "hbd/core/src/",
        histories: ("HBD_HISTORIES", "200"),
        bounded: &["hbd/core/src/pace.rs", "hbd/core/src/roster.rs"],
    },
    Core {
        package: "ldird-core",
        folder: "ldird/core/src/",
        histories: ("LDIRD_HISTORIES", "200"),
        bounded: &["ldird/core/src/health.rs"],
    },
];

/// Which mutants are tried.
pub enum Scope {
    /// Those of the files that CI tries.
    Bounded,
    /// Those of these files.
    Files(Vec<String>),
    All,
    /// `K/N`: every Nth of all, beginning with the Kth.
    Shard(String),
}

/// Tries them in both cores and prints what became of them. True if every survivor is explained.
pub fn run(scope: &Scope) -> Result<bool> {
    let tool = ensure_tool()?;
    let explained: BTreeSet<&str> = explanations()?.into_iter().map(|(name, _)| name).collect();
    let mut whole = true;
    for core in CORES.iter().filter(|core| core.is_meant(scope)) {
        let report = core.run(&tool, scope)?;
        println!("{}: {}", core.package, report.rate());
        for (file, report) in report.by_file() {
            println!("    {file}: {}", report.rate());
        }
        for name in &report.survivors {
            let known = explained.contains(name.as_str());
            whole &= known;
            let remark = if known { "explained" } else { "NOT EXPLAINED" };
            println!("    survived, {remark}: {name}");
        }
    }
    Ok(whole)
}

impl Core {
    fn is_meant(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Bounded | Scope::All | Scope::Shard(_) => true,
            Scope::Files(files) => files.iter().any(|file| self.owns(file)),
        }
    }

    fn owns(&self, file: &str) -> bool {
        file.starts_with(self.folder)
    }

    fn run(&self, tool: &Path, scope: &Scope) -> Result<Report> {
        say(&format!("mutants of {}", self.package));
        let output = artefacts().join("mutants").join(self.package);
        fs::create_dir_all(&output)?;
        let mut command = cargo();
        command
            .arg("mutants")
            .env("PATH", path_with(tool)?)
            .env(self.histories.0, self.histories.1)
            .args(["--package", self.package, "--no-shuffle", "--colors=never"])
            .args(["--timeout", &TEST_LIMIT_S.to_string(), "--output"])
            .arg(&output);
        let named: Vec<&str> = match scope {
            Scope::Bounded => self.bounded.to_vec(),
            Scope::Files(files) => {
                let files = files.iter().map(String::as_str);
                files.filter(|file| self.owns(file)).collect()
            }
            Scope::All | Scope::Shard(_) => Vec::new(),
        };
        for file in named {
            ensure!(repository().join(file).is_file(), "{file} is not there");
            command.args(["--file", file]);
        }
        match scope {
            Scope::Bounded | Scope::Files(_) | Scope::All => {}
            Scope::Shard(shard) => {
                command.args(["--shard", shard]);
            }
        }
        let status = command
            .stdout(Stdio::from(std::io::stderr()))
            .status()
            .context("cannot run cargo mutants")?;
        // 0: all killed; 2: some survived; 3: some took too long.
        ensure!(
            matches!(status.code(), Some(0 | 2 | 3)),
            "cargo mutants: {status}"
        );
        Report::read(&output.join("mutants.out"))
    }
}

/// What became of mutants, each by its name.
#[derive(Default)]
struct Report {
    killed: Vec<String>,
    survivors: Vec<String>,
}

impl Report {
    fn read(folder: &Path) -> Result<Self> {
        let names = |list: &str| {
            let text = fs::read_to_string(folder.join(list)).with_context(|| list.to_owned())?;
            anyhow::Ok(text.lines().map(without_position).collect::<Vec<_>>())
        };
        // A test that never ends has noticed the mutant as well.
        let mut killed = names("caught.txt")?;
        killed.append(&mut names("timeout.txt")?);
        Ok(Self {
            killed,
            survivors: names("missed.txt")?,
        })
    }

    fn by_file(&self) -> BTreeMap<&str, Self> {
        let mut files: BTreeMap<&str, Self> = BTreeMap::new();
        for name in &self.killed {
            files
                .entry(file_of(name))
                .or_default()
                .killed
                .push(name.clone());
        }
        for name in &self.survivors {
            let report = files.entry(file_of(name)).or_default();
            report.survivors.push(name.clone());
        }
        files
    }

    fn rate(&self) -> String {
        let (killed, survived) = (self.killed.len(), self.survivors.len());
        let all = killed + survived;
        // Of nothing, nothing survived.
        let tenths = (killed * 1000).checked_div(all).unwrap_or(1000);
        format!(
            "{killed} of {all} mutants killed ({}.{} %), {survived} survived",
            tenths / 10,
            tenths % 10
        )
    }
}

fn file_of(name: &str) -> &str {
    name.split(':').next().unwrap_or_default()
}

/// `hbd/core/src/pace.rs:31:9: replace ...` loses its line and column, which move with every edit.
fn without_position(line: &str) -> String {
    let mut parts = line.splitn(4, ':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(file), Some(_), Some(_), Some(what)) => format!("{file}:{what}"),
        _ => line.to_owned(),
    }
}

/// Name and reason of each explained survivor.
fn explanations() -> Result<Vec<(&'static str, &'static str)>> {
    let lines = EXPLAINED.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| match line.split_once(" -- ") {
        Some((name, reason)) if !reason.trim().is_empty() => Ok((name.trim(), reason.trim())),
        Some(_) | None => bail!("no reason: {line}"),
    });
    pairs.collect()
}

/// The folder of cargo-mutants; built once, in the lab's own folder.
fn ensure_tool() -> Result<PathBuf> {
    let root = artefacts().join("tools");
    let folder = root.join("bin");
    let marker = root.join(format!("cargo-mutants-{VERSION}"));
    if folder.join("cargo-mutants").is_file() && marker.is_file() {
        return Ok(folder);
    }
    say(&format!("building cargo-mutants {VERSION}"));
    let status = cargo()
        .args(["install", "--quiet", "--locked", "--debug", "--force"])
        .args(["cargo-mutants", "--version", VERSION, "--root"])
        .arg(&root)
        .stdout(Stdio::from(std::io::stderr()))
        .status()
        .context("cannot run cargo install")?;
    ensure!(status.success(), "cargo install cargo-mutants: {status}");
    fs::write(marker, "")?;
    Ok(folder)
}

fn path_with(folder: &Path) -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).context("PATH")
}

#[cfg(test)]
mod tests;
