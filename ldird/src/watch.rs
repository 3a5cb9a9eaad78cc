//! What changes on disk while the director runs: the configuration file (specification 3.8) and the
//! maintenance directory (3.7). Looks when asked, keeps what it saw last.

use ldird_core::config::{Config, RealServer};
use ldird_core::table::{DestinationKey, ServiceKey};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Names read from a maintenance directory at most; more is not somebody's hand.
const NAMES_MAX: usize = 100_000;

/// Notices a changed configuration file by its content, once it keeps still: a file that is still
/// being written may be a valid configuration without its last virtual services.
#[derive(Debug)]
pub(crate) struct FileWatch {
    path: PathBuf,
    stamp: Option<Stamp>,
    /// The stamp changed at the last look; the content has not been read since.
    unsettled: bool,
    digest: Option<u64>,
}

type Stamp = (SystemTime, u64);

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
            stamp: None,
            unsettled: false,
            digest: None,
        };
        watch.accept();
        watch
    }

    /// What is there now is no change any more.
    pub(crate) fn accept(&mut self) {
        self.stamp = self.stamp_now();
        self.unsettled = false;
        self.digest = self.digest_now().or(self.digest);
    }

    /// Looks again. A change is told when two looks in a row find the same time and length.
    pub(crate) fn look(&mut self) -> Seen {
        let stamp = self.stamp_now();
        let before = std::mem::replace(&mut self.stamp, stamp);
        if stamp != before {
            self.unsettled = stamp.is_some();
            return if stamp.is_none() {
                Seen::Vanished
            } else {
                Seen::Same
            };
        }
        if !std::mem::take(&mut self.unsettled) {
            return Seen::Same;
        }
        let Some(digest) = self.digest_now() else {
            return Seen::Vanished;
        };
        let before = self.digest.replace(digest);
        if before.is_none_or(|before| before == digest) {
            Seen::Same
        } else {
            Seen::Changed
        }
    }

    fn stamp_now(&self) -> Option<Stamp> {
        let metadata = std::fs::metadata(&self.path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }

    fn digest_now(&self) -> Option<u64> {
        let content = std::fs::read(&self.path).ok()?;
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        Some(hasher.finish())
    }
}

/// Real servers that a file takes out.
#[derive(Debug, Default)]
pub(crate) struct Maintenance {
    active: BTreeSet<Place>,
}

/// One change of them; `real` as the file has it.
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
        let now = active(directory, config);
        let before = std::mem::replace(&mut self.active, now);
        let gone = before.difference(&self.active).map(|row| (row, false));
        let came = self.active.difference(&before).map(|row| (row, true));
        changes(gone.chain(came))
    }

    /// Looks for a configuration that has just come into force, whose real servers may know nothing
    /// of files that were there before.
    pub(crate) fn look_afresh(
        &mut self,
        directory: Option<&Path>,
        config: &Config,
    ) -> Vec<MaintenanceChange> {
        let now = active(directory, config);
        let before = std::mem::replace(&mut self.active, now);
        let gone = before.difference(&self.active).map(|row| (row, false));
        let all = self.active.iter().map(|row| (row, true));
        changes(gone.chain(all))
    }
}

type Place = (ServiceKey, DestinationKey);

fn changes<'a>(rows: impl Iterator<Item = (&'a Place, bool)>) -> Vec<MaintenanceChange> {
    rows.map(|(&(service, real), active)| MaintenanceChange {
        service,
        real,
        active,
    })
    .collect()
}

/// Who is named in the directory now.
fn active(directory: Option<&Path>, config: &Config) -> BTreeSet<Place> {
    let names = directory.map(names).unwrap_or_default();
    let mut active = BTreeSet::new();
    if names.is_empty() {
        return active;
    }
    for service in &config.services {
        let named =
            |real: &&RealServer| is_named(&names, real.configured) || is_named(&names, real.key);
        let reals = service.reals.iter().filter(named);
        active.extend(reals.map(|real| (service.key, real.configured)));
    }
    active
}

fn names(directory: &Path) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return BTreeSet::new();
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.take(NAMES_MAX).collect()
}

/// `IP:PORT` or `IP`, IPv6 in brackets. The port is the file's or, where the kernel takes the
/// virtual's instead, that one, which is what a listing shows.
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
