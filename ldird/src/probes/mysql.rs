//! The negotiate check of mysql (specification 2.16), for MariaDB as well: a login and one query, which
//! must give a row.
//!
//! The codec is our own, and knows this one exchange; its digests are ring's. The library opens its
//! connections itself, so that they could not come from where the others do; it panics at plugins
//! that it only knows by name, and takes an RSA key of any size from the server. What is left out is
//! that RSA exchange: where a server wants the password itself, it gets it over TLS or not at all.

mod packet;

use super::services::Dialogue;
use super::sql::{Count, Question, Rows};
use super::stream::{self, Stream, finish};
use super::{Answer, Means, Probe};
use packet::{Greeting, Reply, Way};
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Everything that a server may say in one check, bytes. Of a packet only the start is kept.
const ANSWER_MAX_BYTES: usize = 64 * 1024 * 1024;
const START_MAX_BYTES: usize = 4096;
/// Packets of a login: a greeting, a change of plugin, its answers.
const LOGIN_PACKETS_MAX: u32 = 8;
/// Columns of an answer, as many as a table can have.
const COLUMNS_MAX: u64 = 4096;
/// `ER_SECURE_TRANSPORT_REQUIRED`.
const NEEDS_TLS: u16 = 3159;
/// `ER_ACCESS_DENIED_ERROR`.
const DENIED: u16 = 1045;
/// The verdict stands, and waits no longer for the last word to leave.
const GOODBYE: Duration = Duration::from_millis(20);
/// What we do not speak is no fault of the server.
const LIMITED: &str = "connected, and no more was asked: the server wants";

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Mysql {
    /// The real server and its check port.
    target: SocketAddr,
    /// What the server is called, for TLS.
    name: ServerName<'static>,
    question: Result<Question, &'static str>,
    /// For everything.
    timeout: Duration,
}

/// Why there are no rows.
#[derive(Debug)]
enum Fault {
    Answer(Answer),
    /// To be asked again over TLS.
    NeedsTls,
    /// Maybe only for the lack of TLS: MariaDB and `REQUIRE SSL` do not say so.
    Denied(String),
    /// What there is to say where TLS does not come about.
    NoTls(Answer),
}

impl From<Answer> for Fault {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

impl Mysql {
    pub(crate) fn probe(dialogue: Dialogue) -> Probe {
        let name = stream::host_name(dialogue.virtualhost.as_deref());
        Probe::Mysql(Box::new(Self {
            target: dialogue.target,
            name: stream::server_name(name, dialogue.target.ip()),
            question: Question::new(&dialogue),
            timeout: dialogue.timeout,
        }))
    }

    pub(super) async fn ask(&self, means: &Means) -> Answer {
        let question = match &self.question {
            Ok(question) => question,
            Err(lack) => return Answer::down(*lack),
        };
        let asked = Box::pin(self.ask_in_either_way(question, means));
        means.within(self.timeout, asked, "no answer in time").await
    }

    async fn ask_in_either_way(&self, question: &Question, means: &Means) -> Answer {
        let mut until = None;
        let answer = match self.ask_plainly(question, means).await {
            Err(Fault::NeedsTls) => self.ask_over_tls(question, means, &mut until).await,
            Err(Fault::Denied(said)) => {
                match self.ask_over_tls(question, means, &mut until).await {
                    // What we cannot speak makes nobody up who has refused us.
                    Err(Fault::NoTls(why)) => Err(Fault::Denied(refused(said, &why))),
                    answer => answer,
                }
            }
            answer => answer,
        };
        let answer = match answer {
            Ok(Rows::Some) => Answer::up("a row"),
            Ok(Rows::None) => Answer::down("no row"),
            Err(Fault::Answer(answer) | Fault::NoTls(answer)) => answer,
            Err(Fault::Denied(said)) => Answer::down(said),
            Err(Fault::NeedsTls) => Answer::down("the server wants TLS and has none"),
        };
        answer.with_certificate(until)
    }

