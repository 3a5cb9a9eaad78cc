//! Clients of a virtual service: a new connection every few milliseconds, and some that last. Every
//! answer and every failure is written down with the moment at which it began.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::server::{DOWNLOAD, is_early};
use crate::bed::host::Host;
use crate::bed::wait;

/// From one new connection to the next.
const PACE: Duration = Duration::from_millis(20);
/// Between two requests of a connection that lasts.
const LASTING_PACE: Duration = Duration::from_millis(100);
/// What a slow emulated machine may take for one answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// How soon the end is noticed by who waits for an answer.
const LOOK: Duration = Duration::from_millis(200);
const LIMIT: Duration = Duration::from_secs(60);
const LINE_LIMIT: u64 = 1024;
/// As many answers show how things are now.
const ENOUGH: usize = 10;

/// What became of requests, each on a connection of its own.
pub(super) struct Load {
    seen: Arc<Mutex<Vec<Seen>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Clone)]
struct Seen {
    began: Instant,
    /// Who answered, or what went wrong.
    outcome: Result<String, String>,
}

impl Load {
    pub(super) fn start(host: &Host, service: SocketAddr) -> Result<Self> {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let ends = Arc::new(AtomicBool::new(false));
        let (book, end) = (Arc::clone(&seen), Arc::clone(&ends));
        let thread = host.within(|| {
            Ok(thread::spawn(move || {
                while !end.load(Ordering::SeqCst) {
                    let began = Instant::now();
                    let outcome = one(service).map_err(|error| format!("{error:#}"));
                    lock(&book).push(Seen { began, outcome });
                    thread::sleep(PACE.saturating_sub(began.elapsed()));
                }
            }))
        })?;
        Ok(Self {
            seen,
            ends,
            thread: Some(thread),
        })
    }

    /// Waits until enough requests that began after `since` have been answered; gives who answered.
    pub(super) fn answers_since(&self, since: Instant) -> Result<BTreeMap<String, usize>> {
        wait::for_some("answers of the virtual service", LIMIT, || {
            let answers = self.answers(since);
            let enough = answers.values().sum::<usize>() >= ENOUGH;
            Ok(enough.then_some(answers))
        })
    }

    /// Waits until requests that began after `since` have failed: nobody serves.
    pub(super) fn refusals_since(&self, since: Instant) -> Result<()> {
        wait::for_some("the virtual service ends", LIMIT, || {
            Ok((self.failures(since).len() >= ENOUGH).then_some(()))
        })
    }

    /// Fails if a request that began between these moments did.
    pub(super) fn all_well(&self, from: Instant, to: Instant) -> Result<()> {
        let failed = self.failures(from).into_iter().filter(|(at, _)| *at < to);
        let failed: Vec<String> = failed
            .map(|(at, why)| format!("{:?} after the beginning: {why}", at - from))
            .collect();
        ensure!(
            failed.is_empty(),
            "{} of {} requests failed: {failed:#?}",
            failed.len(),
            lock(&self.seen).len()
        );
        Ok(())
    }

    fn answers(&self, since: Instant) -> BTreeMap<String, usize> {
        let mut answers = BTreeMap::new();
        for seen in lock(&self.seen).iter().rev() {
            if seen.began < since {
                break;
            }
            if let Ok(name) = &seen.outcome {
                *answers.entry(name.clone()).or_default() += 1;
            }
        }
        answers
    }

