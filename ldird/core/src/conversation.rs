//! The conversation with the kernel about its table, as a machine: what is under way, and what is
//! wanted of it. It decides when to read, edit, settle and end; what the edits are, it does not know.
//!
//! ```text
//!            ┌───────────────── nothing to edit ─────────────────┐
//!            ▼                                                   │
//!   ┌──────► Idle ──due──► Reading(reach) ──read, edits──► Applying ──applied──► Idle
//!   │                        │     │
//!   └── unreadable: later ───┘     └── wanted clean, edits ──► Cleaning ──applied──► Ended
//! ```
//!
//! Edits are always decided on a fresh reading of what they touch, never on memory alone.

/// What is wanted of the table. Only its fulfilment, or something more urgent, takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Goal {
    /// The table follows what changes.
    Follow,
    /// All of our services become what is desired, for the first time in this life.
    Start,
    /// The same for a new configuration or another role.
    Reload,
    /// Our services leave, then nothing follows.
    Clean,
}

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Which services exist.
    List,
    /// Single services with their rows.
    Some,
    /// The whole table.
    Whole,
}

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Idle,
    Reading(Reach),
    Applying {
        /// The batch was made for a configuration that is not in force any more.
        overtaken: bool,
    },
    /// The last edits.
    Cleaning,
    Ended,
}

/// The machine's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    pub step: Step,
    pub goal: Goal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// Time or a change asks for so much of a reading.
    Due(Reach),
    /// What was asked for was read.
    Read,
    /// It could not be read.
    Unreadable,
    /// What was read does not come to an edit, or does.
    Decided {
        edits: bool,
    },
    /// The kernel answered each edit; `again` if the last ones are worth another try.
    Applied {
        again: bool,
    },
    /// Reading or cleaning at the end has failed often enough.
    GiveUp,
    /// A new configuration, or another role.
    Reload,
    Stop,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Nothing,
    Read(Reach),
    /// See which services are missing in a list.
    Compare,
    /// Find the edits, then tell with `Decided`.
    Decide,
    /// Make the edits.
    Apply,
    /// Try again later.
    Later,
    /// A merge is done.
    Settle,
    /// The same, and all of a configuration is in force.
    Announce(Goal),
    Exit,
}

impl State {
    pub const START: Self = Self {
        step: Step::Idle,
        goal: Goal::Start,
    };

    /// The whole machine: the state that follows, and what is to be done.
    #[must_use]
    pub fn on(self, event: Event) -> (Self, Action) {
        match (self.step, event) {
            (
                Step::Ended,
                Event::Due(_)
                | Event::Read
                | Event::Unreadable
                | Event::Decided { .. }
                | Event::Applied { .. }
                | Event::GiveUp
                | Event::Reload
                | Event::Stop,
            ) => self.stay(),
            (
                Step::Idle | Step::Reading(_) | Step::Applying { .. } | Step::Cleaning,
                Event::Stop,
            ) => (self.stopping(), Action::Nothing),
            (
                Step::Idle | Step::Reading(_) | Step::Applying { .. } | Step::Cleaning,
                Event::Reload,
            ) => (self.reloaded(), Action::Nothing),
            (Step::Idle, Event::Due(reach)) => {
                let reach = match self.goal {
                    Goal::Follow => reach,
                    Goal::Start | Goal::Reload | Goal::Clean => Reach::Whole,
                };
                self.to(Step::Reading(reach), Action::Read(reach))
            }
            (Step::Reading(reach), Event::Read) => match (reach, self.goal) {
                (Reach::List, Goal::Follow) => self.to(Step::Idle, Action::Compare),
                (Reach::Some, Goal::Follow)
                | (Reach::Whole, Goal::Follow | Goal::Start | Goal::Reload | Goal::Clean) => {
                    self.to(self.step, Action::Decide)
                }
                (Reach::List | Reach::Some, Goal::Start | Goal::Reload | Goal::Clean) => {
                    self.to(Step::Reading(Reach::Whole), Action::Read(Reach::Whole))
                }
            },
            (Step::Reading(_), Event::Unreadable) => self.to(Step::Idle, Action::Later),
            (Step::Reading(_), Event::Decided { edits }) => match (self.goal, edits) {
                (Goal::Clean, true) => self.to(Step::Cleaning, Action::Apply),
                (Goal::Clean, false) => self.to(Step::Ended, Action::Exit),
                (Goal::Follow | Goal::Start | Goal::Reload, true) => {
                    self.to(Step::Applying { overtaken: false }, Action::Apply)
                }
                (Goal::Follow | Goal::Start | Goal::Reload, false) => self.fulfilled(),
            },
            (Step::Applying { overtaken: false }, Event::Applied { .. }) => self.fulfilled(),
            (Step::Applying { overtaken: true }, Event::Applied { .. }) => {
                self.to(Step::Idle, Action::Settle)
            }
            (Step::Cleaning, Event::Applied { again: true }) => self.to(Step::Idle, Action::Later),
            (Step::Cleaning, Event::Applied { again: false }) => self.to(Step::Ended, Action::Exit),
            (
                Step::Idle | Step::Reading(_) | Step::Applying { .. } | Step::Cleaning,
                Event::GiveUp,
            ) => match self.goal {
                Goal::Clean => self.to(Step::Ended, Action::Exit),
                Goal::Follow | Goal::Start | Goal::Reload => self.stay(),
            },
            // One thing at a time; what is due stays due.
            (Step::Reading(_) | Step::Applying { .. } | Step::Cleaning, Event::Due(_)) => {
                self.stay()
            }
            // Answers that nobody waits for.
            (
                Step::Idle,
                Event::Read | Event::Unreadable | Event::Decided { .. } | Event::Applied { .. },
            )
            | (Step::Reading(_), Event::Applied { .. })
            | (
                Step::Applying { .. } | Step::Cleaning,
                Event::Read | Event::Unreadable | Event::Decided { .. },
            ) => self.stay(),
        }
    }

    fn to(self, step: Step, action: Action) -> (Self, Action) {
        let goal = self.goal;
        (Self { step, goal }, action)
    }

    fn stay(self) -> (Self, Action) {
        (self, Action::Nothing)
    }

    fn stopping(self) -> Self {
        let goal = Goal::Clean;
        Self { goal, ..self }
    }

    /// A stop is the last word; a first table is still the first one.
    fn reloaded(self) -> Self {
        let goal = match self.goal {
            Goal::Follow | Goal::Reload => Goal::Reload,
            Goal::Start => Goal::Start,
            Goal::Clean => return self,
        };
        let step = match self.step {
            Step::Applying { .. } => Step::Applying { overtaken: true },
            Step::Idle | Step::Reading(_) | Step::Cleaning | Step::Ended => self.step,
        };
        Self { step, goal }
    }

    fn fulfilled(self) -> (Self, Action) {
        let idle = |goal| Self {
            step: Step::Idle,
            goal,
        };
        match self.goal {
            Goal::Follow => (idle(Goal::Follow), Action::Settle),
            Goal::Start | Goal::Reload => (idle(Goal::Follow), Action::Announce(self.goal)),
            // The batch was made before the stop; the table is still to be cleaned.
            Goal::Clean => (idle(Goal::Clean), Action::Settle),
        }
    }
}

#[cfg(test)]
mod tests;
