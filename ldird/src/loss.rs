//! What a reload would take out of service: half a file is a valid configuration, too. Pure.

use ldird_core::Prospect;
use ldird_core::table::ServiceKey;
use std::collections::BTreeMap;
use std::fmt;

/// More than half of what serves now would be gone; some of it `rests`, named and without weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    Whole {
        services: Share,
        reals: Share,
        rests: bool,
    },
    /// Of services that stay; this is the first of them.
    Within {
        service: ServiceKey,
        reals: Share,
        rests: bool,
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
        let rests = match self {
            Self::Whole {
                services,
                reals,
                rests,
            } => {
                write!(
                    f,
                    "it takes out {} of {} virtual services and {} of {} real servers that serve now",
                    services.gone, services.of, reals.gone, reals.of
                )?;
                rests
            }
            Self::Within {
                service,
                reals: Share { gone, of },
                rests,
                more,
            } => {
                write!(
                    f,
                    "it takes out {gone} of {of} real servers of {service} that serve now"
                )?;
                match more {
                    0 => {}
                    1 => f.write_str(", and as many of 1 more virtual service")?,
                    more => write!(f, ", and as many of {more} more virtual services")?,
                }
                rests
            }
        };
        if *rests {
            f.write_str("; who gets weight 0 is out as well")?;
        }
        Ok(())
    }
}

/// What goes, by what the other configuration makes of each service; `None` where at least half of it
/// stays.
///
/// Within a service, servers that can serve then and do not now make up for those that go: they have
/// other addresses, or it is the turn of the other half of them (blue and green). Of the whole those
/// make up that have been checked before, and new ones for servers that are still named and get no
/// weight any more. New names for old ones do not: a file, or a name server, that is wrong about most
/// of it is wrong.
pub(crate) fn loss(prospects: &BTreeMap<ServiceKey, Prospect>) -> Option<Loss> {
    let mut services = Share { gone: 0, of: 0 };
    let mut reals = services;
    let mut within = Vec::new();
    let mut rested = 0;
    for (key, one) in prospects.iter().filter(|(_, one)| one.serving > 0) {
        let of = one.serving;
        services.of += 1;
        reals.of += of;
        rested += one.rested;
        if one.stays {
            let known = one.proven.min(one.dropped);
            reals.gone += one.dropped - known + one.rested.saturating_sub(one.fresh - known);
            let gone = (one.dropped + one.rested).saturating_sub(one.fresh);
            let share = Share { gone, of };
            let rests = one.rested > 0;
            within.extend(share.is_most().then_some((*key, share, rests)));
        } else {
            services.gone += 1;
            reals.gone += of;
        }
    }
    if services.is_most() || reals.is_most() {
        let rests = rested > 0;
        return Some(Loss::Whole {
            services,
            reals,
            rests,
        });
    }
    let more = within.len().saturating_sub(1);
    let (service, reals, rests) = within.into_iter().next()?;
    Some(Loss::Within {
        service,
        reals,
        rests,
        more,
    })
}

#[cfg(test)]
mod tests;
