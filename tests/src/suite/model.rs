//! The table that ldird-core reasons about, against the real kernel's: the same edits, the same outcome.
//!
//! The director's simulation believes this model; here is why it may.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result, bail, ensure};
use ldird_core::diff;
use ldird_core::table::{
    DestinationKey, DestinationSpec, Edit, Forwarding, Protocol, Service, ServiceKey, ServiceSpec,
    Table, Tunnel, TunnelChecksum,
};
use ldird_ipvs as ipvs;

use super::random::Random;
use super::{Case, Place};
use crate::bed::network::Network;

pub(super) const CASES: &[Case] = &[Case {
    name: "ldird_core_model_equals_kernel",
    place: Place::Kernel,
    run: model_equals_kernel,
}];

const SEQUENCES: u64 = 30;
const EDITS: usize = 40;

fn model_equals_kernel() -> Result<()> {
    let network = Network::new()?;
    network.segment("lan")?;
    let host = network
        .host("director")
        .nic("lan", &["10.77.0.1/24"])
        .power_on()?;
    let (made, refused) = host.within(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(compare())
    })?;
    println!("    {made} edits made, {refused} refused, by both");
    ensure!(made > 300 && refused > 100, "too little happened");
    Ok(())
}

async fn compare() -> Result<(usize, usize)> {
    let mut client = ipvs::Client::connect().await?;
    let (mut made, mut refused) = (0, 0);
    for seed in 1..=SEQUENCES {
        client.flush().await?;
        let mut model = Table::new();
        let mut random = Random::new(seed);
        for number in 0..EDITS {
            let edit = draw(&mut random);
            let context = || format!("sequence {seed}, edit {number}: {edit:?}");
            let by_model = diff::apply(&mut model, &edit);
            let by_kernel = perform(&mut client, &edit).await.with_context(context)?;
            ensure!(
                by_model == by_kernel,
                "{}: the model says {by_model}, the kernel {by_kernel}",
                context()
            );
            let kernel = read(&mut client).await.with_context(context)?;
            ensure!(
                kernel == model,
                "{}: the model has\n{model:#?}\nthe kernel\n{kernel:#?}",
                context()
            );
            if by_model {
                made += 1;
            } else {
                refused += 1;
            }
        }
    }
    Ok((made, refused))
}

/// Few services and few addresses, so that edits meet what others left.
fn draw(random: &mut Random) -> Edit {
    let (service, v6, port) = draw_key(random);
    let row = |random: &mut Random| {
        let last = 1 + random.below(4) as u16;
        let address = if v6 {
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last))
        } else {
            IpAddr::V4(Ipv4Addr::new(10, 77, 1, last as u8))
        };
        DestinationKey { address, port }
    };
    match random.below(10) {
        0 | 1 => Edit::AddService(service, draw_service(random, v6)),
        2 => Edit::EditService(service, draw_service(random, v6)),
        3 => Edit::DeleteService(service),
        4..=6 => Edit::AddDestination(service, row(random), draw_destination(random)),
        7 | 8 => Edit::EditDestination(service, row(random), draw_destination(random)),
        _ => Edit::DeleteDestination(service, row(random)),
    }
}

/// The service, whether it is of IPv6, and the port of its destinations.
fn draw_key(random: &mut Random) -> (ServiceKey, bool, u16) {
    let at = |protocol, address: IpAddr, port| ServiceKey::Address {
        protocol,
        address: SocketAddr::new(address, port),
    };
    let v4 = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 100));
    let v6 = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 100));
    match random.below(5) {
        0 => (at(Protocol::Tcp, v4, 80), false, 80),
        1 => (at(Protocol::Udp, v4, 53), false, 53),
        2 => (at(Protocol::Tcp, v6, 80), true, 80),
        3 => (ServiceKey::Fwmark { mark: 5, v6: false }, false, 0),
        _ => (ServiceKey::Fwmark { mark: 5, v6: true }, true, 0),
    }
}

fn draw_service(random: &mut Random, v6: bool) -> ServiceSpec {
    let schedulers = ["rr", "wrr", "lc", "wlc", "sh"];
    let scheduler = schedulers[random.below(schedulers.len())];
    let host = if v6 { 128 } else { 32 };
    ServiceSpec {
        scheduler: scheduler.to_owned(),
        persistent: (random.below(3) == 0).then_some(600),
        netmask: if random.below(3) == 0 { 24 } else { host },
        one_packet: false,
        scheduler_flags: [false, scheduler == "sh" && random.below(2) == 0, false],
        pe: (random.below(3) == 0).then(|| "sip".to_owned()),
    }
}

