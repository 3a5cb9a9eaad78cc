//! What a log line says and how it looks (Heartbeat specification 10.1, ldirectord 3.12).

use super::Stamp;
use std::time::SystemTime;

/// Longest text of one line, bytes; more is cut. Syslog daemons take about as much.
const MAX_TEXT: usize = 2048;

/// The levels of the old daemons, most urgent first. The number is syslog's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Emergency = 0,
    Alert = 1,
    Critical = 2,
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

impl Level {
    const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Info,
        Self::Debug,
    ];

    /// As log files have always spelt it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Emergency => "EMERG",
            Self::Alert => "ALERT",
            Self::Critical => "CRIT",
            Self::Error => "ERROR",
            Self::Warning => "WARN",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.word() == word)
    }

    /// syslog(3).
    pub fn priority(self) -> u8 {
        self as u8
    }
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warning,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG | tracing::Level::TRACE => Self::Debug,
        }
    }
}

/// One line before it is laid out.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) at: SystemTime,
    pub(super) level: Level,
    pub(super) text: String,
}

impl Record {
    /// Makes the text a single line of bounded length without control characters.
    pub(super) fn tidy(&mut self) {
        if self.text.len() > MAX_TEXT {
            let end = (0..=MAX_TEXT)
                .rev()
                .find(|at| self.text.is_char_boundary(*at));
            self.text.truncate(end.unwrap_or_default());
            self.text.push('…');
        }
        if self.text.contains(char::is_control) {
            let safe = |c: char| if c.is_control() { ' ' } else { c };
            self.text = self.text.trim_end().chars().map(safe).collect();
        }
    }
}

/// Whose lines these are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// `Mon dd hh:mm:ss HOST heartbeat: [PID]: LEVEL: text`
    Heartbeat { host: String },
    /// `heartbeat[PID]: YYYY/MM/DD_hh:mm:ss LEVEL: text`: `syslogmsgfmt false`.
    HeartbeatDated,
    /// `[Fri Nov 20 15:13:11 2026|CONFIG|PID] text`
    Ldirectord { config: String },
}

impl Layout {
    /// The line in a file, without line feed.
    pub(super) fn file_line(&self, record: &Record, pid: u32) -> String {
        let stamp = Stamp::local(record.at);
        let (level, text) = (record.level.word(), &record.text);
        match self {
            Self::Heartbeat { host } => {
                format!(
                    "{} {host} heartbeat: [{pid}]: {level}: {text}",
                    stamp.short()
                )
            }
            Self::HeartbeatDated => {
                format!("heartbeat[{pid}]: {} {level}: {text}", stamp.numeric())
            }
            Self::Ldirectord { config } => format!("[{}|{config}|{pid}] {text}", stamp.ctime()),
        }
    }

    /// Tag and body for syslog.
    pub(super) fn syslog_line(&self, record: &Record, pid: u32) -> String {
        let text = &record.text;
        match self {
            Self::Heartbeat { .. } | Self::HeartbeatDated => {
                format!("heartbeat: [{pid}]: {}: {text}", record.level.word())
            }
            Self::Ldirectord { .. } => format!("ldirectord[{pid}]: {text}"),
        }
    }

    /// ldirectord logs everything at `info`.
    pub(super) fn syslog_priority(&self, level: Level) -> u8 {
        match self {
            Self::Heartbeat { .. } | Self::HeartbeatDated => level.priority(),
            Self::Ldirectord { .. } => Level::Info.priority(),
        }
    }
}
