//! Runs one resource script: finds it, gives it a clean environment, a process group of its own
//! and a time limit, and reads its first words (Heartbeat specification 7.9).
//!
//! Output goes to memory files and not to pipes: a service that a script starts may keep its
//! standard output for ever without blocking us, and without dying of a closed pipe.

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use thiserror::Error;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

/// A script may write so much; further writing fails for it (the file is sealed at this size).
const OUTPUT_MAX_BYTES: u64 = 1024 * 1024;
/// So much of it is read.
const OUTPUT_READ_BYTES: u64 = 4096;
/// Between asking a script to end and ending it.
const TERM_GRACE: Duration = Duration::from_secs(2);
/// For the kernel to end a killed script; one in uninterruptible sleep takes longer and is left.
const KILL_GRACE: Duration = Duration::from_secs(1);

/// Where scripts are looked for and what they find in their environment.
#[derive(Debug, Clone)]
pub struct Site {
    /// In the order of looking: `ETC/resource.d`, `/etc/init.d`.
    pub directories: Vec<PathBuf>,
    /// The whole environment: nothing of our own is passed on.
    pub environment: Vec<(OsString, OsString)>,
}

impl Site {
    /// The executable regular file of that name, if there is one.
    pub fn find(&self, script: &str) -> Option<PathBuf> {
        // A name with a slash would leave the directories.
        if script.contains('/') || script.starts_with('.') {
            return None;
        }
        self.directories
            .iter()
            .map(|directory| directory.join(script))
            .find(|path| is_executable(path))
    }
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// What a script is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Start,
    Stop,
    Status,
}

impl Operation {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Status => "status",
        }
    }
}

/// A script that ran to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    pub status: ExitStatus,
    /// The first 4 KB of its standard output.
    pub stdout: String,
    /// The first 4 KB of its standard error.
    pub stderr: String,
}

impl Ran {
    /// `exit status 1 (cannot mount /data)`, with the first line that it wrote, if any.
    pub fn describe(&self) -> String {
        let ended = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        };
        let line = |text: &str| {
            let found = text.lines().map(str::trim).find(|line| !line.is_empty());
            found.map(str::to_owned)
        };
        match line(&self.stderr).or_else(|| line(&self.stdout)) {
            Some(line) => format!("{ended} ({line})"),
            None => ended,
        }
    }

    /// Does a status answer say that the resource runs? The old rule: its words decide, never its
    /// exit status.
    pub fn says_running(&self) -> bool {
        says_running(&self.stdout)
    }
}

/// "not", a blank and later "running" means no; else "running" or "OK" means yes.
fn says_running(words: &str) -> bool {
    let running = |text: &str| text.contains("running") || text.contains("Running");
    let negated = words
        .to_ascii_lowercase()
        .match_indices("not ")
        .any(|(at, _)| words.get(at..).is_some_and(running));
    !negated && (running(words) || words.contains("OK"))
}

#[derive(Debug, Error)]
pub enum ScriptError {
    #[error("cannot be run: {0}")]
    Spawn(#[from] io::Error),
    #[error("no answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("interrupted by a stop")]
    Cancelled,
}

/// Tells a running script that its result is not wanted any more.
pub type Cancel = watch::Receiver<bool>;

/// Runs `path args operation`. Beyond the limit, or when cancelled, its whole process group is
/// ended before this returns.
pub async fn run(
    site: &Site,
    path: &Path,
    args: &[String],
    operation: Operation,
    limit: Duration,
    cancel: &mut Cancel,
) -> Result<Ran, ScriptError> {
    let (stdout, stderr) = (output_file()?, output_file()?);
    let mut child = Command::new(path)
        .args(args)
        .arg(operation.as_str())
        .env_clear()
        .envs(site.environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(stdout.try_clone()?)
        .stderr(stderr.try_clone()?)
        .process_group(0)
        .spawn()?;
    child.id().inspect(|id| expendable(*id));
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let error = tokio::select! {
        status = child.wait() => {
            return Ok(Ran {
                status: status?,
                stdout: first_words(stdout),
                stderr: first_words(stderr),
            });
        }
        () = tokio::time::sleep(limit) => ScriptError::TimedOut(limit),
        // A sender that is gone cancels nothing.
        Ok(_) = cancel.wait_for(|cancelled| *cancelled) => ScriptError::Cancelled,
    };
    end(&mut child, group).await;
    Err(error)
}

/// Takes back the protection from the kernel's memory killer that a service manager gives to us:
/// services must not inherit it.
fn expendable(id: u32) {
    // Where we are not protected, or the script has ended already, nothing is lost.
    let _ = std::fs::write(format!("/proc/{id}/oom_score_adj"), "0");
}

/// Ends a script and everything it started in its process group.
async fn end(child: &mut Child, group: Option<Pid>) {
    let Some(group) = group else { return };
    // It may end by itself at this moment: then there is nothing to signal.
    let _ = kill_process_group(group, Signal::TERM);
    let _ = timeout(TERM_GRACE, child.wait()).await;
    let _ = kill_process_group(group, Signal::KILL);
    let _ = timeout(KILL_GRACE, child.wait()).await;
}

/// A file in memory that cannot grow beyond its bound.
fn output_file() -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = File::from(rustix::fs::memfd_create("script output", flags)?);
    file.set_len(OUTPUT_MAX_BYTES)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::GROW | SealFlags::SHRINK)?;
    Ok(file)
}

/// The beginning of what was written. The script shares our file offset: it stands at the end.
fn first_words(mut file: File) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let written = file.stream_position()?;
        file.rewind()?;
        let mut bytes = Vec::new();
        file.take(written.min(OUTPUT_READ_BYTES))
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
