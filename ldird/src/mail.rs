//! Mail: what a batch of alerts says (specification C.1), and how it leaves, by SMTP or by the mailer
//! of this machine. Decides nothing: who is told what, and how often, is the core's.

use crate::config::{Mail as Settings, Signature};
use crate::process::{Job, Output, Unfinished};
use crate::wording;
use ldird_core::alerts::{Alert, Audience, Mail, Phase};
use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, SinglePart};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Mail as From, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For handing over one mail.
const SEND_LIMIT: Duration = Duration::from_secs(30);
/// Where mail servers listen.
const PORT: u16 = 25;
/// A mail server that says more than this says something else, bytes.
const ANSWERS_MAX: usize = 64 * 1024;
/// Where mailers are, as the old daemon's library looked for them.
const SENDMAILS: [&str; 3] = ["/usr/sbin/sendmail", "/usr/lib/sendmail", "sendmail"];

const WRITES: &str = "writing to a String succeeds";

/// Where mail comes from and leaves.
#[derive(Debug, Clone)]
pub(crate) struct Office {
    pub(crate) host: String,
    /// `USER@HOST`.
    pub(crate) user: String,
    pub(crate) sendmails: Vec<PathBuf>,
    /// A mail is handed over by then, or has failed.
    pub(crate) limit: Duration,
}

/// What came of a mail, in words if it is not what was wanted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Arrived,
    /// Not to these.
    InPart(String),
    Failed(String),
}

impl Office {
    /// This machine's.
    pub(crate) fn here() -> Self {
        let system = rustix::system::uname();
        let host = system.nodename().to_string_lossy().into_owned();
        let user = ["LOGNAME", "USER"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
        Self {
            user: format!("{}@{host}", user.unwrap_or_else(|| "root".to_owned())),
            host,
            sendmails: SENDMAILS.map(PathBuf::from).to_vec(),
            limit: SEND_LIMIT,
        }
    }

    /// Hands a mail over; within its limit.
    pub(crate) async fn send(&self, mail: &Mail, settings: &Settings) -> Sent {
        let message = match self.compose(mail, settings) {
            Ok(message) => message,
            Err(error) => return Sent::Failed(error),
        };
        let from = settings.from.as_deref().unwrap_or(&self.user);
        let sent = async {
            match &mail.audience.relay {
                Some(relay) => self.by_smtp(relay, from, &mail.audience, &message).await,
                None => self.by_sendmail(message).await,
            }
        };
        let late = || Sent::Failed(format!("no end within {} s", self.limit.as_secs_f64()));
        timeout(self.limit, sent).await.unwrap_or_else(|_| late())
    }

    fn compose(&self, mail: &Mail, settings: &Settings) -> Result<Vec<u8>, String> {
        let subject = subject(mail, settings);
        let nobody = Address::new("root", "localhost").map_err(|error| error.to_string())?;
        let envelope = Envelope::new(None, vec![nobody.clone()]);
        let mut message = Message::builder()
            .from(Mailbox::new(None, nobody))
            .envelope(envelope.map_err(|error| error.to_string())?)
            .subject(subject)
            .message_id(None)
            .singlepart(
                SinglePart::builder()
                    .header(ContentType::TEXT_PLAIN)
                    .body(self.body(mail, settings)),
            )
            .map_err(|error| error.to_string())?;
        // As the file has them: addresses of this machine's own users are no addresses elsewhere.
        let headers = message.headers_mut();
        let mut set = |name: &str, value: &str| {
            headers.remove_raw(name);
            if let Ok(name) = HeaderName::new_from_ascii(name.to_owned()) {
                headers.insert_raw(HeaderValue::new(name, value.to_owned()));
            }
        };
        set("To", &mail.audience.to);
        match (&settings.from, &mail.audience.relay) {
            (Some(from), _) => set("From", from),
            (None, Some(_)) => set("From", &self.user),
            // The mailer knows whose it is.
            (None, None) => {
                headers.remove_raw("From");
            }
        }
        Ok(message.formatted())
    }

    /// C.1, with a `Log-Message` for each alert.
    fn body(&self, mail: &Mail, settings: &Settings) -> String {
        let mut text = format!("ldirectord host: {}\n", self.host);
        for alert in &mail.alerts {
            let line = headed(alert, settings);
            writeln!(text, "Log-Message: {line}").expect(WRITES);
        }
        if mail.more > 0 {
            writeln!(text, "{} more are in the log", mail.more).expect(WRITES);
        }
        let mut states: Vec<&str> = mail.alerts.iter().map(|one| state(one.phase)).collect();
        states.dedup();
        for state in states {
            writeln!(text, "Daemon-Status: {state}").expect(WRITES);
        }
        let mut signed = BTreeSet::new();
        for alert in &mail.alerts {
            let Some(Signature { name, comment }) = settings.signatures.get(&alert.service) else {
                continue;
            };
            if (name.is_empty() && comment.is_empty()) || !signed.insert((name, comment)) {
                continue;
            }
            text.push('\n');
            if !name.is_empty() {
                writeln!(text, "Service name: {name}").expect(WRITES);
            }
            if !comment.is_empty() {
                writeln!(text, "Comment: {comment}").expect(WRITES);
            }
        }
        text
    }

    async fn by_sendmail(&self, message: Vec<u8>) -> Sent {
        let mut sendmails = self.sendmails.iter();
        let sendmail = sendmails.find_map(|path| crate::process::find(path).ok());
        let Some(sendmail) = sendmail else {
            return Sent::Failed("there is no sendmail on this machine".to_owned());
        };
        let job = Job {
            arguments: ["-i", "-t"].map(Into::into).to_vec(),
            input: with_plain_ends(&message),
            output: Output::LastLine,
            ..Job::new(sendmail)
        };
        match job.run(self.limit).await {
            Ok(ran) if ran.succeeded() => Sent::Arrived,
            Ok(ran) => Sent::Failed(format!("sendmail: {ran}")),
            Err(error @ (Unfinished::NotStarted(_) | Unfinished::TimedOut(_))) => {
                Sent::Failed(format!("sendmail: {error}"))
            }
        }
    }

    async fn by_smtp(&self, relay: &str, from: &str, to: &Audience, message: &[u8]) -> Sent {
        match self.converse(relay, from, to, message).await {
            Ok(refused) if refused.is_empty() => Sent::Arrived,
            Ok(refused) => Sent::InPart(refused.join("; ")),
            Err(error) => Sent::Failed(format!("{relay}: {error}")),
        }
    }

    /// One conversation; gives back who was refused.
    async fn converse(
        &self,
        relay: &str,
        from: &str,
        to: &Audience,
        message: &[u8],
    ) -> Result<Vec<String>, String> {
        let said = |error: lettre::transport::smtp::Error| {
            std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
        };
        let stream = TcpStream::connect(place(relay)).await;
        let stream = Bounded {
            stream: stream.map_err(|error| error.to_string())?,
            left: ANSWERS_MAX,
        };
        let name = ClientId::Domain(self.host.clone());
        let connection = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &name);
        let mut connection = connection.await.map_err(said)?;
        let from = self.address(from);
        let answer = connection.command(From::new(from.ok(), Vec::new())).await;
        answer.map_err(said)?;
        let mut refused = Vec::new();
        let mut taken = 0;
        for one in to
            .to
            .split(',')
            .map(str::trim)
            .filter(|one| !one.is_empty())
        {
            let answer = match self.address(one) {
                Ok(address) => {
                    let answer = connection.command(Rcpt::new(address, Vec::new())).await;
                    answer.map(|_| ()).map_err(said)
                }
                Err(error) => Err(error),
            };
            match answer {
                Ok(()) => taken += 1,
                Err(error) => refused.push(format!("{one}: {error}")),
            }
        }
        if taken == 0 {
            let _ = connection.quit().await;
            return Err(refused.join("; "));
        }
        connection.command(Data).await.map_err(said)?;
        connection.message(message).await.map_err(said)?;
        // It has the mail; how it says good-bye is its own affair.
        let _ = connection.quit().await;
        Ok(refused)
    }

