//! One virtual service with everything that is known of its real servers: one row each, found by
//! its place in the table.

use crate::config::{Check, RealServer, VirtualService};
use crate::health::{Health, State, Transition};
use crate::input::{Finding, Verdict};
use crate::output::Notice;
use crate::overrides::{self, Orders, Say};
use crate::table::{DestinationKey, Service, ServiceKey};
use std::collections::BTreeMap;
use std::time::Instant;

#[derive(Debug, Clone)]
pub(crate) struct Virtual {
    /// Its real servers have moved into `reals`.
    pub(crate) config: VirtualService,
    pub(crate) reals: BTreeMap<DestinationKey, Watched>,
}

/// A real server of a virtual service.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) config: RealServer,
    pub(crate) health: Health,
    /// Its place among the lines of the file.
    pub(crate) rank: usize,
    /// What an operator has said of it.
    pub(crate) orders: Orders,
    /// A file of the maintenance directory names it.
    pub(crate) in_folder: bool,
    /// The table has been looked at since this row exists: who carries traffic there is known.
    placed: bool,
    /// A verdict that came before; it counts from then on.
    early: Option<Verdict>,
}

impl Virtual {
    pub(crate) fn new(mut config: VirtualService, now: Instant) -> Self {
        let reals = std::mem::take(&mut config.reals).into_iter().enumerate();
        let rows = reals.map(|(rank, real)| (real.key, Watched::new(real, rank, now)));
        Self {
            reals: rows.collect(),
            config,
        }
    }

    /// In file order.
    pub(crate) fn in_order(&self) -> Vec<&Watched> {
        let mut rows: Vec<&Watched> = self.reals.values().collect();
        rows.sort_by_key(|row| row.rank);
        rows
    }

    /// Somebody who may be up has not been asked yet.
    pub(crate) fn waits(&self) -> bool {
        let awaited =
            |row: &Watched| matches!(row.config.check, Check::Probe(_)) && row.health.is_awaited();
        self.reals.values().any(awaited)
    }

    /// Can a real server, not the fallback, take new connections as things stand?
    pub(crate) fn is_served(&self) -> bool {
        let quiescent = self.config.quiescent;
        let mut weights = self.reals.values().filter_map(|row| row.weight(quiescent));
        weights.any(|weight| weight > 0)
    }

    /// Takes over what is known of the real servers of an earlier configuration, also where another
    /// question is asked about them from now on: they go on serving, or not, until it is answered.
    pub(crate) fn inherit(&mut self, mut old: Self) {
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
        for key in elsewhere {
            let Some(row) = self.reals.get_mut(&key) else {
                continue;
            };
            let configured = row.config.configured;
            let mut others = old.reals.values();
            if let Some(old) = others.find(|old| old.config.configured == configured) {
                row.inherit(old.clone());
            }
        }
    }
}

impl Watched {
    fn new(config: RealServer, rank: usize, now: Instant) -> Self {
        let mut health = Health::new(now);
        if config.check == Check::On {
            health.state = State::Up;
        }
        Self {
            config,
            health,
            rank,
            orders: Orders::default(),
            in_folder: false,
            placed: false,
            early: None,
        }
    }

    /// The weight at which it is to stand in the table, `None` if it is not to be in it.
    pub(crate) fn weight(&self, quiescent: bool) -> Option<u32> {
        overrides::weight(Say {
            off: self.config.check == Check::Off,
            maintenance: self.health.maintenance,
            operator: self.orders.says(),
            healthy: match self.config.check {
                Check::Off => false,
                Check::On => true,
                Check::Probe(_) => self.health.state == State::Up,
            },
            quiescent,
            configured: self.config.weight,
        })
    }

    /// A file or an operator says so; is that new?
    pub(crate) fn settle_maintenance(&mut self, now: Instant) -> bool {
        let active = self.in_folder || self.orders.maintenance();
        self.health.set_maintenance(active, now)
    }

    /// Does it get traffic?
    pub(crate) fn serves(&self) -> bool {
        match self.config.check {
            Check::Off => false,
            Check::On => !self.health.maintenance,
            Check::Probe(_) => self.health.serves(),
        }
    }

    /// A check came back. Before the table has been seen it is not known whether the server carries
    /// traffic, and so not how often it must fail: the verdict waits. That a check could not be asked
    /// is no verdict, and takes no place from one.
    pub(crate) fn judge(&mut self, verdict: &Verdict, limit: u32, now: Instant) -> Transition {
        if self.placed || verdict.finding == Finding::CouldNotAsk {
            return self.health.judge(verdict, limit, now);
        }
        self.early = Some(verdict.clone());
        Transition::None
    }

    /// The table was looked at: what carries traffic goes on carrying it until a check says
    /// otherwise, `failurecount` times. Then the verdict that waited counts.
    pub(crate) fn place(
        &mut self,
        table: Option<&Service>,
        limit: u32,
        now: Instant,
    ) -> Transition {
        if std::mem::replace(&mut self.placed, true) {
            return Transition::None;
        }
        let row = table.and_then(|service| service.destinations.get(&self.config.key));
        if row.is_some_and(|spec| spec.weight > 0) {
            self.health.adopt();
        }
        match self.early.take() {
            Some(verdict) => self.health.judge(&verdict, limit, now),
            None => Transition::None,
        }
    }

    /// The notice for what a verdict changed, if anything.
    pub(crate) fn notice(
        &self,
        service: ServiceKey,
        limit: u32,
        transition: Transition,
    ) -> Option<Notice> {
        let real = self.config.configured;
        let message = || self.health.message.clone();
        match transition {
            Transition::None => None,
            Transition::WentUp => Some(Notice::Up {
                service,
                real,
                message: message(),
            }),
            Transition::WentDown => Some(Notice::Down {
                service,
                real,
                message: message(),
            }),
            Transition::SoftFailure => Some(Notice::SoftFailure {
                service,
                real,
                failures: self.health.failures,
                limit,
                message: message(),
            }),
            Transition::Recovered => Some(Notice::SoftFailureReset { service, real }),
        }
    }

    /// What a verdict may change in the steady part of a snapshot, for comparison.
    pub(crate) fn shown(&self) -> (u32, String, Option<String>) {
        let health = &self.health;
        let (message, unasked) = (&health.message, &health.could_not_ask);
        (health.failures, message.clone(), unasked.clone())
    }

    fn inherit(&mut self, old: Self) {
        self.in_folder = old.in_folder;
        match (old.config.check, self.config.check) {
            (was, is) if was == is => {
                self.health = old.health;
                self.placed = old.placed;
                self.early = old.early;
            }
            // Failures of another question are counted anew.
            (Check::Probe(_), Check::Probe(_)) => {
                self.health = old.health;
                self.health.failures = 0;
                self.placed = old.placed;
            }
            // What nobody asked about is seen in the table.
            (Check::Probe(_) | Check::On | Check::Off, Check::On | Check::Off)
            | (Check::On | Check::Off, Check::Probe(_)) => {
                self.health.maintenance = old.health.maintenance;
            }
        }
    }
}
