//! From the table that is to the table that should be: an ordered list of edits, and the three-way
//! merge that decides what "should be" means where others edit the same table.
//!
//! Order: services appear first, then destinations are added or gain weight, then they lose
//! weight, then they leave, and services vanish last. So a service never passes through a moment
//! with fewer healthy servers than both ends have in common.

use crate::table::{DestinationKey, DestinationSpec, Edit, Forwarding, Service, ServiceKey, Table};
use std::collections::BTreeSet;

/// The edits that turn `actual` into `target`. Applying them gives exactly `target`; the diff of
/// equal tables is empty.
pub fn diff(actual: &Table, target: &Table) -> Vec<Edit> {
    let mut services = Vec::new();
    let mut gains = Vec::new();
    let mut losses = Vec::new();
    let mut deletions = Vec::new();
    for (key, want) in target {
        match actual.get(key) {
            None => {
                services.push(Edit::AddService(*key, want.spec.clone()));
                for (destination, spec) in &want.destinations {
                    gains.push(Edit::AddDestination(*key, *destination, spec.clone()));
                }
            }
            Some(is) => {
                if is.spec != want.spec {
                    services.push(Edit::EditService(*key, want.spec.clone()));
                }
                diff_destinations(*key, is, want, &mut gains, &mut losses, &mut deletions);
            }
        }
    }
    for key in actual.keys().filter(|key| !target.contains_key(key)) {
        deletions.push(Edit::DeleteService(*key));
    }
    services
        .into_iter()
        .chain(gains)
        .chain(losses)
        .chain(deletions)
        .collect()
}

fn diff_destinations(
    key: ServiceKey,
    is: &Service,
    want: &Service,
    gains: &mut Vec<Edit>,
    losses: &mut Vec<Edit>,
    deletions: &mut Vec<Edit>,
) {
    for (destination, spec) in &want.destinations {
        match is.destinations.get(destination) {
            None => gains.push(Edit::AddDestination(key, *destination, spec.clone())),
            Some(old) if old == spec => {}
            Some(old) => {
                let edit = Edit::EditDestination(key, *destination, spec.clone());
                let side = if spec.weight < old.weight {
                    &mut *losses
                } else {
                    &mut *gains
                };
                side.push(edit);
            }
        }
    }
    for destination in is.destinations.keys() {
        if !want.destinations.contains_key(destination) {
            deletions.push(Edit::DeleteDestination(key, *destination));
        }
    }
}

/// Splits edits into those to make now and those that must wait until the first are confirmed.
///
/// Where a service would be left without a single healthy server if the kernel refused what is
/// added, nothing is taken away until it is known to be there.
pub fn stage(kernel: &Table, edits: Vec<Edit>) -> (Vec<Edit>, Vec<Edit>) {
    let mut wait = BTreeSet::new();
    for (key, service) in kernel {
        let gains = edits.iter().any(|edit| is_gain(edit, *key, service));
        let survives = service.destinations.iter().any(|(row, spec)| {
            spec.weight > 0 && !edits.iter().any(|edit| is_loss(edit, *key, *row))
        });
        if gains && !survives {
            wait.insert(*key);
        }
    }
    edits.into_iter().partition(|edit| match edit {
        Edit::DeleteDestination(key, _) => !wait.contains(key),
        Edit::EditDestination(key, _, spec) => spec.weight > 0 || !wait.contains(key),
        Edit::AddService(..)
        | Edit::EditService(..)
        | Edit::DeleteService(_)
        | Edit::AddDestination(..) => true,
    })
}

fn is_gain(edit: &Edit, service: ServiceKey, is: &Service) -> bool {
    match edit {
        Edit::AddDestination(key, _, spec) => *key == service && spec.weight > 0,
        Edit::EditDestination(key, row, spec) => {
            let before = is.destinations.get(row).map_or(0, |spec| spec.weight);
            *key == service && spec.weight > 0 && before == 0
        }
        Edit::AddService(..)
        | Edit::EditService(..)
        | Edit::DeleteService(_)
        | Edit::DeleteDestination(..) => false,
    }
}

