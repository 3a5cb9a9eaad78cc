//! What a configuration will need of this machine, looked at before the service depends on it: IPVS
//! in the kernel, its schedulers, somebody who answers at a fallback that is this machine, where checks
//! come from, and the programs that are to be run.

use crate::config::{Configuration, Operations};
use crate::mail;
use crate::probes::{Command, Dialler, PERL, Probe};
use crate::process;
use crate::sync::interface_index;
use ha_plumbing::{Diagnostic, Diagnostics};
use ldird_core::config::Config;
use ldird_core::table::{Protocol, ServiceKey};
use ldird_ipvs::Client;
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a fallback on this machine may take to accept a connection.
const FALLBACK_LIMIT: Duration = Duration::from_secs(1);

/// What this machine lacks.
pub(super) async fn lacks(config: &Config) -> Diagnostics {
    let mut found = Diagnostics::new();
    if let Err(error) = Client::connect().await {
        let fault = Diagnostic::error(error.to_string());
        let hint = "no virtual service can be set up on this machine; --offline does not look";
        found.push(fault.hint(hint));
    } else {
        let kernel = Kernel::running();
        let names = config.services.iter();
        let names: BTreeSet<&str> = names.map(|one| one.spec.scheduler.as_str()).collect();
        for name in names.into_iter().filter(|name| kernel.lacks(name)) {
            let message = format!("the kernel has no scheduler \"{name}\"");
            let hint = format!("module ip_vs_{name} is neither loaded nor installed");
            found.push(Diagnostic::error(message).hint(hint));
        }
    }
    for address in fallbacks(config) {
        let tried = timeout(FALLBACK_LIMIT, TcpStream::connect(address)).await;
        let reason = match tried {
            Ok(Ok(_)) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", FALLBACK_LIMIT.as_secs()),
        };
        let message = format!("nobody answers at the fallback {address}: {reason}");
        let hint = "clients that come while no real server is up are refused";
        found.push(Diagnostic::warning(message).hint(hint));
    }
    found
}

/// Programs that cannot be run, each once.
pub(super) fn programs(configuration: &Configuration) -> Diagnostics {
    let commands: BTreeSet<&Command> = configuration
        .probes
        .values()
        .filter_map(|probe| {
            let Probe::External(external) = &**probe else {
                return None;
            };
            Some(&external.command)
        })
        .collect();
    let mut found = Diagnostics::new();
    for fault in commands.into_iter().filter_map(fault_of) {
        found.push(fault);
    }
    let operations = &configuration.operations;
    for (name, text) in named(operations) {
        if let Some(fault) = fault_of_first_word(name, text) {
            found.push(fault);
        }
    }
    if let Some(lack) = mail::lacks(&operations.mail) {
        let hint = "install a mailer, or name a mail server: smtp=mail.example.org";
        found.push(Diagnostic::warning(lack).hint(hint));
    }
    found
}

/// The interface that is to carry synchronised connections.
pub(super) fn interface(configuration: &Configuration) -> Diagnostics {
    let mut found = Diagnostics::new();
    let name = configuration.sync.as_ref().map(|sync| &sync.interface);
    if let Some(name) = name.filter(|name| interface_index(name).is_err()) {
        let message = format!("syncdaemon: this machine has no interface {name}");
        let hint = "connections are not synchronised until there is one";
        found.push(Diagnostic::warning(message).hint(hint));
    }
    found
}

/// Addresses and interfaces that checks are to come from and that are not there, each once.
pub(super) fn origins(configuration: &Configuration) -> Diagnostics {
    let probes = configuration.probes.values();
    let origins: Vec<&Dialler> = probes.filter_map(|probe| probe.origin()).collect();
    let sources = origins.iter().filter_map(|origin| origin.source);
    let devices = origins.iter().filter_map(|origin| origin.device.as_deref());
    let (sources, devices): (BTreeSet<IpAddr>, BTreeSet<&str>) =
        (sources.collect(), devices.collect());
    let mut found = Diagnostics::new();
    for source in sources.into_iter().filter(|source| is_missing(*source)) {
        let message = format!("checksource={source} is no address of this machine");
        let hint = "until it is, nothing can be asked from there: servers stay as they are. One that \
                    moves with the service is there while the resource is active";
        found.push(Diagnostic::warning(message).hint(hint));
    }
    for device in devices {
        if interface_index(device).is_err() {
            let message = format!("checkdevice={device}: this machine has no such interface");
            let hint = "until it has, nothing can be asked through it: servers stay as they are";
            found.push(Diagnostic::warning(message).hint(hint));
        }
    }
    found
}

