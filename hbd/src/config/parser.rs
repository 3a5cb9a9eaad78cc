//! The state between the lines of ha.cf, and what every reader of a directive needs: numbers as the
//! old daemon reads them, and a place for faults.

use super::draft::Draft;
use super::host::Host;
use super::value;
use ha_plumbing::{Diagnostic, Diagnostics, Source, Span, Word};
use std::collections::BTreeSet;

/// The state between lines, handed to the readers of single directives.
pub struct Parser<'a> {
    pub source: &'a Source,
    pub host: &'a dyn Host,
    pub(super) found: &'a mut Diagnostics,
    pub draft: Draft,
    /// Directives that occurred.
    pub(super) seen: BTreeSet<&'static str>,
    /// Clients named by `apiauth`.
    pub clients: BTreeSet<String>,
}

impl Parser<'_> {
    /// A number as the old daemon reads it, within bounds. Readable only to a machine: a warning.
    pub fn integer(&mut self, name: &str, word: Word<'_>, from: i64, to: i64) -> Option<i64> {
        let integer = value::integer(word.text);
        let value = integer.value;
        if !(from..=to).contains(&value) {
            let message = if to == i64::MAX {
                format!("{name}: {} is not a number from {from} on", word.text)
            } else {
                format!("{name}: {} is not a number from {from} to {to}", word.text)
            };
            self.error(word.span, message);
            return None;
        }
        if !integer.exact {
            let message = format!("{name}: {} is read as {value}", word.text);
            self.push(Diagnostic::warning(message), word.span);
        }
        Some(value)
    }

    pub fn error(&mut self, span: Span, message: impl Into<String>) {
        self.push(Diagnostic::error(message), span);
    }

    pub fn warning(&mut self, span: Span, message: impl Into<String>) {
        self.push(Diagnostic::warning(message), span);
    }

    pub fn push(&mut self, diagnostic: Diagnostic, span: Span) {
        self.found.push(diagnostic.at(self.source, span));
    }
}
