//! A notice: one thing that happened, worded for an operator.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Wall clock, milliseconds since 1970.
    pub at_ms: u64,
    pub severity: Severity,
    /// One line without a line end, e.g. `node lb1: is dead`.
    pub text: String,
}

impl Notice {
    /// Longest text, characters: each snapshot carries the last notices, and a server that flaps with
    /// a long answer would fill it. The log has the whole text.
    pub const TEXT_MAX: usize = 400;

    /// One line whatever the text is: what a script or a server said must not paint on the terminal
    /// of whoever follows.
    pub fn new(at_ms: u64, severity: Severity, text: &str) -> Self {
        let mut text = printable(text);
        if let Some((end, _)) = text.char_indices().nth(Self::TEXT_MAX) {
            text.truncate(end);
            text.pop();
            text.push('…');
        }
        Self {
            at_ms,
            severity,
            text,
        }
    }
}

/// Without line ends and other control characters.
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// The last notices of a daemon, oldest first.
#[derive(Debug, Default)]
pub struct Recent {
    notices: VecDeque<Notice>,
}

impl Recent {
    /// How many notices a snapshot carries.
    pub const MAX: usize = 200;

    /// The oldest leaves.
    pub fn push(&mut self, notice: Notice) {
        if self.notices.len() >= Self::MAX {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    pub fn list(&self) -> Vec<Notice> {
        self.notices.iter().cloned().collect()
    }
}

/// How loud a notice is, in syslog's sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        Notice::new(0, Severity::Info, text).text
    }

    #[test]
    fn a_long_or_painted_text_is_one_short_line() {
        assert_eq!(
            text("node lb1:\nis\u{1b}[31m dead"),
            "node lb1: is [31m dead"
        );
        let fits = "ä".repeat(Notice::TEXT_MAX);
        assert_eq!(text(&fits), fits);
        let cut = text(&format!("{fits}ä"));
        assert_eq!(cut.chars().count(), Notice::TEXT_MAX);
        assert!(cut.ends_with("ä…"), "it says that it is cut");
    }

    #[test]
    fn the_last_notices_are_kept_and_no_more() {
        let mut recent = Recent::default();
        for number in 0..=Recent::MAX {
            recent.push(Notice::new(0, Severity::Info, &number.to_string()));
        }
        let list = recent.list();
        assert_eq!(list.len(), Recent::MAX);
        assert_eq!(list.first().map(|one| one.text.as_str()), Some("1"));
    }
}
