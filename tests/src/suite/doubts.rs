//! Nodes that are wrong about each other by configuration: different keys, one name on both. What is
//! refused is told wherever an operator looks, and mending the file is all that it takes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ha_status::{ClusterSnapshot, NodeStatus, Refused, RefusedReason, RunState};

use super::ownership::{has_address, last_words, nodes, settled_on, with_pair};
use super::watch::throughout;
use super::{Case, Place};
use crate::bed::wait;
use crate::scenario::director::Director;
use crate::scenario::pair::{Pair, VIP};
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "another_key_is_told_everywhere_and_forgotten_once_mended",
        place: Place::Here,
        run: another_key,
    },
    Case {
        name: "key_that_is_changed_on_one_node_is_told_with_its_name",
        place: Place::Here,
        run: changed_key,
    },
    Case {
        name: "two_nodes_of_one_name_take_nothing_until_one_is_gone",
        place: Place::Here,
        run: one_name,
    },
];

const LIMIT: Duration = Duration::from_secs(20);
/// From both daemons' start to the words in every view: an operator looks at once.
const TELLING: Duration = Duration::from_secs(5);
/// Twice the deadtime: whoever meant to take something has done so.
const CALM: Duration = Duration::from_secs(2);
/// So wide that hbtui cuts no line.
const WIDE: &str = "300";
const RIGHT_KEY: &str = "a-key-of-the-lab";
const WRONG_KEY: &str = "a-key-of-its-own";
const ADDRESSES: [&str; 2] = ["10.77.0.1", "10.77.0.2"];
/// `ucast` says whose an address is before anything was heard of it.
const UCAST_HA_CF: &str = "\
keepalive 100ms
warntime 500ms
deadtime 1
initdead 5
udpport 694
ucast eth0 10.77.0.1
ucast eth0 10.77.0.2
auto_failback on
node lb1
node lb2
";

/// From the start on, as after an installation where each node made its own key.
fn another_key() -> Result<()> {
    let pair = Pair::start_with(&Programs::find()?, UCAST_HA_CF)?;
    let story = || {
        for node in nodes(&pair) {
            node.stop()?;
        }
        set_key(pair.two(), WRONG_KEY)?;
        for node in nodes(&pair) {
            node.start()?;
        }
        refusals_are_told(&pair)?;
        mend(&pair)
    };
    story().with_context(|| last_words(&pair))
}

/// Over broadcasts only what was heard before tells whose an address is.
fn changed_key() -> Result<()> {
    with_pair(|pair| {
        set_key(pair.two(), WRONG_KEY)?;
        pair.two().hbd(&["reload"])?;
        refusals_are_told(pair)?;
        mend(pair)
    })
}

fn set_key(node: &Director, key: &str) -> Result<()> {
    let line = format!("printf 'auth 1\\n1 sha1 {key}\\n' >/etc/ha.d/authkeys");
    node.host().sh(&line).map(drop)
}

/// Each node names the other in every view, with its address, the reason and what to do.
fn refusals_are_told(pair: &Pair) -> Result<()> {
    let [one, two] = nodes(pair);
    let [first, second] = ADDRESSES;
    for (node, peer, address) in [(one, "lb2", second), (two, "lb1", first)] {
        let reason = "signed with another key than that of our authkeys";
        let remedy = "the file must be the same on every node";
        let words = [peer, address, reason, remedy];
        await_line(node, "hbd", &["status"], &words)?;
        // It says in its first line whom it is about.
        await_line(node, "hbd", &["why", peer], &words[1..])?;
        await_line(node, "hbtui", &["--once", "--width", WIDE], &words)?;
        await_row(node, |row| {
            row.reason == RefusedReason::WrongKey
                && row.node.as_deref() == Some(peer)
                && row.from.as_deref() == Some(address)
                && row.meaning().contains(reason)
                && row.meaning().contains(remedy)
        })?;
    }
    Ok(())
}

/// The right key and a reload: nothing is refused any more, and one node serves.
fn mend(pair: &Pair) -> Result<()> {
    set_key(pair.two(), RIGHT_KEY)?;
    pair.two().hbd(&["reload"])?;
    settle_at_home(pair)?;
    for node in nodes(pair) {
        let what = format!("{} shows no refusal any more", node.name());
        wait::until(&what, LIMIT, || {
            node.cluster()
                .is_ok_and(|cluster| cluster.refused.is_empty())
        })?;
        let shown = node.hbd(&["status"])?;
        ensure!(!shown.contains("REFUSED"), "hbd status shows\n{shown}");
        let frame = node.program("hbtui", &["--once", "--width", WIDE])?;
        ensure!(!frame.contains("is refused"), "hbtui shows\n{frame}");
    }
    settled_on(pair, "lb1")
}

