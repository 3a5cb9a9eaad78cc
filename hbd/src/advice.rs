//! Asks this node's directors what their own checks find, on behalf of another node's director. The core
//! says when, and bounds how often; this only looks for sockets and gathers what comes in time.

use ha_status::socket::client::Client;
use ha_status::socket::directors;
use ha_status::{Found, Reply, Request};
use hbd_core::input::Input;
use hbd_core::input::Question;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// A director that lives answers sooner, and who asks waits for twice as long.
const ANSWER_LIMIT: Duration = Duration::from_millis(400);
/// Where directors have their sockets by default.
const DIRECTORS: &str = "/var/run";

/// Where they are looked for: beside the folder of our own socket, and where they are by default.
pub fn folders(run: &Path) -> Vec<PathBuf> {
    let beside = run.parent().map(Path::to_owned);
    let mut folders: Vec<PathBuf> = beside.into_iter().collect();
    folders.push(PathBuf::from(DIRECTORS));
    folders
}

/// What the directors in these folders find together. Where nobody has a service, or nobody answers, it
/// is unknown, and that is an answer as well.
pub async fn inquire(folders: Vec<PathBuf>, question: Question, services: Vec<u64>) -> Input {
    let count = services.len();
    // Off the loop: a disk may hang.
    let looked = timeout(ANSWER_LIMIT, spawn_blocking(move || sockets(&folders))).await;
    let sockets = looked.ok().and_then(Result::ok).unwrap_or_default();
    let ask = move |path: PathBuf| {
        let services = services.clone();
        async move { timeout(ANSWER_LIMIT, ask(&path, services)).await.ok()? }
    };
    let answers = directors::all(sockets, ask).await.into_iter();
    let fitting = answers.filter(|answer| answer.len() == count);
    let found = fitting.fold(vec![Found::Unknown; count], |all, answer| {
        let pairs = all.into_iter().zip(answer);
        pairs.map(|(one, other)| one.or(other)).collect()
    });
    Input::Inquired { question, found }
}

/// One folder may have two names.
fn sockets(folders: &[PathBuf]) -> Vec<PathBuf> {
    let folders = folders.iter().filter_map(|one| one.canonicalize().ok());
    let mut sockets: Vec<PathBuf> = folders.flat_map(|one| directors::sockets(&one)).collect();
    sockets.sort();
    sockets.dedup();
    sockets
}

async fn ask(path: &Path, services: Vec<u64>) -> Option<Vec<Found>> {
    let mut client = Client::connect(path).await.ok()?;
    let request = Request::Opinion { services };
    client.request(&request).await.ok()?;
    match client.next().await {
        Ok(Some(Reply::Opinion { views })) => views.into_iter().map(|view| view.found).next(),
        // An older one does not know the question.
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
