//! The table we want: a pure function of configuration, health and what operators say. No history, no kernel.

use crate::config::{Check, RealServer};
use crate::table::{DestinationSpec, Service, Tunnel};
use crate::watched::Virtual;
use std::collections::BTreeMap;

/// The weight of an active fallback server; the original's fixed value.
pub(crate) const FALLBACK_WEIGHT: u32 = 1;

/// What a service should hold, given the health of its real servers.
///
/// A dead or unseen real server stays out, or stands at weight 0 if the service is `quiescent`.
/// The fallback is in whenever no real server with a weight above 0 serves, except where
/// `checktype=off` says that nothing is to be activated, or its place is that of a real server that
/// somebody has taken out. Who leaves when others have been checked is in it until then.
pub(crate) fn service(service: &Virtual) -> Service {
    let config = &service.config;
    let mut destinations = BTreeMap::new();
    let mut anyone_serves = service.spared;
    let mut switched_off = !service.reals.is_empty();
    for (key, row) in &service.reals {
        let real = &row.config;
        switched_off &= real.check == Check::Off;
        if let Some(weight) = row.weight(config.quiescent) {
            anyone_serves |= weight > 0;
            destinations.insert(*key, destination(real, weight));
        }
    }
    for (key, spec) in service.succession.rows() {
        anyone_serves = true;
        destinations.insert(*key, spec.clone());
    }
    if let Some(fallback) = service.fallback()
        && !anyone_serves
        && !switched_off
    {
        let spec = DestinationSpec {
            forwarding: fallback.forwarding,
            weight: FALLBACK_WEIGHT,
            upper: 0,
            lower: 0,
            tunnel: Tunnel::Ipip,
        };
        destinations.insert(fallback.key, spec);
    }
    Service {
        spec: config.spec.clone(),
        destinations,
    }
}

pub(crate) fn destination(real: &RealServer, weight: u32) -> DestinationSpec {
    DestinationSpec {
        forwarding: real.forwarding,
        weight,
        upper: real.upper,
        lower: real.lower,
        tunnel: real.tunnel,
    }
}

#[cfg(test)]
mod tests;
