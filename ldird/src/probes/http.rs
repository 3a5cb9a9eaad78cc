//! The negotiate check of http and https (specification 2.8): one request per check on a connection
//! of its own, redirects followed, the final answer's status and body judged.
//!
//! Verdicts are those of the old daemon's library, on odd servers, too; so the client is our own.
//! It stops as soon as the verdict stands: without a pattern after the head, else at the first
//! match. When time runs out behind the head, what came until then is judged.

mod address;
mod reply;
mod statuses;

use super::look_up::look_up;
use super::services::{Dialogue, Method};
use super::stream::{self, Stream};
use super::{Answer, Means, Pattern, Probe, Trust};
use address::{Hop, Page, Place};
use reply::Reply;
pub(crate) use statuses::Statuses;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Redirects followed, as the old daemon's library did.
const REDIRECTS_MAX: u32 = 7;
/// So much of a body that does not match is told, characters.
const EXCERPT_CHARS: usize = 120;
/// Buffers for reading grow from and to this, bytes.
const READ_MIN_BYTES: usize = 512;
const READ_MAX_BYTES: usize = 16 * 1024;
/// Most of a request beside path and host, bytes.
const REQUEST_BYTES: usize = 96;
/// A body that pauses for so long is matched as far as it came.
const PAUSE: Duration = Duration::from_millis(50);
/// The old daemon's words.
const LATE: &str = "500 Timeout Alarm";
const USER_AGENT: &str = concat!("ldird/", env!("CARGO_PKG_VERSION"));

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Http {
    /// The real server and its check port.
    pub(crate) target: SocketAddr,
    pub(crate) tls: bool,
    pub(crate) trust: Trust,
    pub(crate) page: Page,
    /// For the `Host` line and, with TLS, the server name.
    pub(crate) virtualhost: Option<Vec<u8>>,
    /// HEAD instead of GET.
    pub(crate) head: bool,
    /// Which answers are up; `None` for those of success (2xx). A redirect among them is an answer
    /// as any other.
    pub(crate) statuses: Option<Statuses>,
    /// Must be found in the body; `None` for no test.
    pub(crate) receive: Option<Arc<Pattern>>,
    /// For everything, redirects included.
    pub(crate) timeout: Duration,
}

impl Http {
    /// The check of service http.
    pub(super) fn plain(dialogue: Dialogue) -> Result<Probe, String> {
        Self::probe(false, dialogue)
    }

    /// The check of service https.
    pub(super) fn secure(dialogue: Dialogue) -> Result<Probe, String> {
        Self::probe(true, dialogue)
    }

    /// The check of service http_proxy: the real server fetches something for us.
    pub(super) fn proxy(dialogue: Dialogue) -> Probe {
        let page = Page::through(dialogue.target, &dialogue.request, dialogue.own);
        Probe::Http(Box::new(Self {
            target: dialogue.target,
            tls: false,
            trust: dialogue.trust,
            page,
            virtualhost: None,
            head: dialogue.method == Method::Head,
            statuses: dialogue.statuses,
            receive: dialogue.receive,
            timeout: dialogue.timeout,
        }))
    }

    fn probe(tls: bool, dialogue: Dialogue) -> Result<Probe, String> {
        let page = Page::new(tls, &dialogue.request, dialogue.own)?;
        Ok(Probe::Http(Box::new(Self {
            target: dialogue.target,
            tls,
            trust: dialogue.trust,
            page,
            virtualhost: dialogue.virtualhost,
            head: dialogue.method == Method::Head,
            statuses: dialogue.statuses,
            receive: dialogue.receive,
            timeout: dialogue.timeout,
        })))
    }

    pub(super) async fn ask(&self, means: &Means) -> Answer {
        let mut reply = Reply::new(self.head);
        // On the heap, so that waiting connect checks stay small.
        let mut until = None;
        let follow = Box::pin(self.follow(means, &mut reply, &mut until));
        let followed = means.awake.within(self.timeout, follow).await;
        // Beyond the deadline: for how long a pattern is looked for, the server cannot do anything.
        let answer = match followed {
            Ok(Err(answer)) => answer,
            Ok(Ok(other)) => {
                let judged = Box::pin(self.judge(&reply)).await;
                let mut answer = judged.unwrap_or_else(|| Answer::down("no answer"));
                if let Some(host) = other {
                    answer.message = format!("{} (answered by {host})", answer.message);
                }
                answer
            }
            Err(late) => match Box::pin(self.judge(&reply)).await {
                Some(answer) if answer.is_up() || !late.ours => answer,
                _ if late.ours => Answer::too_slow(),
                _ => Answer::down(LATE),
            },
        };
        answer.with_certificate(until)
    }

