//! Cuts ldirectord.cf into statements: which lines are global, which open a section, which belong
//! to one (ldirectord specification 1.3).
//!
//! Knows indentation, blank lines and comments; what a statement says is read elsewhere. Where the
//! old daemon stopped at the first stray line, this goes on as the writer meant it, so that one
//! forgotten tab does not hide the faults behind it.

use ha_plumbing::{Line, Source, Word};

/// Indentation from which a line belongs to a section, columns.
const SECTION_COLUMNS: usize = 4;
/// A tab counts as so many columns, wherever it stands.
const TAB_COLUMNS: usize = 4;

/// One line that says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Statement<'a> {
    pub(crate) place: Place,
    /// Without indentation; in sections also without a comment. Trailing blanks are still there.
    pub(crate) text: Word<'a>,
    /// A `#` between quotes of a section's line, where the old daemon cuts the line.
    pub(crate) inner_hash: bool,
}

/// Where a statement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the first column.
    Global,
    /// Indented below a `virtual` line.
    Section,
    /// Indented like a section's line, after this (blank) line ended the section.
    AfterBlank(u32),
    /// Indented by less than a section's line needs.
    Shallow,
    /// Indented before any section or right after a global line.
    Stray,
    /// A `virtual` line that is indented; its section is read all the same.
    Indented,
    /// Nothing but more blanks than an indented line needs, in a section: an editor's leftovers.
    Leftovers,
}

/// Every statement of the file; blank lines and comments are gone.
pub(crate) fn statements(source: &Source) -> Vec<Statement<'_>> {
    let mut found = Vec::new();
    let mut around = Around::Globals;
    for line in source.lines() {
        let text = without_return(line.text);
        let body = text.trim_start_matches(blank);
        let columns = columns(text.get(..text.len() - body.len()).unwrap_or_default());
        if body.starts_with('#') {
            continue;
        }
        if body.is_empty() {
            match around {
                Around::Section if columns <= SECTION_COLUMNS => {
                    around = Around::Blank(line.number);
                }
                Around::Section => found.push(Statement {
                    place: Place::Leftovers,
                    text: line.word(0..text.len()),
                    inner_hash: false,
                }),
                Around::Globals | Around::Blank(_) => {}
            }
            continue;
        }
        let place = match (columns, around) {
            (0, _) => Place::Global,
            _ if opens_section(body) => Place::Indented,
            (1..SECTION_COLUMNS, _) => Place::Shallow,
            (_, Around::Section) => Place::Section,
            (_, Around::Blank(number)) => Place::AfterBlank(number),
            (_, Around::Globals) => Place::Stray,
        };
        let start = text.len() - body.len();
        let end = match place {
            Place::Global | Place::Indented => text.len(),
            Place::Section
            | Place::AfterBlank(_)
            | Place::Shallow
            | Place::Stray
            | Place::Leftovers => start + comment(body).unwrap_or(body.len()),
        };
        let text = line.word(start..end);
        let inner_hash = place == Place::Section && text.text.contains('#');
        match place {
            Place::Indented => around = Around::Section,
            Place::Global if opens_section(text.text) => around = Around::Section,
            Place::Global => around = Around::Globals,
            Place::AfterBlank(_) => around = Around::Section,
            Place::Section | Place::Shallow | Place::Stray | Place::Leftovers => {}
        }
        found.push(Statement {
            place,
            text,
            inner_hash,
        });
    }
    found
}

/// The first line that ends in a carriage return.
pub(crate) fn first_return(source: &Source) -> Option<Line<'_>> {
    source.lines().find(|line| line.text.ends_with('\r'))
}

/// The file's very last line, if it is a `virtual` line.
pub(crate) fn last_opens_section(source: &Source) -> Option<Line<'_>> {
    source
        .lines()
        .last()
        .filter(|line| opens_section(line.text))
}

/// Blanks of ldirectord.cf.
pub(crate) fn blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// What the lines before mean for an indented one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Around {
    Globals,
    Section,
    Blank(u32),
}

fn without_return(text: &str) -> &str {
    text.trim_end_matches('\r')
}

fn columns(indentation: &str) -> usize {
    let width = |c| if c == '\t' { TAB_COLUMNS } else { 1 };
    indentation.chars().map(width).sum()
}

fn opens_section(text: &str) -> bool {
    let rest = text.strip_prefix("virtual");
    let rest = rest.map(|rest| rest.strip_prefix('6').unwrap_or(rest));
    rest.is_some_and(|rest| rest.trim_start_matches(blank).starts_with('='))
}

/// Where a section line's comment begins: the first `#` that is not between two quotes. A quote
/// that nothing closes opens nothing.
fn comment(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (index, c) in text.char_indices() {
        match c {
            '"' if quoted => quoted = false,
            '"' => quoted = text.get(index + 1..).is_some_and(|rest| rest.contains('"')),
            '#' if !quoted => return Some(index),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
