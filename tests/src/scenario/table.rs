//! The kernel's balancing table as `ipvsadm` prints it: the one witness that is not ours.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use ha_status::DirectorSnapshot;

use crate::bed::host::Host;

/// ldirectord gives a fallback this weight.
const FALLBACK_WEIGHT: u32 = 1;

/// A destination of a virtual service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// `gate`, `masq` or `ipip`.
    pub forwarding: String,
    pub weight: u32,
}

/// A virtual service with its destinations by address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub scheduler: String,
    pub destinations: BTreeMap<String, Destination>,
}

/// All services by name, such as `tcp:10.10.0.100:80`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table(pub BTreeMap<String, Service>);

impl Table {
    /// The table of a host's kernel.
    pub fn of(host: &Host) -> Result<Self> {
        Self::parse(&host.run(&["ipvsadm", "-L", "-n"])?)
    }

    /// Reads what `ipvsadm -L -n` prints.
    fn parse(text: &str) -> Result<Self> {
        let mut services: BTreeMap<String, Service> = BTreeMap::new();
        let mut current: Option<String> = None;
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["->", address, method, weight, ..] if *address != "RemoteAddress:Port" => {
                    let service = current.as_ref().and_then(|name| services.get_mut(name));
                    let destination = Destination {
                        forwarding: forwarding(method).to_owned(),
                        weight: weight
                            .parse()
                            .with_context(|| format!("a weight in {line:?}"))?,
                    };
                    service
                        .with_context(|| format!("{line:?} belongs to no service"))?
                        .destinations
                        .insert((*address).to_owned(), destination);
                }
                [protocol @ ("TCP" | "UDP" | "SCTP"), address, scheduler, ..] => {
                    let name = format!("{}:{address}", protocol.to_lowercase());
                    services.insert(
                        name.clone(),
                        Service {
                            scheduler: (*scheduler).to_owned(),
                            destinations: BTreeMap::new(),
                        },
                    );
                    current = Some(name);
                }
                _ => {}
            }
        }
        Ok(Self(services))
    }

    /// What ldird says is in the table.
    pub fn shown_by(snapshot: &DirectorSnapshot) -> Self {
        let services = snapshot.services.iter().filter(|service| service.in_table);
        Self(
            services
                .map(|service| {
                    let reals = service.reals.iter().filter_map(|real| {
                        let destination = Destination {
                            forwarding: real.forwarding.clone(),
                            weight: real.table_weight?,
                        };
                        Some((real.address.clone(), destination))
                    });
                    let active = service.fallback.iter().filter(|fallback| fallback.active);
                    let fallback = active.map(|fallback| {
                        let destination = Destination {
                            forwarding: fallback.forwarding.clone(),
                            weight: FALLBACK_WEIGHT,
                        };
                        (fallback.address.clone(), destination)
                    });
                    let destinations = reals.chain(fallback);
                    (
                        service.id.clone(),
                        Service {
                            scheduler: service.scheduler.clone(),
                            destinations: destinations.collect(),
                        },
                    )
                })
                .collect(),
        )
    }

    /// The weight of a destination, if it is there.
    pub fn weight(&self, service: &str, address: &str) -> Option<u32> {
        let destination = self.0.get(service)?.destinations.get(address)?;
        Some(destination.weight)
    }

    /// `tcp:10.10.0.100:80 wlc: 10.10.0.11:80=1 10.10.0.12:80=1`, services after each other.
    pub fn describe(&self) -> String {
        let services = self.0.iter().map(|(name, service)| {
            let destinations: Vec<String> = service
                .destinations
                .iter()
                .map(|(address, destination)| format!("{address}={}", destination.weight))
                .collect();
            format!("{name} {}: {}", service.scheduler, destinations.join(" "))
        });
        let services: Vec<String> = services.collect();
        if services.is_empty() {
            return "empty".to_owned();
        }
        services.join(", ")
    }
}

/// Packets that the kernel counted for a virtual service since it was added.
pub fn packets(host: &Host, address: &str) -> Result<u64> {
    let text = host.run(&["ipvsadm", "-L", "-n", "--stats", "--exact"])?;
    packets_in(&text, address)
}

/// Columns after the address: connections, packets in, packets out, bytes in, bytes out.
fn packets_in(text: &str, address: &str) -> Result<u64> {
    let row = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|words| words.first() == Some(&"TCP") && words.get(1) == Some(&address));
    let row = row.with_context(|| format!("the kernel has no service at {address}"))?;
    ensure!(row.len() >= 4, "ipvsadm printed {row:?}");
    let packets = row.get(3).and_then(|number| number.parse().ok());
    packets.with_context(|| format!("no number of packets in {row:?}"))
}

/// ipvsadm's words for how packets travel, in ldirectord's.
fn forwarding(method: &str) -> &str {
    match method {
        // A destination on the director itself is printed by where it is, whatever was asked for.
        "Route" | "Local" => "gate",
        "Masq" => "masq",
        "Tunnel" => "ipip",
        other => other,
    }
}

#[cfg(test)]
mod tests;
