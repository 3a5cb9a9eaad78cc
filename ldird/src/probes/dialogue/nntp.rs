//! nntp: the first byte of the greeting is a 2 (specification 2.13). Nothing is said.

use super::{Heard, Move, told};

/// There is one state, so nothing to keep.
pub(super) fn hear(heard: Heard<'_>) -> Move {
    let greeting = match heard {
        Heard::Line(text) | Heard::Start(text) | Heard::End(text) => text,
    };
    match greeting.first() {
        Some(b'2') => Move::Up(told(greeting)),
        Some(_) => Move::Down(told(greeting)),
        None => Move::Gone,
    }
}
