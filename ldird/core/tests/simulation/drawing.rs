//! What a seed draws before its history begins: a configuration, and what stands in the kernel.

use super::random::Random;
use ldird_core::config::{
    AgentCheck, Check, Config, Fallback, ProbeId, RealServer, Standby, VirtualService,
};
use ldird_core::options::{Options, Panic, SecondOpinion};
use ldird_core::table::{
    DestinationKey, DestinationSpec, Forwarding, Protocol, Service, ServiceKey, ServiceSpec, Table,
    Tunnel, TunnelChecksum,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(1);
const QUICK_INTERVAL: Duration = Duration::from_millis(250);
/// What is drawn apart, so that older seeds keep their meaning.
const OPTIONS: u64 = 77 << 40;
const AGENTS: u64 = 78 << 40;
const INCOMPLETE: u64 = 79 << 40;
const OPINIONS: u64 = 80 << 40;
const STANDBY_INTERVAL: Duration = Duration::from_secs(3);

pub(crate) fn service_key(number: u8) -> ServiceKey {
    let address = SocketAddr::from(([10, 0, 0, number], 80));
    ServiceKey::Address {
        protocol: Protocol::Tcp,
        address,
    }
}

pub(crate) fn row(last: u8) -> DestinationKey {
    DestinationKey {
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 1, last)),
        port: 80,
    }
}

pub(crate) const FALLBACK: u8 = 250;
/// Services of a big table.
const MANY: u8 = 70;
/// Addresses 1 to this one are real servers.
pub(crate) const REALS: u8 = 6;
/// What the number of the second question about an address has more than that of the first.
const OTHER_QUESTION: u32 = 100;

/// The same for its agent.
const AGENT: u32 = 200;

/// Whom each probe asks.
pub(crate) fn addresses() -> BTreeMap<ProbeId, DestinationKey> {
    let two = |last| {
        let number = u32::from(last);
        [number, number + OTHER_QUESTION].map(|id| (ProbeId(id), row(last)))
    };
    (1..=REALS).flat_map(two).collect()
}

/// `crowded`: beyond what counts as a small table, else only now and then.
pub(crate) fn draw_config(random: &mut Random, crowded: bool) -> Config {
    let count = if random.chance(2) || crowded {
        u64::from(MANY)
    } else {
        1 + random.below(3)
    };
    let services = (0..count)
        .map(|number| draw_service(random, number as u8))
        .collect();
    let mut config = Config {
        services,
        readdquiescent: random.chance(30),
        standby: Standby {
            table: random.chance(30),
            interval: random.chance(30).then_some(STANDBY_INTERVAL),
        },
        incomplete: false,
        seed: random.next(),
    };
    let mut apart = Random::new(config.seed ^ OPTIONS);
    if apart.chance(60) {
        for service in &mut config.services {
            service.options = draw_options(&mut apart);
            if apart.chance(10) {
                service.interval = QUICK_INTERVAL;
            }
        }
    }
    draw_agents(&mut config);
    draw_incomplete(&mut config);
    draw_opinions(&mut config);
    config
}

/// Every fifth configuration lacks servers, or services, whose names have no address yet.
fn draw_incomplete(config: &mut Config) {
    let mut apart = Random::new(config.seed ^ INCOMPLETE);
    if !apart.chance(20) {
        return;
    }
    config.incomplete = apart.chance(50);
    for service in &mut config.services {
        service.incomplete = apart.chance(50);
    }
}

/// The same when all names have addresses.
pub(crate) fn complete(random: &mut Random, config: &Config) -> Config {
    let mut config = config.clone();
    config.incomplete = false;
    for service in &mut config.services {
        let real = draw_real(random);
        let known = service.reals.iter().any(|one| one.key == real.key);
        if std::mem::take(&mut service.incomplete) && !known {
            service.reals.push(real);
        }
    }
    config
}

/// In every third configuration most services ask others before their last server leaves.
fn draw_opinions(config: &mut Config) {
    let mut apart = Random::new(config.seed ^ OPINIONS);
    if !apart.chance(33) {
        return;
    }
    for service in &mut config.services {
        let longest = Duration::from_secs(1 + apart.below(12));
        let asks = apart.chance(80);
        service.options.opinion = asks.then_some(SecondOpinion { longest });
    }
}

