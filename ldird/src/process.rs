//! The one runner for every program that a director starts: checks, fallbackcommand, callback, other
//! directors, mail.
//!
//! Each has a process group of its own, an environment without our own variables, no descriptor of
//! ours, `/` for its folder, and bounded output. Who waits says for how long; beyond that the whole
//! group is asked to end and then ended. What may take long on a broken disk happens on a thread.

use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Programs that exist at once, those that cannot be ended included. Beyond it none is started: more
/// only happens when the disk or the kernel holds them.
const PROGRAMS_MAX: usize = 96;
/// Between asking a group to end and ending it.
const TERM_GRACE: Duration = Duration::from_secs(1);
/// A program that has written so much is flooding, bytes.
const OUTPUT_MAX: usize = 1024 * 1024;
/// As much of a line of output is kept, bytes.
const LINE_MAX: usize = 512;
/// Read at once, bytes.
const READ_BYTES: usize = 4096;
/// So much of a file that cannot be executed is looked at: an interpreter line is shorter.
const HEAD_BYTES: u64 = 256;
/// Runs files that the kernel does not know how to run, as the old daemon's library did.
const SHELL: &str = "/bin/sh";
/// Variables that are between a service manager and us.
const OURS: [&str; 7] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "INVOCATION_ID",
];
/// How our own begin.
const PREFIX: &str = "LDIRD_";

static PLACES: Semaphore = Semaphore::const_new(PROGRAMS_MAX);

/// A program to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    /// A path, or a name that is looked for in `PATH`.
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    /// Besides what we have ourselves.
    pub(crate) environment: Vec<(String, OsString)>,
    /// What it reads; nothing is `/dev/null`.
    pub(crate) input: Vec<u8>,
    pub(crate) output: Output,
    pub(crate) leftovers: Leftovers,
}

/// What becomes of what it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Its last line is kept; a program that floods is ended.
    LastLine,
    /// `/dev/null`: what it leaves in the background may go on writing.
    Discarded,
}

/// What becomes of the processes that it leaves in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leftovers {
    Ended,
    /// They may be what it was started for.
    Kept,
}

/// A program that ran to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) end: End,
    /// The last line of its output that was not blank.
    pub(crate) last_line: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Exited(i32),
    Signalled(i32),
    /// It wrote more than [`OUTPUT_MAX`].
    Flooded,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotStarted {
    /// The file cannot be executed, and why.
    #[error("{0}")]
    Unusable(String),
    /// This machine lacks what a process needs.
    #[error("{0}")]
    NoMeans(String),
}

/// Why a program that was given a limit has no end to tell of.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfinished {
    #[error(transparent)]
    NotStarted(#[from] NotStarted),
    #[error("no end within {} s: ended", .0.as_secs_f64())]
    TimedOut(Duration),
}

impl Job {
    pub(crate) fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            input: Vec::new(),
            output: Output::LastLine,
            leftovers: Leftovers::Kept,
        }
    }

    /// The text as a shell takes it.
    pub(crate) fn shell(text: &str) -> Self {
        Self {
            arguments: vec!["-c".into(), text.into()],
            output: Output::Discarded,
            ..Self::new(SHELL)
        }
    }

    /// Runs it for so long at most.
    pub(crate) async fn run(self, limit: Duration) -> Result<Ran, Unfinished> {
        let mut running = None;
        let ran = async {
            let running = running.insert(start(self).await?);
            Ok(running.finish().await)
        };
        let ended = timeout(limit, ran).await;
        ended.unwrap_or_else(|_| {
            if let Some(running) = running {
                running.end();
            }
            Err(Unfinished::TimedOut(limit))
        })
    }
}

impl Ran {
    pub(crate) fn succeeded(&self) -> bool {
        self.end == End::Exited(0)
    }
}

/// `exit status 3`, with the last line before it if there is one.
impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = match self.end {
            End::Exited(code) => format!("exit status {code}"),
            End::Signalled(signal) => format!("ended by signal {signal}"),
            End::Flooded => format!("ended for writing more than {} KiB", OUTPUT_MAX / 1024),
        };
        if self.last_line.is_empty() {
            return f.write_str(&end);
        }
        write!(f, "{} ({end})", self.last_line)
    }
}

/// Starts a program on a thread: the kernel holds back whoever does so until it has been read from
/// the disk. One that is not wanted any more by then is ended at once.
pub(crate) async fn start(job: Job) -> Result<Running, NotStarted> {
    let Ok(place) = PLACES.try_acquire() else {
        let text = format!("{PROGRAMS_MAX} programs run already, and some cannot be ended");
        return Err(NotStarted::NoMeans(text));
    };
    let started = spawn_blocking(move || begin(&job, place)).await;
    started.unwrap_or_else(|error| Err(NotStarted::NoMeans(error.to_string())))
}

