//! Health checks: what is asked of a real server, and the asking.
//!
//! A [`Probe`] is the complete definition of a check; the core knows it by number only. Each kind
//! has a file and a line in `kinds!` below: a type with `async fn ask(&self, &Means) -> Answer`. A
//! check always ends: it has a deadline of its own, and one that panics says nothing of the server.

mod agent;
mod apart;
mod awake;
mod catalogue;
mod connect;
mod datagrams;
mod dialler;
mod dialogue;
mod dns;
mod external;
mod framed;
mod http;
mod ldap;
mod look_up;
mod means;
mod mysql;
mod path;
mod pattern;
#[cfg(feature = "pgsql")]
mod pgsql;
mod ping;
mod prober;
mod radius;
mod random;
mod services;
mod sip;
mod sql;
mod stream;
mod switch;
mod tls;
mod want;

pub(crate) use agent::Agent;
pub(crate) use apart::Apart;
pub(crate) use catalogue::Catalogue;
pub(crate) use connect::Connect;
pub(crate) use dialler::Dialler;
pub(crate) use dialogue::{Conversation, FtpCheck, unescaped};
pub(crate) use dns::Dns;
pub(crate) use external::{Command, External, PERL};
pub(crate) use framed::{Frame, Framed};
pub(crate) use http::{Http, Statuses};
pub(crate) use ldap::Ldap;
pub(crate) use means::Means;
pub(crate) use mysql::Mysql;
pub(crate) use path::{Path, Wrap};
pub(crate) use pattern::{Pattern, PatternError};
#[cfg(feature = "pgsql")]
pub(crate) use pgsql::Pgsql;
pub(crate) use ping::Ping;
pub(crate) use prober::{Probed, Prober};
pub(crate) use radius::Radius;
pub(crate) use services::{CheckType, Dialogue, Method, Negotiate, Service};
pub(crate) use sip::Sip;
pub(crate) use tls::Trust;

use ldird_core::input::{AgentSays, Certificate, Finding, Noted, Verdict};
use std::io;
use std::time::Instant;

/// Longest message of a verdict, characters.
const MESSAGE_MAX: usize = 200;

