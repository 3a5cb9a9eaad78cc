//! pop and pops: a greeting `+OK`, and with a login the mailbox opens (specification 2.10).
//!
//! The old daemon found every server without a login up, a dead one, too; here it has to greet. Of
//! several ways to log in the old library tries the safest first and gives up after a refused APOP;
//! here the next one is tried.

use super::{Heard, Move, argument, begins, command, told};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use std::fmt::{self, Write as _};

/// ```text
/// Greeting ─► Apop ─► Capabilities ─► Cram ─► CramAnswer ─► User ─► Pass
/// ```
/// Each step either opens the mailbox or leads to the next one that the server offers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Pop {
    state: State,
    login: Option<Login>,
}

/// Its `Debug` has no password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Login {
    pub(super) user: Vec<u8>,
    pub(super) password: Vec<u8>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = String::from_utf8_lossy(&self.user);
        f.debug_tuple("Login").field(&user).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Greeting,
    Apop,
    /// The answer to CAPA, then its lines; whether CRAM-MD5 is among them.
    Capa,
    Capabilities {
        cram: bool,
    },
    Cram,
    CramAnswer,
    User,
    Pass,
}

impl Pop {
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
            // The old library takes the rest for a line; a verdict may stand in it.
            Heard::End(rest) => rest,
        };
        let Some(login) = self.login.clone() else {
            return if begins(line, b"+OK") {
                Move::Up(told(line))
            } else {
                Move::Down(told(line))
            };
        };
        let good = line.starts_with(b"+OK");
        match self.state {
            State::Greeting if !begins(line, b"+OK") => Move::Down(told(line)),
            State::Greeting => match timestamp(line) {
                Some(stamp) => self.say(State::Apop, login.apop(stamp)),
                None => self.say(State::Capa, command(&[b"CAPA"])),
            },
            State::Apop | State::CramAnswer | State::Pass if good => Move::Up(told(line)),
            State::Apop => self.say(State::Capa, command(&[b"CAPA"])),
            State::Capa if good => {
                self.state = State::Capabilities { cram: false };
                Move::Listen
            }
            State::Capabilities { cram } if line.trim_ascii_end() != b"." => {
                let cram = cram || offers_cram(line);
                self.state = State::Capabilities { cram };
                Move::Listen
            }
            State::Capabilities { cram: true } => {
                self.say(State::Cram, command(&[b"AUTH", b"CRAM-MD5"]))
            }
            State::Cram => match login.cram(line) {
                Some(answer) => self.say(State::CramAnswer, answer),
                None => self.say_user(&login),
            },
            State::Capa | State::Capabilities { cram: false } | State::CramAnswer => {
                self.say_user(&login)
            }
            State::User if line.first() == Some(&b'+') => {
                let pass = command(&[b"PASS", &argument(&login.password)]);
                self.say(State::Pass, pass)
            }
            State::User => Move::Down(format!("USER: {}", told(line))),
            State::Pass => Move::Down(format!("PASS: {}", told(line))),
        }
    }

    fn say_user(&mut self, login: &Login) -> Move {
        let user = command(&[b"USER", &argument(&login.user)]);
        self.say(State::User, user)
    }

    fn say(&mut self, state: State, line: Vec<u8>) -> Move {
        self.state = state;
        Move::Say(line)
    }

    pub(super) fn awaited(&self) -> &'static str {
        match self.state {
            State::Greeting => "the greeting",
            State::Apop => "the answer to APOP",
            State::Capa | State::Capabilities { .. } => "the answer to CAPA",
            State::Cram | State::CramAnswer => "the answer to AUTH CRAM-MD5",
            State::User => "the answer to USER",
            State::Pass => "the answer to PASS",
        }
    }
}

impl Login {
    /// RFC 1939 section 7.
    fn apop(&self, stamp: &[u8]) -> Vec<u8> {
        let digest = Md5::new().chain_update(stamp).chain_update(&self.password);
        let digest = hexadecimal(&digest.finalize());
        command(&[b"APOP", &argument(&self.user), digest.as_bytes()])
    }

    /// The answer to a challenge (RFC 2195), if this is one.
    fn cram(&self, line: &[u8]) -> Option<Vec<u8>> {
        let text = line.strip_prefix(b"+ ")?.trim_ascii();
        let challenge = BASE64.decode(text).ok()?;
        let mac = Hmac::<Md5>::new_from_slice(&self.password).ok()?;
        let digest = hexadecimal(&mac.chain_update(challenge).finalize().into_bytes());
        let answer = [self.user.as_slice(), digest.as_bytes()].join(&b' ');
        Some(command(&[BASE64.encode(answer).as_bytes()]))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String succeeds");
        text
    })
}

/// The time stamp of a greeting, a message id in angle brackets: the server knows APOP.
fn timestamp(line: &[u8]) -> Option<&[u8]> {
    let atom = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_!#$%&'*+/=?^`{|}~".contains(byte);
    let dotted = |text: &[u8]| {
        let mut atoms = text.split(|byte| *byte == b'.');
        atoms.all(|one| !one.is_empty() && one.iter().all(atom))
    };
    let starts = line.iter().enumerate().filter(|(_, byte)| **byte == b'<');
    starts.into_iter().find_map(|(at, _)| {
        let text = line.get(at..)?;
        let end = text.iter().position(|byte| *byte == b'>')?;
        let inner = text.get(1..end)?;
        let sign = inner.iter().position(|byte| *byte == b'@')?;
        let (left, right) = (inner.get(..sign)?, inner.get(sign + 1..)?);
        let good = dotted(left) && dotted(right);
        good.then(|| text.get(..=end)).flatten()
    })
}

/// A capability line that has the mechanism.
fn offers_cram(line: &[u8]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace);
    line.starts_with(b"SASL") && words.any(|word| word == b"CRAM-MD5")
}