    /// Asks until there is an answer to judge. Who has given it, if that is another server than the
    /// one that is checked.
    async fn follow(
        &self,
        means: &Means,
        reply: &mut Reply,
        until: &mut Option<u64>,
    ) -> Result<Option<String>, Answer> {
        let Some(mut hop) = Hop::first(self) else {
            return Err(Answer::down("the request makes no valid address"));
        };
        for left in (0..=REDIRECTS_MAX).rev() {
            *reply = Reply::new(self.head);
            let mut stream = open(&hop, &self.trust, means).await?;
            // Of the real server, not of whom it leads to.
            if hop.place.ip() == Some(self.target.ip()) {
                *until = until.or(stream.certificate_until());
            }
            self.exchange(&hop, &mut *stream, reply).await?;
            let leads = redirect(reply).filter(|_| left > 0 && !self.takes(reply));
            match leads.and_then(|location| hop.next(self, location)) {
                Some(next) => hop = next,
                None => break,
            }
        }
        let other = hop.place.ip() != Some(self.target.ip());
        Ok(other.then(|| String::from_utf8_lossy(&hop.host).into_owned()))
    }

    /// One request, and its answer as far as it matters; or why there is none.
    async fn exchange(
        &self,
        hop: &Hop<'_>,
        stream: &mut dyn Stream,
        reply: &mut Reply,
    ) -> Result<(), Answer> {
        // A server may answer, and close, before it has read the request: what it said counts.
        let request = self.request(hop);
        let sent = async {
            stream.write_all(&request).await?;
            stream.flush().await
        };
        let sent = sent.await;
        self.read(stream, reply, sent).await?;
        // Behind all that a server has to say nothing can be left unread: to wait for the end of the
        // connection would be a turn of the loop, a timer and a system call for each check.
        if stream.says_goodbye() || !reply.is_whole() {
            stream::finish(stream, reply.buffer()).await;
        }
        Ok(())
    }

