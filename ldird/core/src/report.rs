//! What others are told: notices for edits the kernel confirmed, and the rows a dashboard shows.

use crate::agent::Agent;
use crate::config::{Check, VirtualService};
use crate::fleet::Fleet;
use crate::health::{Health, State};
use crate::ledger::{Ledger, Made};
use crate::options::Options;
use crate::output::{Notice, When};
use crate::table::{DestinationKey, Edit, ServiceKey};
use crate::watched::{Virtual, Watched};
use ha_status::{Asks, Stage};
use std::time::{Duration, Instant};

/// The notices for one confirmed edit; `When::Stop` while the daemon cleans up.
pub(crate) fn confirmed(fleet: &Fleet, made: &Made, when: When) -> Vec<Notice> {
    let Made { edit, before } = made;
    let service = edit.service();
    let config = fleet.get(service).map(|service| &service.config);
    // Weights that change again and again are no news.
    let often = |real| {
        let slow = config.is_some_and(|config| config.options.slowstart.is_some());
        let row = fleet
            .get(service)
            .and_then(|service| service.reals.get(real));
        slow || row.is_some_and(|row| row.agent.is_some())
    };
    match edit {
        Edit::AddService(..) => vec![Notice::ServiceAdded(service)],
        Edit::EditService(..) => vec![Notice::ServiceChanged(service)],
        Edit::DeleteService(_) => {
            let mut notices = purged_reals(fleet, service, when);
            notices.push(Notice::ServicePurged { service, when });
            notices
        }
        Edit::AddDestination(_, real, spec) => vec![added(fleet, service, *real, spec.weight)],
        Edit::EditDestination(_, real, spec) if spec.weight == 0 => {
            let real = *real;
            vec![Notice::RealQuiesced { service, real }]
        }
        Edit::EditDestination(_, real, spec)
            if before.is_some_and(|was| was > 0) && often(real) =>
        {
            vec![Notice::RealWeighted {
                service,
                real: *real,
                weight: spec.weight,
            }]
        }
        Edit::EditDestination(_, real, spec) => {
            vec![Notice::RealRestored {
                service,
                real: *real,
                weight: spec.weight,
            }]
        }
        Edit::DeleteDestination(_, row) => vec![deleted(fleet, service, *row, when)],
    }
}

fn added(fleet: &Fleet, service: ServiceKey, real: DestinationKey, weight: u32) -> Notice {
    match role(fleet, service, real) {
        Role::Fallback => Notice::FallbackAdded {
            service,
            fallback: real,
        },
        Role::Real if weight == 0 && fleet.readdquiescent => Notice::RealReadded { service, real },
        Role::Real | Role::Stranger => Notice::RealAdded {
            service,
            real,
            weight,
        },
    }
}

fn deleted(fleet: &Fleet, service: ServiceKey, real: DestinationKey, when: When) -> Notice {
    match role(fleet, service, real) {
        Role::Fallback => Notice::FallbackDeleted {
            service,
            fallback: real,
        },
        Role::Real => Notice::RealDeleted { service, real },
        Role::Stranger => Notice::RealPurged {
            service,
            real,
            when,
        },
    }
}

enum Role {
    Real,
    Fallback,
    Stranger,
}

fn role(fleet: &Fleet, service: ServiceKey, row: DestinationKey) -> Role {
    let Some(service) = fleet.get(service) else {
        return Role::Stranger;
    };
    let fallback = service.config.fallback.as_ref();
    if service.reals.contains_key(&row) {
        Role::Real
    } else if fallback.is_some_and(|fallback| fallback.key == row) {
        Role::Fallback
    } else {
        Role::Stranger
    }
}

fn purged_reals(fleet: &Fleet, service: ServiceKey, when: When) -> Vec<Notice> {
    let Some(ours) = fleet.get(service) else {
        return Vec::new();
    };
    let serving = ours.in_order().into_iter().filter(|row| row.serves());
    let serving = serving.map(|row| row.config.key);
    let leaving = ours.succession.rows().map(|(key, _)| *key);
    serving
        .chain(leaving)
        .map(|real| Notice::RealPurged {
            service,
            real,
            when,
        })
        .collect()
}

