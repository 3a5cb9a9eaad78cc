//! One instance only: a pid file in the old layout, held with a lock for as long as we live.
//!
//! The lock decides, the number is for people and scripts. Never removes or overwrites the file of
//! another living daemon, be it one of ours or the old one, which knows no lock.

use ha_status::Severity;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, test_kill_process};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// How often the file may be replaced under us before we give up.
const ATTEMPTS: usize = 16;

/// No pid file is longer, bytes.
const MAX_CONTENT: u64 = 64;

/// How the number stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// heartbeat: right-aligned in 11 columns, then a line feed: 12 bytes.
    Padded,
    /// ldirectord: digits and a line feed.
    Plain,
}

/// Why we may not run.
#[derive(Debug, Error)]
pub enum LockError {
    /// Somebody else does. `pid` is unknown if the file was empty.
    #[error("already running{} ({})", with_pid(*.pid), .path.display())]
    Running { path: PathBuf, pid: Option<u32> },
    #[error("cannot use pid file {}: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
    /// It was replaced again and again while we tried.
    #[error("pid file {} does not keep still", .path.display())]
    Unsteady { path: PathBuf },
}

fn with_pid(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" [pid {pid}]")).unwrap_or_default()
}

/// A held pid file. Dropping it removes the file.
#[derive(Debug)]
pub struct Lockfile {
    path: PathBuf,
    file: File,
    layout: Layout,
    rivals: &'static [&'static str],
    /// It has vanished and could not be written again, which has been said.
    lost: bool,
}

/// What became of a pid file that somebody had removed, for the log.
#[derive(Debug, Error)]
pub enum Refill {
    #[error("pid file {} had vanished and is written again", .0.display())]
    Written(PathBuf),
    #[error("pid file {} has vanished: {error}; it is tried again", .path.display())]
    Failed { path: PathBuf, error: LockError },
}

impl Refill {
    pub fn severity(&self) -> Severity {
        match self {
            Self::Written(_) => Severity::Info,
            Self::Failed { .. } => Severity::Warning,
        }
    }
}

impl Lockfile {
    /// Takes the lock and writes our pid. `rivals` are program names (`heartbeat`): a living
    /// process of such a name with the pid in the file counts as running, lock or no lock.
    pub fn acquire(
        path: &Path,
        layout: Layout,
        rivals: &'static [&'static str],
    ) -> Result<Self, LockError> {
        let failed = |source| LockError::File {
            path: path.to_owned(),
            source,
        };
        for _ in 0..ATTEMPTS {
            let mut file = open(path).map_err(failed)?;
            let pid = read_pid(&mut file).map_err(failed)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(running(path, pid)),
                Err(error) => return Err(failed(error.into())),
            }
            if !is_at(&file, path).map_err(failed)? {
                // The daemon before us removed it between our opening and our locking.
                continue;
            }
            if pid.is_some_and(|pid| is_rival(pid, rivals)) {
                return Err(running(path, pid));
            }
            write_pid(&mut file, layout).map_err(failed)?;
            return Ok(Self {
                path: path.to_owned(),
                file,
                layout,
                rivals,
                lost: false,
            });
        }
        Err(LockError::Unsteady {
            path: path.to_owned(),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file again if somebody has removed it, or emptied the whole directory; that of
    /// another daemon is left alone. What there is to say of it, a failure once.
    pub fn refill(&mut self) -> Option<Refill> {
        // What cannot be looked at cannot be written either.
        if is_at(&self.file, &self.path).unwrap_or(true) {
            self.lost = false;
            return None;
        }
        if let Some(folder) = self.path.parent() {
            // If this fails, the next step says so.
            let _ = std::fs::create_dir_all(folder);
        }
        match Self::acquire(&self.path, self.layout, self.rivals) {
            Ok(fresh) => {
                *self = fresh;
                Some(Refill::Written(self.path.clone()))
            }
            Err(_) if self.lost => None,
            Err(error) => {
                self.lost = true;
                let path = self.path.clone();
                Some(Refill::Failed { path, error })
            }
        }
    }
}

/// The living process of one of these programs that a pid file names. Changes nothing.
pub fn holder(path: &Path, programs: &[&str]) -> Option<Pid> {
    let pid = read_pid(&mut File::open(path).ok()?).ok()??;
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
    is_rival(pid, programs).then_some(number)
}

/// Removes the file if it is still ours.
impl Drop for Lockfile {
    fn drop(&mut self) {
        if is_at(&self.file, &self.path).unwrap_or(false) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn running(path: &Path, pid: Option<u32>) -> LockError {
    LockError::Running {
        path: path.to_owned(),
        pid,
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .open(path)
}

/// Is this open file the one that has that name now?
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(named) => Ok((ours.dev(), ours.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn read_pid(file: &mut File) -> io::Result<Option<u32>> {
    let mut content = Vec::new();
    file.take(MAX_CONTENT).read_to_end(&mut content)?;
    let text = String::from_utf8_lossy(&content);
    let number = text.split_whitespace().next().map(str::parse);
    Ok(number.and_then(Result::ok).filter(|pid| *pid > 0))
}

fn write_pid(file: &mut File, layout: Layout) -> io::Result<()> {
    let pid = std::process::id();
    let text = match layout {
        Layout::Padded => format!("{pid:>11}\n"),
        Layout::Plain => format!("{pid}\n"),
    };
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

/// Is that process alive and one of these programs?
fn is_rival(pid: u32, rivals: &[&str]) -> bool {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let Some(number) = number else { return false };
    // EPERM also means alive.
    if pid == std::process::id() || test_kill_process(number) == Err(rustix::io::Errno::SRCH) {
        return false;
    }
    let Ok(name) = std::fs::read_to_string(format!("/proc/{pid}/comm")) else {
        return false;
    };
    rivals.contains(&name.trim_end())
}

#[cfg(test)]
mod tests;
