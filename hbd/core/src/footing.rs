//! How far this node may trust its own position: whether it can be reached at all, whether it is
//! the only one of its name, and who does not hear it.

use crate::carriers::Carriers;
use crate::config::Config;
use crate::deafness::Deafness;
use crate::namesake::Namesake;
use crate::ownership::Bar;
use std::time::Instant;

/// A peer that says in so many heartbeats that it does not hear us is deaf.
const DEAF_AFTER: u32 = 3;

#[derive(Debug, Clone)]
pub(crate) struct Footing {
    pub(crate) carriers: Carriers,
    pub(crate) namesake: Namesake,
    pub(crate) deafness: Deafness,
}

impl Footing {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            carriers: Carriers::new(config.initdead),
            namesake: Namesake::new(config.deadtime),
            deafness: Deafness::new(config.deadtime.min(config.keepalive * DEAF_AFTER)),
        }
    }

    /// Why this node must take nothing now.
    pub(crate) fn bar(&self, now: Instant) -> Option<Bar> {
        if self.carriers.cut_off() {
            return Some(Bar::NoCarrier);
        }
        if self.namesake.is_heard() {
            return Some(Bar::SameName);
        }
        self.carriers.unsure(now).then_some(Bar::CarrierBack)
    }

    /// Waits no longer for what is over.
    pub(crate) fn settle(&mut self, now: Instant) {
        self.carriers.settle(now);
        self.deafness.settle(now);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.carriers.deadline(),
            self.namesake.deadline(),
            self.deafness.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
