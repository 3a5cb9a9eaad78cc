//! The thread that writes log lines, and the bounded queue before it.

use super::file::LogFile;
use super::line::{Layout, Level, Record};
use super::syslog::Syslog;
use super::{Console, Settings, Stamp};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

/// Lines waiting to be written. When it is full the newest line is dropped and counted: those
/// that wait show how the trouble began.
pub(super) const QUEUE_LINES: usize = 4096;

/// The caller's end.
#[derive(Debug)]
pub(super) struct Queue {
    sender: SyncSender<Record>,
    shared: Arc<Shared>,
    /// Lines put into the queue so far.
    pushed: AtomicU64,
}

#[derive(Debug, Default)]
struct Shared {
    /// Lines taken out and written so far.
    written: Mutex<u64>,
    progress: Condvar,
    dropped: AtomicU64,
    /// New sinks, and after how many written lines they count.
    replacement: Mutex<Option<(u64, Sinks)>>,
}

impl Queue {
    pub(super) fn start(sinks: Sinks) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE_LINES);
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(&receiver, sinks, &theirs))?;
        Ok(Self {
            sender,
            shared,
            pushed: AtomicU64::new(0),
        })
    }

    /// Never waits.
    pub(super) fn push(&self, record: Record) {
        if self.sender.try_send(record).is_ok() {
            self.pushed.fetch_add(1, Ordering::SeqCst);
        } else {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// For every line pushed from now on. Never waits.
    pub(super) fn replace(&self, sinks: Sinks) {
        let after = self.pushed.load(Ordering::SeqCst);
        *lock(&self.shared.replacement) = Some((after, sinks));
    }

    pub(super) fn flush(&self, limit: Duration) -> bool {
        let target = self.pushed.load(Ordering::SeqCst);
        let written = lock(&self.shared.written);
        let (written, _) = self
            .shared
            .progress
            .wait_timeout_while(written, limit, |written| *written < target)
            .unwrap_or_else(PoisonError::into_inner);
        *written >= target
    }

    pub(super) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

/// A panic in the writer must not take the daemon with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_all(receiver: &Receiver<Record>, mut sinks: Sinks, shared: &Shared) {
    let mut told = 0;
    let mut written = 0;
    while let Ok(mut record) = receiver.recv() {
        let due = |(after, _): &mut (u64, Sinks)| *after <= written;
        if let Some((_, next)) = lock(&shared.replacement).take_if(due) {
            sinks = next;
        }
        let dropped = shared.dropped.load(Ordering::Relaxed);
        if dropped > told {
            let text = format!("{} log lines were lost", dropped - told);
            told = dropped;
            sinks.write(&Record {
                at: SystemTime::now(),
                level: Level::Warning,
                text,
            });
        }
        record.tidy();
        if !sinks.write(&record) {
            // Not told again: it is the telling that fails.
            told += 1;
            shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        written += 1;
        *lock(&shared.written) = written;
        shared.progress.notify_all();
    }
}

/// Every place a line goes to.
#[derive(Debug)]
pub(super) struct Sinks {
    layout: Layout,
    console: Console,
    logfile: Option<LogFile>,
    debugfile: Option<LogFile>,
    syslog: Option<Syslog>,
    pid: u32,
}

impl Sinks {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            layout: settings.layout.clone(),
            console: settings.console,
            logfile: settings.logfile.as_deref().and_then(LogFile::new),
            debugfile: settings.debugfile.as_deref().and_then(LogFile::new),
            syslog: settings.facility.map(Syslog::new),
            pid: std::process::id(),
        }
    }

    /// False if no place took it.
    fn write(&mut self, record: &Record) -> bool {
        let mut taken = self.write_console(record);
        if self.logfile.is_some() || self.debugfile.is_some() {
            let line = self.layout.file_line(record, self.pid);
            let logfile = self.logfile.as_mut();
            if let Some(file) = logfile.filter(|_| record.level != Level::Debug) {
                taken |= file.write(&line);
            }
            if let Some(file) = &mut self.debugfile {
                taken |= file.write(&line);
            }
        }
        if let Some(syslog) = &mut self.syslog {
            let line = self.layout.syslog_line(record, self.pid);
            let priority = self.layout.syslog_priority(record.level);
            taken |= syslog.write(record.at, priority, &line);
        }
        taken
    }

    fn write_console(&self, record: &Record) -> bool {
        let (level, text) = (record.level.word(), &record.text);
        let mut stderr = io::stderr();
        let result = match self.console {
            Console::Off => return false,
            Console::Plain => writeln!(stderr, "{level}: {text}"),
            Console::Journal => {
                writeln!(stderr, "<{}>{level}: {text}", record.level.priority())
            }
            Console::Dated => {
                let stamp = Stamp::local(record.at).ctime();
                writeln!(io::stdout(), "[{stamp}] {text}")
            }
            Console::Bare => writeln!(stderr, "{text}"),
        };
        result.is_ok()
    }
}
