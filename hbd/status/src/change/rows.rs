//! Rows of a snapshot: what names each, and which of its fields are steady.
//!
//! Every field is listed by destructuring, so that a new one does not compile until it has been
//! called steady or volatile here.

use super::Volatile;
use crate::{
    ClusterSnapshot, DirectorSnapshot, Group, Link, Node, RealServer, Refused, VirtualService,
};
use std::collections::BTreeSet;

/// A part of a snapshot that is compared and replaced as one.
pub(super) trait Row {
    /// What tells this row from its neighbours.
    fn key(&self) -> impl Ord + '_;
    /// The fields that change only when something happened.
    fn steady(&self) -> impl PartialEq + '_;
    /// The fields that change by themselves.
    fn volatile(&self) -> impl PartialEq + '_;
}

/// Do the rows differ in fields that count?
pub(super) fn differ<R: Row>(old: &R, new: &R, volatile: Volatile) -> bool {
    old.steady() != new.steady()
        || (volatile == Volatile::Include && old.volatile() != new.volatile())
}

/// Calls `each` for every row that differs; `None` if the rows are not the same set in the same
/// order, or if a key names two rows and one of them changed.
pub(super) fn changed<R: Row>(
    old: &[R],
    new: &[R],
    volatile: Volatile,
    mut each: impl FnMut(&R),
) -> Option<()> {
    if old.len() != new.len() {
        return None;
    }
    let mut any = false;
    for (was, is) in old.iter().zip(new) {
        if was.key() != is.key() {
            return None;
        }
        if differ(was, is, volatile) {
            any = true;
            each(is);
        }
    }
    (!any || distinct(new)).then_some(())
}

/// Does every row have a key of its own?
pub(super) fn distinct<R: Row>(rows: &[R]) -> bool {
    let mut seen = BTreeSet::new();
    rows.iter().all(|row| seen.insert(row.key()))
}

/// Do the lists of refused packets differ in what counts? They travel as one, for senders come and
/// go.
pub(super) fn refused_differ(old: &[Refused], new: &[Refused], volatile: Volatile) -> bool {
    let mut pairs = old.iter().zip(new);
    old.len() != new.len() || pairs.any(|(was, is)| differ(was, is, volatile))
}

/// Puts `row` in the place of the one with its key.
pub(super) fn replace<R: Row + Clone>(rows: &mut [R], row: &R) {
    if let Some(place) = rows.iter_mut().find(|place| place.key() == row.key()) {
        place.clone_from(row);
    }
}

/// A virtual service without its real servers.
pub(crate) fn columns(service: &VirtualService) -> VirtualService {
    VirtualService {
        id: service.id.clone(),
        address: service.address.clone(),
        protocol: service.protocol.clone(),
        scheduler: service.scheduler.clone(),
        persistent: service.persistent,
        name: service.name.clone(),
        in_table: service.in_table,
        fallback: service.fallback.clone(),
        panic: service.panic,
        opinion: service.opinion.clone(),
        enforced: service.enforced,
        leaving: service.leaving.clone(),
        reals: Vec::new(),
        connections: service.connections,
        packets_in: service.packets_in,
        bytes_in: service.bytes_in,
    }
}

/// The scalars only; the tables are rows of their own.
impl Row for ClusterSnapshot {
    fn key(&self) -> impl Ord + '_ {
        &self.node
    }

    fn steady(&self) -> impl PartialEq + '_ {
        let ClusterSnapshot {
            node,
            phase,
            extended,
            auto_failback,
            keepalive_ms,
            deadtime_ms,
            at_ms: _,
            uptime_ms: _,
            nodes: _,
            links: _,
            groups: _,
            refused: _,
            counters: _,
            recent: _,
        } = self;
        let timing = (keepalive_ms, deadtime_ms);
        (node, phase, extended, auto_failback, timing)
    }

    fn volatile(&self) -> impl PartialEq + '_ {
        (self.at_ms, self.uptime_ms)
    }
}

impl Row for Refused {
    fn key(&self) -> impl Ord + '_ {
        (&self.node, &self.from, &self.reason)
    }

    fn steady(&self) -> impl PartialEq + '_ {
        let Refused {
            node,
            from,
            reason,
            count: _,
            last_ms: _,
        } = self;
        (node, from, reason)
    }

    fn volatile(&self) -> impl PartialEq + '_ {
        (self.count, self.last_ms)
    }
}

