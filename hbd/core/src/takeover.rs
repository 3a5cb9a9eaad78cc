//! One resource group on this node: what runs here, and what the shell was asked to do about it.
//!
//! ```text
//! Probing ──► Stopped ──Start──► Starting ──► Running ──Lost──► Failing ──► Failed
//!    │           ▲                  │ │          │                │ ▲        (until retry,
//!    ▼           │ stopped    fails │ └──Stop────┤                ▼ │ retry   mended, forgiven)
//! Leftover ─Stop─┴── Stopping ◄─────┼────────────┘              Broken
//!                      │   ▲        └► Failed, or Broken: the clean-up failed, too
//!                      ▼   │ retry
//!                     Stuck: the stop failed, it may still be active here
//! ```
//!
//! Failing and Broken are Stopping and Stuck of a group that has failed here: once it is stopped it
//! is Failed, and another node is to run it.
//!
//! [`step`] is the whole table. It never assumes that a request was carried out: a result that is
//! late or comes twice is an ordinary event, and whatever might mean "something is active after
//! all" leads to a stop.

use crate::input::Activity;
use ha_status::RunState;
use std::time::{Duration, Instant};

/// After so many failures in a row the time until the next start no longer doubles.
const MAX_DOUBLINGS: u32 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// The shell is finding out what an earlier life left active.
    Probing,
    /// Something is active and nobody has decided yet whose it is.
    Leftover,
    Stopped,
    Starting,
    Running,
    Stopping,
    /// It failed here, and what is left of it is being stopped.
    Failing,
    /// It failed here; everything is stopped.
    Failed,
    /// The stop failed: something may still be active.
    Stuck,
    /// It failed here and then the stop did: something may still be active.
    Broken,
}

impl Run {
    /// What the others are told.
    pub fn state(self) -> RunState {
        match self {
            Self::Probing | Self::Leftover => RunState::Unknown,
            Self::Stopped => RunState::Stopped,
            Self::Starting => RunState::Starting,
            Self::Running => RunState::Running,
            Self::Stopping | Self::Failing => RunState::Stopping,
            Self::Failed => RunState::Failed,
            Self::Stuck | Self::Broken => RunState::Stuck,
        }
    }

    /// May something of the group be active, so that a stop makes sense?
    pub fn held(self) -> bool {
        match self {
            Self::Leftover | Self::Starting | Self::Running => true,
            Self::Probing
            | Self::Stopped
            | Self::Stopping
            | Self::Failing
            | Self::Failed
            | Self::Stuck
            | Self::Broken => false,
        }
    }

