//! A question over UDP: sent until an answer comes, with longer and longer pauses, as datagrams get
//! lost. Whose answer is one, and what it says, the protocol's own codec knows.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// The longest datagram that is looked at, bytes; what is longer is seen cut.
const DATAGRAM_MAX_BYTES: usize = 4096;
/// Datagrams read in one check, so that a flood costs no more than a moment.
const DATAGRAMS_MAX: u32 = 1000;

/// How often a question is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// The first pause; each further one is twice as long.
    pub(super) first: Duration,
    pub(super) sends: u32,
}

/// Sends the question and reads until `judge` breaks with an answer. Without one it waits for ever:
/// the deadline is that of the check.
pub(super) async fn ask<T>(
    socket: &UdpSocket,
    question: &[u8],
    pace: Pace,
    mut judge: impl FnMut(&[u8]) -> ControlFlow<T>,
) -> io::Result<T> {
    let mut left = DATAGRAMS_MAX;
    let mut buffer = vec![0; DATAGRAM_MAX_BYTES];
    let mut answer = async || -> io::Result<T> {
        while left > 0 {
            left -= 1;
            let length = socket.recv(&mut buffer).await?;
            if let ControlFlow::Break(answer) = judge(buffer.get(..length).unwrap_or_default()) {
                return Ok(answer);
            }
        }
        Err(io::Error::other("a flood of datagrams that are no answer"))
    };
    let mut pause = pace.first;
    for _ in 1..pace.sends.max(1) {
        socket.send(question).await?;
        if let Ok(answer) = timeout(pause, answer()).await {
            return answer;
        }
        pause = pause.saturating_mul(2);
    }
    socket.send(question).await?;
    answer().await
}
