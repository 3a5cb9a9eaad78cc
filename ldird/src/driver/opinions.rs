//! Other directors' opinions, asked beside the loop: questions that come at the same time travel together,
//! by way of this machine's hbd.
//!
//! One question is under way at a time. Services that wait too long for their turn are not asked about any
//! more: the core has done without an opinion by then.

use super::Driver;
use crate::config::Configuration;
use crate::instance::Instance;
use ha_status::opinion::QUESTION_MAX;
use ha_status::socket::client::Client;
use ha_status::{Found, Reply, Request, View};
use ldird_core::input::Input;
use ldird_core::opinion::{ANSWER_LIMIT, QuestionId, Silence};
use ldird_core::table::ServiceKey;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Services that wait to be asked about. The last ones of more go without an opinion.
const WAITING_MAX: usize = 1024;
/// So long others may still come to the same question: a cut link fails many services within moments.
const GATHER: Duration = Duration::from_millis(50);
/// Between two questions: hbd takes eight in a second.
const PACE: Duration = Duration::from_millis(130);

/// A service to be asked about.
#[derive(Debug)]
struct Asking {
    service: ServiceKey,
    question: QuestionId,
    digest: u64,
    until: Instant,
}

/// What was said about it.
#[derive(Debug)]
pub(super) struct Advice {
    service: ServiceKey,
    question: QuestionId,
    views: Result<Vec<(String, Found)>, Silence>,
}

#[derive(Debug)]
pub(super) struct Advisers {
    asks: mpsc::Sender<Asking>,
    answers: mpsc::Receiver<Vec<Advice>>,
}

impl Advisers {
    /// Needs a runtime.
    pub(super) fn new(instance: &Instance) -> Self {
        let (asks, waiting) = mpsc::channel(WAITING_MAX);
        let (sender, answers) = mpsc::channel(1);
        let socket = instance.run.join("heartbeat/hbd.sock");
        tokio::spawn(ask_all(socket, waiting, sender));
        Self { asks, answers }
    }

    pub(super) fn ask(&self, service: ServiceKey, question: QuestionId, digest: u64) {
        let until = Instant::now() + ANSWER_LIMIT;
        // Who finds no place there goes without an opinion.
        let _ = self.asks.try_send(Asking {
            service,
            question,
            digest,
            until,
        });
    }

    /// The next answers. Dropping the future loses nothing.
    pub(super) async fn answered(&mut self) -> Vec<Advice> {
        match self.answers.recv().await {
            Some(advice) => advice,
            None => std::future::pending().await,
        }
    }
}

impl<R: FnOnce(&Configuration)> Driver<R> {
    pub(super) fn advised(&mut self, advice: Vec<Advice>) {
        for Advice {
            service,
            question,
            views,
        } in advice
        {
            self.feed(Input::Opinion {
                service,
                question,
                views,
            });
        }
    }
}

/// Until the loop is gone.
async fn ask_all(
    socket: PathBuf,
    mut waiting: mpsc::Receiver<Asking>,
    answers: mpsc::Sender<Vec<Advice>>,
) {
    let mut asked = Vec::with_capacity(QUESTION_MAX);
    while let Some(first) = waiting.recv().await {
        asked.push(first);
        sleep(GATHER).await;
        let next = Instant::now() + PACE;
        while asked.len() < QUESTION_MAX
            && let Ok(another) = waiting.try_recv()
        {
            asked.push(another);
        }
        asked.retain(|asking| Instant::now() < asking.until);
        // The last to come waits longest; for the others the core has its own limit.
        let Some(until) = asked.iter().map(|asking| asking.until).max() else {
            continue;
        };
        let services = asked.iter().map(|asking| asking.digest).collect();
        let limit = until.saturating_duration_since(Instant::now());
        let views = timeout(limit, ask(&socket, services)).await;
        let views = views.unwrap_or(Err(Silence::NoAnswer));
        if answers.send(advice(asked.drain(..), views)).await.is_err() {
            return;
        }
        sleep_until(next).await;
    }
}

/// hbd passes it on to the others.
async fn ask(socket: &Path, services: Vec<u64>) -> Result<Vec<View>, Silence> {
    let unheard = |error: &dyn std::fmt::Display| {
        Silence::Nobody(format!(
            "hbd does not answer on {}: {error}",
            socket.display()
        ))
    };
    let client = Client::connect(socket).await;
    let mut client = client.map_err(|error| unheard(&error))?;
    let request = Request::Opinion { services };
    let sent = client.request(&request).await;
    sent.map_err(|error| unheard(&error))?;
    match client.next().await {
        Ok(Some(Reply::Opinion { views })) => Ok(views),
        Ok(Some(Reply::Error { text })) => Err(Silence::Nobody(ha_status::printable(&text))),
        Ok(Some(_)) => Err(unheard(&"not what was asked for")),
        Ok(None) => Err(unheard(&"the connection ended")),
        Err(error) => Err(unheard(&error)),
    }
}

/// To each service its own.
fn advice(asked: impl Iterator<Item = Asking>, views: Result<Vec<View>, Silence>) -> Vec<Advice> {
    let of = |place: usize| {
        let views = views.as_ref().map_err(Clone::clone)?;
        let found = views.iter().filter_map(|view| {
            let found = view.found.get(place)?;
            Some((view.node.clone(), *found))
        });
        Ok(found.collect())
    };
    asked
        .enumerate()
        .map(|(place, asking)| Advice {
            service: asking.service,
            question: asking.question,
            views: of(place),
        })
        .collect()
}
