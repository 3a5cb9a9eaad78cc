//! `ipvsadm -R`: lines of ipvsadm options, one command each.
//!
//! Reads what `-S` writes and what people write by hand: short and long options, in any order, values
//! attached or apart. All faults of a text are gathered; nothing here touches the kernel.

use std::net::SocketAddr;

use crate::destination::Destination;
use crate::identity::ServiceId;
use crate::service::Service;

mod options;
mod words;

/// The longest line that is read, in bytes.
pub const MAX_LINE_BYTES: usize = 1024;
/// How many faults are reported; a text with more is hardly a saved table.
pub const MAX_FAULTS: usize = 100;

/// What one line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `-A`.
    AddService(Service),
    /// `-E`.
    EditService(Service),
    /// `-D`.
    DeleteService(ServiceId),
    /// `-a`.
    AddDestination(ServiceId, Destination),
    /// `-e`.
    EditDestination(ServiceId, Destination),
    /// `-d`.
    DeleteDestination(ServiceId, SocketAddr),
    /// `-C`.
    Clear,
    /// `-Z`, for one service or for all.
    Zero(Option<ServiceId>),
}

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {token:?}: {problem}")]
pub struct RestoreError {
    /// The line, from 1.
    pub line: usize,
    /// The word at fault, as written; the command's own word if something is missing.
    pub token: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No such option.
    #[error("unknown option")]
    UnknownOption,
    /// A word that belongs to no option.
    #[error("unexpected word")]
    UnexpectedWord,
    /// An option at the end of the line lacks its value.
    #[error("value missing")]
    ValueMissing,
    /// A flag was given a value with `=`.
    #[error("this option takes no value")]
    ValueUnexpected,
    /// Two commands, two services or two forwarding methods in one line.
    #[error("given twice")]
    Repeated,
    /// The line has no command.
    #[error("no command; a line begins with -A, -E, -D, -a, -e, -d, -C or -Z")]
    NoCommand,
    /// The option does not belong to the line's command.
    #[error("does not belong to this command")]
    NotHere,
    /// The command lacks its service.
    #[error("no virtual service; -t, -u, --sctp-service or -f is needed")]
    ServiceMissing,
    /// The command lacks its real server.
    #[error("no real server; -r is needed")]
    DestinationMissing,
    /// Not a numeric address, with a port or without.
    #[error("not a numeric address such as 192.0.2.1:80 or [2001:db8::1]:80")]
    BadAddress,
    /// Not a firewall mark.
    #[error("not a firewall mark, 1 to 4294967295")]
    BadMark,
    /// `-6` with an IPv4 address.
    #[error("-6 goes with an IPv6 address or a firewall mark")]
    FamilyMismatch,
    /// Port 0 is for persistent services.
    #[error("port 0 needs -p")]
    ZeroPort,
    /// Not a time-out.
    #[error("not a time-out in seconds, 1 to 2678400")]
    BadTimeout,
    /// Not a netmask, or one of the other family.
    #[error("not a netmask of the service's family: dotted, or a prefix length 1 to 128")]
    BadNetmask,
    /// Persistence options without persistence.
    #[error("needs -p")]
    NeedsPersistence,
    /// Not a name that the kernel could hold.
    #[error("not a name of 1 to 15 bytes")]
    BadName,
    /// Not a scheduler flag.
    #[error("not a list of flag-1, flag-2, flag-3, sh-fallback, sh-port, mh-fallback, mh-port")]
    BadFlags,
    /// `-o` with something else than UDP or a mark.
    #[error("one-packet scheduling is for UDP and firewall marks")]
    NotOnePacket,
    /// Not a weight or threshold.
    #[error("not a number, 0 to 2147483647")]
    BadNumber,
    /// Lower threshold above the upper.
    #[error("the lower threshold is above the upper")]
    ThresholdOrder,
    /// Not a tunnel type.
    #[error("not a tunnel type: ipip, gue or gre")]
    BadTunnel,
    /// GUE without a port, or not a port.
    #[error("--tun-port, 1 to 65535, goes with --tun-type gue")]
    BadTunnelPort,
    /// Tunnel options without `-i`, or that do not fit the type.
    #[error("does not fit the forwarding or the tunnel type")]
    TunnelMismatch,
    /// Longer than [`MAX_LINE_BYTES`].
    #[error("the line is too long")]
    LineTooLong,
}

/// Reads a saved table. Empty lines and lines that begin with `#` are skipped. On any fault nothing is
/// returned but the faults, at most [`MAX_FAULTS`] of them.
pub fn parse(text: &str) -> Result<Vec<Command>, Vec<RestoreError>> {
    let mut commands = Vec::new();
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match parse_line(line) {
            Ok(command) => commands.extend(command),
            Err(Fault { token, problem }) => {
                faults.push(RestoreError {
                    line: index.saturating_add(1),
                    token,
                    problem,
                });
                if faults.len() == MAX_FAULTS {
                    break;
                }
            }
        }
    }
    if faults.is_empty() {
        Ok(commands)
    } else {
        Err(faults)
    }
}

/// Reads the words that name one service: `-t 10.0.0.1:80`, `-f 5 -6`.
pub fn parse_service(words: &str) -> Result<ServiceId, RestoreError> {
    let read = |words| options::service_named(&words::split(words)?);
    read(words).map_err(|Fault { token, problem }| RestoreError {
        line: 1,
        token,
        problem,
    })
}

/// A fault within a line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    token: String,
    problem: Problem,
}

impl Fault {
    fn new(token: impl Into<String>, problem: Problem) -> Self {
        Self {
            token: token.into(),
            problem,
        }
    }
}

fn parse_line(line: &str) -> Result<Option<Command>, Fault> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if line.len() > MAX_LINE_BYTES {
        let start: String = line.chars().take(20).collect();
        return Err(Fault::new(start, Problem::LineTooLong));
    }
    let words = words::split(line)?;
    options::command(&words).map(Some)
}
