//! ftp: a greeting and a login, and with a pattern a file that matches (specification 2.15).
//!
//! Unlike the old daemon: without a pattern the login has to succeed (there a dead server was up),
//! and the data connection is a passive one, an active one where the server refuses that. It leads
//! to the real server itself, whatever address the server names: behind a director that is the
//! virtual one.

mod check;

pub(crate) use check::FtpCheck;

use super::lines::{Lines, Taken};
use super::{TOTAL_MAX_BYTES, argument, code, command, told};
use crate::probes::Pattern;
use std::net::SocketAddr;
use std::sync::Arc;

/// So much of a file is kept and matched, bytes.
const FILE_MAX_BYTES: usize = 1024 * 1024;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Wish {
    user: Vec<u8>,
    password: Vec<u8>,
    file: Vec<u8>,
    /// `None`: the login decides.
    receive: Option<Arc<Pattern>>,
}

/// What we do next.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Act {
    /// To the server, and to the data connection where there is one.
    Listen,
    Say(Vec<u8>),
    /// Opens a data connection to this port of the server.
    Dial(u16),
    /// Waits for one from the server.
    Offer,
    Up(String),
    Down(String),
    Gone,
}

/// What happens beside the server's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event<'a> {
    Dialled(bool),
    /// Where we wait, if we can.
    Offered(Option<SocketAddr>),
    /// The server has come.
    Accepted,
    Data(&'a [u8]),
    DataEnd,
}

/// ```text
/// Greeting ─► User ─► UserAgain ─► Pass ─► Cwd ─► Type ─► Passive ─► Dialling ─► Retr ─► Transfer
///                                                            └─► Offering ─► Port ──┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    User,
    /// In small letters, for a firewall that the old library knows.
    UserAgain,
    Pass,
    Cwd,
    Type,
    Passive,
    Dialling,
    Offering,
    Port,
    Retr,
    Transfer,
}

/// One check as it goes.
#[derive(Debug)]
struct Ftp {
    wish: Wish,
    state: State,
    lines: Lines,
    /// The reply so far, without its codes.
    reply: Vec<u8>,
    /// The server's address is of this family.
    v6: bool,
    /// The login was refused, with these words. A file may come all the same.
    refused: Option<String>,
    /// There is a data connection.
    open: bool,
    data: Vec<u8>,
    /// So much of it was matched.
    looked_at: usize,
    /// What an event led to.
    due: Option<Act>,
}

impl Ftp {
    fn new(wish: Wish, v6: bool) -> Self {
        Self {
            wish,
            state: State::Greeting,
            lines: Lines::new(TOTAL_MAX_BYTES),
            reply: Vec::new(),
            v6,
            refused: None,
            open: false,
            data: Vec::new(),
            looked_at: 0,
            due: None,
        }
    }

    /// Where to put what the server says; tell it with [`Ftp::heard`].
    fn buffer(&mut self) -> &mut Vec<u8> {
        self.lines.buffer()
    }

    fn heard(&mut self, length: usize) {
        self.lines.filled(length);
    }

    /// The server says no more.
    fn has_ended(&self) -> bool {
        self.lines.have_ended()
    }

    /// Is it time to look at the data connection?
    fn wants_data(&self) -> bool {
        self.state == State::Transfer
    }

    fn happened(&mut self, event: Event<'_>) {
        let act = match event {
            Event::Dialled(true) => {
                self.open = true;
                self.retrieve()
            }
            Event::Dialled(false) => self.go(State::Offering, Act::Offer),
            Event::Offered(Some(address)) => self.go(State::Port, Act::Say(port(address))),
            Event::Offered(None) => Act::Down("no data connection".to_owned()),
            Event::Accepted => {
                self.open = true;
                Act::Listen
            }
            Event::Data(bytes) => self.take(bytes),
            Event::DataEnd => self.judge(),
        };
        self.due = Some(act);
    }

