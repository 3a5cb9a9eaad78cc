//! Only one hbd for a configuration: the pid file, and what stands in for it while its disk is full
//! or read-only. The second director of a pair must come up even then.
//!
//! The stand-in is a lock on authkeys, which is there because it has been read, and which only root
//! can open. It is held beside the pid file as well, so that one who has a pid file keeps out one
//! who gets none.

use crate::cli::Common;
use ha_plumbing::lockfile::{Layout, LockError, Lockfile};
use ha_status::Severity;
use rustix::fs::{FlockOperation, flock};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Programs that must not run beside us: the old daemon.
const RIVALS: [&str; 1] = ["heartbeat"];
/// A pid file that could not be written is tried again so often.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// Held until the end.
pub struct Presence {
    run: PathBuf,
    file: Option<Lockfile>,
    /// Only held, never read.
    _keys: Option<File>,
    next: Instant,
}

impl Presence {
    /// Takes the pid file, or at least the lock that stands in for it; then also why.
    pub fn claim(common: &Common) -> Result<(Self, Option<String>), LockError> {
        let run = common.run.clone();
        let keys = lock(&common.etc.join("authkeys"));
        let (file, trouble) = match take(&run) {
            Ok(file) => (Some(file), None),
            Err(LockError::File { path, source }) if may_pass(&source) => {
                if matches!(&keys, Err(error) if error.kind() == ErrorKind::WouldBlock) {
                    return Err(LockError::Running { path, pid: None });
                }
                let path = path.display();
                let text = format!("no pid file: {path}: {source}; it is tried again");
                (None, Some(text))
            }
            Err(error) => return Err(error),
        };
        let presence = Self {
            run,
            file,
            _keys: keys.ok(),
            next: Instant::now() + RETRY_EVERY,
        };
        Ok((presence, trouble))
    }

    /// Is there no pid file yet?
    pub fn is_makeshift(&self) -> bool {
        self.file.is_none()
    }

    /// Writes the pid file if it is missing and can be written by now, be it that it never was or
    /// that somebody has removed it. What there is to say of that.
    pub fn look(&mut self, now: Instant) -> Option<(Severity, String)> {
        if let Some(file) = &mut self.file {
            let said = file.refill()?;
            return Some((said.severity(), said.to_string()));
        }
        if now < self.next {
            return None;
        }
        self.next = now + RETRY_EVERY;
        let file = take(&self.run).ok()?;
        let text = format!("pid file {} is written", file.path().display());
        self.file = Some(file);
        Some((Severity::Info, text))
    }
}

fn take(run: &Path) -> Result<Lockfile, LockError> {
    if let Err(source) = std::fs::create_dir_all(run) {
        let path = run.to_owned();
        return Err(LockError::File { path, source });
    }
    Lockfile::acquire(&pid_file(run), Layout::Padded, &RIVALS)
}

/// Can it be written when somebody has made room?
pub fn may_pass(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::ReadOnlyFilesystem | ErrorKind::QuotaExceeded
    )
}

fn lock(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// `/run/heartbeat.pid` for `/run/heartbeat` and for `/run/heartbeat/`, where the old daemon has it.
pub fn pid_file(run: &Path) -> PathBuf {
    // Components know no slash at the end.
    let mut path = OsString::from(run.components().as_path());
    path.push(".pid");
    PathBuf::from(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn pid_file_stands_beside_the_run_directory_with_or_without_a_slash() {
        for run in ["/run/heartbeat", "/run/heartbeat/", "/run/heartbeat//"] {
            assert_eq!(pid_file(Path::new(run)), Path::new("/run/heartbeat.pid"));
        }
    }

    #[test]
    fn want_of_room_passes_and_want_of_rights_does_not() {
        for (errno, passes) in [
            (libc::ENOSPC, true),
            (libc::EROFS, true),
            (libc::EDQUOT, true),
            (libc::EACCES, false),
            (libc::EISDIR, false),
        ] {
            assert_eq!(may_pass(&io::Error::from_raw_os_error(errno)), passes);
        }
    }

    #[test]
    fn lock_that_stands_in_for_a_pid_file_is_held_once() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("authkeys");
        std::fs::write(&keys, "").unwrap();
        let held = lock(&keys).unwrap();
        assert_eq!(lock(&keys).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(held);
        lock(&keys).unwrap();
    }
}
