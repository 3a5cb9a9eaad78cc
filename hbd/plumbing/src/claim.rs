//! A director's claim on its configuration file: one director for each file in each network
//! namespace, which is where the kernel keeps its table. Two more claims say that it is resident, and
//! that it is on standby. Here because hbd asks for them as well: its resource is a director.
//!
//! A claim is a listening socket in two places, either of which does. Both end with the process and
//! with nothing else, and whoever connects learns from the kernel who listens; nothing is ever said.
//!
//! - An abstract name made of the file's path: neither a wiped `/run` nor another name for the same
//!   file nor a deleted file hides a director from `stop`. But any user may take such a name first,
//!   or crowd its queue.
//! - A socket in the run folder, where strangers can do neither.

mod name;
mod place;

use rustix::net::{
    AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect, shutdown,
    socket_with,
};
use rustix::process::{Pid, geteuid};
use std::io;
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// What is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To be the director of the file.
    Director,
    /// To stay when the resource stops.
    Resident,
    /// To have the resource active elsewhere, and the table as it is to be then, or about to be.
    Standby,
}

impl Kind {
    /// What the names of such claims begin with; `ss -lx` shows them.
    fn prefix(self) -> &'static str {
        match self {
            Self::Director => "ldird",
            Self::Resident => "ldird-resident",
            Self::Standby => "ldird-standby",
        }
    }
}

/// What a claim is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The configuration.
    pub file: &'a Path,
    /// Where its director has its sockets.
    pub run: &'a Path,
}

/// Pause after a failed accept, so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A held claim. Dropping it lets go.
#[derive(Debug)]
pub struct Claim {
    _named: Option<Listening>,
    _placed: Option<(Listening, place::Made)>,
    trouble: Option<String>,
}

impl Claim {
    /// Needs a runtime. An error of kind `AddrInUse` means that a director holds it: see [`holder`].
    pub fn acquire(kind: Kind, subject: Subject<'_>) -> io::Result<Self> {
        let held = || io::Error::from(io::ErrorKind::AddrInUse);
        let place = place::path(kind, subject);
        let named = name::listen(&name::name(kind, subject.file)).and_then(Listening::new);
        if named.is_err() && by_name(kind, subject.file).director().is_some() {
            return Err(held());
        }
        let placed = match place::listen(&place) {
            Ok((listener, made)) => Listening::new(listener).map(|listening| (listening, made)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => Err(error),
        };
        // Another director may have come to the name while this one came to the place. Whoever looks
        // last sees the other.
        let found = by_name(kind, subject.file);
        if named.is_err() && found.director().is_some() {
            return Err(held());
        }
        let trouble = match (&named, &placed) {
            (Ok(_), Ok(_)) => None,
            (Err(error), Ok(_)) => Some(name::trouble(kind, subject.file, found, error)),
            (Ok(_), Err(error)) => Some(place::trouble(&place, error)),
            (Err(error), Err(other)) => {
                let name = name::trouble(kind, subject.file, found, error);
                let text = format!("{name}, and {}", place::trouble(&place, other));
                return Err(io::Error::other(text));
            }
        };
        Ok(Self {
            _named: named.ok(),
            _placed: placed.ok(),
            trouble,
        })
    }

    /// Why it is held in one of its two places only. It counts all the same.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

/// One socket of a claim.
#[derive(Debug)]
struct Listening {
    accepting: JoinHandle<()>,
    /// The same socket as the task has, which ends only when the runtime comes to it.
    listener: StdListener,
}

impl Listening {
    fn new(listener: StdListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let accepted = UnixListener::from_std(listener.try_clone()?)?;
        let accepting = tokio::spawn(async move {
            loop {
                // Who asks has learnt everything by now.
                if accepted.accept().await.is_err() {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        });
        Ok(Self {
            accepting,
            listener,
        })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // From here on nobody finds us listening.
        let _ = shutdown(&self.listener, Shutdown::Both);
        self.accepting.abort();
    }
}

/// Who listens at one of the places of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nobody,
    /// Root, or we ourselves: only those can run a director that concerns us.
    Director(Pid),
    /// Another user's process; the kernel knows its number unless it is of another namespace.
    Stranger {
        uid: u32,
        pid: Option<i32>,
    },
    /// Somebody whose queue is full, or who cannot be asked now.
    Unknown,
}

impl Found {
    fn director(self) -> Option<Pid> {
        match self {
            Self::Director(pid) => Some(pid),
            Self::Nobody | Self::Stranger { .. } | Self::Unknown => None,
        }
    }
}

/// The director that holds this claim, frozen or not. Needs a runtime.
pub fn holder(kind: Kind, subject: Subject<'_>) -> Option<Pid> {
    let named = by_name(kind, subject.file).director();
    named.or_else(|| place::found(&place::path(kind, subject)).director())
}

fn by_name(kind: Kind, file: &Path) -> Found {
    match SocketAddrUnix::new_abstract_name(name::name(kind, file).as_bytes()) {
        Ok(address) => listener_at(&address),
        Err(_) => Found::Unknown,
    }
}

fn listener_at(address: &SocketAddrUnix) -> Found {
    let asked = || -> io::Result<Found> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, address)?;
        let peer = UnixStream::from_std(StdStream::from(socket))?.peer_cred()?;
        let trusted = peer.uid() == 0 || peer.uid() == geteuid().as_raw();
        let pid = peer.pid().and_then(Pid::from_raw);
        Ok(match pid.filter(|_| trusted) {
            Some(pid) => Found::Director(pid),
            None => Found::Stranger {
                uid: peer.uid(),
                pid: peer.pid().filter(|pid| *pid > 0),
            },
        })
    };
    asked().unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Found::Nobody,
        _ => Found::Unknown,
    })
}

/// One path for all names of a file: links lead to it, and it need not exist (any more).
pub fn identity(path: &Path) -> PathBuf {
    let whole = path.canonicalize();
    whole.unwrap_or_else(|_| {
        let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
        match (folder, path.file_name()) {
            (Some(folder), Some(name)) => folder.join(name),
            _ => path.to_owned(),
        }
    })
}

/// FNV-1a: the same in every release, unlike the standard library's.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
