//! The negotiate checks of ldap and ldaps (specification 2.12): a bind, and a search of one entry, whose
//! name must match.
//!
//! The codec is our own, and knows the four messages of this one exchange. The library for all of LDAP
//! parses nested values without a limit of depth or size, and panics at an empty sequence: a server
//! that has gone mad could end the daemon.

mod message;

use super::services::Dialogue;
use super::stream::{self, Stream, finish};
use super::{Answer, Means, Pattern, Probe, Trust};
use message::Reply;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// All that a server may say in one check, bytes.
const REPLIES_MAX_BYTES: usize = 1024 * 1024;
const READ_BYTES: usize = 4096;
/// So much of a name that does not match is told, characters.
const EXCERPT_CHARS: usize = 100;
/// The verdict stands, and waits no longer for the last word to leave.
const GOODBYE: Duration = Duration::from_millis(20);
const BIND: u8 = 1;
const SEARCH: u8 = 2;
const UNBIND: u8 = 3;

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Ldap {
    /// The real server and its check port.
    target: SocketAddr,
    /// What the server is called, for TLS.
    tls: Option<ServerName<'static>>,
    trust: Trust,
    /// Name and password; anonymous without.
    account: Option<(Vec<u8>, Vec<u8>)>,
    base: Vec<u8>,
    /// Must be found in the entry's name; `None` for no test.
    receive: Option<Arc<Pattern>>,
    /// For everything.
    timeout: Duration,
}

/// Passwords are not for logs.
impl std::fmt::Debug for Ldap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ldap({})", self.target)
    }
}

/// What has come of a connection and is not yet read.
struct Conversation {
    stream: Box<dyn Stream>,
    seen: Vec<u8>,
    left: usize,
}

impl Ldap {
    /// The check of service ldap.
    pub(crate) fn plain(dialogue: Dialogue) -> Probe {
        Self::probe(None, dialogue)
    }

    /// The check of service ldaps.
    pub(crate) fn secure(dialogue: Dialogue) -> Probe {
        let name = stream::host_name(dialogue.virtualhost.as_deref());
        let name = stream::server_name(name, dialogue.target.ip());
        Self::probe(Some(name), dialogue)
    }

    fn probe(tls: Option<ServerName<'static>>, dialogue: Dialogue) -> Probe {
        let given = |text: Option<Vec<u8>>| text.filter(|text| !text.is_empty());
        let base = match dialogue.request.split_first() {
            Some((b'/', base)) => base.to_vec(),
            Some(_) | None => dialogue.request,
        };
        Probe::Ldap(Box::new(Self {
            target: dialogue.target,
            tls,
            trust: dialogue.trust,
            account: given(dialogue.login).zip(given(dialogue.passwd)),
            base,
            receive: dialogue.receive,
            timeout: dialogue.timeout.min(dialogue.checktimeout),
        }))
    }

    pub(super) async fn ask(&self, means: &Means) -> Answer {
        let search = async {
            let stream = match self.open(means).await {
                Ok(stream) => stream,
                Err(answer) => return answer,
            };
            let until = stream.certificate_until();
            let (Ok(answer) | Err(answer)) = self.search(stream).await;
            answer.with_certificate(until)
        };
        means
            .within(self.timeout, Box::pin(search), "No answer received")
            .await
    }

    async fn search(&self, stream: Box<dyn Stream>) -> Result<Answer, Answer> {
        let mut conversation = Conversation {
            stream,
            seen: Vec::new(),
            left: REPLIES_MAX_BYTES,
        };
        let (login, passwd) = self.account.clone().unwrap_or_default();
        conversation
            .say(&message::bind(BIND, &login, &passwd))
            .await?;
        loop {
            match conversation.hear(BIND).await? {
                Reply::Bound(0, _) => break,
                Reply::Bound(code, text) => {
                    return Ok(Answer::down(format!("Bind failed: {}", words(code, &text))));
                }
                Reply::Entry(_) | Reply::Done(..) | Reply::Other => {}
            }
        }
        conversation
            .say(&message::search(SEARCH, &self.base))
            .await?;
        let mut names = Vec::new();
        loop {
            match conversation.hear(SEARCH).await? {
                Reply::Entry(name) => names.push(name),
                Reply::Done(code, text) => {
                    conversation.leave().await;
                    return Ok(self.judge(&names, code, &text));
                }
                Reply::Bound(..) | Reply::Other => {}
            }
            if names.len() > 1 {
                return Ok(self.judge(&names, 0, ""));
            }
        }
    }

