//! What a reload would take out of service: half a file is a valid configuration, too. Pure.

use ha_status::{Health, VirtualService};
use ldird_core::config::{Check, Config};
use std::collections::BTreeSet;
use std::fmt;

/// More than half of what serves now would be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
    services: Share,
    reals: Share,
}

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    gone: usize,
    of: usize,
}

impl Share {
    fn is_most(self) -> bool {
        self.gone * 2 > self.of
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (services, reals) = (self.services, self.reals);
        write!(
            f,
            "it takes out {} of {} virtual services and {} of {} real servers that serve now",
            services.gone, services.of, reals.gone, reals.of
        )
    }
}

/// What goes if `next` replaces what is shown by `now`; `None` where at least half of it stays.
pub(crate) fn loss(now: &[VirtualService], next: &Config) -> Option<Loss> {
    let mut kept: BTreeSet<(String, String)> = BTreeSet::new();
    let mut kept_services: BTreeSet<String> = BTreeSet::new();
    for service in &next.services {
        let id = service.key.to_string();
        for real in service.reals.iter().filter(|real| real.check != Check::Off) {
            kept.insert((id.clone(), real.configured.to_string()));
        }
        kept_services.insert(id);
    }
    let mut services = Share { gone: 0, of: 0 };
    let mut reals = services;
    for service in now {
        let serving = service.reals.iter().filter(|real| {
            real.health == Health::Up && real.table_weight.is_some_and(|weight| weight > 0)
        });
        let serving: Vec<&str> = serving.map(|real| real.address.as_str()).collect();
        if serving.is_empty() {
            continue;
        }
        services.of += 1;
        services.gone += usize::from(!kept_services.contains(&service.id));
        reals.of += serving.len();
        let stays = |real: &&&str| kept.contains(&(service.id.clone(), (**real).to_owned()));
        reals.gone += serving.len() - serving.iter().filter(stays).count();
    }
    let loss = Loss { services, reals };
    (services.is_most() || reals.is_most()).then_some(loss)
}

#[cfg(test)]
mod tests;
