//! A director's claim on its configuration file: one director for each file in each network
//! namespace, which is where the kernel keeps its table. Two more names say that it is resident, and
//! that it is on standby. Here because hbd asks for them as well: its resource is a director.
//!
//! The claim is an abstract socket named after the file, so it ends with the process and with nothing
//! else: neither a wiped `/run` nor another name for the same file nor a deleted file hides a director
//! from `stop`. Whoever connects learns from the kernel who listens; nothing is ever said.

use rustix::net::{
    AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect, shutdown,
    socket_with,
};
use rustix::process::{Pid, geteuid};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener as StdListener, UnixStream as StdStream};
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
            Self::Director => "ldird:",
            Self::Resident => "ldird-resident:",
            Self::Standby => "ldird-standby:",
        }
    }
}

/// The kernel takes 107 bytes; a longer path is shortened from the left, behind its digest.
const NAME_MAX: usize = 100;
/// Pause after a failed accept, so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A held claim. Dropping it lets go.
#[derive(Debug)]
pub struct Claim {
    accepting: JoinHandle<()>,
    /// The same socket as the task has, which ends only when the runtime comes to it.
    listening: StdListener,
}

impl Claim {
    /// Needs a runtime. An error of kind `AddrInUse` means that somebody holds it: see [`holder`].
    pub fn acquire(kind: Kind, path: &Path) -> io::Result<Self> {
        let address = SocketAddr::from_abstract_name(name(kind, path))?;
        let listener = StdListener::bind_addr(&address)?;
        listener.set_nonblocking(true)?;
        let listening = listener.try_clone()?;
        let listener = UnixListener::from_std(listener)?;
        let accepting = tokio::spawn(async move {
            loop {
                // Who asks has learnt everything by now.
                if listener.accept().await.is_err() {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        });
        Ok(Self {
            accepting,
            listening,
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // From here on nobody finds us listening.
        let _ = shutdown(&self.listening, Shutdown::Both);
        self.accepting.abort();
    }
}

/// The director that holds this claim, frozen or not. Needs a runtime. Another user's socket of that
/// name is no director: only root and we ourselves can run one that concerns us.
pub fn holder(kind: Kind, path: &Path) -> Option<Pid> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
    let address = SocketAddrUnix::new_abstract_name(name(kind, path).as_bytes()).ok()?;
    connect(&socket, &address).ok()?;
    let stream = UnixStream::from_std(StdStream::from(socket)).ok()?;
    let peer = stream.peer_cred().ok()?;
    let trusted = peer.uid() == 0 || peer.uid() == geteuid().as_raw();
    Pid::from_raw(peer.pid().filter(|_| trusted)?)
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

fn name(kind: Kind, path: &Path) -> String {
    let prefix = kind.prefix();
    let text = identity(path).to_string_lossy().into_owned();
    if text.len() + prefix.len() <= NAME_MAX {
        return format!("{prefix}{text}");
    }
    let digest = fnv(text.as_bytes());
    let mut from = text.len() + prefix.len() + 17 - NAME_MAX;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    format!(
        "{prefix}{digest:016x}:{}",
        text.get(from..).unwrap_or_default()
    )
}

/// FNV-1a: the same in every release, unlike the standard library's.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
