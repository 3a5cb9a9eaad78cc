//! What haresources means: the old ResourceManager's own shell functions, and `hbd check --show`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};

use super::Case;
use crate::bed::host::Host;

/// The script whose functions read haresources.
const MANAGER: &str = "/usr/share/heartbeat/ResourceManager";
/// Stands between the cases.
const MARK: &str = "zz-mark";
/// Different words that are taken apart.
const WORDS: usize = 2_000;
/// So many differences are shown.
const SHOWN: usize = 10;

/// Groups: node, then each resource as a script with its arguments.
type Groups = Vec<(String, Vec<String>)>;

/// Whether both make the same groups of each file; what differs, as text.
pub(super) fn compare(host: &Host, cases: &[(&Case, &str)]) -> Result<Vec<String>> {
    let lines = normalised(host, cases)?;
    let words: BTreeSet<&str> = lines
        .iter()
        .flatten()
        .flat_map(|line| line.split(' ').skip(1))
        .filter(|word| !word.is_empty())
        .take(WORDS * 8)
        .collect();
    let words: Vec<&str> = words.into_iter().take(WORDS).collect();
    let meanings = taken_apart(host, &words)?;
    let mut differences = Vec::new();
    let mut compared = 0;
    for ((case, said), lines) in cases.iter().zip(&lines) {
        let Some(old) = old_groups(lines, &meanings) else {
            continue;
        };
        compared += 1;
        let new = new_groups(said);
        if old != new && !is_told(said) {
            differences.push(format!(
                "--- haresources {:?}\nResourceManager: {old:?}\nhbd: {new:?}",
                case.text()
            ));
        }
    }
    crate::bed::say(&format!(
        "haresources: {compared} files mean the same to ResourceManager, but for {}",
        differences.len()
    ));
    differences.truncate(SHOWN);
    Ok(differences)
}

/// Does `hbd check` itself say that Heartbeat understands the file otherwise?
fn is_told(said: &str) -> bool {
    const TOLD: [&str; 3] = [
        "Heartbeat garbles the arguments",
        "Heartbeat takes its words as resources",
        "Heartbeat makes it part of a word",
    ];
    TOLD.iter().any(|told| said.contains(told))
}

/// The lines of each case as the old pipeline makes them.
fn normalised(host: &Host, cases: &[(&Case, &str)]) -> Result<Vec<Vec<String>>> {
    let mut all = String::new();
    for (number, (case, _)) in cases.iter().enumerate() {
        all.push_str(&case.text());
        all.extend(["\n", MARK, " ", &number.to_string(), "\n"]);
    }
    fs::create_dir_all(host.folder().join("srv/manager"))?;
    fs::write(host.folder().join("srv/manager/haresources"), all)?;
    let said = manager(host, "HA_DIR=/srv/manager; ipres", "")?;
    let mut cases = Vec::new();
    let mut lines = Vec::new();
    for line in said.lines() {
        if line.starts_with(MARK) {
            cases.push(std::mem::take(&mut lines));
        } else {
            lines.push(line.to_owned());
        }
    }
    Ok(cases)
}

/// Script and arguments of each word.
fn taken_apart(host: &Host, words: &[&str]) -> Result<BTreeMap<String, String>> {
    let work = "set -f; while read -r w; do c=`canonname $w`; s=`resource2script $c`; \
                a=`resource2arg $w`; set -- $s $a; echo \"$w $*\"; done";
    let said = manager(host, work, &words.join("\n"))?;
    let entry = |line: &str| {
        let (word, meaning) = line.split_once(' ')?;
        Some((word.to_owned(), meaning.to_owned()))
    };
    Ok(said.lines().filter_map(entry).collect())
}

/// Runs a line of shell with the functions of the script.
fn manager(host: &Host, work: &str, input: &str) -> Result<String> {
    fs::write(host.folder().join("srv/input"), format!("{input}\n"))?;
    let line = format!(
        "sed -n '/^isip() {{/,/^scriptpath() {{/p' {MANAGER} | sed '$d' > /srv/functions\n\
         . /srv/functions\nexec < /srv/input\n{work}"
    );
    host.run(&["sh", "-c", &line]).context("ResourceManager")
}

fn old_groups(lines: &[String], meanings: &BTreeMap<String, String>) -> Option<Groups> {
    let mut groups = Groups::new();
    for line in lines {
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let node = words.next()?.to_owned();
        let resources: Option<Vec<String>> =
            words.map(|word| meanings.get(word).cloned()).collect();
        let resources = resources?;
        if !resources.is_empty() {
            groups.push((node, resources));
        }
    }
    Some(groups)
}

/// From `group KEY prefers NODE` and the indented lines below.
fn new_groups(said: &str) -> Groups {
    let mut groups = Groups::new();
    for line in said.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let ["group", _, "prefers", node] = words.as_slice() {
            groups.push(((*node).to_owned(), Vec::new()));
        } else if let Some(resource) = line.strip_prefix("    ")
            && let Some((_, resources)) = groups.last_mut()
        {
            resources.push(resource.to_owned());
        }
    }
    groups
}