    /// Is it certain that nothing of the group is active?
    pub fn idle(self) -> bool {
        match self {
            Self::Stopped | Self::Failed => true,
            Self::Probing
            | Self::Leftover
            | Self::Starting
            | Self::Running
            | Self::Stopping
            | Self::Failing
            | Self::Stuck
            | Self::Broken => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The probe answered.
    Probed(Activity),
    Started,
    /// The start failed and all is stopped again.
    StartFailed,
    /// The start failed and so did the clean-up.
    StartFailedHeld,
    Stopped,
    StopFailed,
    /// Something that it holds has been missing for too long.
    Lost,
    /// What made it fail has passed.
    Mended,
    /// This node should run the group, and may.
    Start,
    /// This node must not run it.
    Stop,
    /// The retry timer ran out.
    Due,
    /// A failure is forgotten: this node was named again.
    Forgive,
    /// An operator says that nothing of it is active here.
    Vouched,
}

/// What the shell must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    Start,
    Stop,
}

/// A state to go to, and what to ask for.
type Step = (Run, Option<Request>);

const fn stay(run: Run) -> Step {
    (run, None)
}

const START: Step = (Run::Starting, Some(Request::Start));
const STOP: Step = (Run::Stopping, Some(Request::Stop));
const CLEAN: Step = (Run::Failing, Some(Request::Stop));

/// The table: from a state by an event to the next state, with a request to the shell.
pub fn step(run: Run, event: Event) -> Step {
    match run {
        Run::Probing => match event {
            Event::Probed(Activity::Nothing) => (Run::Stopped, None),
            Event::Probed(Activity::Something | Activity::Everything | Activity::Unclear) => {
                (Run::Leftover, None)
            }
            Event::Started
            | Event::StartFailed
            | Event::StartFailedHeld
            | Event::Stopped
            | Event::StopFailed
            | Event::Lost
            | Event::Mended
            | Event::Start
            | Event::Stop
            | Event::Due
            | Event::Forgive
            | Event::Vouched => stay(run),
        },
        Run::Leftover => match event {
            Event::Start => START,
            Event::Stop => STOP,
            Event::Probed(_)
            | Event::Started
            | Event::StartFailed
            | Event::StartFailedHeld
            | Event::Stopped
            | Event::StopFailed
            | Event::Lost
            | Event::Mended
            | Event::Due
            | Event::Forgive
            | Event::Vouched => stay(run),
        },
        Run::Stopped => match event {
            Event::Start => START,
            Event::Started => STOP,
            Event::StartFailedHeld | Event::StopFailed => (Run::Stuck, None),
            Event::Probed(_)
            | Event::StartFailed
            | Event::Stopped
            | Event::Lost
            | Event::Mended
            | Event::Stop
            | Event::Due
            | Event::Forgive
            | Event::Vouched => stay(run),
        },
        Run::Starting | Run::Running => up(run, event),
        Run::Stopping | Run::Failing => ending(run, event),
        Run::Failed => match event {
            Event::Due | Event::Forgive | Event::Mended => (Run::Stopped, None),
            Event::Started => CLEAN,
            Event::StartFailedHeld | Event::StopFailed => (Run::Broken, None),
            Event::Probed(_)
            | Event::StartFailed
            | Event::Stopped
            | Event::Lost
            | Event::Start
            | Event::Stop
            | Event::Vouched => stay(run),
        },
        Run::Stuck | Run::Broken => wedged(run, event),
    }
}

/// Being started, or started.
fn up(run: Run, event: Event) -> Step {
    match (run, event) {
        (Run::Running, Event::Lost) => CLEAN,
        // A late failure contradicts what we believe: only a stop makes things certain.
        (Run::Running, Event::StartFailed | Event::StartFailedHeld) | (_, Event::Stop) => STOP,
        (_, Event::Started) => (Run::Running, None),
        (_, Event::StartFailed) => (Run::Failed, None),
        (_, Event::StartFailedHeld) => (Run::Broken, None),
        (
            _,
            Event::Probed(_)
            | Event::Stopped
            | Event::StopFailed
            | Event::Lost
            | Event::Mended
            | Event::Start
            | Event::Due
            | Event::Forgive
            | Event::Vouched,
        ) => stay(run),
    }
}

/// Being stopped, by decision or after a failure.
fn ending(run: Run, event: Event) -> Step {
    let failed = run == Run::Failing;
    match event {
        Event::Stopped if failed => (Run::Failed, None),
        Event::Stopped => (Run::Stopped, None),
        Event::StopFailed if failed => (Run::Broken, None),
        Event::StopFailed => (Run::Stuck, None),
        Event::Mended => (Run::Stopping, None),
        // Started and StartFailed answer the start that the stop has ended.
        Event::Probed(_)
        | Event::Started
        | Event::StartFailed
        | Event::StartFailedHeld
        | Event::Lost
        | Event::Start
        | Event::Stop
        | Event::Due
        | Event::Forgive
        | Event::Vouched => stay(run),
    }
}

/// The stop failed.
fn wedged(run: Run, event: Event) -> Step {
    let failed = run == Run::Broken;
    match event {
        Event::Due if failed => CLEAN,
        Event::Due => STOP,
        Event::Stopped if failed => (Run::Failed, None),
        Event::Stopped | Event::Vouched => (Run::Stopped, None),
        Event::Mended => (Run::Stuck, None),
        Event::Probed(_)
        | Event::Started
        | Event::StartFailed
        | Event::StartFailedHeld
        | Event::StopFailed
        | Event::Lost
        | Event::Start
        | Event::Stop
        | Event::Forgive => stay(run),
    }
}

/// A group's state with its timers.
#[derive(Debug, Clone)]
pub(crate) struct Runner {
    run: Run,
    /// The last failure, until a start succeeds.
    failure: Option<Failure>,
    /// When a failed start or a stuck stop is tried again.
    retry: Option<Instant>,
    /// Failed stops in a row.
    stop_failures: u32,
}

#[derive(Debug, Clone, Copy)]
struct Failure {
    /// The epoch of the claim it failed under.
    epoch: u64,
    /// Failures in a row, at least 1.
    count: u32,
}

/// How long to wait after failures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retries {
    pub(crate) start: Duration,
    pub(crate) stop: Duration,
}

