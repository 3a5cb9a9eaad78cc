//! The daemons and the dashboard: built once outside, found beside the lab's own binary everywhere.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::bed::{cargo, program, say};

/// What a director has installed.
pub const NAMES: [&str; 3] = ["hbd", "ldird", "hbtui"];

/// This program, which is also the servers of the benches.
const LAB: &str = "lab";

/// The folder with the built programs.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Has cargo build all of them, with its progress for the person who waits.
    pub fn build() -> Result<Self> {
        Self::build_only(&NAMES)
    }

    /// As for use, whatever the lab itself was built as: for what is measured beside others.
    pub fn build_released() -> Result<Self> {
        build_as_for_use(&NAMES)?;
        Self::released()
    }

    /// The same, and the lab with its servers: asked ten thousand times a second, those of a build for
    /// debugging are what is slow.
    pub fn build_released_with_lab() -> Result<Self> {
        build_as_for_use(&[NAMES.as_slice(), &[LAB]].concat())?;
        Self::released()
    }

    /// Those that [`Programs::build_released`] has built.
    pub fn released() -> Result<Self> {
        let debug = folder()?;
        let target = debug.parent().context("the lab's folder has none above")?;
        Self::in_folder(target.join("release"), &NAMES)
    }

    /// As [`Programs::build`], for scenarios that need fewer. Named as binaries of the workspace, not as
    /// packages: whatever is chosen then, dependencies have the same features and are compiled once.
    pub fn build_only(names: &[&str]) -> Result<Self> {
        let mut command = cargo();
        command.arg("build");
        for name in names {
            command.args(["--bin", name]);
        }
        if folder()?.ends_with("release") {
            command.arg("--release");
        }
        say(&format!("building {}", names.join(", ")));
        let status = command.status().context("cannot run cargo")?;
        ensure!(status.success(), "the programs do not build");
        Self::find_only(names)
    }

    /// Those that are built already: inside the emulated machine nothing else is possible.
    pub fn find() -> Result<Self> {
        Self::find_only(&NAMES)
    }

    fn find_only(names: &[&str]) -> Result<Self> {
        Self::in_folder(folder()?, names)
    }

    fn in_folder(folder: PathBuf, names: &[&str]) -> Result<Self> {
        let programs = Self { folder };
        for name in names {
            let path = programs.path(name);
            ensure!(path.is_file(), "{} is not built", path.display());
        }
        Ok(programs)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The lab as these programs were built.
    pub fn lab(&self) -> PathBuf {
        self.path(LAB)
    }
}

fn build_as_for_use(names: &[&str]) -> Result<()> {
    let mut command = cargo();
    command.args(["build", "--release"]);
    for name in names {
        command.args(["--bin", name]);
    }
    say("building the programs as for use");
    let status = command.status().context("cannot run cargo")?;
    ensure!(status.success(), "the programs do not build");
    Ok(())
}

fn folder() -> Result<PathBuf> {
    let lab = program()?;
    lab.parent()
        .map(Path::to_path_buf)
        .context("the lab's binary is in no folder")
}