    /// `admin@example.com`, `Admin <admin@example.com>`, and `root`, who is this machine's.
    fn address(&self, text: &str) -> Result<Address, String> {
        let bare = text
            .rsplit_once('<')
            .and_then(|(_, rest)| rest.split_once('>'));
        let bare = bare.map_or(text, |(bare, _)| bare).trim();
        let full = if bare.contains('@') {
            bare.to_owned()
        } else {
            format!("{bare}@{}", self.host)
        };
        full.parse().map_err(|_| "no mail address".to_owned())
    }
}

/// The first alert, and how many more there are.
fn subject(mail: &Mail, settings: &Settings) -> String {
    let more = mail.alerts.len().saturating_sub(1) + mail.more;
    let first = mail.alerts.first();
    let first = first.map_or_else(String::new, |alert| headed(alert, settings));
    if more == 0 {
        return first;
    }
    format!("{first} (and {more} more)")
}

/// `[servicename] TEXT`.
fn headed(alert: &Alert, settings: &Settings) -> String {
    let text = wording::alert(alert);
    match settings.signatures.get(&alert.service) {
        Some(signature) if !signature.name.is_empty() => format!("[{}] {text}", signature.name),
        Some(_) | None => text,
    }
}

fn state(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Running => "running",
        Phase::Stopping => "stopping",
        Phase::Reloading => "reloading",
    }
}

/// Mailers read the line ends of this system.
fn with_plain_ends(message: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(message);
    text.replace("\r\n", "\n").into_bytes()
}

/// `HOST`, `HOST:PORT`, `[V6]:PORT`, `V6`.
fn place(relay: &str) -> (String, u16) {
    if let Ok(address) = relay.parse::<SocketAddr>() {
        return (address.ip().to_string(), address.port());
    }
    let bare = relay.trim_matches(['[', ']']);
    match bare.split_once(':') {
        Some((host, port)) if !port.contains(':') => match port.parse() {
            Ok(port) => (host.to_owned(), port),
            // As before: what follows a name is not looked at.
            Err(_) => (host.to_owned(), PORT),
        },
        Some(_) | None => (bare.to_owned(), PORT),
    }
}

/// A connection that says no more than so much.
#[derive(Debug)]
struct Bounded {
    stream: TcpStream,
    left: usize,
}

impl AsyncTokioStream for Bounded {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::other("it says too much for a mail server")));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        self.left = self.left.saturating_sub(read);
        polled
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// What a configuration needs of this machine for its mail, and does not find. Blocking.
pub(crate) fn lacks(settings: &Settings) -> Option<String> {
    let mut rules = settings.rules.values();
    let local = rules.any(|rule| rule.audience.relay.is_none());
    let found = SENDMAILS
        .iter()
        .any(|path| crate::process::find(Path::new(path)).is_ok());
    (local && !found).then(|| "emailalert: there is no sendmail on this machine".to_owned())
}

#[cfg(test)]
mod tests;
