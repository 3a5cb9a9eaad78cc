//! Finding directors by their sockets: ldird listens as `ldird.NAME.sock`, one for each configuration.

use super::client::Client;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Asking all of them takes no longer; one that does not answer is passed over.
pub const ASK_LIMIT: Duration = Duration::from_secs(1);
/// Sockets asked at most.
const SOCKETS_MAX: usize = 64;

/// The sockets of all directors in this run folder, living or not. Reads the folder.
pub fn sockets(run: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(run) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_socket = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.and_then(|name| name.strip_prefix("ldird."));
        name.is_some_and(|name| name.strip_suffix(".sock").is_some())
    };
    paths.filter(is_socket).take(SOCKETS_MAX).collect()
}

/// A connection to the director with this pid, under whatever name it listens; the first of these
/// sockets that answers as its. All are asked at once: one that is frozen keeps nobody waiting.
pub async fn reach(sockets: Vec<PathBuf>, pid: u32) -> Option<Client> {
    let asking = async {
        let mut asked = JoinSet::new();
        for path in sockets {
            asked.spawn(async move { Client::connect_to(&path, pid).await });
        }
        while let Some(answer) = asked.join_next().await {
            if let Ok(Ok(Some(client))) = answer {
                return Some(client);
            }
        }
        None
    };
    timeout(ASK_LIMIT, asking).await.ok()?
}
