//! Interfaces and addresses come late, go, and come again under hbd: what depends on them is set up
//! anew, the virtual address is where it can be reached, and heartbeats say whose they are.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ha_status::{LinkState, NodeStatus};

use super::ownership::{figure, has_address, last_words, settled, settled_on, with_pair};
use super::watch::throughout;
use super::{Case, Place};
use crate::bed::wait;
use crate::scenario::director::Director;
use crate::scenario::pair::{Pair, VIP};
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "network_restart_on_the_owner_ends_with_one_owner_and_its_own_address_first",
        place: Place::Here,
        run: network_restart,
    },
    Case {
        name: "group_whose_interface_is_gone_moves_and_may_return_with_it",
        place: Place::Here,
        run: lost_interface,
    },
    Case {
        name: "backup_whose_card_returned_takes_over_in_time",
        place: Place::Here,
        run: returned_card,
    },
    Case {
        name: "node_starts_without_a_medium_and_uses_it_when_it_comes",
        place: Place::Here,
        run: late_medium,
    },
    Case {
        name: "node_without_an_address_at_boot_joins_when_it_gets_one",
        place: Place::Here,
        run: late_address,
    },
    Case {
        name: "renamed_interface_keeps_its_address_and_gives_it_up_at_a_stop",
        place: Place::Here,
        run: renamed,
    },
    Case {
        name: "address_taken_away_in_a_loop_is_put_back_with_few_words",
        place: Place::Here,
        run: quarrel,
    },
    Case {
        name: "stop_is_over_when_it_returns",
        place: Place::Here,
        run: stop_and_start,
    },
];

const LIMIT: Duration = Duration::from_secs(20);
/// The deadtime of a second, the interface's three, and patience.
const SANE_MOVE: Duration = Duration::from_secs(8);
/// A death that the backup must notice although its card was another one before.
const SANE_CRASH: Duration = Duration::from_secs(3);
/// A node that hears nobody and is heard by nobody may not take anything for so long.
const ALONE: Duration = Duration::from_secs(7);
const RESTARTS: u32 = 12;

const TWO_MEDIA: &str = "\
keepalive 100ms
warntime 500ms
deadtime 1
initdead 5
udpport 694
bcast eth0 eth1
auto_failback on
node lb1
node lb2
";

fn with_two_media(story: impl FnOnce(&Pair) -> Result<()>) -> Result<()> {
    let pair = Pair::start_with(&Programs::find()?, TWO_MEDIA)?;
    story(&pair).with_context(|| last_words(&pair))
}

/// Once so short that nobody else notices: the virtual address is put back first. Then for longer
/// than the deadtime.
fn network_restart() -> Result<()> {
    with_pair(|pair| {
        let one = pair.one().host();
        let flush = || one.sh("ip address flush dev eth0");
        let configure = || one.sh("ip address add 10.77.0.1/24 brd + dev eth0");
        flush()?;
        wait::until("the virtual address is put back", LIMIT, || {
            has_address(one, VIP).unwrap_or(false)
        })?;
        configure()?;
        await_own_first(pair.one())?;
        settled_on(pair, "lb1")?;
        flush()?;
        wait::until("lb2 has taken over", LIMIT, || pair.two().serves())?;
        configure()?;
        await_home(pair)?;
        settled_on(pair, "lb1")?;
        await_own_first(pair.one())
    })
}

/// The node's own address, and no virtual one, is the first of its network.
fn await_own_first(node: &Director) -> Result<()> {
    wait::until("the node's own address is the first", LIMIT, || {
        let first = node.host().sh("ip -o -4 address show dev eth0 primary");
        first.is_ok_and(|first| first.contains("10.77.0.1/") && !first.contains("10.77.0.100/"))
    })?;
    Ok(())
}

fn lost_interface() -> Result<()> {
    with_two_media(|pair| {
        let one = pair.one();
        let gone = Instant::now();
        one.host().remove_nic("eth0")?;
        wait::until("lb2 serves", LIMIT, || pair.two().serves())?;
        figure(
            "from the loss of the interface to the other node",
            gone.elapsed(),
        );
        ensure!(gone.elapsed() < SANE_MOVE, "it took {:?}", gone.elapsed());
        ensure!(
            pair.two().sees("lb1", NodeStatus::Active),
            "lb1 lives, and is heard on its other medium"
        );
        one.host().insert_nic("eth0", true)?;
        wait::until("every link is up", LIMIT, || links_up(pair.two(), 2))?;
        settled(pair)?;
        one.hbd(&["takeover"])?;
        settled_on(pair, "lb1")
    })
}

