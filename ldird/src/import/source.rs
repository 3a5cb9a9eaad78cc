//! keepalived.conf as lines of text: comments, conditions, definitions, sequences and included files
//! are dealt with here; what is left are lines to be cut into words.
//!
//! Never fails on any bytes: what cannot be done is a fault or a remark, and the rest goes on.

use super::report::{Place, Report};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Files include each other no deeper than this.
const INCLUDE_DEPTH: usize = 16;
/// Files of one configuration.
const FILES_MAX: usize = 1_000;
/// Lines that are looked at, those that sequences make included.
const LINES_MAX: usize = 200_000;
/// Bytes of all lines together, after everything is put in.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Characters of one line after its definitions are put in.
const LINE_MAX: usize = 64 * 1024;
/// Values of one sequence.
const SEQUENCE_MAX: i64 = 10_000;
/// Definitions in definitions are put in so often.
const ROUNDS_MAX: usize = 10;

/// A line that is left, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) place: Place,
    pub(super) text: String,
}

/// Reads files; the lab's and the tests' may be elsewhere than on the disk.
pub(super) trait Files {
    fn read(&self, path: &Path) -> std::io::Result<String>;
    /// The files that match, in their order.
    fn matching(&self, pattern: &Path) -> Vec<PathBuf>;
}

pub(super) struct Reader<'a> {
    files: &'a dyn Files,
    /// What `@NAME` is compared with.
    host: &'a str,
    definitions: BTreeMap<String, String>,
    lines: Vec<Line>,
    /// How much has been read so far: files, lines, bytes.
    files_read: usize,
    looked_at: usize,
    bytes: usize,
    report: &'a mut Report,
}

