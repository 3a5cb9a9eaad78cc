//! The connect check: a TCP connection is accepted in time (specification 2.4). Nothing is sent.

use super::Finding;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Connect {
    pub(crate) target: SocketAddr,
    /// For the whole check.
    pub(crate) timeout: Duration,
}

impl Connect {
    pub(super) async fn ask(&self) -> Finding {
        match timeout(self.timeout, TcpStream::connect(self.target)).await {
            // Closed at once: an ordinary end without data.
            Ok(Ok(_)) => Finding::up("connected"),
            Ok(Err(error)) => Finding::down(in_words(&error)),
            Err(_) => Finding::down("connection timed out"),
        }
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
        _ => error.to_string(),
    }
}
