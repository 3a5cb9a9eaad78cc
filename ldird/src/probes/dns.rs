//! The negotiate check of dns (specification 2.14): one question, and one of the records in its answer
//! must match. Over UDP, and over TCP where the virtual service is TCP or an answer was cut short.
//!
//! The packets are the library's; which answer is ours, and what of it counts, is decided in
//! [`message`]. What is asked, and with which domains appended, stands in [`question`].

mod message;
mod question;

use super::datagrams::{self, Pace};
use super::random;
use super::services::Dialogue;
use super::{Answer, Means, Pattern, Probe};
use hickory_proto::op::ResponseCode;
use message::{Reading, Reply};
use question::{Question, Resolver};
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A datagram may get lost: asked again after a second, then two, then four.
const PACE: Pace = Pace {
    first: Duration::from_secs(1),
    sends: 4,
};
/// So much of the records that do not match is told, characters.
const EXCERPT_CHARS: usize = 100;
/// The old daemon's words.
const LATE: &str = "Connection timed out";

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Dns {
    /// The real server and its check port.
    target: SocketAddr,
    tcp: bool,
    /// Asked one after the other until one has an answer; none if the request is no name.
    questions: Vec<Question>,
    /// Must be found in a record; `None` takes every answer.
    receive: Option<Arc<Pattern>>,
    /// For everything.
    timeout: Duration,
}

impl Dns {
    pub(crate) fn probe(dialogue: Dialogue) -> Probe {
        let resolver = Resolver::of_this_machine();
        Probe::Dns(Self {
            target: dialogue.target,
            // A firewall mark has no protocol.
            tcp: !dialogue.udp && !dialogue.marked,
            questions: question::all(&dialogue.request, &resolver),
            receive: dialogue.receive,
            timeout: dialogue.timeout,
        })
    }

    pub(super) async fn ask(&self, means: &Means) -> Answer {
        // On the heap, so that waiting connect checks stay small.
        let search = Box::pin(self.search(means));
        means.within(self.timeout, search, LATE).await
    }

    async fn search(&self, means: &Means) -> Answer {
        let mut last = Answer::down("the request is no name that can be asked for");
        for question in &self.questions {
            let reply = match self.exchange(question, means).await {
                Ok(reply) => reply,
                Err(error) => return Answer::failed(&error),
            };
            let found = !reply.records.is_empty();
            last = self.judge(question, &reply);
            if found {
                break;
            }
        }
        last
    }

    fn judge(&self, question: &Question, reply: &Reply) -> Answer {
        if reply.code != ResponseCode::NoError {
            return Answer::down(format!("{question}: {}", reply.code));
        }
        if reply.records.is_empty() {
            return Answer::down(format!("{question}: an answer without records"));
        }
        let Some(pattern) = &self.receive else {
            return Answer::up("Success");
        };
        let mut records = reply.records.iter();
        if records.any(|record| pattern.is_match(record.as_bytes())) {
            return Answer::up("Success");
        }
        let seen: String = reply.records.join(", ");
        let seen: String = seen.chars().take(EXCERPT_CHARS).collect();
        Answer::down(format!("Response mismatch: no \"{pattern}\" in: {seen}"))
    }

    async fn exchange(&self, question: &Question, means: &Means) -> io::Result<Reply> {
        let id = u16::from_ne_bytes(random::bytes());
        let query = message::query(id, question);
        if !self.tcp
            && let Some(reply) = self.over_udp(id, &query, means).await?
        {
            return Ok(reply);
        }
        self.over_tcp(id, &query, means).await
    }

    /// `None` if the answer was cut short.
    async fn over_udp(&self, id: u16, query: &[u8], means: &Means) -> io::Result<Option<Reply>> {
        let socket = means.dialler.connect_udp(self.target)?;
        datagrams::ask(&socket, query, PACE, |bytes| {
            match message::read(bytes, id) {
                Reading::Foreign => ControlFlow::Continue(()),
                Reading::Cut(_) => ControlFlow::Break(None),
                Reading::Reply(reply) => ControlFlow::Break(Some(reply)),
            }
        })
        .await
    }

    /// Each message has its length in front, two bytes, which bounds it (RFC 1035 section 4.2.2).
    async fn over_tcp(&self, id: u16, query: &[u8], means: &Means) -> io::Result<Reply> {
        let mut stream = means.dialler.connect(self.target).await?;
        let length = u16::try_from(query.len()).unwrap_or(u16::MAX);
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend(query);
        stream.write_all(&framed).await?;
        let mut bytes = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut bytes).await?;
        match message::read(&bytes, id) {
            Reading::Reply(reply) | Reading::Cut(reply) => Ok(reply),
            Reading::Foreign => Err(io::Error::other("what came is no answer to the question")),
        }
    }
}

#[cfg(test)]
mod odd;
#[cfg(test)]
mod tests;
