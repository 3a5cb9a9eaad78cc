//! What a new configuration takes over from the one before: what is known of each real server, and
//! who serves until those that are new have been checked. For they may be the same at other addresses,
//! and without those that go their service would be empty until then.
//!
//! ```text
//!   serves, and is not in the new file ──somebody is new there──► leaving
//!   leaving ──each new one has had a verdict, or LEAVE_WITHIN is over──► gone
//!   leaving ──the table is held back: nobody serves here any more──────► gone
//! ```

use super::{Virtual, Watched};
use crate::config::Check;
use crate::desired;
use crate::output::Notice;
use crate::table::{DestinationKey, DestinationSpec};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Longer than a first check should take; who has not been checked by then keeps nobody.
const LEAVE_WITHIN: Duration = Duration::from_secs(30);

/// Who leaves a service, and who is waited for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Succession {
    leaving: BTreeMap<DestinationKey, Leaving>,
    /// New ones that have had no verdict since they came.
    awaited: BTreeSet<DestinationKey>,
}

#[derive(Debug, Clone)]
struct Leaving {
    /// As the file named it.
    configured: DestinationKey,
    /// As it stands in the table.
    spec: DestinationSpec,
    until: Instant,
}

/// What of an earlier configuration is in the new one no more, and what is only in that.
#[derive(Debug)]
pub(crate) struct Gone {
    reals: BTreeMap<DestinationKey, Watched>,
    leaving: BTreeMap<DestinationKey, Leaving>,
    new: BTreeSet<DestinationKey>,
}

impl Succession {
    /// Of those that leave and still serve.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&DestinationKey, &DestinationSpec)> {
        self.leaving.iter().map(|(key, one)| (key, &one.spec))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.leaving.is_empty()
    }

    /// Does nobody leave, and is nobody waited for?
    pub(crate) fn is_over(&self) -> bool {
        self.leaving.is_empty() && self.awaited.is_empty()
    }

    /// When the next one is gone at the latest.
    pub(super) fn due(&self) -> Option<Instant> {
        self.leaving.values().map(|one| one.until).min()
    }
}

impl Virtual {
    /// Takes over what is known of the real servers of an earlier configuration, also where another
    /// question is asked about them from now on: they go on serving, or not, until it is answered.
    /// Gives back those that are not there any more, and who is new.
    pub(crate) fn inherit(&mut self, mut old: Self) -> Gone {
        self.hold = old.hold;
        let mut elsewhere = Vec::new();
        for (key, row) in &mut self.reals {
            let configured = row.config.configured;
            match old.reals.remove(key) {
                Some(old) if old.config.configured == configured => row.inherit(old),
                other => {
                    elsewhere.push(*key);
                    old.reals.extend(other.map(|other| (*key, other)));
                }
            }
        }
        // What stands at another place of the table than before, e.g. with another method.
        let mut new = BTreeSet::new();
        for key in elsewhere {
            let Some(row) = self.reals.get_mut(&key) else {
                continue;
            };
            let configured = row.config.configured;
            let mut others = old.reals.values();
            match others.find(|old| old.config.configured == configured) {
                Some(old) => row.inherit(old.clone()),
                None => {
                    new.insert(key);
                }
            }
        }
        new.extend(old.succession.awaited);
        Gone {
            reals: old.reals,
            leaving: old.succession.leaving,
            new,
        }
    }

    /// Of those that are gone, who serves leaves later if somebody is new; gives back what is to be
    /// told. Once maintenance and what operators say is known of the new ones.
    pub(crate) fn part(&mut self, gone: Gone, now: Instant) -> Vec<Notice> {
        let mut leaving = gone.leaving;
        leaving.retain(|key, _| !self.has(key));
        self.succession = Succession {
            leaving,
            awaited: gone.new,
        };
        let mut notices = Vec::new();
        let service = self.config.key;
        if self.is_succeeded() {
            for (key, row) in gone.reals {
                let moved = |one: &Watched| one.config.configured == row.config.configured;
                let weight = row.weight(false).filter(|weight| *weight > 0);
                let Some(weight) = weight.filter(|_| row.serves()) else {
                    continue;
                };
                // Its place may be that of another one now.
                if self.reals.values().any(moved) || self.has(&key) {
                    continue;
                }
                let leaving = Leaving {
                    configured: row.config.configured,
                    spec: desired::destination(&row.config, weight),
                    until: now + LEAVE_WITHIN,
                };
                self.succession.leaving.insert(key, leaving);
                let real = row.config.configured;
                notices.push(Notice::LeavesLater { service, real });
            }
        }
        self.end_succession(now);
        notices
    }