/// Blocking.
fn begin(job: &Job, place: SemaphorePermit<'static>) -> Result<Running, NotStarted> {
    let means = |error: io::Error| NotStarted::NoMeans(error.to_string());
    let attempt = |program: &OsString, first: Option<&OsString>| {
        let (mut command, output) = command(job, program, first).map_err(means)?;
        Ok((command.spawn(), output))
    };
    let (mut spawned, mut output) = attempt(&job.program, None)?;
    if let Err(error) = &spawned
        && error.raw_os_error() == Some(libc::ENOEXEC)
        && is_text(&job.program)
    {
        (spawned, output) = attempt(&SHELL.into(), Some(&job.program))?;
    }
    let mut child = spawned.map_err(|error| refusal(&job.program, &error))?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let input = child.stdin.take().map(|pipe| Input {
        pipe,
        bytes: job.input.clone(),
        written: 0,
    });
    Ok(Running {
        child: Some(child),
        group,
        input,
        output,
        tail: Tail::default(),
        leftovers: job.leftovers,
        place: Some(place),
    })
}

fn command(
    job: &Job,
    program: &OsString,
    first: Option<&OsString>,
) -> io::Result<(Command, Option<pipe::Receiver>)> {
    let mut command = Command::new(program);
    command
        .args(first)
        .args(&job.arguments)
        .current_dir("/")
        .process_group(0);
    for (name, _) in std::env::vars_os() {
        let own = name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        if own || OURS.iter().any(|ours| name == *ours) {
            command.env_remove(name);
        }
    }
    for (name, value) in &job.environment {
        command.env(name, value);
    }
    command.stdin(if job.input.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    });
    let output = match job.output {
        Output::Discarded => {
            command.stdout(Stdio::null()).stderr(Stdio::null());
            None
        }
        // One pipe for both, so that the last line is the last one.
        Output::LastLine => {
            let (reader, writer) = io::pipe()?;
            command.stdout(writer.try_clone()?).stderr(writer);
            Some(pipe::Receiver::from_owned_fd(reader.into())?)
        }
    };
    Ok((command, output))
}

/// What a program of that name would be: where it is, and that it may be executed; or what is wrong.
/// Blocking.
pub(crate) fn find(program: &Path) -> Result<PathBuf, String> {
    let usable = |path: &Path| -> io::Result<()> {
        rustix::fs::access(path, rustix::fs::Access::EXEC_OK)?;
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(())
    };
    if program.as_os_str().as_encoded_bytes().contains(&b'/') {
        let found = usable(program).map(|()| program.to_owned());
        return found.map_err(|error| format!("{}: {error}", program.display()));
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&folders).map(|folder| folder.join(program));
    let found = places.find(|path| usable(path).is_ok());
    found.ok_or_else(|| format!("{}: not found in PATH", program.display()))
}

