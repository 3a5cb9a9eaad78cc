//! The negotiate check of sip (specification 2.18): OPTIONS, and a final answer of 200, over UDP or
//! TCP as the virtual service has it.

mod message;

use super::datagrams::{self, Pace};
use super::services::Dialogue;
use super::{Answer, Means, Probe};
use message::{Options, Reading};
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// T1 of RFC 3261 section 17.1.2.2, and its doubling up to T2.
const PACE: Pace = Pace {
    first: Duration::from_millis(500),
    sends: 5,
};
/// Bytes of provisional and final answers over TCP.
const ANSWERS_MAX_BYTES: usize = 64 * 1024;
const READ_BYTES: usize = 2048;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Sip {
    /// The real server and its check port.
    target: SocketAddr,
    udp: bool,
    /// `user@host` of the address asked about.
    login: Vec<u8>,
    /// For everything.
    timeout: Duration,
}

impl Sip {
    pub(crate) fn probe(dialogue: Dialogue) -> Probe {
        let login = dialogue.login.filter(|login| !login.is_empty());
        Probe::Sip(Self {
            target: dialogue.target,
            udp: dialogue.udp,
            login: login.unwrap_or_else(our_own),
            timeout: dialogue.timeout,
        })
    }

    pub(super) async fn ask(&self, means: &Means) -> Answer {
        let exchange = async {
            let answer = if self.udp {
                self.over_udp(means).await
            } else {
                self.over_tcp(means).await
            };
            match answer {
                Ok(status) if status.code == 200 => Answer::up(status.line),
                Ok(status) => Answer::down(status.line),
                Err(error) => Answer::failed(&error),
            }
        };
        means
            .within(self.timeout, Box::pin(exchange), "no answer in time")
            .await
    }

    async fn over_udp(&self, means: &Means) -> io::Result<message::Status> {
        let socket = means.dialler.connect_udp(self.target)?;
        let options = Options::new("UDP", socket.local_addr()?);
        datagrams::ask(
            &socket,
            &options.request(&self.login),
            PACE,
            |bytes| match options.read(bytes) {
                Reading::Final(status) => ControlFlow::Break(status),
                Reading::Foreign | Reading::Partial | Reading::Provisional(_) => {
                    ControlFlow::Continue(())
                }
            },
        )
        .await
    }

    async fn over_tcp(&self, means: &Means) -> io::Result<message::Status> {
        let mut stream = means.dialler.connect(self.target).await?;
        let options = Options::new("TCP", stream.local_addr()?);
        stream.write_all(&options.request(&self.login)).await?;
        let mut seen = Vec::new();
        let mut left = ANSWERS_MAX_BYTES;
        loop {
            match options.read(&seen) {
                Reading::Final(status) => return Ok(status),
                Reading::Provisional(length) => {
                    seen.drain(..length);
                    continue;
                }
                Reading::Foreign => return Err(io::Error::other("this is not SIP")),
                Reading::Partial => {}
            }
            if left == 0 {
                return Err(io::Error::other("an answer without end"));
            }
            let mut chunk = (&mut stream).take(READ_BYTES.min(left) as u64);
            match chunk.read_buf(&mut seen).await? {
                0 => return ended(&options, seen),
                length => left = left.saturating_sub(length),
            }
        }
    }
}

/// The end of the connection is one of the head, too.
fn ended(options: &Options, mut seen: Vec<u8>) -> io::Result<message::Status> {
    seen.extend(b"\r\n\r\n");
    match options.read(&seen) {
        Reading::Final(status) => Ok(status),
        Reading::Foreign | Reading::Partial | Reading::Provisional(_) => {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

/// What the old daemon asks about where the file names nobody.
fn our_own() -> Vec<u8> {
    let system = rustix::system::uname();
    [b"ldirectord@", system.nodename().to_bytes()].concat()
}

#[cfg(test)]
mod tests;
