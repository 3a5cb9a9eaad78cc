//! `serial`: heartbeats over a null-modem cable (Heartbeat specification 3.5). Classic frames; what
//! the line does not take at once waits in a small queue, and what does not fit there is lost on this
//! link, a whole frame or nothing.
//!
//! A line that hangs up, or whose device goes (an adapter on USB is pulled), is opened anew when it
//! is there again. Nothing here ever waits: opening, reading and writing return at once.

mod flow;
pub(crate) mod lock;

use super::{Heard, Told};
use flow::Flow;
use ha_plumbing::repeat::{Pauses, Repeat};
use ha_status::{SendTrouble, Severity};
use hbd_core::config::{LinkId, Received};
use hbd_core::input::Input;
use hbd_core::wire::{FrameReader, Keys};
use lock::{Lock, LockError};
use serialport::{ClearBuffer, ErrorKind, FlowControl, SerialPort as _};
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_serial::SerialStream;

pub(crate) use flow::BITS_PER_BYTE;

/// How long the line is held in BREAK when it is opened: the peer then throws away what it had of
/// our last life (`tcsendbreak`: 250 to 500 ms).
const BREAK: Duration = Duration::from_millis(250);

/// Bytes taken from one line in one turn of the loop; at 460,800 baud more than a second's.
const TURN_BYTES: usize = 64 * 1024;

/// Bytes read at once.
const READ_BYTES: usize = 4096;

/// Packets that do not leave are told so often.
const TELL_EVERY: Duration = Duration::from_secs(3600);

/// One serial medium.
pub(super) struct Line {
    link: LinkId,
    device: String,
    baud: u32,
    locks: PathBuf,
    open: Option<Open>,
    /// What became of the last packet.
    sending: Result<(), SendTrouble>,
    /// What was last told of opening.
    told: Option<Result<(), Obstacle>>,
    stuck: Repeat,
    full: Repeat,
    news: Vec<Told>,
}

/// Why a line is not open. All of them may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Obstacle {
    trouble: SendTrouble,
    text: String,
}

/// An open line.
struct Open {
    port: SerialStream,
    /// `None` where the directory of locks cannot be written.
    _lock: Option<Lock>,
    reader: FrameReader,
    /// Read, but not heard yet.
    inbox: Vec<u8>,
    /// Not written yet.
    out: Vec<u8>,
    flow: Flow,
    /// The line is held in BREAK until then.
    breaking: Option<Instant>,
}

impl Line {
    /// Closed: an `update` must follow.
    pub(super) fn new(link: LinkId, device: String, baud: u32) -> Self {
        Self {
            link,
            device,
            baud,
            locks: lock::DIRECTORY.into(),
            open: None,
            sending: Ok(()),
            told: None,
            stuck: Repeat::new(Pauses::every(TELL_EVERY)),
            full: Repeat::new(Pauses::every(TELL_EVERY)),
            news: Vec::new(),
        }
    }

    pub(super) fn link(&self) -> LinkId {
        self.link
    }

    /// Is there something to open, or to tell?
    pub(super) fn is_unfinished(&self) -> bool {
        self.open.is_none() || !self.news.is_empty()
    }

    /// Did the last packet leave?
    pub(super) fn works(&self) -> bool {
        self.open.is_some() && self.sending.is_ok()
    }

    /// Opens the line if it is closed.
    pub(super) fn update(&mut self, now: Instant, changes: &mut Vec<Input>) -> Vec<Told> {
        if self.open.is_none() {
            let opened = self.try_open(now);
            let result = opened.as_ref().map(drop).map_err(Clone::clone);
            self.note(result.clone().map_err(|why| why.trouble), changes);
            self.open = opened.ok();
            if self.told.as_ref() != Some(&result) {
                self.news.push(match &result {
                    Ok(()) => (Severity::Info, started(&self.device, self.baud)),
                    Err(why) => {
                        let text = format!("{}: heartbeats use it when it is there", why.text);
                        (Severity::Warning, text)
                    }
                });
                self.told = Some(result);
            }
        }
        std::mem::take(&mut self.news)
    }

