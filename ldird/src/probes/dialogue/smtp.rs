//! smtp and submission: a greeting of success, and EHLO, else HELO, is taken (specification 2.9).

use super::{Heard, Move, code, told};

/// Who we say we are, as the old daemon's library does.
const EHLO: &[u8] = b"EHLO localhost.localdomain\r\n";
const HELO: &[u8] = b"HELO localhost.localdomain\r\n";

/// ```text
/// Greeting ─2xx─► Ehlo ─2xx─► up
///                   └──5xx─► Helo ─2xx─► up
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Smtp {
    state: State,
    /// The first line of the greeting.
    greeting: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum State {
    #[default]
    Greeting,
    Ehlo,
    Helo,
}

impl Smtp {
    pub(super) fn hear(&mut self, heard: Heard<'_>) -> Move {
        let line = match heard {
            Heard::Line(line) => line,
            Heard::Start(_) => return Move::Listen,
            // A line without its end counts for nothing, as in the old daemon's library.
            Heard::End(_) => return Move::Gone,
        };
        let Some((code, text)) = code(line) else {
            return Move::Down(format!("no reply of this protocol: {}", told(line)));
        };
        if self.state == State::Greeting && self.greeting.is_empty() {
            self.greeting = told(line);
        }
        if text.first() == Some(&b'-') {
            return Move::Listen;
        }
        match (self.state, code / 100) {
            (State::Greeting, 2) => self.say(State::Ehlo, EHLO),
            (State::Ehlo | State::Helo, 2) => Move::Up(self.greeting.clone()),
            (State::Ehlo, 5) => self.say(State::Helo, HELO),
            (State::Greeting, _) => Move::Down(told(line)),
            (State::Ehlo, _) => Move::Down(format!("EHLO: {}", told(line))),
            (State::Helo, _) => Move::Down(format!("HELO: {}", told(line))),
        }
    }

    fn say(&mut self, state: State, line: &[u8]) -> Move {
        self.state = state;
        Move::Say(line.to_vec())
    }

    pub(super) fn awaited(&self) -> &'static str {
        match self.state {
            State::Greeting => "the greeting",
            State::Ehlo => "the answer to EHLO",
            State::Helo => "the answer to HELO",
        }
    }
}