fn draw_destination(random: &mut Random) -> DestinationSpec {
    let upper = random.below(3) as u32 * 10;
    let forwardings = [Forwarding::Gate, Forwarding::Masq, Forwarding::Ipip];
    DestinationSpec {
        forwarding: forwardings[random.below(forwardings.len())],
        weight: [0, 1, 7, 65_535][random.below(4)],
        upper,
        lower: upper / 2,
        tunnel: draw_tunnel(random),
    }
}

/// Whatever the forwarding: the kernel keeps it with every one.
fn draw_tunnel(random: &mut Random) -> Tunnel {
    let kinds = [
        TunnelChecksum::None,
        TunnelChecksum::Full,
        TunnelChecksum::Remote,
    ];
    match random.below(3) {
        0 => Tunnel::Ipip,
        1 => Tunnel::Gue {
            port: 6080,
            checksum: kinds[random.below(3)],
        },
        _ => Tunnel::Gre {
            checksum: kinds[random.below(2)],
        },
    }
}

/// Whether the kernel made it; anything but a refusal of the edit itself is an error.
async fn perform(client: &mut ipvs::Client, edit: &Edit) -> Result<bool> {
    use ipvs::Cause;
    let outcome = match edit {
        Edit::AddService(key, spec) => client.add_service(&service(*key, spec)).await,
        Edit::EditService(key, spec) => client.edit_service(&service(*key, spec)).await,
        Edit::DeleteService(key) => client.delete_service(&id(*key)).await,
        Edit::AddDestination(key, row, spec) => {
            client
                .add_destination(&id(*key), &destination(*row, spec))
                .await
        }
        Edit::EditDestination(key, row, spec) => {
            client
                .edit_destination(&id(*key), &destination(*row, spec))
                .await
        }
        Edit::DeleteDestination(key, row) => {
            client.delete_destination(&id(*key), address(*row)).await
        }
    };
    let Err(error) = outcome else {
        return Ok(true);
    };
    match error.cause() {
        Some(
            Cause::ServiceExists
            | Cause::NoSuchService
            | Cause::ServiceNotDefined
            | Cause::DestinationExists
            | Cause::NoSuchDestination,
        ) => Ok(false),
        _ => bail!(error),
    }
}

/// The kernel's table in the model's words.
async fn read(client: &mut ipvs::Client) -> Result<Table> {
    let mut table = Table::new();
    for status in client.dump().await? {
        let destinations = status.destinations.iter().map(|status| {
            let real = &status.destination;
            let row = DestinationKey {
                address: real.address.ip(),
                port: real.address.port(),
            };
            let spec = DestinationSpec {
                forwarding: match real.forwarding {
                    ipvs::Forwarding::Route => Forwarding::Gate,
                    ipvs::Forwarding::Masq => Forwarding::Masq,
                    ipvs::Forwarding::Tunnel => Forwarding::Ipip,
                    ipvs::Forwarding::Local => Forwarding::Local,
                    ipvs::Forwarding::Bypass => bail!("nobody asked for a bypass"),
                },
                weight: real.weight,
                upper: real.upper_threshold,
                lower: real.lower_threshold,
                tunnel: match real.tunnel {
                    ipvs::Tunnel::Ipip => Tunnel::Ipip,
                    ipvs::Tunnel::Gue { port, checksum } => Tunnel::Gue {
                        port,
                        checksum: read_checksum(checksum),
                    },
                    ipvs::Tunnel::Gre { checksum } => Tunnel::Gre {
                        checksum: read_checksum(checksum),
                    },
                },
            };
            Ok((row, spec))
        });
        let destinations = destinations.collect::<Result<BTreeMap<_, _>>>()?;
        let service = &status.service;
        let spec = ServiceSpec {
            scheduler: service.scheduler.clone(),
            persistent: service.flags.persistent.then_some(service.timeout),
            netmask: match service.netmask {
                ipvs::Netmask::V4(mask) => mask.to_bits().leading_ones() as u8,
                ipvs::Netmask::V6(prefix) => prefix,
            },
            one_packet: service.flags.one_packet,
            scheduler_flags: [
                service.flags.sched1,
                service.flags.sched2,
                service.flags.sched3,
            ],
            pe: service.pe_name.clone(),
        };
        table.insert(key(service.id), Service { spec, destinations });
    }
    Ok(table)
}

