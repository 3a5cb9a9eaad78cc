//! What this director has put into the kernel's table, on disk for its next life: its services, and
//! which of their `pe` and `tunnel` are its own doing and not somebody else's.
//!
//! A director that is killed, or that hands over, leaves its services there; if the file has lost
//! some of them meanwhile, nobody else knows whose they are. The ledger lies beside the pid file,
//! where it ends with the machine as the table does. An orderly stop removes it.

use crate::instance::Instance;
use crate::kept::{self, File, Found, Kept};
use crate::siblings;
use ldird_core::config::Config;
use ldird_core::input::{Left, Said};
use ldird_core::table::{DestinationKey, Protocol, ServiceKey};
use std::collections::BTreeSet;
use std::net::SocketAddr;

const SUFFIX: &str = "services";

pub(crate) type Services = BTreeSet<ServiceKey>;

/// The ledger of a running director.
#[derive(Debug)]
pub(crate) struct Ledger(Kept<Left>);

impl Ledger {
    /// Takes over what earlier lives of this file left, under whatever name they ran, and gives it
    /// back. Needs a runtime.
    pub(crate) fn open(instance: &Instance, wanted: &Left) -> (Self, Left) {
        let file = File::of(instance, SUFFIX, text);
        let mut found = kept::find(instance, SUFFIX);
        let left = read_all(&found);
        let mut all = wanted.clone();
        all.services.extend(&left.services);
        all.said.extend(left.said.clone());
        // Best effort: without it only a crash leaves something behind.
        if file.write(&all).is_ok() {
            found.retain(|one| one.path != file.path);
            let _ = kept::remove_all(&found);
        }
        (Self(Kept::new(file, Some(all))), left)
    }

    /// These and no others are in the table from now on, or are about to be.
    pub(crate) fn note(&self, made: Left) {
        self.0.set(Some(made));
    }

    /// Everything has been cleaned as the configuration says.
    pub(crate) async fn remove(self) {
        self.0.set(None);
        self.0.settle().await;
    }

    /// Lets the last content reach the disk.
    pub(crate) async fn settle(self) {
        self.0.settle().await;
    }
}

/// What a director of this configuration makes of the table.
pub(crate) fn made_of(config: &Config) -> Left {
    Left {
        services: siblings::keys(config).copied().collect(),
        said: Said::of(config),
    }
}

/// What directors of this file that are no more have left in the table.
pub(crate) fn left_behind(instance: &Instance) -> Services {
    read_all(&kept::find(instance, SUFFIX)).services
}

/// That has been taken out.
pub(crate) fn forget(instance: &Instance) -> std::io::Result<()> {
    kept::remove_all(&kept::find(instance, SUFFIX))
}

const ENGINE: &str = "pe ";
const TUNNEL: &str = "tunnel ";

/// A line for each service, `pe SERVICE` and `tunnel SERVICE REAL`. A release that does not know the
/// longer ones passes over them.
fn text(left: &Left) -> String {
    let mut lines: Vec<String> = left.services.iter().map(ToString::to_string).collect();
    let engines = left.said.engines.iter();
    lines.extend(engines.map(|service| format!("{ENGINE}{service}")));
    let tunnels = left.said.tunnels.iter();
    lines.extend(tunnels.map(|(service, real)| {
        let real = SocketAddr::new(real.address, real.port);
        format!("{TUNNEL}{service} {real}")
    }));
    lines.into_iter().map(|line| line + "\n").collect()
}

fn read_all(found: &[Found]) -> Left {
    let mut left = Left::default();
    for line in found.iter().flat_map(|one| one.text.lines()) {
        if let Some(service) = line.strip_prefix(ENGINE) {
            left.said.engines.extend(parse(service));
        } else if let Some(words) = line.strip_prefix(TUNNEL) {
            left.said.tunnels.extend(tunnel(words));
        } else {
            left.services.extend(parse(line));
        }
    }
    left
}

fn tunnel(words: &str) -> Option<(ServiceKey, DestinationKey)> {
    let (service, real) = words.split_once(' ')?;
    let real: SocketAddr = real.parse().ok()?;
    let (address, port) = (real.ip(), real.port());
    Some((parse(service)?, DestinationKey { address, port }))
}

/// `tcp:10.0.0.100:80`, `fwm:5`, `fwm6:5`.
pub(crate) fn parse(line: &str) -> Option<ServiceKey> {
    let (kind, rest) = line.split_once(':')?;
    let address = |protocol| {
        let address = rest.parse().ok()?;
        Some(ServiceKey::Address { protocol, address })
    };
    match kind {
        "tcp" => address(Protocol::Tcp),
        "udp" => address(Protocol::Udp),
        "sctp" => address(Protocol::Sctp),
        "fwm" | "fwm6" => {
            let mark = rest.parse().ok().filter(|mark| *mark > 0)?;
            let v6 = kind == "fwm6";
            Some(ServiceKey::Fwmark { mark, v6 })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
