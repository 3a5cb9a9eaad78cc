//! A plain client: HTTP/1.0 requests one by one or as a load, and the greeting of an FTP server.
//!
//! Every connection, answer and load is bounded.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::host::Host;

/// For one connection, request and answer together roughly twice this.
const PATIENCE: Duration = Duration::from_secs(2);
const ANSWER_LIMIT: u64 = 64 * 1024;
const LINE_LIMIT: u64 = 1024;
/// Connections of a load at one time; a client has this many threads.
const MOST_PARALLEL: usize = 64;

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub status: u16,
    pub body: String,
}

/// Asks for `path` once, from `host`.
pub fn get(host: &Host, server: SocketAddr, path: &str) -> Result<Page> {
    host.within(|| fetch(server, path))
}

/// What became of a load: how many answers each server gave, and how many requests failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// By the answer's first word, which in the lab is the server's name.
    pub answers: BTreeMap<String, usize>,
    pub failures: usize,
    /// The first failure, in words.
    pub failure: Option<String>,
}

impl Tally {
    pub fn total(&self) -> usize {
        self.answers.values().sum()
    }
}

/// Sends `requests` requests from `host`, `parallel` at a time, for at most `limit`.
///
/// Requests not sent within the limit are neither answers nor failures.
pub fn load(
    host: &Host,
    server: SocketAddr,
    path: &str,
    requests: usize,
    parallel: usize,
    limit: Duration,
) -> Result<Tally> {
    let started = Instant::now();
    let sent = AtomicUsize::new(0);
    let tally = Mutex::new(Tally::default());
    host.within(|| {
        // Threads made in here inherit the network.
        thread::scope(|scope| {
            for _ in 0..parallel.clamp(1, MOST_PARALLEL) {
                scope.spawn(|| {
                    while started.elapsed() < limit
                        && sent.fetch_add(1, Ordering::Relaxed) < requests
                    {
                        let answer = fetch(server, path);
                        tally
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .count(answer);
                    }
                });
            }
        });
        Ok(())
    })?;
    Ok(tally.into_inner().unwrap_or_else(PoisonError::into_inner))
}

impl Tally {
    fn count(&mut self, answer: Result<Page>) {
        match answer {
            Ok(page) if page.status == 200 => {
                let name = page.body.split_whitespace().next().unwrap_or_default();
                *self.answers.entry(name.to_owned()).or_default() += 1;
            }
            Ok(page) => self.fail(format!("status {}", page.status)),
            Err(error) => self.fail(format!("{error:#}")),
        }
    }

    fn fail(&mut self, reason: String) {
        self.failures += 1;
        self.failure.get_or_insert(reason);
    }
}

/// Asks from wherever this thread's network is. Errors of the connection keep their `io::Error`.
pub fn fetch(server: SocketAddr, path: &str) -> Result<Page> {
    let mut stream = connect(server)?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", server.ip()).as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_LIMIT).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    if answer.is_empty() {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    }
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("an answer without an empty line")?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Page {
        status: status.context("an answer without a status")?,
        body: body.to_owned(),
    })
}

/// Logs in anonymously at an FTP server and gives the text of its greeting.
pub fn ftp_greeting(host: &Host, server: SocketAddr) -> Result<String> {
    host.within(|| {
        let mut stream = connect(server)?;
        let mut lines = BufReader::new(stream.try_clone()?);
        let greeting = reply(&mut lines, "220")?;
        stream.write_all(b"USER anonymous\r\n")?;
        reply(&mut lines, "331")?;
        stream.write_all(b"PASS lab@\r\n")?;
        reply(&mut lines, "230")?;
        stream.write_all(b"QUIT\r\n")?;
        Ok(greeting)
    })
}

fn connect(server: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The text of a one-line reply with the wanted code.
fn reply(lines: &mut BufReader<TcpStream>, wanted: &str) -> Result<String> {
    let mut line = String::new();
    lines.by_ref().take(LINE_LIMIT).read_line(&mut line)?;
    if line.is_empty() {
        bail!(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
    }
    let text = line.trim_end().strip_prefix(wanted);
    ensure!(text.is_some(), "wanted {wanted}, got {:?}", line.trim_end());
    Ok(text.unwrap_or_default().trim().to_owned())
}
