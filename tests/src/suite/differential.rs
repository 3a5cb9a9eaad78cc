//! The real ldirectord 4.12 and ldird over the same files through the same day: after each step the kernel
//! holds the same table for both, but for the differences that are listed, each with its row of the
//! conformance table.
//!
//! Each has a director and a host of real servers to itself, on a network of its own, with the same
//! addresses, under one kernel: the old one's tables are recorded, then ldird's have to become the same.

mod accepted;
mod saved;
mod side;

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use self::accepted::ACCEPTED;
use self::saved::Saved;
use self::side::{Make, Side};
use super::ownership::figure;
use super::{Case, Place};
use crate::bed::wait;

pub(super) const CASES: &[Case] = &[
    case(
        "ldird_and_ldirectord_make_the_same_table_of_every_check",
        || same_day(&CHECKS),
    ),
    case(
        "ldird_and_ldirectord_make_the_same_table_of_every_word_about_it",
        || same_day(&TABLES),
    ),
    case(
        "ldird_and_ldirectord_make_the_same_table_in_every_habit",
        || same_day(&HABITS),
    ),
];

const fn case(name: &'static str, run: fn() -> Result<()>) -> Case {
    Case {
        name,
        place: Place::Kernel,
        run,
    }
}

/// A configuration, in `/etc/ha.d` of both directors.
struct Site {
    /// The name of the file.
    name: &'static str,
    text: &'static str,
    how: How,
    /// Its last service, whose real server never refuses, is asked at this port.
    steady: u16,
    /// The most failures that one of its services bears before it is down.
    failures: u64,
}

/// How its director is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// As a daemon.
    Daemon,
    /// As a daemon with a process for each service.
    Forked,
    /// By another director, which reads its file again when it has changed.
    ByAnother,
    /// In the foreground.
    Supervised,
}

const CHECKS: [Site; 1] = [Site {
    name: "checks.cf",
    text: include_str!("differential/checks.cf"),
    how: How::Daemon,
    steady: 119,
    failures: 1,
}];

const TABLES: [Site; 1] = [Site {
    name: "tables.cf",
    text: include_str!("differential/tables.cf"),
    how: How::Daemon,
    steady: 143,
    failures: 3,
}];

const HABITS: [Site; 4] = [
    Site {
        name: "habits.cf",
        text: include_str!("differential/habits.cf"),
        how: How::Daemon,
        steady: 389,
        failures: 1,
    },
    Site {
        name: "second.cf",
        text: include_str!("differential/second.cf"),
        how: How::ByAnother,
        steady: 587,
        failures: 1,
    },
    Site {
        name: "forked.cf",
        text: include_str!("differential/forked.cf"),
        how: How::Forked,
        steady: 636,
        failures: 1,
    },
    Site {
        name: "supervised.cf",
        text: include_str!("differential/supervised.cf"),
        how: How::Supervised,
        steady: 993,
        failures: 2,
    },
];

/// From the moment when all was asked to equal tables: for a check that is just under way.
const SETTLE_LIMIT: Duration = Duration::from_secs(40);

/// What happens to the services, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Everybody answers, and the director starts.
    Up,
    /// The second address of the real servers refuses.
    OneDown,
    /// The third is in maintenance.
    Maintenance,
    /// All but one refuse.
    AllDown,
    /// All answer again, and maintenance has ended.
    Back,
    /// The files change, and are read again.
    Reload,
    /// The directors are told to stop.
    Stop,
}

impl Step {
    const ALL: [Self; 7] = [
        Self::Up,
        Self::OneDown,
        Self::Maintenance,
        Self::AllDown,
        Self::Back,
        Self::Reload,
        Self::Stop,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::OneDown => "one down",
            Self::Maintenance => "maintenance",
            Self::AllDown => "all down",
            Self::Back => "back",
            Self::Reload => "reload",
            Self::Stop => "stop",
        })
    }
}

/// A difference that is meant: in these steps this service has these real servers in the old director's
/// table and those in ldird's, and in all others the same.
struct Accepted {
    /// The row of the conformance table, or the section of the specification where it is said.
    row: &'static str,
    service: &'static str,
    steps: &'static [Step],
    old: &'static str,
    new: &'static str,
}

fn same_day(sites: &'static [Site]) -> Result<()> {
    let begin = Instant::now();
    let recorded = old_day(sites)?;
    figure("the old director's day", begin.elapsed());
    let begin = Instant::now();
    let new = Side::new(Make::New, sites)?;
    let mut wrong = String::new();
    for (step, old) in recorded {
        new.take(step)?;
        let mut found = String::new();
        let equal = wait::until("equal tables", SETTLE_LIMIT, || {
            let saved = Saved::of(new.director());
            found = saved.map_or_else(
                |error| format!("{error:#}"),
                |saved| unexpected(step, &old, &saved),
            );
            found.is_empty()
        });
        if equal.is_err() {
            let _ = write!(wrong, "{step}:\n{found}");
        }
    }
    figure("ldird's day", begin.elapsed());
    ensure!(wrong.is_empty(), "{wrong}ldird said:\n{}", new.last_words());
    Ok(())
}

/// The table after each step. Alone: perl leaves nobody much of an emulated machine.
fn old_day(sites: &'static [Site]) -> Result<Vec<(Step, Saved)>> {
    let old = Side::new(Make::Old, sites)?;
    let mut recorded = Vec::new();
    let mut before = Saved::default();
    for step in Step::ALL {
        let begin = Instant::now();
        old.take(step)?;
        let saved = Saved::of(old.director())?;
        figure(&format!("{step}"), begin.elapsed());
        ensure!(saved != before, "{step} changed nothing in the old table");
        before = saved.clone();
        recorded.push((step, saved));
    }
    Ok(recorded)
}

/// The differences that are not accepted, and the accepted ones that do not show; a line each.
fn unexpected(step: Step, old: &Saved, new: &Saved) -> String {
    let mut text = String::new();
    let services: BTreeSet<&str> = old.services().chain(new.services()).collect();
    let accepted = |service: &str| {
        let mut rows = ACCEPTED.iter();
        rows.find(|row| row.service == service && row.steps.contains(&step))
    };
    for service in services {
        let (left, right) = (old.reals(service), new.reals(service));
        let heads = (old.head(service), new.head(service));
        let (good, wanted) = match accepted(service) {
            Some(row) => (
                left == row.old && right == row.new,
                format!("row {} says [{}] and [{}]", row.row, row.old, row.new),
            ),
            None => (left == right, "no row says so".to_owned()),
        };
        if !good || heads.0 != heads.1 {
            let _ = writeln!(
                text,
                "  {service}: old {} [{left}], ldird {} [{right}]; {wanted}",
                heads.0, heads.1
            );
        }
    }
    text
}

#[cfg(test)]
mod tests;