    /// Who leaves is gone once nobody is waited for any more, or its time is up. True if that is new.
    pub(crate) fn end_succession(&mut self, now: Instant) -> bool {
        // Who is asked anew later, e.g. when its maintenance ends, comes in nobody's place.
        let reals = &self.reals;
        let unasked = |row: &Watched| row.is_awaited() || row.health.maintenance;
        let awaited = &mut self.succession.awaited;
        awaited.retain(|key| reals.get(key).is_some_and(unasked));
        if self.succession.is_empty() {
            return false;
        }
        let succeeded = self.is_succeeded();
        let leaving = &mut self.succession.leaving;
        let before = leaving.len();
        leaving.retain(|_, one| succeeded && now < one.until);
        leaving.len() != before
    }

    /// Nobody serves here any more: who leaves is gone, and does not come back with the role.
    pub(crate) fn give_up_succession(&mut self) {
        self.succession = Succession::default();
    }

    /// Is that the place of a real server, or of the fallback?
    pub(crate) fn has(&self, key: &DestinationKey) -> bool {
        let fallback = self.config.fallback.as_ref();
        self.reals.contains_key(key) || fallback.is_some_and(|one| one.key == *key)
    }

    /// Who is not in the file any more and serves until others can, as it was named.
    pub(crate) fn leaving(&self) -> BTreeSet<DestinationKey> {
        let leaving = self.succession.leaving.values();
        leaving.map(|one| one.configured).collect()
    }

    /// The same with the weight of each, and until when it stays at the longest.
    pub(crate) fn on_their_way(&self) -> impl Iterator<Item = (DestinationKey, u32, Instant)> {
        let leaving = self.succession.leaving.values();
        leaving.map(|one| (one.configured, one.spec.weight, one.until))
    }

    /// Those for whom somebody leaves, as the file names them; nobody where nobody does.
    pub(crate) fn successors(&self) -> BTreeSet<DestinationKey> {
        let some = !self.succession.is_empty();
        let awaited = self.succession.awaited.iter().filter(|_| some);
        let rows = awaited.filter_map(|key| self.reals.get(key));
        rows.map(|row| row.config.configured).collect()
    }

    /// Is somebody new who may serve, and has not been asked yet?
    fn is_succeeded(&self) -> bool {
        let awaited = self.succession.awaited.iter();
        let mut awaited = awaited.filter_map(|key| self.reals.get(key));
        awaited.any(|row| row.is_awaited() && row.full_weight() > 0)
    }
}

impl Watched {
    fn inherit(&mut self, old: Self) {
        self.in_folder = old.in_folder;
        if let Some(agent) = &mut self.agent {
            match &old.agent {
                Some(known) => agent.clone_from(known),
                // Who serves goes on until it says otherwise.
                None => agent.expect_nothing(),
            }
        }
        match (old.config.check, self.config.check) {
            (was, is) if was == is => {
                self.health = old.health;
                self.placed = old.placed;
                self.lingers = old.lingers;
                self.early = old.early;
                (self.ramp, self.held, self.fell) = (old.ramp, old.held, old.fell);
                self.returning = old.returning;
                (self.certificate, self.warned) = (old.certificate, old.warned);
            }
            // Failures of another question are counted anew.
            (Check::Probe(_), Check::Probe(_)) => {
                self.health = old.health;
                (self.health.failures, self.health.passes) = (0, 0);
                self.placed = old.placed;
                self.lingers = old.lingers;
                (self.ramp, self.held, self.fell) = (old.ramp, old.held, old.fell);
                self.returning = old.returning;
                // Told is told, also where the file asks more often now.
                self.warned = old.warned;
            }
            // What nobody asked about is seen in the table.
            (Check::Probe(_) | Check::On | Check::Off, Check::On | Check::Off)
            | (Check::On | Check::Off, Check::Probe(_)) => {
                self.health.maintenance = old.health.maintenance;
            }
        }
    }
}
