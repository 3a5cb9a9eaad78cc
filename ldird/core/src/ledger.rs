//! The books about the table: what the kernel holds, what we last made of it, what it refused, and
//! what others did. Finds the edits for services that were just read; the work is proportional to
//! those services.

use crate::diff::{self, Edits};
use crate::enforce::{Answer, Enforcement};
use crate::fleet::Fleet;
use crate::input::Left;
use crate::merge::{self, Merged, Scope};
use crate::output::{Drift, Enforced, Notice};
use crate::refusals::Refusals;
use crate::table::{DestinationKey, Edit, Service, ServiceKey, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The deletion of one row by somebody else is told at most so often.
pub(crate) const DELETION_TOLD_EVERY: Duration = Duration::from_secs(60);
/// So many facts of one kind are told of one merge or batch, then only how many more there are.
pub(crate) const TOLD_MAX: usize = 20;

/// A row of the table, or a service's own attributes.
type Row = (ServiceKey, Option<DestinationKey>);

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// What we last wanted of the kernel's table; rows it refused are as it has them.
    intended: Table,
    /// The last reading, edits since then included.
    kernel: Table,
    pub(crate) refusals: Refusals,
    enforcement: Enforcement,
    /// What others changed and was told.
    drift: BTreeMap<ServiceKey, BTreeSet<Option<DestinationKey>>>,
    /// When a deletion by others was told.
    deletions: BTreeMap<Row, Instant>,
    /// Services that nobody serves, and that was told.
    starved: BTreeSet<ServiceKey>,
    /// Services with edits that wait until the batch under way is confirmed.
    staged: BTreeSet<ServiceKey>,
    /// Of an earlier life, until the next merge of the whole table.
    pub(crate) left_behind: Left,
    /// What living directors of other configurations want.
    pub(crate) others: BTreeSet<ServiceKey>,
}

/// What came of a merge.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) edits: Vec<Edit>,
    pub(crate) notices: Vec<Notice>,
}

/// An edit that the kernel made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) edit: Edit,
    /// The weight that its row had before.
    pub(crate) before: Option<u32>,
}

/// What came of a batch.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) made: Vec<Made>,
    pub(crate) notices: Vec<Notice>,
    /// Services that have edits left to make now.
    pub(crate) unfinished: BTreeSet<ServiceKey>,
    pub(crate) refused: bool,
}

impl Ledger {
    pub(crate) fn kernel(&self) -> &Table {
        &self.kernel
    }

    /// The whole table was read. Is it another one than was known?
    pub(crate) fn read_whole(&mut self, table: Table) -> bool {
        let changed = self.kernel != table;
        self.kernel = table;
        changed
    }

    /// Single services were read.
    pub(crate) fn read_some(&mut self, rows: Vec<(ServiceKey, Option<Service>)>) -> bool {
        let mut changed = false;
        for (key, service) in rows {
            changed |= self.kernel.get(&key) != service.as_ref();
            match service {
                Some(service) => self.kernel.insert(key, service),
                None => self.kernel.remove(&key),
            };
        }
        changed
    }

    /// Of what we have put into the table, the services that are not in this list of it.
    pub(crate) fn missing(&self, listed: &BTreeSet<ServiceKey>) -> BTreeSet<ServiceKey> {
        let intended = self.intended.keys().copied().collect::<BTreeSet<_>>();
        intended.difference(listed).copied().collect()
    }

    /// Every service that concerns us.
    pub(crate) fn all(&self, fleet: &Fleet) -> BTreeSet<ServiceKey> {
        self.intended.keys().copied().chain(fleet.keys()).collect()
    }

