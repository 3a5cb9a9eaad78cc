//! The difference between two snapshots, and how a follower applies it.
//!
//! `apply(a, diff(a, b, Volatile::Include))` gives `b`; with `Volatile::Skip` it gives `b` except
//! for fields that change without anything having happened: ages, counters, the clock, and the
//! recent notices, which travel as lines of their own.

pub(crate) mod rows;

#[cfg(test)]
pub(crate) mod tests;

use crate::{
    ClusterPhase, ClusterSnapshot, ConnectionSync, Counters, DirectorPhase, DirectorSnapshot, Duty,
    Fallback, Group, Link, Node, Notice, Outdated, RealServer, Refused, Snapshot, Totals,
    VirtualService,
};
use serde::{Deserialize, Serialize};

/// More rows than this in one step travel as [`Change::Whole`]: by then it is the shorter line,
/// and the follower's search for each row stays cheap.
pub const CHANGES_MAX: usize = 1024;

/// One row that is new, different or gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Cluster-wide scalars and the clock.
    Cluster {
        at_ms: u64,
        uptime_ms: u64,
        phase: ClusterPhase,
        extended: bool,
        auto_failback: String,
        keepalive_ms: u64,
        deadtime_ms: u64,
    },
    Counters {
        counters: Counters,
    },
    /// All of them, in the place of those before.
    Refused {
        refused: Vec<Refused>,
    },
    Node {
        node: Node,
    },
    Link {
        link: Link,
    },
    Group {
        group: Group,
    },
    /// The set or order of rows changed (a reload): everything anew.
    Whole {
        snapshot: Box<Snapshot>,
    },
    Director {
        at_ms: u64,
        uptime_ms: u64,
        phase: DirectorPhase,
        #[serde(default)]
        duty: Duty,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sync: Option<ConnectionSync>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outdated: Option<Outdated>,
    },
    Totals {
        totals: Totals,
    },
    /// A virtual service's own columns; `reals` is empty here and means "unchanged".
    Service {
        service: VirtualService,
    },
    Fallback {
        service: String,
        fallback: Option<Fallback>,
    },
    Real {
        service: String,
        real: RealServer,
    },
    /// The recent notices; never sent to followers, who get each notice by itself.
    Recent {
        recent: Vec<Notice>,
    },
}

/// Whether differences in volatile fields count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volatile {
    Include,
    Skip,
}

/// The changes that lead from `old` to `new`, in the order of the rows.
pub fn diff(old: &Snapshot, new: &Snapshot, volatile: Volatile) -> Vec<Change> {
    let changes = match (old, new) {
        (Snapshot::Cluster(old), Snapshot::Cluster(new)) => cluster(old, new, volatile),
        (Snapshot::Director(old), Snapshot::Director(new)) => director(old, new, volatile),
        (Snapshot::Cluster(_), Snapshot::Director(_))
        | (Snapshot::Director(_), Snapshot::Cluster(_)) => None,
    };
    match changes {
        Some(changes) if changes.len() <= CHANGES_MAX => changes,
        _ => vec![Change::Whole {
            snapshot: Box::new(new.clone()),
        }],
    }
}

/// Applies one change to a follower's copy. A change of a row that the copy lacks does nothing:
/// a server that follows [`diff`] never sends one.
pub fn apply(snapshot: &mut Snapshot, change: &Change) {
    if let Change::Whole { snapshot: whole } = change {
        *snapshot = (**whole).clone();
        return;
    }
    match snapshot {
        Snapshot::Cluster(cluster) => apply_to_cluster(cluster, change),
        Snapshot::Director(director) => apply_to_director(director, change),
    }
}

/// Adds a notice to a follower's copy, dropping the oldest beyond the snapshot's bound.
pub fn apply_notice(snapshot: &mut Snapshot, notice: Notice) {
    let (recent, max) = match snapshot {
        Snapshot::Cluster(cluster) => (&mut cluster.recent, ClusterSnapshot::RECENT_MAX),
        Snapshot::Director(director) => (&mut director.recent, DirectorSnapshot::RECENT_MAX),
    };
    recent.push(notice);
    let surplus = recent.len().saturating_sub(max);
    recent.drain(..surplus);
}

/// `None` where only everything anew will do.
fn cluster(
    old: &ClusterSnapshot,
    new: &ClusterSnapshot,
    volatile: Volatile,
) -> Option<Vec<Change>> {
    if old.node != new.node {
        return None;
    }
    let mut changes = Vec::new();
    if rows::differ(old, new, volatile) {
        changes.push(Change::Cluster {
            at_ms: new.at_ms,
            uptime_ms: new.uptime_ms,
            phase: new.phase,
            extended: new.extended,
            auto_failback: new.auto_failback.clone(),
            keepalive_ms: new.keepalive_ms,
            deadtime_ms: new.deadtime_ms,
        });
    }
    rows::changed(&old.nodes, &new.nodes, volatile, |node| {
        changes.push(Change::Node { node: node.clone() });
    })?;
    rows::changed(&old.links, &new.links, volatile, |link| {
        changes.push(Change::Link { link: link.clone() });
    })?;
    rows::changed(&old.groups, &new.groups, volatile, |group| {
        let group = group.clone();
        changes.push(Change::Group { group });
    })?;
    if rows::refused_differ(&old.refused, &new.refused, volatile) {
        let refused = new.refused.clone();
        changes.push(Change::Refused { refused });
    }
    if volatile == Volatile::Include {
        if old.counters != new.counters {
            let counters = new.counters.clone();
            changes.push(Change::Counters { counters });
        }
        changes.extend(recent(&old.recent, &new.recent));
    }
    Some(changes)
}

