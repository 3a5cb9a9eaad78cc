//! Runs probes beside the loop: at most so many at a time, first come first served, each in a task
//! that cannot take anything else down with it.

use super::{Finding, HttpClient, Probe, Turn};
use futures_util::FutureExt as _;
use ldird_core::config::ProbeId;
use ldird_core::input::Verdict;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{Semaphore, mpsc};

/// Probes that may be under way at once; each has one socket. Further ones wait their turn, and
/// their deadline starts when it comes. Far above what hanging servers can fill between two
/// intervals of one another, far below the descriptors a service may open.
pub(crate) const CONCURRENT_MAX: usize = 4096;

/// Answers waiting for the loop; a full queue makes finished probes wait, nothing is lost.
const ANSWERS_MAX: usize = 256;

/// One answer.
#[derive(Debug)]
pub(crate) struct Probed {
    pub(crate) probe: ProbeId,
    pub(crate) verdict: Verdict,
}

/// Starts probes; their answers come out of the receiver that [`Prober::new`] returns.
#[derive(Debug)]
pub(crate) struct Prober {
    probes: BTreeMap<ProbeId, Arc<Probe>>,
    turns: Arc<Mutex<BTreeMap<ProbeId, Turn>>>,
    client: HttpClient,
    slots: Arc<Semaphore>,
    answers: mpsc::Sender<Probed>,
}

impl Prober {
    pub(crate) fn new(probes: BTreeMap<ProbeId, Arc<Probe>>) -> (Self, mpsc::Receiver<Probed>) {
        let (answers, receiver) = mpsc::channel(ANSWERS_MAX);
        let prober = Self {
            probes,
            turns: Arc::default(),
            client: HttpClient::new(),
            slots: Arc::new(Semaphore::new(CONCURRENT_MAX)),
            answers,
        };
        (prober, receiver)
    }

    /// A new configuration's probes. Those under way still answer.
    pub(crate) fn replace(&mut self, probes: BTreeMap<ProbeId, Arc<Probe>>) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|id, _| probes.contains_key(id));
        drop(turns);
        self.probes = probes;
    }

    /// Asks this question now; needs a runtime. A number that is not known answers, too.
    pub(crate) fn start(&self, id: ProbeId) {
        let probe = self.probes.get(&id).cloned();
        let (turns, client) = (Arc::clone(&self.turns), self.client.clone());
        let (slots, answers) = (Arc::clone(&self.slots), self.answers.clone());
        tokio::spawn(async move {
            // Only closing it fails, and nobody does.
            let _slot = slots.acquire().await;
            let start = Instant::now();
            let finding = match probe {
                Some(probe) => guarded(id, &probe, &turns, &client).await,
                None => Finding::down("the check is not configured any more"),
            };
            let verdict = finding.since(start);
            // The loop is gone only when the daemon ends.
            let _ = answers.send(Probed { probe: id, verdict }).await;
        });
    }
}

/// Asks, and makes a panic a failed check.
async fn guarded(
    id: ProbeId,
    probe: &Probe,
    turns: &Mutex<BTreeMap<ProbeId, Turn>>,
    client: &HttpClient,
) -> Finding {
    let lock = || turns.lock().unwrap_or_else(PoisonError::into_inner);
    let turn = lock().get(&id).copied().unwrap_or_default();
    let asked = AssertUnwindSafe(probe.ask(turn, client))
        .catch_unwind()
        .await;
    let Ok((finding, next)) = asked else {
        return Finding::down("the check itself failed: please report this as a bug");
    };
    if next != turn {
        lock().insert(id, next);
    }
    finding
}