/// Words of a command as the file has them: divided by blanks, except between quotes. One that as a
/// whole is the name of a file is that file.
pub(crate) fn words(text: &str) -> Vec<String> {
    if Path::new(text).is_file() {
        return vec![text.to_owned()];
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if open == c => quote = None,
            (None, ' ' | '\t') => words.extend(word.take()),
            (None | Some(_), c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Why it was not executed, in words that lead to the mend. Blocking.
fn refusal(program: &OsString, error: &io::Error) -> NotStarted {
    let path = Path::new(program);
    let text = match (error.raw_os_error(), interpreter(path)) {
        (_, Some(name)) if name.ends_with('\r') => format!(
            "{}: line ends of Windows (CR LF): its interpreter is {name:?}",
            path.display()
        ),
        (Some(libc::ENOENT), Some(name)) if path.exists() => {
            format!("{}: its interpreter {name} does not exist", path.display())
        }
        (_, _) => format!("{}: {error}", path.display()),
    };
    match error.raw_os_error() {
        Some(
            libc::ENOENT
            | libc::EACCES
            | libc::EPERM
            | libc::ENOEXEC
            | libc::ENOTDIR
            | libc::EISDIR
            | libc::ELOOP
            | libc::ENAMETOOLONG
            | libc::E2BIG,
        ) => NotStarted::Unusable(text),
        // A name with a NUL byte has no number.
        None if error.kind() == io::ErrorKind::InvalidInput => NotStarted::Unusable(text),
        // EAGAIN, ENOMEM, EMFILE, a script that is just being written, a broken disk.
        Some(_) | None => NotStarted::NoMeans(text),
    }
}

fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    std::fs::File::open(path)?
        .take(HEAD_BYTES)
        .read_to_end(&mut head)?;
    Ok(head)
}

fn interpreter(path: &Path) -> Option<String> {
    let head = head(path).ok()?;
    let line = head.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line.strip_prefix(b"#!")?);
    Some(line.trim_start().to_owned())
}

fn is_text(program: &OsString) -> bool {
    head(Path::new(program)).is_ok_and(|head| !head.contains(&0) && !head.starts_with(b"#!"))
}

/// A started program. Dropped before its end, its group is killed: nobody would watch it any more.
#[derive(Debug)]
pub(crate) struct Running {
    /// `None` once its end is known.
    child: Option<Child>,
    group: Option<Pid>,
    input: Option<Input>,
    output: Option<pipe::Receiver>,
    tail: Tail,
    leftovers: Leftovers,
    place: Option<SemaphorePermit<'static>>,
}

#[derive(Debug)]
struct Input {
    pipe: ChildStdin,
    bytes: Vec<u8>,
    written: usize,
}

/// What a step of waiting brought.
enum Step {
    Wrote(io::Result<usize>),
    Read(io::Result<usize>),
    Ended(io::Result<ExitStatus>),
}

impl Running {
    /// Waits for its end, feeds it and takes what it writes. Dropping the future loses nothing.
    pub(crate) async fn finish(&mut self) -> Ran {
        let mut buffer = [0; READ_BYTES];
        loop {
            let Some(child) = &mut self.child else {
                return self.ran(End::Exited(0));
            };
            let step = tokio::select! {
                biased;
                read = read(&mut self.output, &mut buffer) => Step::Read(read),
                status = child.wait() => Step::Ended(status),
                wrote = write(&mut self.input) => Step::Wrote(wrote),
            };
            match step {
                Step::Read(Ok(length)) if length > 0 => {
                    self.tail.take(buffer.get(..length).unwrap_or_default());
                    if self.tail.total > OUTPUT_MAX {
                        let ran = self.ran(End::Flooded);
                        self.end_child();
                        return ran;
                    }
                }
                Step::Read(_) => self.output = None,
                Step::Wrote(wrote) => self.wrote(wrote),
                Step::Ended(status) => return self.ended(status, &mut buffer),
            }
        }
    }

    fn wrote(&mut self, wrote: io::Result<usize>) {
        let Some(input) = &mut self.input else {
            return;
        };
        input.written += *wrote.as_ref().unwrap_or(&0);
        // It may not want all of it.
        if wrote.is_err() || input.written >= input.bytes.len() {
            self.input = None;
        }
    }

    fn ended(&mut self, status: io::Result<ExitStatus>, buffer: &mut [u8]) -> Ran {
        self.child = None;
        // What it has written is there; what it left behind may never be silent.
        while let Some(output) = &self.output
            && let Ok(length @ 1..) = output.try_read(buffer)
            && self.tail.total <= OUTPUT_MAX
        {
            self.tail.take(buffer.get(..length).unwrap_or_default());
        }
        if self.leftovers == Leftovers::Ended {
            end_group(self.group);
        }
        self.ran(match status {
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => End::Exited(code),
                (None, signal) => End::Signalled(signal.unwrap_or_default()),
            },
            // Its end was missed: somebody else collected it.
            Err(_) => End::Signalled(0),
        })
    }

    fn ran(&self, end: End) -> Ran {
        let last_line = self.tail.last_line();
        Ran { end, last_line }
    }

    /// Asks it and everything in its group to end, and ends what does not. Nobody waits for that.
    pub(crate) fn end(mut self) {
        self.end_child();
    }

    fn end_child(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let (group, place) = (self.group, self.place.take());
        signal(group, Signal::TERM);
        tokio::spawn(async move {
            let _ = timeout(TERM_GRACE, child.wait()).await;
            signal(group, Signal::KILL);
            // One in uninterruptible sleep keeps its place until it is gone.
            let _ = child.wait().await;
            drop(place);
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.is_some() {
            signal(self.group, Signal::KILL);
        }
    }
}

/// What is left of a group whose first process has ended.
fn end_group(group: Option<Pid>) {
    if signal(group, Signal::TERM) {
        tokio::spawn(async move {
            tokio::time::sleep(TERM_GRACE).await;
            signal(group, Signal::KILL);
        });
    }
}

/// False if nobody is there any more.
fn signal(group: Option<Pid>, signal: Signal) -> bool {
    group.is_some_and(|group| kill_process_group(group, signal).is_ok())
}

/// Waits for ever without a pipe.
async fn read(output: &mut Option<pipe::Receiver>, buffer: &mut [u8]) -> io::Result<usize> {
    match output {
        Some(output) => output.read(buffer).await,
        None => std::future::pending().await,
    }
}

async fn write(input: &mut Option<Input>) -> io::Result<usize> {
    match input {
        Some(input) => {
            let rest = input.bytes.get(input.written..).unwrap_or_default();
            input.pipe.write(rest).await
        }
        None => std::future::pending().await,
    }
}

/// The end of an output.
#[derive(Debug, Default)]
struct Tail {
    /// Of the line that is not complete yet.
    line: Vec<u8>,
    /// The last complete one that was not blank.
    last: Vec<u8>,
    /// Bytes so far.
    total: usize,
}

impl Tail {
    fn take(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(bytes.len());
        for byte in bytes {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                if !line.trim_ascii().is_empty() {
                    self.last = line;
                }
            } else if self.line.len() < LINE_MAX {
                self.line.push(*byte);
            }
        }
    }

    fn last_line(&self) -> String {
        let line = self.line.trim_ascii();
        let line = if line.is_empty() {
            self.last.trim_ascii()
        } else {
            line
        };
        String::from_utf8_lossy(line).into_owned()
    }
}

#[cfg(test)]
mod tests;
