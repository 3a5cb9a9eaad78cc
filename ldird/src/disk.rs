//! What the loop wants to know of the disk and of name servers, asked on threads: a folder on a
//! network file system that hangs, or a name server that does, holds nothing up.

use crate::maintenance::{self, Hosts, Listed};
use crate::watch::{FileWatch, Seen};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::select;
use tokio::task::{JoinHandle, spawn_blocking};

/// The answer to a question.
#[derive(Debug)]
pub(crate) enum Found {
    Look { file: Seen, listing: Listed },
    Hosts(Hosts),
}

/// One question of a kind at a time.
#[derive(Debug)]
pub(crate) struct Disk {
    file: SharedWatch,
    looking: Option<JoinHandle<(Seen, Listed)>>,
    resolving: Option<JoinHandle<Hosts>>,
}

/// The file's watch, in the hands of threads only.
#[derive(Debug, Clone)]
pub(crate) struct SharedWatch(Arc<Mutex<FileWatch>>);

impl SharedWatch {
    /// What is read now is no change any more.
    pub(crate) fn accept(&self) {
        self.with(FileWatch::accept);
    }

    fn with<T>(&self, act: impl FnOnce(&mut FileWatch) -> T) -> T {
        // Whoever panicked left nothing half done that the next look would not set right.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Disk {
    pub(crate) fn new(file: &Path) -> Self {
        let file = FileWatch::new(file);
        Self {
            file: SharedWatch(Arc::new(Mutex::new(file))),
            looking: None,
            resolving: None,
        }
    }

    pub(crate) fn watch(&self) -> SharedWatch {
        self.file.clone()
    }

    /// Looks at the configuration file and the maintenance directory, unless that is under way.
    pub(crate) fn look(&mut self, maintenancedir: Option<PathBuf>) {
        if self.looking.is_none() {
            let file = self.file.clone();
            self.looking = Some(spawn_blocking(move || {
                let seen = file.with(FileWatch::look);
                (seen, maintenance::list(maintenancedir.as_deref()))
            }));
        }
    }

    /// Is a question for host names under way?
    pub(crate) fn is_resolving(&self) -> bool {
        self.resolving.is_some()
    }

    pub(crate) fn resolve(&mut self, names: BTreeSet<String>) {
        if self.resolving.is_none() && !names.is_empty() {
            self.resolving = Some(spawn_blocking(move || maintenance::resolve(names)));
        }
    }

    /// The next answer. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Found {
        loop {
            select! {
                looked = finished(&mut self.looking) => if let Some((file, listing)) = looked {
                    return Found::Look { file, listing };
                },
                hosts = finished(&mut self.resolving) => if let Some(hosts) = hosts {
                    return Found::Hosts(hosts);
                },
            }
        }
    }
}

/// The end of a thread that may not be running; `None` if it panicked.
pub(crate) async fn finished<T>(running: &mut Option<JoinHandle<T>>) -> Option<T> {
    let Some(handle) = running else {
        return std::future::pending().await;
    };
    let result = handle.await;
    *running = None;
    result.ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::time::Duration;
    use tokio::time::timeout;

    /// More than the looks that a changed file must keep still for.
    const LOOKS: usize = 20;

    /// Whoever opens a pipe to read waits for one who writes: as long as a dead disk.
    #[tokio::test]
    async fn a_disk_that_hangs_holds_nothing_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.cf");
        std::fs::write(&path, "").unwrap();
        let mut disk = Disk::new(&path);
        std::fs::remove_file(&path).unwrap();
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let mut hangs = false;
        for _ in 0..LOOKS {
            disk.look(None);
            // This clock ticks on the same thread as the loop.
            hangs = timeout(Duration::from_millis(200), disk.next())
                .await
                .is_err();
            if hangs {
                break;
            }
        }
        assert!(hangs, "the pipe is read");
        disk.look(None);
        let writer = std::fs::File::options().write(true).open(&path).unwrap();
        drop(writer);
        let found = timeout(Duration::from_secs(20), disk.next()).await.unwrap();
        assert!(matches!(found, Found::Look { .. }), "{found:?}");
    }
}
