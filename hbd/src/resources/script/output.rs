//! Where a script writes: a file in memory, bounded, that outlives the script for what it started.
//!
//! Not a pipe: a service that a script starts may keep its standard output for ever without
//! blocking us, and without dying of a closed pipe. Appended to like a log, and without a lock on
//! its length while the script runs, because shells open `/dev/stderr` anew and cut it.

use rustix::fs::{MemfdFlags, OFlags, SealFlags, fcntl_add_seals, fcntl_setfl, memfd_create};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::process::Stdio;

/// A script may write so much, and a little more until that is noticed; then writing fails for it.
const OUTPUT_MAX_BYTES: u64 = 1024 * 1024;
/// So much of it is read.
const OUTPUT_READ_BYTES: u64 = 4096;

/// One stream of one script. When it is dropped, what is left of it takes no memory.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
}

impl Output {
    pub(super) fn new() -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = File::from(memfd_create("script output", flags)?);
        fcntl_setfl(&file, OFlags::APPEND)?;
        Ok(Self { file })
    }

    /// The script's end.
    pub(super) fn stdio(&self) -> io::Result<Stdio> {
        Ok(self.file.try_clone()?.into())
    }

    /// Ends a flood. Call it now and then while the script runs.
    pub(super) fn bound(&self) {
        let length = self.file.metadata().map(|file| file.len());
        if length.is_ok_and(|length| length > OUTPUT_MAX_BYTES) {
            // Sealed already, if it fails.
            let _ = fcntl_add_seals(&self.file, SealFlags::GROW);
        }
    }

    /// The beginning of what was written.
    pub(super) fn first_words(&mut self) -> String {
        let mut read = || -> io::Result<Vec<u8>> {
            self.file.rewind()?;
            let mut bytes = Vec::new();
            let mut beginning = (&self.file).take(OUTPUT_READ_BYTES);
            beginning.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Output {
    /// Whoever still holds it cannot fill it again: writing fails (EPERM), which harms no service.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
        let seals = SealFlags::GROW | SealFlags::SHRINK | SealFlags::WRITE;
        let _ = fcntl_add_seals(&self.file, seals);
    }
}
