//! Debian packages that are used without being installed: two mail servers cannot live on one system,
//! and some want to configure the machine. They are fetched once, with what they need that the
//! system lacks, and lie under the artefacts of the lab.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::packages::{apt, from_archive, is_debian_like, run};
use super::{alone, artefacts, say};

/// A package's files and those of its dependencies in one tree.
pub struct Unpacked {
    tree: PathBuf,
}

impl Unpacked {
    /// Fetches the package if that was not done before.
    pub fn fetch(package: &str) -> Result<Self> {
        let _alone = alone()?;
        let tree = artefacts().join("unpacked").join(package);
        if tree.is_dir() {
            return Ok(Self { tree });
        }
        ensure!(
            is_debian_like(),
            "the lab fetches Debian's package {package}, and this is no Debian-like system"
        );
        say(&format!("fetching {package} (unpacked, not installed)"));
        let fresh = tempfile::tempdir_in(artefacts())?;
        // The unprivileged download user of apt could not write here.
        from_archive(|| {
            run(apt()
                .args(["-o", "APT::Sandbox::User=root", "download"])
                .args(wanted(package)?)
                .current_dir(fresh.path()))
        })?;
        let files = fs::read_dir(fresh.path())?.collect::<Result<Vec<_>, _>>()?;
        let archives = files.into_iter().map(|entry| entry.path());
        for archive in archives.filter(|path| path.extension().is_some_and(|ext| ext == "deb")) {
            run(Command::new("dpkg-deb")
                .arg("-x")
                .arg(&archive)
                .arg(fresh.path()))?;
            fs::remove_file(&archive)?;
        }
        fs::create_dir_all(tree.parent().context("a tree has a parent")?)?;
        fs::rename(fresh.keep(), &tree)?;
        Ok(Self { tree })
    }

    /// A file of the package, as `usr/sbin/exim4`.
    pub fn path(&self, file: &str) -> Result<PathBuf> {
        let path = self.tree.join(file);
        if !path.exists() {
            bail!("{} has no {file}", self.tree.display());
        }
        Ok(path)
    }

    /// Folders of libraries, for `LD_LIBRARY_PATH`; `own` are the package's private ones.
    pub fn libraries(&self, own: &[&str]) -> String {
        let machine = format!("{}-linux-gnu", std::env::consts::ARCH);
        let usual = [format!("usr/lib/{machine}"), format!("lib/{machine}")];
        let folders = own.iter().copied().chain(usual.iter().map(String::as_str));
        let folders: Vec<String> = folders
            .map(|folder| self.tree.join(folder).display().to_string())
            .collect();
        folders.join(":")
    }
}

/// The package and what apt would install with it.
fn wanted(package: &str) -> Result<Vec<String>> {
    let output = apt()
        .args(["--simulate", "install", "--no-install-recommends", package])
        .env("LC_ALL", "C")
        .output()
        .context("cannot run apt-get")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = text.lines().filter_map(|line| line.strip_prefix("Inst "));
    let mut names: Vec<String> = rows
        .filter_map(|row| row.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    if !names.iter().any(|name| name == package) {
        names.push(package.to_owned());
    }
    Ok(names)
}
