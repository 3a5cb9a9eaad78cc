//! A null-modem cable of two pseudo terminals, each of which a host opens as its serial port. What
//! one writes the other reads, as long as the cable is plugged in; noise can be put on it.
//!
//! Carries bytes as fast as they come: the speed of a line is a matter for a real one
//! ([`super::vm::CABLE`]).

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// How soon the cable notices that it is to end.
const TICK: Duration = Duration::from_millis(20);
/// Bytes on their way at once.
const ROOM: usize = 4096;

/// The cable. Dropping it hangs both ends up.
pub struct Modem {
    ends: [End; 2],
    plugged: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    carriers: Vec<JoinHandle<()>>,
}

/// One end: the path that the host opens, and the far side of it.
struct End {
    path: String,
    far: File,
    /// Held by whoever writes: what is written at once is not torn apart.
    turn: Arc<Mutex<()>>,
    /// Held open, so that the far side does not hang up while no program has the line.
    _near: File,
}

impl Modem {
    /// A cable that is plugged in.
    pub fn lay() -> Result<Self> {
        let ends = [End::new()?, End::new()?];
        let plugged = Arc::new(AtomicBool::new(true));
        let over = Arc::new(AtomicBool::new(false));
        let mut carriers = Vec::new();
        for (from, to) in [(0, 1), (1, 0)] {
            let carry = Carry {
                from: ends[from].far.try_clone()?,
                to: ends[to].far.try_clone()?,
                turn: Arc::clone(&ends[to].turn),
                plugged: Arc::clone(&plugged),
                over: Arc::clone(&over),
            };
            carriers.push(thread::spawn(move || carry.run()));
        }
        Ok(Self {
            ends,
            plugged,
            over,
            carriers,
        })
    }

    /// The serial ports, as the two hosts call them.
    pub fn ports(&self) -> [&str; 2] {
        [&self.ends[0].path, &self.ends[1].path]
    }

    /// The cable is pulled: what is written goes nowhere.
    pub fn unplug(&self) {
        self.plugged.store(false, Ordering::Relaxed);
    }

    /// And put back.
    pub fn plug(&self) {
        self.plugged.store(true, Ordering::Relaxed);
    }

    /// Puts noise on the line, between two frames, and waits until this end has been given all of it.
    pub fn disturb(&self, end: usize, noise: &[u8]) -> Result<()> {
        let end = &self.ends[end];
        for piece in noise.chunks(ROOM) {
            write_all(&end.far, piece, &end.turn, &self.over).context("noise")?;
        }
        Ok(())
    }
}

impl Drop for Modem {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for carrier in self.carriers.drain(..) {
            let _ = carrier.join();
        }
    }
}

impl End {
    fn new() -> Result<Self> {
        let far = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .context("no pseudo terminal")?;
        grantpt(&far)?;
        unlockpt(&far)?;
        let path = ptsname(&far, Vec::new())?.into_string()?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let near = rustix::fs::open(&path, flags, Mode::empty())?;
        // No echo: what arrives before a program has set the line up must not go back.
        let mut raw = tcgetattr(&near)?;
        raw.make_raw();
        tcsetattr(&near, OptionalActions::Now, &raw)?;
        rustix::io::ioctl_fionbio(&far, true)?;
        Ok(Self {
            path,
            far: far.into(),
            turn: Arc::default(),
            _near: near.into(),
        })
    }
}

/// One direction.
struct Carry {
    from: File,
    to: File,
    turn: Arc<Mutex<()>>,
    plugged: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

impl Carry {
    fn run(self) {
        let mut room = [0; ROOM];
        while !self.over.load(Ordering::Relaxed) {
            if !ready(&self.from, PollFlags::IN) {
                continue;
            }
            match (&self.from).read(&mut room) {
                Ok(count) if self.plugged.load(Ordering::Relaxed) => {
                    // It ends with the cable only.
                    let _ = write_all(&self.to, &room[..count], &self.turn, &self.over);
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

/// Waits for a moment.
fn ready(end: &File, what: PollFlags) -> bool {
    let wait = Timespec::try_from(TICK).ok();
    poll(&mut [PollFd::new(end, what)], wait.as_ref()).is_ok_and(|count| count > 0)
}

/// Writes all of it, however slowly the other end reads, unless the cable ends.
fn write_all(
    mut to: &File,
    mut bytes: &[u8],
    turn: &Mutex<()>,
    over: &AtomicBool,
) -> std::io::Result<()> {
    let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
    while !bytes.is_empty() && !over.load(Ordering::Relaxed) {
        match to.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                ready(to, PollFlags::OUT);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
