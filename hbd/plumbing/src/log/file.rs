//! A log file that survives rotation: opened anew when its name belongs to another inode.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often the inode is looked at, at most.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// An appended file.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    open: Option<File>,
    check_every: Duration,
    checked: Option<Instant>,
    /// A failure was told already; silent until it works again.
    complained: bool,
}

impl LogFile {
    /// `None` for `/dev/null`.
    pub(super) fn new(path: &Path) -> Option<Self> {
        Self::checking_every(path, CHECK_EVERY)
    }

    pub(super) fn checking_every(path: &Path, check_every: Duration) -> Option<Self> {
        (path != Path::new("/dev/null")).then(|| Self {
            path: path.to_owned(),
            open: None,
            check_every,
            checked: None,
            complained: false,
        })
    }

    /// Appends one line; a failure is told on standard error once.
    pub(super) fn write(&mut self, line: &str) -> bool {
        match self.try_write(line) {
            Ok(()) => {
                self.complained = false;
                true
            }
            Err(error) => {
                if !self.complained {
                    let path = self.path.display();
                    let _ = writeln!(io::stderr(), "cannot write log file {path}: {error}");
                    self.complained = true;
                }
                self.open = None;
                false
            }
        }
    }

    fn try_write(&mut self, line: &str) -> io::Result<()> {
        let due = self
            .checked
            .is_none_or(|at| at.elapsed() >= self.check_every);
        if due {
            self.checked = Some(Instant::now());
            if self.was_rotated() {
                self.open = None;
            }
        }
        let file = match &mut self.open {
            Some(file) => file,
            none => none.insert(
                OpenOptions::new()
                    .append(true)
                    .create(true)
                    .open(&self.path)?,
            ),
        };
        // One call per line, so that lines of several writers do not mix.
        file.write_all(format!("{line}\n").as_bytes())
    }

    fn was_rotated(&self) -> bool {
        let Some(open) = &self.open else { return false };
        let same = |a: fs::Metadata, b: fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
        match (open.metadata(), fs::metadata(&self.path)) {
            (Ok(ours), Ok(named)) => !same(ours, named),
            (Err(_), _) | (_, Err(_)) => true,
        }
    }
}
