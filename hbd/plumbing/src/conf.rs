//! Configuration files as lines of words, each word knowing where it stands.
//!
//! Owns reading a file and cutting it; what a line means is the business of ha.cf, haresources,
//! authkeys and ldirectord.cf parsers. Never fails on any bytes.

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

/// Largest file read, bytes: far above any configuration, far below trouble.
pub const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The blanks of ha.cf, haresources and authkeys (Heartbeat specification 1.2).
pub fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

/// A file's text and where it came from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Source {
    path: Arc<Path>,
    text: Arc<str>,
    encoding: Encoding,
    /// Where each line begins, so that a fault in any line finds it at once.
    starts: Arc<[usize]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    /// The file is not UTF-8: every byte stands for the character of that number.
    Latin1,
}

impl Source {
    /// Reads a file; longer than [`MAX_FILE_BYTES`] is an error of kind `FileTooLarge`.
    pub fn read(path: &Path) -> io::Result<Self> {
        Self::from_reader(path, fs::File::open(path)?)
    }

    /// As [`Source::read`], from a file that is open already (so that its permissions and its
    /// content belong to the same file).
    pub fn from_reader(path: &Path, reader: impl Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        reader.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Self::from_bytes(path, &bytes))
    }

    /// Takes bytes as the file's content. Bytes that are not UTF-8 are read as Latin-1.
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: &[u8]) -> Self {
        let (text, encoding) = match str::from_utf8(bytes) {
            Ok(text) => (text.to_owned(), Encoding::Utf8),
            Err(_) => (
                bytes.iter().copied().map(char::from).collect(),
                Encoding::Latin1,
            ),
        };
        Self {
            path: Arc::from(path.into()),
            starts: line_starts(&text),
            text: Arc::from(text),
            encoding,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn shared_path(&self) -> Arc<Path> {
        Arc::clone(&self.path)
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes that `text`, a piece of this file, has in the file.
    pub fn bytes_of(&self, text: &str) -> Vec<u8> {
        match self.encoding {
            Encoding::Utf8 => text.as_bytes().to_vec(),
            Encoding::Latin1 => text
                .chars()
                .map(|c| u8::try_from(c).unwrap_or(b'?'))
                .collect(),
        }
    }

    /// Lines without their line feed; a last line without one counts. A carriage return stays.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        (1u32..).map_while(|number| self.line(number))
    }

    /// The line of that number, counted from 1.
    pub fn line(&self, number: u32) -> Option<Line<'_>> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        let start = *self.starts.get(index)?;
        let next = self.starts.get(index + 1).copied();
        let line = self.text.get(start..next.unwrap_or(self.text.len()))?;
        Some(Line {
            number,
            // Not the carriage return, which ldirectord.cf wants to see.
            text: line.strip_suffix('\n').unwrap_or(line),
        })
    }
}

/// The first byte of every line; a line feed at the very end begins none.
fn line_starts(text: &str) -> Arc<[usize]> {
    let after_feeds = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0)
        .chain(after_feeds)
        .filter(|start| *start < text.len())
        .collect()
}

/// One line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counted from 1.
    pub number: u32,
    /// Without the line feed.
    pub text: &'a str,
}

impl<'a> Line<'a> {
    /// The text before the first `#`, wherever that stands.
    pub fn before_comment(&self) -> Line<'a> {
        let text = self.text.split('#').next().unwrap_or_default();
        Line { text, ..*self }
    }

    /// Maximal runs of characters that are not delimiters.
    pub fn words_by(&self, delimiter: impl Fn(char) -> bool) -> impl Iterator<Item = Word<'a>> {
        let line = *self;
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = line.text.get(at..)?;
            let start = at + rest.find(|c| !delimiter(c))?;
            let tail = line.text.get(start..)?;
            let end = start + tail.find(&delimiter).unwrap_or(tail.len());
            at = end;
            Some(line.word(start..end))
        })
    }

    /// Words separated by blanks.
    pub fn words(&self) -> impl Iterator<Item = Word<'a>> {
        self.words_by(is_blank)
    }

    /// The piece at these bytes of the line; empty if they are not on character boundaries.
    pub fn word(&self, bytes: Range<usize>) -> Word<'a> {
        Word {
            text: self.text.get(bytes.clone()).unwrap_or_default(),
            span: Span {
                line: self.number,
                start: bytes.start,
                end: bytes.end,
            },
        }
    }

    /// Everything from this byte on, without blanks at either end.
    pub fn rest(&self, from: usize) -> Word<'a> {
        let text = self.text.get(from..).unwrap_or_default();
        let start = from + (text.len() - text.trim_start_matches(is_blank).len());
        let end = start + text.trim_matches(is_blank).len();
        self.word(start..end)
    }

    /// The whole line.
    pub fn span(&self) -> Span {
        self.word(0..self.text.len()).span
    }
}

/// A piece of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'a> {
    pub text: &'a str,
    pub span: Span,
}

impl<'a> Word<'a> {
    /// The piece of this word at these of its bytes.
    pub fn part(&self, bytes: Range<usize>) -> Word<'a> {
        Word {
            text: self.text.get(bytes.clone()).unwrap_or_default(),
            span: Span {
                line: self.span.line,
                start: self.span.start + bytes.start,
                end: self.span.start + bytes.end,
            },
        }
    }

    /// The pieces between separators; at least one, possibly empty ones.
    pub fn split(&self, separator: &'static str) -> impl Iterator<Item = Word<'a>> {
        let word = *self;
        let mut at = Some(0);
        std::iter::from_fn(move || {
            let start = at?;
            let rest = word.text.get(start..)?;
            let found = rest.find(separator).map(|offset| start + offset);
            at = found.map(|end| end + separator.len());
            Some(word.part(start..found.unwrap_or(word.text.len())))
        })
    }
}

/// Where something stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Counted from 1.
    pub line: u32,
    /// First byte within the line, counted from 0.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

#[cfg(test)]
mod tests;
