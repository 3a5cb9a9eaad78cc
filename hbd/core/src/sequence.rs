//! Sequence numbers: what was heard from a peer and what is missing (Heartbeat specification
//! 5.5), and what of ours can be sent again (5.6, in `history`).
//!
//! `Receiver` judges each sequenced packet of one peer: new, recovered, duplicate, old or
//! replayed; it says which number to acknowledge and which to ask for again. It never sees the
//! messages themselves; types that begin with `NS_` carry no number and do not come here.

mod history;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub use history::{Acknowledgement, Answer, HISTORY_LENGTH, History, NAK_REASON};

/// The most numbers asked for, or answered, at once.
pub const MAX_PER_REQUEST: usize = 50;

/// A gap of more numbers than this is given up at once.
pub const MAX_GAP: u64 = 250;

/// The most numbers missing from one peer; with more all are given up.
pub const MAX_MISSING: usize = 500;

/// Every tenth number is acknowledged.
const ACK_PERIOD: u64 = 10;

/// First requests wait at least this long, for the number may come over another link, ...
const MIN_REQUEST_DELAY: Duration = Duration::from_millis(50);

/// ... unless the configured maximum is shorter than this.
const SHORT_REQUEST_DELAY: Duration = Duration::from_millis(100);

/// What a sequenced packet says about itself, and what is known about its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Field `hg`; 0 when absent.
    pub generation: u64,
    /// Field `seq`; at least 1.
    pub seq: u64,
    /// Whether the type is `status`: only those move the generation.
    pub is_status: bool,
    /// Does it name this life of ours, so that nobody can have recorded it before? True as well
    /// for a sender that has no words for that.
    pub proven: bool,
    pub sender: Sender,
}

/// What is known of the sender of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// It lives, has left, or was never heard.
    Known,
    /// It is dead to us now.
    Dead,
    /// It does not live, and the packet carries an identity that was never seen before: the node
    /// was installed anew, and may have lost count of its generations.
    Anew,
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Process it: seen for the first time.
    Accept(Accepted),
    /// The newest number again, normally over another link: refreshes that link only.
    Duplicate,
    /// Older than the newest and not missing: drop silently.
    Old,
    /// A `status` of a dead node that is not newer than the last one: must not revive it.
    Stale,
    /// Of a generation that is over: an error to report, drop.
    Replay {
        /// The packet's generation.
        got: u64,
        /// The sender's.
        current: u64,
    },
    /// Of no generation, or not a `status` and of one that no `status` has announced: drop.
    /// Stricter than the old daemon, which let such packets in unchecked (11.2).
    Premature {
        /// The packet's generation.
        got: u64,
        /// The sender's, as far as we know.
        current: u64,
    },
    /// A `status` of a life that we do not hear yet and that does not name ours: news or a
    /// recording, nobody can tell. Name that life to its sender, and drop.
    Unproven,
}

/// An accepted packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Whether the sender is (re)joining with this `status`.
    pub rejoin: Option<Rejoin>,
    /// How the number continues those before.
    pub order: Order,
    /// Acknowledge this number to the sender.
    pub ack: Option<u64>,
    /// This is a recovered `status`, and a newer one has been accepted already: it must not
    /// change the sender's state.
    pub outdated_status: bool,
}

/// How a sender came (back).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejoin {
    /// Its first `status` since we started.
    First,
    /// A new generation: the daemon there was restarted.
    Restart {
        /// The generation before.
        previous: u64,
    },
    /// The same generation although we had declared it dead: a partition has healed.
    Healed,
}

/// How an accepted number continues those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// In sequence, or the first of a new tracking.
    Next,
    /// These numbers, both included, are missing and will be asked for.
    Gap {
        /// The lowest number of the gap.
        first: u64,
        /// The highest.
        last: u64,
    },
    /// These numbers, and those missing before, are given up: too many.
    LostMany {
        /// The lowest number of the gap.
        first: u64,
        /// The highest.
        last: u64,
    },
    /// It was missing.
    Recovered {
        /// How many numbers still are.
        missing: usize,
    },
}