/// Whoever kept the group, it fails back.
fn settle_at_home(pair: &Pair) -> Result<()> {
    wait::until("lb1 alone serves", LIMIT, || {
        pair.one().serves()
            && pair.two().groups_are(RunState::Stopped)
            && pair.one().sees("lb2", NodeStatus::Active)
            && pair.two().sees("lb1", NodeStatus::Active)
    })?;
    settled_on(pair, "lb1")
}

/// Both machines call themselves lb1, the preferred node.
fn one_name() -> Result<()> {
    with_pair(|pair| {
        let [one, two] = nodes(pair);
        for node in [two, one] {
            node.stop()?;
        }
        two.host().sh("echo lb1 >/etc/ha.d/nodeinfo")?;
        for node in [one, two] {
            node.start()?;
        }
        let [first, second] = ADDRESSES;
        for (node, address) in [(one, second), (two, first)] {
            twin_is_told(node, address)?;
        }
        // By then each would have taken everything over from a node that is never heard.
        for node in [one, two] {
            wait::until("the first wait is over", LIMIT, || {
                node.sees("lb2", NodeStatus::Dead)
            })?;
        }
        throughout(CALM, || hold(&[], &[one, two]))?;
        one.stop()?;
        takes_over(two)?;
        // The one that is there keeps it; the one that comes takes nothing.
        one.start()?;
        twin_is_told(one, second)?;
        wait::until("the first wait is over", LIMIT, || {
            one.sees("lb2", NodeStatus::Dead)
        })?;
        throughout(CALM, || hold(&[two], &[one]))?;
        two.stop()?;
        takes_over(one)
    })
}

/// This node says which address its twin has, what to do, and that it takes nothing meanwhile.
fn twin_is_told(node: &Director, address: &str) -> Result<()> {
    let words = [
        address,
        "calls itself lb1, which is this node",
        "see `uname -n`, nodeinfo and --node there",
    ];
    await_line(node, "hbd", &["status"], &words)?;
    await_line(node, "hbd", &["why", "lb1"], &words)?;
    await_line(node, "hbtui", &["--once", "--width", WIDE], &words)?;
    await_row(node, |row| {
        row.reason == RefusedReason::SameName && row.from.as_deref() == Some(address)
    })?;
    let consequence = ["another node has the name of this one: it takes nothing"];
    await_line(node, "hbd", &["status"], &consequence)?;
    await_line(node, "hbd", &["why", &VIP.to_string()], &consequence)
}

fn takes_over(node: &Director) -> Result<()> {
    wait::until("the one that is left serves", LIMIT, || node.serves())?;
    hold(&[node], &[])
}

/// Do exactly these kernels have the address?
fn hold(with: &[&Director], without: &[&Director]) -> Result<()> {
    for node in with {
        let has = has_address(node.host(), VIP)?;
        ensure!(has, "{} has not the address", node.host().name());
    }
    for node in without {
        let has = has_address(node.host(), VIP)?;
        ensure!(!has, "{} has the address", node.host().name());
    }
    Ok(())
}

/// Waits until a line of what this program prints has all the words.
fn await_line(node: &Director, program: &str, arguments: &[&str], words: &[&str]) -> Result<()> {
    let what = format!("{}: {program} {}", node.name(), arguments.join(" "));
    let mut last = String::new();
    wait::until(&format!("{what} says {words:?}"), TELLING, || {
        // A daemon that has not opened its socket yet has not said it.
        last = match node.program(program, arguments) {
            Ok(text) => text,
            Err(error) => error.to_string(),
        };
        let mut lines = last.lines();
        lines.any(|line| words.iter().all(|word| line.contains(word)))
    })
    .with_context(|| format!("{what} prints\n{last}"))?;
    Ok(())
}

/// Waits until `hbd status --json` has such a row among what is refused.
fn await_row(node: &Director, wanted: impl Fn(&Refused) -> bool) -> Result<()> {
    let what = format!("{}: hbd status --json has the row", node.name());
    wait::for_some(&what, TELLING, || {
        let text = node.hbd(&["status", "--json"])?;
        let cluster: ClusterSnapshot = serde_json::from_str(&text)?;
        Ok(cluster.refused.iter().any(&wanted).then_some(()))
    })
}
