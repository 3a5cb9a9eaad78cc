//! Another node that calls itself by our name. While it is heard, this node takes nothing: the two
//! would own the same groups under one name, and nobody could tell them apart.
//!
//! Packets that we sent in an earlier life also bear our name, and anybody can play them back. So a
//! namesake counts only once it names this life of ours, as any peer must; ours is told to it in
//! the same way.

use crate::extension::Life;
use std::time::{Duration, Instant};

#[derive(Debug, Clone)]
pub(crate) struct Namesake {
    /// The life that is told to it.
    life: Option<Life>,
    /// When it last named ours.
    heard: Option<Instant>,
    /// It is forgotten after so long.
    patience: Duration,
}

/// What a packet under our name has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// There is a namesake.
    Namesake,
}

impl Namesake {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            life: None,
            heard: None,
            patience,
        }
    }

    pub(crate) fn life(&self) -> Option<Life> {
        self.life
    }

    pub(crate) fn is_heard(&self) -> bool {
        self.heard.is_some()
    }

    /// A packet of another life under our name; `names_us` if it names the present one.
    pub(crate) fn hear(&mut self, life: Life, names_us: bool, now: Instant) -> Found {
        self.life = Some(life);
        if names_us && self.heard.replace(now).is_none() {
            return Found::Namesake;
        }
        Found::Nothing
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.heard?.checked_add(self.patience)
    }

    /// Has it fallen silent just now?
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        let over = self.deadline().is_some_and(|at| at <= now);
        if over {
            *self = Self::new(self.patience);
        }
        over
    }
}