    fn request(&self, hop: &Hop<'_>) -> Vec<u8> {
        let method = if self.head { "HEAD" } else { "GET" };
        let mut bytes = Vec::with_capacity(hop.path.len() + hop.host.len() + REQUEST_BYTES);
        bytes.extend_from_slice(method.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(hop.path.as_bytes());
        bytes.extend_from_slice(b" HTTP/1.1\r\nConnection: close\r\nHost: ");
        // No byte of a file may end the line.
        bytes.extend(hop.host.iter().filter(|byte| **byte >= b' '));
        if let Some(user) = hop.authorization() {
            bytes.extend_from_slice(b"\r\nAuthorization: ");
            bytes.extend_from_slice(user.as_bytes());
        }
        bytes.extend_from_slice(b"\r\nUser-Agent: ");
        bytes.extend_from_slice(USER_AGENT.as_bytes());
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes
    }

    /// Reads until the verdict stands or the answer ends.
    async fn read(
        &self,
        stream: &mut dyn Stream,
        reply: &mut Reply,
        sent: io::Result<()>,
    ) -> Result<(), Answer> {
        let mut looked_at = 0;
        let mut size = READ_MIN_BYTES;
        loop {
            reply.buffer().reserve(size);
            let unseen = reply.body().len() > looked_at;
            let read = stream.read_buf(reply.buffer());
            // Cancelling a read loses nothing.
            let got = if unseen {
                timeout(PAUSE, read).await.ok()
            } else {
                Some(read.await)
            };
            let paused = got.is_none();
            let ended = match got {
                Some(got) => took(got, reply, &sent)?,
                None => false,
            };
            if ended || reply.is_complete() || self.needs_no_body(reply) {
                return Ok(());
            }
            let length = reply.body().len();
            if paused || length > looked_at + looked_at / 4 {
                looked_at = length;
                if self.matches_already(reply.body()).await {
                    return Ok(());
                }
            }
            size = (size * 2).min(READ_MAX_BYTES);
        }
    }

    fn needs_no_body(&self, reply: &Reply) -> bool {
        reply.status().is_some() && (self.receive.is_none() || !self.is_good(reply))
    }

    /// Is it one of the answers that the file names?
    fn takes(&self, reply: &Reply) -> bool {
        self.statuses.is_some() && self.is_good(reply)
    }

    fn is_good(&self, reply: &Reply) -> bool {
        let code = reply.status().map_or(0, |status| status.code);
        match &self.statuses {
            Some(statuses) => statuses.contain(code),
            None => (200..300).contains(&code),
        }
    }

    /// Does the body match whatever may follow?
    async fn matches_already(&self, body: &[u8]) -> bool {
        match &self.receive {
            Some(pattern) if pattern.is_early() => pattern.is_in(body).await,
            Some(_) | None => false,
        }
    }

    /// `None` while there is no head.
    async fn judge(&self, reply: &Reply) -> Option<Answer> {
        let status = reply.status()?;
        if !self.is_good(reply) {
            return Some(Answer::down(match &self.statuses {
                Some(statuses) => format!("{}, httpstatus is {statuses}", status.line),
                None => status.line.clone(),
            }));
        }
        Some(match &self.receive {
            Some(pattern) if !pattern.is_in(reply.body()).await => {
                let text = String::from_utf8_lossy(reply.body());
                let start: String = text.trim().chars().take(EXCERPT_CHARS).collect();
                Answer::down(format!("{}, no \"{pattern}\" in: {start}", status.line))
            }
            Some(_) | None => Answer::up(&status.line),
        })
    }
}

/// What a read brought; true at the end of the answer.
fn took(got: io::Result<usize>, reply: &mut Reply, sent: &io::Result<()>) -> Result<bool, Answer> {
    let broken = |broken: reply::Broken| Answer::down(format!("500 {broken}"));
    match got {
        Ok(length) if length > 0 => reply.advance().map(|()| false).map_err(broken),
        Ok(_) => reply.close().map(|()| true).map_err(broken),
        // TLS without its own end.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            reply.close().map(|()| true).map_err(broken)
        }
        // Behind the head a reset ends the body.
        Err(_) if reply.status().is_some() => Ok(true),
        Err(error) => match (sent, reply.is_empty()) {
            (Err(first), true) => Err(Answer::failed(first)),
            (Ok(()) | Err(_), _) => Err(Answer::failed(&error)),
        },
    }
}

/// Where a redirect leads, if the answer is one.
fn redirect(reply: &Reply) -> Option<&[u8]> {
    let code = reply.status()?.code;
    let location = reply.location()?;
    matches!(code, 301 | 302 | 303 | 307 | 308).then_some(location)
}

async fn open(hop: &Hop<'_>, trust: &Trust, means: &Means) -> Result<Box<dyn Stream>, Answer> {
    let (stream, target) = connect(&hop.place, means).await?;
    let Some(name) = &hop.tls else {
        return Ok(Box::new(stream));
    };
    // On the heap, so that checks without TLS need no room for it.
    let secured = Box::pin(stream::secure(stream, name, trust, target, means)).await;
    secured.map_err(|fault| stream::no_tls(&fault, "500 "))
}

async fn connect(place: &Place, means: &Means) -> Result<(TcpStream, SocketAddr), Answer> {
    match place {
        Place::At(address) => match means.dialler.connect(*address).await {
            Ok(stream) => Ok((stream, *address)),
            Err(error) => Err(Answer::failed(&error)),
        },
        // On the heap: only a redirect leads there.
        Place::Named(name, port) => Box::pin(connect_by_name(name, *port, means)).await,
    }
}

async fn connect_by_name(
    name: &str,
    port: u16,
    means: &Means,
) -> Result<(TcpStream, SocketAddr), Answer> {
    let addresses = look_up(name, port, &means.look_ups).await?;
    let mut failure = Answer::down("500 the redirect leads to a name without address");
    for address in addresses {
        match means.dialler.connect(address).await {
            Ok(stream) => return Ok((stream, address)),
            Err(error) => failure = Answer::failed(&error),
        }
    }
    Err(failure)
}

#[cfg(test)]
mod odd;
#[cfg(test)]
mod tests;
