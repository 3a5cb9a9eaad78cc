//! What was read, as JSON: every value that a director would act upon, after inheritance and
//! defaults. For `check --json`, and for comparing with the old daemon's own reading.

use super::Section;
use super::given::{At, CheckType, Family, Given, Method, RealLine, Service};
use super::names::{Answer, Names};
use super::resolve::{self, Host, Ports};
use ha_plumbing::{Diagnostic, Diagnostics, Severity};
use ldird_core::config::{RealServer, VirtualService};
use ldird_core::table::ServiceKey;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::path::Path;

/// One file.
pub(super) fn file(
    path: &Path,
    global: &Given,
    services: &[(&Section, &VirtualService)],
    known: Known<'_>,
    found: &Diagnostics,
) -> Value {
    let virtuals: Vec<Value> = services
        .iter()
        .map(|(section, service)| virtual_service(global, section, service, known))
        .collect();
    json!({
        "file": path,
        "usable": !found.has_errors(),
        "diagnostics": found.iter().map(diagnostic).collect::<Vec<_>>(),
        "autoreload": flag(global.autoreload.as_ref(), None, false),
        "readdquiescent": flag(global.readdquiescent.as_ref(), None, false),
        "supervised": flag(global.supervised.as_ref(), None, false),
        "virtuals": virtuals,
    })
}

fn diagnostic(one: &Diagnostic) -> Value {
    let severity = match one.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "severity": severity,
        "line": one.line(),
        "again": one.again.lines,
        "message": one.message,
    })
}

fn virtual_service(
    global: &Given,
    section: &Section,
    service: &VirtualService,
    known: Known<'_>,
) -> Value {
    let given = &section.given;
    let timeouts = resolve::timeouts(given, global);
    let port = match service.key {
        ServiceKey::Address { address, .. } => address.port(),
        ServiceKey::Fwmark { .. } => 0,
    };
    let checked = given.service.as_ref().map(|at| at.value);
    let fallback = service.fallback.as_ref().map(|fallback| {
        json!({
            "server": fallback.key.address.to_string(),
            "port": fallback.key.port,
            "forward": fallback.forwarding.to_string(),
        })
    });
    json!({
        "id": service.key.to_string(),
        "family": match section.family { Family::V4 => 4, Family::V6 => 6 },
        "scheduler": service.spec.scheduler,
        "persistent": service.spec.persistent,
        "netmask": service.spec.netmask,
        "ops": service.spec.one_packet,
        "service": checked.unwrap_or_else(|| Service::of_port(port)).name,
        "checktype": checktype(given.checktype.as_ref().map(|at| at.value)),
        "checkport": given.checkport.as_ref().map(|at| at.value),
        "request": request(given.request.as_ref().map_or("", |at| at.value.as_str())),
        "receive": text(given.receive.as_ref()),
        "virtualhost": given.virtualhost.as_ref().map(|at| at.value.as_str()),
        "httpmethod": match given.httpmethod.as_ref().map(|at| at.value) {
            None | Some(Method::Get) => "GET",
            Some(Method::Head) => "HEAD",
        },
        "checktimeout": timeouts.check.as_secs(),
        "negotiatetimeout": timeouts.negotiate.as_secs(),
        "checkinterval": service.interval.as_secs(),
        "checkcount": number(given.checkcount.as_ref(), global.checkcount.as_ref()),
        "failurecount": service.failurecount,
        "quiescent": service.quiescent,
        "cleanstop": service.cleanstop,
        "servicename": service.name,
        "fallback": fallback,
        "reals": reals(given, &service.reals, known),
    })
}

/// Each with the request of the line that names its place; of several the last one counts.
fn reals(given: &Given, reals: &[RealServer], known: Known<'_>) -> Vec<Value> {
    let own = |real: &RealServer| {
        let mut lines = given.reals.iter().rev();
        lines
            .find(|line| known.is_of(line, real))?
            .dialogue
            .as_ref()
    };
    let value = |real: &RealServer| {
        let own = own(real);
        json!({
            "server": real.configured.address.to_string(),
            "port": real.configured.port,
            "forward": real.forwarding.to_string(),
            "weight": real.weight,
            "lower": real.lower,
            "upper": real.upper,
            "request": own.map(|(asked, _)| request(&asked.value)),
            "receive": own.map(|(_, wanted)| wanted.value.as_str()),
        })
    };
    reals.iter().map(value).collect()
}

/// What names come to.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) names: &'a Names,
    pub(super) ports: &'a Ports,
}

impl Known<'_> {
    /// Is this a server of that line?
    fn is_of(self, line: &RealLine, real: &RealServer) -> bool {
        let Some(first) = self.address(&line.host, line.family) else {
            return false;
        };
        let last = line.last.as_ref().and_then(|last| {
            let short = resolve::short_end(first, &last.value);
            short.or_else(|| self.address(last, line.family))
        });
        let port = line.port.as_ref();
        let port = port.map_or(Some(0), |at| self.ports.number(&at.value, None));
        (port, line.forwarding, line.weight)
            == (Some(real.configured.port), real.forwarding, real.weight)
            && (first..=last.unwrap_or(first)).contains(&real.configured.address)
    }

    fn address(self, at: &At<String>, family: Family) -> Option<IpAddr> {
        match resolve::host(&at.value, family) {
            Host::Address(address) => Some(address),
            Host::Wrong => None,
            Host::Name => match self.names.answer(&(at.value.clone(), family)) {
                Answer::Address(address) | Answer::Kept(address) => Some(address),
                Answer::Missing => None,
            },
        }
    }
}

fn checktype(given: Option<CheckType>) -> String {
    match given.unwrap_or(CheckType::Negotiate) {
        CheckType::Connect => "connect".to_owned(),
        CheckType::Negotiate => "negotiate".to_owned(),
        CheckType::Ping => "ping".to_owned(),
        CheckType::Off => "off".to_owned(),
        CheckType::On => "on".to_owned(),
        CheckType::External => "external".to_owned(),
        CheckType::ExternalPerl => "external-perl".to_owned(),
        CheckType::Combined(every) => format!("combined {every}"),
    }
}

/// As it is asked for: with a slash at the beginning.
fn request(text: &str) -> String {
    if text.starts_with('/') {
        text.to_owned()
    } else {
        format!("/{text}")
    }
}

fn text(at: Option<&At<String>>) -> &str {
    at.map_or("", |at| at.value.as_str())
}

fn number(own: Option<&At<u32>>, inherited: Option<&At<u32>>) -> u32 {
    own.or(inherited).map_or(1, |at| at.value)
}

fn flag(own: Option<&At<bool>>, inherited: Option<&At<bool>>, default: bool) -> bool {
    own.or(inherited).map_or(default, |at| at.value)
}
