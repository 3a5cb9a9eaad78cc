//! What there is to know about a directive of ha.cf: its name, its argument, and what becomes of it.

use super::draft::{Draft, Given};
use super::parser::Parser;
use ha_plumbing::Word;
use ha_plumbing::diagnostic::Weight;
use ha_plumbing::log::Facility;
use std::time::Duration;

/// One row of the table.
#[derive(Debug)]
pub struct Directive {
    pub name: &'static str,
    pub argument: Argument,
    /// As one would write it; empty if there is none.
    pub default: &'static str,
    pub support: Support,
    /// A second occurrence is an error.
    pub once: bool,
    pub help: &'static str,
}

/// What becomes of a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    Honoured,
    /// Ours; the old daemon does not know it.
    Added,
    /// Another name of this directive, with a warning.
    OldName(&'static str),
    /// Checked, then ignored with a warning that gives this reason and weighs so much.
    Ignored(Weight, &'static str),
}

/// Where a value goes; `None` where it is checked and dropped.
pub type Field<T> = Option<fn(&mut Draft) -> &mut Option<Given<T>>>;

/// What follows the name. All but `Line` take any number of tokens; of single values the last one
/// counts.
#[derive(Debug)]
pub enum Argument {
    Time {
        field: Field<Duration>,
        zero: bool,
    },
    Boolean(Field<bool>),
    Integer {
        field: Field<i64>,
        from: i64,
        to: i64,
    },
    /// One of these words, in any case.
    Choice {
        field: Field<&'static str>,
        words: &'static [&'static str],
    },
    Text(Field<String>),
    Facility(Field<Option<Facility>>),
    /// Something for each token.
    Each {
        usage: &'static str,
        read: fn(&mut Parser<'_>, Word<'_>),
        exported: bool,
    },
    /// Something for the whole rest of the line.
    Line {
        usage: &'static str,
        read: fn(&mut Parser<'_>, &[Word<'_>]),
    },
}

impl Argument {
    /// For the manual: `TIME`, `on|off`, …
    pub fn usage(&self) -> String {
        match self {
            Self::Time { .. } => "TIME".to_owned(),
            Self::Boolean(_) => "on|off".to_owned(),
            Self::Integer { to: i64::MAX, .. } => "N".to_owned(),
            Self::Integer { from, to, .. } => format!("{from}..{to}"),
            Self::Choice { words, .. } => words.join("|"),
            Self::Text(_) => "TEXT".to_owned(),
            Self::Facility(_) => "FACILITY|none".to_owned(),
            Self::Each { usage, .. } | Self::Line { usage, .. } => (*usage).to_owned(),
        }
    }
}