/// Numbers to ask the sender for (`NS_rexmit`), both included; at most [`MAX_PER_REQUEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Field `firstseq` (decimal on the wire).
    pub first: u64,
    /// Field `lastseq` (decimal on the wire).
    pub last: u64,
}

/// What was heard from one peer.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Field `hg` of the newest `status`; 0 while no life of the peer is heard.
    generation: u64,
    /// The highest generation that was ever heard of, in an earlier life of ours as well.
    floor: u64,
    /// The highest number seen in this generation.
    last: Option<u64>,
    /// The peer was declared dead: the next newer number continues without a gap.
    forgotten: bool,
    /// The highest number of a `status` in this generation.
    last_status: u64,
    missing: BTreeMap<u64, Missing>,
    /// Acknowledged up to here, or nothing to acknowledge up to here.
    acknowledged: u64,
    /// Numbers with this remainder are acknowledged: spreads the acks of several peers.
    residue: u64,
    max_delay: Duration,
}

/// A number that did not come.
#[derive(Clone, Copy, Debug)]
struct Missing {
    /// When to ask for it.
    due: Instant,
    asked: bool,
}

impl Receiver {
    /// Nothing heard yet. `random` picks which numbers are acknowledged; `max_rexmit_delay` is
    /// the directive: the longest wait before a request, and the interval of repeats.
    pub fn new(random: u64, max_rexmit_delay: Duration) -> Self {
        Self {
            generation: 0,
            floor: 0,
            last: None,
            forgotten: false,
            last_status: 0,
            missing: BTreeMap::new(),
            acknowledged: 0,
            residue: random % ACK_PERIOD,
            max_delay: max_rexmit_delay,
        }
    }

    /// An earlier life of ours has heard the peer with this generation.
    pub fn knowing(mut self, generation: u64) -> Self {
        self.floor = generation;
        self
    }

    /// The peer's generation; 0 before its first `status`.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The highest number seen in this generation.
    pub fn last_seq(&self) -> Option<u64> {
        self.last
    }

    /// How many numbers are missing.
    pub fn missing(&self) -> usize {
        self.missing.len()
    }

    /// Has this number been asked for again? What comes under it now is no first copy.
    pub fn has_asked_for(&self, seq: u64) -> bool {
        self.missing.get(&seq).is_some_and(|missing| missing.asked)
    }

    /// Judges a packet. `random` spreads the first request for a gap it may reveal.
    pub fn receive(&mut self, arrival: Arrival, random: u64, now: Instant) -> Verdict {
        let Arrival {
            generation: got,
            seq,
            is_status,
            proven,
            sender,
        } = arrival;
        let current = self.generation;
        let anew = is_status && sender == Sender::Anew && got > 0;
        if got < self.floor && !anew {
            let current = self.floor;
            return Verdict::Replay { got, current };
        }
        let another = got != current || anew;
        if got == 0 || (another && !is_status) {
            return Verdict::Premature { got, current };
        }
        if seq == 0 {
            return Verdict::Old;
        }
        let mut rejoin = None;
        if another {
            if !proven {
                return Verdict::Unproven;
            }
            rejoin = Some(self.begin_generation(got));
        } else if is_status && sender == Sender::Dead {
            if seq <= self.last_status {
                return Verdict::Stale;
            }
            rejoin = Some(Rejoin::Healed);
        }
        let order = match self.place(seq, rejoin.is_some(), random, now) {
            Ok(order) => order,
            Err(verdict) => return verdict,
        };
        let outdated_status = is_status && seq < self.last_status;
        if is_status {
            self.last_status = self.last_status.max(seq);
        }
        Verdict::Accept(Accepted {
            rejoin,
            order,
            ack: self.due_ack(),
            outdated_status,
        })
    }

    /// The peer says a number is lost for good (`NS_nak_rexmit`). Whether it was missing: only
    /// then is it news.
    pub fn give_up(&mut self, seq: u64) -> bool {
        self.missing.remove(&seq).is_some()
    }

    /// The peer was declared dead: missing numbers are not asked for any more. Generation and
    /// numbers seen are kept, so that nothing sent before can come back (the old daemon forgets
    /// them, 11.2).
    pub fn forget_missing(&mut self) {
        self.missing.clear();
        self.forgotten = true;
    }