    fn failures(&self, since: Instant) -> Vec<(Instant, String)> {
        let seen = lock(&self.seen);
        let later = seen.iter().filter(|seen| seen.began >= since);
        later
            .filter_map(|seen| Some((seen.began, seen.outcome.clone().err()?)))
            .collect()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn one(service: SocketAddr) -> Result<String> {
    let mut stream = connect(service, PATIENCE)?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(LINE_LIMIT).read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("no whole answer")?;
    let name = body.split(' ').next().filter(|name| !name.is_empty());
    Ok(name.context("an empty answer")?.to_owned())
}

fn connect(service: SocketAddr, patience: Duration) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&service, PATIENCE)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A connection that is to last until it is dropped.
pub(super) struct Lasting {
    what: &'static str,
    server: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    ends: AtomicBool,
    /// Answers, or pieces of the one.
    received: AtomicUsize,
    broken: Mutex<Option<String>>,
}

impl Lasting {
    /// Asks again and again on one connection.
    pub(super) fn asking(host: &Host, service: SocketAddr) -> Result<Self> {
        Self::start(host, service, "keep-alive", "/", |stream, lines, shared| {
            loop {
                thread::sleep(LASTING_PACE);
                if shared.ends.load(Ordering::SeqCst) {
                    return Ok(());
                }
                ask(stream, "/")?;
                answer(lines, shared)?;
            }
        })
    }

    /// Takes an answer that has no end.
    pub(super) fn downloading(host: &Host, service: SocketAddr) -> Result<Self> {
        Self::start(host, service, "download", DOWNLOAD, |_, lines, shared| {
            while read_line(lines, shared)?.is_some() {
                shared.received.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        })
    }

    /// Connects, waits for the first answer, and leaves the rest to a thread.
    fn start(
        host: &Host,
        service: SocketAddr,
        what: &'static str,
        path: &'static str,
        goes_on: fn(&mut TcpStream, &mut BufReader<TcpStream>, &Shared) -> Result<()>,
    ) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let inside = Arc::clone(&shared);
        let (server, thread) = host.within(|| {
            let mut stream = connect(service, LOOK)?;
            let mut lines = BufReader::new(stream.try_clone()?);
            ask(&mut stream, path)?;
            let server = answer(&mut lines, &inside)?;
            let thread = thread::spawn(move || {
                let ended = goes_on(&mut stream, &mut lines, &inside);
                if let (Err(error), false) = (ended, inside.ends.load(Ordering::SeqCst)) {
                    *lock(&inside.broken) = Some(format!("{error:#}"));
                }
            });
            Ok((server, thread))
        })?;
        Ok(Self {
            what,
            server,
            shared,
            thread: Some(thread),
        })
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Waits until more has come over it than had by now; a connection that broke fails.
    pub(super) fn goes_on(&self) -> Result<()> {
        let before = self.shared.received.load(Ordering::SeqCst);
        let what = format!("more of a {} from {}", self.what, self.server);
        wait::for_some(&what, LIMIT, || {
            if let Some(error) = lock(&self.shared.broken).as_ref() {
                bail!("a {} from {} broke: {error}", self.what, self.server);
            }
            let received = self.shared.received.load(Ordering::SeqCst);
            Ok((received > before).then_some(()))
        })
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn ask(stream: &mut TcpStream, path: &str) -> Result<()> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n");
    Ok(stream.write_all(request.as_bytes())?)
}

/// Reads the head and the first line below it, which begins with the server's name.
fn answer(lines: &mut BufReader<TcpStream>, shared: &Shared) -> Result<String> {
    let mut head = true;
    while let Some(line) = read_line(lines, shared)? {
        if !head {
            shared.received.fetch_add(1, Ordering::SeqCst);
            return Ok(line.split(' ').next().unwrap_or_default().to_owned());
        }
        head = !line.is_empty();
    }
    Ok(String::new())
}

/// Waits for a line, however long it takes; `None` if we are to end. That the server ends is an error.
fn read_line(lines: &mut BufReader<TcpStream>, shared: &Shared) -> Result<Option<String>> {
    let mut text = String::new();
    while !shared.ends.load(Ordering::SeqCst) {
        match lines.by_ref().take(LINE_LIMIT).read_line(&mut text) {
            Ok(_) if text.ends_with('\n') => return Ok(Some(text.trim_end().to_owned())),
            Ok(_) => bail!("the connection was closed"),
            Err(error) if is_early(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
