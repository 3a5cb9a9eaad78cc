//! Small files in the run folder that outlive a director: which services it has in the table, whether
//! its resource is active, what an operator has said. Each begins with the path of the configuration
//! that it is about, so that a director finds them under whatever name it runs.
//!
//! Written on a thread, the newest content wins, and moved into place: a crash leaves the old one or
//! the new one. They end with the machine, as the table does.

use crate::instance::Instance;
use ha_plumbing::claim;
use ha_plumbing::pace::LOOK_EVERY;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// More bytes than any file of ours has.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Files in one folder that are looked at.
const FILES_MAX: usize = 256;

/// A value and the file that follows it. `None` is no file.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    wanted: watch::Sender<Numbered<T>>,
    done: watch::Receiver<Done>,
    /// That `done` is another one; one note says so of many.
    news: mpsc::Receiver<()>,
    writing: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Numbered<T> {
    number: u64,
    content: Option<T>,
}

/// The last content that was tried, and how that ended.
#[derive(Debug, Clone, Default)]
struct Done {
    number: u64,
    error: Option<String>,
}

/// Where a file is, what it is about, and how it is written.
#[derive(Debug, Clone)]
pub(crate) struct File<T> {
    pub(crate) path: PathBuf,
    pub(crate) about: PathBuf,
    pub(crate) text: fn(&T) -> String,
}

/// A file about a configuration, without its first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl<T: Clone + Send + Sync + 'static> Kept<T> {
    /// Follows a file that holds `content` already. Needs a runtime.
    pub(crate) fn new(file: File<T>, content: Option<T>) -> Self {
        let number = 0;
        let (wanted, changes) = watch::channel(Numbered { number, content });
        let (told, done) = watch::channel(Done::default());
        let (note, news) = mpsc::channel(1);
        let writing = tokio::spawn(keep(file, changes, told, note));
        Self {
            wanted,
            done,
            news,
            writing,
        }
    }

    pub(crate) fn set(&self, content: Option<T>) {
        self.wanted.send_modify(|wanted| {
            wanted.number += 1;
            wanted.content = content;
        });
    }

    /// Is what was set last on disk, or has failed to get there?
    pub(crate) fn is_settled(&self) -> bool {
        self.done.borrow().number == self.wanted.borrow().number
    }

    /// Waits until something more has been written, for whatever it was worth; gives the error.
    /// Dropping the future loses nothing, not even whom it was to wake, as that of a `watch` would.
    pub(crate) async fn written(&mut self) -> Option<String> {
        match self.news.recv().await {
            Some(()) => self.done.borrow().error.clone(),
            // It ends with the runtime.
            None => std::future::pending().await,
        }
    }

    /// Lets the last content reach the disk.
    pub(crate) async fn settle(self) {
        drop(self.wanted);
        let _ = self.writing.await;
    }
}

/// Writes every change, and all again if somebody has removed the file or the disk had no room.
async fn keep<T: Clone + Send + Sync + 'static>(
    file: File<T>,
    mut changes: watch::Receiver<Numbered<T>>,
    told: watch::Sender<Done>,
    note: mpsc::Sender<()>,
) {
    let mut failed = false;
    loop {
        let changed = timeout(LOOK_EVERY, changes.changed()).await;
        let again = changed.is_err();
        match changed {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) if failed => {}
            Err(_) if changes.borrow().content.is_none() || file.path.exists() => continue,
            Err(_) => {}
        }
        let Numbered { number, content } = changes.borrow_and_update().clone();
        let file = file.clone();
        let written = tokio::task::spawn_blocking(move || match content {
            Some(content) => file.write(&content),
            None => remove(&file.path),
        });
        let result = written.await.unwrap_or_else(|e| Err(io::Error::other(e)));
        let error = result.err().map(|error| error.to_string());
        // A folder that stays away, or a disk that stays full, is told once: when something was to be
        // written. That it is written now is told as well.
        let mended = failed && error.is_none();
        failed = error.is_some();
        if !again || mended {
            told.send_replace(Done { number, error });
            // Full: the loop has yet to hear of the one before, and will find this one.
            let _ = note.try_send(());
        }
    }
}

impl<T> File<T> {
    /// `RUN/ldird.NAME.SUFFIX`.
    pub(crate) fn of(instance: &Instance, suffix: &str, text: fn(&T) -> String) -> Self {
        let name = format!("ldird.{}.{suffix}", instance.name);
        Self {
            path: instance.socket.with_file_name(name),
            about: claim::identity(&instance.path),
            text,
        }
    }

    pub(crate) fn write(&self, content: &T) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut fresh = self.path.as_os_str().to_owned();
        fresh.push(".new");
        let text = (self.text)(content);
        fs::write(&fresh, format!("{}\n{text}", self.about.display()))?;
        fs::rename(&fresh, &self.path)
    }
}

/// All files with this suffix in the run folder that are about the instance's configuration, under
/// whatever name it ran.
pub(crate) fn find(instance: &Instance, suffix: &str) -> Vec<Found> {
    let about = claim::identity(&instance.path);
    let Some(Ok(entries)) = instance.socket.parent().map(fs::read_dir) else {
        return Vec::new();
    };
    let dotted = format!(".{suffix}");
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_one = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("ldird.") && name.ends_with(&dotted))
    };
    let paths = paths.filter(is_one).take(FILES_MAX);
    paths.filter_map(|path| read(path, &about)).collect()
}

/// Removes them all; the error of the first that stays.
pub(crate) fn remove_all(found: &[Found]) -> io::Result<()> {
    let results = found.iter().map(|one| remove(&one.path));
    results.fold(Ok(()), Result::and)
}

/// `None` if it is about another configuration, or is nothing of ours at all.
fn read(path: PathBuf, about: &Path) -> Option<Found> {
    let mut text = String::new();
    let opened = fs::File::open(&path).ok()?;
    opened.take(BYTES_MAX).read_to_string(&mut text).ok()?;
    let (first, rest) = text.split_once('\n')?;
    let text = rest.to_owned();
    (Path::new(first) == about).then_some(Found { path, text })
}

pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