    fn try_open(&mut self, now: Instant) -> Result<Open, Obstacle> {
        let device = &self.device;
        // Opening would make lock files for names that are nobody's.
        if let Err(error) = std::fs::metadata(device) {
            return Err(cannot_open(
                device,
                &error.to_string(),
                SendTrouble::NoDevice,
            ));
        }
        let lock = match Lock::acquire(device, &self.locks) {
            Ok(lock) => Some(lock),
            Err(error @ LockError::Taken { .. }) => {
                return Err(Obstacle {
                    trouble: SendTrouble::Busy,
                    text: error.to_string(),
                });
            }
            Err(error @ LockError::File { .. }) => {
                if self.told != Some(Ok(())) {
                    let text = format!("serial {device} is used without a lock file: {error}");
                    self.news.push((Severity::Warning, text));
                }
                None
            }
        };
        let settings = serialport::new(device, self.baud).flow_control(FlowControl::Hardware);
        let port = SerialStream::open(&settings).map_err(|error| {
            let trouble = match error.kind {
                ErrorKind::NoDevice => SendTrouble::Busy,
                ErrorKind::Io(io::ErrorKind::PermissionDenied) => SendTrouble::Denied,
                ErrorKind::InvalidInput | ErrorKind::Unknown | ErrorKind::Io(_) => {
                    SendTrouble::NoDevice
                }
            };
            cannot_open(device, &error.description, trouble)
        })?;
        // What is left of an earlier life says nothing.
        let _ = port.clear(ClearBuffer::All);
        // A pseudo terminal knows no BREAK.
        let breaking = port.set_break().is_ok().then_some(now + BREAK);
        Ok(Open {
            port,
            _lock: lock,
            reader: FrameReader::new(),
            inbox: Vec::with_capacity(READ_BYTES),
            out: Vec::new(),
            flow: Flow::new(self.baud, now),
            breaking,
        })
    }

    /// Sends a whole frame or nothing of it.
    pub(super) fn send(&mut self, frame: &[u8], now: Instant, changes: &mut Vec<Input>) {
        let Some(open) = &mut self.open else {
            // That was told when it was closed.
            return;
        };
        let sent = open.send(frame, now);
        match &sent {
            Ok(()) => {}
            Err(Failure::Stuck { fresh: true }) => {
                if self.stuck.again(now).is_some() {
                    let device = &self.device;
                    let text = format!(
                        "TTY write timeout on [{device}] (no connection or bad cable? `hbd link \
                         test {device}` tells)"
                    );
                    self.news.push((Severity::Warning, text));
                }
            }
            Err(Failure::Full) => {
                if self.full.again(now).is_some() {
                    let text = format!(
                        "serial {}: {} baud are too slow for what is to be sent: packets are left \
                         out on this line",
                        self.device, self.baud
                    );
                    self.news.push((Severity::Warning, text));
                }
            }
            Err(Failure::Stuck { fresh: false }) => {}
            Err(Failure::Gone(error)) => {
                let error = error.to_string();
                self.close(&error, changes);
                return;
            }
        }
        let result = sent.map_err(|failure| match failure {
            Failure::Stuck { .. } => SendTrouble::Stuck,
            Failure::Full | Failure::Gone(_) => SendTrouble::NoBuffers,
        });
        self.note(result, changes);
    }

    /// Ready when something was read, or the line is gone. Writes what waits meanwhile.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.open {
            Some(open) => open.poll(context),
            None => Poll::Pending,
        }
    }

    /// When it must be looked at, whatever arrives.
    pub(super) fn due(&self) -> Option<Instant> {
        self.open.as_ref()?.breaking
    }

    /// Takes what has arrived, and appends what it says.
    pub(super) fn receive(
        &mut self,
        keys: &Keys,
        now: Instant,
        heard: &mut Vec<Heard>,
        changes: &mut Vec<Input>,
    ) {
        let Some(open) = &mut self.open else {
            return;
        };
        let written = open.write(now);
        let read = open.read_all();
        let bytes = std::mem::take(&mut open.inbox);
        for found in open.reader.feed(&bytes, keys) {
            let link = self.link;
            let input = match found {
                Ok(message) => Input::Received(Received { link, message }),
                Err(error) => Input::Rejected {
                    link,
                    reason: error.reason(),
                },
            };
            heard.push(Heard { from: None, input });
        }
        if let Err(error) = written.and(read) {
            self.close(&error.to_string(), changes);
        }
    }

    /// The device is gone, or has hung up.
    fn close(&mut self, why: &str, changes: &mut Vec<Input>) {
        self.open = None;
        let text = format!("serial {}: {why}: it is opened again", self.device);
        self.news.push((Severity::Warning, text));
        self.told = None;
        self.note(Err(SendTrouble::NoDevice), changes);
    }

    fn note(&mut self, result: Result<(), SendTrouble>, changes: &mut Vec<Input>) {
        if std::mem::replace(&mut self.sending, result) != result {
            let link = self.link;
            changes.push(Input::LinkWrite { link, result });
        }
    }
}

