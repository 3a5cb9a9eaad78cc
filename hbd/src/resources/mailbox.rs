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
    /// It is another node's, and runs here until that one is ready.
    Linger,
    /// What was prepared is to stay for longer. Never pending: the worker sets itself to it.
    Renew,
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

impl Job {
    /// Does a job that was asked end this one, which is under way?
    fn ends(self, under_way: Self) -> bool {
        match self {
            Self::Stop | Self::LetGo => true,
            // What a preparation has come to is all that they need.
            Self::Start | Self::Prepare | Self::Unprepare => matches!(
                under_way,
                Self::Prepare | Self::Unprepare | Self::Renew | Self::Linger
            ),
            Self::Probe | Self::Linger | Self::Renew | Self::Announce => false,
        }
    }

    /// Is there no use for a pending one once this is asked?
    fn supersedes(self, pending: Self) -> bool {
        match self {
            Self::Prepare => pending == Self::Unprepare,
            Self::Unprepare => pending == Self::Prepare,
            Self::Start => matches!(pending, Self::Prepare | Self::Unprepare),
            Self::Stop | Self::LetGo => pending == Self::Linger,
            Self::Probe | Self::Linger | Self::Renew | Self::Announce => false,
        }
    }
}

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
        pending.retain(|other| !job.supersedes(*other));
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

    /// Is a job pending that ends this one?
    pub(super) fn ends(&self, under_way: Job) -> bool {
        let pending = lock(&self.pending);
        pending.iter().any(|job| job.ends(under_way))
    }

    /// Waits until such a job is pending, for ever if nobody can ask any more. Cancel-safe.
    pub(super) async fn end(&mut self, under_way: Job) {
        while !self.ends(under_way) {
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

    #[tokio::test]
    async fn a_start_waits_for_no_preparation_and_no_end_of_one() {
        for before in [Job::Prepare, Job::Unprepare] {
            let (requests, mut jobs) = mailbox();
            requests.ask(before);
            assert_eq!(jobs.next().await, Some(before));
            assert!(!jobs.ends(before));
            requests.ask(Job::Start);
            assert!(jobs.ends(before), "{before:?} is under way");
            requests.ask(before);
            requests.ask(Job::Start);
            drop(requests);
            assert_eq!(jobs.next().await, Some(Job::Start), "{before:?} is pending");
            assert_eq!(jobs.next().await, None);
        }
    }

    #[tokio::test]
    async fn a_stop_alone_ends_a_start() {
        let (requests, jobs) = mailbox();
        for other in [Job::Probe, Job::Prepare, Job::Unprepare, Job::Announce] {
            requests.ask(other);
        }
        assert!(!jobs.ends(Job::Start));
        requests.ask(Job::LetGo);
        assert!(jobs.ends(Job::Start));
    }
}
