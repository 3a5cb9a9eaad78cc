//! imap and imaps: a greeting `* OK` or `* PREAUTH`, and with a login it is taken (specification
//! 2.11). Unlike the old daemon: the port is the configured one, nothing is expunged, and a refused
//! connection is not tried again.

use super::pop::Login;
use super::{Heard, Move, argument, begins, command, told};

pub(super) const GOODBYE: &[u8] = b"1 LOGOUT\r\n";
/// The tag of our one command.
const TAG: &[u8] = b"0";

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Imap {
    state: State,
    login: Option<Login>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Greeting,
    /// Lines come until the tagged one.
    Login,
    /// So many bytes of a literal are still to come; a list that it stands in ends with a bracket.
    Literal {
        left: usize,
        in_list: bool,
    },
    List,
}

impl Imap {
    pub(super) fn new(login: Option<Login>) -> Self {
        Self {
            state: State::Greeting,
            login,
        }
    }

    pub(super) fn hear(&mut self, heard: Heard<'_>) -> Move {
        let line = match heard {
            Heard::Line(line) => line,
            Heard::Start(_) => return Move::Listen,
            Heard::End([]) => return Move::Gone,
            Heard::End(rest) => rest,
        };
        match self.state {
            State::Greeting => self.greet(line),
            State::Login => self.answered(line),
            State::Literal { left, in_list } => {
                self.state = literal(left.saturating_sub(line.len()), in_list, line);
                Move::Listen
            }
            State::List => {
                self.state = if ends_list(line) {
                    State::Login
                } else {
                    State::List
                };
                Move::Listen
            }
        }
    }

    fn greet(&mut self, line: &[u8]) -> Move {
        let good = |word| untagged(line).is_some_and(|text| begins(text, word));
        if !good(b"OK") && !good(b"PREAUTH") {
            return Move::Down(told(line));
        }
        let Some(login) = &self.login else {
            return Move::Up(told(line));
        };
        self.state = State::Login;
        let (user, password) = (argument(&login.user), argument(&login.password));
        // A name goes as it is where that is allowed, as the old daemon sent every one.
        let plain = |byte: &u8| byte.is_ascii_graphic() && !b"(){%*\"\\".contains(byte);
        let user = if !user.is_empty() && user.iter().all(plain) {
            user
        } else {
            quoted(&user)
        };
        Move::Say(command(&[TAG, b"LOGIN", &user, &quoted(&password)]))
    }

    fn answered(&mut self, line: &[u8]) -> Move {
        if let Some(length) = announced(line) {
            self.state = literal(length, line.contains(&b'('), b"");
            return Move::Listen;
        }
        let Some(text) = line.strip_prefix(TAG).and_then(after_blanks) else {
            return Move::Listen;
        };
        if begins(text, b"OK") {
            return Move::Up(told(text));
        }
        if begins(text, b"NO") || begins(text, b"BAD") {
            return Move::Down(format!("LOGIN: {}", told(text)));
        }
        Move::Listen
    }

    pub(super) fn awaited(&self) -> &'static str {
        match self.state {
            State::Greeting => "the greeting",
            State::Login | State::Literal { .. } | State::List => "the answer to LOGIN",
        }
    }
}

/// Where a literal of which so much is left goes on; `line` is its last one so far.
fn literal(left: usize, in_list: bool, line: &[u8]) -> State {
    if left > 0 {
        State::Literal { left, in_list }
    } else if in_list && !ends_list(line) {
        State::List
    } else {
        State::Login
    }
}

fn ends_list(line: &[u8]) -> bool {
    line.trim_ascii_end().last() == Some(&b')')
}

/// What follows the star of an untagged line.
fn untagged(line: &[u8]) -> Option<&[u8]> {
    after_blanks(line.strip_prefix(b"*")?)
}

/// What follows blanks, of which there must be one.
fn after_blanks(text: &[u8]) -> Option<&[u8]> {
    let blank = text.first()?.is_ascii_whitespace();
    blank.then(|| text.trim_ascii_start())
}

/// The length of a literal that an untagged line ends with: `* ... {12}`.
fn announced(line: &[u8]) -> Option<usize> {
    let text = line.strip_prefix(b"*")?;
    let ends = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let end = text.iter().rposition(|byte| !ends(byte))?;
    let text = text.get(..=end)?.strip_suffix(b"}")?;
    let start = text.iter().rposition(|byte| *byte == b'{')?;
    let digits = text.get(start + 1..)?;
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    // A number too large for us is larger than all that a server may say.
    all_digits.then(|| {
        let text = str::from_utf8(digits).unwrap_or_default();
        text.parse().unwrap_or(usize::MAX)
    })
}

/// A quoted string (RFC 3501 section 4.3).
fn quoted(bytes: &[u8]) -> Vec<u8> {
    let mut text = vec![b'"'];
    for byte in bytes {
        if matches!(byte, b'"' | b'\\') {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    text.push(b'"');
    text
}