macro_rules! kinds {
    ($($(#[$when:meta])* $kind:ident($check:ty)),+ $(,)?) => {
        /// One question. Real servers whose whole definition is equal share the answer; weight and
        /// forwarding are no part of it.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub(crate) enum Probe {
            $($(#[$when])* $kind($check),)+
            /// `every` connect checks between two negotiate checks; after a failure the next check
            /// negotiates, and so on until one succeeds.
            Combined {
                every: u32,
                negotiate: Box<Probe>,
                connect: Box<Probe>,
            },
        }

        impl Probe {
            /// Asks once. `turn` is what the probe left behind last time.
            async fn ask(&self, turn: Turn, means: &Means) -> (Answer, Turn) {
                match self {
                    $($(#[$when])* Self::$kind(check) => (check.ask(means).await, turn),)+
                    Self::Combined { every, negotiate, connect } => {
                        let negotiates = turn.negotiates(*every);
                        let step = if negotiates { negotiate } else { connect };
                        let (answer, _) = Box::pin(step.ask(Turn::default(), means)).await;
                        let next = turn.after(negotiates, answer.finding);
                        (answer, next)
                    }
                }
            }
        }
    };
}

kinds! {
    Connect(Connect),
    Ping(Ping),
    Http(Box<Http>),
    Apart(Apart),
    Framed(Framed),
    Talk(Box<Conversation>),
    Ftp(Box<FtpCheck>),
    Dns(Dns),
    Ldap(Box<Ldap>),
    Mysql(Box<Mysql>),
    #[cfg(feature = "pgsql")]
    Pgsql(Box<Pgsql>),
    Radius(Radius),
    Sip(Sip),
    External(Box<External>),
    Agent(Agent),
}

impl Probe {
    /// Where its connections come from, if the file says so.
    pub(crate) fn origin(&self) -> Option<&Dialler> {
        match self {
            Self::Framed(framed) => framed.origin(),
            Self::Apart(apart) => apart.inner().origin(),
            Self::Combined { connect, .. } => connect.origin(),
            _ => None,
        }
    }

    /// Does it start a process?
    fn runs_a_command(&self) -> bool {
        match self {
            Self::External(_) => true,
            Self::Framed(framed) => framed.inner().runs_a_command(),
            _ => false,
        }
    }
}

/// What a check found, before its duration is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) finding: Finding,
    pub(crate) message: String,
    /// Up as far as could be asked: the server wants something that we do not have.
    pub(crate) limited: bool,
    /// The one that the server showed.
    pub(crate) certificate: Option<Certificate>,
    /// What an agent said.
    pub(crate) agent: Option<AgentSays>,
}

impl Answer {
    pub(crate) fn up(message: impl Into<String>) -> Self {
        Self::new(Finding::Up, message.into())
    }

    pub(crate) fn down(message: impl Into<String>) -> Self {
        Self::new(Finding::Down, message.into())
    }

    /// With what the server's certificate says of its end, seconds since 1970.
    fn with_certificate(self, until: Option<u64>) -> Self {
        let certificate = until.map(|until| Certificate {
            until_ms: until.saturating_mul(1000),
            near: None,
        });
        Self {
            certificate: certificate.or(self.certificate),
            ..self
        }
    }

    #[cfg(test)]
    fn without_certificate(self) -> Self {
        Self {
            certificate: None,
            ..self
        }
    }

    fn is_up(&self) -> bool {
        self.finding == Finding::Up
    }

    /// The server may be well: the question could not be put.
    pub(crate) fn unasked(message: impl Into<String>) -> Self {
        Self::new(Finding::CouldNotAsk, message.into())
    }

    /// There is a server, and no more can be found out because of what we lack.
    fn limited(message: impl Into<String>) -> Self {
        Self {
            limited: true,
            ..Self::up(message)
        }
    }

    /// The deadline passed while this process did not run.
    fn too_slow() -> Self {
        Self::unasked("this machine is too slow for its checks")
    }

    /// Connecting, writing or reading failed: whose fault that is depends on the error.
    fn failed(error: &io::Error) -> Self {
        match want::of(error) {
            Some(want) => Self::unasked(want),
            None => Self::down(connect::in_words(error)),
        }
    }

    fn new(finding: Finding, message: String) -> Self {
        Self {
            finding,
            message,
            limited: false,
            certificate: None,
            agent: None,
        }
    }

    /// One printable line of bounded length.
    fn since(self, start: Instant) -> Verdict {
        let safe = |c: char| if c.is_control() { ' ' } else { c };
        let text = self.message;
        // Nearly every message is good as it is.
        let fits = text.len() <= MESSAGE_MAX && !text.contains(char::is_control);
        let message = if fits {
            text
        } else {
            text.chars().take(MESSAGE_MAX).map(safe).collect()
        };
        Verdict {
            finding: self.finding,
            message,
            took: start.elapsed(),
            noted: Noted {
                certificate: self.certificate,
                agent: self.agent,
            },
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

impl Turn {
    fn negotiates(self, every: u32) -> bool {
        match self {
            Self::Negotiate => true,
            Self::Connected(count) => count >= every,
        }
    }

    fn after(self, negotiated: bool, finding: Finding) -> Self {
        match (finding, self) {
            // Nothing was asked: the same step again.
            (Finding::CouldNotAsk, turn) => turn,
            (Finding::Down, _) => Self::Negotiate,
            (Finding::Up, Self::Connected(count)) if !negotiated => Self::Connected(count + 1),
            (Finding::Up, Self::Connected(_) | Self::Negotiate) => Self::Connected(0),
        }
    }
}

#[cfg(test)]
mod library;
#[cfg(test)]
mod tests;
