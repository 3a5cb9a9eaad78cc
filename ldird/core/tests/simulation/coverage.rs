//! Which pairs of the conversation's state and an input the histories have met: promises about
//! pairs that never happen are worth nothing.

use ldird_core::conversation::{Goal, Reach, State, Step};
use ldird_core::input::Input;
use std::fmt::Write as _;

const STEPS: [Step; 8] = [
    Step::Idle,
    Step::Reading(Reach::List),
    Step::Reading(Reach::Some),
    Step::Reading(Reach::Whole),
    Step::Applying { overtaken: false },
    Step::Applying { overtaken: true },
    Step::Cleaning,
    Step::Ended,
];
const GOALS: [Goal; 4] = [Goal::Follow, Goal::Start, Goal::Reload, Goal::Clean];
const INPUTS: [&str; 17] = [
    "Tick",
    "Probed",
    "Table",
    "Services",
    "Listed",
    "Unreadable",
    "Applied",
    "Maintenance",
    "Reload",
    "LeftBehind",
    "Others",
    "Turn",
    "Overrule",
    "Shutdown",
    "Yield",
    "Prepare",
    "Opinion",
];

/// How often each pair came: by goal, step and input.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Coverage([[[u64; INPUTS.len()]; STEPS.len()]; GOALS.len()]);

impl Coverage {
    pub(crate) fn met(&mut self, State { step, goal }: State, input: &Input) {
        self.0[place_of_goal(goal)][place_of_step(step)][place_of_input(input)] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let mine = self.0.as_flattened_mut().as_flattened_mut();
        let others = other.0.as_flattened().as_flattened();
        for (mine, other) in mine.iter_mut().zip(others) {
            *mine += other;
        }
    }

    /// Pairs that were never met although they can be, or were met although they cannot.
    pub(crate) fn surprises(&self) -> Vec<String> {
        let mut text = Vec::new();
        for (goal, steps) in GOALS.into_iter().zip(&self.0) {
            for (step, counts) in STEPS.into_iter().zip(steps) {
                for (input, count) in INPUTS.into_iter().zip(counts) {
                    match (impossible(goal, step, input), *count) {
                        (None, 0) if seldom(goal, step) => {}
                        (None, 0) => text.push(format!("{goal:?}, {step:?}: {input} never came")),
                        (Some(why), 1..) => text.push(format!(
                            "{goal:?}, {step:?}: {input} came {count} times, although {why}"
                        )),
                        (None, 1..) | (Some(_), 0) => {}
                    }
                }
            }
        }
        text
    }

    /// A line for each state, a column for each input; states that were never met have none.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("{:34}", "");
        for input in INPUTS {
            let _ = write!(text, "{input:>12}");
        }
        text.push('\n');
        for (goal, steps) in GOALS.iter().zip(&self.0) {
            for (step, counts) in STEPS.iter().zip(steps) {
                if counts.iter().all(|count| *count == 0) {
                    continue;
                }
                let state = format!("{goal:?}, {step:?}");
                let _ = write!(text, "{state:34}");
                for count in counts {
                    let _ = write!(text, "{count:>12}");
                }
                text.push('\n');
            }
        }
        text
    }
}

/// A reload while the list of one request is on its way: some ten thousand histories stand there for a
/// few dozen moments, too few for every input.
fn seldom(goal: Goal, step: Step) -> bool {
    matches!((goal, step), (Goal::Reload, Step::Reading(Reach::List)))
}

/// Why a pair is never met.
fn impossible(goal: Goal, step: Step, input: &str) -> Option<&'static str> {
    let reading = matches!(step, Step::Reading(_));
    let applying = matches!(step, Step::Applying { .. } | Step::Cleaning);
    match (goal, step) {
        (Goal::Start, Step::Reading(Reach::List | Reach::Some)) => {
            return Some("the first reading is of the whole table");
        }
        (Goal::Follow, Step::Applying { overtaken: true }) => {
            return Some("what overtakes a batch is another goal");
        }
        (Goal::Follow | Goal::Start | Goal::Reload, Step::Cleaning | Step::Ended) => {
            return Some("only a stop cleans and ends");
        }
        _ => {}
    }
    match input {
        "Table" if step != Step::Reading(Reach::Whole) => Some("no whole table was asked for"),
        "Services" if step != Step::Reading(Reach::Some) => Some("no services were asked for"),
        "Listed" if step != Step::Reading(Reach::List) => Some("no list was asked for"),
        "Unreadable" if !reading => Some("nothing is being read"),
        "Applied" if !applying => Some("no edits are being made"),
        "LeftBehind" if goal == Goal::Clean => None,
        "LeftBehind" if (goal, step) != (Goal::Start, Step::Reading(Reach::Whole)) => {
            Some("it is said at the start, and the first reading begins with it")
        }
        _ => None,
    }
}

fn place_of_goal(goal: Goal) -> usize {
    match goal {
        Goal::Follow => 0,
        Goal::Start => 1,
        Goal::Reload => 2,
        Goal::Clean => 3,
    }
}

fn place_of_step(step: Step) -> usize {
    match step {
        Step::Idle => 0,
        Step::Reading(Reach::List) => 1,
        Step::Reading(Reach::Some) => 2,
        Step::Reading(Reach::Whole) => 3,
        Step::Applying { overtaken: false } => 4,
        Step::Applying { overtaken: true } => 5,
        Step::Cleaning => 6,
        Step::Ended => 7,
    }
}

fn place_of_input(input: &Input) -> usize {
    match input {
        Input::Tick => 0,
        Input::Probed { .. } => 1,
        Input::Table(_) => 2,
        Input::Services(_) => 3,
        Input::Listed(_) => 4,
        Input::TableUnreadable(_) => 5,
        Input::Applied(_) => 6,
        Input::Maintenance { .. } => 7,
        Input::Reload(_) => 8,
        Input::LeftBehind(_) => 9,
        Input::Others(_) => 10,
        Input::Turn(_) => 11,
        Input::Overrule { .. } => 12,
        Input::Shutdown => 13,
        Input::Yield { .. } => 14,
        Input::Prepare { .. } => 15,
        Input::Opinion { .. } => 16,
    }
}
