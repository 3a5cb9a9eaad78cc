//! What changes on disk while the director runs: the configuration file (specification 3.8) and the
//! maintenance directory (3.7). Looks when asked, keeps what it saw last.

use ldird_core::config::Config;
use ldird_core::table::{DestinationKey, ServiceKey};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Names read from a maintenance directory at most; more is not somebody's hand.
const NAMES_MAX: usize = 100_000;

/// Notices a changed configuration file by its content.
#[derive(Debug)]
pub(crate) struct FileWatch {
    path: PathBuf,
    modified: Option<SystemTime>,
    digest: Option<u64>,
}

/// What became of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Same,
    Changed,
    /// It cannot be read any more; said once.
    Vanished,
}

impl FileWatch {
    /// Takes the file as it is now for the one in force.
    pub(crate) fn new(path: &Path) -> Self {
        let mut watch = Self {
            path: path.to_owned(),
            modified: None,
            digest: None,
        };
        watch.look();
        watch
    }

    /// Looks again; the content is read only if the time of its change is another.
    pub(crate) fn look(&mut self) -> Seen {
        let metadata = std::fs::metadata(&self.path);
        let modified = metadata.and_then(|metadata| metadata.modified()).ok();
        if modified.is_some() && modified == self.modified {
            return Seen::Same;
        }
        let known = self.modified.is_some();
        self.modified = modified;
        let Ok(content) = std::fs::read(&self.path) else {
            return if known { Seen::Vanished } else { Seen::Same };
        };
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        let before = self.digest.replace(hasher.finish());
        if before.is_none_or(|before| Some(before) == self.digest) {
            Seen::Same
        } else {
            Seen::Changed
        }
    }
}

/// Real servers that a file takes out.
#[derive(Debug, Default)]
pub(crate) struct Maintenance {
    active: BTreeSet<(ServiceKey, DestinationKey)>,
}

/// One change of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaintenanceChange {
    pub(crate) service: ServiceKey,
    pub(crate) real: DestinationKey,
    pub(crate) active: bool,
}

impl Maintenance {
    /// What came and went since the last look. A directory that cannot be read counts as empty.
    pub(crate) fn look(
        &mut self,
        directory: Option<&Path>,
        config: &Config,
    ) -> Vec<MaintenanceChange> {
        let names = directory.map(names).unwrap_or_default();
        let mut now = BTreeSet::new();
        if !names.is_empty() {
            for service in &config.services {
                let reals = service
                    .reals
                    .iter()
                    .filter(|real| is_named(&names, real.configured));
                now.extend(reals.map(|real| (service.key, real.key)));
            }
        }
        let before = std::mem::replace(&mut self.active, now);
        let gone = before.difference(&self.active).map(|row| (row, false));
        let came = self.active.difference(&before).map(|row| (row, true));
        gone.chain(came)
            .map(|(&(service, real), active)| MaintenanceChange {
                service,
                real,
                active,
            })
            .collect()
    }
}

fn names(directory: &Path) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return BTreeSet::new();
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.take(NAMES_MAX).collect()
}

/// `IP:PORT` or `IP`, IPv6 in brackets.
fn is_named(names: &BTreeSet<String>, real: DestinationKey) -> bool {
    let with_port = SocketAddr::new(real.address, real.port).to_string();
    let alone = if real.address.is_ipv6() {
        format!("[{}]", real.address)
    } else {
        real.address.to_string()
    };
    names.contains(&with_port) || names.contains(&alone)
}

#[cfg(test)]
mod tests;
