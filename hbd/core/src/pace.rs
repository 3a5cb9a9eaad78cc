//! How often this node speaks: once each keepalive, and at once when it has news, but never more
//! often than a small bucket of credits allows. Whatever the others do, there is no echo storm.

use std::time::{Duration, Instant};

/// So many messages of news may follow each other without a pause.
const BURST: u32 = 10;

/// One further message of news each so often.
const REFILL: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct Pace {
    keepalive: Duration,
    next_beat: Instant,
    /// There was something to tell when this node last looked.
    news: bool,
    credits: u32,
    /// When the last credit was added, or none was missing.
    refilled: Instant,
}

impl Pace {
    pub(crate) fn new(keepalive: Duration, now: Instant) -> Self {
        Self {
            keepalive,
            next_beat: now,
            news: false,
            credits: BURST,
            refilled: now,
        }
    }

    /// Should a status be sent now, with news or without? The beat keeps its rhythm: news do not postpone it, for old
    /// peers count on a plain period.
    pub(crate) fn due(&mut self, news: bool, now: Instant) -> bool {
        self.news = news;
        self.refill(now);
        if now >= self.next_beat {
            self.advance(now);
            self.news = false;
            return true;
        }
        if self.news && self.credits > 0 {
            self.credits -= 1;
            self.news = false;
            return true;
        }
        false
    }

    pub(crate) fn deadline(&self) -> Instant {
        if self.news {
            self.next_beat.min(self.refilled + REFILL)
        } else {
            self.next_beat
        }
    }

    /// The next beat, after missed ones were dropped.
    fn advance(&mut self, now: Instant) {
        self.next_beat += self.keepalive;
        if self.next_beat <= now {
            self.next_beat = now + self.keepalive;
        }
    }

    fn refill(&mut self, now: Instant) {
        while self.credits < BURST && now.saturating_duration_since(self.refilled) >= REFILL {
            self.credits += 1;
            self.refilled += REFILL;
        }
        if self.credits == BURST {
            self.refilled = now;
        }
    }
}

#[cfg(test)]
mod tests;