fn id(key: ServiceKey) -> ipvs::ServiceId {
    match key {
        ServiceKey::Address { protocol, address } => ipvs::ServiceId::Address {
            ip: address.ip(),
            protocol: match protocol {
                Protocol::Tcp => ipvs::Protocol::Tcp,
                Protocol::Udp => ipvs::Protocol::Udp,
                Protocol::Sctp => ipvs::Protocol::Sctp,
            },
            port: address.port(),
        },
        ServiceKey::Fwmark { mark, v6 } => ipvs::ServiceId::Fwmark {
            family: if v6 {
                ipvs::Family::V6
            } else {
                ipvs::Family::V4
            },
            mark,
        },
    }
}

fn key(id: ipvs::ServiceId) -> ServiceKey {
    match id {
        ipvs::ServiceId::Address { ip, protocol, port } => ServiceKey::Address {
            protocol: match protocol {
                ipvs::Protocol::Tcp => Protocol::Tcp,
                ipvs::Protocol::Udp => Protocol::Udp,
                ipvs::Protocol::Sctp => Protocol::Sctp,
            },
            address: SocketAddr::new(ip, port),
        },
        ipvs::ServiceId::Fwmark { family, mark } => ServiceKey::Fwmark {
            mark,
            v6: family == ipvs::Family::V6,
        },
    }
}

fn service(key: ServiceKey, spec: &ServiceSpec) -> ipvs::Service {
    let id = id(key);
    let mut service = ipvs::Service::new(id, &spec.scheduler);
    service.netmask = match id.family() {
        ipvs::Family::V4 => {
            let host_bits = 32_u32.saturating_sub(spec.netmask.into());
            ipvs::Netmask::V4(Ipv4Addr::from(u32::MAX.checked_shl(host_bits).unwrap_or(0)))
        }
        ipvs::Family::V6 => ipvs::Netmask::V6(spec.netmask),
    };
    service.pe_name.clone_from(&spec.pe);
    service.timeout = spec.persistent.unwrap_or(0);
    service.flags.persistent = spec.persistent.is_some();
    service.flags.one_packet = spec.one_packet;
    [
        service.flags.sched1,
        service.flags.sched2,
        service.flags.sched3,
    ] = spec.scheduler_flags;
    service
}

fn destination(row: DestinationKey, spec: &DestinationSpec) -> ipvs::Destination {
    let forwarding = match spec.forwarding {
        Forwarding::Gate => ipvs::Forwarding::Route,
        Forwarding::Masq => ipvs::Forwarding::Masq,
        Forwarding::Ipip => ipvs::Forwarding::Tunnel,
        Forwarding::Local => ipvs::Forwarding::Local,
    };
    ipvs::Destination {
        upper_threshold: spec.upper,
        lower_threshold: spec.lower,
        tunnel: match spec.tunnel {
            Tunnel::Ipip => ipvs::Tunnel::Ipip,
            Tunnel::Gue { port, checksum } => ipvs::Tunnel::Gue {
                port,
                checksum: made_checksum(checksum),
            },
            Tunnel::Gre { checksum } => ipvs::Tunnel::Gre {
                checksum: made_checksum(checksum),
            },
        },
        ..ipvs::Destination::new(address(row), forwarding, spec.weight)
    }
}

fn read_checksum(checksum: ipvs::TunnelChecksum) -> TunnelChecksum {
    match checksum {
        ipvs::TunnelChecksum::None => TunnelChecksum::None,
        ipvs::TunnelChecksum::Full => TunnelChecksum::Full,
        ipvs::TunnelChecksum::Remote => TunnelChecksum::Remote,
    }
}

fn made_checksum(checksum: TunnelChecksum) -> ipvs::TunnelChecksum {
    match checksum {
        TunnelChecksum::None => ipvs::TunnelChecksum::None,
        TunnelChecksum::Full => ipvs::TunnelChecksum::Full,
        TunnelChecksum::Remote => ipvs::TunnelChecksum::Remote,
    }
}

fn address(row: DestinationKey) -> SocketAddr {
    SocketAddr::new(row.address, row.port)
}