    /// What is not desired is deleted if it counts as intended: what an earlier life left does, what
    /// somebody else wants does not. On standby all that the file names is ours to take out when
    /// everything is `set`, and nothing of it later. On a fresh reading of the whole table.
    pub(crate) fn claim(&mut self, fleet: &Fleet, set: bool) {
        let mut left = std::mem::take(&mut self.left_behind);
        if fleet.incomplete && !fleet.holds_back() {
            // It may be the one whose name has no address: it stays until all have one.
            let known: BTreeSet<ServiceKey> = fleet.keys().collect();
            let is_known = |key: &ServiceKey| known.contains(key);
            let (claimed, spared) = left.services.into_iter().partition(is_known);
            left.services = claimed;
            self.left_behind = Left {
                services: spared,
                said: left.said.clone(),
            };
        }
        let mut claimed = left.services;
        if set && fleet.holds_back() {
            claimed.extend(fleet.keys());
        }
        for key in claimed {
            if let Some(service) = self.kernel.get(&key) {
                let learned = || {
                    let mut made = diff::learned(service, None);
                    left.said.restore(key, service, &mut made);
                    if spares(fleet, key) {
                        // Whose rows these are is not known yet.
                        made.destinations.clear();
                    }
                    made
                };
                self.intended.entry(key).or_insert_with(learned);
            }
        }
        let others = &self.others;
        self.intended
            .retain(|key, _| fleet.wants(*key) || !others.contains(key));
    }

    /// The edits for these services, which have just been read.
    pub(crate) fn plan(
        &mut self,
        keys: &BTreeSet<ServiceKey>,
        fleet: &Fleet,
        scope: Scope,
        now: Instant,
    ) -> Plan {
        let mut all = Edits::default();
        let mut tell = Vec::new();
        self.staged.clear();
        let recent = |at: Instant| now.saturating_duration_since(at) < DELETION_TOLD_EVERY;
        self.deletions.retain(|_, at| recent(*at));
        self.enforcement.forget(now);
        for key in keys {
            if fleet.leaves_alone(*key) {
                self.disown(*key);
                continue;
            }
            let want = fleet.desired(*key);
            let spares = spares(fleet, *key);
            let scope = match scope {
                Scope::Full if spares => Scope::Sparing,
                Scope::Changes { .. } if fleet.enforces(*key) && !spares => Scope::Exact,
                Scope::Full | Scope::Sparing | Scope::Changes { .. } | Scope::Exact => scope,
            };
            let mut merged = self.merge(*key, want.as_ref(), scope);
            if spares {
                // What is spared is nobody's doing.
                let wanted = |row: &DestinationKey| {
                    want.as_ref()
                        .is_some_and(|one| one.destinations.contains_key(row))
                };
                merged
                    .drift
                    .retain(|row| row.is_none_or(|row| wanted(&row)));
                // Whoever the file names by an address is nobody else.
                if let (Scope::Sparing, Some(_), Some(target)) = (scope, &want, &mut merged.target)
                {
                    let spared = |row: &DestinationKey| wanted(row) || !fleet.names(*key, row);
                    target.destinations.retain(|row, _| spared(row));
                }
            }
            self.enforce(*key, &mut merged, now, &mut tell);
            let mut edits = diff::service(*key, self.kernel.get(key), merged.target.as_ref());
            match want {
                Some(want) => self.intended.insert(*key, want),
                None => self.intended.remove(key),
            };
            self.note_drift(*key, merged.drift, &mut tell);
            let deleted = merged.vanished.into_iter().map(|row| (*key, row));
            for row in deleted {
                self.note_deletion(row, now, &mut tell);
            }
            if edits.is_empty() {
                self.refusals.needed(*key, &[]);
                continue;
            }
            let late = edits.split_off_late(self.kernel.get(key), self.intended.get(key));
            self.revert_all(&late);
            if !late.is_empty() {
                self.staged.insert(*key);
            }
            self.hold_back(*key, &mut edits, &late, now);
            all.append(edits);
        }
        Plan {
            edits: all.into_vec(),
            notices: bounded(tell, |more| Notice::Drift(Drift::More(more))),
        }
    }

    /// It stays in the table as it is, and is none of ours until it is wanted again.
    fn disown(&mut self, key: ServiceKey) {
        self.intended.remove(&key);
        self.drift.remove(&key);
        self.refusals.needed(key, &[]);
    }

