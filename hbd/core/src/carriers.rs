//! Whether this node can be reached at all: the carriers of its own interfaces.
//!
//! A node without any carrier is the one that is cut off, so it takes nothing. When a cable is back
//! the switch may still keep the port closed for a while: until somebody is heard, or `initdead`
//! has passed, the node still cannot tell who lives.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// So many interfaces are followed; further ones are ignored.
const MAX_INTERFACES: usize = 256;

#[derive(Debug, Clone)]
pub(crate) struct Carriers {
    /// By interface.
    carried: BTreeMap<String, bool>,
    /// When the first carrier came back after none was left.
    back: Option<Instant>,
    patience: Duration,
}

impl Carriers {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            carried: BTreeMap::new(),
            back: None,
            patience,
        }
    }

    /// Takes in what is known of an interface; whether the node is now cut off, if that changed.
    pub(crate) fn set(&mut self, interface: String, carrier: bool, now: Instant) -> Option<bool> {
        let before = self.cut_off();
        let known = self.carried.contains_key(&interface);
        if known || self.carried.len() < MAX_INTERFACES {
            self.carried.insert(interface, carrier);
        }
        let after = self.cut_off();
        if before && !after {
            self.back = Some(now);
        }
        (before != after).then_some(after)
    }

    /// No interface has a carrier.
    pub(crate) fn cut_off(&self) -> bool {
        !self.carried.is_empty() && self.carried.values().all(|carrier| !carrier)
    }

    /// Has the carrier come back so lately that silence still means nothing?
    pub(crate) fn unsure(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|end| now < end)
    }

    /// When silence means something again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.back?.checked_add(self.patience)
    }

    /// Forgets a return that is long ago.
    pub(crate) fn settle(&mut self, now: Instant) {
        if self.deadline().is_some_and(|end| end <= now) {
            self.back = None;
        }
    }

    /// Somebody is heard: the cable works.
    pub(crate) fn heard(&mut self) {
        self.back = None;
    }
}
