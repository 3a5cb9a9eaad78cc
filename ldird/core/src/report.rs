//! What others are told: notices for edits the kernel confirmed, and the rows a dashboard shows.

use crate::config::{Check, Config, RealServer, VirtualService};
use crate::desired;
use crate::health::{Health, State, Transition};
use crate::output::{Notice, When};
use crate::table::{DestinationKey, Edit, ServiceKey, Table};
use std::time::{Duration, Instant};

/// The notices for one confirmed edit; `stopping` while the daemon cleans up.
pub(crate) fn confirmed(
    config: &Config,
    health: &[Vec<Health>],
    edit: &Edit,
    stopping: bool,
) -> Vec<Notice> {
    let when = if stopping { When::Stop } else { When::Start };
    match edit {
        Edit::AddService(key, _) => vec![Notice::ServiceAdded(*key)],
        Edit::EditService(key, _) => vec![Notice::ServiceChanged(*key)],
        Edit::DeleteService(key) => {
            let mut notices = purged_reals(config, health, *key, when);
            notices.push(Notice::ServicePurged {
                service: *key,
                when,
            });
            notices
        }
        Edit::AddDestination(service, row, spec) => vec![match role(config, *service, *row) {
            Role::Fallback => Notice::FallbackAdded {
                service: *service,
                fallback: *row,
            },
            Role::Real | Role::Stranger => Notice::RealAdded {
                service: *service,
                real: *row,
                weight: spec.weight,
            },
        }],
        Edit::EditDestination(service, row, spec) if spec.weight == 0 => {
            vec![Notice::RealQuiesced {
                service: *service,
                real: *row,
            }]
        }
        Edit::EditDestination(service, row, spec) => {
            vec![Notice::RealRestored {
                service: *service,
                real: *row,
                weight: spec.weight,
            }]
        }
        Edit::DeleteDestination(service, row) => vec![match role(config, *service, *row) {
            Role::Fallback => Notice::FallbackDeleted {
                service: *service,
                fallback: *row,
            },
            Role::Real => Notice::RealDeleted {
                service: *service,
                real: *row,
            },
            Role::Stranger => Notice::RealPurged {
                service: *service,
                real: *row,
                when,
            },
        }],
    }
}

/// What a verdict may change in the steady part of a snapshot, for comparison.
pub(crate) fn shown(health: &Health) -> (u32, String, Option<String>) {
    let (message, unasked) = (&health.message, &health.could_not_ask);
    (health.failures, message.clone(), unasked.clone())
}

/// The notice for what a verdict changed, if anything.
pub(crate) fn transition(
    service: &VirtualService,
    real: &RealServer,
    health: &Health,
    transition: Transition,
) -> Option<Notice> {
    let (key, address, message) = (service.key, real.configured, health.message.clone());
    match transition {
        Transition::None => None,
        Transition::WentUp => Some(Notice::Up {
            service: key,
            real: address,
            message,
        }),
        Transition::WentDown => Some(Notice::Down {
            service: key,
            real: address,
            message,
        }),
        Transition::SoftFailure => Some(Notice::SoftFailure {
            service: key,
            real: address,
            failures: health.failures,
            limit: service.failurecount,
            message,
        }),
        Transition::Recovered => Some(Notice::SoftFailureReset {
            service: key,
            real: address,
        }),
    }
}

enum Role {
    Real,
    Fallback,
    Stranger,
}

fn role(config: &Config, service: ServiceKey, row: DestinationKey) -> Role {
    let Some(service) = config.services.iter().find(|row| row.key == service) else {
        return Role::Stranger;
    };
    if service.reals.iter().any(|real| real.key == row) {
        Role::Real
    } else if service
        .fallback
        .as_ref()
        .is_some_and(|fallback| fallback.key == row)
    {
        Role::Fallback
    } else {
        Role::Stranger
    }
}

