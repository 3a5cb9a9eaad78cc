//! The agent check: a program on the real server says in one line what it wants for that server (the
//! protocol of haproxy's `agent-check`). What it says is noted; what becomes of it is the core's affair.

mod words;

use super::connect::in_words;
use super::stream::finish;
use super::{Answer, Means, want};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest line that is read.
const LINE_MAX_BYTES: usize = 1024;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Agent {
    pub(crate) target: SocketAddr,
    /// Is said first, as it is; may be empty.
    pub(crate) say: Vec<u8>,
    /// For all of it.
    pub(crate) timeout: Duration,
}

impl Agent {
    pub(super) async fn ask(&self, means: &Means) -> Answer {
        let asked = Box::pin(async {
            let line = match self.line(means).await {
                Ok(line) => line,
                Err(error) => return failed(&error),
            };
            match words::read(&line) {
                Ok(says) => Answer {
                    agent: Some(says),
                    ..Answer::up(words::told(&line))
                },
                Err(unread) => Answer::down(unread.to_string()),
            }
        });
        means.within(self.timeout, asked, "no answer in time").await
    }

    /// What it says before the end of a line, or before it says no more.
    async fn line(&self, means: &Means) -> io::Result<Vec<u8>> {
        let mut stream = means.dialler.connect(self.target).await?;
        stream.write_all(&self.say).await?;
        let mut line = Vec::with_capacity(LINE_MAX_BYTES);
        while line.len() < LINE_MAX_BYTES {
            let left = LINE_MAX_BYTES - line.len();
            let heard = (&mut stream).take(left as u64).read_buf(&mut line).await?;
            if let Some(end) = line.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
                line.truncate(end);
                say_goodbye(&mut stream).await;
                return Ok(line);
            }
            if heard == 0 {
                return Ok(line);
            }
        }
        let message = format!("a line of more than {LINE_MAX_BYTES} bytes");
        Err(io::Error::new(io::ErrorKind::InvalidData, message))
    }
}

/// An agent that still talks is not reset.
async fn say_goodbye(stream: &mut TcpStream) {
    finish(stream, &mut Vec::new()).await;
}

fn failed(error: &io::Error) -> Answer {
    match want::of(error) {
        Some(want) => Answer::unasked(want),
        None => Answer::down(in_words(error)),
    }
}

#[cfg(test)]
mod tests;
