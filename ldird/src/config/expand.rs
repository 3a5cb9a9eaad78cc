//! What the file says becomes what the core must know: inheritance, names, ranges, defaults.
//!
//! Goes through everything even after a fault, so that all of them are told at once; the result
//! counts only if there was none.

mod fallbacks;
mod named;

use super::attributes;
use super::checks::{Question, Recipe};
use super::given::{At, FallbackLine, Family, Faults, Given, RealLine, Service};
use super::names::{Answer, Names};
use super::operations::{MonitorTemplate, operations};
use super::options;
use super::resolve::{self, Host, Ports, RangeFault};
use super::settings::{ipvs_timeouts, log_target, maintenancedir, seed};
use super::virtual_server::What;
use super::{Configuration, File, Section, Trial, sync};
use crate::monitor::Monitor;
use crate::probes::{Catalogue, Probe};
use ha_plumbing::Span;
use ldird_core::config::{AgentCheck, Check, Config, ProbeId, RealServer, Standby, VirtualService};
use ldird_core::table::{DestinationKey, Forwarding, Protocol, ServiceKey, Tunnel};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub(super) use named::{names_of, tried_names_of, virtual_names_of};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);

/// The configuration, and of each of its services the number of its section.
pub(super) fn expand(
    file: &File,
    names: &Names,
    catalogue: &mut Catalogue,
    faults: &mut Faults<'_>,
) -> (Configuration, Vec<usize>) {
    let mut expansion = Expansion {
        global: &file.global,
        names,
        ports: Ports::new(),
        fallback: None,
        fallback6: None,
        catalogue,
        probes: BTreeMap::new(),
        monitor: None,
        monitors: BTreeMap::new(),
        trials: Vec::new(),
        missing: false,
        missing_everywhere: false,
        faults,
    };
    options::tell_twice(&file.global, expansion.faults);
    expansion.resolve_global_fallbacks();
    expansion.missing_everywhere = std::mem::take(&mut expansion.missing);
    let Sections {
        found,
        numbers,
        incomplete,
    } = expansion.sections(file);
    let global = &file.global;
    let sections = numbers
        .iter()
        .filter_map(|number| file.sections.get(*number));
    let pairs: Vec<_> = sections.zip(&found).collect();
    let operations = operations(file, &pairs, expansion.monitors, expansion.faults);
    let configuration = Configuration {
        sync: sync::settings(global, &found, expansion.faults),
        core: Config {
            services: found,
            readdquiescent: flag(global.readdquiescent.as_ref(), None, false),
            standby: standby(global),
            incomplete,
            seed: seed(expansion.faults.source.path()),
        },
        reresolve: reresolve(global),
        log: log_target(global.logfile.as_ref(), expansion.faults),
        supervised: flag(global.supervised.as_ref(), None, false),
        autoreload: flag(global.autoreload.as_ref(), None, false),
        timeouts: ipvs_timeouts(global),
        maintenancedir: maintenancedir(global.maintenancedir.as_ref(), expansion.faults),
        probes: expansion.probes,
        operations,
        source: expansion.faults.source.clone(),
        names: names.clone(),
        trials: expansion.trials,
    };
    (configuration, numbers)
}

/// The services of a file, of each the number of its section, and whether others are missing whose names
/// have no address.
#[derive(Default)]
struct Sections {
    found: Vec<VirtualService>,
    numbers: Vec<usize>,
    incomplete: bool,
}

fn standby(global: &Given) -> Standby {
    Standby {
        table: flag(global.standbytable.as_ref(), None, false),
        interval: standby_interval(global),
    }
}

fn interval(given: &Given) -> Option<Duration> {
    options::time(given.checkinterval.as_ref(), given.checkintervalms.as_ref())
}

fn standby_interval(global: &Given) -> Option<Duration> {
    let seconds = global.standbyinterval.as_ref()?.value;
    Some(Duration::from_secs(seconds.into()))
}

