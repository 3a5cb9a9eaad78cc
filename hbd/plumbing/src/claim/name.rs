//! The abstract half of a claim: a name made of the file's path.

use super::{Found, Kind, fnv, identity};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

/// The kernel takes 107 bytes; a longer path is shortened from the left, behind its digest.
pub(super) const NAME_MAX: usize = 100;

pub(super) fn listen(name: &str) -> io::Result<UnixListener> {
    let address = SocketAddr::from_abstract_name(name)?;
    UnixListener::bind_addr(&address)
}

/// Why the name is not ours, in words; `found` there.
pub(super) fn trouble(kind: Kind, file: &Path, found: Found, error: &io::Error) -> String {
    let name = name(kind, file);
    match found {
        Found::Stranger { uid, pid } => {
            let pid = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
            format!("the socket name @{name} is taken by user {uid}{pid}, who is no director")
        }
        Found::Nobody | Found::Director(_) | Found::Unknown => {
            format!("the socket name @{name} cannot be had: {error}")
        }
    }
}

pub(super) fn name(kind: Kind, file: &Path) -> String {
    let prefix = format!("{}:", kind.prefix());
    let text = identity(file).to_string_lossy().into_owned();
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
