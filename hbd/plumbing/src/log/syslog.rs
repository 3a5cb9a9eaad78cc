//! The local syslog daemon, spoken to by datagram.
//!
//! Our own few lines rather than the C library's: its facilities, levels and lack of a time limit
//! do not fit a daemon that must never wait.

use super::Stamp;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Where every syslog daemon listens.
const SOCKET: &str = "/dev/log";

/// A syslog daemon that does not read for so long loses the line.
const PATIENCE: Duration = Duration::from_secs(1);

/// A syslog facility.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facility(u8);

impl Facility {
    /// Numbers of RFC 3164 section 4.1.1; `security` is the old name of `auth`.
    pub const NAMES: [(&'static str, u8); 21] = [
        ("kern", 0),
        ("user", 1),
        ("mail", 2),
        ("daemon", 3),
        ("auth", 4),
        ("security", 4),
        ("syslog", 5),
        ("lpr", 6),
        ("news", 7),
        ("uucp", 8),
        ("cron", 9),
        ("authpriv", 10),
        ("ftp", 11),
        ("local0", 16),
        ("local1", 17),
        ("local2", 18),
        ("local3", 19),
        ("local4", 20),
        ("local5", 21),
        ("local6", 22),
        ("local7", 23),
    ];

    /// By exact lower-case name.
    pub fn from_name(name: &str) -> Option<Self> {
        let named = Self::NAMES.iter().find(|(word, _)| *word == name);
        named.map(|(_, number)| Self(*number))
    }

    pub fn name(self) -> &'static str {
        let numbered = Self::NAMES.iter().find(|(_, number)| *number == self.0);
        numbered.map_or("user", |(name, _)| name)
    }
}

/// The connection, made when needed and again when it breaks.
#[derive(Debug)]
pub(super) struct Syslog {
    facility: Facility,
    path: PathBuf,
    socket: Option<UnixDatagram>,
}

impl Syslog {
    pub(super) fn new(facility: Facility) -> Self {
        Self::to(facility, Path::new(SOCKET))
    }

    pub(super) fn to(facility: Facility, path: &Path) -> Self {
        Self {
            facility,
            path: path.to_owned(),
            socket: None,
        }
    }

    /// Sends `tag: body`; false if nobody took it.
    pub(super) fn write(&mut self, at: SystemTime, priority: u8, line: &str) -> bool {
        let number = u16::from(self.facility.0) * 8 + u16::from(priority);
        let stamp = Stamp::local(at).rfc3164();
        let packet = format!("<{number}>{stamp} {line}");
        // A restarted daemon has a new socket: the second try finds it.
        (0..2).any(|_| {
            let sent = self.send(packet.as_bytes()).is_ok();
            if !sent {
                self.socket = None;
            }
            sent
        })
    }

    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        let socket = match &self.socket {
            Some(socket) => socket,
            None => self.socket.insert(connect(&self.path)?),
        };
        socket.send(packet).map(drop)
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}
