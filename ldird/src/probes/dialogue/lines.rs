//! What a server says, cut into lines. Bounded: a server may say so much and no more.

/// Bytes as they come, lines as they are taken.
#[derive(Debug)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Taken already.
    taken: usize,
    /// So far there is no end of a line behind `taken`.
    searched: usize,
    /// Bytes that may still come.
    left: usize,
    ended: bool,
    /// New bytes have come since a start was told.
    news: bool,
}

/// What there is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken<'a> {
    /// A line with its end.
    Line(&'a [u8]),
    /// The beginning of one; told once for whatever came new.
    Start(&'a [u8]),
    Nothing,
    /// No more will come, and this was left.
    End(&'a [u8]),
    /// More came than may come.
    TooMuch,
}

impl Lines {
    /// For so many bytes in all.
    pub(super) fn new(total_max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            taken: 0,
            searched: 0,
            left: total_max,
            ended: false,
            news: false,
        }
    }

    /// New bytes go behind what is in there.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.taken);
        self.searched -= self.taken;
        self.taken = 0;
        &mut self.bytes
    }

    /// So many bytes went into the buffer; none is the end.
    pub(super) fn filled(&mut self, length: usize) {
        self.ended |= length == 0;
        self.news |= length > 0;
        // What comes beyond the bound is seen, so that a bound is no end.
        self.left = self.left.saturating_sub(length);
    }

    /// No more bytes will come.
    pub(super) fn have_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn take(&mut self) -> Taken<'_> {
        let unseen = self.bytes.get(self.searched..).unwrap_or_default();
        if let Some(at) = unseen.iter().position(|byte| *byte == b'\n') {
            let start = self.taken;
            self.taken = self.searched + at + 1;
            self.searched = self.taken;
            return Taken::Line(self.bytes.get(start..self.taken).unwrap_or_default());
        }
        self.searched = self.bytes.len();
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        if self.left == 0 {
            return Taken::TooMuch;
        }
        if self.ended {
            return Taken::End(rest);
        }
        if std::mem::take(&mut self.news) && !rest.is_empty() {
            return Taken::Start(rest);
        }
        Taken::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, Taken};

    fn put(lines: &mut Lines, bytes: &[u8]) {
        lines.buffer().extend(bytes);
        lines.filled(bytes.len());
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        let text = b"a\r\n\nbc\nrest";
        for size in 1..=text.len() {
            let mut lines = Lines::new(100);
            let mut found: Vec<Vec<u8>> = Vec::new();
            for part in text.chunks(size) {
                put(&mut lines, part);
                loop {
                    match lines.take() {
                        Taken::Line(line) => found.push(line.to_vec()),
                        Taken::Start(_) => {}
                        Taken::Nothing => break,
                        other => panic!("{other:?}"),
                    }
                }
            }
            lines.filled(0);
            let expected: [&[u8]; 3] = [b"a\r\n", b"\n", b"bc\n"];
            assert_eq!(found, expected, "in pieces of {size}");
            assert_eq!(lines.take(), Taken::End(b"rest"));
        }
    }

    #[test]
    fn a_beginning_is_told_once_for_what_came() {
        let mut lines = Lines::new(100);
        put(&mut lines, b"x");
        assert_eq!(lines.take(), Taken::Start(b"x"));
        assert_eq!(lines.take(), Taken::Nothing);
        put(&mut lines, b"y");
        assert_eq!(lines.take(), Taken::Start(b"xy"));
    }

    #[test]
    fn what_a_server_says_is_bounded() {
        let mut lines = Lines::new(8);
        put(&mut lines, b"ab\ncdefgh");
        assert_eq!(lines.take(), Taken::Line(b"ab\n"));
        assert_eq!(lines.take(), Taken::TooMuch);
    }
}
