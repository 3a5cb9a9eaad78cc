//! The whole machine, one line per state and event, compared with `transitions.txt`. After a change
//! the test shows the new table; it is reviewed like code.

use super::{Action, Event, Goal, Reach, State, Step};
use std::fmt::Write as _;

const TABLE: &str = include_str!("transitions.txt");

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
const EVENTS: [Event; 12] = [
    Event::Due(Reach::List),
    Event::Due(Reach::Some),
    Event::Due(Reach::Whole),
    Event::Read,
    Event::Unreadable,
    Event::Decided { edits: false },
    Event::Decided { edits: true },
    Event::Applied { again: false },
    Event::Applied { again: true },
    Event::GiveUp,
    Event::Reload,
    Event::Stop,
];

fn states() -> impl Iterator<Item = State> {
    let all = |step| GOALS.map(|goal| State { step, goal });
    STEPS.into_iter().flat_map(all)
}

#[test]
fn every_state_and_event() {
    let mut table = String::new();
    for state in states() {
        for event in EVENTS {
            let (next, action) = state.on(event);
            if (next, action) == (state, Action::Nothing) {
                continue;
            }
            let (State { step, goal }, to) = (state, next);
            writeln!(
                table,
                "{step:?}, {goal:?} | {event:?} | {:?}, {:?} | {action:?}",
                to.step, to.goal
            )
            .expect("writing to a String succeeds");
        }
    }
    assert!(TABLE == table, "the machine is now:\n{table}");
}

#[test]
fn the_end_is_the_end() {
    for state in states().filter(|state| state.step == Step::Ended) {
        for event in EVENTS {
            assert_eq!(state.on(event), (state, Action::Nothing));
        }
    }
}

#[test]
fn nothing_but_the_end_follows_a_stop() {
    for state in states() {
        let (stopped, _) = state.on(Event::Stop);
        for event in EVENTS {
            let (next, action) = stopped.on(event);
            assert_eq!(next.goal, stopped.goal, "{stopped:?} {event:?}");
            assert!(!matches!(action, Action::Announce(_)));
        }
    }
}

#[test]
fn a_reload_is_announced_only_for_what_was_read_after_it() {
    let applying = Step::Applying { overtaken: false };
    let state = State {
        step: applying,
        goal: Goal::Reload,
    };
    let (state, _) = state.on(Event::Reload);
    let (state, action) = state.on(Event::Applied { again: false });
    assert_eq!((state.goal, action), (Goal::Reload, Action::Settle));
}
