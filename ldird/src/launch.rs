//! Into the background and no sooner back than the director is ready.
//!
//! `start` runs this program again with the same arguments: process lists and cluster managers look
//! for them, and the new process knows by them, for its parent is called exactly as it is. There is no
//! mark in the environment, which everything that the daemon starts would inherit. It leaves the
//! session and says on a pipe when its table is set up. Errors until then go to the caller's standard
//! error.

use rustix::process::setsid;
use std::io::{self, Write as _};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

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
    parent.is_some_and(|parent| are_called_alike(&parent, "self"))
}

/// Have these two processes the same command line, to the letter?
fn are_called_alike(one: &str, other: &str) -> bool {
    let words = |process: &str| std::fs::read(format!("/proc/{process}/cmdline")).ok();
    // That of a zombie is empty.
    words(one).is_some_and(|words_of_one| {
        !words_of_one.is_empty() && words(other).is_some_and(|other| other == words_of_one)
    })
}

/// This program with our own arguments, and with nothing of ours in its environment.
fn daemon() -> Command {
    let mut arguments = std::env::args_os();
    // By its path, so that process lists show its name; a binary that was replaced meanwhile has
    // none any more.
    let program = std::env::current_exe().ok().filter(|path| path.is_file());
    let mut command = Command::new(program.unwrap_or_else(|| "/proc/self/exe".into()));
    command.arg0(arguments.next().unwrap_or_else(|| "ldird".into()));
    command.args(arguments);
    command
}

/// Starts the daemon with our own arguments and waits for it.
pub(crate) async fn launch() -> io::Result<Started> {
    let mut child = daemon()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_environment_of_the_daemon_is_that_of_its_caller() {
        let command = daemon();
        assert_eq!(command.as_std().get_envs().count(), 0);
        let own: Vec<_> = std::env::args_os().skip(1).collect();
        let given: Vec<_> = command.as_std().get_args().map(ToOwned::to_owned).collect();
        assert_eq!(given, own, "by which it is known");
    }

    #[test]
    fn only_a_child_that_is_called_like_its_parent_is_the_daemon() {
        let sleep = |seconds: &str| {
            let mut command = std::process::Command::new("sleep");
            command.arg(seconds).spawn().unwrap()
        };
        let mut sleepers = [sleep("60"), sleep("60"), sleep("61")];
        let [one, same, other] = [0, 1, 2].map(|index: usize| sleepers[index].id().to_string());
        // A child has our own words until it is another program, and none for a moment in between.
        for sleeper in [&one, &same, &other] {
            let words = || std::fs::read(format!("/proc/{sleeper}/cmdline")).unwrap();
            while !words().starts_with(b"sleep\0") {
                std::thread::yield_now();
            }
        }
        assert!(are_called_alike(&one, &same));
        assert!(!are_called_alike(&one, &other));
        sleepers[0].kill().unwrap();
        assert!(!is_background(), "cargo is not called as we are");
        for sleeper in &mut sleepers {
            let _ = sleeper.kill();
            sleeper.wait().unwrap();
        }
        assert!(!are_called_alike(&one, &same), "both are gone");
    }
}