    /// The requests due at `now`, each repeated every `max_rexmit_delay` until the number
    /// arrives or is given up. Drop them unsent while the peer is neither `up` nor `active`.
    pub fn requests(&mut self, now: Instant) -> Vec<Request> {
        let mut requests: Vec<Request> = Vec::new();
        let missing = self.missing.iter_mut();
        for (&seq, missing) in missing.filter(|(_, missing)| missing.due <= now) {
            missing.due = now + self.max_delay;
            missing.asked = true;
            match requests.last_mut() {
                Some(request)
                    if request.last + 1 == seq && seq - request.first < MAX_PER_REQUEST as u64 =>
                {
                    request.last = seq;
                }
                _ => requests.push(Request {
                    first: seq,
                    last: seq,
                }),
            }
        }
        requests
    }

    /// When [`Receiver::requests`] has something next.
    pub fn deadline(&self) -> Option<Instant> {
        self.missing.values().map(|missing| missing.due).min()
    }

    fn begin_generation(&mut self, generation: u64) -> Rejoin {
        let previous = self.generation;
        self.generation = generation;
        self.floor = generation;
        self.last = None;
        self.forgotten = false;
        self.last_status = 0;
        self.missing.clear();
        if previous == 0 {
            Rejoin::First
        } else {
            Rejoin::Restart { previous }
        }
    }

    /// Finds the number's place among those seen; `Err` when it is not to be accepted.
    fn place(
        &mut self,
        seq: u64,
        rejoining: bool,
        random: u64,
        now: Instant,
    ) -> Result<Order, Verdict> {
        let Some(last) = self.last else {
            self.track_from(seq);
            return Ok(Order::Next);
        };
        if seq > last {
            let gap = seq - last - 1;
            if self.forgotten {
                self.track_from(seq);
                return Ok(Order::Next);
            }
            self.last = Some(seq);
            return Ok(match gap {
                0 => Order::Next,
                _ => self.open_gap(last + 1, seq - 1, random, now),
            });
        }
        if self.missing.remove(&seq).is_some() {
            return Ok(Order::Recovered {
                missing: self.missing.len(),
            });
        }
        if rejoining {
            // Newer than any `status`, though not the newest number: sent before the silence.
            self.track_from(last);
            return Ok(Order::Next);
        }
        Err(if seq == last {
            Verdict::Duplicate
        } else {
            Verdict::Old
        })
    }

    /// Nothing before `seq` counts as missing or is acknowledged.
    fn track_from(&mut self, seq: u64) {
        self.last = Some(seq);
        self.forgotten = false;
        self.missing.clear();
        self.acknowledged = seq.saturating_sub(1);
    }

    fn open_gap(&mut self, first: u64, last: u64, random: u64, now: Instant) -> Order {
        let length = last - first + 1;
        let room = MAX_MISSING.saturating_sub(self.missing.len()) as u64;
        if length > MAX_GAP || length > room {
            self.track_from(last + 1);
            return Order::LostMany { first, last };
        }
        let due = now + self.first_delay(random);
        let asked = false;
        let missing = (first..=last).map(|seq| (seq, Missing { due, asked }));
        self.missing.extend(missing);
        Order::Gap { first, last }
    }

    fn first_delay(&self, random: u64) -> Duration {
        let least = if self.max_delay < SHORT_REQUEST_DELAY {
            Duration::ZERO
        } else {
            MIN_REQUEST_DELAY
        };
        let spread = self.max_delay.saturating_sub(least).as_millis() as u64;
        least + Duration::from_millis(random % spread.saturating_add(1))
    }

    /// The highest number of our residue, when nothing before it is missing and it is news.
    fn due_ack(&mut self) -> Option<u64> {
        if !self.missing.is_empty() {
            return None;
        }
        let last = self.last?;
        let beyond = (last % ACK_PERIOD + ACK_PERIOD - self.residue) % ACK_PERIOD;
        let eligible = last.checked_sub(beyond)?;
        if eligible <= self.acknowledged {
            return None;
        }
        self.acknowledged = eligible;
        Some(eligible)
    }
}

#[cfg(test)]
mod tests;
