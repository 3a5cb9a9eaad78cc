//! What happened, for people, and what of it is told when it comes again and again: a group that
//! cannot be stopped is tried for ever, but not told so each time.

use ha_plumbing::journal;
use ha_plumbing::repeat::{Pauses, Repeat};
use ha_plumbing::wall::Wall;
use ha_status::{Notice, Severity};
use hbd_core::config::GroupId;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

mod again;

/// A group that stays stuck is told again after this time.
const STUCK_INTERVAL: Duration = Duration::from_secs(600);

/// A machine that keeps standing still is told about so often.
const STALL_INTERVAL: Duration = Duration::from_secs(60);

pub struct Journal {
    lines: journal::Journal,
    stuck: BTreeMap<GroupId, Stuck>,
    stalls: Stalls,
}

/// Stalls of this node, and the longest since the last that was told.
struct Stalls {
    repeat: Repeat,
    worst: Duration,
}

/// Why a group is stuck.
struct Stuck {
    why: String,
    repeat: Repeat,
}

impl Journal {
    pub fn new(wall: Wall) -> Self {
        Self {
            lines: journal::Journal::new(wall),
            stuck: BTreeMap::new(),
            stalls: Stalls {
                repeat: Repeat::new(Pauses::every(STALL_INTERVAL)),
                worst: Duration::ZERO,
            },
        }
    }

    /// Logs the line and remembers it; the notice is for followers.
    pub fn tell(&mut self, severity: Severity, text: &str) -> Notice {
        self.lines.tell(severity, text, Instant::now())
    }

    /// The last notices, oldest first.
    pub fn recent(&self) -> Vec<Notice> {
        self.lines.recent()
    }

    /// Stopping the group failed. `None` if that is to be counted only, else how often it failed
    /// since it was last told.
    fn stuck(&mut self, group: GroupId, why: &str, now: Instant) -> Option<u64> {
        let why = gist(why);
        let fresh = |why| Stuck {
            why,
            repeat: Repeat::new(Pauses::every(STUCK_INTERVAL)),
        };
        let stuck = self
            .stuck
            .entry(group)
            .or_insert_with(|| fresh(why.clone()));
        if stuck.why != why {
            *stuck = fresh(why);
        }
        stuck.repeat.again(now)
    }

    /// This node stood still. `None` if that is to be counted only, else how often it did since
    /// that was last told and the longest of those.
    fn stalled(&mut self, late: Duration, now: Instant) -> Option<(u64, Duration)> {
        let stalls = &mut self.stalls;
        stalls.worst = stalls.worst.max(late);
        let count = stalls.repeat.again(now)?;
        Some((count, std::mem::take(&mut stalls.worst)))
    }

    /// The group is in order again.
    fn unstuck(&mut self, group: GroupId) {
        self.stuck.remove(&group);
    }
}

/// A reason without its numbers: times and process numbers differ each time that the same happens.
fn gist(why: &str) -> String {
    let mut gist = String::with_capacity(why.len());
    let mut counting = false;
    for c in why.chars() {
        let digit = c.is_ascii_digit();
        if !digit {
            gist.push(c);
        } else if !counting {
            gist.push('#');
        }
        counting = digit;
    }
    gist
}

#[cfg(test)]
mod tests;
