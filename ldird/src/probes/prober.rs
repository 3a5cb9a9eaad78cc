//! Runs probes beside the loop: at most so many at a time, first come first served, each in a task
//! that cannot take anything else down with it.
//!
//! Checks that ran out of time last time wait in a line of their own, so that hanging servers,
//! however many, delay only each other.

use super::{Answer, Dialler, Means, Probe, Turn};
use futures_util::FutureExt as _;
use ldird_core::config::ProbeId;
use ldird_core::input::{Finding, Verdict};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;

/// Probes that hung last time and may be under way at once, and as many again of all together; each has
/// a socket or two. Further ones wait their turn, and their deadline starts when it comes.
const CONCURRENT_MAX: u64 = 8192;
/// Descriptors that this process needs for other things: the kernel, status sockets, files.
const DESCRIPTORS_KEPT: u64 = 256;
/// Descriptors of one probe: a second one for a moment after a failed TLS handshake.
const DESCRIPTORS_EACH: u64 = 2;
/// The same for commands of external checks: each costs this machine more than a socket.
const COMMANDS_MAX: usize = 16;
/// A check that took longer may be hanging.
const SLOW: Duration = Duration::from_millis(500);

/// Answers waiting for the loop; a full queue makes finished probes wait, nothing is lost.
const ANSWERS_MAX: usize = 256;

/// One answer.
#[derive(Debug)]
pub(crate) struct Probed {
    pub(crate) probe: ProbeId,
    /// It began so much later than it was due.
    pub(crate) late: Duration,
    pub(crate) verdict: Verdict,
}

/// Starts probes; their answers come out of the receiver that [`Prober::new`] returns.
#[derive(Debug)]
pub(crate) struct Prober {
    probes: BTreeMap<ProbeId, Arc<Probe>>,
    shared: Arc<Shared>,
    answers: mpsc::Sender<Probed>,
    /// The task that measures time lost.
    watch: Option<AbortHandle>,
}

/// What the tasks of all probes use.
#[derive(Debug)]
struct Shared {
    means: Means,
    connections: Lines,
    commands: Lines,
    memory: Mutex<Memory>,
}

/// Where probes wait for a place: those that hung last time by themselves first, for half of all
/// places. In a first round, when nobody knows who hangs, all places are for everybody.
#[derive(Debug)]
struct Lines {
    all: Semaphore,
    slow: Semaphore,
}

impl Lines {
    /// With so many places for those that hung, and twice as many in all.
    fn new(places: usize) -> Self {
        Self {
            all: Semaphore::new(2 * places),
            slow: Semaphore::new(places),
        }
    }
}

/// What probes leave behind for their next time; only what differs from the usual.
#[derive(Debug, Default)]
struct Memory {
    turns: BTreeMap<ProbeId, Turn>,
    slow: BTreeSet<ProbeId>,
    /// Told already that not all of it can be asked.
    limited: BTreeSet<ProbeId>,
}

impl Prober {
    pub(crate) fn new(probes: BTreeMap<ProbeId, Arc<Probe>>) -> (Self, mpsc::Receiver<Probed>) {
        Self::with_places(probes, places(descriptors()))
    }

    /// With so many places for probes that hung, and as many again.
    fn with_places(
        probes: BTreeMap<ProbeId, Arc<Probe>>,
        places: usize,
    ) -> (Self, mpsc::Receiver<Probed>) {
        let (answers, receiver) = mpsc::channel(ANSWERS_MAX);
        let shared = Shared {
            means: Means::new(Dialler::default()),
            connections: Lines::new(places),
            commands: Lines::new(COMMANDS_MAX.min(places)),
            memory: Mutex::default(),
        };
        let prober = Self {
            probes,
            shared: Arc::new(shared),
            answers,
            watch: None,
        };
        (prober, receiver)
    }

    /// A new configuration's probes. Those under way still answer.
    pub(crate) fn replace(&mut self, probes: BTreeMap<ProbeId, Arc<Probe>>) {
        self.shared.with_memory(|memory| {
            memory.turns.retain(|id, _| probes.contains_key(id));
            memory.slow.retain(|id| probes.contains_key(id));
            memory.limited.retain(|id| probes.contains_key(id));
        });
        self.probes = probes;
    }

    /// Asks this question now, due since then; needs a runtime. A number that is not known answers, too.
    pub(crate) fn start(&mut self, id: ProbeId, due: Instant) {
        let awake = &self.shared.means.awake;
        self.watch
            .get_or_insert_with(|| tokio::spawn(awake.clone().watch()).abort_handle());
        let probe = self.probes.get(&id).cloned();
        let (shared, answers) = (Arc::clone(&self.shared), self.answers.clone());
        // In a box, because to make a task moves its future a dozen times.
        tokio::spawn(Box::pin(async move {
            let (begun, answer) = if let Some(probe) = probe {
                shared.run(id, &probe).await
            } else {
                let answer = Answer::unasked("the check is not configured any more");
                (Instant::now(), answer)
            };
            let probed = Probed {
                probe: id,
                late: begun.saturating_duration_since(due),
                verdict: answer.since(begun),
            };
            // The loop is gone only when the daemon ends.
            let _ = answers.send(probed).await;
        }));
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
    }
}

impl Shared {
    /// When it began, and what it found.
    async fn run(&self, id: ProbeId, probe: &Probe) -> (Instant, Answer) {
        let slow = self.with_memory(|memory| memory.slow.contains(&id));
        let lines = if probe.runs_a_command() {
            &self.commands
        } else {
            &self.connections
        };
        // Only closing it fails, and nobody does.
        let _place_of_slow = if slow {
            lines.slow.acquire().await.ok()
        } else {
            None
        };
        let _place = lines.all.acquire().await;
        let start = Instant::now();
        let answer = self.ask(id, probe).await;
        self.remember(id, &answer, start.elapsed());
        (start, answer)
    }

    /// Asks, and makes a panic a check that could not be made.
    async fn ask(&self, id: ProbeId, probe: &Probe) -> Answer {
        let turn = self.with_memory(|memory| memory.turns.get(&id).copied());
        let turn = turn.unwrap_or_default();
        let asked = AssertUnwindSafe(probe.ask(turn, &self.means))
            .catch_unwind()
            .await;
        let Ok((answer, next)) = asked else {
            return Answer::unasked("the check itself failed: please report this as a bug");
        };
        if next != turn {
            self.with_memory(|memory| memory.turns.insert(id, next));
        }
        answer
    }

    fn remember(&self, id: ProbeId, answer: &Answer, took: Duration) {
        let slow = took > SLOW && answer.finding != Finding::Up;
        let news = self.with_memory(|memory| {
            if slow {
                memory.slow.insert(id);
            } else {
                memory.slow.remove(&id);
            }
            if answer.limited {
                memory.limited.insert(id)
            } else {
                memory.limited.remove(&id);
                false
            }
        });
        if news {
            tracing::warn!("A check can only connect: {}", answer.message);
        }
    }

    fn with_memory<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> T {
        // Nothing that panics runs under the lock.
        work(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How many descriptors this process may have open, after asking for all that it can get.
fn descriptors() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, all) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

/// Places of probes that hung, by the number of descriptors; `None` for no limit.
fn places(descriptors: Option<u64>) -> usize {
    let spare = descriptors.map_or(u64::MAX, |all| all.saturating_sub(DESCRIPTORS_KEPT));
    let each = spare / DESCRIPTORS_EACH / 2;
    each.clamp(1, CONCURRENT_MAX) as usize
}

#[cfg(test)]
mod tests;
