//! The three-way merge that decides what a service should be where others edit the same table:
//! what the kernel holds, what we last made of it, and what we want now.

use crate::table::{DestinationKey, DestinationSpec, Service, ServiceSpec};
use std::collections::BTreeSet;

/// How much of a service a merge may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Start and reload: our services become exactly what is desired, strangers in them leave.
    Full,
    /// Otherwise: only rows whose desired value differs from what was last intended, and rows of
    /// ours that are gone. An operator who changes a weight with `ipvsadm` keeps what he did until
    /// that server's state changes.
    Changes {
        /// `readdquiescent`: a quiesced server that somebody deleted returns at weight 0.
        readd_quiescent: bool,
    },
    /// As `Full`, but strangers stay: names have no address yet, and what an earlier life left may be
    /// theirs.
    Sparing,
    /// As `Full`, but what somebody else did is told apart from what is new: `enforce`.
    Exact,
}

/// A merge of one service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Merged {
    /// What to reach; `None`: the service leaves, or is none of ours.
    pub(crate) target: Option<Service>,
    /// Where the kernel differs from what we intended, and that we do not touch: rows, or `None`
    /// for the service's own attributes.
    pub(crate) drift: BTreeSet<Option<DestinationKey>>,
    /// What somebody deleted and is made again: rows, or `None` for the whole service.
    pub(crate) vanished: BTreeSet<Option<DestinationKey>>,
    /// What somebody changed or added and is put back: rows, or `None` for the service's own attributes.
    pub(crate) repaired: BTreeSet<Option<DestinationKey>>,
}

/// Merges one service. A service that is neither wanted nor intended is not ours and stays.
pub(crate) fn service(
    is: Option<&Service>,
    was: Option<&Service>,
    want: Option<&Service>,
    scope: Scope,
) -> Merged {
    let mut merged = Merged::default();
    merged.target = match (is, was, want) {
        (is, None, None) => is.cloned(),
        (_, Some(_), None) => None,
        (None, was, Some(want)) => {
            if was.is_some() {
                merged.vanished.insert(None);
            }
            Some(want.clone())
        }
        (Some(is), None, Some(want)) => Some(match scope {
            Scope::Sparing => spare(is, None, want),
            Scope::Full | Scope::Changes { .. } | Scope::Exact => replace(is, None, want),
        }),
        (Some(is), Some(was), Some(want)) => Some(match scope {
            Scope::Full => replace(is, Some(was), want),
            Scope::Sparing => spare(is, Some(was), want),
            Scope::Changes { readd_quiescent } => {
                changed_rows(is, was, want, readd_quiescent, &mut merged)
            }
            Scope::Exact => exact(is, was, want, &mut merged),
        }),
    };
    merged
}

/// `want`, except for what the file says nothing about and the kernel or somebody else has settled.
fn replace(is: &Service, was: Option<&Service>, want: &Service) -> Service {
    let destinations = want.destinations.iter().map(|(key, spec)| {
        let before = was.and_then(|was| was.destinations.get(key));
        (*key, adopt(is.destinations.get(key), before, spec))
    });
    Service {
        spec: adopt_spec(&is.spec, was.map(|was| &was.spec), &want.spec),
        destinations: destinations.collect(),
    }
}

/// `want`, and what the kernel has beside it and we have never meant to be there.
fn spare(is: &Service, was: Option<&Service>, want: &Service) -> Service {
    let mut target = replace(is, was, want);
    for (row, spec) in &is.destinations {
        if !was.is_some_and(|was| was.destinations.contains_key(row)) {
            let place = target.destinations.entry(*row);
            place.or_insert_with(|| spec.clone());
        }
    }
    target
}

/// `want` as well, and what was somebody else's doing.
fn exact(is: &Service, was: &Service, want: &Service, merged: &mut Merged) -> Service {
    let target = replace(is, Some(was), want);
    if was.spec == want.spec && is.spec != target.spec {
        merged.repaired.insert(None);
    }
    for row in rows(is, was, want) {
        let here = is.destinations.get(&row);
        let ours = was.destinations.get(&row) != want.destinations.get(&row);
        if ours || here == target.destinations.get(&row) {
            continue;
        }
        if here.is_some() {
            merged.repaired.insert(Some(row));
        } else {
            merged.vanished.insert(Some(row));
        }
    }
    target
}

fn rows(is: &Service, was: &Service, want: &Service) -> BTreeSet<DestinationKey> {
    [&is.destinations, &was.destinations, &want.destinations]
        .into_iter()
        .flat_map(|rows| rows.keys().copied())
        .collect()
}

fn adopt_spec(is: &ServiceSpec, was: Option<&ServiceSpec>, want: &ServiceSpec) -> ServiceSpec {
    let mut spec = want.clone();
    spec.keep(is, was);
    spec
}

fn adopt(
    is: Option<&DestinationSpec>,
    was: Option<&DestinationSpec>,
    want: &DestinationSpec,
) -> DestinationSpec {
    let mut spec = want.clone();
    if let Some(is) = is {
        spec.keep(is, was);
    }
    spec
}

/// A row that is set for another reason keeps the thresholds that somebody gave it, if the file
/// says nothing of them and said nothing before.
fn keep_thresholds(
    is: Option<&DestinationSpec>,
    was: Option<&DestinationSpec>,
    spec: &mut DestinationSpec,
) {
    let silent = |spec: &DestinationSpec| (spec.upper, spec.lower) == (0, 0);
    if let Some(is) = is
        && was.is_some_and(silent)
        && silent(spec)
    {
        (spec.upper, spec.lower) = (is.upper, is.lower);
    }
}

fn changed_rows(
    is: &Service,
    was: &Service,
    want: &Service,
    readd_quiescent: bool,
    merged: &mut Merged,
) -> Service {
    let mut service = is.clone();
    let spec = adopt_spec(&is.spec, Some(&was.spec), &want.spec);
    if want.spec != was.spec {
        service.spec = spec;
    } else if is.spec != spec {
        merged.drift.insert(None);
    }
    for row in rows(is, was, want) {
        let here = is.destinations.get(&row);
        let before = was.destinations.get(&row);
        let wanted = want.destinations.get(&row);
        let wanted = wanted.map(|spec| adopt(here, before, spec));
        let answer = answer(here, before, want.destinations.get(&row), readd_quiescent);
        match answer {
            Answer::Leave if here == wanted.as_ref() => {}
            Answer::Leave => {
                merged.drift.insert(Some(row));
            }
            Answer::Restore => {
                merged.vanished.insert(Some(row));
                service.destinations.extend(wanted.map(|spec| (row, spec)));
            }
            Answer::Set => match wanted {
                Some(mut spec) => {
                    keep_thresholds(here, before, &mut spec);
                    service.destinations.insert(row, spec);
                }
                None => {
                    service.destinations.remove(&row);
                }
            },
        }
    }
    service
}

/// What is done about one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// As it is, even if it is not what we want.
    Leave,
    /// Somebody deleted it, and it belongs there.
    Restore,
    /// What we want of it has changed.
    Set,
}

fn answer(
    is: Option<&DestinationSpec>,
    was: Option<&DestinationSpec>,
    want: Option<&DestinationSpec>,
    readd_quiescent: bool,
) -> Answer {
    match (is, was, want) {
        // A deleted row that would carry no traffic comes back only if the file says so.
        (None, Some(_), Some(want)) if want.weight == 0 && !readd_quiescent => Answer::Leave,
        (None, Some(_), Some(_)) => Answer::Restore,
        (_, was, want) if was == want => Answer::Leave,
        (_, _, _) => Answer::Set,
    }
}

#[cfg(test)]
mod tests;
