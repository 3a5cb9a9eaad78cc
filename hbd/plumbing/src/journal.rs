//! What happened, for people: every line goes to the log and into the list of recent notices that
//! a snapshot carries. The same for both daemons.

use crate::log::{self, Level};
use crate::wall::Wall;
use ha_status::{Notice, Recent, Severity, printable};
use std::time::Instant;

/// The last lines of a daemon, and the clock that dates them.
#[derive(Debug)]
pub struct Journal {
    recent: Recent,
    wall: Wall,
}

impl Journal {
    pub fn new(wall: Wall) -> Self {
        let recent = Recent::default();
        Self { recent, wall }
    }

    /// Logs the line and remembers it; the notice is for followers.
    pub fn tell(&mut self, severity: Severity, text: &str, now: Instant) -> Notice {
        log(severity, text);
        let notice = Notice::new(self.wall_ms(now), severity, text);
        self.recent.push(notice.clone());
        notice
    }

    /// The last notices, oldest first.
    pub fn recent(&self) -> Vec<Notice> {
        self.recent.list()
    }

    /// What the wall clock shows, milliseconds since 1970.
    pub fn wall_ms(&mut self, now: Instant) -> u64 {
        self.wall.check(now);
        self.wall.at(now)
    }
}

/// A line for the log alone, before there is a journal: one line, whatever the text is.
pub fn log(severity: Severity, text: &str) {
    log::emit(level(severity), &printable(text));
}

/// The same in the words of the log.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(now: Instant) -> Journal {
        Journal::new(Wall::now(now))
    }

    #[test]
    fn only_the_last_notices_are_kept() {
        let now = Instant::now();
        let mut journal = journal(now);
        for number in 0..Recent::MAX + 5 {
            journal.tell(Severity::Info, &number.to_string(), now);
        }
        let recent = journal.recent();
        assert_eq!(recent.len(), Recent::MAX);
        assert_eq!(recent[0].text, "5");
    }

    #[test]
    fn control_characters_do_not_reach_followers() {
        let now = Instant::now();
        let notice = journal(now).tell(Severity::Info, "red \x1b[31m\nalert", now);
        assert_eq!(notice.text, "red  [31m alert");
    }
}
