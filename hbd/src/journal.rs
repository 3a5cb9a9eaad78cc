//! What happened, for people: every line goes to the log and into the list of recent notices that
//! a snapshot carries. Refused packets are counted and told at most once a minute.

use ha_plumbing::log::{self, Level};
use ha_status::{ClusterSnapshot, Notice, Severity};
use hbd_core::wire::Reject;
use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Refused packets are told so often at most: anybody on the segment can send them.
const REFUSALS_INTERVAL: Duration = Duration::from_secs(60);

pub struct Journal {
    recent: VecDeque<Notice>,
    /// `log_badpack`.
    tell_refusals: bool,
    refused: u64,
    refusals_told: Option<Instant>,
}

impl Journal {
    pub fn new(tell_refusals: bool) -> Self {
        Self {
            recent: VecDeque::with_capacity(ClusterSnapshot::RECENT_MAX),
            tell_refusals,
            refused: 0,
            refusals_told: None,
        }
    }

    /// Logs the line and remembers it; the notice is for followers.
    pub fn tell(&mut self, severity: Severity, text: &str) -> Notice {
        log::emit(level(severity), text);
        let notice = Notice {
            at_ms: wall_ms(),
            severity,
            text: text.to_owned(),
        };
        if self.recent.len() >= ClusterSnapshot::RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(notice.clone());
        notice
    }

    /// The last notices, oldest first.
    pub fn recent(&self) -> Vec<Notice> {
        self.recent.iter().cloned().collect()
    }

    /// Counts a refused packet. The text is to be told now, if any.
    pub fn refusal(&mut self, device: &str, reason: Reject, now: Instant) -> Option<String> {
        self.refused += 1;
        let quiet = |told: Instant| now.saturating_duration_since(told) < REFUSALS_INTERVAL;
        if !self.tell_refusals || self.refusals_told.is_some_and(quiet) {
            return None;
        }
        self.refusals_told = Some(now);
        let count = std::mem::take(&mut self.refused);
        let why = match reason {
            Reject::BadFrame => "not a packet of ours",
            Reject::BadDigest => "netstring authentication failed",
            Reject::UnknownKey => "Invalid authentication type in message!",
            Reject::TooLong => "too long",
            Reject::Malformed => "malformed",
        };
        Some(format!(
            "{count} packet(s) refused, the last on {device}: {why}"
        ))
    }
}

fn level(severity: Severity) -> Level {
    match severity {
        Severity::Debug => Level::Debug,
        Severity::Info => Level::Info,
        Severity::Notice => Level::Notice,
        Severity::Warning => Level::Warning,
        Severity::Error => Level::Error,
        Severity::Critical => Level::Critical,
    }
}

/// The wall clock, milliseconds since 1970.
pub fn wall_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