fn is_loss(edit: &Edit, service: ServiceKey, destination: DestinationKey) -> bool {
    match edit {
        Edit::DeleteDestination(key, row) => (*key, *row) == (service, destination),
        Edit::EditDestination(key, row, spec) => {
            (*key, *row) == (service, destination) && spec.weight == 0
        }
        Edit::AddService(..)
        | Edit::EditService(..)
        | Edit::DeleteService(_)
        | Edit::AddDestination(..) => false,
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

/// Makes the row that `edit` names in `table` what it is in `kernel`: the edit was refused.
pub fn revert(table: &mut Table, kernel: &Table, edit: &Edit) {
    let (key, row) = match edit {
        Edit::AddService(key, _) | Edit::DeleteService(key) => {
            match kernel.get(key) {
                Some(service) => table.insert(*key, service.clone()),
                None => table.remove(key),
            };
            return;
        }
        Edit::EditService(key, _) => {
            if let (Some(service), Some(is)) = (table.get_mut(key), kernel.get(key)) {
                service.spec = is.spec.clone();
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
            Some(spec) => service.destinations.insert(*row, spec.clone()),
            None => service.destinations.remove(row),
        };
    }
}

/// How much of the table a merge may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Start and reload: our services become exactly what is desired, strangers in them leave.
    Full,
    /// Otherwise: only rows whose desired value differs from what was last intended. An operator
    /// who drains a server with `ipvsadm` keeps what he did until that server's state changes.
    Changes {
        /// `readdquiescent`: a quiesced server that somebody deleted returns at weight 0.
        readd_quiescent: bool,
    },
}

/// A merge: the table to reach, and what others did that is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    pub target: Table,
    /// Rows where the kernel differs from what we intended, and that we do not touch.
    pub drift: BTreeSet<(ServiceKey, Option<DestinationKey>)>,
    /// Services that somebody deleted; they are made again.
    pub vanished: BTreeSet<ServiceKey>,
}

/// Three-way merge of what the kernel holds, what we last made of it, and what we want now.
/// Services that are neither desired nor intended are not ours and stay as they are.
pub fn merge(actual: &Table, intended: &Table, desired: &Table, scope: Scope) -> Merge {
    let mut merge = Merge {
        target: actual.clone(),
        drift: [].into(),
        vanished: [].into(),
    };
    for key in intended.keys().filter(|key| !desired.contains_key(key)) {
        merge.target.remove(key);
    }
    for (key, want) in desired {
        let Some(is) = actual.get(key) else {
            if intended.contains_key(key) {
                merge.vanished.insert(*key);
            }
            merge.target.insert(*key, want.clone());
            continue;
        };
        let service = match (scope, intended.get(key)) {
            (Scope::Full, _) | (_, None) => replace(is, want),
            (Scope::Changes { readd_quiescent }, Some(was)) => {
                changed_rows(*key, is, was, want, readd_quiescent, &mut merge.drift)
            }
        };
        merge.target.insert(*key, service);
    }
    merge
}

/// `want`, except that a destination the kernel shows as local keeps that word: it stands for any
/// forwarding method when the address is the director's own.
fn replace(is: &Service, want: &Service) -> Service {
    let mut service = want.clone();
    for (key, spec) in &mut service.destinations {
        adopt_local(is.destinations.get(key), spec);
    }
    service
}

fn adopt_local(is: Option<&DestinationSpec>, want: &mut DestinationSpec) {
    if is.is_some_and(|is| is.forwarding == Forwarding::Local) {
        want.forwarding = Forwarding::Local;
    }
}

fn changed_rows(
    key: ServiceKey,
    is: &Service,
    was: &Service,
    want: &Service,
    readd_quiescent: bool,
    drift: &mut BTreeSet<(ServiceKey, Option<DestinationKey>)>,
) -> Service {
    let mut service = is.clone();
    if want.spec != was.spec {
        service.spec = want.spec.clone();
    } else if is.spec != want.spec {
        drift.insert((key, None));
    }
    let rows: BTreeSet<DestinationKey> = [&is.destinations, &was.destinations, &want.destinations]
        .into_iter()
        .flat_map(|rows| rows.keys().copied())
        .collect();
    for row in rows {
        let here = is.destinations.get(&row);
        let mut wanted = want.destinations.get(&row).cloned();
        if let Some(spec) = &mut wanted {
            adopt_local(here, spec);
        }
        let unchanged = want.destinations.get(&row) == was.destinations.get(&row);
        let deleted_by_hand = here.is_none() && was.destinations.contains_key(&row);
        let quiesced = wanted.as_ref().is_some_and(|spec| spec.weight == 0);
        if unchanged || (deleted_by_hand && quiesced && !readd_quiescent) {
            if here != wanted.as_ref() {
                drift.insert((key, Some(row)));
            }
            continue;
        }
        match wanted {
            Some(spec) => service.destinations.insert(row, spec),
            None => service.destinations.remove(&row),
        };
    }
    service
}

#[cfg(test)]
mod tests;
