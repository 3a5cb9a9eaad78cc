//! Monitor files (specification C.2): a line for each answer of a check, written by a thread.
//!
//! A file is opened for each batch, so that rotation needs no signal. A disk that hangs or is full
//! costs lines, which are counted and told, and nothing else.

use crate::wording::Line;
use ha_plumbing::log::Stamp;
use ha_status::Severity;
use ldird_core::config::ProbeId;
use ldird_core::input::{Finding, Verdict};
use ldird_core::table::{DestinationKey, ServiceKey};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// Lines that wait for the disk; further ones are dropped and counted.
const WAITING_MAX: usize = 10_000;
/// Lines written at once.
const BATCH_MAX: usize = 1_000;
/// At the end the last lines are waited for no longer.
const LAST_LIMIT: Duration = Duration::from_secs(1);
/// How often it is looked whether they are written.
const LAST_LOOK: Duration = Duration::from_millis(10);

/// Somebody who wants to know what a check says of a real server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Monitor {
    pub(crate) file: PathBuf,
    pub(crate) service: ServiceKey,
    pub(crate) real: DestinationKey,
    /// The check as the old daemon names it.
    pub(crate) id: String,
}

/// One line on its way.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    file: PathBuf,
    text: String,
}

/// The loop's end. The thread starts with the first line.
#[derive(Debug, Default)]
pub(crate) struct Monitors {
    writer: Option<(SyncSender<Entry>, JoinHandle<()>)>,
    dropped: u64,
}

impl Monitors {
    /// Writes what a check says to everybody who wants to know. Never waits.
    pub(crate) fn note(
        &mut self,
        monitors: &BTreeMap<ProbeId, Vec<Monitor>>,
        probe: ProbeId,
        verdict: &Verdict,
        in_maintenance: impl Fn(&Monitor) -> bool,
    ) {
        for monitor in monitors.get(&probe).into_iter().flatten() {
            let (up, message) = match verdict.finding {
                Finding::Up | Finding::Down if in_maintenance(monitor) => {
                    (false, "Server in maintenance")
                }
                Finding::Up => (true, verdict.message.as_str()),
                Finding::Down => (false, verdict.message.as_str()),
                // Neither up nor down.
                Finding::CouldNotAsk => continue,
            };
            let text = line(SystemTime::now(), &monitor.id, up, message);
            let file = monitor.file.clone();
            self.push(Entry { file, text });
        }
    }

    fn push(&mut self, entry: Entry) {
        if self.writer.is_none() {
            let (sender, receiver) = sync_channel(WAITING_MAX);
            let thread = std::thread::Builder::new().name("monitor".to_owned());
            match thread.spawn(move || write_all(&receiver)) {
                Ok(thread) => self.writer = Some((sender, thread)),
                Err(error) => return tell(format!("Monitor files are not written: {error}")),
            }
        }
        let Some((sender, _)) = &self.writer else {
            return;
        };
        if sender.try_send(entry).is_err() {
            if self.dropped == 0 {
                tell(
                    "Monitor files: the disk is slower than the checks, lines are lost".to_owned(),
                );
            }
            self.dropped += 1;
        } else if self.dropped > 0 {
            tell(format!("Monitor files: {} lines were lost", self.dropped));
            self.dropped = 0;
        }
    }

    /// The last lines; a disk that hangs holds nobody up.
    pub(crate) async fn finish(&mut self) {
        let Some((sender, thread)) = self.writer.take() else {
            return;
        };
        drop(sender);
        let begun = Instant::now();
        while !thread.is_finished() && begun.elapsed() < LAST_LIMIT {
            tokio::time::sleep(LAST_LOOK).await;
        }
    }
}

/// `[CTIME] [PID] CHECK [up|down] MESSAGE`.
fn line(at: SystemTime, id: &str, up: bool, message: &str) -> String {
    let (time, pid) = (Stamp::local(at).ctime(), std::process::id());
    let state = if up { "up" } else { "down" };
    let mut text = format!("[{time}] [{pid}] {id} [{state}] ");
    if message.is_empty() {
        text.push('-');
    }
    for c in message.chars() {
        match c {
            '%' => text.push_str("%25"),
            '|' => text.push_str("%7c"),
            '\r' => text.push_str("%0d"),
            '\n' => text.push_str("%0a"),
            c => text.push(c),
        }
    }
    text.push('\n');
    text
}

fn write_all(entries: &Receiver<Entry>) {
    let mut broken = BTreeSet::new();
    while let Ok(first) = entries.recv() {
        let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
        for entry in std::iter::once(first).chain(entries.try_iter().take(BATCH_MAX)) {
            files.entry(entry.file).or_default().push_str(&entry.text);
        }
        for (file, text) in files {
            match append(&file, &text) {
                Ok(()) => {
                    broken.remove(&file);
                }
                Err(error) => {
                    // Told once, until it works again.
                    let path = file.display().to_string();
                    if broken.insert(file) {
                        tell(format!("Monitor file {path} cannot be written: {error}"));
                    }
                }
            }
        }
    }
}

fn append(file: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    file.write_all(text.as_bytes())
}

fn tell(text: String) {
    Line::new(Severity::Warning, text).log();
}

#[cfg(test)]
mod tests;
