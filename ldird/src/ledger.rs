//! What this director has put into the kernel's table, on disk for its next life.
//!
//! A director that is killed, or that hands over, leaves its services there; if the file has lost
//! some of them meanwhile, nobody else knows whose they are. The ledger lies beside the pid file,
//! where it ends with the machine as the table does. An orderly stop removes it.

use crate::claim;
use crate::instance::Instance;
use ha_plumbing::pace::LOOK_EVERY;
use ldird_core::table::{Protocol, ServiceKey};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// More bytes than any ledger of ours has.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Ledgers in one folder that are looked at.
const LEDGERS_MAX: usize = 256;

pub(crate) type Services = BTreeSet<ServiceKey>;

/// The ledger of a running director. Writing happens on a thread; the newest content wins.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    content: watch::Sender<Services>,
    writing: JoinHandle<()>,
}

impl Ledger {
    /// Takes over what earlier lives of this file left, under whatever name they ran, and gives it
    /// back. Needs a runtime.
    pub(crate) fn open(instance: &Instance, services: &Services) -> (Self, Services) {
        let file = claim::identity(&instance.path);
        let path = path_of(instance);
        let (left, others) = left_behind(&path, &file);
        let all: Services = services.union(&left).copied().collect();
        // Best effort: without it only a crash leaves something behind.
        if write(&path, &file, &all).is_ok() {
            for other in others {
                let _ = fs::remove_file(other);
            }
        }
        let (content, changes) = watch::channel(all);
        let writing = tokio::spawn(keep(path.clone(), file, changes));
        let ledger = Self {
            path,
            content,
            writing,
        };
        (ledger, left)
    }

    /// These and no others are in the table from now on, or are about to be.
    pub(crate) fn note(&self, services: Services) {
        self.content.send_replace(services);
    }

    /// Everything has been cleaned as the configuration says.
    pub(crate) async fn remove(self) {
        let path = self.path.clone();
        self.settle().await;
        let _ = fs::remove_file(path);
    }

    /// Lets the last content reach the disk.
    pub(crate) async fn settle(self) {
        drop(self.content);
        let _ = self.writing.await;
    }
}

fn path_of(instance: &Instance) -> PathBuf {
    let name = format!("ldird.{}.services", instance.name);
    instance.socket.with_file_name(name)
}

/// Writes every change, and all again if somebody has removed the file.
async fn keep(path: PathBuf, file: PathBuf, mut changes: watch::Receiver<Services>) {
    loop {
        match timeout(LOOK_EVERY, changes.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) if path.exists() => continue,
            Err(_) => {}
        }
        let services = changes.borrow_and_update().clone();
        let (path, file) = (path.clone(), file.clone());
        let _ = tokio::task::spawn_blocking(move || write(&path, &file, &services)).await;
    }
}

/// What the ledgers in the folder that are about this configuration name, and where those are.
fn left_behind(own: &Path, file: &Path) -> (Services, Vec<PathBuf>) {
    let mut services = Services::new();
    let mut others = Vec::new();
    let folder = own.parent().map(fs::read_dir);
    let Some(Ok(entries)) = folder else {
        return (services, others);
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_ledger = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("ldird.") && name.ends_with(".services"))
    };
    for path in paths.filter(is_ledger).take(LEDGERS_MAX) {
        let Some(found) = read(&path, file) else {
            continue;
        };
        services.extend(found);
        if path != own {
            others.push(path);
        }
    }
    (services, others)
}

/// `None` if it is about another configuration, or is nothing of ours at all.
fn read(path: &Path, file: &Path) -> Option<Services> {
    let mut text = String::new();
    let opened = fs::File::open(path).ok()?;
    opened.take(BYTES_MAX).read_to_string(&mut text).ok()?;
    let (first, rest) = text.split_once('\n')?;
    (Path::new(first) == file).then(|| rest.lines().filter_map(parse).collect())
}

fn write(path: &Path, file: &Path, services: &Services) -> io::Result<()> {
    let mut text = format!("{}\n", file.display());
    for service in services {
        writeln!(text, "{service}").expect("writing to a String succeeds");
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Moved into place, so that a crash leaves the old one or the new one.
    let fresh = path.with_extension("services.new");
    fs::write(&fresh, text)?;
    fs::rename(&fresh, path)
}

/// `tcp:10.0.0.100:80`, `fwm:5`, `fwm6:5`.
fn parse(line: &str) -> Option<ServiceKey> {
    let (kind, rest) = line.split_once(':')?;
    let address = |protocol| {
        let address = rest.parse().ok()?;
        Some(ServiceKey::Address { protocol, address })
    };
    match kind {
        "tcp" => address(Protocol::Tcp),
        "udp" => address(Protocol::Udp),
        "sctp" => address(Protocol::Sctp),
        "fwm" | "fwm6" => {
            let mark = rest.parse().ok().filter(|mark| *mark > 0)?;
            let v6 = kind == "fwm6";
            Some(ServiceKey::Fwmark { mark, v6 })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
