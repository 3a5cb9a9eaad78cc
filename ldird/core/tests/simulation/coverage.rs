//! Which pairs of the conversation's state and an input the histories have met.

use ldird_core::conversation::State;
use ldird_core::input::Input;
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Coverage(BTreeMap<State, BTreeMap<&'static str, u64>>);

impl Coverage {
    pub(crate) fn met(&mut self, state: State, input: &Input) {
        let of_state = self.0.entry(state).or_default();
        *of_state.entry(name(input)).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (state, counts) in &other.0 {
            for (name, count) in counts {
                *self.0.entry(*state).or_default().entry(name).or_default() += count;
            }
        }
    }

    pub(crate) fn pairs(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// One line for each state.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        for (State { step, goal }, counts) in &self.0 {
            let _ = write!(text, "  {step:?}, {goal:?}:");
            for (name, count) in counts {
                let _ = write!(text, " {name} {count}");
            }
            text.push('\n');
        }
        text
    }
}

fn name(input: &Input) -> &'static str {
    match input {
        Input::Tick => "Tick",
        Input::Probed { .. } => "Probed",
        Input::Table(_) => "Table",
        Input::Services(_) => "Services",
        Input::Listed(_) => "Listed",
        Input::TableUnreadable(_) => "TableUnreadable",
        Input::Applied(_) => "Applied",
        Input::Maintenance { .. } => "Maintenance",
        Input::Reload(_) => "Reload",
        Input::LeftBehind(_) => "LeftBehind",
        Input::Others(_) => "Others",
        Input::Shutdown => "Shutdown",
    }
}
