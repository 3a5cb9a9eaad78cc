//! A server of a Debian package on a host: started in the foreground with files of its own, ended with
//! everything it started.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::host::Host;
use super::wait;

const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Lines of a log that are shown when something fails.
const LOG_TAIL: usize = 12;

/// Dropping it ends the server.
pub struct Daemon {
    host: Arc<Host>,
    /// As the kernel calls its processes.
    process: &'static str,
    child: Child,
}

impl Daemon {
    /// Starts a program, which stays in the foreground; its words go to `/srv/PROCESS.log`.
    pub fn start(host: &Arc<Host>, process: &'static str, argv: &[&str]) -> Result<Self> {
        let (program, arguments) = argv.split_first().context("nothing to start")?;
        let folder = host.folder().join("srv");
        fs::create_dir_all(&folder)?;
        let log = File::create(folder.join(format!("{process}.log")))?;
        let child = host
            .command(program)?
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{}: cannot start {process}", host.name()))?;
        Ok(Self {
            host: Arc::clone(host),
            process,
            child,
        })
    }

    /// What it said last, for who wants to know why it does not answer.
    pub fn last_words(&self) -> String {
        let log = format!("srv/{}.log", self.process);
        let log = fs::read(self.host.folder().join(log)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.len().saturating_sub(LOG_TAIL);
        lines.get(tail..).unwrap_or_default().join("\n")
    }

    /// Kills it, with its children, and waits until they are gone.
    pub fn stop(&mut self) -> Result<()> {
        let what = format!("{} of {} ends", self.process, self.host.name());
        wait::until(&what, STOP_LIMIT, || {
            self.host.signal(self.process, Signal::KILL);
            self.host.processes(self.process).is_empty()
        })?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}
