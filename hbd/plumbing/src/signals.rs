//! The signals a daemon listens to, as values.
//!
//! Waiting is cancel-safe: a signal that nobody awaits yet is kept by the runtime. Several of one
//! kind in a row may arrive as one, as always with signals.

use std::io;
use tokio::select;
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

/// What was asked for. Its meaning is the daemon's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    Terminate,
    Interrupt,
    Hangup,
    User1,
    User2,
}

/// Listens from its creation on; needs a runtime with I/O enabled.
#[derive(Debug)]
pub struct Signals {
    terminate: Listener,
    interrupt: Listener,
    hangup: Listener,
    user1: Listener,
    user2: Listener,
}

impl Signals {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
        })
    }

    /// The next signal; ending comes before everything else.
    pub async fn next(&mut self) -> Signal {
        select! {
            biased;
            Some(()) = self.terminate.recv() => Signal::Terminate,
            Some(()) = self.interrupt.recv() => Signal::Interrupt,
            Some(()) = self.hangup.recv() => Signal::Hangup,
            Some(()) = self.user1.recv() => Signal::User1,
            Some(()) = self.user2.recv() => Signal::User2,
            // Streams of signals end only with the runtime, and then nobody polls us.
            else => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests;
