//! Runs one resource script: finds it, gives it a clean environment, a process group of its own
//! and a time limit, and reads its first words (Heartbeat specification 7.9).
//!
//! What touches the disk does so on a thread of its own: to look for a program and to load it may
//! take long on a busy or broken disk, and heartbeats must not wait for that.

mod output;
mod refusal;

use output::Output;
use refusal::{Refusal, refusal};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use thiserror::Error;
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// Scripts that run at once; further ones wait within their limit. Each takes three of the 1024
/// descriptors that a process usually has.
const SCRIPTS_MAX: usize = 200;
/// How often the length of a script's output is looked at.
const OUTPUT_CHECK: Duration = Duration::from_millis(50);
/// Between asking a script to end and ending it.
const TERM_GRACE: Duration = Duration::from_secs(2);
/// How often it is looked whether anything of its process group is left.
const GROUP_CHECK: Duration = Duration::from_millis(20);
/// For the kernel to end a killed script; one in uninterruptible sleep takes longer and is left.
const KILL_GRACE: Duration = Duration::from_secs(1);

/// Runs what the kernel does not know how to run, as the old daemon's shell did.
const SHELL: &str = "/bin/sh";

static RUNNING: Semaphore = Semaphore::const_new(SCRIPTS_MAX);

/// Where scripts are looked for and what they find in their environment.
#[derive(Debug, Clone)]
pub struct Site {
    /// In the order of looking: `ETC/resource.d`, `/etc/init.d`.
    pub directories: Vec<PathBuf>,
    /// The whole environment: nothing of our own is passed on.
    pub environment: Vec<(OsString, OsString)>,
}

impl Site {
    /// [`Self::find`] off the loop, as a script that is to be run.
    pub async fn locate(&self, script: &str, until: Instant) -> Result<PathBuf, ScriptError> {
        let (directories, name) = (self.clone(), script.to_owned());
        let found = spawn_blocking(move || directories.find(&name));
        match timeout_at(until, found).await {
            Ok(Ok(Ok(Some(path)))) => Ok(path),
            Ok(Ok(Ok(None))) => Err(ScriptError::Missing(script.to_owned())),
            Ok(Ok(Err(error))) => Err(ScriptError::NotNow(error.to_string())),
            Ok(Err(_)) => Err(ScriptError::Ending),
            Err(_) => Err(ScriptError::DiskHangs),
        }
    }

    /// The executable regular file of that name, if there is one. An error if a directory cannot say
    /// now whether it has it. Blocking.
    pub fn find(&self, script: &str) -> io::Result<Option<PathBuf>> {
        // A name with a slash would leave the directories.
        if script.contains('/') || script.starts_with('.') {
            return Ok(None);
        }
        for path in self.directories.iter().map(|place| place.join(script)) {
            if is_executable(&path)? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }
}

fn is_executable(path: &Path) -> io::Result<bool> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(found.is_file() && found.permissions().mode() & 0o111 != 0),
        Err(error) if refusal::stays(&error) => Ok(false),
        Err(error) => {
            let text = format!("{}: {error}", path.display());
            Err(io::Error::new(error.kind(), text))
        }
    }
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
    /// In no directory, or not executable.
    #[error("Cannot locate resource script {0}")]
    Missing(String),
    /// The kernel would not execute it, and why: nothing was started.
    #[error("cannot be executed: {0}")]
    Unusable(String),
    /// Nothing was started either, but what was started before may well run: the machine is short of
    /// processes, memory or descriptors, or its disk fails.
    #[error("cannot be executed now: {0}")]
    NotNow(String),
    #[error("its end was missed: {0}")]
    Lost(io::Error),
    #[error("no answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("the disk with the script does not answer")]
    DiskHangs,
    #[error("interrupted by a stop")]
    Cancelled,
    #[error("the daemon is ending")]
    Ending,
}

impl ScriptError {
    /// Can it never begin as it is, so that nothing of it runs here?
    pub fn is_unusable(&self) -> bool {
        match self {
            Self::Missing(_) | Self::Unusable(_) => true,
            Self::NotNow(_)
            | Self::Lost(_)
            | Self::TimedOut(_)
            | Self::DiskHangs
            | Self::Cancelled
            | Self::Ending => false,
        }
    }

    /// Has this attempt started nothing?
    pub fn began_nothing(&self) -> bool {
        self.is_unusable() || matches!(self, Self::NotNow(_))
    }

