//! One diagnostic as several lines with an excerpt and a caret.

use super::{Diagnostic, Position, Severity, Weight};
use std::fmt::{self, Write as _};

/// Longest piece of a source line shown, characters.
pub(super) const MAX_SHOWN: usize = 120;

/// Characters of a long line that are shown before the caret.
const BEFORE_CARET: usize = 20;

/// Stands where a long line was cut.
const CUT: char = '\u{2026}';

impl Diagnostic {
    /// Several lines for a person, or one for what is minor; ends in a line feed.
    pub fn render(&self, colour: bool) -> String {
        let paint = Paint { colour };
        let mut out = String::new();
        let head = match self.severity {
            Severity::Error => paint.red("error"),
            Severity::Warning => paint.yellow("warning"),
        };
        if self.weight == Weight::Minor && self.severity == Severity::Warning {
            return format!("{head}: {self}\n");
        }
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
        if let Some(again) = self.again.shown() {
            writeln!(out, "  {}: {again}", paint.bold("also"))?;
        }
        if let Some(hint) = &self.hint {
            writeln!(out, "  {}: {}", paint.bold("hint"), printable(hint))?;
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
    // A long line is shown from a little before the caret on, with a mark where it was cut.
    let skip = if width > MAX_SHOWN {
        start.saturating_sub(BEFORE_CARET)
    } else {
        0
    };
    let mut shown: Vec<char> = text.chars().skip(skip).take(MAX_SHOWN).collect();
    if skip > 0
        && let Some(first) = shown.first_mut()
    {
        *first = CUT;
    }
    if skip + MAX_SHOWN < width
        && let Some(last) = shown.last_mut()
    {
        *last = CUT;
    }
    let carets = "^".repeat((end - start).min(MAX_SHOWN.saturating_sub(start - skip).max(1)));
    let text = shown.into_iter().collect();
    (text, format!("{}{carets}", " ".repeat(start - skip)))
}

/// Without the control characters that a file may have smuggled into a message.
pub(super) fn printable(text: &str) -> String {
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
