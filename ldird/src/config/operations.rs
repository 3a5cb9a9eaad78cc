//! What a file wants done beside the table: mail, commands, other directors, monitor files.

use super::given::{At, Faults, Given, RealLine, Service};
use super::{File, Section};
use crate::monitor::Monitor;
use ldird_core::alerts::{Audience, Phase, Rule, Rules};
use ldird_core::config::{ProbeId, VirtualService};
use ldird_core::table::{DestinationKey, Forwarding, ServiceKey};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Addresses of one `emailalert`.
const ADDRESSES_MAX: usize = 100;
/// Other configurations of `execute`.
const EXECUTES_MAX: usize = 100;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Operations {
    /// Run with the file's path when it has changed.
    pub(crate) callback: Option<String>,
    /// For a shell.
    pub(crate) fallbackcommands: BTreeMap<ServiceKey, String>,
    /// What was started is stopped at the end.
    pub(crate) fallbackcommandstop: bool,
    /// Configurations whose directors live and die with this one, each once, in file order.
    pub(crate) executes: Vec<String>,
    pub(crate) mail: Mail,
    /// Who wants a line for each answer of a check.
    pub(crate) monitors: BTreeMap<ProbeId, Vec<Monitor>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) rules: Rules,
    /// `emailalertfrom`.
    pub(crate) from: Option<String>,
    /// `servicename` and `comment`.
    pub(crate) signatures: BTreeMap<ServiceKey, Signature>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) name: String,
    pub(crate) comment: String,
}

pub(super) fn operations(
    file: &File,
    services: &[(&Section, &VirtualService)],
    monitors: BTreeMap<ProbeId, Vec<Monitor>>,
    faults: &mut Faults<'_>,
) -> Operations {
    let global = &file.global;
    let text = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
    let mut operations = Operations {
        callback: text(&global.callback),
        fallbackcommandstop: global
            .fallbackcommandstop
            .as_ref()
            .is_some_and(|at| at.value),
        executes: executes(&global.executes, faults),
        monitors,
        ..Operations::default()
    };
    operations.mail.from = text(&global.emailalertfrom);
    for (section, service) in services {
        let given = &section.given;
        let command = text(&given.fallbackcommand).or(text(&global.fallbackcommand));
        if let Some(command) = command {
            operations.fallbackcommands.insert(service.key, command);
        }
        if let Some(rule) = rule(given, global, service, faults) {
            operations.mail.rules.insert(service.key, rule);
        }
        let signature = Signature {
            name: service.name.clone(),
            comment: text(&given.comment).unwrap_or_default(),
        };
        operations.mail.signatures.insert(service.key, signature);
    }
    operations
}

/// Who is told of a service; `None` for nobody.
fn rule(
    given: &Given,
    global: &Given,
    service: &VirtualService,
    faults: &mut Faults<'_>,
) -> Option<Rule> {
    let to = given.emailalert.as_ref().or(global.emailalert.as_ref())?;
    let addresses = to.value.split(',').filter(|one| !one.trim().is_empty());
    match addresses.count() {
        0 => return None,
        1..=ADDRESSES_MAX => {}
        _ => {
            let message = format!("emailalert has more than {ADDRESSES_MAX} addresses: no mail");
            faults.warning(to.span, message);
            return None;
        }
    }
    let relay = given.smtp.as_ref().or(global.smtp.as_ref());
    let phases = given.emailalertstatus.as_ref();
    let phases = phases.or(global.emailalertstatus.as_ref());
    let repeat = given.emailalertfreq.as_ref();
    let repeat = repeat.or(global.emailalertfreq.as_ref());
    let phases = phases.map_or_else(all_phases, |at| at.value.clone());
    (!phases.is_empty()).then(|| Rule {
        audience: Audience {
            to: to.value.clone(),
            relay: relay.map(|at| at.value.clone()),
        },
        repeat: Duration::from_secs(repeat.map_or(0, |at| at.value).into()),
        phases,
        reals: service
            .reals
            .iter()
            .map(|real| (real.key, real.configured))
            .collect(),
    })
}

