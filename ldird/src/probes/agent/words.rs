//! An agent's line in words. No socket, no clock.
//!
//! Words stand in any order between blanks, tabs and commas, in capitals or not: a percentage,
//! `ready`, `drain` or `maint`, `up` or `down` (`fail` and `stopped` mean the same). The reason stands
//! behind `#`; behind `down` also without one, as the first agents wrote it. `maxconn:N` is known and
//! is nothing that a table of IPVS has. A line with any other word is not acted on, for half of what
//! somebody wants may be the opposite of it.

use ha_status::Agent;
use ldird_core::input::{AgentSays, Standing};
use std::fmt;

/// So much of a line is told, characters.
const TOLD_CHARS: usize = 120;

/// Why a line says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unread {
    Empty,
    Word(String),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it said nothing"),
            Self::Word(word) => write!(f, "\"{word}\" is no word of agents"),
        }
    }
}

pub(super) fn read(line: &[u8]) -> Result<AgentSays, Unread> {
    let line = String::from_utf8_lossy(line);
    let (words, reason) = line.split_once('#').unwrap_or((&line, ""));
    let mut says = AgentSays {
        why: reason.trim().to_owned(),
        ..AgentSays::default()
    };
    let between = |c: char| matches!(c, ' ' | '\t' | ',');
    let mut any = false;
    let mut reason = Vec::new();
    for word in words.split(between).filter(|word| !word.is_empty()) {
        any = true;
        match word.to_ascii_lowercase().as_str() {
            "ready" => says.standing = Some(Standing::Ready),
            "drain" => says.standing = Some(Standing::Drain),
            "maint" => says.standing = Some(Standing::Maintenance),
            "up" => says.up = Some(true),
            "down" | "fail" | "stopped" => says.up = Some(false),
            other => match (percentage(other), says.up) {
                (Some(percent), _) => says.percent = Some(percent),
                (None, _) if is_connection_limit(other) => {}
                (None, Some(false)) => reason.push(word),
                (None, Some(true) | None) => return Err(Unread::Word(told(word.as_bytes()))),
            },
        }
    }
    if says.why.is_empty() {
        says.why = reason.join(" ");
    }
    says.why = told(says.why.as_bytes());
    if any { Ok(says) } else { Err(Unread::Empty) }
}

/// Printable, and not too long.
pub(super) fn told(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let safe = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(TOLD_CHARS).map(safe).collect()
}

fn percentage(word: &str) -> Option<u32> {
    let digits = word.strip_suffix('%')?;
    let percent = digits.parse().ok().filter(|_| all_digits(digits))?;
    (percent <= Agent::PERCENT_MAX).then_some(percent)
}

fn is_connection_limit(word: &str) -> bool {
    word.strip_prefix("maxconn:").is_some_and(all_digits)
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{AgentSays, Standing, Unread, read};
    use proptest::prelude::*;

    fn says(
        percent: Option<u32>,
        standing: Option<Standing>,
        up: Option<bool>,
        why: &str,
    ) -> AgentSays {
        AgentSays {
            percent,
            standing,
            up,
            why: why.to_owned(),
        }
    }

    #[test]
    fn a_line_is_read_as_haproxys_agents_write_it() {
        use Standing::{Drain, Maintenance, Ready};
        let rows = [
            ("75%", says(Some(75), None, None, "")),
            ("0%", says(Some(0), None, None, "")),
            ("250%", says(Some(250), None, None, "")),
            ("up", says(None, None, Some(true), "")),
            (
                "up ready 100%",
                says(Some(100), Some(Ready), Some(true), ""),
            ),
            ("UP,READY\t33%", says(Some(33), Some(Ready), Some(true), "")),
            ("drain", says(None, Some(Drain), None, "")),
            ("maint", says(None, Some(Maintenance), None, "")),
            ("drain # updates", says(None, Some(Drain), None, "updates")),
            ("down#disk full", says(None, None, Some(false), "disk full")),
            ("stopped", says(None, None, Some(false), "")),
            ("fail", says(None, None, Some(false), "")),
            ("down disk full", says(None, None, Some(false), "disk full")),
            ("50% maxconn:30", says(Some(50), None, None, "")),
            ("  up  ", says(None, None, Some(true), "")),
            ("down\x1b[2J", says(None, None, Some(false), "")),
        ];
        for (line, expected) in rows.iter().take(15) {
            assert_eq!(read(line.as_bytes()).as_ref(), Ok(expected), "{line}");
        }
        assert!(read(rows[15].0.as_bytes()).is_err());
    }

    #[test]
    fn a_line_with_anything_else_is_not_acted_on() {
        let word = |word: &str| Unread::Word(word.to_owned());
        let rows = [
            ("", Unread::Empty),
            (" \t", Unread::Empty),
            ("# why", Unread::Empty),
            ("75", word("75")),
            ("-1%", word("-1%")),
            ("+5%", word("+5%")),
            ("1001%", word("1001%")),
            ("99999999999999999999%", word("99999999999999999999%")),
            ("%", word("%")),
            ("up nearly", word("nearly")),
            ("HTTP/1.1 200 OK", word("HTTP/1.1")),
            ("maxconn:x", word("maxconn:x")),
        ];
        for (line, expected) in rows {
            assert_eq!(read(line.as_bytes()), Err(expected), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_is_a_surprise(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(says) = read(&line) {
                prop_assert!(says.why.chars().all(|c| !c.is_control()));
                prop_assert!(says.percent.is_none_or(|percent| percent <= 1000));
            }
        }
    }
}
