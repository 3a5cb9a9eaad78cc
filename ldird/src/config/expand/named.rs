//! The names of a file, and real servers at other addresses of theirs than the one that is known.

use super::{Expansion, Recipe, is_refused};
use crate::config::given::{At, Family, RealLine};
use crate::config::names::{Answer, Name};
use crate::config::resolve::{self, Host};
use crate::config::virtual_server::What;
use crate::config::{File, Trial};
use ldird_core::config::{Check, RealServer};
use ldird_core::table::{DestinationKey, ServiceKey, Tunnel};
use std::collections::BTreeSet;
use std::time::Duration;

/// Every name whose address has to be asked for.
pub(in crate::config) fn names_of(file: &File) -> BTreeSet<Name> {
    let mut found = BTreeSet::new();
    let mut note = |at: &At<String>, family| {
        if resolve::host(&at.value, family) == Host::Name {
            found.insert((at.value.clone(), family));
        }
    };
    let scopes = std::iter::once(&file.global).chain(file.sections.iter().map(|one| &one.given));
    for given in scopes {
        let lines = [
            (&given.fallback, Family::V4),
            (&given.fallback6, Family::V6),
        ];
        for (line, family) in lines {
            if let Some(line) = line {
                note(&line.host, family);
            }
        }
        for line in &given.reals {
            note(&line.host, line.family);
            if let Some(last) = &line.last {
                note(last, line.family);
            }
        }
    }
    found.append(&mut virtual_names_of(file));
    found
}

/// Those of single real servers: another address of theirs can be checked beside the one that is known.
pub(in crate::config) fn tried_names_of(file: &File) -> BTreeSet<Name> {
    let lines = file.sections.iter().flat_map(|one| &one.given.reals);
    let single = lines.filter(|line| line.last.is_none());
    let names = single.map(|line| (line.host.value.clone(), line.family));
    names
        .filter(|(name, family)| resolve::host(name, *family) == Host::Name)
        .collect()
}

/// Those that stand in virtual lines.
pub(in crate::config) fn virtual_names_of(file: &File) -> BTreeSet<Name> {
    let lines = file.sections.iter().filter_map(|one| one.line.as_ref());
    let hosts = lines.filter_map(|line| match &line.what {
        What::Address { host, .. } => Some((host.value.clone(), line.family)),
        What::Mark(_) => None,
    });
    let is_name = |name: &Name| resolve::host(&name.0, name.1) == Host::Name;
    hosts.filter(is_name).collect()
}

impl Expansion<'_, '_, '_> {
    /// The server of a line at the address that is on trial for its name, if there is one.
    pub(super) fn tried_server_of(
        &mut self,
        line: &RealLine,
        key: ServiceKey,
        parts: (&Recipe, Duration, Tunnel),
    ) -> Option<RealServer> {
        let name = (line.host.value.clone(), line.family);
        let address = self.names.trial(&name).filter(|_| line.last.is_none())?;
        let known = match self.names.answer(&name) {
            Answer::Address(known) | Answer::Kept(known) => known,
            Answer::Missing => return None,
        };
        if is_refused(address) {
            return None;
        }
        let port = self.real_port(line)?;
        let real = self
            .servers_at(line, key, (vec![address], port), parts)
            .pop()?;
        let checked = matches!(real.check, Check::Probe(_));
        let known = DestinationKey {
            address: known,
            port,
        };
        self.trials.push(Trial {
            name,
            service: key,
            known,
            tried: real.configured,
            checked,
        });
        // Unchecked it would serve at once.
        checked.then_some(real)
    }
}