impl Row for Node {
    fn key(&self) -> impl Ord + '_ {
        &self.name
    }

    fn steady(&self) -> impl PartialEq + '_ {
        let Node {
            name,
            local,
            kind,
            status,
            extended,
            generation,
            deadtime_ms,
            since_ms,
            same_haresources,
            heard_ms: _,
            quality: _,
        } = self;
        let times = (deadtime_ms, since_ms);
        (
            name,
            local,
            kind,
            status,
            extended,
            generation,
            times,
            same_haresources,
        )
    }

    fn volatile(&self) -> impl PartialEq + '_ {
        (self.heard_ms, &self.quality)
    }
}

impl Row for Link {
    fn key(&self) -> impl Ord + '_ {
        (&self.node, &self.medium, &self.device)
    }

    fn steady(&self) -> impl PartialEq + '_ {
        let Link {
            node,
            medium,
            device,
            state,
            not_sent,
            heard_ms: _,
            packets: _,
            quality: _,
        } = self;
        (node, medium, device, state, not_sent)
    }

    fn volatile(&self) -> impl PartialEq + '_ {
        (self.heard_ms, self.packets, &self.quality)
    }
}

impl Row for Group {
    fn key(&self) -> impl Ord + '_ {
        &self.name
    }

    /// A group has no volatile fields.
    fn steady(&self) -> impl PartialEq + '_ {
        self
    }

    fn volatile(&self) -> impl PartialEq + '_ {}
}

/// The scalars only; services and totals are rows of their own.
impl Row for DirectorSnapshot {
    fn key(&self) -> impl Ord + '_ {
        &self.config
    }

    fn steady(&self) -> impl PartialEq + '_ {
        let DirectorSnapshot {
            config,
            path,
            phase,
            duty,
            sync,
            outdated,
            at_ms: _,
            uptime_ms: _,
            services: _,
            totals: _,
            recent: _,
        } = self;
        (config, path, phase, duty, sync, outdated)
    }

    fn volatile(&self) -> impl PartialEq + '_ {
        (self.at_ms, self.uptime_ms)
    }
}

/// The service's own columns; fallback and real servers are rows of their own.
impl Row for VirtualService {
    fn key(&self) -> impl Ord + '_ {
        &self.id
    }

    fn steady(&self) -> impl PartialEq + '_ {
        let VirtualService {
            id,
            address,
            protocol,
            scheduler,
            persistent,
            name,
            in_table,
            fallback: _,
            panic,
            opinion,
            enforced,
            leaving,
            reals: _,
            connections: _,
            packets_in: _,
            bytes_in: _,
        } = self;
        let kernel = (in_table, panic, opinion, enforced, leaving);
        (id, address, protocol, scheduler, persistent, name, kernel)
    }

    fn volatile(&self) -> impl PartialEq + '_ {
        (self.connections, self.packets_in, self.bytes_in)
    }
}

impl Row for RealServer {
    fn key(&self) -> impl Ord + '_ {
        &self.address
    }

    fn steady(&self) -> impl PartialEq + '_ {
        let RealServer {
            address,
            forwarding,
            weight,
            table_weight,
            health,
            since_ms,
            failures,
            failure_limit,
            check,
            message,
            could_not_ask,
            stage,
            trial,
            certificate_until_ms,
            agent,
            overrides,
            draining: _,
            checked_ms: _,
            took_us: _,
            active_connections: _,
            inactive_connections: _,
            connections: _,
        } = self;
        let weights = (weight, table_weight);
        let count = (failures, failure_limit);
        let said = (
            message,
            could_not_ask,
            stage,
            trial,
            certificate_until_ms,
            agent,
            overrides,
        );
        (
            address, forwarding, weights, health, since_ms, count, check, said,
        )
    }

    fn volatile(&self) -> impl PartialEq + '_ {
        let counts = (self.active_connections, self.inactive_connections);
        let times = (self.checked_ms, self.took_us);
        (times, counts, self.connections, self.draining)
    }
}
