//! Faults and doubts about configuration, shown to a person with file, line and caret, or to a log
//! as one line each.
//!
//! Collects everything before anybody decides: a parser pushes and goes on. How one looks is the
//! business of `shown`, how many look together that of `list`.

mod list;
mod shown;

pub use list::Diagnostics;

use crate::conf::{Source, Span};
use shown::printable;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// So many are kept; more only count. A file with more faults than this is no configuration.
pub const MAX_DIAGNOSTICS: usize = 200;

/// So many further lines with an equal fault are named; more only count.
pub const MAX_AGAIN: usize = 12;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration works, but perhaps not as meant.
    Warning,
    /// The configuration cannot be used.
    Error,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// How much it matters among those of its severity; the weightiest are shown first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Weight {
    /// Nothing that a service would notice: one line without excerpt.
    Minor,
    #[default]
    Ordinary,
    /// Changes who owns an address, or who may say so.
    Ownership,
}

/// Further places of the same fault in the same file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Again {
    /// At most [`MAX_AGAIN`], without the first one.
    pub lines: Vec<u32>,
    /// How often it was found after the first time.
    pub times: usize,
}

impl Again {
    fn add(&mut self, line: u32) {
        if !self.lines.contains(&line) && self.lines.len() < MAX_AGAIN {
            self.lines.push(line);
        }
    }

    /// `lines 3, 5 and 7 more`; `None` if there was no other time, or no other line.
    fn shown(&self) -> Option<String> {
        if self.lines.is_empty() {
            return None;
        }
        let lines: Vec<String> = self.lines.iter().map(u32::to_string).collect();
        let word = if lines.len() == 1 { "line" } else { "lines" };
        let more = match self.times.saturating_sub(lines.len()) {
            0 => String::new(),
            more if lines.len() == MAX_AGAIN => format!(" and {more} more"),
            // Twice in the same line.
            _ => String::new(),
        };
        Some(format!("{word} {}{more}", lines.join(", ")))
    }
}

/// One fault or doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// One sentence that names the thing and the value; no line feed.
    pub message: String,
    pub place: Option<Place>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Caused by missing permissions (the daemons have an exit code for that).
    pub permission: bool,
    pub weight: Weight,
    /// Where [`Diagnostics::push`] met an equal one.
    pub again: Again,
}

/// Where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub path: Arc<Path>,
    /// `None`: the file as a whole.
    pub position: Option<Position>,
}

/// Where in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Counted from 1.
    pub line: u32,
    /// Bytes of `text`, counted from 0.
    pub columns: Range<usize>,
    /// The source line.
    pub text: String,
}

impl Position {
    /// Column counted from 1, in characters, as editors count.
    pub fn column(&self) -> usize {
        let before = self.text.get(..self.columns.start).unwrap_or(&self.text);
        before.chars().count() + 1
    }
}

impl Diagnostic {
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, message.into())
    }

    pub fn warning(message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, message.into())
    }

    fn new(severity: Severity, message: String) -> Self {
        Self {
            severity,
            message,
            place: None,
            hint: None,
            permission: false,
            weight: Weight::default(),
            again: Again::default(),
        }
    }

    /// At this piece of this file.
    pub fn at(mut self, source: &Source, span: Span) -> Self {
        let text = source.line(span.line).map_or("", |line| line.text);
        self.place = Some(Place {
            path: source.shared_path(),
            position: Some(Position {
                line: span.line,
                columns: span.start..span.end,
                text: text.to_owned(),
            }),
        });
        self
    }

    /// In this file, nowhere in particular.
    pub fn in_file(mut self, path: &Path) -> Self {
        self.place = Some(Place {
            path: Arc::from(path),
            position: None,
        });
        self
    }

    /// What to do about it: a sentence without full stop.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Marks a fault that is one of permissions.
    pub fn permission(mut self) -> Self {
        self.permission = true;
        self
    }

    /// Marks what changes who owns an address: shown before the others.
    pub fn ownership(mut self) -> Self {
        self.weight = Weight::Ownership;
        self
    }

    /// Marks what no service would notice: shown after the others, in one line.
    pub fn minor(mut self) -> Self {
        self.weight = Weight::Minor;
        self
    }

    /// The line it was found in.
    pub fn line(&self) -> Option<u32> {
        let place = self.place.as_ref()?;
        place.position.as_ref().map(|at| at.line)
    }

    /// Is this the same fault at another place of the same file?
    fn is_like(&self, other: &Self) -> bool {
        let path = |one: &Self| one.place.as_ref().map(|place| Arc::clone(&place.path));
        self.severity == other.severity
            && self.message == other.message
            && self.hint == other.hint
            && path(self) == path(other)
    }
}

/// The one-line form for logs: `FILE:LINE: message (hint)`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{}", place.path.display())?;
            if let Some(at) = &place.position {
                write!(f, ":{}", at.line)?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&printable(&self.message))?;
        if let Some(hint) = &self.hint {
            write!(f, " ({})", printable(hint))?;
        }
        if let Some(again) = self.again.shown() {
            write!(f, " (also {again})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
