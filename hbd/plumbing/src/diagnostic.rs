//! Faults and doubts about configuration, shown to a person with file, line and caret, or to a log
//! as one line each.
//!
//! Collects everything before anybody decides: a parser pushes and goes on.

use crate::conf::{Source, Span};
use std::fmt::{self, Write as _};
use std::io::IsTerminal;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// So many are kept; more only count. A file with more faults than this is no configuration.
pub const MAX_DIAGNOSTICS: usize = 200;

/// Longest piece of a source line shown, characters.
const MAX_SHOWN: usize = 120;

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

    /// Several lines for a person; ends in a line feed.
    pub fn render(&self, colour: bool) -> String {
        let paint = Paint { colour };
        let mut out = String::new();
        let head = match self.severity {
            Severity::Error => paint.red("error"),
            Severity::Warning => paint.yellow("warning"),
        };
        let message = printable(&self.message);
        self.write_rendered(&mut out, paint, &head, &message)
            .expect("writing to a String succeeds");
        out
    }

    fn write_rendered(
        &self,
        out: &mut String,
        paint: Paint,
        head: &str,
        message: &str,
    ) -> fmt::Result {
        writeln!(out, "{head}: {}", paint.bold(message))?;
        if let Some(place) = &self.place {
            let path = place.path.display();
            match &place.position {
                None => writeln!(out, " --> {path}")?,
                Some(at) => {
                    let gutter = at.line.to_string();
                    let pad = " ".repeat(gutter.len());
                    let (text, caret) = excerpt(at);
                    writeln!(out, "{pad}--> {path}:{}:{}", at.line, at.column())?;
                    writeln!(out, "{pad} |")?;
                    writeln!(out, "{gutter} | {text}")?;
                    writeln!(out, "{pad} | {}", paint.severity(self.severity, &caret))?;
                }
            }
        }
        if let Some(hint) = &self.hint {
            writeln!(out, "  {}: {}", paint.bold("hint"), printable(hint))?;
        }
        Ok(())
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
        Ok(())
    }
}

/// The piece of the line worth showing and the carets below it, both at most [`MAX_SHOWN`] wide.
fn excerpt(at: &Position) -> (String, String) {
    const TAB: &str = "    ";
    let line = at.text.trim_end();
    let mut text = String::new();
    let (mut start, mut end) = (None, None);
    let mut width = 0;
    for (index, c) in line.char_indices() {
        if index >= at.columns.start {
            start.get_or_insert(width);
        }
        if index >= at.columns.end {
            end.get_or_insert(width);
        }
        if c == '\t' {
            text.push_str(TAB);
            width += TAB.len();
        } else {
            text.push(if c.is_control() { '\u{fffd}' } else { c });
            width += 1;
        }
    }
    let start = start.unwrap_or(width);
    let end = end.unwrap_or(width).max(start + 1);
    // A long line is shown from a little before the caret on.
    let skip = if width > MAX_SHOWN {
        start.saturating_sub(20)
    } else {
        0
    };
    let shown: String = text.chars().skip(skip).take(MAX_SHOWN).collect();
    let carets = "^".repeat((end - start).min(MAX_SHOWN.saturating_sub(start - skip).max(1)));
    (shown, format!("{}{carets}", " ".repeat(start - skip)))
}

/// Without the control characters that a file may have smuggled into a message.
fn printable(text: &str) -> String {
    let safe = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(safe).collect()
}

/// Terminal colours, or none.
#[derive(Debug, Clone, Copy)]
struct Paint {
    colour: bool,
}

impl Paint {
    fn code(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn bold(self, text: &str) -> String {
        self.code("1", text)
    }

    fn red(self, text: &str) -> String {
        self.code("1;31", text)
    }

    fn yellow(self, text: &str) -> String {
        self.code("1;33", text)
    }

    fn severity(self, severity: Severity, text: &str) -> String {
        match severity {
            Severity::Error => self.red(text),
            Severity::Warning => self.yellow(text),
        }
    }
}

/// All of them, in the order found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
    permission: bool,
}

impl Diagnostics {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn push(&mut self, diagnostic: Diagnostic) {
        match diagnostic.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        self.permission |= diagnostic.permission && diagnostic.severity == Severity::Error;
        if self.list.len() < MAX_DIAGNOSTICS {
            self.list.push(diagnostic);
        }
    }

    /// An error at a place; for anything with a hint use [`Diagnostics::push`].
    pub fn error(&mut self, source: &Source, span: Span, message: impl Into<String>) {
        self.push(Diagnostic::error(message).at(source, span));
    }

    /// A warning at a place.
    pub fn warning(&mut self, source: &Source, span: Span, message: impl Into<String>) {
        self.push(Diagnostic::warning(message).at(source, span));
    }

    pub fn extend(&mut self, other: Diagnostics) {
        let listed = other.list.len();
        let hidden = (other.errors + other.warnings).saturating_sub(listed);
        let (errors, warnings) = (other.errors, other.warnings);
        let before = (self.errors, self.warnings);
        self.permission |= other.permission;
        other.list.into_iter().for_each(|one| self.push(one));
        if hidden > 0 {
            (self.errors, self.warnings) = (before.0 + errors, before.1 + warnings);
        }
    }

    /// Those kept, at most [`MAX_DIAGNOSTICS`].
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Is the configuration unusable?
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Is one of the errors a matter of permissions?
    pub fn permission_denied(&self) -> bool {
        self.permission
    }

    pub fn error_count(&self) -> usize {
        self.errors
    }

    pub fn warning_count(&self) -> usize {
        self.warnings
    }

    /// All of them for a person, an empty line after each.
    pub fn render(&self, colour: bool) -> String {
        let mut out = String::new();
        for diagnostic in &self.list {
            out.push_str(&diagnostic.render(colour));
            out.push('\n');
        }
        let hidden = (self.errors + self.warnings).saturating_sub(self.list.len());
        if hidden > 0 {
            let _ = writeln!(out, "… and {hidden} more\n");
        }
        out
    }

    /// [`Diagnostics::render`], coloured if this is a terminal and `NO_COLOR` is unset.
    pub fn render_for(&self, stream: &impl IsTerminal) -> String {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        self.render(!plain && stream.is_terminal())
    }

    /// [`Diagnostics::render_for`] standard error.
    pub fn render_for_stderr(&self) -> String {
        self.render_for(&std::io::stderr())
    }

    /// `2 errors, 1 warning`, or `no faults`.
    pub fn summary(&self) -> String {
        let count = |n: usize, word: &str| match n {
            0 => None,
            1 => Some(format!("1 {word}")),
            n => Some(format!("{n} {word}s")),
        };
        let parts: Vec<String> = [count(self.errors, "error"), count(self.warnings, "warning")]
            .into_iter()
            .flatten()
            .collect();
        if parts.is_empty() {
            "no faults".to_owned()
        } else {
            parts.join(", ")
        }
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        let mut all = Self::new();
        all.push(diagnostic);
        all
    }
}

/// The one-line forms, one per line.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.list {
            writeln!(f, "{}: {diagnostic}", diagnostic.severity.as_str())?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests;