/// All lines of a file and of those that it includes.
pub(super) fn lines(
    path: &Path,
    host: &str,
    files: &dyn Files,
    report: &mut Report,
) -> std::io::Result<Vec<Line>> {
    let text = files.read(path)?;
    let mut reader = Reader {
        files,
        host,
        definitions: BTreeMap::new(),
        lines: Vec::new(),
        files_read: 0,
        looked_at: 0,
        bytes: 0,
        report,
    };
    reader.file(path, &text, 0);
    Ok(reader.lines)
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, text: &str, depth: usize) {
        let name: Rc<str> = Rc::from(path.display().to_string());
        let mut rest: VecDeque<Line> = joined(&name, text).into();
        while let Some(line) = rest.pop_front() {
            self.looked_at += 1;
            self.bytes += line.text.len();
            if self.looked_at > LINES_MAX || self.bytes > BYTES_MAX {
                let message = "too much of it: the rest is not read";
                self.report.fault(&line.place, message);
                return;
            }
            self.line(line, path, depth, &mut rest);
        }
    }

    fn line(&mut self, line: Line, path: &Path, depth: usize, rest: &mut VecDeque<Line>) {
        let text = without_comment(&line.text).trim();
        if text.is_empty() {
            return;
        }
        if let Some(condition) = text.strip_prefix('@') {
            let (name, guarded) = condition
                .split_once(char::is_whitespace)
                .unwrap_or((condition, ""));
            if self.holds(name) {
                let text = guarded.to_owned();
                rest.push_front(Line { text, ..line });
            } else {
                // A block that is begun there goes with its line.
                drop(block_of(guarded, rest));
            }
            return;
        }
        if let Some((name, value)) = definition(text) {
            self.definitions.insert(name.to_owned(), value.to_owned());
            return;
        }
        if text.starts_with("~SEQ") || text.starts_with("~LST") {
            let place = line.place.clone();
            let body = block_of(text, rest);
            self.sequence(&place, text, body, rest);
            return;
        }
        let text = self.put_in(text, &line.place);
        if text.contains('\n') {
            // A definition of several lines.
            let parts: Vec<&str> = text.split('\n').collect();
            for part in parts.into_iter().rev() {
                let (place, text) = (line.place.clone(), part.to_owned());
                rest.push_front(Line { place, text });
            }
            return;
        }
        if let Some(pattern) = included(&text) {
            self.include(&line.place, pattern, path, depth);
            return;
        }
        self.lines.push(Line { text, ..line });
    }

    /// `@lb1`, or `@^lb1` for everybody else.
    fn holds(&self, name: &str) -> bool {
        match name.strip_prefix('^') {
            Some(name) => name != self.host,
            None => name == self.host,
        }
    }

    fn put_in(&mut self, text: &str, place: &Place) -> String {
        let mut text = text.to_owned();
        for _ in 0..ROUNDS_MAX {
            let (next, unknown) = put_in_once(&text, &self.definitions);
            if next == text {
                for name in unknown {
                    let advice = "no line before this one defines it; it stays as it is written";
                    self.report.remark(place, format!("${name}"), advice);
                }
                return text;
            }
            if next.len() > LINE_MAX {
                break;
            }
            text = next;
        }
        let message = "the definitions of this line stand in each other without an end";
        self.report.fault(place, message);
        String::new()
    }

    /// `~SEQ(NAME, FIRST[, STEP], LAST) LINE` and `~LST(NAME, VALUE, …) LINE`, with a block behind it if
    /// one begins there.
    fn sequence(&mut self, place: &Place, text: &str, body: Vec<Line>, rest: &mut VecDeque<Line>) {
        let Some((name, values, tail)) = values(text) else {
            let advice =
                "a sequence is ~SEQ(NAME, FIRST, LAST) or ~LST(NAME, VALUE, …); write it out";
            self.report.fault(place, format!("{text}: {advice}"));
            return;
        };
        let mut made = Vec::new();
        let mut bytes = 0;
        for value in values {
            let own = BTreeMap::from([(name.to_owned(), value)]);
            let head = Line {
                place: place.clone(),
                text: tail.to_owned(),
            };
            for line in std::iter::once(&head).chain(&body) {
                let (text, _) = put_in_once(&line.text, &own);
                bytes += text.len();
                if made.len() >= LINES_MAX || bytes > BYTES_MAX {
                    self.report.fault(place, "the sequence is too long");
                    return;
                }
                made.push(Line {
                    text,
                    place: line.place.clone(),
                });
            }
        }
        for line in made.into_iter().rev() {
            rest.push_front(line);
        }
    }

    fn include(&mut self, place: &Place, pattern: &str, from: &Path, depth: usize) {
        if depth >= INCLUDE_DEPTH {
            let message = format!("files include each other more than {INCLUDE_DEPTH} deep");
            self.report.fault(place, message);
            return;
        }
        let pattern = unquoted(pattern);
        let folder = from.parent().unwrap_or(Path::new("."));
        let found = self.files.matching(&folder.join(pattern));
        if found.is_empty() {
            let advice = "no such file; what it holds is not taken over";
            self.report
                .remark(place, format!("include {pattern}"), advice);
        }
        for path in found {
            self.files_read += 1;
            if self.files_read > FILES_MAX {
                let message = format!("more than {FILES_MAX} files: the rest is not read");
                self.report.fault(place, message);
                return;
            }
            match self.files.read(&path) {
                Ok(text) => self.file(&path, &text, depth + 1),
                Err(error) => {
                    let what = format!("include {}", path.display());
                    self.report
                        .remark(place, what, &format!("not read: {error}"));
                }
            }
        }
    }
}

/// Lines, those that end in a backslash joined with the next: into one, in a definition into several.
fn joined(name: &Rc<str>, text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut open = false;
    for (index, text) in text.lines().enumerate() {
        let (text, goes_on) = match text.trim_end().strip_suffix('\\') {
            Some(text) => (text, true),
            None => (text, false),
        };
        match lines.last_mut() {
            Some(last) if open => {
                let several = last.text.trim_start().starts_with('$');
                last.text.push(if several { '\n' } else { ' ' });
                last.text.push_str(text.trim());
            }
            _ => lines.push(Line {
                place: Place {
                    file: Rc::clone(name),
                    line: u32::try_from(index + 1).unwrap_or(u32::MAX),
                },
                text: text.to_owned(),
            }),
        }
        open = goes_on;
    }
    lines
}

