//! Finding directors by their sockets: ldird listens as `ldird.NAME.sock`, one for each configuration.

use super::client::Client;
use std::collections::BTreeMap;
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
/// sockets that answers as its.
pub async fn reach(sockets: Vec<PathBuf>, pid: u32) -> Option<Client> {
    let ask = move |path: PathBuf| async move { Client::connect_to(&path, pid).await.ok()? };
    first(sockets, ask).await
}

/// The first answer, of whichever director it is. All are asked at once: one that is frozen keeps nobody
/// waiting.
pub async fn first<T, A>(sockets: Vec<PathBuf>, ask: impl Fn(PathBuf) -> A) -> Option<T>
where
    T: Send + 'static,
    A: Future<Output = Option<T>> + Send + 'static,
{
    let mut asked: JoinSet<Option<T>> = sockets.into_iter().map(ask).collect();
    let answer = async {
        while let Some(answer) = asked.join_next().await {
            if let Ok(Some(answer)) = answer {
                return Some(answer);
            }
        }
        None
    };
    timeout(ASK_LIMIT, answer).await.ok()?
}

/// What all of them answer, in the order of the sockets. All are asked at once: one that is frozen costs its
/// own answer alone.
pub async fn all<T, A>(sockets: Vec<PathBuf>, ask: impl Fn(PathBuf) -> A) -> Vec<T>
where
    T: Send + 'static,
    A: Future<Output = Option<T>> + Send + 'static,
{
    let mut asked = JoinSet::new();
    for (place, path) in sockets.into_iter().enumerate() {
        let asking = ask(path);
        asked.spawn(async move { (place, asking.await) });
    }
    let mut answers = BTreeMap::new();
    let gather = async {
        while let Some(answer) = asked.join_next().await {
            if let Ok((place, Some(answer))) = answer {
                answers.insert(place, answer);
            }
        }
    };
    let _ = timeout(ASK_LIMIT, gather).await;
    answers.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::{ASK_LIMIT, all, first};
    use std::future::pending;
    use std::path::PathBuf;
    use std::time::Instant;

    /// Two that are frozen stand before the ones that answer, one is gone.
    fn sockets() -> Vec<PathBuf> {
        ["frozen", "b", "frozen", "gone", "a"]
            .map(PathBuf::from)
            .into()
    }

    async fn ask(path: PathBuf) -> Option<String> {
        match path.to_str()? {
            "frozen" => pending().await,
            "gone" => None,
            name => Some(name.to_owned()),
        }
    }

    #[tokio::test]
    async fn frozen_directors_cost_their_own_answers_alone() {
        assert_eq!(all(sockets(), ask).await, ["b", "a"]);
        assert_eq!(all(Vec::new(), ask).await, [""; 0]);
    }

    #[tokio::test]
    async fn the_first_answer_waits_for_nobody() {
        let begun = Instant::now();
        assert!(first(sockets(), ask).await.is_some());
        assert!(begun.elapsed() < ASK_LIMIT);
        let frozen = vec![PathBuf::from("frozen")];
        assert_eq!(first(frozen, ask).await, None, "in the end");
    }
}
