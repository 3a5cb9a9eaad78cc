//! Checks whose pattern may take long, asked on a thread of their own: wherever in the answer it is
//! looked for, nothing else waits. Their clock is that thread's, so that a check that came too late
//! because of another one's pattern takes no server out.

use super::{Answer, Means, Probe, Turn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use tokio::runtime::{Builder, Handle};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Apart(Arc<Probe>);

impl Apart {
    pub(crate) fn of(probe: Probe) -> Probe {
        Probe::Apart(Self(Arc::new(probe)))
    }

    pub(super) fn inner(&self) -> &Probe {
        &self.0
    }

    pub(super) fn into_inner(self) -> Probe {
        Arc::unwrap_or_clone(self.0)
    }

    pub(super) async fn ask(&self, means: &Means) -> Answer {
        let probe = Arc::clone(&self.0);
        let asked = means.apart.run(means, |means| asked(probe, means));
        match asked.await {
            Ok(answer) => answer,
            Err(error) => Answer::unasked(format!("the check was not made: {error}")),
        }
    }
}

/// In a box of a known kind, because it is part of itself.
fn asked(probe: Arc<Probe>, means: Means) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
    Box::pin(async move { probe.ask(Turn::default(), &means).await.0 })
}

/// The thread, started when it is needed first. Clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Thread(Arc<OnceLock<Place>>);

#[derive(Debug)]
struct Place {
    handle: Handle,
    means: Means,
}

impl Thread {
    async fn run<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        means: &Means,
        work: impl FnOnce(Means) -> F,
    ) -> io::Result<T> {
        let place = if let Some(place) = self.0.get() {
            place
        } else {
            // Of two that come at once, one thread has nothing to do.
            let started = Place::start(means)?;
            self.0.get_or_init(|| started)
        };
        let task = place.handle.spawn(work(place.means.clone()));
        task.await.map_err(io::Error::other)
    }
}

impl Place {
    fn start(means: &Means) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let means = means.with_another_clock();
        let clock = means.awake.clone().watch();
        std::thread::Builder::new()
            .name("patterns".to_owned())
            .spawn(move || runtime.block_on(clock))?;
        Ok(Self { handle, means })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::probes::Dialler;
    use std::thread;

    #[tokio::test]
    async fn what_is_asked_apart_is_asked_on_one_other_thread() {
        let means = Means::new(Dialler::default());
        let mut seen = Vec::new();
        for _ in 0..2 {
            let asked = means.apart.run(&means, async |_| thread::current().id());
            seen.push(asked.await.unwrap());
        }
        assert_eq!(seen[0], seen[1]);
        assert_ne!(seen[0], thread::current().id());
    }

    #[tokio::test]
    async fn a_check_that_panics_apart_says_nothing_of_the_server() {
        let means = Means::new(Dialler::default());
        let asked = means.apart.run(&means, async |_| panic!("on purpose"));
        assert!(asked.await.is_err());
    }
}
