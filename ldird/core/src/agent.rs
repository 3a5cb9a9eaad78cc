//! What a real server's own agent asks for: a share of its weight, no new connections, or to be out
//! (the words of haproxy's `agent-check`). One small machine per real server; how its word stands
//! beside everybody else's is decided in `overrides`.
//!
//! ```text
//!           first answer, or none in time          `drain`, `maint`, `ready`: one of the three
//! Awaited ────────────────────────────────► Heard  `down`, `up`:             one of the two
//!                                                  `75%`:                    the share
//! ```
//!
//! An answer changes what it names and leaves the rest; so only the agent itself takes back what it
//! has asked for, as with haproxy. One that does not answer, or cannot be understood, changes nothing.
//! While none has been heard at all a real server stands as it was found, so that a restart of the
//! director sends nobody to a server that wants nobody.

use crate::health::short;
use crate::input::{Finding, Standing, Verdict};
use ha_status::Asks;
use std::time::Instant;

/// The kernel's weights end here.
const WEIGHT_MAX: u32 = i32::MAX as u32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agent {
    percent: u32,
    standing: Standing,
    down: bool,
    why: String,
    since: Instant,
    silent: Option<String>,
    /// It has not answered yet, and has not been asked in vain either.
    awaited: bool,
    /// The weight at which its server stood in the table before.
    found: Option<u32>,
}

/// What an answer changed, beyond the weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    /// It asks for something else now; a mere share of the weight is told by the table.
    Asks,
    /// It does not answer any more.
    Silent,
    /// It answers again.
    Answers,
}

impl Agent {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            percent: 100,
            standing: Standing::Ready,
            down: false,
            why: String::new(),
            since: now,
            silent: None,
            awaited: true,
            found: None,
        }
    }

    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// Its server was found in the table with this weight.
    pub(crate) fn place(&mut self, weight: Option<u32>) {
        self.found = self.found.or(weight);
    }

    /// Its server is known already, and need not wait for its first word.
    pub(crate) fn expect_nothing(&mut self) {
        self.awaited = false;
    }

    /// It was asked.
    pub(crate) fn hear(&mut self, verdict: &Verdict, now: Instant) -> Change {
        self.awaited = false;
        let says = match (verdict.finding, &verdict.noted.agent) {
            (Finding::CouldNotAsk, _) => return Change::Nothing,
            (Finding::Up, Some(says)) => says,
            (Finding::Up, None) | (Finding::Down, _) => {
                let told = self.silent.replace(short(&verdict.message)).is_some();
                return if told {
                    Change::Nothing
                } else {
                    Change::Silent
                };
            }
        };
        let before = (self.asks(), self.percent == 0);
        self.percent = says.percent.unwrap_or(self.percent);
        self.standing = says.standing.unwrap_or(self.standing);
        self.down = says.up.map_or(self.down, |up| !up);
        self.why = short(&says.why);
        let back = self.silent.take().is_some();
        if before != (self.asks(), self.percent == 0) {
            self.since = now;
            return Change::Asks;
        }
        if back {
            Change::Answers
        } else {
            Change::Nothing
        }
    }

    /// What becomes of the server, the strongest first.
    pub(crate) fn asks(&self) -> Asks {
        match (self.standing, self.down) {
            (Standing::Maintenance, true | false) => Asks::Maintenance,
            (Standing::Ready | Standing::Drain, true) => Asks::Down,
            (Standing::Drain, false) => Asks::Drain,
            (Standing::Ready, false) => Asks::Serve,
        }
    }

    /// Is its server out, as if a check had failed?
    pub(crate) fn takes_out(&self) -> bool {
        match self.asks() {
            Asks::Maintenance | Asks::Down => true,
            Asks::Serve | Asks::Drain => self.awaited && self.found.is_none(),
        }
    }

    /// Does it let its server have new connections?
    pub(crate) fn lets_serve(&self) -> bool {
        self.asks() == Asks::Serve && self.percent > 0 && !self.awaited
    }

    /// The weight that it wants of this one: nothing only where it says so.
    pub(crate) fn share(&self, full: u32) -> u32 {
        if let Some(found) = self.found.filter(|_| self.awaited) {
            return found;
        }
        match self.asks() {
            Asks::Serve => share(self.percent, full),
            Asks::Drain | Asks::Maintenance | Asks::Down => 0,
        }
    }

    /// As it is shown; `since_ms` is the wall clock at an instant.
    pub(crate) fn shown(&self, since_ms: impl Fn(Instant) -> u64) -> ha_status::Agent {
        ha_status::Agent {
            asks: self.asks(),
            percent: self.percent,
            why: self.why.clone(),
            since_ms: since_ms(self.since),
            silent: self.silent.clone(),
        }
    }

    /// Since when it has asked for that.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }
}

/// So many percent of a weight, rounded up.
fn share(percent: u32, full: u32) -> u32 {
    let share = (u64::from(full) * u64::from(percent)).div_ceil(100);
    let most = full.max(WEIGHT_MAX);
    u32::try_from(share).map_or(most, |share| share.min(most))
}

#[cfg(test)]
mod tests;
