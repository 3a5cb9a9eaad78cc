//! Writes what must survive this life, away from the loop: the peers' lives, and what the disk did
//! not take at the start. Only the latest state counts; a disk that refuses is tried again, and told
//! about once.

use super::{Unsaved, peers, write_durably};
use hbd_core::config::KnownPeer;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

/// A disk that took nothing is tried again after so long.
const RETRY: Duration = Duration::from_secs(60);

/// The loop's end of it. Dropping it ends the task.
pub struct Keeper {
    known: watch::Sender<Vec<KnownPeer>>,
}

impl Keeper {
    /// `tell` is called with a line for the operator, from the task.
    pub fn spawn(
        state: PathBuf,
        known: Vec<KnownPeer>,
        unsaved: Vec<Unsaved>,
        tell: impl Fn(String) + Send + 'static,
    ) -> Self {
        let (known, changes) = watch::channel(known);
        tokio::spawn(keep(state, unsaved, changes, tell));
        Self { known }
    }

    /// Never waits.
    pub fn remember(&self, peer: KnownPeer) {
        self.known.send_modify(|known| {
            known.retain(|other| other.node != peer.node);
            known.push(peer);
        });
    }
}

async fn keep(
    state: PathBuf,
    mut unsaved: Vec<Unsaved>,
    mut changes: watch::Receiver<Vec<KnownPeer>>,
    tell: impl Fn(String),
) {
    let path = peers::path(&state);
    let mut troubled = !unsaved.is_empty();
    loop {
        let over = if unsaved.is_empty() {
            changes.changed().await.is_err()
        } else {
            // Whichever comes first; both lead to the same attempt.
            let change = tokio::time::timeout(RETRY, changes.changed()).await;
            matches!(change, Ok(Err(_)))
        };
        if over {
            return;
        }
        let content = peers::format(&changes.borrow_and_update()).into_bytes();
        unsaved.retain(|file| file.path != path);
        unsaved.push(Unsaved {
            path: path.clone(),
            content,
        });
        let attempt = std::mem::take(&mut unsaved);
        let Ok((left, error)) = tokio::task::spawn_blocking(|| save(attempt)).await else {
            return;
        };
        unsaved = left;
        match (error, troubled) {
            (Some(error), false) => tell(format!("{error}; it is tried again")),
            (None, true) => tell(format!("{} can be written again", state.display())),
            (Some(_), true) | (None, false) => {}
        }
        troubled = !unsaved.is_empty();
    }
}

/// What is still not saved, and why.
pub(super) fn save(files: Vec<Unsaved>) -> (Vec<Unsaved>, Option<String>) {
    let mut error = None;
    let refused = |file: &Unsaved| {
        let directory = file.path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let result = directory.map_err(|error| error.to_string());
        let result = result.and_then(|()| {
            write_durably(&file.path, &file.content).map_err(|error| error.to_string())
        });
        error = error.take().or(result.clone().err());
        result.is_err()
    };
    let left = files.into_iter().filter(refused).collect();
    (left, error)
}
