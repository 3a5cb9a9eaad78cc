//! One audience's mails: what is gathered, what is under way, what is tried again.

use super::Alert;
use std::time::{Duration, Instant};

/// What happens within this time goes out in one mail.
pub const GATHER: Duration = Duration::from_secs(1);
/// Between two mails to the same audience.
pub const PAUSE: Duration = Duration::from_secs(10);
/// A mail that did not arrive is sent again after each of these, then given up.
pub const RETRY_AFTER: [Duration; 3] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(300),
];
/// Alerts of one mail; further ones are counted, and stand in the log.
pub const ALERTS_MAX: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Post {
    state: State,
    /// For the next mail.
    alerts: Vec<Alert>,
    more: usize,
    /// What the mail under way holds.
    sent: Vec<Alert>,
    sent_more: usize,
    /// The next mail leaves no sooner.
    not_before: Option<Instant>,
    /// The director ends: nothing waits.
    ending: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Resting,
    Gathering {
        until: Instant,
    },
    /// The mail has failed so often.
    Sending {
        failed: usize,
    },
    Waiting {
        until: Instant,
        failed: usize,
    },
}

/// A mail that is to leave.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) alerts: Vec<Alert>,
    pub(super) more: usize,
}

impl Post {
    /// Keeps an alert for the next mail; false if there is no room and it is only counted.
    pub(super) fn take(&mut self, alert: Alert, now: Instant) -> bool {
        let room = self.alerts.len() < ALERTS_MAX;
        if room {
            self.alerts.push(alert);
        } else {
            self.more += 1;
        }
        if self.state == State::Resting {
            self.gather(now);
        }
        room
    }

    fn gather(&mut self, now: Instant) {
        let until = now + GATHER;
        let until = self.not_before.map_or(until, |at| at.max(until));
        self.state = State::Gathering {
            until: if self.ending { now } else { until },
        };
    }

    /// What leaves now, if anything does.
    pub(super) fn due(&mut self, now: Instant) -> Option<Due> {
        match self.state {
            State::Gathering { until } if until <= now => {
                self.sent = std::mem::take(&mut self.alerts);
                self.sent_more = std::mem::take(&mut self.more);
                self.state = State::Sending { failed: 0 };
            }
            State::Waiting { until, failed } if until <= now => {
                self.state = State::Sending { failed };
            }
            State::Resting
            | State::Gathering { .. }
            | State::Sending { .. }
            | State::Waiting { .. } => return None,
        }
        Some(Due {
            alerts: self.sent.clone(),
            more: self.sent_more,
        })
    }

    /// What came of the mail under way; gives back how many alerts are lost.
    pub(super) fn delivered(&mut self, arrived: bool, now: Instant) -> usize {
        let State::Sending { failed } = self.state else {
            return 0;
        };
        let again = RETRY_AFTER.get(failed).filter(|_| !arrived && !self.ending);
        if let Some(pause) = again {
            self.state = State::Waiting {
                until: now + *pause,
                failed: failed + 1,
            };
            return 0;
        }
        let sent = std::mem::take(&mut self.sent).len() + std::mem::take(&mut self.sent_more);
        self.not_before = Some(now + PAUSE);
        self.state = State::Resting;
        if !self.alerts.is_empty() {
            self.gather(now);
        }
        if arrived { 0 } else { sent }
    }

    /// Whatever waits leaves now, for the last time.
    pub(super) fn end(&mut self, now: Instant) {
        self.ending = true;
        self.state = match self.state {
            State::Resting => State::Resting,
            State::Gathering { .. } => State::Gathering { until: now },
            State::Sending { failed } => State::Sending { failed },
            State::Waiting { failed, .. } => State::Waiting { until: now, failed },
        };
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Gathering { until } | State::Waiting { until, .. } => Some(until),
            State::Resting | State::Sending { .. } => None,
        }
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.state == State::Resting
    }
}
