//! The configuration file while the director runs (specification 3.8). Looks when asked, keeps what
//! it saw last.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// So many looks in a row must find a changed file as it was before it counts as written.
const STILL_LOOKS: u32 = 3;

/// Notices a changed configuration file by its content, once it keeps still: a file that is still
/// being written may be a valid configuration without its last virtual services.
#[derive(Debug)]
pub(crate) struct FileWatch {
    path: PathBuf,
    stamp: Option<Stamp>,
    /// Looks that are still to find the file as it is; `None` when its content has been read since
    /// the stamp changed.
    unsettled: Option<u32>,
    digest: Option<u64>,
}

type Stamp = (SystemTime, u64);

/// What became of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Same,
    Changed,
    /// It cannot be read any more; said once.
    Vanished,
}

impl FileWatch {
    /// Takes the file as it is now for the one in force.
    pub(crate) fn new(path: &Path) -> Self {
        let mut watch = Self {
            path: path.to_owned(),
            stamp: None,
            unsettled: None,
            digest: None,
        };
        watch.accept();
        watch
    }

    /// What is there now is no change any more.
    pub(crate) fn accept(&mut self) {
        self.stamp = self.stamp_now();
        self.unsettled = None;
        self.digest = self.digest_now().or(self.digest);
    }

    /// Looks again. A change is told when [`STILL_LOOKS`] looks in a row found the same time and length.
    pub(crate) fn look(&mut self) -> Seen {
        let stamp = self.stamp_now();
        let before = std::mem::replace(&mut self.stamp, stamp);
        if stamp != before {
            self.unsettled = stamp.map(|_| STILL_LOOKS);
            return if stamp.is_none() {
                Seen::Vanished
            } else {
                Seen::Same
            };
        }
        match self.unsettled {
            None => return Seen::Same,
            Some(left) if left > 1 => {
                self.unsettled = Some(left - 1);
                return Seen::Same;
            }
            Some(_) => self.unsettled = None,
        }
        let Some(digest) = self.digest_now() else {
            return Seen::Vanished;
        };
        let before = self.digest.replace(digest);
        if before.is_none_or(|before| before == digest) {
            Seen::Same
        } else {
            Seen::Changed
        }
    }

    fn stamp_now(&self) -> Option<Stamp> {
        let metadata = std::fs::metadata(&self.path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }

    fn digest_now(&self) -> Option<u64> {
        let content = std::fs::read(&self.path).ok()?;
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        Some(hasher.finish())
    }
}

#[cfg(test)]
mod tests;
