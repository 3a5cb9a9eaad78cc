//! One configuration's director on this machine: where its files are, whether it runs, and how to
//! signal it (specification 1.1, 3.9). Never parses the configuration, so stopping and asking work
//! with a broken one.

use crate::cli::Invocation;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Programs whose process with the pid of the file counts as a running director.
const PROGRAMS: [&str; 2] = ["ldirectord", "ldird"];
/// The old daemon's name comes after its interpreter and that one's options.
const WORDS_MAX: usize = 4;
/// How long a stop is waited for; cluster managers allow as much.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(15);
/// How often a stopping director is looked at.
const STOP_LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instance {
    /// The configuration's short name.
    pub(crate) name: String,
    /// The configuration file, absolute.
    pub(crate) path: PathBuf,
    pub(crate) pidfile: PathBuf,
    pub(crate) socket: PathBuf,
}

/// What the pid file says, checked against the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Running(Pid),
    /// The file names a process that is gone or another program.
    Stale(Pid),
    Stopped,
}

/// CONFIG is in none of the three places.
#[derive(Debug, thiserror::Error)]
#[error("Config file {0} not found")]
pub(crate) struct NotFound(String);

impl Instance {
    /// Finds the configuration: in the folder, in its `conf`, or as a path.
    pub(crate) fn locate(invocation: &Invocation) -> Result<Self, NotFound> {
        let given = Path::new(&invocation.config);
        let etc = &invocation.etc;
        let places = [
            etc.join(given),
            etc.join("conf").join(given),
            given.to_owned(),
        ];
        let found = places.into_iter().find(|place| place.is_file());
        let found = found.ok_or_else(|| NotFound(invocation.config.clone()))?;
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let run = absolute(&invocation.run);
        let name = invocation.name.clone();
        Ok(Self {
            path: absolute(&found),
            pidfile: run.join(format!("ldirectord.{name}.pid")),
            socket: run.join(format!("ldird.{name}.sock")),
            name,
        })
    }

    pub(crate) fn state(&self) -> State {
        let Ok(text) = std::fs::read_to_string(&self.pidfile) else {
            return State::Stopped;
        };
        let number = text
            .lines()
            .next()
            .and_then(|line| line.trim().parse().ok());
        // Empty for a moment during a start, and after a full disk.
        let Some(pid) = number.and_then(Pid::from_raw) else {
            return State::Stopped;
        };
        if is_director(pid) {
            State::Running(pid)
        } else {
            State::Stale(pid)
        }
    }
}

/// Asks a director to read its configuration again.
pub(crate) fn hang_up(pid: Pid) -> io::Result<()> {
    Ok(kill_process(pid, Signal::HUP)?)
}

/// Asks a director to stop and waits; false if it is still there after [`STOP_LIMIT`].
pub(crate) async fn stop(pid: Pid) -> io::Result<bool> {
    kill_process(pid, Signal::TERM)?;
    let start = Instant::now();
    while start.elapsed() < STOP_LIMIT {
        if is_gone(pid) {
            return Ok(true);
        }
        tokio::time::sleep(STOP_LOOK).await;
    }
    Ok(is_gone(pid))
}

/// Is one of the programs among the first words of its command line? The old daemon looked for its
/// name anywhere, so an editor with the configuration open passed for it, and was stopped for it.
fn is_director(pid: Pid) -> bool {
    let process = format!("/proc/{}", pid.as_raw_nonzero());
    let Ok(arguments) = std::fs::read(format!("{process}/cmdline")) else {
        return false;
    };
    let words = arguments.split(|byte| *byte == 0);
    let named = words.take(WORDS_MAX).any(|word| {
        let name = word.rsplit(|byte| *byte == b'/').next();
        PROGRAMS.iter().any(|one| name == Some(one.as_bytes()))
    });
    // A copy of ours under another name.
    let own = || std::fs::read_link("/proc/self/exe").ok();
    named || own().is_some_and(|own| std::fs::read_link(format!("{process}/exe")).ok() == Some(own))
}

/// A zombie that nobody has collected yet is gone, too.
fn is_gone(pid: Pid) -> bool {
    if test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
        return true;
    }
    let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let state = status.ok().and_then(|text| {
        let (_, after) = text.rsplit_once(") ")?;
        after.chars().next()
    });
    state.is_none_or(|state| state == 'Z')
}
