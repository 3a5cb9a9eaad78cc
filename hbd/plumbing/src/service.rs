//! What the service manager is told: ready, reloading, stopping, still alive.
//!
//! Without a manager (no `NOTIFY_SOCKET`) every call does nothing. A manager that does not listen
//! never disturbs the daemon: a failed notification is dropped.

use sd_notify::NotifyState;
use std::time::Duration;

/// The daemon is up; `status` is one line for `systemctl status`.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// A reload begins; [`ready`] must follow, also after a refused one.
pub fn reloading() {
    // Managers since version 253 demand the time with it.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The daemon has begun to end.
pub fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// One line for `systemctl status`.
pub fn status(text: &str) {
    tell(&[NotifyState::Status(text)]);
}

/// How often [`watchdog`] must be called, half of what the manager tolerates; `None` if it does
/// not watch us.
pub fn watchdog_interval() -> Option<Duration> {
    let limit = sd_notify::watchdog_enabled()?;
    (!limit.is_zero()).then(|| limit / 2)
}

/// The loop is healthy.
pub fn watchdog() {
    tell(&[NotifyState::Watchdog]);
}

fn tell(states: &[NotifyState]) {
    let _ = sd_notify::notify(states);
}
