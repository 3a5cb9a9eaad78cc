//! The client's steady load while a person watches: who answered lately, and what was refused.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::bed::client;
use crate::bed::host::Host;

/// So many requests at a time, each followed by a pause: a load that an emulated machine carries too.
const PARALLEL: usize = 3;
const PAUSE: Duration = Duration::from_millis(30);
/// Figures are about this much of the past.
const WINDOW: Duration = Duration::from_secs(2);
/// More answers than fit into the window at the fastest pace.
const MOST_ANSWERS: usize = 4096;

/// A running load. Dropping it ends it.
pub(super) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    stopped: AtomicBool,
    recent: Mutex<VecDeque<Answer>>,
}

struct Answer {
    at: Instant,
    /// The server's name; `None` for a request that failed.
    server: Option<String>,
}

/// The load in figures, each per second.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) by_server: BTreeMap<String, f64>,
    pub(super) failed: f64,
}

impl Load {
    pub(super) fn start(host: &Arc<Host>, server: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            stopped: AtomicBool::new(false),
            recent: Mutex::default(),
        });
        let threads = (0..PARALLEL)
            .map(|_| {
                let (host, shared) = (Arc::clone(host), Arc::clone(&shared));
                thread::spawn(move || {
                    let _ = host.within(|| {
                        shared.ask(server);
                        Ok(())
                    });
                })
            })
            .collect();
        Self { shared, threads }
    }

    pub(super) fn rates(&self) -> Rates {
        let mut recent = self.shared.lock();
        forget_old(&mut recent, Instant::now());
        let each = 1.0 / WINDOW.as_secs_f64();
        let mut rates = Rates::default();
        for answer in recent.iter() {
            match &answer.server {
                Some(server) => *rates.by_server.entry(server.clone()).or_default() += each,
                None => rates.failed += each,
            }
        }
        rates
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn ask(&self, server: SocketAddr) {
        while !self.stopped.load(Ordering::Relaxed) {
            let page = client::fetch(server, "/").ok();
            let page = page.filter(|page| page.status == 200);
            let answer = Answer {
                at: Instant::now(),
                server: page.map(|page| page.body.trim().to_owned()),
            };
            let mut recent = self.lock();
            recent.push_back(answer);
            forget_old(&mut recent, Instant::now());
            drop(recent);
            thread::sleep(PAUSE);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Answer>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget_old(recent: &mut VecDeque<Answer>, now: Instant) {
    let old = |answer: &Answer| now.duration_since(answer.at) > WINDOW;
    while recent.len() > MOST_ANSWERS || recent.front().is_some_and(old) {
        recent.pop_front();
    }
}
