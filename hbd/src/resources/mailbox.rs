//! What a group's worker has been asked and has not begun yet: one pending flag for each kind of
//! job, so that nothing the core asks for can fill it up. Asking twice before the first was begun
//! is asking once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::mpsc;

/// What a worker can be asked, in the order in which it begins what is pending: a stop comes after
/// the start that it ends, and announcements wait for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    Probe,
    /// What was prepared is not wanted. Never pending together with the next.
    Unprepare,
    /// It is about to be started.
    Prepare,
    Start,
    /// A stop that takes the addresses away first.
    LetGo,
    Stop,
    Announce,
}

type Pending = Arc<Mutex<BTreeSet<Job>>>;

/// The asking side.
pub(super) struct Requests {
    pending: Pending,
    /// One place: a bell that has been rung already need not be rung again.
    bell: mpsc::Sender<()>,
}

/// The worker's side.
pub(super) struct Jobs {
    pending: Pending,
    bell: mpsc::Receiver<()>,
}

pub(super) fn mailbox() -> (Requests, Jobs) {
    let pending = Pending::default();
    let (ring, bell) = mpsc::channel(1);
    let requests = Requests {
        pending: Arc::clone(&pending),
        bell: ring,
    };
    (requests, Jobs { pending, bell })
}

impl Requests {
    pub(super) fn ask(&self, job: Job) {
        let mut pending = lock(&self.pending);
        match job {
            Job::Prepare => pending.remove(&Job::Unprepare),
            Job::Unprepare => pending.remove(&Job::Prepare),
            Job::Probe | Job::Start | Job::LetGo | Job::Stop | Job::Announce => false,
        };
        pending.insert(job);
        drop(pending);
        // Full: it rings already. Closed: the daemon ends.
        let _ = self.bell.try_send(());
    }
}

impl Jobs {
    /// The next job; `None` when nobody can ask any more. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Job> {
        loop {
            if let Some(job) = lock(&self.pending).pop_first() {
                return Some(job);
            }
            self.bell.recv().await?;
        }
    }

    /// Is a stop pending?
    pub(super) fn stops(&self) -> bool {
        let pending = lock(&self.pending);
        pending.contains(&Job::Stop) || pending.contains(&Job::LetGo)
    }

    /// Waits until a stop is pending, for ever if nobody can ask any more. Cancel-safe.
    pub(super) async fn stop(&mut self) {
        while !self.stops() {
            if self.bell.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
        }
    }
}

fn lock(pending: &Pending) -> MutexGuard<'_, BTreeSet<Job>> {
    pending.lock().expect("no holder of this lock can panic")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn any_number_of_announcements_leaves_room_for_a_stop() {
        let (requests, mut jobs) = mailbox();
        requests.ask(Job::Stop);
        for _ in 0..10_000 {
            requests.ask(Job::Announce);
        }
        requests.ask(Job::Start);
        drop(requests);
        let mut begun = Vec::new();
        while let Some(job) = jobs.next().await {
            begun.push(job);
        }
        assert_eq!(begun, [Job::Start, Job::Stop, Job::Announce]);
    }

    #[tokio::test]
    async fn the_last_word_on_a_preparation_counts() {
        for (first, last) in [
            (Job::Prepare, Job::Unprepare),
            (Job::Unprepare, Job::Prepare),
        ] {
            let (requests, mut jobs) = mailbox();
            requests.ask(Job::Start);
            requests.ask(first);
            requests.ask(last);
            drop(requests);
            assert_eq!(jobs.next().await, Some(last));
            assert_eq!(jobs.next().await, Some(Job::Start));
            assert_eq!(jobs.next().await, None);
        }
    }
}
