//! The maintenance directory (specification 3.7): a file named after a real server takes it out.
//!
//! Names are addresses, or host names as whoever made the file would type them, each with or without
//! the port. Matching is done here, in memory; reading the directory and asking for host names is for
//! a thread.

use ldird_core::config::{Config, RealServer};
use ldird_core::table::{DestinationKey, ServiceKey};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Names read from a maintenance directory at most; more is not somebody's hand.
const NAMES_MAX: usize = 100_000;
/// Host names looked up at most.
const HOSTS_MAX: usize = 256;
/// A host name's addresses are asked for again after this time.
const HOSTS_EVERY: Duration = Duration::from_secs(60);
/// A directory that is on a disk at all is read within this time.
const LIST_LIMIT: Duration = Duration::from_secs(3);

/// The names in the directory.
pub(crate) type Listing = BTreeSet<String>;
/// The names, or why nobody knows them.
pub(crate) type Listed = Result<Listing, String>;
/// What host names stand for; an empty list if nobody knows.
pub(crate) type Hosts = BTreeMap<String, Vec<IpAddr>>;

/// Real servers that a file takes out.
#[derive(Debug, Default)]
pub(crate) struct Maintenance {
    listing: Listing,
    /// Why the directory could not be read at the last look, and whether that was told.
    unread: Option<String>,
    told: Option<String>,
    /// As last heard; a name that is not answered any more keeps its addresses.
    hosts: Hosts,
    ask_at: Option<Instant>,
    active: BTreeMap<Place, String>,
    /// Files that name no real server, and of which that was said.
    strangers: BTreeSet<String>,
}

type Place = (ServiceKey, DestinationKey);

/// One change of them; `real` as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) service: ServiceKey,
    pub(crate) real: DestinationKey,
    pub(crate) active: bool,
    /// The file that did it.
    pub(crate) file: String,
}

/// Reads the directory. One that does not exist is empty, and one that cannot be read is not: a disk
/// in trouble has ended nobody's maintenance. Hidden files are an editor's.
pub(crate) fn list(directory: Option<&Path>) -> Listed {
    let Some(directory) = directory else {
        return Ok(Listing::new());
    };
    let unread = |error: io::Error| format!("{} cannot be read: {error}", directory.display());
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Listing::new()),
        entries => entries.map_err(unread)?,
    };
    let mut listing = Listing::new();
    for entry in entries {
        let name = entry.map_err(unread)?.file_name().into_string();
        listing.extend(name.ok().filter(|name| !name.starts_with('.')));
        if listing.len() == NAMES_MAX {
            break;
        }
    }
    Ok(listing)
}

/// The same on a thread, whose end is not waited for.
pub(crate) async fn list_in_time(directory: Option<PathBuf>) -> Listed {
    let shown = directory.clone().unwrap_or_default();
    let reading = spawn_blocking(move || list(directory.as_deref()));
    match timeout(LIST_LIMIT, reading).await {
        Ok(Ok(listed)) => listed,
        Ok(Err(_)) => Err(format!("{} could not be read", shown.display())),
        Err(_) => Err(silent(&shown)),
    }
}

/// What is said of a directory that keeps its reader waiting.
fn silent(directory: &Path) -> String {
    let (directory, limit) = (directory.display(), LIST_LIMIT.as_secs());
    format!("{directory} has not answered within {limit} s")
}

/// Asks for the addresses of host names; takes as long as that takes.
pub(crate) fn resolve(names: BTreeSet<String>) -> Hosts {
    let addresses = |name: &str| {
        let found = (name, 0).to_socket_addrs();
        let found = found.map(|all| all.map(|address| address.ip()).collect());
        found.unwrap_or_default()
    };
    let asked = names.into_iter().map(|name| {
        let found: Vec<IpAddr> = addresses(&name);
        (name, found)
    });
    asked.collect()
}

impl Maintenance {
    /// What came and went since the last look, if there is anything to be seen.
    pub(crate) fn heard(&mut self, listed: Listed, config: &Config) -> Vec<Change> {
        let listing = self.known(listed);
        self.look(listing, config)
    }

    /// [`Self::look_afresh`], with what was last seen where nothing is to be seen.
    pub(crate) fn heard_afresh(&mut self, listed: Option<Listed>, config: &Config) -> Vec<Change> {
        let listing = match listed {
            Some(listed) => self.known(listed),
            None => self.listing.clone(),
        };
        self.look_afresh(listing, config)
    }

    fn known(&mut self, listed: Listed) -> Listing {
        match listed {
            Ok(listing) => {
                self.unread = None;
                listing
            }
            Err(error) => {
                self.unread = Some(error);
                self.listing.clone()
            }
        }
    }

    /// Why the directory cannot be read, once, and that it can be again.
    pub(crate) fn trouble(&mut self) -> Option<Result<(), String>> {
        if self.unread == self.told {
            return None;
        }
        self.told = self.unread.clone();
        Some(self.told.clone().map_or(Ok(()), Err))
    }

    /// What came and went since the last look.
    pub(crate) fn look(&mut self, listing: Listing, config: &Config) -> Vec<Change> {
        if listing == self.listing {
            return Vec::new();
        }
        if names_of_hosts(&listing) != names_of_hosts(&self.listing) {
            self.ask_at = None;
        }
        self.listing = listing;
        self.differences(config)
    }

    /// Host names have been answered.
    pub(crate) fn resolved(&mut self, answers: Hosts, config: &Config) -> Vec<Change> {
        for (name, addresses) in answers {
            let known = self.hosts.entry(name).or_default();
            if !addresses.is_empty() {
                *known = addresses;
            }
        }
        self.differences(config)
    }