/// A comment begins with `!` or `#`, except in quotes or behind a backslash.
fn without_comment(text: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '#' | '!' if !quoted => return text.get(..at).unwrap_or_default(),
            _ => {}
        }
    }
    text
}

/// `$NAME=VALUE`.
fn definition(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.strip_prefix('$')?.split_once('=')?;
    let name = name.trim_end();
    let proper = !name.is_empty() && name.chars().all(is_name);
    proper.then(|| (name, value.trim_start()))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The text with every definition put in once, and the names that nobody defined.
fn put_in_once(text: &str, definitions: &BTreeMap<String, String>) -> (String, Vec<String>) {
    let (mut out, mut unknown) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let tail = from.get(1..).unwrap_or_default();
        let (name, after) = match tail
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
        {
            Some((name, after)) => (name, after),
            None => tail.split_at(tail.find(|c| !is_name(c)).unwrap_or(tail.len())),
        };
        let proper = !name.is_empty() && name.chars().all(is_name);
        if let Some(value) = definitions.get(name).filter(|_| proper) {
            out.push_str(value);
            rest = after;
        } else {
            out.push('$');
            if proper {
                // Without its braces, which would open a block.
                unknown.push(name.to_owned());
                out.push_str(name);
                rest = after;
            } else {
                rest = tail;
            }
        }
        if out.len() > LINE_MAX {
            break;
        }
    }
    out.push_str(rest);
    (out, unknown)
}

/// The lines of the block that this line opens, taken from the rest; nothing if it opens none.
fn block_of(head: &str, rest: &mut VecDeque<Line>) -> Vec<Line> {
    let mut depth = braces(head);
    let mut body = Vec::new();
    while depth > 0 {
        let Some(line) = rest.pop_front() else { break };
        depth += braces(without_comment(&line.text));
        body.push(line);
    }
    body
}

/// How many more braces are opened than closed, outside of quotes.
fn braces(text: &str) -> i64 {
    let (mut quoted, mut depth, mut names) = (false, 0, 0);
    let mut last = ' ';
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            // `${NAME}` is no block.
            '{' if !quoted && last == '$' => names += 1,
            '{' if !quoted => depth += 1,
            '}' if !quoted && names > 0 => names -= 1,
            '}' if !quoted => depth -= 1,
            _ => {}
        }
        last = character;
    }
    depth
}

/// Name, values and what follows a sequence.
fn values(text: &str) -> Option<(&str, Vec<String>, &str)> {
    let (head, tail) = text.split_once(')')?;
    let (kind, arguments) = head.split_once('(')?;
    let mut arguments = arguments.split(',').map(str::trim);
    let name = arguments.next().filter(|name| !name.is_empty())?;
    let arguments: Vec<&str> = arguments.collect();
    if kind.trim() == "~LST" {
        let values = arguments
            .into_iter()
            .map(|value| unquoted(value).to_owned());
        return Some((name, values.collect(), tail.trim()));
    }
    let numbers: Option<Vec<i64>> = arguments.iter().map(|word| word.parse().ok()).collect();
    let (first, step, last) = match numbers?.as_slice() {
        [first, last] => (*first, if first <= last { 1 } else { -1 }, *last),
        [first, step, last] => (*first, *step, *last),
        _ => return None,
    };
    let mut values = Vec::new();
    let mut value = first;
    while (step > 0 && value <= last) || (step < 0 && value >= last) {
        values.push(value.to_string());
        value = value.checked_add(step)?;
        if i64::try_from(values.len()).ok()? > SEQUENCE_MAX {
            return None;
        }
    }
    Some((name, values, tail.trim()))
}

/// The pattern of an `include` line.
fn included(text: &str) -> Option<&str> {
    let (word, pattern) = text.split_once(char::is_whitespace)?;
    let kinds = [
        "include", "includer", "includem", "includew", "includeb", "includea", "includec",
    ];
    kinds.contains(&word).then(|| pattern.trim())
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}