    async fn open(&self, means: &Means) -> Result<Box<dyn Stream>, Answer> {
        let stream = means.dialler.connect(self.target).await;
        let stream = stream.map_err(|error| Answer::failed(&error))?;
        let Some(name) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let secured = stream::secure(stream, name, &self.trust, self.target, means).await;
        secured.map_err(|fault| stream::no_tls(&fault, ""))
    }

    /// The result code does not matter where an entry came.
    fn judge(&self, names: &[Vec<u8>], code: u32, text: &str) -> Answer {
        let [name] = names else {
            let what = if names.is_empty() {
                words(code, text)
            } else {
                "more than one entry".to_owned()
            };
            return Answer::down(format!("No answer received: {what}"));
        };
        match &self.receive {
            Some(pattern) if !pattern.is_match(name) => {
                let name = String::from_utf8_lossy(name);
                let name: String = name.chars().take(EXCERPT_CHARS).collect();
                Answer::down(format!("Response mismatch: no \"{pattern}\" in: {name}"))
            }
            Some(_) | None => Answer::up("Success"),
        }
    }
}

impl Conversation {
    async fn say(&mut self, request: &[u8]) -> Result<(), Answer> {
        let said = async {
            self.stream.write_all(request).await?;
            self.stream.flush().await
        };
        said.await.map_err(|error| Answer::failed(&error))
    }

    /// The next reply to this request.
    async fn hear(&mut self, id: u8) -> Result<Reply, Answer> {
        let broken = |broken| Answer::failed(&io::Error::other(broken));
        loop {
            while let Some(message) = message::read(&self.seen).map_err(broken)? {
                self.seen.drain(..message.length);
                if message.id == u32::from(id) {
                    return Ok(message.reply);
                }
                if let (0, Reply::Done(code, text)) = (message.id, message.reply) {
                    let why = words(code, &text);
                    return Err(Answer::down(format!("the server hangs up: {why}")));
                }
            }
            let mut chunk = (&mut self.stream).take(READ_BYTES.min(self.left) as u64);
            match chunk.read_buf(&mut self.seen).await {
                Ok(0) if self.left == 0 => return Err(broken("an answer without end")),
                Ok(0) => return Err(Answer::failed(&io::ErrorKind::UnexpectedEof.into())),
                Ok(length) => self.left = self.left.saturating_sub(length),
                Err(error) => return Err(Answer::failed(&error)),
            }
        }
    }

    /// So that the server does not write of a client that broke off.
    async fn leave(&mut self) {
        let _ = timeout(GOODBYE, self.say(&message::unbind(UNBIND))).await;
        finish(&mut *self.stream, &mut self.seen).await;
    }
}

/// A result code with its name where an operator meets it (RFC 4511 section 4.1.9).
fn words(code: u32, text: &str) -> String {
    let name = match code {
        0 => "no entry",
        1 => "operations error",
        2 => "protocol error",
        8 => "stronger authentication required",
        10 => "referral",
        13 => "confidentiality required",
        32 => "no such object",
        34 => "invalid DN syntax",
        48 => "inappropriate authentication",
        49 => "invalid credentials",
        50 => "insufficient access rights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwilling to perform",
        _ => "",
    };
    match (name, text) {
        ("", "") => format!("result {code}"),
        ("", text) => format!("result {code}, {text}"),
        (name, "") => name.to_owned(),
        (name, text) => format!("{name}, {text}"),
    }
}

#[cfg(test)]
mod odd;
#[cfg(test)]
mod tests;