    fn merge(&self, key: ServiceKey, want: Option<&Service>, scope: Scope) -> Merged {
        let (is, was) = (self.kernel.get(&key), self.intended.get(&key));
        if is == was && was == want {
            // The common case, without a copy.
            return Merged {
                target: want.cloned(),
                ..Merged::default()
            };
        }
        merge::service(is, was, want, scope)
    }

    /// Of what somebody changed in a service of which the file says that it is put back, leaves what
    /// was put back just now.
    fn enforce(
        &mut self,
        key: ServiceKey,
        merged: &mut Merged,
        now: Instant,
        tell: &mut Vec<Notice>,
    ) {
        let (Some(is), Some(target)) = (self.kernel.get(&key), &mut merged.target) else {
            return;
        };
        for row in &merged.repaired {
            match self.enforcement.found((key, *row), now) {
                Answer::Later => diff::copy(is, target, *row),
                Answer::Quietly => {}
                Answer::Tell => {
                    let what = difference(is, target, *row);
                    tell.extend(what.map(|what| Notice::Enforced { service: key, what }));
                }
            }
        }
    }

    /// How many rows of this service have been put back so far.
    pub(crate) fn enforced(&self, key: ServiceKey) -> u64 {
        self.enforcement.made(key)
    }

    /// Takes out what it is too early to try again.
    fn hold_back(&mut self, key: ServiceKey, edits: &mut Edits, late: &[Edit], now: Instant) {
        if self.refusals.is_empty() {
            return;
        }
        let needed: Vec<Edit> = edits.iter().chain(late).cloned().collect();
        self.refusals.needed(key, &needed);
        let mut held = Vec::new();
        let mut serviceless = false;
        edits.retain(|edit| {
            let hold = serviceless || self.refusals.hold(edit, now);
            // Without the service nothing can be added to it.
            serviceless |= hold && matches!(edit, Edit::AddService(..));
            if hold {
                held.push(edit.clone());
            }
            !hold
        });
        for edit in held.iter().chain(late) {
            self.refusals.postpone(edit, now);
        }
        self.revert_all(&held);
    }

    fn revert_all(&mut self, edits: &[Edit]) {
        for edit in edits {
            diff::revert(&mut self.intended, &self.kernel, edit);
        }
    }

    fn note_drift(
        &mut self,
        key: ServiceKey,
        drift: BTreeSet<Option<DestinationKey>>,
        tell: &mut Vec<Notice>,
    ) {
        let known = self.drift.get(&key);
        let is_new =
            |row: &&Option<DestinationKey>| !known.is_some_and(|known| known.contains(row));
        tell.extend(drift.iter().filter(is_new).map(|row| {
            Notice::Drift(match row {
                Some(real) => Drift::RealChanged(key, *real),
                None => Drift::ServiceChanged(key),
            })
        }));
        if drift.is_empty() {
            self.drift.remove(&key);
        } else {
            self.drift.insert(key, drift);
        }
    }

    fn note_deletion(&mut self, row: Row, now: Instant, tell: &mut Vec<Notice>) {
        if self.deletions.contains_key(&row) {
            return;
        }
        self.deletions.insert(row, now);
        tell.push(Notice::Drift(match row {
            (service, Some(real)) => Drift::RealDeleted(service, real),
            (service, None) => Drift::ServiceDeleted(service),
        }));
    }