/// The rows of a snapshot. Kernel counters stay zero.
pub(crate) fn services(
    fleet: &Fleet,
    ledger: &Ledger,
    now: Instant,
    wall_ms: u64,
) -> Vec<ha_status::VirtualService> {
    let clock = Clock { now, wall_ms };
    let services = fleet.keys().filter_map(|key| fleet.get(key));
    services
        .map(|service| service_row(service, ledger, clock))
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

    fn wall_ms(self, at: Instant) -> u64 {
        let later = milliseconds(at.saturating_duration_since(self.now));
        (self.wall_ms + later).saturating_sub(self.age_ms(at))
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn service_row(service: &Virtual, ledger: &Ledger, clock: Clock) -> ha_status::VirtualService {
    let config = &service.config;
    let table = ledger.kernel().get(&config.key);
    let weight = |key: &DestinationKey| {
        table
            .and_then(|service| service.destinations.get(key))
            .map(|spec| spec.weight)
    };
    let (address, protocol) = match config.key {
        ServiceKey::Address { protocol, address } => (address.to_string(), protocol.to_string()),
        ServiceKey::Fwmark { mark, .. } => (mark.to_string(), "fwm".to_owned()),
    };
    let rows = service.in_order().into_iter();
    ha_status::VirtualService {
        id: config.key.to_string(),
        address,
        protocol,
        scheduler: config.spec.scheduler.clone(),
        persistent: config.spec.persistent.unwrap_or(0),
        name: config.name.clone(),
        in_table: table.is_some(),
        fallback: config
            .fallback
            .as_ref()
            .map(|fallback| ha_status::Fallback {
                address: fallback.key.to_string(),
                forwarding: fallback.forwarding.to_string(),
                active: weight(&fallback.key).is_some()
                    && !service.reals.contains_key(&fallback.key),
            }),
        leaving: service
            .on_their_way()
            .map(|(real, weight, until)| ha_status::Leaving {
                address: real.to_string(),
                weight,
                until_ms: clock.wall_ms(until),
            })
            .collect(),
        reals: rows
            .map(|row| real_row(row, weight(&row.config.key), config, clock))
            .collect(),
        panic: service.hold.map(|hold| {
            let held = service.reals.values().filter(|row| row.held);
            ha_status::Panic {
                failing: held.count(),
                since_ms: clock.wall_ms(hold.since),
                until_ms: clock.wall_ms(hold.until),
            }
        }),
        opinion: opinion(service, clock),
        enforced: ledger.enforced(config.key),
        connections: 0,
        packets_in: 0,
        bytes_in: 0,
    }
}

fn opinion(service: &Virtual, clock: Clock) -> Option<ha_status::SecondOpinion> {
    let opinion = service.opinion.as_ref()?;
    let rules = service.config.options.opinion?;
    let real = service.reals.get(&opinion.real)?;
    let configured = |key: &DestinationKey| {
        let row = service.reals.get(key);
        row.map_or(*key, |row| row.config.configured).to_string()
    };
    let held = opinion.held();
    Some(ha_status::SecondOpinion {
        real: real.config.configured.to_string(),
        node: held.map_or_else(String::new, |held| held.node.clone()),
        up: held.map_or_else(Vec::new, |held| held.up.iter().map(configured).collect()),
        since_ms: clock.wall_ms(opinion.since),
        until_ms: clock.wall_ms(opinion.until(rules)),
    })
}

fn real_row(
    row: &Watched,
    table_weight: Option<u32>,
    service: &VirtualService,
    clock: Clock,
) -> ha_status::RealServer {
    let (real, health) = (&row.config, &row.health);
    ha_status::RealServer {
        address: real.configured.to_string(),
        forwarding: real.forwarding.to_string(),
        weight: real.weight,
        table_weight,
        health: shown_health(row),
        since_ms: clock.wall_ms(row.shown_since()),
        failures: health.failures,
        failure_limit: service.failurecount,
        check: real.description.clone(),
        message: health.said().to_owned(),
        could_not_ask: health.could_not_ask.clone(),
        overrides: row.orders.iter().map(|one| one.shown.clone()).collect(),
        stage: stage(row, &service.options, clock),
        draining: None,
        trial: None,
        agent: row
            .agent
            .as_ref()
            .map(|agent| agent.shown(|at| clock.wall_ms(at))),
        certificate_until_ms: row.certificate.map(|seen| seen.until_ms),
        checked_ms: health.checked.map(|then| clock.age_ms(then)),
        took_us: health
            .took
            .map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
        active_connections: 0,
        inactive_connections: 0,
        connections: 0,
    }
}

/// Where it is on its way to what its checks say.
fn stage(row: &Watched, options: &Options, clock: Clock) -> Option<Stage> {
    let rising = row.health.passes > 0;
    let climbs = row.ramp.zip(options.slowstart);
    match (row.held || row.kept, rising, climbs) {
        (true, true | false, _) => Some(Stage::Held),
        (false, true, _) => Some(Stage::Rising {
            passes: row.health.passes,
            of: options.risecount,
        }),
        (false, false, Some((ramp, length))) => Some(Stage::SlowStart {
            weight: ramp.of(row.full_weight()),
            full_ms: clock.wall_ms(ramp.full_at(length)),
        }),
        (false, false, None) => None,
    }
}

/// What its checks find, unless its agent takes out who is well.
pub(crate) fn shown_health(row: &Watched) -> ha_status::Health {
    let health = verdict(row.config.check, &row.health);
    match (health, row.agent.as_ref().map(Agent::asks)) {
        (ha_status::Health::Up, Some(Asks::Maintenance)) => ha_status::Health::Maintenance,
        (ha_status::Health::Up, Some(Asks::Down)) => ha_status::Health::Down,
        (ha_status::Health::Up, None | Some(Asks::Serve | Asks::Drain))
        | (
            ha_status::Health::Unknown
            | ha_status::Health::Down
            | ha_status::Health::Maintenance
            | ha_status::Health::Off,
            _,
        ) => health,
    }
}

fn verdict(check: Check, health: &Health) -> ha_status::Health {
    match (check, health.maintenance, health.state) {
        (Check::Off, true | false, State::Unknown | State::Up | State::Down) => {
            ha_status::Health::Off
        }
        (Check::On | Check::Probe(_), true, State::Unknown | State::Up | State::Down) => {
            ha_status::Health::Maintenance
        }
        (Check::On | Check::Probe(_), false, State::Unknown) => ha_status::Health::Unknown,
        (Check::On | Check::Probe(_), false, State::Up) => ha_status::Health::Up,
        (Check::On | Check::Probe(_), false, State::Down) => ha_status::Health::Down,
    }
}
