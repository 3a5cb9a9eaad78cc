//! How much may wait for a serial line, and when it is stuck. Pure: counts and times in, a verdict
//! out.
//!
//! What waits is old when it arrives, so no more is taken than leaves within a second, or one packet
//! of any length. A line on which nothing moves at all has no cable, or an end that holds it back
//! by its handshake (CTS): what waits there is thrown away, as the old daemon does (Heartbeat
//! specification 3.5).

use std::time::{Duration, Instant};

/// A byte is ten bits on the line: one that starts, eight, one that stops.
pub(crate) const BITS_PER_BYTE: u32 = 10;

/// What may wait takes so long to leave.
const AHEAD: Duration = Duration::from_secs(1);

/// Where nothing has moved for so long the line is stuck. The old daemon's 500 ms, and the time
/// that its 512 bytes take at 9,600 baud.
const STUCK_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Flow {
    /// Bytes that may wait.
    ahead: usize,
    /// Bytes that waited when this was last looked at.
    waiting: usize,
    /// When some of them last left, or the first of them came.
    moved: Instant,
    stuck: bool,
}

impl Flow {
    pub(super) fn new(baud: u32, now: Instant) -> Self {
        let bytes = u64::from(baud / BITS_PER_BYTE).saturating_mul(AHEAD.as_secs());
        Self {
            ahead: usize::try_from(bytes).unwrap_or(usize::MAX),
            waiting: 0,
            moved: now,
            stuck: false,
        }
    }

    /// So many bytes wait now; true if the line is stuck, and they must go.
    pub(super) fn look(&mut self, waiting: usize, now: Instant) -> bool {
        if waiting < self.waiting {
            self.moved = now;
            self.stuck = false;
        } else if self.waiting == 0 {
            self.moved = now;
        }
        self.waiting = waiting;
        let stuck = waiting > 0 && now.saturating_duration_since(self.moved) >= STUCK_AFTER;
        if stuck {
            self.stuck = true;
            self.waiting = 0;
        }
        stuck
    }

    /// Does a packet of this length fit? Exactly while `look` has just been told what waits.
    pub(super) fn has_room(&self, length: usize) -> bool {
        self.waiting == 0 || self.waiting.saturating_add(length) <= self.ahead
    }

    /// A packet was added.
    pub(super) fn added(&mut self, length: usize, now: Instant) {
        if self.waiting == 0 {
            self.moved = now;
        }
        self.waiting = self.waiting.saturating_add(length);
    }

    /// Nothing has left since it was found stuck.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: Duration = Duration::from_millis(400);

    #[test]
    fn no_more_waits_than_leaves_in_a_second_or_one_packet() {
        let now = Instant::now();
        let mut flow = Flow::new(19_200, now);
        assert!(flow.has_room(60_000));
        flow.added(1000, now);
        assert!(flow.has_room(920));
        assert!(!flow.has_room(921));
        assert!(!flow.look(500, now));
        assert!(flow.has_room(1420));
        assert!(!flow.look(0, now));
        assert!(flow.has_room(60_000));
    }

    #[test]
    fn line_on_which_nothing_moves_is_stuck_until_something_does() {
        let start = Instant::now();
        let mut flow = Flow::new(19_200, start);
        flow.added(300, start);
        assert!(!flow.look(300, start + BEAT));
        assert!(!flow.look(300, start + BEAT * 2));
        assert!(flow.look(300, start + BEAT * 3));
        assert!(flow.is_stuck());
        // What waited is gone; the next packet gets its time.
        let later = start + BEAT * 4;
        assert!(!flow.look(0, later));
        assert!(flow.is_stuck(), "thrown away is not sent");
        flow.added(300, later);
        assert!(!flow.look(300, later + BEAT));
        assert!(!flow.look(100, later + BEAT * 2));
        assert!(!flow.is_stuck());
    }

    #[test]
    fn slow_line_is_not_a_stuck_one() {
        let start = Instant::now();
        let mut flow = Flow::new(9_600, start);
        flow.added(60_000, start);
        for second in 1..60_u32 {
            let now = start + Duration::from_secs(1) * second;
            assert!(!flow.look(60_000 - 960 * second as usize, now));
        }
    }

    #[test]
    fn idle_line_is_not_stuck_however_long_it_rests() {
        let start = Instant::now();
        let mut flow = Flow::new(9_600, start);
        flow.added(100, start);
        assert!(!flow.look(0, start + BEAT));
        let later = start + Duration::from_secs(3600);
        assert!(!flow.look(0, later));
        flow.added(100, later);
        assert!(!flow.look(100, later + BEAT));
    }
}
