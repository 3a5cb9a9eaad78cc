//! What every check may use: a way to open connections, TLS, and the clock that knows whether we
//! ran. Made once, shared by all.

use super::Answer;
use super::apart::Thread;
use super::awake::{Awake, Late};
use super::dialler::Dialler;
use super::look_up;
use super::tls::Tls;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Checks of the clients' way that are under way at once.
pub(super) const TAPS_MAX: usize = 32;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Means {
    pub(super) dialler: Arc<Dialler>,
    pub(super) tls: Tls,
    pub(super) awake: Awake,
    pub(super) apart: Thread,
    /// Each check of the clients' way has a place: a filter that the kernel shows every packet.
    pub(super) taps: Arc<Semaphore>,
    /// Each look-up of a name has a place.
    pub(super) look_ups: Arc<Semaphore>,
}

impl Means {
    pub(crate) fn new(dialler: Dialler) -> Self {
        Self {
            dialler: Arc::new(dialler),
            tls: Tls::new(),
            awake: Awake::new(),
            apart: Thread::default(),
            taps: Arc::new(Semaphore::new(TAPS_MAX)),
            look_ups: Arc::new(Semaphore::new(look_up::PLACES)),
        }
    }

    /// The same from elsewhere.
    pub(super) fn from(&self, origin: &Arc<Dialler>) -> Self {
        Self {
            dialler: Arc::clone(origin),
            ..self.clone()
        }
    }

    /// The same for another thread, which does not run when this one does.
    pub(super) fn with_another_clock(&self) -> Self {
        Self {
            awake: Awake::new(),
            apart: Thread::default(),
            ..self.clone()
        }
    }

    /// Lets a check run until its deadline; what it then has to say may differ by whose fault that
    /// is.
    pub(super) async fn within(
        &self,
        limit: Duration,
        check: impl Future<Output = Answer>,
        late: &str,
    ) -> Answer {
        match self.awake.within(limit, check).await {
            Ok(answer) => answer,
            Err(Late { ours: true }) => Answer::too_slow(),
            Err(Late { ours: false }) => Answer::down(late),
        }
    }
}
