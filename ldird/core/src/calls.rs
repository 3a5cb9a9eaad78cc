//! Which call the fallbackcommand of each virtual service is to get next (specification 3.6): `start`
//! when nobody serves, `stop` when somebody does, and only when that is another one than the last.
//!
//! ```text
//!             wanted ≠ last             done
//!   at rest ───────────────► running ─────────► at rest
//!                              │  ▲
//!                              └──┘ wanted changes: the newest counts when it is done
//! ```
//!
//! One call of a service at a time, so they stay in order; what changes meanwhile and changes back is
//! never called. What a call came to is not asked: the old daemon did not either.

use crate::table::ServiceKey;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Nobody serves.
    Start,
    /// Somebody does.
    Stop,
}

/// The calls of every service that has a command. As many rows as there are such services.
#[derive(Debug, Default)]
pub struct Calls {
    rows: BTreeMap<ServiceKey, Row>,
    ending: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    command: String,
    wanted: Option<Call>,
    last: Option<Call>,
    running: bool,
}

/// A call that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub service: ServiceKey,
    pub command: String,
    pub call: Call,
}

impl Calls {
    /// A configuration's commands. A service that keeps its command keeps what it was called with.
    pub fn set(&mut self, commands: &BTreeMap<ServiceKey, String>) {
        self.rows.retain(|key, row| {
            // One that runs still comes back.
            row.running || commands.get(key) == Some(&row.command)
        });
        for (key, command) in commands {
            let row = self.rows.entry(*key).or_insert_with(|| Row {
                command: command.clone(),
                wanted: None,
                last: None,
                running: false,
            });
            if row.command != *command {
                row.command.clone_from(command);
                (row.wanted, row.last) = (None, None);
            }
        }
    }

    /// Does anybody serve?
    pub fn want(&mut self, service: ServiceKey, served: bool) {
        if let Some(row) = self.rows.get_mut(&service)
            && !self.ending
        {
            let call = if served { Call::Stop } else { Call::Start };
            row.wanted = Some(call);
        }
    }

    /// The director ends, or stands by from now on: with `stop`, what was started is stopped; nothing
    /// else is wanted any more.
    pub fn end(&mut self, stop: bool) {
        self.ending = true;
        for row in self.rows.values_mut() {
            let started = row.last == Some(Call::Start);
            row.wanted = (stop && started).then_some(Call::Stop);
        }
    }

    /// The director serves, after a time in which it did not: whatever was called then is forgotten.
    pub fn begin(&mut self) {
        self.ending = false;
        for row in self.rows.values_mut() {
            (row.wanted, row.last) = (None, None);
        }
    }

    /// A call that is due; ask until there is none.
    pub fn due(&mut self) -> Option<Order> {
        let open = |row: &Row| !row.running && row.wanted.is_some() && row.wanted != row.last;
        let (service, row) = self.rows.iter_mut().find(|(_, row)| open(row))?;
        let call = row.wanted?;
        row.last = Some(call);
        row.running = true;
        Some(Order {
            service: *service,
            command: row.command.clone(),
            call,
        })
    }

    /// A call came back, whatever came of it.
    pub fn done(&mut self, service: ServiceKey) {
        if let Some(row) = self.rows.get_mut(&service) {
            row.running = false;
        }
    }

    /// Does nothing run, and is nothing due?
    pub fn is_at_rest(&self) -> bool {
        let rests = |row: &Row| !row.running && (row.wanted.is_none() || row.wanted == row.last);
        self.rows.values().all(rests)
    }
}

#[cfg(test)]
mod tests;
