//! The table we want: a pure function of configuration and health. No history, no kernel.

use crate::config::{Check, RealServer, VirtualService};
use crate::health::Health;
use crate::table::{DestinationSpec, Service};
use std::collections::BTreeMap;

/// The weight of an active fallback server; the original's fixed value.
pub const FALLBACK_WEIGHT: u32 = 1;

/// What a service should hold, given the health of its real servers in file order.
///
/// A dead or unseen real server stays out, or stands at weight 0 if the service is `quiescent`.
/// The fallback is in whenever no real server with a weight above 0 serves, except where
/// `checktype=off` says that nothing is to be activated.
pub fn service(config: &VirtualService, health: &[Health]) -> Service {
    let mut destinations = BTreeMap::new();
    let mut anyone_serves = false;
    for (real, health) in config.reals.iter().zip(health) {
        if serves(real, health) {
            anyone_serves |= real.weight > 0;
            destinations.insert(real.key, destination(real, real.weight));
        } else if config.quiescent && real.check != Check::Off {
            destinations
                .entry(real.key)
                .or_insert_with(|| destination(real, 0));
        }
    }
    let switched_off =
        !config.reals.is_empty() && config.reals.iter().all(|real| real.check == Check::Off);
    if let Some(fallback) = &config.fallback
        && !anyone_serves
        && !switched_off
    {
        let spec = DestinationSpec {
            forwarding: fallback.forwarding,
            weight: FALLBACK_WEIGHT,
            upper: 0,
            lower: 0,
        };
        destinations.insert(fallback.key, spec);
    }
    Service {
        spec: config.spec.clone(),
        destinations,
    }
}

/// Does this real server get traffic?
pub fn serves(real: &RealServer, health: &Health) -> bool {
    match real.check {
        Check::Off => false,
        Check::On => !health.maintenance,
        Check::Probe(_) => health.serves(),
    }
}

fn destination(real: &RealServer, weight: u32) -> DestinationSpec {
    DestinationSpec {
        forwarding: real.forwarding,
        weight,
        upper: real.upper,
        lower: real.lower,
    }
}

#[cfg(test)]
mod tests;
