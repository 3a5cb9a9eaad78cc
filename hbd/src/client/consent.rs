//! A forced takeover is as safe as the person who asks for it: whoever does types the name of each
//! node that may still hold something, having looked.

use super::{Failure, say};
use ha_status::{ClusterSnapshot, Group, HoldSet, RunState};
use std::collections::BTreeSet;
use std::io::{self, BufRead as _};

/// Longest answer, bytes.
const ANSWER_MAX: u64 = 256;

/// Names what stands in the way and waits for the operator's word, node by node.
pub(super) fn ask(snapshot: &ClusterSnapshot, set: HoldSet) -> Result<(), Failure> {
    for node in holders(snapshot, set) {
        say(&question(snapshot, set, &node))?;
        let mut answer = String::new();
        let mut input = io::Read::take(io::stdin().lock(), ANSWER_MAX);
        input.read_line(&mut answer)?;
        if answer.trim().to_ascii_lowercase() != node {
            let text = format!("the name of node {node} was not typed");
            return Err(Failure::NoConsent(text));
        }
    }
    Ok(())
}

/// The nodes that may still hold a group of the set.
fn holders(snapshot: &ClusterSnapshot, set: HoldSet) -> BTreeSet<String> {
    let groups = meant(snapshot, set);
    let stuck = groups.flat_map(|group| group.runs.iter().filter(|run| is_stuck(run.state)));
    stuck.map(|run| run.node.clone()).collect()
}

fn meant(snapshot: &ClusterSnapshot, set: HoldSet) -> impl Iterator<Item = &Group> {
    snapshot.groups.iter().filter(move |group| match set {
        HoldSet::None => false,
        HoldSet::Local => group.preferred == snapshot.node,
        HoldSet::Foreign => group.preferred != snapshot.node,
        HoldSet::All => true,
    })
}

fn is_stuck(state: RunState) -> bool {
    match state {
        RunState::Stuck => true,
        RunState::Unknown
        | RunState::Stopped
        | RunState::Starting
        | RunState::Running
        | RunState::Stopping
        | RunState::Failed => false,
    }
}

fn question(snapshot: &ClusterSnapshot, set: HoldSet, node: &str) -> String {
    let held = |group: &&Group| {
        let mut runs = group.runs.iter();
        runs.any(|run| run.node == node && is_stuck(run.state))
    };
    let held = meant(snapshot, set).filter(held);
    let names: Vec<&str> = held.map(|group| group.name.as_str()).collect();
    format!(
        "Node {node} could not stop:\n  {}\n\
         If an address or a disk of it is still in use there, clients and data suffer. Look first: \
         is the node switched off, or is nothing of it active?\nType {node} to go on: ",
        names.join("\n  ")
    )
}

#[cfg(test)]
mod tests;
