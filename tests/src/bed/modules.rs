//! Kernel modules: which files a module needs, in load order, and loading them.
//!
//! Reads `modules.dep`; never edits a module tree.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// What the scenarios use inside: balancing, cables, tunnels, faults.
pub const FOR_HOSTS: &[&str] = &[
    "ip_vs",
    "ip_vs_rr",
    "ip_vs_wrr",
    "ip_vs_lc",
    "ip_vs_wlc",
    "ip_vs_sh",
    "ip_vs_ftp",
    "nf_conntrack",
    "dummy",
    "veth",
    "bridge",
    "ipip",
    "sch_netem",
    "sch_ingress",
    "cls_u32",
];

/// The files of `wanted` and of everything they depend on, dependencies first.
pub fn in_load_order(tree: &Path, wanted: &[&str]) -> Result<Vec<PathBuf>> {
    let index = tree.join("modules.dep");
    let index =
        fs::read_to_string(&index).with_context(|| format!("cannot read {}", index.display()))?;
    let mut ordered = Vec::new();
    let mut seen = BTreeSet::new();
    for name in wanted {
        // A name that is absent is built in: the boot would fail visibly if it were not.
        let Some((file, needs)) = index
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(file, _)| stem(file) == *name)
        else {
            continue;
        };
        // modules.dep lists what is loaded last first.
        for file in needs.split_whitespace().rev().chain([file]) {
            if seen.insert(file.to_owned()) {
                ordered.push(tree.join(file));
            }
        }
    }
    Ok(ordered)
}

/// `kernel/net/9p/9pnet_virtio.ko.xz` is module `9pnet_virtio`; `-` and `_` are the same in names.
pub fn stem(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name).replace('-', "_")
}

/// Whether this kernel balances: asks for the module first, since it may only be unloaded.
pub fn kernel_has_ipvs() -> bool {
    let table = Path::new("/proc/net/ip_vs");
    if !table.exists() {
        let _ = load("ip_vs");
    }
    table.exists()
}

/// Loads a module and its dependencies.
pub fn load(name: &str) -> Result<()> {
    load_all(&[name])
}

/// Loads several in one go: a process each costs a fifth of a second under emulation.
pub fn load_all(names: &[&str]) -> Result<()> {
    let output = Command::new(program("modprobe")?)
        .arg("--all")
        .args(names)
        .output()
        .context("cannot run modprobe")?;
    anyhow::ensure!(
        output.status.success(),
        "modprobe {}: {} {}",
        names.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// The path of an administrator's program, which a user's PATH may not reach.
pub fn program(name: &str) -> Result<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"])
        .map(|folder| Path::new(folder).join(name))
        .find(|file| file.is_file())
        .with_context(|| format!("program {name} is not installed"))
}
