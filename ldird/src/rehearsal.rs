//! A director whose edits are taken as made, in a table of our own: what it would do is seen, and
//! nothing is done.

use ldird_core::Director;
use ldird_core::config::{Config, ProbeId};
use ldird_core::diff;
use ldird_core::input::Input;
use ldird_core::output::{Notice, Output};
use ldird_core::table::{Edit, Table};
use std::time::Instant;

/// What it asks for, or says.
#[derive(Debug)]
pub(crate) enum Said {
    /// It has been due since then.
    Probe(ProbeId, Instant),
    Notice(Notice),
}

#[derive(Debug)]
pub(crate) struct Rehearsal {
    pub(crate) director: Director,
    /// As the kernel's was at the beginning, with every edit so far.
    pub(crate) table: Table,
}

impl Rehearsal {
    /// An active director that finds this table.
    pub(crate) fn new(config: Config, table: Table) -> (Self, Vec<Said>) {
        let director = Director::new(config, Instant::now());
        let mut rehearsal = Self { director, table };
        let said = rehearsal.drain();
        (rehearsal, said)
    }

    pub(crate) fn handle(&mut self, input: Input) -> Vec<Said> {
        self.director.handle(input, Instant::now());
        self.drain()
    }

    fn drain(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        // The core takes no input before it is drained.
        while let Some(answer) = self.outputs(&mut said) {
            self.director.handle(answer, Instant::now());
        }
        said
    }

    /// Drains, and gives the answer to the one question to the kernel that may be among it.
    fn outputs(&mut self, said: &mut Vec<Said>) -> Option<Input> {
        let mut answer = None;
        while let Some(output) = self.director.poll() {
            match output {
                Output::Probe { probe, due } => said.push(Said::Probe(probe, due)),
                Output::Notice(notice) => said.push(Said::Notice(notice)),
                // Who touches nothing asks nobody.
                Output::AskOpinion { .. } | Output::Exit => {}
                Output::Read => answer = Some(Input::Table(self.table.clone())),
                Output::ReadServices(keys) => {
                    let rows = keys.into_iter();
                    let rows = rows.map(|key| (key, self.table.get(&key).cloned()));
                    answer = Some(Input::Services(rows.collect()));
                }
                Output::List => {
                    answer = Some(Input::Listed(self.table.keys().copied().collect()));
                }
                Output::Apply(edits) => answer = Some(self.make(edits)),
            }
        }
        answer
    }

    /// Taken as made.
    fn make(&mut self, edits: Vec<Edit>) -> Input {
        let results = edits.into_iter().map(|edit| {
            diff::apply(&mut self.table, &edit);
            (edit, Ok(()))
        });
        Input::Applied(results.collect())
    }
}