    async fn ask_plainly(&self, question: &Question, means: &Means) -> Result<Rows, Fault> {
        let (mut line, greeting) = self.greeted(means).await?;
        ask_on(&mut line, Way::Plain, &greeting, question).await
    }

    /// `until`: when the certificate ends that was seen.
    async fn ask_over_tls(
        &self,
        question: &Question,
        means: &Means,
        until: &mut Option<u64>,
    ) -> Result<Rows, Fault> {
        let (line, greeting) = self.before_tls(question, means).await?;
        let number = line.number;
        let again = || async {
            let before = self.before_tls(question, means).await;
            before.ok().map(|(line, _)| line.stream)
        };
        let secured = stream::secure_inside(line.stream, &self.name, means, again).await;
        let stream = secured.map_err(Fault::NoTls)?;
        *until = stream.certificate_until();
        let mut line = Line {
            number,
            ..Line::new(stream)
        };
        ask_on(&mut line, Way::Tls, &greeting, question).await
    }

    /// A connection on which TLS is to begin now.
    async fn before_tls(
        &self,
        question: &Question,
        means: &Means,
    ) -> Result<(Line<TcpStream>, Greeting), Fault> {
        let (mut line, greeting) = self.greeted(means).await?;
        if !greeting.has_tls() {
            let what = "an exchange of the password under RSA, or TLS, which it does not have";
            return Err(Fault::NoTls(Answer::limited(format!("{LIMITED} {what}"))));
        }
        line.say(&packet::tls_request(question)).await?;
        Ok((line, greeting))
    }