    /// The kernel answered a batch: believe what it confirmed, say the rest, retry it later.
    pub(crate) fn applied(
        &mut self,
        results: Vec<(Edit, Result<(), String>)>,
        now: Instant,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let mut refused = Vec::new();
        for (edit, result) in results {
            match result {
                Ok(()) => {
                    let before = self.weight(&edit);
                    diff::apply(&mut self.kernel, &edit);
                    self.refusals.made(&edit);
                    outcome.made.push(Made { edit, before });
                }
                Err(error) => refused.push((edit, error)),
            }
        }
        outcome.refused = !refused.is_empty();
        outcome.unfinished = std::mem::take(&mut self.staged);
        let missing: BTreeSet<ServiceKey> = refused
            .iter()
            .filter_map(|(edit, _)| match edit {
                Edit::AddService(key, _) => Some(*key),
                Edit::EditService(..)
                | Edit::DeleteService(_)
                | Edit::AddDestination(..)
                | Edit::EditDestination(..)
                | Edit::DeleteDestination(..) => None,
            })
            .collect();
        let mut tell = Vec::new();
        for (edit, error) in refused {
            diff::revert(&mut self.intended, &self.kernel, &edit);
            let key = edit.service();
            // It is tried again when the refused edit is.
            outcome.unfinished.remove(&key);
            // Without the service nothing can be added to it: one complaint is enough.
            if matches!(&edit, Edit::AddDestination(..)) && missing.contains(&key) {
                continue;
            }
            if self.refusals.add(edit.clone(), error.clone(), now) {
                tell.push(Notice::EditFailed { edit, error });
            }
        }
        outcome.notices = bounded(tell, Notice::MoreEditsFailed);
        outcome
    }

    fn weight(&self, edit: &Edit) -> Option<u32> {
        let Edit::EditDestination(key, row, _) = edit else {
            return None;
        };
        let service = self.kernel.get(key)?;
        service.destinations.get(row).map(|spec| spec.weight)
    }

    /// What is to be told about who serves, now that these services have been merged.
    pub(crate) fn watch_served(
        &mut self,
        keys: &BTreeSet<ServiceKey>,
        fleet: &Fleet,
    ) -> Vec<Notice> {
        let mut tell = Vec::new();
        for key in keys {
            if !fleet.starves(*key, self.kernel.get(key)) {
                if self.starved.remove(key) && fleet.wants(*key) {
                    tell.push(Notice::ServedAgain(*key));
                }
            } else if self.starved.insert(*key) {
                tell.push(Notice::NobodyServes(*key));
            }
        }
        tell
    }

    /// The last edits: services leave as `cleanstop` says, and those that a reload has taken out of
    /// the configuration in any case. What others want stays.
    pub(crate) fn clean(&self, fleet: &Fleet) -> Vec<Edit> {
        let known = self
            .intended
            .keys()
            .chain(&self.left_behind.services)
            .copied();
        let wanted = fleet.keys().filter(|key| fleet.wants(*key));
        let keys: BTreeSet<ServiceKey> = known.chain(wanted).collect();
        let leaves = |key: &ServiceKey| {
            let kept = fleet
                .get(*key)
                .is_some_and(|service| !service.config.cleanstop);
            self.kernel.contains_key(key) && !kept && !self.others.contains(key)
        };
        keys.into_iter()
            .filter(leaves)
            .map(Edit::DeleteService)
            .collect()
    }
}

/// May rows of it be those of names without address?
fn spares(fleet: &Fleet, key: ServiceKey) -> bool {
    fleet.get(key).is_some_and(|one| one.config.incomplete)
}

/// What is found of a row, and what is put in its place.
fn difference(is: &Service, target: &Service, row: Option<DestinationKey>) -> Option<Enforced> {
    let Some(real) = row else {
        return Some(Enforced::Service {
            found: is.spec.clone(),
            wanted: target.spec.clone(),
        });
    };
    let found = is.destinations.get(&real)?.clone();
    Some(match target.destinations.get(&real).cloned() {
        Some(wanted) => Enforced::Real {
            real,
            found,
            wanted,
        },
        None => Enforced::Stranger(real),
    })
}

/// The first few, and how many more there are.
fn bounded(mut notices: Vec<Notice>, more: impl Fn(usize) -> Notice) -> Vec<Notice> {
    let rest = notices.len().saturating_sub(TOLD_MAX);
    if rest > 0 {
        notices.truncate(TOLD_MAX);
        notices.push(more(rest));
    }
    notices
}
