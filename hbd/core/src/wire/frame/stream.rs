//! Packets out of a stream of bytes, as a serial line carries them (Heartbeat specification 3.5):
//! classic frames one after the other, with noise before, between and inside them.
//!
//! A frame begins with a line `>>>` and ends with one that begins with `<<<`. Noise seldom ends in
//! a line feed, so the `>>>` of the next frame often stands at the end of a line of noise: every
//! such end is a possible beginning, and the digest tells which one is the true one. A frame that
//! was cut off therefore never takes the next one with it.

use super::{MAX_PACKET, classic};
use crate::wire::{Keys, Message, WireError};

/// A line that ends in this may begin a frame.
const BEGINNING: &[u8] = b">>>";
/// A line that begins with this ends one.
const ENDING: &[u8] = b"<<<";

/// Beginnings that are tried for one end; of more, the first and the latest ones. Values may end in
/// `>>>`, honest ones hardly ever do.
const MAX_BEGINNINGS: usize = 4;

/// Finds the frames in what a line carries. Holds at most [`MAX_PACKET`] bytes and what is fed at
/// once.
#[derive(Debug, Default)]
pub struct FrameReader {
    /// From the first possible beginning on; outside frames the current line alone.
    held: Vec<u8>,
    /// Where in `held` a frame may begin, in order; empty outside frames.
    beginnings: Vec<usize>,
    /// Where the current line begins.
    line: usize,
}

impl FrameReader {
    /// Nothing has been read.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes, however they were split, and says what the frames hold that end in
    /// them. An error is a frame that was damaged, foreign or too long; noise between frames is
    /// none.
    pub fn feed(&mut self, bytes: &[u8], keys: &Keys) -> Vec<Result<Message, WireError>> {
        let mut found = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.held.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                found.extend(self.end_line(keys));
            }
            found.extend(self.shorten());
        }
        found
    }

    /// Forgets everything: the line was opened anew.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The current line is complete.
    fn end_line(&mut self, keys: &Keys) -> Option<Result<Message, WireError>> {
        let line = self.held.get(self.line..).unwrap_or_default();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let outside = self.beginnings.is_empty();
        let (begins, alone) = (line.ends_with(BEGINNING), line == BEGINNING);
        if !outside && line.starts_with(ENDING) {
            let read = self.read(keys);
            self.restart(begins);
            return Some(read);
        }
        if outside || alone {
            // No frame holds a line `>>>` of its own: what was open has lost its end.
            self.restart(begins);
            return (!outside).then_some(Err(WireError::Unterminated));
        }
        if begins {
            if self.beginnings.len() == MAX_BEGINNINGS {
                self.beginnings.remove(1);
            }
            let at = self.held.len().saturating_sub(classic::START.len());
            self.beginnings.push(at);
        }
        self.line = self.held.len();
        None
    }

    /// The frame that ends here: the shortest one whose digest is right.
    fn read(&self, keys: &Keys) -> Result<Message, WireError> {
        let mut result = Err(WireError::Unterminated);
        for at in self.beginnings.iter().rev() {
            let frame = self.held.get(*at..).unwrap_or_default();
            result = classic::decode(frame, Some(keys));
            if result.is_ok() {
                break;
            }
        }
        result
    }

    /// Outside frames again, or at the beginning of one.
    fn restart(&mut self, begins: bool) {
        self.reset();
        if begins {
            self.held.extend_from_slice(classic::START);
            self.beginnings.push(0);
            self.line = self.held.len();
        }
    }

    /// Keeps no more than a packet may have.
    fn shorten(&mut self) -> Option<Result<Message, WireError>> {
        if self.beginnings.is_empty() {
            // Only how it ends matters.
            let excess = self.held.len().saturating_sub(BEGINNING.len());
            self.held.drain(..excess);
            return None;
        }
        while self.held.len() > MAX_PACKET {
            self.beginnings.remove(0);
            let Some(next) = self.beginnings.first().copied() else {
                let length = self.held.len();
                self.held.drain(..self.line);
                self.line = 0;
                self.shorten();
                return Some(Err(WireError::PacketTooLong(length)));
            };
            self.held.drain(..next);
            self.line = self.line.saturating_sub(next);
            for beginning in &mut self.beginnings {
                *beginning = beginning.saturating_sub(next);
            }
        }
        None
    }
}
