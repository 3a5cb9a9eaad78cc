//! One resource group on this node: what runs here, and what the shell was asked to do about it.
//!
//! ```text
//! Probing ──► Stopped ──Start──► Starting ──► Running
//!    │           ▲                  │ │          │
//!    ▼           │ stopped    fails │ └──Stop────┤
//! Leftover ─Stop─┴── Stopping ◄─────┼────────────┘
//!                      │   ▲      Failed (until retry or forgiven)
//!                      ▼   │ retry
//!                     Stuck: the stop failed, it may still be active here
//! ```
//!
//! [`step`] is the whole table. It never assumes that a request was carried out: a result that is
//! late or comes twice is an ordinary event, and whatever might mean "something is active after
//! all" leads to a stop.

use crate::input::Activity;
use ha_status::RunState;
use std::time::{Duration, Instant};

/// After so many failed starts in a row the time until the next one no longer doubles.
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
    /// The start failed; everything was stopped again.
    Failed,
    /// The stop failed: something may still be active.
    Stuck,
}

impl Run {
    /// What the others are told.
    pub fn state(self) -> RunState {
        match self {
            Self::Probing | Self::Leftover => RunState::Unknown,
            Self::Stopped => RunState::Stopped,
            Self::Starting => RunState::Starting,
            Self::Running => RunState::Running,
            Self::Stopping => RunState::Stopping,
            Self::Failed => RunState::Failed,
            Self::Stuck => RunState::Stuck,
        }
    }

    /// May something of the group be active, so that a stop makes sense?
    pub fn held(self) -> bool {
        match self {
            Self::Leftover | Self::Starting | Self::Running => true,
            Self::Probing | Self::Stopped | Self::Stopping | Self::Failed | Self::Stuck => false,
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
            | Self::Stuck => false,
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
    /// This node should run the group, and may.
    Start,
    /// This node must not run it.
    Stop,
    /// The retry timer ran out.
    Due,
    /// A failed start is forgotten: this node was named again.
    Forgive,
}

/// What the shell must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    Start,
    Stop,
}

/// The table: from a state by an event to the next state, with a request to the shell.
pub fn step(run: Run, event: Event) -> (Run, Option<Request>) {
    const fn stay(run: Run) -> (Run, Option<Request>) {
        (run, None)
    }
    const START: (Run, Option<Request>) = (Run::Starting, Some(Request::Start));
    const STOP: (Run, Option<Request>) = (Run::Stopping, Some(Request::Stop));
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
            | Event::Start
            | Event::Stop
            | Event::Due
            | Event::Forgive => stay(run),
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
            | Event::Due
            | Event::Forgive => stay(run),
        },
        Run::Stopped => match event {
            Event::Start => START,
            Event::Started => STOP,
            Event::StartFailedHeld | Event::StopFailed => (Run::Stuck, None),
            Event::Probed(_)
            | Event::StartFailed
            | Event::Stopped
            | Event::Stop
            | Event::Due
            | Event::Forgive => stay(run),
        },
        Run::Starting => match event {
            Event::Started => (Run::Running, None),
            Event::StartFailed => (Run::Failed, None),
            Event::StartFailedHeld => (Run::Stuck, None),
            Event::Stop => STOP,
            Event::Probed(_)
            | Event::Stopped
            | Event::StopFailed
            | Event::Start
            | Event::Due
            | Event::Forgive => stay(run),
        },
        Run::Running => match event {
            // A late failure contradicts what we believe: only a stop makes things certain.
            Event::Stop | Event::StartFailed | Event::StartFailedHeld => STOP,
            Event::Probed(_)
            | Event::Started
            | Event::Stopped
            | Event::StopFailed
            | Event::Start
            | Event::Due
            | Event::Forgive => stay(run),
        },
        Run::Stopping => match event {
            Event::Stopped => (Run::Stopped, None),
            Event::StopFailed => (Run::Stuck, None),
            // Started and StartFailed answer the start that the stop has ended.
            Event::Probed(_)
            | Event::Started
            | Event::StartFailed
            | Event::StartFailedHeld
            | Event::Start
            | Event::Stop
            | Event::Due
            | Event::Forgive => stay(run),
        },
        Run::Failed => match event {
            Event::Due | Event::Forgive => (Run::Stopped, None),
            Event::Started => STOP,
            Event::StartFailedHeld | Event::StopFailed => (Run::Stuck, None),
            Event::Probed(_) | Event::StartFailed | Event::Stopped | Event::Start | Event::Stop => {
                stay(run)
            }
        },
        Run::Stuck => match event {
            Event::Due => STOP,
            Event::Stopped => (Run::Stopped, None),
            Event::Probed(_)
            | Event::Started
            | Event::StartFailed
            | Event::StartFailedHeld
            | Event::StopFailed
            | Event::Start
            | Event::Stop
            | Event::Forgive => stay(run),
        },
    }
}

