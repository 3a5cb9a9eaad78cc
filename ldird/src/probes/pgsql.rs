//! The negotiate check of pgsql (specification 2.16): a login and one query, which must give a row.
//!
//! As the old daemon's library does it: TLS if the server has it, without looking at the certificate;
//! and where the server lets this login in only without TLS, without. The protocol is
//! tokio-postgres's, over a connection that we open.

use super::services::Dialogue;
use super::sql::{Count, Question, Rows};
use super::stream::{self, Stream};
use super::{Answer, Means, Probe, want};
use futures_util::TryStreamExt as _;
use rustls::pki_types::ServerName;
use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, join, split};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage};

/// Everything that a server may say in one check, bytes: the largest row, and what comes before.
const ANSWER_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Length and number of the message that asks for TLS (protocol 3.0, SSLRequest).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// The verdict stands, and waits no longer for the last word to leave.
const GOODBYE: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Pgsql {
    /// The real server and its check port.
    target: SocketAddr,
    /// What the server is called, for TLS.
    name: ServerName<'static>,
    question: Result<Question, &'static str>,
    /// For everything.
    timeout: Duration,
}

/// Why there are no rows.
enum Fault {
    Answer(Answer),
    /// The server has TLS, but not for us.
    NoTls(Answer),
    Library(Error),
}

impl From<Answer> for Fault {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl Pgsql {
    pub(crate) fn probe(dialogue: Dialogue) -> Probe {
        let name = stream::host_name(dialogue.virtualhost.as_deref());
        Probe::Pgsql(Box::new(Self {
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
        let login = Box::pin(self.log_in(question, means));
        means.within(self.timeout, login, "no answer in time").await
    }

    async fn log_in(&self, question: &Question, means: &Means) -> Answer {
        let mut until = None;
        let first = match self.over_tls(question, means, &mut until).await {
            Err(Fault::Library(error)) if is_barred(&error) => {
                self.without_tls(question, means).await
            }
            Err(Fault::NoTls(why)) => match self.without_tls(question, means).await {
                Err(Fault::Library(error)) if is_barred(&error) => Err(Fault::Answer(why)),
                answer => answer,
            },
            answer => answer,
        };
        let answer = match first {
            Ok(Rows::Some) => Answer::up("a row"),
            Ok(Rows::None) => Answer::down("no row"),
            Err(Fault::Answer(answer) | Fault::NoTls(answer)) => answer,
            Err(Fault::Library(error)) => in_words(&error),
        };
        answer.with_certificate(until)
    }

    /// Over TLS if the server says that it has it. `until`: when the certificate ends that was seen.
    async fn over_tls(
        &self,
        question: &Question,
        means: &Means,
        until: &mut Option<u64>,
    ) -> Result<Rows, Fault> {
        let (stream, word) = self.offered_tls(means).await?;
        match word {
            b'S' => {
                let again = || async {
                    let offered = self.offered_tls(means).await.ok();
                    offered
                        .filter(|(_, word)| *word == b'S')
                        .map(|(stream, _)| stream)
                };
                let secured = stream::secure_inside(stream, &self.name, means, again).await;
                let stream = secured.map_err(Fault::NoTls)?;
                *until = stream.certificate_until();
                ask_on(stream, question).await
            }
            b'N' => ask_on(Box::new(stream), question).await,
            _ => Err(Answer::down("this is not PostgreSQL").into()),
        }
    }

    /// A connection, and what the server says to the question for TLS.
    async fn offered_tls(&self, means: &Means) -> Result<(TcpStream, u8), Fault> {
        let mut stream = self.connect(means).await?;
        let asked = async {
            stream.write_all(&SSL_REQUEST).await?;
            stream.read_u8().await
        };
        match asked.await {
            Ok(word) => Ok((stream, word)),
            Err(error) => Err(Answer::failed(&error).into()),
        }
    }

    async fn without_tls(&self, question: &Question, means: &Means) -> Result<Rows, Fault> {
        let stream = self.connect(means).await?;
        ask_on(Box::new(stream), question).await
    }

    async fn connect(&self, means: &Means) -> Result<TcpStream, Fault> {
        let connected = means.dialler.connect(self.target).await;
        connected.map_err(|error| Answer::failed(&error).into())
    }
}

/// Logs in and asks. The connection moves only while it is polled, so that nothing is left behind when
/// the check ends.
async fn ask_on(stream: Box<dyn Stream>, question: &Question) -> Result<Rows, Fault> {
    let (from, to) = split(stream);
    let stream = join(from.take(ANSWER_MAX_BYTES), to);
    let mut config = Config::new();
    config
        .ssl_mode(SslMode::Disable)
        .user(text(&question.login))
        .password(&question.passwd)
        .application_name("ldird");
    if !question.database.is_empty() {
        config.dbname(text(&question.database));
    }
    let (client, mut connection) = config.connect_raw(stream, NoTls).await?;
    let query = text(&question.query);
    let rows = tokio::select! {
        biased;
        rows = rows(&client, &query) => rows,
        ended = &mut connection => match ended {
            Err(error) => Err(error.into()),
            Ok(()) => Err(Answer::down("connection closed").into()),
        },
    };
    drop(client);
    let _ = timeout(GOODBYE, connection).await;
    rows
}

/// Up to the end of the query, or as far as it matters.
async fn rows(client: &Client, query: &str) -> Result<Rows, Fault> {
    let mut count = Count::default();
    let mut answer = pin!(client.simple_query_raw(query).await?);
    while let Some(message) = answer.try_next().await? {
        let enough = match message {
            SimpleQueryMessage::Row(row) => {
                let bytes = (0..row.len()).filter_map(|column| row.get(column));
                count.row(bytes.map(str::len).sum())
            }
            // Rows that were changed count as well, as they do for the old library.
            SimpleQueryMessage::CommandComplete(changed) => changed > 0 && count.row(0),
            _ => false,
        };
        if enough {
            break;
        }
    }
    Ok(count.any())
}

/// Does the server refuse this login for the way in which it came (`pg_hba.conf`)?
fn is_barred(error: &Error) -> bool {
    error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}

fn in_words(error: &Error) -> Answer {
    if let Some(said) = error.as_db_error() {
        return Answer::down(format!("{}: {}", said.severity(), said.message()));
    }
    let cause = error.source();
    match cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
        Some(error) if want::of(error).is_some() || error.raw_os_error().is_some() => {
            Answer::failed(error)
        }
        Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Answer::down("connection closed")
        }
        Some(_) | None => match cause {
            Some(cause) => Answer::down(format!("{error}: {cause}")),
            None => Answer::down(error.to_string()),
        },
    }
}

/// The protocol speaks UTF-8; a file that does not is taken for Latin-1, as it was written then.
fn text(bytes: &[u8]) -> String {
    let latin = || bytes.iter().map(|byte| char::from(*byte)).collect();
    str::from_utf8(bytes).map_or_else(|_| latin(), str::to_owned)
}

#[cfg(test)]
mod tests;
