//! Who answers at an address, and how long nobody does: a datagram each millisecond, every answer kept.
//!
//! The other side is [`echo`], run on each director as `lab echo`. It answers from the address that
//! was asked, whether or not that address is there yet, so it never needs to know about takeovers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use socket2::{Domain, Protocol, Socket, Type};

use super::host::Host;
use super::wait;

/// Where `lab echo` listens.
pub const ECHO_PORT: u16 = 7007;
/// A probe ends by itself after this long: no scenario lasts longer.
const LONGEST: Duration = Duration::from_secs(600);
/// More answers than probes can be sent in the longest run; an echo storm stops here.
const MOST_ANSWERS: usize = 1_000_000;
/// Longest answer: a host name.
const NAME_LIMIT: usize = 64;
const READ_TICK: Duration = Duration::from_millis(100);

/// Starts the responder on a host. It lives until the host loses power or the child is killed.
pub fn start_echo(host: &Host, address: Ipv4Addr) -> Result<Child> {
    host.command(super::program()?)?
        .args(["echo", &address.to_string()])
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("{}: cannot start the responder", host.name()))
}

/// Answers every datagram to `address` with this host's name, for ever.
pub fn echo(address: Ipv4Addr) -> Result<()> {
    let name = rustix::system::uname().nodename().to_bytes().to_vec();
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    // Bound to the address itself, here or not: answers must come from it, not from the host's own.
    socket.set_freebind_v4(true)?;
    socket.bind(&SocketAddr::from((address, ECHO_PORT)).into())?;
    let socket = UdpSocket::from(socket);
    let mut buffer = [0; NAME_LIMIT];
    loop {
        // An unreachable asker shows up as an error on a later call: no reason to stop answering.
        if let Ok((_, asker)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&name, asker);
        }
    }
}

/// One answer: when it came, and from which node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub at: Instant,
    pub node: String,
}

/// A stretch of time without any answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub length: Duration,
    /// Who answered last before it, if anyone had.
    pub before: Option<String>,
    /// Who answered first after it; `None` while it lasts.
    pub after: Option<String>,
}

/// A running probe. Dropping it stops it.
pub struct Probe {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    answers: Mutex<Vec<Answer>>,
    stopped: AtomicBool,
    started: Instant,
}

impl Probe {
    /// Asks `address` from `host` every `interval`, from now on.
    pub fn start(host: &Host, address: Ipv4Addr, interval: Duration) -> Result<Self> {
        let socket = host.within(|| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.set_read_timeout(Some(READ_TICK))?;
            Ok(socket)
        })?;
        let shared = Arc::new(Shared {
            answers: Mutex::default(),
            stopped: AtomicBool::new(false),
            started: Instant::now(),
        });
        let (sending, asking) = (Arc::clone(&shared), socket.try_clone()?);
        let hearing = Arc::clone(&shared);
        let target = SocketAddr::from((address, ECHO_PORT));
        let threads = vec![
            thread::spawn(move || sending.ask(&asking, target, interval)),
            thread::spawn(move || hearing.hear(&socket, address)),
        ];
        Ok(Self { shared, threads })
    }

    /// Everything heard so far.
    pub fn answers(&self) -> Vec<Answer> {
        self.shared.lock().clone()
    }

    /// The node that answered last, if one did in the last `fresh`.
    pub fn owner(&self, fresh: Duration) -> Option<String> {
        let answers = self.shared.lock();
        answers
            .last()
            .filter(|answer| answer.at.elapsed() <= fresh)
            .map(|answer| answer.node.clone())
    }

    /// Waits until `node` answers a probe after `since` and says how long after that was.
    pub fn await_answer(&self, node: &str, since: Instant, limit: Duration) -> Result<Duration> {
        wait::for_some(&format!("{node} answers at the address"), limit, || {
            let answers = self.shared.lock();
            let mut later = answers.iter().rev().take_while(|answer| answer.at >= since);
            let first = later.by_ref().filter(|answer| answer.node == node).last();
            Ok(first.map(|answer| answer.at.duration_since(since)))
        })
    }

    /// The longest silence that ended, or still lasts, after `since`.
    ///
    /// A silence that began earlier counts in full. Without any answer at all it is as long as the
    /// probe.
    pub fn longest_gap(&self, since: Instant) -> Gap {
        longest_gap(
            &self.shared.lock(),
            self.shared.started,
            since,
            Instant::now(),
        )
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Answer>> {
        self.answers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.started.elapsed() > LONGEST
    }

    /// Sends at a fixed pace. What could not be sent (no route for now) is simply not answered.
    fn ask(&self, socket: &UdpSocket, target: SocketAddr, interval: Duration) {
        let mut due = self.started;
        while !self.is_over() {
            let _ = socket.send_to(b"?", target);
            due += interval;
            match due.checked_duration_since(Instant::now()) {
                Some(rest) => thread::sleep(rest),
                // Late: the next one goes at once, but what was missed is not made up for in a burst.
                None => due = Instant::now(),
            }
        }
    }

    fn hear(&self, socket: &UdpSocket, address: Ipv4Addr) {
        let mut buffer = [0; NAME_LIMIT];
        while !self.is_over() {
            let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                continue;
            };
            let at = Instant::now();
            if from.ip() != IpAddr::V4(address) {
                continue;
            }
            let name =
                String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
            let mut answers = self.lock();
            if answers.len() >= MOST_ANSWERS {
                break;
            }
            answers.push(Answer { at, node: name });
        }
    }
}

fn longest_gap(answers: &[Answer], started: Instant, since: Instant, now: Instant) -> Gap {
    let mut longest = Gap {
        length: Duration::ZERO,
        before: None,
        after: None,
    };
    let mut last: Option<&Answer> = None;
    for answer in answers {
        let length = answer
            .at
            .duration_since(last.map_or(started, |last| last.at));
        if answer.at >= since && length > longest.length {
            let before = last.map(|last| last.node.clone());
            longest = Gap {
                length,
                before,
                after: Some(answer.node.clone()),
            };
        }
        last = Some(answer);
    }
    let lasting = now.duration_since(last.map_or(started, |last| last.at));
    if lasting > longest.length {
        longest = Gap {
            length: lasting,
            before: last.map(|last| last.node.clone()),
            after: None,
        };
    }
    longest
}

/// Runs `probe` until it succeeds, as long as the failures are those of a server not yet there.
pub fn await_answer_of<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<T>,
) -> Result<T> {
    let mut last = None;
    let answered = wait::for_some(what, limit, || match probe() {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is_absence(&error) => {
            last = Some(error);
            Ok(None)
        }
        Err(error) => Err(error),
    });
    match (answered, last) {
        (Ok(answer), _) => Ok(answer),
        (Err(error), Some(last)) => bail!("{error:#} (last: {last:#})"),
        (Err(error), None) => Err(error),
    }
}

fn is_absence(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| {
        use io::ErrorKind::{
            ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut,
            UnexpectedEof, WouldBlock,
        };
        matches!(
            error.kind(),
            ConnectionRefused
                | ConnectionReset
                | HostUnreachable
                | NetworkUnreachable
                | TimedOut
                | UnexpectedEof
                | WouldBlock
        )
    })
}

#[cfg(test)]
mod tests;
