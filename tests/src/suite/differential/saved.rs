//! The kernel's table as ipvsadm saves it, by service.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use crate::bed::host::Host;

/// A table. Empty by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Saved(BTreeMap<String, Service>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Service {
    /// Scheduler, persistence, flags.
    head: String,
    /// `10.10.0.21:80 -g -w 1`, and thresholds where there are any.
    reals: BTreeSet<String>,
}

impl Saved {
    pub(super) fn of(host: &Host) -> Result<Self> {
        let saved = host.run(&["ipvsadm", "-S", "-n"])?;
        let limits = host.run(&["ipvsadm", "-L", "-n", "--thresholds"])?;
        Self::read(&saved, &limits)
    }

    fn read(saved: &str, limits: &str) -> Result<Self> {
        let limits = thresholds(limits);
        let mut services: BTreeMap<String, Service> = BTreeMap::new();
        for line in saved.lines() {
            let line = line.trim_end();
            let parts = |mark: &str| line.split_once(mark).with_context(|| line.to_owned());
            if let Some(rest) = line.strip_prefix("-A ") {
                let at = rest.find(" -s ").with_context(|| line.to_owned())?;
                let (service, head) = rest.split_at(at);
                let entry = services.entry(service.to_owned()).or_default();
                head.trim().clone_into(&mut entry.head);
            } else {
                let (service, real) = parts(" -r ")?;
                let service = service.trim_start_matches("-a ").to_owned();
                let address = real.split(' ').next().unwrap_or_default().to_owned();
                let limit = limits.get(&(service.clone(), address));
                let real = format!("{real}{}", limit.map_or("", String::as_str));
                services.entry(service).or_default().reals.insert(real);
            }
        }
        Ok(Self(services))
    }

    /// As ipvsadm names them: `-t 10.20.1.1:80`, `-f 5 -6`.
    pub(super) fn services(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn head(&self, service: &str) -> &str {
        self.0.get(service).map_or("", |service| &service.head)
    }

    /// `10.10.0.21:80 -g -w 1, 10.10.0.22:80 -g -w 1`, or `absent`.
    pub(super) fn reals(&self, service: &str) -> String {
        let Some(service) = self.0.get(service) else {
            return "absent".to_owned();
        };
        let reals: Vec<&str> = service.reals.iter().map(String::as_str).collect();
        reals.join(", ")
    }
}

/// ` u:20 l:10` by service and real server, where one of them is set.
fn thresholds(listed: &str) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    let mut service = String::new();
    for line in listed.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["TCP", address, ..] => service = format!("-t {address}"),
            ["UDP", address, ..] => service = format!("-u {address}"),
            ["FWM", mark, "IPv6", ..] => service = format!("-f {mark} -6"),
            ["FWM", mark, ..] => service = format!("-f {mark}"),
            ["->", address, upper, lower, ..] if (upper, lower) != ("0", "0") => {
                let limit = format!(" u:{upper} l:{lower}");
                found.insert((service.clone(), address.to_owned()), limit);
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests;
