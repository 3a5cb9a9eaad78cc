//! What the service manager is told: ready, reloading, stopping, still alive.
//!
//! Without a manager (no `NOTIFY_SOCKET`) every call does nothing. A manager that does not listen
//! never disturbs the daemon: a notification that cannot be handed over at once is dropped.

use sd_notify::NotifyState;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Where the manager listens.
const SOCKET: &str = "NOTIFY_SOCKET";

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
    if let Some(socket) = std::env::var_os(SOCKET) {
        let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
        let message = format!("{}\n", lines.join("\n"));
        let _ = send(&socket, message.as_bytes());
    }
}

/// Our own few lines, because the crate's would wait: a manager that hangs with a full queue must
/// not stop our heartbeats.
fn send(socket: &OsStr, message: &[u8]) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let datagrams = UnixDatagram::unbound()?;
    datagrams.set_nonblocking(true)?;
    datagrams.send_to_addr(message, &address).map(drop)
}

#[cfg(test)]
mod tests;
