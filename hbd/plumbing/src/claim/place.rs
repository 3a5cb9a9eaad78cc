//! The half of a claim that stands in the run folder, where only its owner makes sockets and connects
//! to them.

use super::{Found, Kind, Subject, fnv, identity, listener_at};
use rustix::fs::{CWD, Mode, RenameFlags, fchmod, renameat_with};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen as start_listening,
    socket_with,
};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A network namespace is a file, whose number is its own while it lives.
const NAMESPACE: &str = "/proc/self/ns/net";
/// Of our own kind there are few who ask at the same time.
const QUEUE: i32 = 128;

/// The socket that we made; dropping this takes it away.
#[derive(Debug)]
pub(super) struct Made {
    path: PathBuf,
    number: (u64, u64),
}

impl Drop for Made {
    fn drop(&mut self) {
        if number(&self.path).is_ok_and(|number| number == self.number) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// `RUN/ldird-standby.NAMESPACE.DIGEST`: the folder is one for all network namespaces.
pub(super) fn path(kind: Kind, subject: Subject<'_>) -> PathBuf {
    let namespace = fs::metadata(NAMESPACE).map_or(0, |file| file.ino());
    let digest = fnv(identity(subject.file).as_os_str().as_bytes());
    let name = format!("{}.{namespace:x}.{digest:016x}", kind.prefix());
    subject.run.join(name)
}

pub(super) fn found(path: &Path) -> Found {
    match SocketAddrUnix::new(path) {
        Ok(address) => listener_at(&address),
        Err(_) => Found::Unknown,
    }
}

/// Listens there, in the place of one that has died. A living one is an error of kind `AddrInUse`.
pub(super) fn listen(path: &Path) -> io::Result<(UnixListener, Made)> {
    if let Some(run) = path.parent() {
        fs::create_dir_all(run)?;
    }
    // It listens already when it comes to its place, where nobody may find a dead one.
    let fresh = fresh(path);
    let _ = fs::remove_file(&fresh);
    let socket = open(&fresh)?;
    let moved = number(&fresh).and_then(|number| {
        make_room(path)?;
        match renameat_with(CWD, &fresh, CWD, path, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(number),
            Err(Errno::EXIST) => Err(io::ErrorKind::AddrInUse.into()),
            Err(error) => Err(error.into()),
        }
    });
    match moved {
        Ok(number) => {
            let path = path.to_owned();
            Ok((socket, Made { path, number }))
        }
        Err(error) => {
            let _ = fs::remove_file(&fresh);
            Err(error)
        }
    }
}

fn fresh(path: &Path) -> PathBuf {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(format!(".{}.new", std::process::id()));
    PathBuf::from(fresh)
}

fn open(path: &Path) -> io::Result<UnixListener> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // Before it has a name, so that it never stands there with wider rights: the file gets those of
    // the socket (net/unix/af_unix.c, unix_bind_bsd).
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    bind(&socket, &address)?;
    start_listening(&socket, QUEUE)?;
    Ok(UnixListener::from(socket))
}

/// Removes what a dead director has left. Of two that start in the same moment and find it, one comes
/// late: what has been replaced since the look is not the dead one any more.
fn make_room(path: &Path) -> io::Result<()> {
    let Ok(before) = number(path) else {
        return Ok(());
    };
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::Error::other("something else has that name"));
    }
    match found(path) {
        Found::Nobody if number(path).is_ok_and(|now| now == before) => fs::remove_file(path),
        Found::Nobody => Ok(()),
        Found::Director(_) | Found::Stranger { .. } | Found::Unknown => {
            Err(io::ErrorKind::AddrInUse.into())
        }
    }
}

/// Why there is no socket of ours, in words.
pub(super) fn trouble(path: &Path, error: &io::Error) -> String {
    format!("the socket {} cannot be made: {error}", path.display())
}

fn number(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}