fn reresolve(global: &Given) -> Option<Duration> {
    let seconds = global.reresolve.as_ref()?.value;
    Some(Duration::from_secs(seconds.into()))
}

const REFUSED: &str = "the kernel refuses servers at such an address";
const NOT_USED: &str = "it is not used";

/// Addresses that no destination of IPVS may have, on whatever machine (`__ip_vs_new_dest`).
fn is_refused(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_unspecified() || address.is_multicast() || address.is_broadcast()
        }
        IpAddr::V6(address) => {
            let link_local = address.is_unicast_link_local();
            address.is_unspecified() || address.is_multicast() || link_local
        }
    }
}

/// What becomes of a host.
enum Found {
    Address(IpAddr),
    /// A name that has no address yet.
    Nowhere,
    /// Neither an address nor a name.
    Wrong,
}

struct Expansion<'a, 'f, 's> {
    global: &'a Given,
    names: &'a Names,
    ports: Ports,
    /// The global fallbacks with their addresses, if they could be resolved.
    fallback: Option<(&'a FallbackLine, IpAddr)>,
    fallback6: Option<(&'a FallbackLine, IpAddr)>,
    catalogue: &'a mut Catalogue,
    probes: BTreeMap<ProbeId, Arc<Probe>>,
    /// The section's under way.
    monitor: Option<MonitorTemplate>,
    monitors: BTreeMap<ProbeId, Vec<Monitor>>,
    trials: Vec<Trial>,
    /// A name of the section under way has no address, or a global one.
    missing: bool,
    missing_everywhere: bool,
    faults: &'f mut Faults<'s>,
}

impl<'a> Expansion<'a, '_, '_> {
    /// All of them; where two come to one service, the first counts.
    fn sections(&mut self, file: &'a File) -> Sections {
        let mut sections = Sections::default();
        let mut services: BTreeMap<ServiceKey, Span> = BTreeMap::new();
        for (number, section) in file.sections.iter().enumerate() {
            let Some(service) = self.section(section) else {
                sections.incomplete |= std::mem::take(&mut self.missing);
                continue;
            };
            match services.entry(service.key) {
                Entry::Occupied(first) => {
                    let hint = format!("the first one stands on line {}", first.get().line);
                    self.faults
                        .error_with(section.span, "duplicate virtual server", hint);
                }
                Entry::Vacant(place) => {
                    place.insert(section.span);
                    sections.found.push(service);
                    sections.numbers.push(number);
                }
            }
        }
        sections
    }

    /// One virtual service; `None` if its own address is wrong.
    fn section(&mut self, section: &'a Section) -> Option<VirtualService> {
        let given = &section.given;
        let protocol = self.protocol(section);
        let key = self.key(section, protocol)?;
        let port = match key {
            ServiceKey::Address { address, .. } => address.port(),
            ServiceKey::Fwmark { .. } => 0,
        };
        let udp = protocol == Protocol::Udp && port_counts(key);
        let service = given.service.as_ref().map(|at| at.value);
        let service = service.unwrap_or_else(|| Service::of_port(port));
        let spec = attributes::spec(section, key, udp, self.faults);
        let title = title(key);
        let recipe = Recipe::new(section, self.global, service, udp, key, &title, self.faults);
        options::tell_twice(given, self.faults);
        let interval = interval(given).or_else(|| interval(self.global));
        let interval = interval.unwrap_or(DEFAULT_INTERVAL);
        let word = match protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        };
        self.monitor = MonitorTemplate::new(given, service, key, word, recipe.name());
        let reals = self.reals(section, key, &recipe, interval);
        let options = options::options(given, self.global, &reals, self.faults);
        let fallback = self.fallback_of(section, key, &reals);
        if port == 0 && port_counts(key) && spec.persistent.is_none() {
            let message = format!("virtual {title}: the kernel refuses port 0 without persistent");
            self.faults.warning(section.span, message);
        }
        let failures = number(
            given.failurecount.as_ref(),
            self.global.failurecount.as_ref(),
        );
        Some(VirtualService {
            key,
            spec,
            reals,
            fallback,
            quiescent: flag(
                given.quiescent.as_ref(),
                self.global.quiescent.as_ref(),
                false,
            ),
            cleanstop: flag(
                given.cleanstop.as_ref(),
                self.global.cleanstop.as_ref(),
                true,
            ),
            incomplete: std::mem::take(&mut self.missing) || self.missing_everywhere,
            interval,
            timeout: recipe.longest(),
            failurecount: failures.unwrap_or(1),
            options,
            name: given
                .servicename
                .as_ref()
                .map_or_else(String::new, |at| at.value.clone()),
        })
    }

    /// Tcp for a mark, where it plays no part.
    fn protocol(&mut self, section: &Section) -> Protocol {
        let what = section.line.as_ref().map(|line| &line.what);
        let Some(at) = &section.given.protocol else {
            let dns = matches!(what, Some(What::Address { port, .. })
                if matches!(port.value.as_str(), "53" | "domain"));
            return if dns { Protocol::Udp } else { Protocol::Tcp };
        };
        match (at.value.as_str(), what) {
            ("fwm", Some(What::Mark(_))) | ("tcp", Some(What::Address { .. }) | None) => {
                Protocol::Tcp
            }
            ("udp", Some(What::Address { .. }) | None) => Protocol::Udp,
            ("sctp", Some(What::Address { .. }) | None) => Protocol::Sctp,
            (_, Some(What::Mark(_))) => {
                let message = "protocol must be fwm if the virtual service is a fwmark (a number)";
                self.faults.error(at.span, message);
                Protocol::Tcp
            }
            ("", _) => {
                self.faults
                    .error_with(at.span, "invalid protocol", "tcp, udp or sctp");
                Protocol::Tcp
            }
            _ => {
                let message =
                    "protocol must be tcp or udp if the virtual service is an address and port";
                self.faults.error_with(at.span, message, "or sctp");
                Protocol::Tcp
            }
        }
    }

    fn key(&mut self, section: &Section, protocol: Protocol) -> Option<ServiceKey> {
        let line = section.line.as_ref()?;
        let v6 = line.family == Family::V6;
        let (host, port) = match &line.what {
            What::Mark(mark) => return Some(ServiceKey::Fwmark { mark: *mark, v6 }),
            What::Address { host, port } => (host, port),
        };
        const INVALID: &str = "invalid address for virtual service";
        let number = self.ports.number(&port.value, Some(&protocol.to_string()));
        let Some(number) = number else {
            let hint = if v6 {
                format!(
                    "port \"{}\" is unknown; an IPv6 address stands in brackets",
                    port.value
                )
            } else {
                format!(
                    "port \"{}\" is unknown: a number up to 65535 or a {protocol} service",
                    port.value
                )
            };
            self.faults.error_with(port.span, INVALID, hint);
            return None;
        };
        let address = match self.host(host, line.family) {
            Found::Address(address) => address,
            Found::Nowhere => {
                let message = format!(
                    "{INVALID}: {} does not resolve; the virtual service waits for it",
                    host.value
                );
                self.tell_missing(host, message);
                return None;
            }
            Found::Wrong => {
                let hint = format!("\"{}\" is no address and no host name", host.value);
                self.faults.error_with(host.span, INVALID, hint);
                return None;
            }
        };
        let address = SocketAddr::new(address, number);
        Some(ServiceKey::Address { protocol, address })
    }

    /// Every real server of a section, ranges expanded. Of two with the same place in the table
    /// the last one counts.
    fn reals(
        &mut self,
        section: &Section,
        key: ServiceKey,
        recipe: &Recipe,
        interval: Duration,
    ) -> Vec<RealServer> {
        let mut reals: Vec<RealServer> = Vec::new();
        let mut places: BTreeMap<DestinationKey, (usize, u32)> = BTreeMap::new();
        let tunnel = |line: &RealLine| {
            let tunnel = section.given.tunnel.as_ref();
            let tunnel = tunnel.filter(|_| line.forwarding == Forwarding::Ipip);
            tunnel.map_or(Tunnel::Ipip, |at| at.value)
        };
        for line in &section.given.reals {
            for real in self.servers_of(line, key, (recipe, interval, tunnel(line))) {
                match places.entry(real.key) {
                    Entry::Vacant(place) => {
                        place.insert((reals.len(), line.span.line));
                        reals.push(real);
                    }
                    Entry::Occupied(place) => {
                        let (index, first) = *place.get();
                        let message =
                            format!("real server {} stands on line {first}, too", real.key);
                        self.faults
                            .warning_with(line.span, message, "the last one counts");
                        if let Some(there) = reals.get_mut(index) {
                            *there = real;
                        }
                    }
                }
            }
        }
        // Behind the others: whoever stands in the file comes first.
        for line in &section.given.reals {
            if let Some(real) = self.tried_server_of(line, key, (recipe, interval, tunnel(line)))
                && let Entry::Vacant(place) = places.entry(real.key)
            {
                place.insert((reals.len(), line.span.line));
                reals.push(real);
            }
        }
        reals
    }

    fn servers_of(
        &mut self,
        line: &RealLine,
        key: ServiceKey,
        (recipe, interval, tunnel): (&Recipe, Duration, Tunnel),
    ) -> Vec<RealServer> {
        let (Some(addresses), Some(port)) = (self.addresses(line), self.real_port(line)) else {
            return Vec::new();
        };
        recipe.tell_portless(line, port, self.faults);
        self.servers_at(line, key, (addresses, port), (recipe, interval, tunnel))
    }

    fn servers_at(
        &mut self,
        line: &RealLine,
        key: ServiceKey,
        (addresses, port): (Vec<IpAddr>, u16),
        (recipe, interval, tunnel): (&Recipe, Duration, Tunnel),
    ) -> Vec<RealServer> {
        let mut servers = Vec::new();
        for address in addresses {
            let Some(question) = recipe.question(line, address, port, self.faults) else {
                break;
            };
            let check = match question {
                Question::On => Check::On,
                Question::Off => Check::Off,
                Question::Probe(probe) => {
                    let (id, probe) = self.catalogue.number(probe, interval);
                    self.probes.insert(id, probe);
                    Check::Probe(id)
                }
            };
            let agent = recipe.agent(address, interval).map(|(probe, interval)| {
                let (id, probe) = self.catalogue.number(probe, interval);
                self.probes.insert(id, probe);
                AgentCheck {
                    probe: id,
                    interval,
                }
            });
            let configured = DestinationKey { address, port };
            if let (Some(template), Check::Probe(id)) = (&self.monitor, check) {
                let monitor = template.monitor(line, configured, line.forwarding);
                self.monitors.entry(id).or_default().push(monitor);
            }
            servers.push(RealServer {
                key: table_key(configured, line.forwarding, key),
                configured,
                forwarding: line.forwarding,
                weight: line.weight,
                upper: line.upper,
                lower: line.lower,
                tunnel,
                check,
                agent,
                description: recipe.description(),
            });
        }
        servers
    }

    fn addresses(&mut self, line: &RealLine) -> Option<Vec<IpAddr>> {
        let first = self.real_host(&line.host, "host", line.family)?;
        let Some(end) = &line.last else {
            return Some(vec![first]);
        };
        let last = match resolve::short_end(first, &end.value) {
            Some(last) => {
                let message = format!("\"{}\" ends the range at {last}", end.value);
                self.faults.tolerated(end.span, message);
                last
            }
            None => self.real_host(end, "end host", line.family)?,
        };
        if line.family == Family::V6 {
            self.faults
                .tolerated(line.span, "a range of IPv6 addresses");
        }
        match resolve::range(first, last) {
            Ok(addresses) => Some(addresses),
            Err(RangeFault::Backwards) => {
                let message = format!(
                    "Invalid Range: {first}-{last}: First value must be greater than or equal to the second value"
                );
                self.faults
                    .error_with(end.span, message, "the lower address comes first");
                None
            }
            Err(RangeFault::Long) => {
                let message = format!(
                    "Invalid Range: {first}-{last}: more than {} servers",
                    resolve::RANGE_MAX
                );
                self.faults.error(end.span, message);
                None
            }
        }
    }

    /// The address of a real server; `None` after a complaint.
    fn real_host(&mut self, host: &At<String>, which: &str, family: Family) -> Option<IpAddr> {
        let message = format!(
            "invalid address ({}) for real server (could not resolve {which})",
            host.value
        );
        match self.host(host, family) {
            Found::Address(address) if is_refused(address) => {
                let message = format!("real server {}: {REFUSED}", host.value);
                self.faults.warning_with(host.span, message, NOT_USED);
            }
            Found::Address(address) => return Some(address),
            Found::Nowhere => {
                let message = format!("{message}; the others go on without it");
                self.tell_missing(host, message);
            }
            Found::Wrong => self.faults.error(host.span, message),
        }
        None
    }

    /// What stands there, or what is known of the name that does.
    fn host(&mut self, at: &At<String>, family: Family) -> Found {
        match resolve::host(&at.value, family) {
            Host::Address(address) => return Found::Address(address),
            Host::Wrong => return Found::Wrong,
            Host::Name => {}
        }
        match self.names.answer(&(at.value.clone(), family)) {
            Answer::Address(address) => Found::Address(address),
            Answer::Kept(address) => {
                let message = format!("{} does not resolve", at.value);
                let hint = format!("its last address is kept: {address}");
                self.faults.warning_with(at.span, message, hint);
                Found::Address(address)
            }
            Answer::Missing => Found::Nowhere,
        }
    }

    fn tell_missing(&mut self, host: &At<String>, message: String) {
        self.missing = true;
        if self.names.is_offline() {
            let message = format!("{} is not looked up", host.value);
            self.faults.minor(host.span, message);
        } else {
            let hint = "it is asked for again in the background";
            self.faults.warning_with(host.span, message, hint);
        }
    }

    fn real_port(&mut self, line: &RealLine) -> Option<u16> {
        let Some(at) = &line.port else {
            return Some(0);
        };
        let port = self.ports.number(&at.value, None);
        if port.is_none() {
            let message = format!(
                "invalid port ({}) for real server (could not resolve port)",
                at.value
            );
            self.faults.error(at.span, message);
        }
        port
    }
}

