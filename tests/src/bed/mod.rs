//! The bed: everything that scenarios stand on, and nothing about what they prove.
//!
//! Owns packages, the emulated machine, hosts in namespaces with their cables, real servers and
//! probes. Never touches the network of the machine it runs on.

pub mod answers;
pub mod client;
pub mod daemon;
pub mod downloads;
pub mod host;
pub mod kernel;
pub mod modem;
pub mod modules;
pub mod netns;
pub mod network;
pub mod packages;
pub mod peers;
pub mod plan;
pub mod probe;
pub mod real_server;
pub mod requests;
pub mod signals;
pub mod swarm;
pub mod talkers;
pub mod unpacked;
pub mod usage;
pub mod vm;
pub mod wait;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The repository: the folder above this package.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this package is inside the repository")
}

/// `target/lab`: everything that the lab leaves on disk.
pub fn artefacts() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| repository().join("target"), PathBuf::from);
    target.join("lab")
}

/// `target/lab/scratch`: also writable from inside the emulated machine, at the same path.
pub fn scratch() -> PathBuf {
    artefacts().join("scratch")
}

/// Holds other lab runs of this build directory off while this one changes the system or the cache.
pub fn alone() -> anyhow::Result<fs::File> {
    fs::create_dir_all(artefacts())?;
    let file = fs::File::create(artefacts().join("lock"))?;
    file.lock()?;
    Ok(file)
}

/// Removes folders called `prefix`, a process number and `-...` whose process is gone.
fn remove_leftovers(shared: &Path, prefix: &str) {
    for entry in fs::read_dir(shared)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
    {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(prefix)?.split('-').next());
        let Some(owner) = owner.and_then(|owner| owner.parse::<u32>().ok()) else {
            continue;
        };
        if !Path::new(&format!("/proc/{owner}")).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A cargo that builds as if a person had called it.
///
/// The lab itself is started by cargo, which describes the package in its environment; a build
/// script that looks there (ring's does) would be run, and all above it built, again each time.
pub fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let described = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ];
        if described.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.current_dir(repository()).stdin(Stdio::null());
    command
}

/// One line of progress for the person who waits, apart from the results on standard output.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "lab: {line}");
}

/// The lab's own binary: its hidden subcommands run as process 1 of hosts and of the machine.
///
/// From a test binary in `target/*/deps` this is the `lab` beside that folder.
pub fn program() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe()?;
    if this.file_name().is_some_and(|name| name == "lab") {
        return Ok(this);
    }
    let beside = this
        .ancestors()
        .take(3)
        .map(|folder| folder.join("lab"))
        .find(|file| file.is_file());
    anyhow::Context::context(beside, "the binary `lab` is not built")
}
