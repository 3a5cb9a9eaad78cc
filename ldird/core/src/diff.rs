//! From the table that is to the table that should be: an ordered list of edits.
//!
//! Order: services appear first, then destinations are added or gain weight, then they lose
//! weight, then they leave, and services vanish last. So a service never passes through a moment
//! with fewer healthy servers than both ends have in common.

use crate::table::{DestinationKey, DestinationSpec, Edit, Service, ServiceKey, Table};
use std::collections::BTreeSet;

/// Edits by the turn in which they are made.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    services: Vec<Edit>,
    gains: Vec<Edit>,
    losses: Vec<Edit>,
    deletions: Vec<Edit>,
}

impl Edits {
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = &Edit> {
        let turns = [&self.services, &self.gains, &self.losses, &self.deletions];
        turns.into_iter().flatten()
    }

    /// In their order.
    pub fn into_vec(self) -> Vec<Edit> {
        let turns = [self.services, self.gains, self.losses, self.deletions];
        turns.into_iter().flatten().collect()
    }

    pub fn append(&mut self, mut other: Self) {
        self.services.append(&mut other.services);
        self.gains.append(&mut other.gains);
        self.losses.append(&mut other.losses);
        self.deletions.append(&mut other.deletions);
    }

    /// Takes out what `keep` says no to, in their order.
    pub fn retain(&mut self, mut keep: impl FnMut(&Edit) -> bool) {
        self.services.retain(&mut keep);
        self.gains.retain(&mut keep);
        self.losses.retain(&mut keep);
        self.deletions.retain(&mut keep);
    }

    /// Of one service's edits, takes out those that must wait until the others are confirmed.
    ///
    /// Where a service would be left without a single healthy server if the kernel refused what is
    /// added, nothing is taken away until it is known to be there. Who has weight only because
    /// somebody gave it by hand is not known to be healthy.
    pub fn split_off_late(
        &mut self,
        kernel: Option<&Service>,
        wanted: Option<&Service>,
    ) -> Vec<Edit> {
        let (Some(kernel), Some(wanted)) = (kernel, wanted) else {
            return Vec::new();
        };
        if !self.gains.iter().any(|edit| is_gain(edit, kernel)) {
            return Vec::new();
        }
        let takes = self.losses.iter().chain(&self.deletions);
        let lost: BTreeSet<_> = takes.filter_map(lost_row).collect();
        let survives = |(row, spec): (_, &DestinationSpec)| {
            let healthy = wanted.destinations.get(row);
            spec.weight > 0 && healthy.is_some_and(|spec| spec.weight > 0) && !lost.contains(row)
        };
        if kernel.destinations.iter().any(survives) {
            return Vec::new();
        }
        let (losses, deletions) = (&mut self.losses, &mut self.deletions);
        let late = losses.extract_if(.., |edit| lost_row(edit).is_some());
        let mut late: Vec<Edit> = late.collect();
        late.append(deletions);
        late
    }
}

/// The edits that turn `actual` into `target`. Applying them gives exactly `target`; the diff of
/// equal tables is empty.
pub fn diff(actual: &Table, target: &Table) -> Vec<Edit> {
    let mut edits = Edits::default();
    let keys: BTreeSet<&ServiceKey> = actual.keys().chain(target.keys()).collect();
    for key in keys {
        edits.append(service(*key, actual.get(key), target.get(key)));
    }
    edits.into_vec()
}

/// The same for one service.
pub fn service(key: ServiceKey, actual: Option<&Service>, target: Option<&Service>) -> Edits {
    let mut edits = Edits::default();
    match (actual, target) {
        (None, None) => {}
        (Some(_), None) => edits.deletions.push(Edit::DeleteService(key)),
        (None, Some(want)) => {
            edits
                .services
                .push(Edit::AddService(key, want.spec.clone()));
            for (row, spec) in &want.destinations {
                let edit = Edit::AddDestination(key, *row, spec.clone());
                edits.gains.push(edit);
            }
        }
        (Some(is), Some(want)) => {
            if is.spec != want.spec {
                let edit = Edit::EditService(key, want.spec.clone());
                edits.services.push(edit);
            }
            rows(key, is, want, &mut edits);
        }
    }
    edits
}

fn rows(key: ServiceKey, is: &Service, want: &Service, edits: &mut Edits) {
    for (row, spec) in &want.destinations {
        match is.destinations.get(row) {
            None => {
                let edit = Edit::AddDestination(key, *row, spec.clone());
                edits.gains.push(edit);
            }
            Some(old) if old == spec => {}
            Some(old) => {
                let edit = Edit::EditDestination(key, *row, spec.clone());
                let turn = if spec.weight < old.weight {
                    &mut edits.losses
                } else {
                    &mut edits.gains
                };
                turn.push(edit);
            }
        }
    }
    let gone = is.destinations.keys();
    for row in gone.filter(|row| !want.destinations.contains_key(row)) {
        edits.deletions.push(Edit::DeleteDestination(key, *row));
    }
}