/// Every other configuration has agents, on most of its servers.
fn draw_agents(config: &mut Config) {
    let mut apart = Random::new(config.seed ^ AGENTS);
    if !apart.chance(50) {
        return;
    }
    let reals = config.services.iter_mut();
    for real in reals.flat_map(|service| &mut service.reals) {
        let last = (1..=REALS).find(|last| row(*last) == real.key);
        let last = last.filter(|_| real.check != Check::Off && apart.chance(70));
        real.agent = last.map(|last| AgentCheck {
            probe: ProbeId(u32::from(last) + AGENT),
            interval: INTERVAL,
        });
    }
}

/// Does it ask an agent?
pub(crate) fn is_agent(probe: ProbeId) -> bool {
    probe.0 > AGENT
}

fn draw_options(random: &mut Random) -> Options {
    let seconds = |random: &mut Random| Duration::from_secs(1 + random.below(7));
    let risecount = 1 + random.below(3) as u32;
    Options {
        risecount,
        enforce: random.chance(40),
        slowstart: random.chance(40).then(|| seconds(random)),
        panic: random.chance(40).then(|| Panic {
            percent: [20, 50, 90][random.below(3) as usize],
            longest: seconds(random),
        }),
        opinion: None,
    }
}

fn draw_service(random: &mut Random, number: u8) -> VirtualService {
    let reals = (0..=random.below(4))
        .map(|_| draw_real(random))
        .collect::<Vec<_>>();
    // Two lines for one address are legal, but what a checker may assume of them is not simple.
    let mut seen = BTreeSet::new();
    let reals = reals
        .into_iter()
        .filter(|real: &RealServer| seen.insert(real.key))
        .collect();
    VirtualService {
        key: service_key(number),
        spec: ServiceSpec {
            scheduler: if random.chance(50) { "wlc" } else { "rr" }.to_owned(),
            persistent: random.chance(30).then_some(600),
            netmask: 32,
            one_packet: false,
            scheduler_flags: [false; 3],
            pe: None,
        },
        reals,
        fallback: random.chance(60).then(|| Fallback {
            key: row(FALLBACK),
            forwarding: Forwarding::Gate,
        }),
        quiescent: random.chance(50),
        cleanstop: random.chance(80),
        incomplete: false,
        interval: INTERVAL,
        timeout: Duration::from_secs(5),
        failurecount: 1 + random.below(3) as u32,
        options: Options::default(),
        name: String::new(),
    }
}

fn draw_real(random: &mut Random) -> RealServer {
    let last = 1 + random.below(REALS.into()) as u8;
    let check = match random.below(20) {
        0 => Check::On,
        1 => Check::Off,
        2 | 3 => Check::Probe(ProbeId(u32::from(last) + OTHER_QUESTION)),
        _ => Check::Probe(ProbeId(u32::from(last))),
    };
    RealServer {
        key: row(last),
        configured: row(last),
        forwarding: if random.chance(80) {
            Forwarding::Gate
        } else {
            Forwarding::Masq
        },
        weight: random.below(5) as u32,
        upper: 0,
        lower: 0,
        tunnel: Tunnel::Ipip,
        check,
        agent: None,
        description: "connect".to_owned(),
    }
}

/// Services that are not ours, and leftovers in one that is.
pub(crate) fn draw_table(random: &mut Random, config: &Config) -> (Table, Table) {
    let spec = |w| DestinationSpec {
        forwarding: Forwarding::Gate,
        weight: w,
        upper: 0,
        lower: 0,
        tunnel: Tunnel::Gue {
            port: 6080,
            checksum: TunnelChecksum::Full,
        },
    };
    let make = |rows: Vec<(DestinationKey, DestinationSpec)>| Service {
        spec: ServiceSpec {
            scheduler: "sh".to_owned(),
            persistent: None,
            netmask: 32,
            one_packet: false,
            scheduler_flags: [false; 3],
            pe: Some("sip".to_owned()),
        },
        destinations: rows.into_iter().collect(),
    };
    let foreign: Table = (200..200 + random.below(3) as u8)
        .map(|number| (service_key(number), make(vec![(row(1), spec(7))])))
        .collect();
    let mut table = foreign.clone();
    if random.chance(50)
        && let Some(service) = config.services.first()
    {
        let rows = (1..5)
            .map(|last| (row(last), spec(random.below(3) as u32)))
            .collect();
        table.insert(service.key, make(rows));
    }
    (table, foreign)
}
