//! Into the background and no sooner back than the director is ready.
//!
//! `start` runs this program again with the same arguments (process lists and cluster managers look
//! for them) and a mark in the environment, which means nothing to anybody further down; the new
//! process leaves the session and says on a pipe when its table is set up. Errors until then go to the
//! caller's standard error.

use rustix::process::setsid;
use std::io::{self, Write as _};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

/// Marks the process that is to become the daemon with the pid of the one that waits for it. What a
/// daemon starts inherits the mark, but is nobody's child but the daemon's.
const MARK: &str = "LDIRD_BACKGROUND";
/// What it says when it is ready.
const READY: &str = "ready";
/// A start takes no longer, name look-ups and the loading of kernel modules included.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How the start went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Started {
    Ready,
    /// It ended, with this exit code.
    Failed(u8),
    /// Still trying; it goes on in the background.
    Slow,
}

/// Are we the process that is to become the daemon?
pub(crate) fn is_background() -> bool {
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().to_string());
    parent.is_some() && parent == std::env::var(MARK).ok()
}

/// Starts the daemon with our own arguments and waits for it.
pub(crate) async fn launch() -> io::Result<Started> {
    let mut arguments = std::env::args_os();
    // By its path, so that process lists show its name; a binary that was replaced meanwhile has
    // none any more.
    let program = std::env::current_exe().ok().filter(|path| path.is_file());
    let mut command = Command::new(program.unwrap_or_else(|| "/proc/self/exe".into()));
    command.arg0(arguments.next().unwrap_or_else(|| "ldird".into()));
    let mut child = command
        .args(arguments)
        .env(MARK, std::process::id().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = child.stdout.take().map(BufReader::new);
    let said = async {
        let mut line = String::new();
        match lines {
            Some(mut lines) => lines.read_line(&mut line).await.map(|_| line),
            None => Ok(line),
        }
    };
    match timeout(START_LIMIT, said).await {
        Ok(Ok(line)) if line.trim_end() == READY => Ok(Started::Ready),
        Ok(_) => {
            let status = child.wait().await?;
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            Ok(Started::Failed(code.unwrap_or(1)))
        }
        Err(_) => Ok(Started::Slow),
    }
}

/// Leaves the caller's session and folder.
pub(crate) fn detach() -> io::Result<()> {
    // Fails only for the leader of a session, who needs it no more.
    let _ = setsid();
    std::env::set_current_dir("/")
}

/// Tells the caller, and lets go of its terminal.
pub(crate) fn say_ready() -> io::Result<()> {
    let mut out = io::stdout();
    // The caller may have given up waiting; we are ready all the same.
    let _ = writeln!(out, "{READY}").and_then(|()| out.flush());
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}