    /// Looks for a configuration that has just come into force, whose real servers may know nothing
    /// of files that were there before.
    pub(crate) fn look_afresh(&mut self, listing: Listing, config: &Config) -> Vec<Change> {
        let mut changes = self.look(listing, config);
        changes.extend(self.differences(config));
        changes.retain(|change| !change.active);
        let all = self.active.iter();
        changes.extend(all.map(|(place, file)| change(*place, file, true)));
        changes
    }

    /// The host names that are to be asked for now.
    pub(crate) fn questions(&mut self, now: Instant) -> BTreeSet<String> {
        if self.ask_at.is_some_and(|at| now < at) {
            return BTreeSet::new();
        }
        self.ask_at = Some(now + HOSTS_EVERY);
        let names = names_of_hosts(&self.listing);
        self.hosts.retain(|name, _| names.contains(name));
        names.into_iter().take(HOSTS_MAX).collect()
    }

    /// Is this real server out by a file?
    pub(crate) fn holds(&self, service: ServiceKey, real: DestinationKey) -> bool {
        self.active.contains_key(&(service, real))
    }

    /// Files that name no real server of the configuration; each is given once.
    pub(crate) fn strangers(&mut self) -> Vec<String> {
        let matched: BTreeSet<&String> = self.active.values().collect();
        let answered = |name: &&String| match target(name) {
            Target::Host(host, _) => self.hosts.contains_key(host),
            Target::Address(..) | Target::Nobody => true,
        };
        let strange = self.listing.iter().filter(|name| !matched.contains(name));
        let strange: BTreeSet<String> = strange.filter(answered).cloned().collect();
        let fresh = strange.difference(&self.strangers).cloned().collect();
        self.strangers = strange;
        fresh
    }

    /// Who would be out by a file if this configuration were in force; `None`: by those last seen.
    pub(crate) fn foreseen(&self, listed: Option<&Listed>, config: &Config) -> BTreeSet<Place> {
        let listing = match listed {
            Some(Ok(listing)) => listing,
            Some(Err(_)) | None => &self.listing,
        };
        self.active_in(listing, config).into_keys().collect()
    }

    fn differences(&mut self, config: &Config) -> Vec<Change> {
        let now = self.active_in(&self.listing, config);
        let before = std::mem::replace(&mut self.active, now);
        let gone = before.iter();
        let gone = gone.filter(|(place, _)| !self.active.contains_key(place));
        let gone = gone.map(|(place, file)| change(*place, file, false));
        let came = self.active.iter();
        let came = came.filter(|(place, _)| !before.contains_key(place));
        let came = came.map(|(place, file)| change(*place, file, true));
        gone.chain(came).collect()
    }

    /// Who is named in the directory, and by which file.
    fn active_in(&self, listing: &Listing, config: &Config) -> BTreeMap<Place, String> {
        let mut files: BTreeMap<(IpAddr, Option<u16>), &String> = BTreeMap::new();
        for name in listing {
            match target(name) {
                Target::Address(address, port) => {
                    files.entry((address, port)).or_insert(name);
                }
                Target::Host(host, port) => {
                    for address in self.hosts.get(host).into_iter().flatten() {
                        files.entry((*address, port)).or_insert(name);
                    }
                }
                Target::Nobody => {}
            }
        }
        let mut active = BTreeMap::new();
        if files.is_empty() {
            return active;
        }
        for service in &config.services {
            for real in &service.reals {
                if let Some(file) = file_of(&files, real) {
                    active.insert((service.key, real.configured), file.clone());
                }
            }
        }
        active
    }
}

/// The port is the configuration's or, where the kernel takes the virtual's instead, that one, which
/// is what a listing shows.
fn file_of<'a>(
    files: &BTreeMap<(IpAddr, Option<u16>), &'a String>,
    real: &RealServer,
) -> Option<&'a String> {
    let ports = [Some(real.configured.port), Some(real.key.port), None];
    let mut names = ports.into_iter();
    names.find_map(|port| files.get(&(real.configured.address, port)).copied())
}

fn change((service, real): Place, file: &str, active: bool) -> Change {
    Change {
        service,
        real,
        active,
        file: file.to_owned(),
    }
}

/// What a file's name means.
enum Target<'a> {
    Address(IpAddr, Option<u16>),
    Host(&'a str, Option<u16>),
    /// Neither an address nor a host can have that name.
    Nobody,
}

/// `IP`, `IP:PORT`, `HOST`, `HOST:PORT`; IPv6 in brackets.
fn target(name: &str) -> Target<'_> {
    if let Ok(address) = name.parse::<SocketAddr>() {
        return Target::Address(address.ip(), Some(address.port()));
    }
    let bare = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(name).parse::<IpAddr>() {
        return Target::Address(address, None);
    }
    let (host, port) = match name.rsplit_once(':') {
        None => (name, None),
        Some((host, port)) => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => return Target::Nobody,
        },
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if host.is_empty() || !host.chars().all(allowed) {
        return Target::Nobody;
    }
    Target::Host(host, port)
}

fn names_of_hosts(listing: &Listing) -> BTreeSet<String> {
    let hosts = listing.iter().filter_map(|name| match target(name) {
        Target::Host(host, _) => Some(host.to_owned()),
        Target::Address(..) | Target::Nobody => None,
    });
    hosts.collect()
}

#[cfg(test)]
mod tests;
