//! Why a file was not executed: for good, so that nothing of it can run here, or for now, which says
//! nothing about what runs.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// So much of a file that cannot be executed is looked at: an interpreter line is shorter.
const HEAD_BYTES: u64 = 256;
/// What `stat(2)` and `execve(2)` say of a file that is not there or is no program, today and tomorrow.
/// Everything else, known or not, passes: EAGAIN, ENOMEM, EMFILE, ENFILE, ETXTBSY, EIO, ESTALE.
const STAYS: [i32; 11] = [
    libc::ENOENT,
    libc::ENOTDIR,
    libc::EISDIR,
    libc::EACCES,
    libc::EPERM,
    libc::ELOOP,
    libc::ENAMETOOLONG,
    libc::ENOEXEC,
    libc::ELIBBAD,
    libc::EINVAL,
    libc::E2BIG,
];

/// What is to be made of an attempt that failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is a text without an interpreter line: the old daemon's shell ran such files itself.
    NeedsShell,
    /// As long as nobody changes it, and why.
    Stays(String),
    /// The next attempt may succeed, and why this one did not.
    Passes(String),
}

/// Is the file at fault, and not the state of the machine?
pub(super) fn stays(error: &io::Error) -> bool {
    match error.raw_os_error() {
        Some(errno) => STAYS.contains(&errno),
        // The standard library's own refusals: a NUL byte in an argument.
        None => error.kind() == io::ErrorKind::InvalidInput,
    }
}

/// Why the kernel would not execute a file, in words that lead to the mend. Blocking.
pub(super) fn refusal(path: &Path, error: &io::Error) -> Refusal {
    let plain = format!("{}: {error}", path.display());
    if !stays(error) {
        return Refusal::Passes(plain);
    }
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let interpreter = line.strip_prefix(b"#!").map(String::from_utf8_lossy);
    match (interpreter, error.raw_os_error()) {
        (None, Some(libc::ENOEXEC)) if !head.contains(&0) => match read {
            Ok(_) => Refusal::NeedsShell,
            Err(error) => Refusal::Passes(format!("{}: {error}", path.display())),
        },
        (Some(interpreter), _) if interpreter.ends_with('\r') => Refusal::Stays(format!(
            "{} has the line ends of Windows (CR LF): its interpreter is {:?}",
            path.display(),
            interpreter.trim_start()
        )),
        (Some(interpreter), Some(libc::ENOENT)) => Refusal::Stays(format!(
            "{}: its interpreter {} does not exist",
            path.display(),
            interpreter.trim()
        )),
        (Some(_) | None, _) => Refusal::Stays(plain),
    }
}
