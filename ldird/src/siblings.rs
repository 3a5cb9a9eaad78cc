//! Other directors of the same configuration under another name (weakness W25): `start` and
//! `ldirectord.cf start` read one file and keep two pid files, and the first to stop cleans the
//! table of both. Only looks; what to do about it is the operator's business.

use crate::instance::Instance;
use ha_status::socket::Client;
use ha_status::{Reply, Request, Snapshot};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;

/// Asking all of them takes no longer; one that does not answer is passed over.
const ASK_LIMIT: Duration = Duration::from_secs(1);
/// Sockets asked at most.
const SOCKETS_MAX: usize = 64;

/// A warning if such a director runs.
pub(crate) async fn warning(instance: &Instance) -> Option<String> {
    let found = timeout(ASK_LIMIT, find(instance)).await.ok()??;
    Some(format!(
        "{} is already run by the director \"{}\" with pid {}: stop one of them, the first to stop \
         cleans the table of both",
        instance.path.display(),
        found.name,
        found.pid
    ))
}

#[derive(Debug)]
struct Sibling {
    name: String,
    pid: u32,
}

async fn find(instance: &Instance) -> Option<Sibling> {
    let own = real(&instance.path);
    for socket in sockets(instance) {
        let Some((sibling, path)) = ask(&socket).await else {
            continue;
        };
        if real(Path::new(&path)) == own {
            return Some(sibling);
        }
    }
    None
}

/// Links lead to one file.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn sockets(instance: &Instance) -> Vec<PathBuf> {
    let entries = instance.socket.parent().map(std::fs::read_dir);
    let Some(Ok(entries)) = entries else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_sibling = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.and_then(|name| name.strip_prefix("ldird."));
        let ours = name.is_some_and(|name| name.strip_suffix(".sock").is_some());
        ours && *path != instance.socket
    };
    paths.filter(is_sibling).take(SOCKETS_MAX).collect()
}

/// Who answers there, and the configuration it runs.
async fn ask(socket: &Path) -> Option<(Sibling, String)> {
    let mut client = Client::connect(socket).await.ok()?;
    let hello = client.hello();
    let (name, pid) = (hello.name.clone(), hello.pid);
    client.request(&Request::Snapshot).await.ok()?;
    match client.next().await.ok()?? {
        Reply::Snapshot {
            snapshot: Snapshot::Director(snapshot),
            ..
        } => Some((Sibling { name, pid }, snapshot.path)),
        _ => None,
    }
}
