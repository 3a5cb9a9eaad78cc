//! What another configuration would leave of those who serve, as far as that is known before it is in
//! force. Counts, and judges nothing.

use super::Fleet;
use crate::config::{Check, Config};
use crate::overrides::Place;
use crate::table::{DestinationKey, ServiceKey};
use crate::watched::{Virtual, Watched};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Of one service, who serves it, and what becomes of them. To serve is to take new connections: to
/// have weight, and not to be down, drained or in maintenance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prospect {
    /// Is it in the other configuration at all?
    pub stays: bool,
    /// Real servers that serve, or would if the resource were active here.
    pub serving: usize,
    /// Of these, those that the other configuration does not name, or does not use.
    pub dropped: usize,
    /// Of these, those that it names and that do not serve in it any more: it gives them no weight.
    pub rested: usize,
    /// Real servers that do not serve now and can then, as far as is known of them.
    pub fresh: usize,
    /// Of these, those that are no news: they are named, and have been checked, before.
    pub proven: usize,
}

impl Fleet {
    /// Of each service that is in force, what `next` would make of it.
    pub(crate) fn prospects(
        &self,
        next: &Config,
        maintained: &BTreeSet<Place>,
        now: Instant,
    ) -> BTreeMap<ServiceKey, Prospect> {
        let named: BTreeMap<_, _> = next.services.iter().map(|one| (one.key, one)).collect();
        let services = self.services.iter().map(|(key, service)| {
            let then = named.get(key).map(|config| {
                let mut then = Virtual::new((*config).clone(), now);
                let _ = self.take_over(&mut then, Some(service.clone()), now);
                for row in then.reals.values_mut() {
                    row.health.maintenance |= maintained.contains(&(*key, row.config.configured));
                }
                then
            });
            (*key, prospect(service, then.as_ref()))
        });
        services.collect()
    }
}

fn prospect(service: &Virtual, then: Option<&Virtual>) -> Prospect {
    let (carrying, leaving) = (service.carrying(), service.leaving());
    let serving: BTreeSet<DestinationKey> = carrying.union(&leaving).copied().collect();
    let Some(then) = then else {
        return Prospect {
            serving: serving.len(),
            dropped: serving.len(),
            ..Prospect::default()
        };
    };
    let rows = |of: fn(&&Watched) -> bool| places(then.reals.values().filter(of));
    let named = rows(|row| row.config.check != Check::Off);
    let able = rows(|row| row.may_serve());
    // Who leaves does so for these: with one of them all is as it was agreed.
    let successors = service.successors();
    let succeeded = successors.intersection(&able).next().is_some();
    let agreed = |real: &DestinationKey| succeeded && leaving.contains(real);
    let gone = serving.difference(&able).filter(|real| !agreed(real));
    let gone: BTreeSet<DestinationKey> = gone.copied().collect();
    let fresh = able.difference(&serving);
    let fresh = fresh.filter(|real| !successors.contains(real));
    let fresh: BTreeSet<DestinationKey> = fresh.copied().collect();
    let known = places(service.reals.values().filter(|row| !row.is_awaited()));
    Prospect {
        stays: true,
        serving: serving.len(),
        dropped: gone.difference(&named).count(),
        rested: gone.intersection(&named).count(),
        fresh: fresh.len(),
        proven: fresh.intersection(&known).count(),
    }
}

/// As the file names them.
fn places<'a>(rows: impl Iterator<Item = &'a Watched>) -> BTreeSet<DestinationKey> {
    rows.map(|row| row.config.configured).collect()
}
