//! The judgement that every case about a pair ends with: one owner, by every witness.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ha_status::{NodeStatus, RunState};

use crate::bed::host::Host;
use crate::bed::probe::Probe;
use crate::bed::wait;
use crate::scenario::director::Director;
use crate::scenario::pair::{Pair, VIP};
use crate::scenario::programs::Programs;

/// For a cluster to become calm after the worst of faults.
const CALM: Duration = Duration::from_secs(20);

/// Runs `story` with a fresh pair of which lb1 serves; a failure shows what both daemons said last.
pub(super) fn with_pair(story: impl FnOnce(&Pair) -> Result<()>) -> Result<()> {
    let pair = Pair::start(&Programs::find()?)?;
    story(&pair).with_context(|| last_words(&pair))
}

pub(super) fn last_words(pair: &Pair) -> String {
    let [one, two] = nodes(pair).map(Director::last_words);
    format!("lb1 said:\n{one}\nlb2 said:\n{two}\n")
}

pub(super) fn nodes(pair: &Pair) -> [&Director; 2] {
    [pair.one(), pair.two()]
}

/// Does hbd run on this node?
pub(super) fn is_up(node: &Director) -> bool {
    node.host().is_on() && !node.host().processes("hbd").is_empty()
}

/// Waits until every running daemon sees every other active and exactly one of them runs the group, then
/// asks the kernels: only the owner may have the address. Gives the owner.
pub(super) fn settled(pair: &Pair) -> Result<&Director> {
    let owner = wait::for_some("exactly one node runs the group", CALM, || {
        let up: Vec<&Director> = nodes(pair).into_iter().filter(|node| is_up(node)).collect();
        let meet = up.iter().all(|node| {
            let mut others = up.iter();
            others.all(|other| node.sees(other.name(), NodeStatus::Active))
        });
        let owners: Vec<_> = up.iter().filter(|node| node.serves()).collect();
        let idle = up.iter().filter(|node| node.groups_are(RunState::Stopped));
        Ok(match owners.as_slice() {
            [owner] if meet && idle.count() + 1 == up.len() => Some(**owner),
            _ => None,
        })
    })?;
    for node in nodes(pair).into_iter().filter(|node| node.host().is_on()) {
        let has = has_address(node.host(), VIP)?;
        let should = node.name() == owner.name();
        ensure!(
            has == should,
            "{} runs the group, and {} has {} the address",
            owner.name(),
            node.name(),
            if has { "" } else { "not" }
        );
    }
    Ok(owner)
}

/// As [`settled`], and the owner must be this node.
pub(super) fn settled_on(pair: &Pair, name: &str) -> Result<()> {
    let owner = settled(pair)?.name();
    ensure!(owner == name, "{owner} owns the group instead of {name}");
    Ok(())
}

/// Has the kernel of this host the address on an interface?
pub(super) fn has_address(host: &Host, address: Ipv4Addr) -> Result<bool> {
    let shown = host.run(&["ip", "-o", "-4", "address", "show"])?;
    Ok(shown.contains(&format!(" {address}/")))
}

/// The client heard one voice only, from `bound` after `since` on.
pub(super) fn one_voice(probe: &Probe, since: Instant, bound: Duration) -> Result<()> {
    let answers = probe.answers();
    let late = answers.iter().filter(|answer| answer.at > since + bound);
    let voices: BTreeSet<&str> = late.map(|answer| answer.node.as_str()).collect();
    ensure!(
        voices.len() == 1,
        "more than {bound:?} after the event the client is answered by {voices:?}"
    );
    Ok(())
}

/// Prints a figure for the person who reads along, below the case that runs.
pub(super) fn figure(what: &str, length: Duration) {
    println!("    {what}: {:.1} ms", length.as_secs_f64() * 1000.0);
}
