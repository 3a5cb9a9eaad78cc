//! The daemons and the dashboard: built once outside, found beside the lab's own binary everywhere.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::bed::{cargo, program, say};

/// What a director has installed.
pub const NAMES: [&str; 3] = ["hbd", "ldird", "hbtui"];

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

    /// As [`Programs::build`], for scenarios that need fewer.
    pub fn build_only(names: &[&str]) -> Result<Self> {
        let mut command = cargo();
        command.arg("build");
        for name in names {
            command.args(["--package", name]);
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
        let programs = Self { folder: folder()? };
        for name in names {
            let path = programs.path(name);
            ensure!(path.is_file(), "{} is not built", path.display());
        }
        Ok(programs)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn folder() -> Result<PathBuf> {
    let lab = program()?;
    lab.parent()
        .map(Path::to_path_buf)
        .context("the lab's binary is in no folder")
}