/// Why a frame was not taken.
enum Failure {
    /// Nothing moves on the line; found at this very moment?
    Stuck {
        fresh: bool,
    },
    Full,
    Gone(io::Error),
}

impl Open {
    fn send(&mut self, frame: &[u8], now: Instant) -> Result<(), Failure> {
        let fresh = self.flow.look(self.waiting(), now);
        if fresh {
            let _ = self.port.clear(ClearBuffer::Output);
            self.out.clear();
        }
        if !self.flow.has_room(frame.len()) {
            return Err(Failure::Full);
        }
        self.out.extend_from_slice(frame);
        self.flow.added(frame.len(), now);
        self.write(now).map_err(Failure::Gone)?;
        if self.flow.is_stuck() {
            return Err(Failure::Stuck { fresh });
        }
        Ok(())
    }

    /// Bytes that have not left: ours, and those of the kernel.
    fn waiting(&self) -> usize {
        let kernel = self.port.bytes_to_write().unwrap_or(0);
        let kernel = usize::try_from(kernel).unwrap_or(usize::MAX);
        kernel.saturating_add(self.out.len())
    }

    /// Hands to the kernel what it takes.
    fn write(&mut self, now: Instant) -> io::Result<()> {
        if let Some(end) = self.breaking {
            if now < end {
                return Ok(());
            }
            self.breaking = None;
            let _ = self.port.clear_break();
        }
        while !self.out.is_empty() {
            match self.port.try_write(&self.out) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => drop(self.out.drain(..count.min(self.out.len()))),
                Err(error) if passes(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        use tokio::io::AsyncWrite as _;
        if self.breaking.is_none() && !self.out.is_empty() {
            match Pin::new(&mut self.port).poll_write(context, &self.out) {
                // There may be room for more: the next turn writes it.
                Poll::Ready(Ok(count)) => {
                    self.out.drain(..count.min(self.out.len()));
                    return Poll::Ready(());
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
        }
        let mut room = [0; READ_BYTES];
        let mut buffer = ReadBuf::new(&mut room);
        // An error is met again by whoever reads next.
        let _ = ready!(Pin::new(&mut self.port).poll_read(context, &mut buffer));
        self.inbox.extend_from_slice(buffer.filled());
        Poll::Ready(())
    }

    /// Reads what there is, as much as a turn may take.
    fn read_all(&mut self) -> io::Result<()> {
        let mut room = [0; READ_BYTES];
        while self.inbox.len() < TURN_BYTES {
            match self.port.try_read(&mut room) {
                Ok(0) => return Err(io::Error::other("it has hung up")),
                Ok(count) => {
                    let read = room.get(..count).unwrap_or_default();
                    self.inbox.extend_from_slice(read);
                }
                Err(error) if passes(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Closing must not wait for bytes that a stuck line never takes (`closing_wait` of tty(4): 30 s).
impl Drop for Open {
    fn drop(&mut self) {
        let _ = self.port.clear(ClearBuffer::All);
        let _ = self.port.clear_break();
    }
}

fn passes(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

fn cannot_open(device: &str, why: &str, trouble: SendTrouble) -> Obstacle {
    let text = format!("cannot open {device}: {why}");
    Obstacle { trouble, text }
}

/// The line that the old daemon logs.
pub(super) fn started(device: &str, baud: u32) -> String {
    format!("Starting serial heartbeat on tty {device} ({baud} baud)")
}

#[cfg(test)]
mod tests;