    fn next(&mut self) -> Act {
        if let Some(act) = self.due.take().filter(|act| *act != Act::Listen) {
            return act;
        }
        loop {
            let line = match self.lines.take() {
                Taken::Line(line) => line.to_vec(),
                Taken::Start(_) => continue,
                Taken::Nothing => return Act::Listen,
                // What is on its way still comes.
                Taken::End(_) if self.state == State::Transfer && self.open => return Act::Listen,
                Taken::End(_) => return Act::Gone,
                Taken::TooMuch => {
                    let awaited = self.awaited();
                    return Act::Down(format!("{TOTAL_MAX_BYTES} bytes came before {awaited}"));
                }
            };
            let act = self.line(&line);
            if act != Act::Listen {
                return act;
            }
        }
    }

    /// Lines without a code belong to the reply, in front of it, too, as in the old library.
    fn line(&mut self, line: &[u8]) -> Act {
        let found = code(line);
        let text = found.map_or(line, |(_, text)| text);
        self.reply.extend(text);
        match found {
            Some((code, text)) if text.first() != Some(&b'-') => {
                let act = self.replied(code, line);
                self.reply.clear();
                act
            }
            Some(_) | None => Act::Listen,
        }
    }

    fn replied(&mut self, code: u16, line: &[u8]) -> Act {
        match (self.state, code / 100) {
            (State::Greeting, 2) => self.go(State::User, self.user(b"USER")),
            (State::Greeting, _) => Act::Down(told(line)),
            // Firewalls that put their greeting here.
            (State::User, 2) if code == 220 && self.wish.user.contains(&b'@') => Act::Listen,
            (State::User | State::UserAgain | State::Pass, 2) => self.logged_in(line),
            (State::User | State::UserAgain, 3) => {
                let pass = command(&[b"PASS", &argument(&self.wish.password)]);
                self.go(State::Pass, Act::Say(pass))
            }
            (State::User, _) => self.go(State::UserAgain, self.user(b"user")),
            (State::UserAgain | State::Pass, _) => self.login_refused(line),
            (State::Cwd, _) => self.go(State::Type, Act::Say(command(&[b"TYPE I"]))),
            (State::Type, _) => {
                let passive: &[u8] = if self.v6 { b"EPSV" } else { b"PASV" };
                self.go(State::Passive, Act::Say(command(&[passive])))
            }
            (State::Passive, 2) => match self.port_told() {
                Some(port) => self.go(State::Dialling, Act::Dial(port)),
                None => self.go(State::Offering, Act::Offer),
            },
            (State::Passive, _) => self.go(State::Offering, Act::Offer),
            (State::Port, 2) => self.retrieve(),
            (State::Retr, 1) => self.go(State::Transfer, Act::Listen),
            (State::Port | State::Retr, _) => self.failed(line),
            // The end of a transfer: the data connection tells whether all is there.
            (State::Transfer, 1..=3) => Act::Listen,
            (State::Transfer, _) if self.open => Act::Listen,
            (State::Transfer, _) => self.failed(line),
            // Nothing was asked.
            (State::Dialling | State::Offering, _) => Act::Listen,
        }
    }

    fn go(&mut self, state: State, act: Act) -> Act {
        self.state = state;
        act
    }

    fn user(&self, verb: &[u8]) -> Act {
        Act::Say(command(&[verb, &argument(&self.wish.user)]))
    }

    fn logged_in(&mut self, line: &[u8]) -> Act {
        match self.wish.receive {
            None => Act::Up(told(line)),
            Some(_) => self.go(State::Cwd, Act::Say(command(&[b"CWD /"]))),
        }
    }

    fn login_refused(&mut self, line: &[u8]) -> Act {
        let words = format!("login: {}", told(line));
        if self.wish.receive.is_none() {
            return Act::Down(words);
        }
        self.refused = Some(words);
        self.go(State::Cwd, Act::Say(command(&[b"CWD /"])))
    }

    fn retrieve(&mut self) -> Act {
        let retrieve = command(&[b"RETR", &argument(&self.wish.file)]);
        self.go(State::Retr, Act::Say(retrieve))
    }

    /// There is no file; the first thing that went wrong is told.
    fn failed(&mut self, line: &[u8]) -> Act {
        let file = String::from_utf8_lossy(&self.wish.file);
        let words = format!("{file}: {}", told(line));
        Act::Down(self.refused.take().unwrap_or(words))
    }

