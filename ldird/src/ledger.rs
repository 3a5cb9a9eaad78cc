//! What this director has put into the kernel's table, on disk for its next life.
//!
//! A director that is killed, or that hands over, leaves its services there; if the file has lost
//! some of them meanwhile, nobody else knows whose they are. The ledger lies beside the pid file,
//! where it ends with the machine as the table does. An orderly stop removes it.

use crate::instance::Instance;
use crate::kept::{self, File, Kept};
use ldird_core::table::{Protocol, ServiceKey};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const SUFFIX: &str = "services";

pub(crate) type Services = BTreeSet<ServiceKey>;

/// The ledger of a running director.
#[derive(Debug)]
pub(crate) struct Ledger(Kept<Services>);

impl Ledger {
    /// Takes over what earlier lives of this file left, under whatever name they ran, and gives it
    /// back. Needs a runtime.
    pub(crate) fn open(instance: &Instance, services: &Services) -> (Self, Services) {
        let file = File::of(instance, SUFFIX, text);
        let mut found = kept::find(instance, SUFFIX);
        let left: Services = found.iter().flat_map(|one| parse_all(&one.text)).collect();
        let all: Services = services.union(&left).copied().collect();
        // Best effort: without it only a crash leaves something behind.
        if file.write(&all).is_ok() {
            found.retain(|one| one.path != file.path);
            let _ = kept::remove_all(&found);
        }
        (Self(Kept::new(file, Some(all))), left)
    }

    /// These and no others are in the table from now on, or are about to be.
    pub(crate) fn note(&self, services: Services) {
        self.0.set(Some(services));
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

/// What directors of this file that are no more have left in the table.
pub(crate) fn left_behind(instance: &Instance) -> Services {
    let found = kept::find(instance, SUFFIX);
    found.iter().flat_map(|one| parse_all(&one.text)).collect()
}

/// That has been taken out.
pub(crate) fn forget(instance: &Instance) -> std::io::Result<()> {
    kept::remove_all(&kept::find(instance, SUFFIX))
}

fn text(services: &Services) -> String {
    services.iter().fold(String::new(), |mut text, service| {
        writeln!(text, "{service}").expect("writing to a String succeeds");
        text
    })
}

fn parse_all(text: &str) -> Services {
    text.lines().filter_map(parse).collect()
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