/// Where a destination stands in the kernel's table: gate and ipip cannot change the port
/// (specification 4.2). A mark has no port of its own.
fn table_key(
    configured: DestinationKey,
    forwarding: Forwarding,
    key: ServiceKey,
) -> DestinationKey {
    match (key, forwarding) {
        (ServiceKey::Address { address, .. }, Forwarding::Gate | Forwarding::Ipip) => {
            DestinationKey {
                port: address.port(),
                ..configured
            }
        }
        (ServiceKey::Address { .. } | ServiceKey::Fwmark { .. }, _) => configured,
    }
}

fn port_counts(key: ServiceKey) -> bool {
    matches!(key, ServiceKey::Address { .. })
}

/// `10.0.0.100:80` or the mark's number.
fn title(key: ServiceKey) -> String {
    match key {
        ServiceKey::Address { address, .. } => address.to_string(),
        ServiceKey::Fwmark { mark, .. } => mark.to_string(),
    }
}

fn flag(own: Option<&At<bool>>, inherited: Option<&At<bool>>, default: bool) -> bool {
    own.or(inherited).map_or(default, |at| at.value)
}

fn number(own: Option<&At<u32>>, inherited: Option<&At<u32>>) -> Option<u32> {
    own.or(inherited).map(|at| at.value)
}