    async fn greeted(&self, means: &Means) -> Result<(Line<TcpStream>, Greeting), Fault> {
        let connected = means.dialler.connect(self.target).await;
        let mut line = Line::new(connected.map_err(|error| Answer::failed(&error))?);
        let greeting = packet::greeting(&line.hear().await?.start);
        Ok((line, greeting.map_err(Answer::down)?))
    }
}

/// A login that is denied without TLS, and does not come about over it: it may be denied for that.
fn refused(said: String, why: &Answer) -> String {
    if why.limited {
        format!("{said}; over TLS: {}", why.message)
    } else {
        said
    }
}

async fn ask_on<S: Stream>(
    line: &mut Line<S>,
    way: Way,
    greeting: &Greeting,
    question: &Question,
) -> Result<Rows, Fault> {
    log_in(line, way, greeting, question).await?;
    let rows = rows(line, &question.query).await;
    line.leave().await;
    rows
}

async fn log_in<S: Stream>(
    line: &mut Line<S>,
    way: Way,
    greeting: &Greeting,
    question: &Question,
) -> Result<(), Fault> {
    line.say(&packet::login(greeting, way, question)).await?;
    for _ in 0..LOGIN_PACKETS_MAX {
        match packet::reply(&line.hear().await?.start) {
            Reply::Ok(_) => return Ok(()),
            Reply::More(packet::GOOD_SO_FAR) => {}
            Reply::More(packet::WANTS_PASSWORD) if way == Way::Tls => {
                line.say(&packet::password(&question.passwd)).await?;
            }
            Reply::More(packet::WANTS_PASSWORD) => return Err(Fault::NeedsTls),
            Reply::Switch { plugin, nonce } => {
                let known = packet::proof(&plugin, &question.passwd, &nonce, way);
                let proof = known.map_err(|lack| fault_of(&lack))?;
                line.say(&proof).await?;
            }
            Reply::Error(NEEDS_TLS, _) if way == Way::Plain => return Err(Fault::NeedsTls),
            Reply::Error(DENIED, said) if way == Way::Plain && greeting.has_tls() => {
                return Err(Fault::Denied(said));
            }
            Reply::Error(_, said) => return Err(Answer::down(said).into()),
            Reply::More(_) | Reply::Other => {
                return Err(Answer::down("a login that is not MySQL's").into());
            }
        }
    }
    Err(Answer::down("a login without end").into())
}

fn fault_of(lack: &packet::Lack) -> Fault {
    match lack {
        packet::Lack::Tls => Fault::NeedsTls,
        packet::Lack::Plugin(name) => Fault::Answer(Answer::limited(format!(
            "{LIMITED} the login plugin {name}, which ldird does not speak"
        ))),
    }
}

/// The result of a query, or as much of it as matters.
async fn rows<S: Stream>(line: &mut Line<S>, query: &[u8]) -> Result<Rows, Fault> {
    line.number = 0;
    line.say(&packet::query(query)).await?;
    let mut count = Count::default();
    let first = line.hear().await?;
    let columns = match packet::reply(&first.start) {
        // Rows that were changed count as well, as they do for the old library.
        Reply::Ok(changed) => return Ok(if changed > 0 { Rows::Some } else { Rows::None }),
        Reply::Error(_, said) => return Err(Answer::down(said).into()),
        Reply::More(_) | Reply::Switch { .. } | Reply::Other => packet::number(&first.start),
    };
    let columns = columns.filter(|columns| *columns <= COLUMNS_MAX);
    let columns = columns.ok_or_else(|| Answer::down("an answer that is not MySQL's"))?;
    for _ in 0..columns {
        line.hear().await?;
    }
    if !line.hear().await?.is_end() {
        return Err(Answer::down("an answer that is not MySQL's").into());
    }
    loop {
        let packet = line.hear().await?;
        if packet.is_end() {
            return Ok(count.any());
        }
        if let Reply::Error(_, said) = packet::reply(&packet.start) {
            return Err(Answer::down(said).into());
        }
        if count.row(packet.length) {
            return Ok(count.any());
        }
    }
}

/// A connection as packets, each with its length and its number in front.
struct Line<S> {
    stream: S,
    /// Of the next packet.
    number: u8,
    /// Bytes that are still taken.
    left: usize,
}

/// A packet as far as anybody looks at it.
struct Packet {
    start: Vec<u8>,
    length: usize,
}

impl Packet {
    /// An EOF packet; what else begins so is a row, and longer.
    fn is_end(&self) -> bool {
        self.start.first() == Some(&0xfe) && self.length < 9
    }
}

impl<S: Stream> Line<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            number: 0,
            left: ANSWER_MAX_BYTES,
        }
    }

    async fn say(&mut self, payload: &[u8]) -> Result<(), Answer> {
        let framed = packet::framed(self.number, payload);
        self.number = self.number.wrapping_add(1);
        let said = async {
            self.stream.write_all(&framed).await?;
            self.stream.flush().await
        };
        said.await.map_err(|error| Answer::failed(&error))
    }

    async fn hear(&mut self) -> Result<Packet, Answer> {
        let mut head = [0; packet::HEAD_BYTES];
        let heard = async {
            self.stream.read_exact(&mut head).await?;
            let [a, b, c, number] = head;
            let length = u32::from_le_bytes([a, b, c, 0]) as usize;
            self.number = number.wrapping_add(1);
            self.left = self.left.checked_sub(length).ok_or_else(too_much)?;
            let mut start = vec![0; length.min(START_MAX_BYTES)];
            self.stream.read_exact(&mut start).await?;
            let rest = (length - start.len()) as u64;
            let mut rest = (&mut self.stream).take(rest);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
            Ok(Packet { start, length })
        };
        heard.await.map_err(|error| Answer::failed(&error))
    }

    /// So that the server does not count a client that broke off.
    async fn leave(&mut self) {
        self.number = 0;
        let _ = timeout(GOODBYE, self.say(&packet::QUIT)).await;
        finish(&mut self.stream, &mut Vec::new()).await;
    }
}

fn too_much() -> io::Error {
    io::Error::other("an answer without end")
}

#[cfg(test)]
mod tests;
