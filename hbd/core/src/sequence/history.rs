//! Our own sequenced messages: kept for sending again (Heartbeat specification 5.6), with what
//! each peer has acknowledged (5.7).
//!
//! Bounded by its length alone: acknowledged messages are not freed early, which costs little
//! and answers more requests than the old daemon can.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::MAX_PER_REQUEST;
use crate::wire::Message;

/// How many messages are kept; the oldest goes first and is then answered with a NAK.
pub const HISTORY_LENGTH: usize = 500;

/// A message is not sent again sooner than `max_rexmit_delay` less this after the last time.
const RESEND_TOLERANCE: Duration = Duration::from_millis(10);

/// The field `info` of our NAKs. (The old daemon has a second text, for a number that its history
/// skips; ours has no holes.)
pub const NAK_REASON: &str = "seqno too low";

/// The messages sent last, and what the peers have of them.
#[derive(Clone, Debug)]
pub struct History {
    /// The numbers up to `highest`, ascending, without holes.
    sent: VecDeque<Sent>,
    /// The highest number sent; 0 before the first.
    highest: u64,
    /// The highest number acknowledged, by node; as many as there are nodes.
    acknowledged: BTreeMap<String, u64>,
    resend_interval: Duration,
}

#[derive(Clone, Debug)]
struct Sent {
    message: Message,
    resent: Option<Instant>,
}

/// One part of the answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Send this message again, unchanged, on all media.
    Resend(Message),
    /// Tell the requester that it will never get this number (`NS_nak_rexmit`, hex there, with
    /// [`NAK_REASON`]): it is older than everything kept.
    Nak {
        /// The number asked for.
        seq: u64,
    },
    /// A number we have not sent yet, normally asked of an earlier generation: nothing to send,
    /// a warning to report.
    BeyondHighest {
        /// The lowest such number asked for.
        seq: u64,
        /// The highest number sent.
        highest: u64,
    },
}

/// What an acknowledgement was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledgement {
    /// The peer has more than we knew.
    Advanced,
    /// Nothing new: late or repeated.
    Known,
    /// Beyond what we have sent: an error to report, otherwise ignored.
    Corrupted {
        /// The highest number sent.
        highest: u64,
    },
}

impl History {
    /// Nothing sent yet; `max_rexmit_delay` is the directive.
    pub fn new(max_rexmit_delay: Duration) -> Self {
        Self {
            sent: VecDeque::new(),
            highest: 0,
            acknowledged: BTreeMap::new(),
            resend_interval: max_rexmit_delay.saturating_sub(RESEND_TOLERANCE),
        }
    }

    /// The highest number sent; 0 before the first.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// The number of the next sequenced message: 1 at first.
    pub fn next_seq(&self) -> u64 {
        self.highest + 1
    }

    /// Keeps a message that was sent with the number [`History::next_seq`].
    pub fn record(&mut self, message: Message) {
        self.highest += 1;
        if self.sent.len() == HISTORY_LENGTH {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent {
            message,
            resent: None,
        });
    }

    /// A peer has everything up to `seq` (`NS_ackmsg`).
    pub fn acknowledge(&mut self, node: &str, seq: u64) -> Acknowledgement {
        if seq > self.highest {
            return Acknowledgement::Corrupted {
                highest: self.highest,
            };
        }
        if seq <= self.acknowledged_by(node) {
            return Acknowledgement::Known;
        }
        match self.acknowledged.get_mut(node) {
            Some(known) => *known = seq,
            None => {
                self.acknowledged.insert(node.to_owned(), seq);
            }
        }
        Acknowledgement::Advanced
    }

    /// The highest number a peer has acknowledged; 0 when none.
    pub fn acknowledged_by(&self, node: &str) -> u64 {
        self.acknowledged.get(node).copied().unwrap_or(0)
    }

    /// A peer died or restarted: what it has is unknown again.
    pub fn forget(&mut self, node: &str) {
        self.acknowledged.remove(node);
    }

    /// Answers a peer's request for the numbers `first` to `last`, both included (`NS_rexmit`):
    /// at most [`MAX_PER_REQUEST`] answers, the rest is asked for again. Numbers the peer has
    /// acknowledged, or that were sent again a moment ago, need no answer.
    pub fn answer(&mut self, node: &str, first: u64, last: u64, now: Instant) -> Vec<Answer> {
        let lowest = self.next_seq() - self.sent.len() as u64;
        let begin = first.max(self.acknowledged_by(node).saturating_add(1));
        let mut answers = Vec::new();
        for seq in begin..=last {
            if answers.len() == MAX_PER_REQUEST {
                break;
            }
            if seq > self.highest {
                answers.push(Answer::BeyondHighest {
                    seq,
                    highest: self.highest,
                });
                break;
            }
            match seq.checked_sub(lowest) {
                None => answers.push(Answer::Nak { seq }),
                Some(place) => answers.extend(self.resend(place as usize, now)),
            }
        }
        answers
    }

    /// The message at that place of the history, unless it was sent again a moment ago.
    fn resend(&mut self, place: usize, now: Instant) -> Option<Answer> {
        let sent = self.sent.get_mut(place)?;
        let recent = |at| now.saturating_duration_since(at) < self.resend_interval;
        if sent.resent.is_some_and(recent) {
            return None;
        }
        sent.resent = Some(now);
        Some(Answer::Resend(sent.message.clone()))
    }
}

#[cfg(test)]
mod tests;
