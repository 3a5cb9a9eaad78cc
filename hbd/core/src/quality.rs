//! How well a node is heard, over one link or over all of them: how long it was silent between two
//! packets, what got lost, how steady its beats are. Only shown, and the base of `hbd why links`;
//! no decision rests on it.
//!
//! A silence is the time between two packets that were heard, so each one is also the time that was
//! watched. One that is far beyond the deadtime is an outage: a cut cable says nothing of the
//! deadtime that the link deserves, and is counted by itself. What this node slept through itself
//! is no silence of others, and neither is the time from one life of a node to the next.

mod histogram;
mod numbers;
mod ring;

use ha_status::quality as shown;
use numbers::Numbers;
use ring::Rings;
use std::time::{Duration, Instant};

/// A silence of so many deadtimes is an outage.
const OUTAGE_DEADTIMES: u32 = 4;

/// Jitter and round trip follow what is measured by this part of the difference, as the jitter of
/// RFC 3550 (appendix A.8) does.
const SMOOTHING: i64 = 16;

/// What is known of one way of hearing one node. Memory is taken with the first packet and stays
/// the same from then on: some 13 KiB.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quality {
    rings: Option<Box<Rings>>,
    numbers: Numbers,
    beat: Option<Beat>,
    /// Microseconds.
    round_trip: Option<i64>,
}

/// The rhythm of a node's beats, microseconds.
#[derive(Debug, Clone, Copy)]
struct Beat {
    period: i64,
    jitter: i64,
}

impl Quality {
    /// A packet with this number came, as it was first sent: what was asked for again says nothing
    /// about what became of the first one.
    pub(crate) fn number(&mut self, seq: u64, now: Instant) {
        let came = self.numbers.take(seq);
        let rings = self.rings(now);
        rings.each(now, |tally| {
            tally.heard = tally.heard.saturating_add(u64::from(!came.again));
            tally.again = tally.again.saturating_add(u64::from(came.again));
            tally.lost = tally.lost.saturating_add(came.lost);
        });
    }

    /// An answer came of a host whose packets have no numbers.
    pub(crate) fn answer(&mut self, now: Instant) {
        let rings = self.rings(now);
        rings.each(now, |tally| tally.heard = tally.heard.saturating_add(1));
    }

    /// A silence has ended; `deadtime` is how long it may be.
    pub(crate) fn silence(&mut self, length: Duration, deadtime: Duration, now: Instant) {
        let outage = length >= deadtime.saturating_mul(OUTAGE_DEADTIMES);
        if outage {
            self.interrupted();
        }
        self.rings(now).each(now, |tally| {
            if outage {
                tally.outage(length);
            } else {
                tally.silence(length);
            }
        });
    }

    /// The time from one beat to the next.
    pub(crate) fn beat(&mut self, interval: Duration) {
        let interval = microseconds(interval);
        let Some(beat) = &mut self.beat else {
            let (period, jitter) = (interval, 0);
            self.beat = Some(Beat { period, jitter });
            return;
        };
        // News come between the beats.
        if interval < beat.period / 2 {
            return;
        }
        let off = (interval - beat.period).abs();
        beat.jitter += (off - beat.jitter) / SMOOTHING;
        beat.period += (interval - beat.period) / SMOOTHING;
    }

    /// So long after something had left for the node its answer was here.
    pub(crate) fn round_trip(&mut self, took: Duration) {
        let took = microseconds(took);
        let before = self.round_trip.unwrap_or(took);
        self.round_trip = Some(before + (took - before) / SMOOTHING);
    }

    /// The numbers begin anew, or so many were not heard that those between say nothing.
    pub(crate) fn interrupted(&mut self) {
        self.numbers = Numbers::default();
        self.beat = None;
    }

    /// As it is shown; `None` before the first packet.
    pub(crate) fn shown(&self, now: Instant) -> Option<shown::Quality> {
        let rings = self.rings.as_deref()?;
        let day = rings.day(now);
        Some(shown::Quality {
            minute: rings.minute(now).shown(),
            hour: rings.hour(now).shown(),
            silences: day.buckets(),
            day: day.shown(),
            jitter_us: self.beat.map(|beat| beat.jitter.unsigned_abs()),
            round_trip_us: self.round_trip.map(i64::unsigned_abs),
        })
    }

    fn rings(&mut self, now: Instant) -> &mut Rings {
        self.rings.get_or_insert_with(|| Box::new(Rings::new(now)))
    }
}

fn microseconds(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
