//! All that was found, and the verdict over it.

use super::{Diagnostic, MAX_DIAGNOSTICS, Severity};
use crate::conf::{Source, Span};
use std::cmp::Reverse;
use std::fmt::{self, Write as _};
use std::io::IsTerminal;

/// All of them, in the order found; equal ones of a file are one that knows its further lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// Found after the list was full.
    hidden: usize,
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
        self.file(diagnostic);
    }

    /// Lists it, or adds its lines to those of an equal one.
    fn file(&mut self, diagnostic: Diagnostic) {
        if let Some(first) = self.list.iter_mut().find(|one| one.is_like(&diagnostic)) {
            first.again.times += 1 + diagnostic.again.times;
            let lines = diagnostic.line().into_iter().chain(diagnostic.again.lines);
            let own = first.line();
            lines
                .filter(|line| Some(*line) != own)
                .for_each(|line| first.again.add(line));
        } else if self.list.len() < MAX_DIAGNOSTICS {
            self.list.push(diagnostic);
        } else {
            self.hidden += 1 + diagnostic.again.times;
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
        self.permission |= other.permission;
        self.errors += other.errors;
        self.warnings += other.warnings;
        self.hidden += other.hidden;
        other.list.into_iter().for_each(|one| self.file(one));
    }

    /// Those kept, at most [`MAX_DIAGNOSTICS`], in the order found.
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

    /// Those kept, as they are shown: errors before warnings, the weightiest first.
    pub fn ranked(&self) -> Vec<&Diagnostic> {
        let mut ranked: Vec<&Diagnostic> = self.list.iter().collect();
        ranked.sort_by_key(|one| Reverse((one.severity, one.weight)));
        ranked
    }

    /// How many were found after the list was full.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// All of them for a person, an empty line after each that has more than one line.
    pub fn render(&self, colour: bool) -> String {
        let mut out = String::new();
        for diagnostic in self.ranked() {
            let shown = diagnostic.render(colour);
            let many = shown.lines().nth(1).is_some();
            out.push_str(&shown);
            if many {
                out.push('\n');
            }
        }
        if self.hidden > 0 {
            let _ = writeln!(out, "… and {} more\n", self.hidden);
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

    /// `2 errors, 1 warning`: always both, for people and for scripts.
    pub fn summary(&self) -> String {
        let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        let (errors, warnings) = (self.errors, self.warnings);
        format!("{}, {}", count(errors, "error"), count(warnings, "warning"))
    }

    /// The last line of a check, on standard output in every tool, with its line feed:
    /// `SUBJECT: usable: 0 errors, 2 warnings (CONTENT)` or `SUBJECT: not usable: 1 error, …`.
    pub fn verdict(&self, subject: impl fmt::Display, content: &str) -> String {
        let word = if self.has_errors() {
            "not usable"
        } else {
            "usable"
        };
        let content = match content {
            "" => String::new(),
            content => format!(" ({content})"),
        };
        format!("{subject}: {word}: {}{content}\n", self.summary())
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
