//! The addresses that names had, on disk for the next life: `RUN/ldird.NAME.names`.
//!
//! A director that starts while no name server answers goes on with them, so that a restart takes
//! nobody out whose name only cannot be looked up just now. The file is about this machine's boot and
//! this configuration, as the table is; an orderly stop leaves it.

use crate::config::{Family, Known};
use crate::instance::Instance;
use crate::kept::{self, File, Found, Kept};
use crate::wording::Line;
use ha_status::Severity;
use std::fmt::Write as _;
use std::net::IpAddr;

const SUFFIX: &str = "names";
/// So many names are kept, those that come first in their order; further ones are asked for anew.
const NAMES_MAX: usize = 65_536;
/// Longest name there is, bytes of text (RFC 1035, section 2.3.4).
const NAME_MAX: usize = 255;

/// The file of a running director.
#[derive(Debug)]
pub(crate) struct NamesKept {
    kept: Kept<Known>,
    written: Known,
}

impl NamesKept {
    /// Follows what is known from now on, and tells what was damaged before. Needs a runtime.
    pub(crate) fn open(instance: &Instance, known: &Known) -> Self {
        let (_, damaged) = remembered(instance);
        if damaged > 0 {
            let text = format!(
                "{damaged} lines of the addresses that names had are damaged: all are asked for anew"
            );
            Line::new(Severity::Warning, text).log();
        }
        let file = File::of(instance, SUFFIX, text);
        let mut found = kept::find(instance, SUFFIX);
        // Best effort: what cannot be written is asked for anew after a restart.
        if file.write(known).is_ok() {
            found.retain(|one| one.path != file.path);
            let _ = kept::remove_all(&found);
        }
        Self {
            kept: Kept::new(file, Some(known.clone())),
            written: known.clone(),
        }
    }

    /// These are in force now.
    pub(crate) fn note(&mut self, known: &Known) {
        if self.written != *known {
            self.written.clone_from(known);
            self.kept.set(Some(known.clone()));
        }
    }

    /// Lets the last content reach the disk.
    pub(crate) async fn settle(self) {
        self.kept.settle().await;
    }
}

/// What earlier lives knew, and how many lines are damaged. A damaged file says nothing at all: who
/// has written into it may have written anything.
pub(crate) fn remembered(instance: &Instance) -> (Known, usize) {
    let mut all = Known::new();
    let mut damaged = 0;
    for Found { text, .. } in kept::find(instance, SUFFIX) {
        let (lines, faults) = read(&text);
        damaged += faults;
        if faults == 0 {
            all.extend(lines);
        }
    }
    (all, damaged)
}

fn read(text: &str) -> (Known, usize) {
    let mut known = Known::new();
    let mut damaged = 0;
    for line in text.lines().take(NAMES_MAX) {
        match parse(line) {
            Some((name, address)) => {
                known.insert(name, address);
            }
            None => damaged += 1,
        }
    }
    (known, damaged)
}

/// `ADDRESS NAME`.
fn text(known: &Known) -> String {
    let mut text = String::new();
    for ((name, _), address) in known.iter().take(NAMES_MAX) {
        let _ = writeln!(text, "{address} {name}");
    }
    text
}

fn parse(line: &str) -> Option<((String, Family), IpAddr)> {
    let (address, name) = line.split_once(' ')?;
    let address: IpAddr = address.parse().ok()?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    let is_name = !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(plain);
    let family = if address.is_ipv4() {
        Family::V4
    } else {
        Family::V6
    };
    is_name.then(|| ((name.to_owned(), family), address))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Known, read, text};
    use crate::config::Family;

    #[test]
    fn names_are_read_as_they_are_written_and_damage_is_counted() {
        let mut known = Known::new();
        known.insert(("web1".to_owned(), Family::V4), [10, 0, 0, 1].into());
        known.insert(
            ("web1".to_owned(), Family::V6),
            "2001:db8::1".parse().unwrap(),
        );
        let written = text(&known);
        assert_eq!(read(&written), (known, 0));
        for broken in [
            "10.0.0.1",
            "web1 10.0.0.1",
            "10.0.0 web1",
            "10.0.0.1 a b",
            "",
        ] {
            assert_eq!(read(&format!("{broken}\n")).1, 1, "{broken}");
        }
        let long = format!("10.0.0.1 {}\n", "x".repeat(256));
        assert_eq!(read(&long).1, 1);
    }
}
