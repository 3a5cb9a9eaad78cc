//! Real-time scheduling and locked memory, so that heartbeats are never late because of us.
//!
//! Denials are reported, never fatal: a daemon without them works, only less punctually.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::{fmt, io};

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Priority of SCHED_RR; `None`: the lowest real-time priority, as the old daemon.
    pub priority: Option<u8>,
}

/// What the system refused.
#[derive(Debug)]
pub enum Denied {
    /// Pages of this process may be swapped out.
    MemoryLock(io::Error),
    /// This process waits for others like any other.
    Scheduling { priority: u8, source: io::Error },
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MemoryLock(source) => write!(
                f,
                "memory is not locked ({source}): heartbeats may be late while the machine swaps; \
                 grant CAP_IPC_LOCK or LimitMEMLOCK=infinity, or set `realtime off`"
            ),
            Self::Scheduling { priority, source } => write!(
                f,
                "no real-time scheduling at priority {priority} ({source}): heartbeats may be late \
                 while the machine is busy; grant CAP_SYS_NICE or LimitRTPRIO={priority}, give the \
                 control group real-time time (cpu.rt_runtime_us), or set `realtime off`"
            ),
        }
    }
}

impl std::error::Error for Denied {}

/// The priorities SCHED_RR has here, lowest and highest (1 to 99 on Linux).
pub fn priority_range() -> std::ops::RangeInclusive<u8> {
    1..=99
}

/// Locks memory, then asks for real-time scheduling of the calling thread. Children are scheduled
/// normally. Call it before other threads exist that must not inherit it.
pub fn enter(settings: Settings) -> Vec<Denied> {
    let mut denied = Vec::new();
    if let Err(source) = lock_memory() {
        denied.push(Denied::MemoryLock(source));
    }
    let range = priority_range();
    let lowest = *range.start();
    let priority = settings
        .priority
        .unwrap_or(lowest)
        .clamp(lowest, *range.end());
    if let Err(source) = schedule(priority) {
        denied.push(Denied::Scheduling { priority, source });
    }
    denied
}

/// Locks what is mapped and what will be.
fn lock_memory() -> io::Result<()> {
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    // Needs a privilege that `mlockall` itself can do without if the limit is high enough already.
    let _ = setrlimit(Resource::Memlock, unlimited);
    Ok(mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE)?)
}

/// SCHED_RR for this thread; the kernel resets it in every child (SCHED_RESET_ON_FORK).
#[expect(unsafe_code, reason = "neither std nor rustix has sched_setscheduler")]
fn schedule(priority: u8) -> io::Result<()> {
    let parameter = libc::sched_param {
        sched_priority: libc::c_int::from(priority),
    };
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: 0 means the calling thread, and the parameter is valid for the duration of the call.
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests;
