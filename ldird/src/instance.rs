//! One configuration's director on this machine: where its files are, whether it runs, and how to
//! signal it (specification 1.1, 3.9). Never parses the configuration, so stopping and asking work
//! with a broken one, or with none.

use crate::cli::{DEFAULT_FILE, DEFAULT_NAME, Invocation};
use ha_plumbing::claim::{self, Kind, Subject};
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
/// For one that hands over: it has nothing to clean. An old release that knows no handing over is
/// stopped then.
const HAND_OVER_LIMIT: Duration = Duration::from_secs(5);
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
    /// Where other configurations are looked for, and where their directors' files are.
    pub(crate) etc: PathBuf,
    pub(crate) run: PathBuf,
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
        let found = places(invocation).into_iter().find(|place| place.is_file());
        let found = found.ok_or_else(|| NotFound(invocation.config.clone()))?;
        Ok(Self::of(invocation, &found))
    }

    /// A director that runs although its configuration is in none of the places any more.
    pub(crate) fn orphan(invocation: &Invocation) -> Option<Self> {
        let places = places(invocation);
        let mut instances = places.iter().map(|place| Self::of(invocation, place));
        instances.find(|one| matches!(one.state(), State::Running(_)))
    }

    fn of(invocation: &Invocation, path: &Path) -> Self {
        let run = absolute(&invocation.run);
        let name = invocation.name.clone();
        Self {
            path: absolute(path),
            pidfile: pidfile(&run, &name),
            socket: socket(&run, &name),
            etc: absolute(&invocation.etc),
            run,
            name,
        }
    }

    /// The same configuration, with pid file and socket in another folder.
    pub(crate) fn in_folder(&self, run: PathBuf) -> Self {
        Self {
            pidfile: pidfile(&run, &self.name),
            socket: socket(&run, &self.name),
            run,
            ..self.clone()
        }
    }

    /// What the claims of its director are about.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            file: &self.path,
            run: &self.run,
        }
    }

    /// Needs a runtime. The pid file says it first, then the claim on the configuration file, which
    /// outlives the pid file and knows no names, then an old daemon's pid file of the other name.
    pub(crate) fn state(&self) -> State {
        let by_name = state_of(&self.pidfile);
        if matches!(by_name, State::Running(_)) {
            return by_name;
        }
        if let Some(pid) = claim::holder(Kind::Director, self.subject()) {
            return State::Running(pid);
        }
        match self.other_pidfile().map(|path| state_of(&path)) {
            // One of ours under that name would hold the claim if it ran this file.
            Some(State::Running(pid)) if !is_ours(pid) => State::Running(pid),
            _ => by_name,
        }
    }

    /// `start` and `ldirectord.cf start` read one file and keep two pid files (weakness W25).
    fn other_pidfile(&self) -> Option<PathBuf> {
        let file = self.path.file_name()?.to_str()?;
        let other = match (file, self.name.as_str()) {
            (DEFAULT_FILE, DEFAULT_NAME) => DEFAULT_FILE,
            (DEFAULT_FILE, DEFAULT_FILE) => DEFAULT_NAME,
            _ => return None,
        };
        Some(pidfile(self.pidfile.parent()?, other))
    }
}

fn places(invocation: &Invocation) -> [PathBuf; 3] {
    let given = Path::new(&invocation.config);
    let etc = &invocation.etc;
    [
        etc.join(given),
        etc.join("conf").join(given),
        given.to_owned(),
    ]
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn socket(run: &Path, name: &str) -> PathBuf {
    run.join(format!("ldird.{name}.sock"))
}

fn pidfile(run: &Path, name: &str) -> PathBuf {
    run.join(format!("ldirectord.{name}.pid"))
}

fn state_of(pidfile: &Path) -> State {
    let Ok(text) = std::fs::read_to_string(pidfile) else {
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

/// Asks a director to read its configuration again.
pub(crate) fn hang_up(pid: Pid) -> io::Result<()> {
    Ok(kill_process(pid, Signal::HUP)?)
}

/// Asks a director to stop and waits; false if it is still there after [`STOP_LIMIT`].
pub(crate) async fn stop(pid: Pid) -> io::Result<bool> {
    end(pid, Signal::TERM, STOP_LIMIT).await
}

/// Has a director end and leave its table to the next one; an old one, which cannot, stops. False
/// if it is still there after that.
pub(crate) async fn hand_over(pid: Pid) -> io::Result<bool> {
    if is_ours(pid) && end(pid, Signal::USR1, HAND_OVER_LIMIT).await? {
        return Ok(true);
    }
    stop(pid).await
}

/// Ends a director that hears no signal; false if the kernel cannot end it either.
pub(crate) async fn kill(pid: Pid) -> io::Result<bool> {
    end(pid, Signal::KILL, HAND_OVER_LIMIT).await
}

async fn end(pid: Pid, signal: Signal, limit: Duration) -> io::Result<bool> {
    match kill_process(pid, signal) {
        Ok(()) => {}
        // It was faster than we.
        Err(rustix::io::Errno::SRCH) => return Ok(true),
        Err(error) => return Err(error.into()),
    }
    let start = Instant::now();
    while start.elapsed() < limit {
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
    named || is_our_copy(pid)
}

/// Does it run our program, be it of another release? A replaced binary has ` (deleted)` behind its
/// name.
pub(crate) fn is_ours(pid: Pid) -> bool {
    let exe = std::fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero()));
    let name = exe.as_deref().ok().and_then(Path::file_name);
    let name = name.and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_suffix(" (deleted)").unwrap_or(name) == "ldird" || is_our_copy(pid)
}

/// The very program that we are, whatever it is called.
fn is_our_copy(pid: Pid) -> bool {
    let exe = |process: &str| std::fs::read_link(format!("/proc/{process}/exe")).ok();
    let own = exe("self");
    own.is_some() && exe(&pid.as_raw_nonzero().to_string()) == own
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