fn returned_card() -> Result<()> {
    with_pair(|pair| {
        let (one, two) = (pair.one(), pair.two());
        two.host().remove_nic("eth0")?;
        wait::until("lb1 misses lb2", LIMIT, || {
            one.sees("lb2", NodeStatus::Dead)
        })?;
        two.host().insert_nic("eth0", true)?;
        settled_on(pair, "lb1")?;
        let died = Instant::now();
        one.power_off()?;
        wait::until("lb2 serves", LIMIT, || two.serves())?;
        figure("power loss after the card's return", died.elapsed());
        ensure!(died.elapsed() < SANE_CRASH, "it took {:?}", died.elapsed());
        settled_on(pair, "lb2")
    })
}

fn late_medium() -> Result<()> {
    with_two_media(|pair| {
        let two = pair.two();
        two.stop()?;
        two.host().remove_nic("eth1")?;
        two.start()?;
        wait::until("lb2 is there on its first medium", LIMIT, || {
            pair.one().sees("lb2", NodeStatus::Active)
        })?;
        ensure!(!links_up(two, 2), "a missing interface carries nothing");
        two.host().insert_nic("eth1", true)?;
        wait::until("the second medium is up", LIMIT, || links_up(two, 2))?;
        settled_on(pair, "lb1")
    })
}

/// The lease comes late.
fn late_address() -> Result<()> {
    with_pair(|pair| {
        let two = pair.two();
        two.stop()?;
        two.host().sh("ip address flush dev eth0")?;
        two.start()?;
        wait::until("the daemon answers", LIMIT, || two.cluster().is_ok())?;
        throughout(ALONE, || {
            ensure!(
                !has_address(two.host(), VIP)?,
                "it took what it cannot know to be free"
            );
            Ok(())
        })?;
        two.host()
            .sh("ip address add 10.77.0.2/24 brd + dev eth0")?;
        wait::until("lb2 has joined", LIMIT, || {
            pair.one().sees("lb2", NodeStatus::Active)
        })?;
        settled_on(pair, "lb1")
    })
}

fn renamed() -> Result<()> {
    with_pair(|pair| {
        let one = pair.one();
        one.host().sh("ip link set eth0 down
             ip link set eth0 name wan0
             ip link set wan0 up")?;
        settled_on(pair, "lb1")?;
        one.stop()?;
        ensure!(
            !has_address(one.host(), VIP)?,
            "the address stayed on the renamed interface"
        );
        settled_on(pair, "lb2")
    })
}

fn quarrel() -> Result<()> {
    with_pair(|pair| {
        let one = pair.one();
        // An address that is not there is no reason to end the loop.
        one.host().sh("for time in $(seq 400); do
                 ip address del 10.77.0.100/24 dev eth0 2>/dev/null || true
             done")?;
        wait::until("the address is put back", LIMIT, || {
            has_address(one.host(), VIP).unwrap_or(false)
        })?;
        let cluster = one.cluster()?;
        let lines = cluster.recent.iter();
        let lines = lines.filter(|notice| notice.text.contains("was put back"));
        let (lines, times) = (lines.count(), cluster.counters.addresses_restored);
        println!("    put back {times} times, told {lines} times");
        ensure!(times >= 2, "it was taken away again and again");
        ensure!(lines <= 2, "{lines} lines");
        settled_on(pair, "lb1")
    })
}

/// Whoever stops it may start it at once.
fn stop_and_start() -> Result<()> {
    with_pair(|pair| {
        let two = pair.two();
        for _ in 0..RESTARTS {
            two.hbd(&["stop"])?;
            let left = two
                .host()
                .sh("ls /run/heartbeat.pid /run/heartbeat/hbd.sock 2>&1 || true")?;
            ensure!(
                !left.lines().any(|line| line.starts_with('/')),
                "after the stop there is {left}"
            );
            two.start()?;
            wait::until("the daemon answers", LIMIT, || two.cluster().is_ok())?;
        }
        settled_on(pair, "lb1")
    })
}

fn await_home(pair: &Pair) -> Result<()> {
    wait::until("lb1 alone serves", LIMIT, || {
        pair.one().serves() && !pair.two().serves() && pair.two().sees("lb1", NodeStatus::Active)
    })?;
    Ok(())
}

/// Are so many of its links up?
fn links_up(node: &Director, count: usize) -> bool {
    node.cluster().is_ok_and(|cluster| {
        let up = cluster
            .links
            .iter()
            .filter(|link| link.state == LinkState::Up);
        up.count() == count
    })
}
