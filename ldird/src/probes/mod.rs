//! Health checks: what is asked of a real server, and the asking.
//!
//! A [`Probe`] is the complete definition of a check; the core knows it by number only. Each kind
//! has a file. A probe always ends: it has a deadline of its own, and one that panics is a failed
//! check, nothing more.

mod catalogue;
mod connect;
mod http;
mod pattern;
mod ping;
mod prober;

pub(crate) use catalogue::Catalogue;
pub(crate) use connect::Connect;
pub(crate) use http::{Http, HttpClient, HttpUrl};
pub(crate) use pattern::Pattern;
pub(crate) use ping::Ping;
pub(crate) use prober::{Probed, Prober};

use ldird_core::input::{self, Verdict};
use std::time::{Duration, Instant};

/// Longest message of a verdict, characters.
const MESSAGE_MAX: usize = 200;
/// A deadline noticed so much too late was missed because this process did not run.
const STALL: Duration = Duration::from_millis(500);
/// How often a check is asked at most when this process keeps stalling.
const STALLED_TRIES_MAX: u32 = 3;

/// One question. Real servers whose whole definition is equal share the answer; weight and
/// forwarding are no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Probe {
    Connect(Connect),
    Ping(Ping),
    Http(Box<Http>),
    /// `every` connect checks between two negotiate checks; after a failure the next check
    /// negotiates, and so on until one succeeds.
    Combined {
        every: u32,
        negotiate: Box<Probe>,
        connect: Box<Probe>,
    },
}

/// What a check found, before its duration is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) up: bool,
    pub(crate) message: String,
}

impl Finding {
    pub(crate) fn up(message: impl Into<String>) -> Self {
        Self {
            up: true,
            message: message.into(),
        }
    }

    pub(crate) fn down(message: impl Into<String>) -> Self {
        Self {
            up: false,
            message: message.into(),
        }
    }

    /// One printable line of bounded length.
    fn since(self, start: Instant) -> Verdict {
        let safe = |c: char| if c.is_control() { ' ' } else { c };
        Verdict {
            finding: if self.up {
                input::Finding::Up
            } else {
                input::Finding::Down
            },
            message: self.message.chars().take(MESSAGE_MAX).map(safe).collect(),
            took: start.elapsed(),
        }
    }
}

/// How far a combined check is; the other kinds keep nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Turn {
    /// The next check negotiates.
    #[default]
    Negotiate,
    /// So many connect checks since the last good negotiation.
    Connected(u32),
}

impl Probe {
    /// Asks once. `turn` is what the probe left behind last time.
    async fn ask(&self, turn: Turn, client: &HttpClient) -> (Finding, Turn) {
        match self {
            Self::Connect(_) | Self::Ping(_) | Self::Http(_) => {
                (self.ask_awake(client).await, turn)
            }
            Self::Combined {
                every,
                negotiate,
                connect,
            } => {
                let (step, next) = match turn {
                    Turn::Connected(count) if count < *every => {
                        (connect, Turn::Connected(count + 1))
                    }
                    Turn::Negotiate | Turn::Connected(_) => (negotiate, Turn::Connected(0)),
                };
                let asked = Box::pin(step.ask(Turn::default(), client));
                let (finding, _) = asked.await;
                let next = if finding.up { next } else { Turn::Negotiate };
                (finding, next)
            }
        }
    }

    /// Asks, and asks again where the failure is our own: a process that was stopped, or a machine
    /// that was, finds every deadline passed, and that says nothing about the servers.
    async fn ask_awake(&self, client: &HttpClient) -> Finding {
        for _ in 1..STALLED_TRIES_MAX {
            let start = Instant::now();
            let finding = self.ask_once(client).await;
            if finding.up || start.elapsed() < self.limit() + STALL {
                return finding;
            }
        }
        self.ask_once(client).await
    }

    async fn ask_once(&self, client: &HttpClient) -> Finding {
        match self {
            Self::Connect(connect) => connect.ask().await,
            Self::Ping(ping) => ping.ask().await,
            Self::Http(http) => http.ask(client).await,
            Self::Combined { negotiate, .. } => Box::pin(negotiate.ask_once(client)).await,
        }
    }

    /// No answer takes longer while this process runs.
    fn limit(&self) -> Duration {
        match self {
            Self::Connect(connect) => connect.timeout,
            Self::Ping(ping) => ping.timeout.saturating_mul(ping.attempts.max(1)),
            Self::Http(http) => http.timeout,
            Self::Combined {
                negotiate, connect, ..
            } => negotiate.limit().max(connect.limit()),
        }
    }
}

#[cfg(test)]
mod tests;
