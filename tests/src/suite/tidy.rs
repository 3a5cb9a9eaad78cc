//! The repository itself: sizes that stay readable, words that have no place here, samples that work,
//! and the rules of shape: short functions, whole matches, no import circles, nothing unused.

mod conformance;
mod imports;
mod shape;
mod source;
mod unused;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::{Case, Place};
use crate::bed::{cargo as cargo_command, repository};
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "tidy_files_and_lines_are_short",
        place: Place::Here,
        run: sizes,
    },
    Case {
        name: "tidy_no_word_is_out_of_place",
        place: Place::Here,
        run: words,
    },
    Case {
        name: "tidy_samples_parse",
        place: Place::Here,
        run: samples,
    },
    Case {
        name: "tidy_cores_need_no_runtime",
        place: Place::Here,
        run: cores,
    },
    Case {
        name: "tidy_shell_scripts_parse",
        place: Place::Here,
        run: scripts,
    },
    Case {
        name: "tidy_functions_fit_on_a_screen",
        place: Place::Here,
        run: shape::functions,
    },
    Case {
        name: "tidy_matches_name_every_state",
        place: Place::Here,
        run: shape::matches,
    },
    Case {
        name: "tidy_imports_run_in_no_circle",
        place: Place::Here,
        run: imports::circles,
    },
    Case {
        name: "tidy_public_items_of_the_cores_are_used",
        place: Place::Here,
        run: unused::items,
    },
    Case {
        name: "tidy_every_row_of_the_conformance_table_has_a_test",
        place: Place::Here,
        run: conformance::rows_have_tests,
    },
    Case {
        name: "tidy_dependencies_are_used",
        place: Place::Here,
        run: unused::dependencies,
    },
];

const FILE_LINES: usize = 600;
const LINE_CHARS: usize = 120;
/// Leftovers of unfinished work, and macros for it. Spelled in parts, so that this file passes.
const OUT_OF_PLACE: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("dbg", "!("),
    concat!("unimple", "mented!("),
    concat!("HA", "CK:"),
];

/// Every file that git knows, or would if it were added.
fn files(ending: &str) -> Result<Vec<PathBuf>> {
    let root = repository();
    let listed = Command::new("git")
        .args(["-C", &root.display().to_string(), "ls-files", "-z"])
        .args(["--cached", "--others", "--exclude-standard"])
        .stdin(Stdio::null())
        .output();
    let names = match listed {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout)?,
        // Sources without their history, or without git, are as tidy.
        _ => return walk(root, ending),
    };
    let paths = names.split('\0').filter(|name| name.ends_with(ending));
    Ok(paths
        .map(|name| root.join(name))
        .filter(|path| path.is_file())
        .collect())
}

fn walk(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && !path.is_symlink() && name != "target" && name != ".git" {
            found.extend(walk(&path, ending)?);
        } else if path.is_file() && name.ends_with(ending) {
            found.push(path);
        }
    }
    Ok(found)
}

/// All findings at once, or nothing.
fn verdict(findings: Vec<String>) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    bail!("{}", findings.join("\n    "))
}

fn sizes() -> Result<()> {
    let mut findings = Vec::new();
    for path in files(".rs")? {
        let text = fs::read_to_string(&path)?;
        let lines = text.lines().count();
        if lines > FILE_LINES {
            findings.push(format!("{}: {lines} lines", path.display()));
        }
        for (number, line) in text.lines().enumerate() {
            let length = line.chars().count();
            if length > LINE_CHARS {
                findings.push(format!(
                    "{}:{}: {length} characters",
                    path.display(),
                    number + 1
                ));
            }
        }
    }
    verdict(findings)
}

fn words() -> Result<()> {
    let mut findings = Vec::new();
    for path in files("")? {
        // Pictures and captured bytes are no text.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            for word in OUT_OF_PLACE.iter().filter(|word| line.contains(**word)) {
                findings.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    verdict(findings)
}

/// The samples are checked as they are; only a git checkout cannot keep the mode of authkeys.
fn samples() -> Result<()> {
    let copy = tempfile::tempdir()?;
    let etc = copy.path();
    for name in ["ha.cf", "haresources", "authkeys", "ldirectord.cf"] {
        fs::copy(repository().join("ha.d").join(name), etc.join(name))
            .with_context(|| format!("sample {name}"))?;
    }
    // With a key of its own: the published one is refused.
    let keys = etc.join("authkeys");
    let public = fs::read_to_string(&keys)?;
    let own = public.replace(" the-key-of-the-lab-is-public", " a-key-that-nobody-knows");
    ensure!(own != public, "the sample names its public key");
    fs::write(&keys, own)?;
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600))?;
    let programs = Programs::find()?;
    let folder = etc.to_str().context("a folder that is not UTF-8")?;
    let hbd = ["check", "--offline", "--etc", folder];
    let ldird = ["--etc", folder, "ldirectord.cf", "check", "--offline"];
    for (name, arguments) in [("hbd", &hbd[..]), ("ldird", &ldird[..])] {
        let output = Command::new(programs.path(name))
            .args(arguments)
            .stdin(Stdio::null())
            .output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        ensure!(output.status.success(), "{name} check: {said}");
        ensure!(!said.contains("error:"), "{name} check: {said}");
    }
    Ok(())
}

fn cores() -> Result<()> {
    for package in ["hbd-core", "ldird-core"] {
        let tree = cargo(&[
            "tree",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])?;
        for runtime in ["tokio", "async-std", "smol", "mio"] {
            let mut crates = tree.lines().filter_map(|line| line.split(' ').next());
            ensure!(
                !crates.any(|name| name == runtime),
                "{package} depends on {runtime}"
            );
        }
        ensure!(tree.starts_with(package), "cargo tree says {tree}");
        let folder = if package == "hbd-core" {
            "hbd/core"
        } else {
            "ldird/core"
        };
        let bans = fs::read_to_string(repository().join(folder).join("clippy.toml"))?;
        for banned in ["Instant::now", "std::net::UdpSocket"] {
            ensure!(
                bans.contains(banned),
                "{folder}/clippy.toml does not ban {banned}"
            );
        }
    }
    Ok(())
}

fn cargo(arguments: &[&str]) -> Result<String> {
    let output = cargo_command()
        .args(arguments)
        .output()
        .context("cannot run cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "cargo {}: {said}",
        arguments.join(" ")
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// By their first line, wherever they are.
fn scripts() -> Result<()> {
    let mut findings = Vec::new();
    let mut checked = 0;
    for path in files("")? {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let shell = match text.lines().next().unwrap_or_default() {
            first if !first.starts_with("#!") => continue,
            first if first.ends_with("bash") => "bash",
            first if first.ends_with("sh") => "sh",
            _ => continue,
        };
        checked += 1;
        let output = Command::new(shell).arg("-n").arg(&path).output()?;
        if !output.status.success() {
            findings.push(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
    }
    ensure!(checked >= 5, "only {checked} scripts were found");
    verdict(findings)
}
