//! The signals a daemon listens to, as values.
//!
//! Waiting is cancel-safe: a signal that nobody awaits yet is kept by the runtime. Several of one
//! kind in a row may arrive as one, as always with signals.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
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

/// Listens from its creation on; needs a runtime with I/O enabled. The default listens to none.
#[derive(Debug, Default)]
pub struct Signals {
    /// Those that end the daemon come first.
    listeners: Vec<(Signal, Listener)>,
}

impl Signals {
    pub fn new() -> io::Result<Self> {
        let kinds = [
            (Signal::Terminate, SignalKind::terminate()),
            (Signal::Interrupt, SignalKind::interrupt()),
            (Signal::Hangup, SignalKind::hangup()),
            (Signal::User1, SignalKind::user_defined1()),
            (Signal::User2, SignalKind::user_defined2()),
        ];
        let listen = |(meaning, kind)| Ok((meaning, signal(kind)?));
        let listeners = kinds.into_iter().map(listen);
        Ok(Self {
            listeners: listeners.collect::<io::Result<_>>()?,
        })
    }

    /// The next signal; ending comes before everything else.
    pub async fn next(&mut self) -> Signal {
        poll_fn(|context| {
            let mut listeners = self.listeners.iter_mut();
            let came = listeners.find_map(|(meaning, listener)| {
                let came = listener.poll_recv(context) == Poll::Ready(Some(()));
                came.then_some(*meaning)
            });
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

#[cfg(test)]
mod tests;