/// A group's state with its timers.
#[derive(Debug, Clone)]
pub(crate) struct Runner {
    run: Run,
    /// The last failed start, until a start succeeds.
    failure: Option<StartFailure>,
    /// When a stuck stop is tried again.
    retry_stop: Option<Instant>,
    /// Failed stops in a row.
    stop_failures: u32,
}

#[derive(Debug, Clone, Copy)]
struct StartFailure {
    /// The epoch of the claim it failed under.
    epoch: u64,
    /// Not eligible before; `None` once that time has passed.
    until: Option<Instant>,
    /// Failed starts in a row, at least 1.
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
            retry_stop: None,
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

    /// Is a claim of that epoch newer than the last failure to start?
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
        match (before, event) {
            (Run::Starting, Event::StartFailed | Event::StartFailedHeld) => {
                self.count_failure(epoch, retries.start, now);
            }
            (Run::Starting, Event::Started) => self.failure = None,
            (Run::Failed, Event::Forgive | Event::Due) => self.pardon(),
            (Run::Stopping, Event::StopFailed) => {
                self.stop_failures = self.stop_failures.saturating_add(1);
            }
            (_, Event::Stopped) => self.stop_failures = 0,
            (_, _) => {}
        }
        // A start failed, then the clean-up did, and only now everything is stopped.
        let banned = self.failure.is_some_and(|failure| failure.until.is_some());
        if self.run == Run::Stopped && banned && !self.forgiven(epoch) {
            self.run = Run::Failed;
        }
        self.retry_stop = match (before, self.run) {
            (Run::Stuck, Run::Stuck) => self.retry_stop,
            (_, Run::Stuck) => now.checked_add(retries.stop),
            _ => None,
        };
        request
    }

    /// Feeds the timer that has run out, if any; `handle` is to be called with `Event::Due`.
    pub(crate) fn due(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|at| at <= now)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.run {
            Run::Failed => self.failure.and_then(|failure| failure.until),
            Run::Stuck => self.retry_stop,
            Run::Probing
            | Run::Leftover
            | Run::Stopped
            | Run::Starting
            | Run::Running
            | Run::Stopping => None,
        }
    }

    /// Tries a stuck stop again at once.
    pub(crate) fn hurry(&mut self, now: Instant) {
        if self.run == Run::Stuck {
            self.retry_stop = Some(now);
        }
    }

    fn count_failure(&mut self, epoch: u64, retry: Duration, now: Instant) {
        let before = self.failure.map_or(0, |failure| failure.count);
        let doublings = before.min(MAX_DOUBLINGS);
        let wait = retry.saturating_mul(1 << doublings);
        self.failure = Some(StartFailure {
            epoch,
            until: now.checked_add(wait),
            count: before.saturating_add(1),
        });
    }

    fn pardon(&mut self) {
        if let Some(failure) = &mut self.failure {
            failure.until = None;
        }
    }
}
