//! The connect check: a TCP connection is accepted in time (specification 2.4). Nothing is sent.

use super::{Answer, Means};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Connect {
    pub(crate) target: SocketAddr,
    /// For the whole check.
    pub(crate) timeout: Duration,
}

impl Connect {
    pub(super) async fn ask(&self, means: &Means) -> Answer {
        let connected = async {
            match means.dialler.connect(self.target).await {
                // Closed at once: an ordinary end without data.
                Ok(_) => Answer::up("connected"),
                Err(error) => Answer::failed(&error),
            }
        };
        means
            .within(self.timeout, connected, "connection timed out")
            .await
    }
}

/// A failed connection as an operator would say it, without error numbers.
pub(super) fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        io::ErrorKind::TimedOut => "connection timed out".to_owned(),
        io::ErrorKind::UnexpectedEof => "connection closed".to_owned(),
        _ => error.to_string(),
    }
}