/// Would the kernel say to a check that it cannot come from there?
fn is_missing(address: IpAddr) -> bool {
    let bound = UdpSocket::bind((address, 0));
    bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
}

/// Each command once, with its directive.
fn named(operations: &Operations) -> BTreeSet<(&'static str, &str)> {
    let callback = operations.callback.iter();
    let callback = callback.map(|text| ("callback", text.as_str()));
    let commands = operations.fallbackcommands.values();
    let commands = commands.map(|text| ("fallbackcommand", text.as_str()));
    callback.chain(commands).collect()
}

/// A shell makes more of a text than its first word: only a path is judged.
fn fault_of_first_word(directive: &str, text: &str) -> Option<Diagnostic> {
    let words = process::words(text);
    let program = words.first().filter(|word| word.starts_with('/'))?;
    let why = process::find(Path::new(program)).err()?;
    let message = format!("the {directive} cannot be run: {why}");
    Some(Diagnostic::warning(message).hint("nothing happens when it is due"))
}

fn fault_of(command: &Command) -> Option<Diagnostic> {
    match command {
        Command::Words(words) => {
            let program = words.first().map_or("", String::as_str);
            let why = process::find(Path::new(program)).err()?;
            let message = format!("the checkcommand cannot be run: {why}");
            let hint = "every server that it is to check is down";
            Some(Diagnostic::warning(message).hint(hint))
        }
        Command::Perl(file) => {
            if let Err(why) = process::find(Path::new(PERL)) {
                let message = format!("checktype=external-perl needs Perl: {why}");
                let hint =
                    "install it (package perl), or make the script a program of its own: external";
                return Some(Diagnostic::error(message).hint(hint));
            }
            let error = std::fs::File::open(file).err()?;
            let message = format!("the Perl script cannot be read: {file}: {error}");
            let hint = "every server that it is to check is down";
            Some(Diagnostic::warning(message).hint(hint))
        }
    }
}

/// Fallbacks on this machine, over TCP. Others may well be out of this machine's reach and serve.
fn fallbacks(config: &Config) -> BTreeSet<SocketAddr> {
    let local = config.services.iter().filter_map(|service| {
        let tcp = matches!(
            service.key,
            ServiceKey::Address {
                protocol: Protocol::Tcp,
                ..
            }
        );
        let key = service.fallback.as_ref()?.key;
        (tcp && key.address.is_loopback()).then(|| SocketAddr::new(key.address, key.port))
    });
    local.collect()
}

/// Where the running kernel's modules are.
struct Kernel {
    /// `/sys/module`: loaded and built in, as far as it has parameters.
    loaded: PathBuf,
    /// `modules.dep` and `modules.builtin`; empty if this machine has neither.
    lists: String,
}

impl Kernel {
    fn running() -> Self {
        let release = rustix::system::uname();
        let release = release.release().to_string_lossy().into_owned();
        let folder = Path::new("/lib/modules").join(release);
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        Self {
            loaded: PathBuf::from("/sys/module"),
            lists: read("modules.dep") + &read("modules.builtin"),
        }
    }

    /// Is this scheduler surely absent? Without lists of modules nobody can tell.
    fn lacks(&self, scheduler: &str) -> bool {
        let file = format!("/ip_vs_{scheduler}.ko");
        let installed = self.lists.is_empty() || self.lists.contains(&file);
        !installed && !self.loaded.join(format!("ip_vs_{scheduler}")).exists()
    }
}

#[cfg(test)]
mod tests;
