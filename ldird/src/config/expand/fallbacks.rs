//! Fallbacks: the global ones, once, and each service's.

use super::{Expansion, Found, NOT_USED, REFUSED, is_refused, table_key, title};
use crate::config::Section;
use crate::config::given::{FallbackLine, Family, Given};
use crate::config::resolve::{self, Host};
use ldird_core::config::{Fallback, RealServer};
use ldird_core::table::{DestinationKey, ServiceKey};
use std::net::IpAddr;

const WRONG_PORT: &str = "invalid port for fallback server";

impl<'a> Expansion<'a, '_, '_> {
    pub(super) fn resolve_global_fallbacks(&mut self) {
        let global = self.global;
        self.fallback = self.fallback_host(global.fallback.as_ref(), Family::V4);
        self.fallback6 = self.fallback_host(global.fallback6.as_ref(), Family::V6);
        self.judge_replaced(global);
        for line in [&global.fallback, &global.fallback6].into_iter().flatten() {
            let Some(port) = &line.port else { continue };
            let known = |protocol| self.ports.number(&port.value, Some(protocol));
            match (known("tcp"), known("udp")) {
                (Some(_), Some(_)) => {}
                (None, None) => self.faults.error(port.span, WRONG_PORT),
                (Some(_), None) | (None, Some(_)) => {
                    let message = "the fallback's port is a name that only tcp or only udp has";
                    self.faults.tolerated(port.span, message);
                }
            }
        }
    }

    /// A line that a later one has replaced is no use, and still an error where it is one.
    fn judge_replaced(&mut self, given: &Given) {
        for (family, line) in &given.replaced {
            if let Host::Wrong = resolve::host(&line.host.value, *family) {
                self.faults.error(line.host.span, wrong_host(line, *family));
            }
            let Some(port) = &line.port else { continue };
            let known = |protocol| self.ports.number(&port.value, Some(protocol)).is_some();
            if !known("tcp") && !known("udp") {
                self.faults.error(port.span, WRONG_PORT);
            }
        }
    }

    fn fallback_host(
        &mut self,
        line: Option<&'a FallbackLine>,
        family: Family,
    ) -> Option<(&'a FallbackLine, IpAddr)> {
        let line = line?;
        let message = wrong_host(line, family);
        match self.host(&line.host, family) {
            Found::Address(address) if is_refused(address) => {
                let message = format!("fallback {}: {REFUSED}", line.host.value);
                self.faults.warning_with(line.host.span, message, NOT_USED);
            }
            Found::Address(address) => return Some((line, address)),
            Found::Nowhere => {
                let message = format!("{message}; there is no fallback until it does");
                self.tell_missing(&line.host, message);
            }
            Found::Wrong => self.faults.error(line.host.span, message),
        }
        None
    }

    /// The section's own fallback, else the global one of its family.
    pub(super) fn fallback_of(
        &mut self,
        section: &'a Section,
        key: ServiceKey,
        reals: &[RealServer],
    ) -> Option<Fallback> {
        let (own, global) = match section.family {
            Family::V4 => (&section.given.fallback, self.fallback),
            Family::V6 => (&section.given.fallback6, self.fallback6),
        };
        self.judge_replaced(&section.given);
        let (line, address) = match own {
            Some(line) => self.fallback_host(Some(line), section.family),
            None => global,
        }?;
        let (own_port, protocol) = match key {
            ServiceKey::Address { protocol, address } => {
                (address.port(), Some(protocol.to_string()))
            }
            ServiceKey::Fwmark { .. } => (0, None),
        };
        let port = match &line.port {
            None => own_port,
            Some(at) => {
                let port = self.ports.number(&at.value, protocol.as_deref());
                let name = at.value.parse::<u16>().is_err();
                if name && protocol.is_none() && port.is_some() {
                    let message = "the port of a firewall mark's fallback is a name";
                    self.faults.tolerated(at.span, message);
                }
                let Some(port) = port else {
                    self.faults.error(at.span, WRONG_PORT);
                    return None;
                };
                port
            }
        };
        let configured = DestinationKey { address, port };
        let place = table_key(configured, line.forwarding, key);
        if reals.iter().any(|real| real.key == place) {
            let message = format!(
                "virtual {}: the fallback {place} is one of its real servers",
                title(key)
            );
            self.faults.warning(line.span, message);
        }
        Some(Fallback {
            key: place,
            forwarding: line.forwarding,
        })
    }
}

fn wrong_host(line: &FallbackLine, family: Family) -> String {
    let version = if family == Family::V4 { 4 } else { 6 };
    format!(
        "invalid IPv{version} address or could not resolve for fallback server: {}",
        line.host.value
    )
}
