//! The lock of a serial line, as every program that uses one looks for it: a file `LCK..ttyS0` with
//! the process that has the line (Heartbeat specification 3.5).
//!
//! The file of a process that is gone is taken over. A line can be used without one where the
//! directory cannot be written.

use rustix::process::{Pid, test_kill_process};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Where the files are.
pub const DIRECTORY: &str = "/var/lock";

/// How often files of dead processes may come between before we give up.
const ATTEMPTS: usize = 4;

#[derive(Debug, Error)]
pub enum LockError {
    #[error("cannot lock line {device}: process {pid} has it ({})", .path.display())]
    Taken {
        device: String,
        pid: u32,
        path: PathBuf,
    },
    #[error("{}: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
}

/// A held line. Dropping it removes the file.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
}

impl Lock {
    pub fn acquire(device: &str, directory: &Path) -> Result<Self, LockError> {
        let path = directory.join(file_name(device));
        let failed = |source| LockError::File {
            path: path.clone(),
            source,
        };
        for _ in 0..ATTEMPTS {
            match create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
            if let Some(pid) = holder(&path) {
                let device = device.to_owned();
                return Err(LockError::Taken { device, pid, path });
            }
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(io::ErrorKind::AlreadyExists.into()))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if number_in(&self.path) == Some(std::process::id()) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What comes after `/dev/`, in one word.
fn file_name(device: &str) -> String {
    let name = device.strip_prefix("/dev/").unwrap_or(device);
    format!("LCK..{}", name.trim_matches('/').replace('/', "_"))
}

/// It never shows without its content: written under another name first.
fn create(path: &Path) -> io::Result<()> {
    let pid = std::process::id();
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!("-{pid}"));
    let draft = PathBuf::from(draft);
    let written = File::create(&draft).and_then(|mut file| writeln!(file, "{pid:>10}"));
    let made = written.and_then(|()| fs::hard_link(&draft, path));
    let _ = fs::remove_file(&draft);
    made
}

fn number_in(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The living process in the file, if it is another one than this.
fn holder(path: &Path) -> Option<u32> {
    let number = number_in(path).filter(|pid| *pid != std::process::id())?;
    let pid = Pid::from_raw(i32::try_from(number).ok()?)?;
    // EPERM also means alive.
    (test_kill_process(pid) != Err(rustix::io::Errno::SRCH)).then_some(number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn file_is_named_as_other_programs_expect_it() {
        assert_eq!(file_name("/dev/ttyS0"), "LCK..ttyS0");
        assert_eq!(file_name("/dev/pts/3"), "LCK..pts_3");
        assert_eq!(file_name("/tmp/line"), "LCK..tmp_line");
    }

    #[test]
    fn line_of_a_living_process_is_left_alone_and_that_of_a_dead_one_taken() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("LCK..ttyS0");
        fs::write(&path, "         1\n").unwrap();
        let refused = Lock::acquire("/dev/ttyS0", directory.path()).unwrap_err();
        assert!(matches!(refused, LockError::Taken { pid: 1, .. }));
        assert!(path.exists());
        // Beyond any pid that Linux gives.
        for left in ["   4194305\n", "", "nobody"] {
            fs::write(&path, left).unwrap();
            let lock = Lock::acquire("/dev/ttyS0", directory.path()).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text, format!("{:>10}\n", std::process::id()));
            drop(lock);
            assert!(!path.exists());
        }
        let left: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn lock_that_somebody_took_over_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let lock = Lock::acquire("/dev/ttyS0", directory.path()).unwrap();
        let path = directory.path().join("LCK..ttyS0");
        fs::write(&path, "1\n").unwrap();
        drop(lock);
        assert!(path.exists());
    }

    #[test]
    fn directory_that_is_not_there_is_an_error_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        let error = Lock::acquire("/dev/ttyS0", &missing).unwrap_err();
        assert!(matches!(error, LockError::File { .. }));
    }
}
