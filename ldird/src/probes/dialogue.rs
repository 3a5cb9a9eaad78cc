//! Conversations in which one says a line and expects one: mail, news, and the simple TCP check.
//!
//! [`Talk`] is the whole conversation without a socket: what the server says goes in byte by byte,
//! what we do comes out as a [`Move`], until a verdict. Each protocol is a small machine in a file
//! of its own. [`Conversation`] is the check: a script, a server, a connection and one deadline.
//! [`FtpCheck`] has two connections and stands apart.
//!
//! ```text
//! bytes ─► Lines ─► Heard ─► Script (smtp, pop, imap, nntp, simpletcp) ─► Move ─► bytes, verdict
//! ```

mod conversation;
mod ftp;
mod imap;
mod lines;
mod nntp;
mod pop;
mod simpletcp;
mod smtp;

pub(crate) use conversation::Conversation;
pub(crate) use ftp::FtpCheck;
pub(crate) use simpletcp::unescaped;

use imap::Imap;
use lines::{Lines, Taken};
use pop::Pop;
use simpletcp::SimpleTcp;
use smtp::Smtp;

/// All that a server may say in one conversation, bytes; its lines are kept no longer than it takes
/// to judge them.
const TOTAL_MAX_BYTES: usize = 1024 * 1024;
/// So much of a line is told, characters.
const EXCERPT_CHARS: usize = 120;

/// What the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard<'a> {
    /// It says a line, here with its end.
    Line(&'a [u8]),
    /// It has begun a line.
    Start(&'a [u8]),
    /// It says no more, and this was left of a line.
    End(&'a [u8]),
}

/// What we do.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Move {
    Listen,
    Say(Vec<u8>),
    /// Says this and then that no more will come.
    SayLast(Vec<u8>),
    Up(String),
    Down(String),
    /// The server is gone before there was a verdict.
    Gone,
}

/// One protocol's part, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Script {
    Smtp(Smtp),
    Pop(Pop),
    Imap(Imap),
    Nntp,
    SimpleTcp(SimpleTcp),
}

impl Script {
    fn begin(&self) -> Move {
        match self {
            Self::Smtp(_) | Self::Pop(_) | Self::Imap(_) | Self::Nntp => Move::Listen,
            Self::SimpleTcp(script) => script.begin(),
        }
    }

    fn hear(&mut self, heard: Heard<'_>) -> Move {
        match self {
            Self::Smtp(script) => script.hear(heard),
            Self::Pop(script) => script.hear(heard),
            Self::Imap(script) => script.hear(heard),
            Self::Nntp => nntp::hear(heard),
            Self::SimpleTcp(script) => script.hear(heard),
        }
    }

    /// What it waits for.
    fn awaited(&self) -> &'static str {
        match self {
            Self::Smtp(script) => script.awaited(),
            Self::Pop(script) => script.awaited(),
            Self::Imap(script) => script.awaited(),
            Self::Nntp => "the greeting",
            Self::SimpleTcp(_) => "a line that matches",
        }
    }

    /// What is said at the end; `None` where the connection is just closed.
    fn goodbye(&self) -> Option<&'static [u8]> {
        match self {
            Self::Smtp(_) | Self::Pop(_) => Some(b"QUIT\r\n"),
            Self::Imap(_) => Some(imap::GOODBYE),
            Self::SimpleTcp(_) => Some(b""),
            Self::Nntp => None,
        }
    }
}

/// A conversation as it goes.
#[derive(Debug)]
struct Talk {
    script: Script,
    lines: Lines,
    begun: bool,
}

impl Talk {
    fn new(script: Script) -> Self {
        Self {
            script,
            lines: Lines::new(TOTAL_MAX_BYTES),
            begun: false,
        }
    }

    /// Where to put what the server says; tell it with [`Talk::heard`].
    fn buffer(&mut self) -> &mut Vec<u8> {
        self.lines.buffer()
    }

    /// So many bytes were put into the buffer; none: the server says no more.
    fn heard(&mut self, length: usize) {
        self.lines.filled(length);
    }

    /// What to do next. `Listen` comes only when all that was heard has been considered, and never
    /// after the end.
    fn next(&mut self) -> Move {
        if !self.begun {
            self.begun = true;
            let act = self.script.begin();
            if act != Move::Listen {
                return act;
            }
        }
        loop {
            let act = match self.lines.take() {
                Taken::Line(line) => self.script.hear(Heard::Line(line)),
                Taken::Start(start) => self.script.hear(Heard::Start(start)),
                Taken::Nothing => return Move::Listen,
                Taken::End(rest) => match self.script.hear(Heard::End(rest)) {
                    // There is nobody left to talk to.
                    Move::Listen | Move::Say(_) | Move::SayLast(_) => Move::Gone,
                    verdict @ (Move::Up(_) | Move::Down(_) | Move::Gone) => verdict,
                },
                Taken::TooMuch => Move::Down(format!(
                    "{TOTAL_MAX_BYTES} bytes came before {}",
                    self.script.awaited()
                )),
            };
            if act != Move::Listen {
                return act;
            }
        }
    }
}

/// A line as it is told: without its end, not too long.
fn told(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.trim().chars().take(EXCERPT_CHARS).collect()
}

/// What goes into a command: no byte of a file may end the line.
fn argument(bytes: &[u8]) -> Vec<u8> {
    let ends = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    bytes.iter().copied().filter(|byte| !ends(byte)).collect()
}

/// One command as it goes out.
fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut line = words.join(&b' ');
    line.extend(b"\r\n");
    line
}

/// The digits in front of a line and what follows them, for replies of numbered lines (RFC 5321
/// section 4.2.1, RFC 959 section 4.2).
fn code(line: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = str::from_utf8(digits).ok()?.parse().ok()?;
    Some((code, rest))
}

/// Does the text begin so, whatever the case of letters?
fn begins(text: &[u8], word: &[u8]) -> bool {
    let start = text.get(..word.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod odd;
#[cfg(test)]
mod tests;