/// Does it give the service a healthy server that it does not have?
fn is_gain(edit: &Edit, is: &Service) -> bool {
    match edit {
        Edit::AddDestination(_, _, spec) => spec.weight > 0,
        Edit::EditDestination(_, row, spec) => {
            let before = is.destinations.get(row).map_or(0, |spec| spec.weight);
            spec.weight > 0 && before == 0
        }
        Edit::AddService(..)
        | Edit::EditService(..)
        | Edit::DeleteService(_)
        | Edit::DeleteDestination(..) => false,
    }
}

/// The row that it takes out of service.
fn lost_row(edit: &Edit) -> Option<DestinationKey> {
    match edit {
        Edit::DeleteDestination(_, row) => Some(*row),
        Edit::EditDestination(_, row, spec) => (spec.weight == 0).then_some(*row),
        Edit::AddService(..)
        | Edit::EditService(..)
        | Edit::DeleteService(_)
        | Edit::AddDestination(..) => None,
    }
}
/// Makes one edit in a plain table, as the kernel would.
///
/// Returns false, and changes nothing, where the kernel would refuse.
pub fn apply(table: &mut Table, edit: &Edit) -> bool {
    match edit {
        Edit::AddService(key, spec) => {
            let free = !table.contains_key(key);
            if free {
                table.insert(
                    *key,
                    Service {
                        spec: spec.clone(),
                        destinations: [].into(),
                    },
                );
            }
            free
        }
        Edit::EditService(key, spec) => table
            .get_mut(key)
            .map(|service| service.spec = spec.clone())
            .is_some(),
        Edit::DeleteService(key) => table.remove(key).is_some(),
        Edit::AddDestination(key, destination, spec) => table.get_mut(key).is_some_and(|service| {
            let free = !service.destinations.contains_key(destination);
            if free {
                service.destinations.insert(*destination, spec.clone());
            }
            free
        }),
        Edit::EditDestination(key, destination, spec) => table
            .get_mut(key)
            .and_then(|service| service.destinations.get_mut(destination))
            .map(|old| *old = spec.clone())
            .is_some(),
        Edit::DeleteDestination(key, destination) => table
            .get_mut(key)
            .is_some_and(|service| service.destinations.remove(destination).is_some()),
    }
}

/// Makes the row that `edit` names in `table` what it is in `kernel`: the edit was refused. What the
/// table said nothing about, and others may have set, it says nothing about now.
pub fn revert(table: &mut Table, kernel: &Table, edit: &Edit) {
    let (key, row) = match edit {
        Edit::AddService(key, _) | Edit::DeleteService(key) => {
            match kernel.get(key) {
                Some(is) => {
                    let learned = learned(is, table.get(key));
                    table.insert(*key, learned)
                }
                None => table.remove(key),
            };
            return;
        }
        Edit::EditService(key, _) => {
            if let (Some(service), Some(is)) = (table.get_mut(key), kernel.get(key)) {
                service.spec = is.spec.unless_silent(Some(&service.spec));
            }
            return;
        }
        Edit::AddDestination(key, row, _)
        | Edit::EditDestination(key, row, _)
        | Edit::DeleteDestination(key, row) => (key, row),
    };
    let is = kernel
        .get(key)
        .and_then(|service| service.destinations.get(row));
    if let Some(service) = table.get_mut(key) {
        match is {
            Some(is) => {
                let learned = is.unless_silent(service.destinations.get(row));
                service.destinations.insert(*row, learned)
            }
            None => service.destinations.remove(row),
        };
    }
}

/// Makes one row, or the service's own attributes, of `target` what it is in `is`.
pub(crate) fn copy(is: &Service, target: &mut Service, row: Option<DestinationKey>) {
    let Some(row) = row else {
        target.spec = is.spec.clone();
        return;
    };
    match is.destinations.get(&row) {
        Some(spec) => target.destinations.insert(row, spec.clone()),
        None => target.destinations.remove(&row),
    };
}

/// A service as the kernel holds it, without what `said` says nothing about.
pub(crate) fn learned(is: &Service, said: Option<&Service>) -> Service {
    let destinations = is.destinations.iter().map(|(row, spec)| {
        let said = said.and_then(|said| said.destinations.get(row));
        (*row, spec.unless_silent(said))
    });
    Service {
        spec: is.spec.unless_silent(said.map(|said| &said.spec)),
        destinations: destinations.collect(),
    }
}

#[cfg(test)]
mod tests;