impl Runner {
    /// The probe is under way.
    pub(crate) fn new() -> Self {
        Self {
            run: Run::Probing,
            failure: None,
            retry: None,
            stop_failures: 0,
        }
    }

    pub(crate) fn stop_failures(&self) -> u32 {
        self.stop_failures
    }

    /// A new reason to stop: failures are counted from here.
    pub(crate) fn forget_stop_failures(&mut self) {
        self.stop_failures = 0;
    }

    pub(crate) fn run(&self) -> Run {
        self.run
    }

    /// Is a claim of that epoch newer than the last failure?
    pub(crate) fn forgiven(&self, epoch: u64) -> bool {
        self.failure.is_none_or(|failure| failure.epoch < epoch)
    }

    /// Takes one event; `epoch` is that of the present claim.
    pub(crate) fn handle(
        &mut self,
        event: Event,
        epoch: u64,
        retries: Retries,
        now: Instant,
    ) -> Option<Request> {
        let before = self.run;
        let (run, request) = step(before, event);
        self.run = run;
        self.count(before, event, epoch);
        if run != before {
            self.retry = match run {
                Run::Failed => now.checked_add(self.patience(retries.start)),
                Run::Stuck | Run::Broken => now.checked_add(retries.stop),
                Run::Probing
                | Run::Leftover
                | Run::Stopped
                | Run::Starting
                | Run::Running
                | Run::Stopping
                | Run::Failing => None,
            };
        }
        request
    }

    /// Remembers failures, and forgets them after a success.
    fn count(&mut self, before: Run, event: Event, epoch: u64) {
        match event {
            Event::StartFailed | Event::StartFailedHeld if before == Run::Starting => {
                self.count_failure(epoch);
            }
            Event::Lost if before == Run::Running => self.count_failure(epoch),
            Event::Started if before == Run::Starting => self.failure = None,
            Event::StopFailed if matches!(before, Run::Stopping | Run::Failing) => {
                self.stop_failures = self.stop_failures.saturating_add(1);
            }
            Event::Stopped => self.stop_failures = 0,
            Event::Probed(_)
            | Event::Started
            | Event::StartFailed
            | Event::StartFailedHeld
            | Event::StopFailed
            | Event::Lost
            | Event::Mended
            | Event::Start
            | Event::Stop
            | Event::Due
            | Event::Forgive
            | Event::Vouched => {}
        }
    }

    fn count_failure(&mut self, epoch: u64) {
        let count = self.failure.map_or(0, |failure| failure.count);
        let count = count.saturating_add(1);
        self.failure = Some(Failure { epoch, count });
    }

    /// It doubles with every failure in a row.
    fn patience(&self, retry: Duration) -> Duration {
        let count = self.failure.map_or(1, |failure| failure.count);
        let doublings = count.saturating_sub(1).min(MAX_DOUBLINGS);
        retry.saturating_mul(1 << doublings)
    }

    /// Has the timer run out? `handle` is then to be called with `Event::Due`.
    pub(crate) fn due(&self, now: Instant) -> bool {
        self.retry.is_some_and(|at| at <= now)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.retry
    }

    /// Tries a stuck stop again at once.
    pub(crate) fn hurry(&mut self, now: Instant) {
        match self.run {
            Run::Stuck | Run::Broken => self.retry = Some(now),
            Run::Probing
            | Run::Leftover
            | Run::Stopped
            | Run::Starting
            | Run::Running
            | Run::Stopping
            | Run::Failing
            | Run::Failed => {}
        }
    }
}
