//! The asking half: connects, checks the version, sends requests, reads lines.

use super::{
    codec::{LineError, Lines, SERVER_LINE_MAX, encode},
    pages::Assembly,
};
use crate::{Hello, Reply, Request, SCHEMA_VERSION};
use std::{io, path::Path, time::Duration};
use tokio::{
    io::AsyncWriteExt,
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

/// How long a server may take to say hello, and to take a request off our hands.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// A connection to a daemon that has said hello.
#[derive(Debug)]
pub struct Client {
    hello: Hello,
    lines: Lines<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    /// A snapshot whose lines are coming in.
    assembly: Assembly,
}

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No such socket, nobody listens, or not allowed.
    #[error("{0}")]
    Connect(io::Error),
    /// Connected, but nothing comes: the daemon is frozen or overwhelmed.
    #[error("no answer within {} s", ANSWER_LIMIT.as_secs())]
    Silent,
    /// The first line was no hello, e.g. because it serves as many clients as it can.
    #[error("refused: {0}")]
    Refused(String),
    #[error("speaks version {theirs} of the status protocol, this program {SCHEMA_VERSION}")]
    Version { theirs: u32 },
    #[error(transparent)]
    Line(#[from] LineError),
    #[error("sending a request: {0}")]
    Send(io::Error),
    /// The server closed the connection before its hello.
    #[error("the connection ended")]
    Ended,
}

impl Client {
    /// Connects and reads the hello, within [`ANSWER_LIMIT`].
    pub async fn connect(path: &Path) -> Result<Client, ClientError> {
        let greeting = async { Client::greet(open(path).await?).await };
        timeout(ANSWER_LIMIT, greeting)
            .await
            .map_err(|_| ClientError::Silent)?
    }

    /// The same if it is the process with this pid that listens there, and `None` if it is another one:
    /// the kernel knows that, and a frozen stranger is not waited for.
    pub async fn connect_to(path: &Path, pid: u32) -> Result<Option<Client>, ClientError> {
        let greeting = async {
            let stream = open(path).await?;
            let listener = stream.peer_cred().map_err(ClientError::Connect)?.pid();
            if listener.is_some_and(|listener| u32::try_from(listener) != Ok(pid)) {
                return Ok(None);
            }
            let client = Client::greet(stream).await?;
            Ok((client.hello.pid == pid).then_some(client))
        };
        timeout(ANSWER_LIMIT, greeting)
            .await
            .map_err(|_| ClientError::Silent)?
    }

    async fn greet(stream: UnixStream) -> Result<Client, ClientError> {
        let (reader, writer) = stream.into_split();
        let mut lines = Lines::new(reader, SERVER_LINE_MAX);
        let hello = match lines.next::<Reply>().await? {
            Some(Reply::Hello(hello)) => hello,
            Some(Reply::Error { text }) => return Err(ClientError::Refused(text)),
            Some(_) => return Err(ClientError::Refused("no hello".to_owned())),
            None => return Err(ClientError::Ended),
        };
        if hello.version != SCHEMA_VERSION {
            return Err(ClientError::Version {
                theirs: hello.version,
            });
        }
        Ok(Client {
            hello,
            lines,
            writer,
            assembly: Assembly::default(),
        })
    }

    /// Who answers.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Sends a request; its answer comes out of [`Client::next`], after lines already under way.
    pub async fn request(&mut self, request: &Request) -> Result<(), ClientError> {
        let line = encode(request);
        timeout(ANSWER_LIMIT, self.writer.write_all(line.as_bytes()))
            .await
            .map_err(|_| ClientError::Silent)?
            .map_err(ClientError::Send)
    }

    /// The next reply, a snapshot always whole; `None` when the server closed the connection. Waits
    /// without limit; nothing is lost when the future is dropped before it is ready.
    pub async fn next(&mut self) -> Result<Option<Reply>, ClientError> {
        while let Some(line) = self.lines.next().await? {
            if let Some(reply) = self.assembly.take(line)? {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }
}

async fn open(path: &Path) -> Result<UnixStream, ClientError> {
    let stream = UnixStream::connect(path).await;
    stream.map_err(ClientError::Connect)
}
