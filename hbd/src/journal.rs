//! What happened, for people: every line goes to the log and into the list of recent notices that
//! a snapshot carries. A group that cannot be stopped is tried again and again, but not told so.

use ha_plumbing::log::{self, Level};
use ha_status::{Notice, Recent, Severity, printable};
use hbd_core::config::GroupId;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

mod again;

/// A group that stays stuck is told again after this time.
const STUCK_INTERVAL: Duration = Duration::from_secs(600);

/// A machine that keeps standing still is told about so often.
const STALL_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Journal {
    recent: Recent,
    stuck: BTreeMap<GroupId, Stuck>,
    stalls: Option<Stalls>,
}

/// When a stall of this node was last told, and what came since.
struct Stalls {
    told: Instant,
    count: u32,
    worst: Duration,
}

/// Why a group is stuck, when that was told, and how often it was tried in vain since.
struct Stuck {
    why: String,
    told: Instant,
    attempts: u32,
}

impl Journal {
    /// Logs the line and remembers it; the notice is for followers.
    pub fn tell(&mut self, severity: Severity, text: &str) -> Notice {
        log::emit(level(severity), &printable(text));
        let notice = Notice::new(wall_ms(), severity, text);
        self.recent.push(notice.clone());
        notice
    }

    /// The last notices, oldest first.
    pub fn recent(&self) -> Vec<Notice> {
        self.recent.list()
    }

    /// Stopping the group failed. `None` if that is to be counted only, else how often it failed
    /// since it was last told.
    fn stuck(&mut self, group: GroupId, why: &str, now: Instant) -> Option<u32> {
        let why = gist(why);
        let known = self.stuck.get_mut(&group).filter(|stuck| stuck.why == why);
        let Some(stuck) = known else {
            let (told, attempts) = (now, 0);
            self.stuck.insert(
                group,
                Stuck {
                    why,
                    told,
                    attempts,
                },
            );
            return Some(1);
        };
        stuck.attempts = stuck.attempts.saturating_add(1);
        let due = now.saturating_duration_since(stuck.told) >= STUCK_INTERVAL;
        due.then(|| {
            stuck.told = now;
            std::mem::take(&mut stuck.attempts)
        })
    }

    /// This node stood still. `None` if that is to be counted only, else how often it did since
    /// that was last told (0 if never) and the longest of those.
    fn stalled(&mut self, late: Duration, now: Instant) -> Option<(u32, Duration)> {
        let fresh = Stalls {
            told: now,
            count: 0,
            worst: Duration::ZERO,
        };
        let Some(stalls) = &mut self.stalls else {
            self.stalls = Some(fresh);
            return Some((0, late));
        };
        stalls.count = stalls.count.saturating_add(1);
        stalls.worst = stalls.worst.max(late);
        if now.saturating_duration_since(stalls.told) < STALL_INTERVAL {
            return None;
        }
        let said = (stalls.count, stalls.worst);
        self.stalls = Some(fresh);
        Some(said)
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

/// The same in the words of the log.
pub fn level(severity: Severity) -> Level {
    match severity {
        Severity::Debug => Level::Debug,
        Severity::Info => Level::Info,
        Severity::Notice => Level::Notice,
        Severity::Warning => Level::Warning,
        Severity::Error => Level::Error,
        Severity::Critical => Level::Critical,
    }
}

/// The wall clock, milliseconds since 1970.
pub fn wall_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