    fn take(&mut self, bytes: &[u8]) -> Act {
        let room = FILE_MAX_BYTES - self.data.len();
        self.data.extend(bytes.iter().take(room));
        if self.data.len() == FILE_MAX_BYTES {
            return self.judge();
        }
        let receive = self.wish.receive.as_ref();
        let early = receive.filter(|pattern| pattern.is_early());
        // Not at every piece: matching begins anew.
        if early.is_some() && self.data.len() > self.looked_at + self.looked_at / 4 {
            self.looked_at = self.data.len();
            if early.is_some_and(|pattern| pattern.is_match(&self.data)) {
                return self.judge();
            }
        }
        Act::Listen
    }

    /// By what has come of the file.
    fn judge(&self) -> Act {
        let file = String::from_utf8_lossy(&self.wish.file);
        match &self.wish.receive {
            Some(pattern) if !pattern.is_match(&self.data) => {
                let start = told(&self.data);
                Act::Down(format!("{file}: no \"{pattern}\" in: {start}"))
            }
            Some(_) | None => Act::Up(format!("{file}: {} bytes, as expected", self.data.len())),
        }
    }

    /// The verdict when time has run out: a file that came in part may match.
    fn out_of_time(&self) -> Option<String> {
        let began = self.state == State::Transfer && !self.data.is_empty();
        match began.then(|| self.judge())? {
            Act::Up(text) => Some(text),
            Act::Listen | Act::Say(_) | Act::Dial(_) | Act::Offer | Act::Down(_) | Act::Gone => {
                None
            }
        }
    }

    fn awaited(&self) -> &'static str {
        match self.state {
            State::Greeting => "the greeting",
            State::User | State::UserAgain => "the answer to USER",
            State::Pass => "the answer to PASS",
            State::Cwd => "the answer to CWD",
            State::Type => "the answer to TYPE",
            State::Passive => "the answer to PASV",
            State::Dialling | State::Offering => "a data connection",
            State::Port => "the answer to PORT",
            State::Retr => "the answer to RETR",
            State::Transfer => "the end of the file",
        }
    }

    /// The port of a reply to PASV or EPSV.
    fn port_told(&self) -> Option<u16> {
        let port = if self.v6 {
            extended_port(&self.reply)
        } else {
            passive_port(&self.reply)
        };
        port.filter(|port| *port > 0)
    }
}

/// `h1,h2,h3,h4,p1,p2` anywhere (RFC 959 section 4.1.2).
fn passive_port(reply: &[u8]) -> Option<u16> {
    let part = |byte: &u8| byte.is_ascii_digit() || *byte == b',';
    let runs = reply.split(|byte| !part(byte));
    runs.into_iter().find_map(|run| {
        let numbers: Vec<Option<u32>> = run.split(|byte| *byte == b',').map(number).collect();
        numbers.windows(6).find_map(|six| match six {
            [Some(_), Some(_), Some(_), Some(_), Some(high), Some(low)] => {
                u16::try_from(high.checked_mul(256)?.checked_add(*low)?).ok()
            }
            _ => None,
        })
    })
}

/// `(|||6446|)` anywhere, with any sign for the bar (RFC 2428 section 3).
fn extended_port(reply: &[u8]) -> Option<u16> {
    let starts = reply.iter().enumerate().filter(|(_, byte)| **byte == b'(');
    starts.into_iter().find_map(|(at, _)| {
        let [bar, second, third, rest @ ..] = reply.get(at + 1..)? else {
            return None;
        };
        let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let closes = rest.get(end..)?.starts_with(&[*bar, b')']);
        let bars = bar == second && bar == third && bar.is_ascii_graphic();
        let port = u16::try_from(number(rest.get(..end)?)?).ok();
        port.filter(|_| closes && bars)
    })
}

fn number(digits: &[u8]) -> Option<u32> {
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Where the server shall connect to.
fn port(address: SocketAddr) -> Vec<u8> {
    match address {
        SocketAddr::V4(address) => {
            let [a, b, c, d] = address.ip().octets();
            let [high, low] = address.port().to_be_bytes();
            command(&[b"PORT", format!("{a},{b},{c},{d},{high},{low}").as_bytes()])
        }
        SocketAddr::V6(address) => {
            let (ip, port) = (address.ip(), address.port());
            command(&[b"EPRT", format!("|2|{ip}|{port}|").as_bytes()])
        }
    }
}

#[cfg(test)]
mod tests;
