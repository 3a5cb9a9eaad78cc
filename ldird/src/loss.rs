//! What a reload would take out of service: half a file is a valid configuration, too. Pure.

use ldird_core::config::{Check, Config, RealServer};
use ldird_core::table::{DestinationKey, ServiceKey};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Who takes connections, or would if the resource were active here: of each service, as the file names
/// them.
pub(crate) type Serving = BTreeMap<ServiceKey, Vec<DestinationKey>>;

/// More than half of what serves now would be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    Whole {
        services: Share,
        reals: Share,
    },
    /// Of services that stay; this is the first of them.
    Within {
        service: ServiceKey,
        reals: Share,
        more: usize,
    },
}

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
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
        match self {
            Self::Whole { services, reals } => write!(
                f,
                "it takes out {} of {} virtual services and {} of {} real servers that serve now",
                services.gone, services.of, reals.gone, reals.of
            ),
            Self::Within {
                service,
                reals: Share { gone, of },
                more,
            } => {
                write!(
                    f,
                    "it takes out {gone} of {of} real servers of {service} that serve now"
                )?;
                match more {
                    0 => Ok(()),
                    1 => f.write_str(", and as many of 1 more virtual service"),
                    more => write!(f, ", and as many of {more} more virtual services"),
                }
            }
        }
    }
}

/// What goes if `next` replaces `before`; `None` where at least half of it stays. Within a service
/// servers that the file has not named before make up for those that go: they have other addresses
/// now. Of the whole they do not: a file, or a name server, that is wrong about most of it is wrong.
pub(crate) fn loss(now: &Serving, before: &Config, next: &Config) -> Option<Loss> {
    let before: BTreeSet<(ServiceKey, DestinationKey)> = reals(before)
        .map(|(key, real)| (key, real.configured))
        .collect();
    let mut kept = BTreeSet::new();
    let mut new: BTreeMap<ServiceKey, usize> =
        next.services.iter().map(|one| (one.key, 0)).collect();
    for (key, real) in reals(next).filter(|(_, real)| real.check != Check::Off) {
        let place = (key, real.configured);
        kept.insert(place);
        if let Some(new) = new.get_mut(&key) {
            *new += usize::from(!before.contains(&place));
        }
    }
    let mut services = Share { gone: 0, of: 0 };
    let mut reals = services;
    let mut within = Vec::new();
    for (key, serving) in now.iter().filter(|(_, serving)| !serving.is_empty()) {
        let of = serving.len();
        let leaves = |real: &&DestinationKey| !kept.contains(&(*key, **real));
        let gone = serving.iter().filter(leaves).count();
        services.of += 1;
        reals.of += of;
        reals.gone += gone;
        match new.get(key) {
            None => services.gone += 1,
            Some(new) => {
                let gone = gone.saturating_sub(*new);
                let share = Share { gone, of };
                within.extend(share.is_most().then_some((*key, share)));
            }
        }
    }
    if services.is_most() || reals.is_most() {
        return Some(Loss::Whole { services, reals });
    }
    let more = within.len().saturating_sub(1);
    let (service, reals) = within.into_iter().next()?;
    Some(Loss::Within {
        service,
        reals,
        more,
    })
}

fn reals(config: &Config) -> impl Iterator<Item = (ServiceKey, &RealServer)> {
    let services = config.services.iter();
    services.flat_map(|service| service.reals.iter().map(|real| (service.key, real)))
}

#[cfg(test)]
mod tests;
