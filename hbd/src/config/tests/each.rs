//! Every directive of ha.cf, well used and badly: what `hbd check` says, and what comes of it. In
//! `hbd/tests/golden/each-directive` each line behind `> ` is put in front of a small configuration, in the place
//! of its own line for the same directive. `UPDATE_GOLDEN=1 cargo test -p hbd` writes the rest anew.

use super::golden::meaning;
use super::load_copy;
use crate::config::directives::DIRECTIVES;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/each-directive");
const INPUT: &str = "> ";
const BASE: &[&str] = &[
    "keepalive 200ms",
    "warntime 500ms",
    "deadtime 2",
    "initdead 60",
    "auto_failback on",
    "logfacility local0",
    "bcast eth0",
    "node lb1 lb2",
];

fn name(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

/// What is said of the line, and what it means; whether nothing is said against it.
fn judged(line: &str, usual: &str) -> (String, bool) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let mut ha_cf = format!("{line}\n");
    for base in BASE {
        // Without nodes nothing else would be looked at.
        if name(base) != name(line) || name(line) == "node" {
            writeln!(ha_cf, "{base}").unwrap();
        }
    }
    write("ha.cf", &ha_cf);
    write("haresources", "lb1 IPaddr::10.0.0.100/24/eth0\n");
    write("authkeys", "auth 1\n1 sha256 a-key-of-a-test\n");
    let copy = tempfile::tempdir().unwrap();
    let result = load_copy(folder.path(), copy.path());
    let (said, means) = match &result {
        Ok(loaded) => (loaded.warnings.render(false), meaning(loaded)),
        Err(faults) => (faults.render(false), String::new()),
    };
    let said = said.replace(&format!("{}/", copy.path().display()), "");
    let fine = said.is_empty() && result.is_ok();
    let means = means.lines().map(|line| format!("  {line}\n"));
    let news: String = means.filter(|line| !usual.contains(line)).collect();
    (format!("{said}{news}"), fine)
}

#[test]
fn every_directive_well_used_and_badly_is_judged_like_this() {
    let before = fs::read_to_string(GOLDEN).unwrap();
    let inputs = before.lines().filter_map(|line| line.strip_prefix(INPUT));
    let (usual, _) = judged("# Nothing.", "");
    let mut found = String::new();
    let mut verdicts: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
    for line in inputs {
        let (text, fine) = judged(line, &usual);
        verdicts.entry(name(line)).or_default().insert(fine);
        write!(found, "{INPUT}{line}\n{text}").unwrap();
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(GOLDEN, &found).unwrap();
    }
    let golden = fs::read_to_string(GOLDEN).unwrap();
    assert!(
        found == golden,
        "{GOLDEN}: UPDATE_GOLDEN=1 accepts this:\n{found}"
    );
    for directive in DIRECTIVES {
        let seen = verdicts.get(directive.name);
        let blamed = seen.is_some_and(|seen| seen.contains(&false));
        assert!(blamed, "{} is never used badly", directive.name);
    }
}
