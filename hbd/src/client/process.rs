//! The daemon's process as whoever tells it to stop sees it: has it ended?

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::time::Timespec;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// A handle on a process, which no later process of the same number can be mistaken for.
pub struct Process {
    /// `None` if it has ended, or lives where we cannot see it.
    handle: Option<OwnedFd>,
}

impl Process {
    /// A process that cannot be watched counts as ended.
    pub fn open(pid: u32) -> Self {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let handle = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Self { handle }
    }

    /// Waits until it has ended, reaped or not. False if that takes longer than `limit`.
    pub async fn ended(self, limit: Duration) -> bool {
        let Some(handle) = self.handle else {
            return true;
        };
        let waiting = tokio::task::spawn_blocking(move || wait(&handle, limit));
        waiting.await.unwrap_or(false)
    }

    /// Waits until it has ended, however long that takes.
    pub fn wait_for_end(self) {
        if let Some(handle) = self.handle {
            while !wait(&handle, WHILE) {}
        }
    }
}

/// One wait of [`Process::wait_for_end`].
const WHILE: Duration = Duration::from_secs(3600);

/// A handle becomes readable when its process ends (`pidfd_open(2)`).
fn wait(handle: &OwnedFd, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).ok();
        let mut handles = [PollFd::new(handle, PollFlags::IN)];
        match poll(&mut handles, left.as_ref()) {
            Ok(ready) => return ready > 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
