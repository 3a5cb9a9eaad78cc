//! Logging: `tracing` events as lines in the old daemons' layouts, on the console, in files and to
//! a syslog facility.
//!
//! The caller only formats a line and puts it into a bounded queue; a thread writes. A full queue
//! drops the new line and counts it: a late heartbeat is worse than a lost log line.

mod file;
mod line;
mod stamp;
mod syslog;
mod writer;

pub use line::{Layout, Level};
pub use stamp::Stamp;
pub use syslog::Facility;

use line::Record;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};
use std::{env, io};
use thiserror::Error;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};
use writer::{Queue, Sinks};

/// The field of an event that carries a level `tracing` does not have.
const LEVEL_FIELD: &str = "level";
/// At the end of a daemon the last lines get so long to be written.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// Crates whose details are ours; of others only warnings and errors are logged.
const OURS: &[&str] = &["hbd", "ldird", "ha_plumbing", "ha_status"];

/// Where lines go and how they look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub layout: Layout,
    pub console: Console,
    /// Everything but debug lines; `/dev/null` means none.
    pub logfile: Option<PathBuf>,
    /// Everything; `/dev/null` means none.
    pub debugfile: Option<PathBuf>,
    pub facility: Option<Facility>,
    /// 0: no debug lines; 1: debug lines; 2 and more: very detailed.
    pub debug: u8,
}

impl Settings {
    /// Only to the console, as found by [`Console::detect`]: for before the configuration is known.
    pub fn console(layout: Layout) -> Self {
        Self {
            layout,
            console: Console::detect(),
            logfile: None,
            debugfile: None,
            facility: None,
            debug: 0,
        }
    }
}

/// What is written to standard error (or output).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    Off,
    /// `LEVEL: text` on standard error.
    Plain,
    /// `<N>LEVEL: text` on standard error, which the journal turns into priorities.
    Journal,
    /// `[Fri Nov 20 15:13:11 2026] text` on standard output: ldirectord when supervised.
    Dated,
    /// `text` on standard error: ldirectord when debugging.
    Bare,
}

impl Console {
    /// The journal if standard error leads there, else plain.
    pub fn detect() -> Self {
        if env::var_os("JOURNAL_STREAM").is_some() {
            Self::Journal
        } else {
            Self::Plain
        }
    }
}

#[derive(Debug, Error)]
pub enum LogError {
    #[error("cannot start the thread that writes the log: {0}")]
    Thread(#[from] io::Error),
    #[error("logging was started twice")]
    Twice,
}

/// The running log. Lines are written as long as the process lives; call [`Log::flush`] at the end.
#[derive(Debug, Clone)]
pub struct Log {
    queue: Arc<Queue>,
    debug: Arc<AtomicU8>,
}

/// Starts the writer and installs it for every `tracing` event of the process.
pub fn start(settings: &Settings) -> Result<Log, LogError> {
    let log = Log::new(settings)?;
    let collector = Collector { log: log.clone() };
    tracing::subscriber::set_global_default(collector).map_err(|_| LogError::Twice)?;
    Ok(log)
}

impl Log {
    fn new(settings: &Settings) -> Result<Self, LogError> {
        let queue = Queue::start(Sinks::new(settings))?;
        Ok(Self {
            queue: Arc::new(queue),
            debug: Arc::new(AtomicU8::new(settings.debug)),
        })
    }

    /// New places and layout for the lines from now on. Never waits: lines that are still in the
    /// queue go to the old places.
    pub fn reconfigure(&self, settings: &Settings) {
        self.set_debug(settings.debug);
        self.queue.replace(Sinks::new(settings));
    }

    pub fn debug(&self) -> u8 {
        self.debug.load(Ordering::Relaxed)
    }

    /// See [`Settings::debug`].
    pub fn set_debug(&self, level: u8) {
        self.debug.store(level, Ordering::Relaxed);
    }

    /// Waits until everything logged so far is written; false if that took longer than `limit`.
    pub fn flush(&self, limit: Duration) -> bool {
        self.queue.flush(limit)
    }

    /// Lines lost because the queue was full or every place to write them failed.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }
}

/// Logs one line at a level of the old daemons, some of which `tracing` does not have.
pub fn emit(level: Level, text: &str) {
    let word = level.word();
    match level {
        Level::Emergency | Level::Alert | Level::Critical | Level::Error => {
            tracing::error!(level = word, "{text}");
        }
        Level::Warning => tracing::warn!(level = word, "{text}"),
        Level::Notice | Level::Info => tracing::info!(level = word, "{text}"),
        Level::Debug => tracing::debug!(level = word, "{text}"),
    }
}

/// Turns events into records. Spans are not used.
struct Collector {
    log: Log,
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let level = *metadata.level();
        let crate_name = metadata.target().split("::").next().unwrap_or_default();
        if !OURS.iter().any(|ours| crate_name.starts_with(ours)) {
            return level <= tracing::Level::WARN;
        }
        let most = match self.log.debug() {
            0 => tracing::Level::INFO,
            1 => tracing::Level::DEBUG,
            2.. => tracing::Level::TRACE,
        };
        level <= most
    }

    /// Asked every time: the debug level changes while we run.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields {
            level: Level::from(*event.metadata().level()),
            text: String::new(),
            others: String::new(),
        };
        event.record(&mut fields);
        fields.text.push_str(&fields.others);
        self.log.queue.push(Record {
            at: SystemTime::now(),
            level: fields.level,
            text: fields.text,
        });
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// The message, then ` name=value` for every other field.
struct Fields {
    level: Level,
    text: String,
    others: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        use std::fmt::Write as _;
        // Writing to a String succeeds; a failing `Debug` of a value only shortens the line.
        let _ = if field.name() == "message" {
            write!(self.text, "{value:?}")
        } else {
            write!(self.others, " {}={value:?}", field.name())
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match Level::from_word(value) {
            Some(level) if field.name() == LEVEL_FIELD => self.level = level,
            _ => self.record_debug(field, &value),
        }
    }
}

#[cfg(test)]
mod tests;