/// `None` where only everything anew will do.
fn director(
    old: &DirectorSnapshot,
    new: &DirectorSnapshot,
    volatile: Volatile,
) -> Option<Vec<Change>> {
    if old.config != new.config || old.path != new.path {
        return None;
    }
    let mut changes = Vec::new();
    if rows::differ(old, new, volatile) {
        changes.push(Change::Director {
            at_ms: new.at_ms,
            uptime_ms: new.uptime_ms,
            phase: new.phase,
            duty: new.duty.clone(),
            sync: new.sync.clone(),
            outdated: new.outdated.clone(),
        });
    }
    rows::changed(&old.services, &new.services, volatile, |service| {
        let service = rows::columns(service);
        changes.push(Change::Service { service });
    })?;
    for (was, is) in old.services.iter().zip(&new.services) {
        // A changed service carries its fallback along.
        if was.fallback != is.fallback && !rows::differ(was, is, volatile) {
            changes.push(Change::Fallback {
                service: is.id.clone(),
                fallback: is.fallback.clone(),
            });
        }
        rows::changed(&was.reals, &is.reals, volatile, |real| {
            changes.push(Change::Real {
                service: is.id.clone(),
                real: real.clone(),
            });
        })?;
    }
    if !changes.is_empty() && !rows::distinct(&new.services) {
        // Fallbacks and real servers name their service.
        return None;
    }
    if volatile == Volatile::Include {
        if old.totals != new.totals {
            let totals = new.totals.clone();
            changes.push(Change::Totals { totals });
        }
        changes.extend(recent(&old.recent, &new.recent));
    }
    Some(changes)
}

fn recent(old: &[Notice], new: &[Notice]) -> Option<Change> {
    (old != new).then(|| Change::Recent {
        recent: new.to_vec(),
    })
}

fn apply_to_cluster(cluster: &mut ClusterSnapshot, change: &Change) {
    match change {
        Change::Cluster {
            at_ms,
            uptime_ms,
            phase,
            extended,
            auto_failback,
            keepalive_ms,
            deadtime_ms,
        } => {
            cluster.at_ms = *at_ms;
            cluster.uptime_ms = *uptime_ms;
            cluster.phase = *phase;
            cluster.extended = *extended;
            cluster.auto_failback.clone_from(auto_failback);
            cluster.keepalive_ms = *keepalive_ms;
            cluster.deadtime_ms = *deadtime_ms;
        }
        Change::Counters { counters } => cluster.counters = counters.clone(),
        Change::Refused { refused } => cluster.refused.clone_from(refused),
        Change::Node { node } => rows::replace(&mut cluster.nodes, node),
        Change::Link { link } => rows::replace(&mut cluster.links, link),
        Change::Group { group } => rows::replace(&mut cluster.groups, group),
        Change::Recent { recent } => cluster.recent.clone_from(recent),
        Change::Whole { .. }
        | Change::Director { .. }
        | Change::Totals { .. }
        | Change::Service { .. }
        | Change::Fallback { .. }
        | Change::Real { .. } => {}
    }
}

fn apply_to_director(director: &mut DirectorSnapshot, change: &Change) {
    let services = &mut director.services;
    match change {
        Change::Director {
            at_ms,
            uptime_ms,
            phase,
            duty,
            sync,
            outdated,
        } => {
            director.at_ms = *at_ms;
            director.uptime_ms = *uptime_ms;
            director.phase = *phase;
            director.duty.clone_from(duty);
            director.sync.clone_from(sync);
            director.outdated.clone_from(outdated);
        }
        Change::Totals { totals } => director.totals = totals.clone(),
        Change::Service { service } => {
            if let Some(row) = services.iter_mut().find(|row| row.id == service.id) {
                let reals = std::mem::take(&mut row.reals);
                *row = service.clone();
                row.reals = reals;
            }
        }
        Change::Fallback { service, fallback } => {
            if let Some(row) = services.iter_mut().find(|row| row.id == *service) {
                row.fallback.clone_from(fallback);
            }
        }
        Change::Real { service, real } => {
            if let Some(row) = services.iter_mut().find(|row| row.id == *service) {
                rows::replace(&mut row.reals, real);
            }
        }
        Change::Recent { recent } => director.recent.clone_from(recent),
        Change::Whole { .. }
        | Change::Cluster { .. }
        | Change::Counters { .. }
        | Change::Refused { .. }
        | Change::Node { .. }
        | Change::Link { .. }
        | Change::Group { .. } => {}
    }
}