fn purged_reals(
    config: &Config,
    health: &[Vec<Health>],
    key: ServiceKey,
    when: When,
) -> Vec<Notice> {
    let ours = config
        .services
        .iter()
        .zip(health)
        .filter(|(service, _)| service.key == key);
    ours.flat_map(|(service, health)| service.reals.iter().zip(health))
        .filter(|(real, health)| desired::serves(real, health))
        .map(|(real, _)| Notice::RealPurged {
            service: key,
            real: real.key,
            when,
        })
        .collect()
}

/// The rows of a snapshot. Kernel counters stay zero.
pub(crate) fn services(
    config: &Config,
    health: &[Vec<Health>],
    kernel: &Table,
    now: Instant,
    wall_ms: u64,
) -> Vec<ha_status::VirtualService> {
    let clock = Clock { now, wall_ms };
    config
        .services
        .iter()
        .zip(health)
        .map(|(service, health)| service_row(service, health, kernel, clock))
        .collect()
}

#[derive(Clone, Copy)]
struct Clock {
    now: Instant,
    wall_ms: u64,
}

impl Clock {
    fn age_ms(self, then: Instant) -> u64 {
        milliseconds(self.now.saturating_duration_since(then))
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn service_row(
    service: &VirtualService,
    health: &[Health],
    kernel: &Table,
    clock: Clock,
) -> ha_status::VirtualService {
    let table = kernel.get(&service.key);
    let weight = |key: &DestinationKey| {
        table
            .and_then(|service| service.destinations.get(key))
            .map(|spec| spec.weight)
    };
    let (address, protocol) = match service.key {
        ServiceKey::Address { protocol, address } => (address.to_string(), protocol.to_string()),
        ServiceKey::Fwmark { mark, .. } => (mark.to_string(), "fwm".to_owned()),
    };
    let is_real = |key: &DestinationKey| service.reals.iter().any(|real| real.key == *key);
    ha_status::VirtualService {
        id: service.key.to_string(),
        address,
        protocol,
        scheduler: service.spec.scheduler.clone(),
        persistent: service.spec.persistent.unwrap_or(0),
        name: service.name.clone(),
        in_table: table.is_some(),
        fallback: service
            .fallback
            .as_ref()
            .map(|fallback| ha_status::Fallback {
                address: fallback.key.to_string(),
                forwarding: fallback.forwarding.to_string(),
                active: weight(&fallback.key).is_some() && !is_real(&fallback.key),
            }),
        reals: service
            .reals
            .iter()
            .zip(health)
            .map(|(real, health)| {
                real_row(real, health, weight(&real.key), service.failurecount, clock)
            })
            .collect(),
        connections: 0,
        packets_in: 0,
        bytes_in: 0,
    }
}

fn real_row(
    real: &RealServer,
    health: &Health,
    table_weight: Option<u32>,
    failure_limit: u32,
    clock: Clock,
) -> ha_status::RealServer {
    ha_status::RealServer {
        address: real.configured.to_string(),
        forwarding: real.forwarding.to_string(),
        weight: real.weight,
        table_weight,
        health: verdict(real, health),
        since_ms: clock.wall_ms.saturating_sub(clock.age_ms(health.since)),
        failures: health.failures,
        failure_limit,
        check: real.description.clone(),
        message: health.message.clone(),
        could_not_ask: health.could_not_ask.clone(),
        checked_ms: health.checked.map(|then| clock.age_ms(then)),
        took_us: health
            .took
            .map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
        active_connections: 0,
        inactive_connections: 0,
        connections: 0,
    }
}

fn verdict(real: &RealServer, health: &Health) -> ha_status::Health {
    match (real.check, health.maintenance, health.state) {
        (Check::Off, _, _) => ha_status::Health::Off,
        (_, true, _) => ha_status::Health::Maintenance,
        (_, false, State::Unknown) => ha_status::Health::Unknown,
        (_, false, State::Up) => ha_status::Health::Up,
        (_, false, State::Down) => ha_status::Health::Down,
    }
}
