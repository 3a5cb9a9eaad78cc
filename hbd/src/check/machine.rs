//! The configuration beside the machine it is for: interfaces, addresses, scripts. Everything that
//! would only show when a group starts, which may be months later on the backup.

use super::scripts;
use crate::cli::Common;
use crate::config::{Loaded, MediumSpec};
use crate::resources::address::{AddressError, AddressSpec, Labels, place, virtual_addresses};
use crate::resources::kernel::{Kernel, KernelError};
use crate::resources::view::{AddressRow, LabelNumbers, View};
use ha_plumbing::{Diagnostic, Diagnostics, Source};
use hbd_core::config::ResourceConfig;
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

/// Adds what is wrong on this machine.
pub(super) fn look(etc: &Path, common: &Common, loaded: &Loaded, found: &mut Diagnostics) {
    let path = etc.join("haresources");
    let place = Places {
        source: Source::read(&path).ok(),
        path: &path,
    };
    for (script, args) in scripts::needed(loaded) {
        for fault in scripts::judge(etc, script, args) {
            found.push(place.mark(fault, script, args));
        }
    }
    let view = match view(loaded) {
        Ok(view) => view,
        Err(error) => {
            let message = format!("this machine's addresses are not checked: {error}");
            found.push(Diagnostic::warning(message));
            return;
        }
    };
    if let Some(fault) = talks_to_itself(loaded.nodes.len(), &loaded.media, &view) {
        found.push(fault.in_file(&etc.join("ha.cf")));
    }
    // A running daemon may hold the addresses already.
    let running = UnixStream::connect(common.socket()).is_ok();
    for resource in loaded.groups.iter().flat_map(|group| &group.resources) {
        if let Some(fault) = address(loaded.builtin, resource, &view, running) {
            found.push(place.mark(fault, &resource.script, &resource.args));
        }
    }
}

/// The kernel's tables at this moment.
fn view(loaded: &Loaded) -> Result<Arc<View>, KernelError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| KernelError::Socket(Arc::new(error)))?;
    let ips = virtual_addresses(&loaded.groups).into_iter();
    runtime.block_on(async { Kernel::connect()?.view_towards(ips).await })
}

/// Where resources stand in haresources.
struct Places<'a> {
    source: Option<Source>,
    path: &'a Path,
}

impl Places<'_> {
    /// At the first word that means this resource.
    fn mark(&self, fault: Diagnostic, script: &str, args: &[String]) -> Diagnostic {
        let words = self.source.iter().flat_map(|source| {
            let words = source.lines().flat_map(|line| {
                let words: Vec<_> = line.before_comment().words().collect();
                words
            });
            words.map(move |word| (source, word))
        });
        let mut same = words.filter(|(_, word)| {
            let parts = word.text.split("::").filter(|part| !part.is_empty());
            let meant = std::iter::once(script).chain(args.iter().map(String::as_str));
            parts.eq(meant) || args.len() == 1 && args.first().is_some_and(|arg| arg == word.text)
        });
        match same.next() {
            Some((source, word)) => fault.at(source, word.span),
            None => fault.in_file(self.path),
        }
    }
}

/// Do all media lead back to this node?
fn talks_to_itself(nodes: usize, media: &[MediumSpec], view: &View) -> Option<Diagnostic> {
    let own = |ip: IpAddr| view.addresses().iter().any(|row| row.ip == ip);
    let lonely = |medium: &MediumSpec| medium.peer().is_some_and(own);
    if nodes < 2 || !media.iter().all(lonely) {
        return None;
    }
    let message = "every ucast names this node itself: no heartbeat reaches another node, and each \
                   node would own every group";
    Some(Diagnostic::error(message).hint("name the other node's address as well"))
}

/// What would fail, or hurt, when this address is put here.
fn address(
    builtin: bool,
    resource: &ResourceConfig,
    view: &View,
    running: bool,
) -> Option<Diagnostic> {
    let script = resource.script.as_str();
    if !matches!(script, "IPaddr" | "IPaddr2") {
        return None;
    }
    let spec = AddressSpec::parse(&resource.args).ok()?;
    if let Some(row) = own(&spec, view).filter(|_| !running) {
        let device = view.link(row.link).map_or("?", |link| link.name.as_str());
        let message = format!(
            "{script}: {} is this node's own address on {device}: it would end on every node, and \
             this node would lose it with the group",
            spec.ip
        );
        let hint = "a resource needs an address of its own, which no node has otherwise";
        return Some(Diagnostic::error(message).hint(hint));
    }
    let error = place(&spec, Labels::Written, view, &mut LabelNumbers::new()).err()?;
    let fault = if builtin {
        Diagnostic::error(format!("{script}: {error}"))
    } else {
        Diagnostic::warning(format!("{script}: {error}"))
    };
    Some(match error {
        AddressError::NoDevice(_) => fault.hint("`ip link` shows the interfaces"),
        // It may be on when the group starts.
        AddressError::Off(_) => Diagnostic::warning(format!("{script}: {error}")).ownership(),
        AddressError::Address(_)
        | AddressError::Mask(_)
        | AddressError::Device(_)
        | AddressError::Broadcast(_)
        | AddressError::TooManyParts(_)
        | AddressError::Missing
        | AddressError::NoRoute(_) => fault,
    })
}

/// The row of this address if it is a machine's own one: without a label, and the first of its
/// network on its interface. An address that hbd or a script has put has a label, or comes second,
/// or is a network of its own.
fn own<'a>(spec: &AddressSpec, view: &'a View) -> Option<&'a AddressRow> {
    let rows = view.addresses();
    let mut same = rows.iter().enumerate().filter(|(_, row)| row.ip == spec.ip);
    let own = |(at, row): &(usize, &AddressRow)| {
        let label = row.label.as_deref();
        let labelled = label.is_some_and(|label| label.contains(':'));
        let widths = (row.ip, row.prefix);
        let lone = matches!(widths, (IpAddr::V4(_), 32) | (IpAddr::V6(_), 128));
        let mut earlier = rows.iter().take(*at);
        let second = earlier.any(|one| one.is_neighbour(row));
        !labelled && !lone && !second
    };
    same.find(own).map(|(_, row)| row)
}

#[cfg(test)]
mod tests;
