//! A follower's copy of a daemon's snapshot, kept right by the lines that follow it.
//!
//! It checks the numbering, so that a missed line is an error and never a wrong picture.

#[cfg(test)]
mod tests;

use crate::{Notice, Reply, Snapshot, apply, apply_notice};

/// The copy, empty until the first snapshot came.
#[derive(Debug, Default)]
pub struct Mirror {
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    seq: u64,
    snapshot: Snapshot,
}

/// What a line meant for the copy.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// Everything may be different.
    Snapshot,
    /// Some rows are.
    Change,
    /// Something was told; it stands at the end of the recent notices as well.
    Notice(Notice),
    /// Not for the copy: the answer to some other request.
    Other(Box<Reply>),
}

/// Lines were lost; only a fresh snapshot helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {found} came where {expected} was due")]
pub struct Gap {
    pub expected: u64,
    pub found: u64,
}

impl Mirror {
    /// The copy as it stands.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.held.as_ref().map(|held| &held.snapshot)
    }

    /// Takes the server's next line.
    pub fn take(&mut self, reply: Reply) -> Result<Heard, Gap> {
        match reply {
            Reply::Snapshot { seq, snapshot } => {
                self.held = Some(Held { seq, snapshot });
                Ok(Heard::Snapshot)
            }
            Reply::Change { seq, changes } => {
                let snapshot = self.advance(seq)?;
                for change in &changes {
                    apply(snapshot, change);
                }
                Ok(Heard::Change)
            }
            Reply::Notice { seq, notice } => {
                apply_notice(self.advance(seq)?, notice.clone());
                Ok(Heard::Notice(notice))
            }
            other @ (Reply::Hello(_)
            | Reply::Rows { .. }
            | Reply::Metrics { .. }
            | Reply::Opinion { .. }
            | Reply::Done { .. }
            | Reply::Error { .. }) => Ok(Heard::Other(Box::new(other))),
        }
    }

    fn advance(&mut self, found: u64) -> Result<&mut Snapshot, Gap> {
        let Some(held) = &mut self.held else {
            return Err(Gap { expected: 0, found });
        };
        let expected = held.seq.wrapping_add(1);
        if found != expected {
            return Err(Gap { expected, found });
        }
        held.seq = found;
        Ok(&mut held.snapshot)
    }
}
