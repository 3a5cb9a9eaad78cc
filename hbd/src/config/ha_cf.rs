//! ha.cf: lines to directives to a draft in which every value remembers where it was given
//! (Heartbeat specification 1.2).
//!
//! Knows one line at a time. What directives mean together is the business of `checks`.

use super::directive::{Argument, Directive, Field, Support};
use super::directives;
use super::draft::{Draft, Given};
use super::host::Host;
use super::odd;
use super::parser::Parser;
use super::value;
use ha_plumbing::conf::is_blank;
use ha_plumbing::log::Facility;
use ha_plumbing::{Diagnostic, Diagnostics, Line, Source, Word};
use std::collections::BTreeSet;

/// The old daemon's line buffer without the NUL; it reads a longer line as two.
const OLD_LINE_BYTES: usize = 5119;

/// Reads ha.cf. Faults go to `found`; a faulty line leaves no trace in the draft.
pub fn parse(source: &Source, host: &dyn Host, found: &mut Diagnostics) -> Draft {
    let mut parser = Parser {
        source,
        host,
        found,
        draft: Draft::default(),
        seen: BTreeSet::new(),
        clients: BTreeSet::new(),
    };
    for line in source.lines() {
        parser.line(line);
    }
    parser.draft
}

impl Parser<'_> {
    /// Nothing, or one directive with what follows it.
    fn line(&mut self, line: Line<'_>) {
        if line.text.len() > OLD_LINE_BYTES {
            let span = line.word(0..line.text.len()).span;
            let fault = Diagnostic::warning(format!(
                "line of {} bytes: Heartbeat would read what follows byte {OLD_LINE_BYTES} as a new line",
                line.text.len()
            ));
            self.push(fault, span);
        }
        let cut = line.before_comment();
        let text = cut.text.split('\r').next().unwrap_or_default();
        let line = Line { text, ..cut };
        // A name ends at a blank: to Heartbeat a comma is part of it.
        let Some(name) = line.words().next() else {
            return;
        };
        match directives::find(name.text) {
            Some(directive) => self.directive(directive, name, line),
            None => self.unknown(name),
        }
    }

    fn unknown(&mut self, name: Word<'_>) {
        let path = self.source.path().display();
        let message = format!("Illegal directive [{}] in {path}", name.text);
        let fault = Diagnostic::error(message);
        let fault = match (odd::character(name.text), directives::similar(name.text)) {
            (Some(odd), _) => fault.hint(odd),
            (None, Some(meant)) => fault.hint(format!("did you mean `{meant}`?")),
            (None, None) => fault.hint("`hbd check --list` shows every directive"),
        };
        self.push(fault, name.span);
    }

    fn directive(&mut self, directive: &'static Directive, name: Word<'_>, line: Line<'_>) {
        let words = words_after(name, line, &directive.argument);
        let words = words.as_slice();
        if words.is_empty() && !matches!(directive.argument, Argument::Line { .. }) {
            let message = format!("{} without a value has no effect", directive.name);
            self.push(Diagnostic::warning(message), name.span);
            return;
        }
        let again = !self.seen.insert(directive.name);
        let twice = if again { Some(&name) } else { words.get(1) };
        if let Some(twice) = twice.filter(|_| directive.once) {
            let message = format!("{} may be given only once", directive.name);
            self.push(Diagnostic::error(message), twice.span);
            return;
        }
        self.support(directive, name);
        for word in words {
            self.quotes(*word);
        }
        self.argument(directive, words, name);
    }

    /// Says what becomes of a directive that is not simply honoured.
    fn support(&mut self, directive: &Directive, name: Word<'_>) {
        match directive.support {
            Support::Honoured | Support::Added => {}
            Support::OldName(new) => {
                let message = format!("{} is an old name of {new}", directive.name);
                let fault = Diagnostic::warning(message).hint(format!("write {new}"));
                self.push(fault, name.span);
            }
            Support::Ignored(weight, reason) => {
                let message = format!("{} is not honoured in this release: {reason}", name.text);
                let mut fault = Diagnostic::warning(message);
                fault.weight = weight;
                self.push(fault, name.span);
            }
        }
    }

    /// There is no quoting: quotes are part of the value.
    fn quotes(&mut self, word: Word<'_>) {
        if let Some(fault) = odd::quoted(word.text) {
            self.push(fault, word.span);
        }
    }

    fn argument(&mut self, directive: &'static Directive, words: &[Word<'_>], name: Word<'_>) {
        match &directive.argument {
            Argument::Line { read, .. } => {
                if words.is_empty() {
                    let usage = directive.argument.usage();
                    self.error(name.span, format!("{} needs {usage}", directive.name));
                } else {
                    read(self, words);
                }
            }
            Argument::Each { read, exported, .. } => {
                for word in words {
                    read(self, *word);
                }
                if let Some(last) = words.last().filter(|_| *exported) {
                    self.export(directive.name, last.text);
                }
            }
            Argument::Time { .. }
            | Argument::Boolean(_)
            | Argument::Integer { .. }
            | Argument::Choice { .. }
            | Argument::Text(_)
            | Argument::Facility(_) => self.single(directive, words),
        }
    }

    /// A single value: every token is checked, the last one counts.
    fn single(&mut self, directive: &'static Directive, words: &[Word<'_>]) {
        let valid = words
            .iter()
            .filter(|word| self.value(directive, **word))
            .count();
        if valid < words.len() {
            return;
        }
        if let [first, .., last] = words {
            let message = format!(
                "{} takes one value; the last one, {}, counts",
                directive.name, last.text
            );
            self.push(Diagnostic::warning(message), first.span);
        }
        if let Some(last) = words.last() {
            self.export(directive.name, last.text);
        }
    }

    fn export(&mut self, name: &str, value: &str) {
        let variable = format!("HA_{name}");
        self.draft.environment.insert(variable, value.to_owned());
    }

    /// Reads one token into its field; false if it is not valid.
    fn value(&mut self, directive: &Directive, word: Word<'_>) -> bool {
        let name = directive.name;
        match &directive.argument {
            Argument::Time { field, zero } => match value::time(word.text) {
                Some(time) if !zero && time.is_zero() => self.invalid(
                    word,
                    format!("{name}: {} must be longer than 0 ms", word.text),
                ),
                Some(time) => self.set(*field, time, word),
                None => {
                    let message = format!("{name}: {} is not a time", word.text);
                    self.push(Diagnostic::error(message).hint(value::TIME_HINT), word.span);
                    false
                }
            },
            Argument::Boolean(field) => match value::boolean(word.text) {
                Some(value) => self.set(*field, value, word),
                None => self.invalid(word, format!("{name}: {} is neither on nor off", word.text)),
            },
            Argument::Integer { field, from, to } => match self.integer(name, word, *from, *to) {
                Some(value) => self.set(*field, value, word),
                None => false,
            },
            Argument::Choice { field, words } => {
                let same = |choice: &&&str| choice.eq_ignore_ascii_case(word.text);
                match words.iter().find(same) {
                    Some(choice) => self.set(*field, *choice, word),
                    None => self.none_of(name, word, words),
                }
            }
            Argument::Text(field) => self.set(*field, word.text.to_owned(), word),
            Argument::Facility(field) => match (word.text, Facility::from_name(word.text)) {
                ("none", _) => self.set(*field, None, word),
                (_, Some(facility)) => self.set(*field, Some(facility), word),
                (text, None) => {
                    self.invalid(word, format!("{name}: {text} is not a syslog facility"))
                }
            },
            // These are not single values.
            Argument::Each { .. } | Argument::Line { .. } => true,
        }
    }

    fn set<T>(&mut self, field: Field<T>, value: T, word: Word<'_>) -> bool {
        if let Some(field) = field {
            *field(&mut self.draft) = Some(Given {
                value,
                span: word.span,
            });
        }
        true
    }

    fn none_of(&mut self, name: &str, word: Word<'_>, words: &[&str]) -> bool {
        let (text, words) = (word.text, words.join(", "));
        self.invalid(word, format!("{name}: {text} is none of {words}"))
    }

    fn invalid(&mut self, word: Word<'_>, message: String) -> bool {
        self.error(word.span, message);
        false
    }
}

/// What follows the name. Commas directly after the name are skipped in every directive; further on
/// they stand between tokens only where each token is for itself.
fn words_after<'a>(name: Word<'a>, line: Line<'a>, argument: &Argument) -> Vec<Word<'a>> {
    let rest = line.text.get(name.span.end..).unwrap_or_default();
    let skipped = rest.len() - rest.trim_start_matches(is_delimiter).len();
    let start = name.span.end + skipped;
    let part = |word: Word<'a>| {
        let cut = start.saturating_sub(word.span.start).min(word.text.len());
        word.part(cut..word.text.len())
    };
    let words: Vec<Word<'a>> = match argument {
        Argument::Line { .. } => line.words().map(part).collect(),
        Argument::Time { .. }
        | Argument::Boolean(_)
        | Argument::Integer { .. }
        | Argument::Choice { .. }
        | Argument::Text(_)
        | Argument::Facility(_)
        | Argument::Each { .. } => line.words_by(is_delimiter).collect(),
    };
    let after = |word: &Word<'a>| word.span.start >= start && !word.text.is_empty();
    words.into_iter().filter(after).collect()
}

/// Between the tokens of an option list.
fn is_delimiter(c: char) -> bool {
    is_blank(c) || c == ','
}