fn all_phases() -> BTreeSet<Phase> {
    [
        Phase::Starting,
        Phase::Running,
        Phase::Stopping,
        Phase::Reloading,
    ]
    .into()
}

/// Each name once. The old daemon takes quotes for a part of it, and finds no such file.
pub(super) fn executes(given: &[At<String>], faults: &mut Faults<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for at in given {
        let name = at.value.trim_matches('"').to_owned();
        if name.len() < at.value.len() {
            let message = format!("the quotes are no part of the name: {name}");
            let hint = "the old daemon takes them for a part of it";
            faults.warning_with(at.span, message, hint);
        }
        if name.is_empty() || names.contains(&name) {
            continue;
        }
        if names.len() >= EXECUTES_MAX {
            let message = format!("more than {EXECUTES_MAX} other configurations: not this one");
            faults.warning(at.span, message);
            continue;
        }
        names.push(name);
    }
    names
}

/// A section's part of the lines in its monitor file (specification C.2): the old daemon's name of a
/// check, which holds everything that was configured for it.
#[derive(Debug)]
pub(super) struct MonitorTemplate {
    file: PathBuf,
    service: ServiceKey,
    /// `negotiate http`, `external /bin/x`, `connect`.
    check: String,
    protocol: &'static str,
    virtualhost: String,
    checkport: String,
    request: String,
    receive: String,
}

impl MonitorTemplate {
    /// `None` if the section has no monitor file.
    pub(super) fn new(
        given: &Given,
        service: Service,
        key: ServiceKey,
        protocol: &'static str,
        check: CheckName<'_>,
    ) -> Option<Self> {
        let file = given.monitorfile.as_ref()?;
        let text = |at: &Option<At<String>>| at.as_ref().map_or("", |at| &at.value).to_owned();
        let port = given.checkport.as_ref().map(|at| at.value.to_string());
        Some(Self {
            file: PathBuf::from(&file.value),
            service: key,
            check: match check {
                CheckName::OfService(word) => format!("{word}:{service}"),
                CheckName::OfCommand(word) => {
                    let command = given.checkcommand.as_ref();
                    let command = command.map_or("/bin/true", |at| &at.value);
                    format!("{word}:{command}")
                }
                CheckName::Plain(word) => word.to_owned(),
            },
            protocol: match key {
                ServiceKey::Address { .. } => protocol,
                ServiceKey::Fwmark { .. } => "fwm",
            },
            virtualhost: text(&given.virtualhost),
            checkport: port.unwrap_or_default(),
            request: text(&given.request),
            receive: text(&given.receive),
        })
    }

    pub(super) fn monitor(
        &self,
        line: &RealLine,
        real: DestinationKey,
        forwarding: Forwarding,
    ) -> Monitor {
        let own = line.dialogue.as_ref();
        let request = own.map_or(&self.request, |(request, _)| &request.value);
        let receive = own.map_or(&self.receive, |(_, receive)| &receive.value);
        let address = match real.address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let start = [
            self.check.as_str(),
            self.protocol,
            &address,
            &real.port.to_string(),
            &self.virtualhost,
            &self.checkport,
            &line.weight.to_string(),
            &forwarding.to_string(),
        ];
        // Between blanks and escapes the old daemon's name comes apart as it does here.
        let start = start.join(":").replace('\\', "");
        let start: Vec<&str> = start.split(':').filter(|word| !word.is_empty()).collect();
        let slash = if request.starts_with('/') { "" } else { "/" };
        let plain = |text: &str| text.replace(':', " ").replace('\\', "");
        Monitor {
            file: self.file.clone(),
            service: self.service,
            real,
            id: format!(
                "{} {slash}{} {}",
                start.join(" "),
                plain(request),
                plain(receive)
            ),
        }
    }
}

/// How the old daemon names a kind of check.
#[derive(Debug, Clone, Copy)]
pub(super) enum CheckName<'a> {
    /// With the service behind it.
    OfService(&'a str),
    /// With the command behind it.
    OfCommand(&'a str),
    Plain(&'a str),
}