    fn no_output(error: &io::Error) -> Self {
        Self::NotNow(format!("no place for its output: {error}"))
    }
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
    let until = Instant::now() + limit;
    let _one_of_few = tokio::select! {
        permit = RUNNING.acquire() => permit,
        error = in_vain(limit, until, cancel) => return Err(error),
    };
    let output = || Output::new().map_err(|error| ScriptError::no_output(&error));
    let (mut stdout, mut stderr) = (output()?, output()?);
    let command = |program: &Path, first: Option<&Path>| -> io::Result<Command> {
        let mut command = Command::new(program);
        command
            .args(first)
            .args(args)
            .arg(operation.as_str())
            .env_clear()
            .envs(site.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(stdout.stdio()?)
            .stderr(stderr.stdio()?)
            .process_group(0);
        Ok(command)
    };
    let attempt = command(path, None).map_err(|error| ScriptError::no_output(&error))?;
    let mut script = match start(attempt, path, until).await? {
        Begun::Script(script) => script,
        Begun::NeedsShell => {
            let attempt = command(Path::new(SHELL), Some(path));
            let attempt = attempt.map_err(|error| ScriptError::no_output(&error))?;
            match start(attempt, Path::new(SHELL), until).await? {
                Begun::Script(script) => script,
                Begun::NeedsShell => {
                    return Err(ScriptError::Unusable(format!("{SHELL} is no program")));
                }
            }
        }
    };
    let error = tokio::select! {
        status = script.child.wait() => {
            script.ended = true;
            return Ok(Ran {
                status: status.map_err(ScriptError::Lost)?,
                stdout: stdout.first_words(),
                stderr: stderr.first_words(),
            });
        }
        error = in_vain(limit, until, cancel) => error,
        () = bound(&stdout, &stderr) => unreachable!("it looks for ever"),
    };
    script.end().await;
    Err(error)
}

/// When there is nothing left to wait for.
async fn in_vain(limit: Duration, until: Instant, cancel: &mut Cancel) -> ScriptError {
    tokio::select! {
        () = sleep_until(until) => ScriptError::TimedOut(limit),
        // A sender that is gone cancels nothing.
        Ok(_) = cancel.wait_for(|cancelled| *cancelled) => ScriptError::Cancelled,
    }
}

async fn bound(stdout: &Output, stderr: &Output) {
    loop {
        tokio::time::sleep(OUTPUT_CHECK).await;
        stdout.bound();
        stderr.bound();
    }
}

/// What came of an attempt to execute a file.
enum Begun {
    Script(Script),
    /// It is a text without an interpreter line: the old daemon's shell ran such files itself.
    NeedsShell,
}

/// Starts a script on a thread of its own: the kernel holds back whoever starts a program until it
/// has been read from the disk. One that starts too late is ended at once.
fn start(
    mut command: Command,
    path: &Path,
    until: Instant,
) -> impl Future<Output = Result<Begun, ScriptError>> {
    let path = path.to_owned();
    let started = spawn_blocking(move || -> Result<Begun, ScriptError> {
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => match refusal(&path, &error) {
                Refusal::NeedsShell => return Ok(Begun::NeedsShell),
                Refusal::Stays(why) => return Err(ScriptError::Unusable(why)),
                Refusal::Passes(why) => return Err(ScriptError::NotNow(why)),
            },
        };
        let id = child.id();
        id.inspect(|id| expendable(*id));
        let group = id.and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Begun::Script(Script {
            child,
            group,
            ended: false,
        }))
    });
    async move {
        match timeout_at(until, started).await {
            Ok(Ok(begun)) => begun,
            Ok(Err(_)) => Err(ScriptError::Ending),
            Err(_) => Err(ScriptError::DiskHangs),
        }
    }
}

/// Takes back the protection from the kernel's memory killer that a service manager gives to us:
/// services must not inherit it.
fn expendable(id: u32) {
    // Where we are not protected, or the script has ended already, nothing is lost.
    let _ = std::fs::write(format!("/proc/{id}/oom_score_adj"), "0");
}

/// A started script. Dropped before it ended, it is killed: nobody would watch it any more.
struct Script {
    child: Child,
    group: Option<Pid>,
    ended: bool,
}

impl Script {
    /// Ends it and everything it started in its process group.
    async fn end(mut self) {
        self.signal(Signal::TERM);
        // What it started may need longer to end in order than it does itself.
        if timeout(TERM_GRACE, self.emptied()).await.is_err() {
            self.signal(Signal::KILL);
            let _ = timeout(KILL_GRACE, self.child.wait()).await;
        }
        self.ended = true;
    }

    /// Returns when nothing of its process group is left.
    async fn emptied(&mut self) {
        let _ = self.child.wait().await;
        while let Some(group) = self.group
            && test_kill_process_group(group).is_ok()
        {
            tokio::time::sleep(GROUP_CHECK).await;
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // It may end by itself at this moment: then there is nothing to signal.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if !self.ended {
            self.signal(Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests;
