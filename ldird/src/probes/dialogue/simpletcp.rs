//! simpletcp: a text is sent, and a line of the answer matches (specification 2.19). Without a
//! pattern any answer will do; the old daemon needed a line then, or nothing matched at all.

use super::{Heard, Move, told};
use crate::probes::Pattern;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SimpleTcp {
    /// Goes out as it is.
    pub(super) request: Vec<u8>,
    /// `None`: anything is good.
    pub(super) receive: Option<Arc<Pattern>>,
    /// The last line that did not match.
    pub(super) last: String,
}

impl SimpleTcp {
    /// With the request as the file has it: one slash in front is the old daemon's own, and what
    /// stands for bytes that no line can hold becomes them.
    pub(super) fn new(request: &[u8], receive: Option<Arc<Pattern>>) -> Self {
        Self {
            request: unescaped(request.strip_prefix(b"/").unwrap_or(request)),
            receive,
            last: String::new(),
        }
    }

    /// The server learns that nothing more comes.
    pub(super) fn begin(&self) -> Move {
        Move::SayLast(self.request.clone())
    }

    pub(super) fn hear(&mut self, heard: Heard<'_>) -> Move {
        let text = match heard {
            Heard::Line(text) | Heard::End(text) => text,
            Heard::Start(_) if self.receive.is_some() => return Move::Listen,
            Heard::Start(text) => text,
        };
        let good = match &self.receive {
            Some(pattern) => pattern.is_match(text),
            None => true,
        };
        if good && !text.is_empty() {
            return Move::Up(told(text));
        }
        if !text.is_empty() {
            self.last = told(text);
        }
        match (heard, &self.receive) {
            (Heard::Line(_) | Heard::Start(_), _) => Move::Listen,
            (Heard::End(_), Some(pattern)) if !self.last.is_empty() => {
                Move::Down(format!("no line matches \"{pattern}\": {}", self.last))
            }
            (Heard::End(_), _) => Move::Gone,
        }
    }
}

/// `\n`, `\r`, `\t`, `\\` and `\x41`. The old daemon knows only the first; any other backslash
/// stays one.
pub(crate) fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let (byte, used) = match (first, after) {
            (b'\\', [b'n', ..]) => (b'\n', 1),
            (b'\\', [b'r', ..]) => (b'\r', 1),
            (b'\\', [b't', ..]) => (b'\t', 1),
            (b'\\', [b'\\', ..]) => (b'\\', 1),
            (b'\\', [b'x', high, low, ..]) => match hexadecimal(*high, *low) {
                Some(byte) => (byte, 3),
                None => (b'\\', 0),
            },
            _ => (*first, 0),
        };
        bytes.push(byte);
        rest = after.get(used..).unwrap_or_default();
    }
    bytes
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn what_no_line_can_hold_is_written_with_a_backslash() {
        let rows: [(&[u8], &[u8]); 7] = [
            (b"PING\\n", b"PING\n"),
            (b"a\\r\\n\\tb", b"a\r\n\tb"),
            (b"\\x00\\xfF\\x4", b"\0\xff\\x4"),
            (b"\\\\n", b"\\n"),
            (b"\\q\\", b"\\q\\"),
            (b"\\xzz", b"\\xzz"),
            (b"", b""),
        ];
        for (text, bytes) in rows {
            assert_eq!(unescaped(text), bytes);
        }
    }
}
