//! New HTTP connections at fixed times, whatever became of those before: when is nobody served?
//!
//! One thread opens them all without waiting for any, so that a packet that was lost costs its own
//! connection and not the pace: a client's retransmission after a second is not what is measured.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, Socket, Type};

use super::host::Host;

/// What is not answered by then failed: before the kernel sends a lost packet again.
const PATIENCE: Duration = Duration::from_millis(600);
/// More than can be sent in the longest run at the fastest pace.
const MOST_ANSWERS: usize = 1_000_000;
const HEAD_BYTES: usize = 512;

/// Running requests. Dropping them ends them.
pub struct Requests {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// When each answer of success came.
    answers: Mutex<Vec<Instant>>,
    stopped: AtomicBool,
}

/// A connection under way.
struct Attempt {
    stream: TcpStream,
    begun: Instant,
    asked: bool,
}

/// What a look at a connection brought.
enum Look {
    Waits,
    Answered,
    Failed,
}

impl Requests {
    /// Asks `server` from `host`, a new connection every `interval`, from now on.
    pub fn start(host: Arc<Host>, server: SocketAddr, interval: Duration) -> Self {
        let shared = Arc::new(Shared {
            answers: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let asking = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let _ = host.within(|| {
                asking.ask(server, interval);
                Ok(())
            });
        });
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// When the last answer came.
    pub fn last(&self) -> Option<Instant> {
        self.shared.lock().last().copied()
    }

    /// The longest time between two answers of which the second came after `since`.
    pub fn longest_gap(&self, since: Instant) -> Duration {
        let answers = self.shared.lock();
        let pairs = answers.iter().zip(answers.iter().skip(1));
        let gaps = pairs.filter(|(_, after)| **after >= since);
        gaps.map(|(before, after)| after.duration_since(*before))
            .max()
            .unwrap_or_default()
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, server: SocketAddr, interval: Duration) {
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut due = Instant::now();
        while !self.stopped.load(Ordering::Relaxed) {
            if due <= Instant::now() {
                // Where there is no route, nobody is served.
                attempts.extend(Attempt::begin(server));
                // Late: what was missed is not made up for in a burst.
                due = (due + interval).max(Instant::now());
            }
            let rest = due.saturating_duration_since(Instant::now());
            let ready = await_any(&attempts, rest).unwrap_or_default();
            let mut ready = ready.into_iter();
            attempts.retain_mut(|attempt| {
                let look = match ready.next() {
                    Some(true) => attempt.look(server),
                    Some(false) | None => Look::Waits,
                };
                match look {
                    Look::Waits => attempt.begun.elapsed() < PATIENCE,
                    Look::Failed => false,
                    Look::Answered => {
                        let mut answers = self.lock();
                        if answers.len() < MOST_ANSWERS {
                            answers.push(Instant::now());
                        }
                        false
                    }
                }
            });
        }
    }
}

/// Waits until something happens at one of them, and says at which.
fn await_any(attempts: &[Attempt], limit: Duration) -> Result<Vec<bool>> {
    let wanted = |attempt: &Attempt| {
        if attempt.asked {
            PollFlags::IN
        } else {
            PollFlags::OUT
        }
    };
    let mut waited: Vec<PollFd<'_>> = attempts
        .iter()
        .map(|attempt| PollFd::new(&attempt.stream, wanted(attempt)))
        .collect();
    let limit = Timespec::try_from(limit)?;
    poll(&mut waited, Some(&limit))?;
    Ok(waited.iter().map(|one| !one.revents().is_empty()).collect())
}

impl Attempt {
    fn begin(server: SocketAddr) -> io::Result<Self> {
        let begun = Instant::now();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // Its port is free again at once: there are many.
        socket.set_linger(Some(Duration::ZERO))?;
        match socket.connect(&server.into()) {
            Ok(()) => {}
            Err(error)
                if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
        Ok(Self {
            stream: socket.into(),
            begun,
            asked: false,
        })
    }

    /// Something has happened: it is connected, or answered, or has failed.
    fn look(&mut self, server: SocketAddr) -> Look {
        if !self.asked {
            self.asked = true;
            let request = format!("GET / HTTP/1.0\r\nHost: {}\r\n\r\n", server.ip());
            return match self.stream.write_all(request.as_bytes()) {
                Ok(()) => Look::Waits,
                Err(_) => Look::Failed,
            };
        }
        let mut head = [0; HEAD_BYTES];
        match self.stream.read(&mut head) {
            Ok(length) => {
                let head = head.get(..length).unwrap_or_default();
                if head.starts_with(b"HTTP/1.1 200 ") {
                    Look::Answered
                } else {
                    Look::Failed
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Look::Waits,
            Err(_) => Look::Failed,
        }
    }
}
