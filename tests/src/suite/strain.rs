//! Links under strain: a flood, bad weather on one of two cables, a cable with a loose contact. Nobody is
//! declared dead, nothing moves, and the log stays readable.
//!
//! How long each lasts is `LAB_STRAIN_SECONDS`.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ha_status::{ClusterSnapshot, NodeStatus};

use super::garbage::datagrams;
use super::garbage::{Target, capture};
use super::ownership::{last_words, nodes, settled_on, with_pair};
use super::random::Random;
use super::watch::throughout;
use super::{Case, Place, amount};
use crate::bed::say;
use crate::scenario::director::Director;
use crate::scenario::pair::Pair;
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "a_flood_of_garbage_on_the_heartbeat_port_is_nobodys_death",
        place: Place::Here,
        run: flood,
    },
    Case {
        name: "a_link_with_a_loose_contact_moves_nothing_and_says_little",
        place: Place::Here,
        run: loose_contact,
    },
    Case {
        name: "a_link_that_loses_reorders_and_repeats_moves_nothing_and_loses_nothing",
        place: Place::Kernel,
        run: bad_weather,
    },
];

const SECONDS: u64 = 6;
const PORT: u16 = 694;
const SEED: u64 = 694;
/// For each node.
const FLOOD_PER_SECOND: u64 = 50_000;
/// Different ones; what is larger is sent in pieces, of which there are fewer.
const KINDS: usize = 4096;
const LARGEST_BYTES: usize = 1472;
/// Up for so long and down for so long.
const CONTACT: Duration = Duration::from_millis(200);
/// A line for each state that a link has been in, for a minute of them, is a log that can be read.
const LINES_MAX: usize = 60;
const WEATHER: &str = "delay 20ms 10ms reorder 25% 50% loss 20% duplicate 10%";

fn period() -> Result<Duration> {
    Ok(Duration::from_secs(amount("LAB_STRAIN_SECONDS", SECONDS)?))
}

/// A pair with two cables.
fn with_two_links(story: impl FnOnce(&Pair) -> Result<()>) -> Result<()> {
    let ha_cf = "keepalive 100ms\nwarntime 500ms\ndeadtime 1\ninitdead 5\nbcast eth0\nbcast eth1\n\
                 auto_failback on\nnode lb1 lb2\n";
    let pair = Pair::start_with(&Programs::find()?, ha_cf)?;
    story(&pair).with_context(|| last_words(&pair))
}

/// lb1 runs the group, has run it all along, and each sees the other.
fn nothing_happened(pair: &Pair, before: &[ClusterSnapshot; 2]) -> Result<()> {
    for (node, before) in nodes(pair).into_iter().zip(before) {
        let cluster = node.cluster()?;
        let group = |cluster: &ClusterSnapshot| {
            let groups = cluster.groups.iter();
            groups
                .map(|group| (group.owner.clone(), group.epoch, group.state))
                .collect::<Vec<_>>()
        };
        let peers = cluster.nodes.iter();
        let dead = peers.filter(|peer| peer.status != NodeStatus::Active);
        let dead: Vec<_> = dead.map(|peer| (&peer.name, peer.status)).collect();
        ensure!(dead.is_empty(), "{} sees {dead:?}", node.name());
        ensure!(
            group(&cluster) == group(before),
            "{}: {:?} was {:?}",
            node.name(),
            group(&cluster),
            group(before)
        );
    }
    Ok(())
}

fn seen(pair: &Pair) -> Result<[ClusterSnapshot; 2]> {
    Ok([pair.one().cluster()?, pair.two().cluster()?])
}

fn lost(pair: &Pair) -> Result<[u64; 2]> {
    Ok(seen(pair)?.map(|cluster| cluster.counters.lost))
}

fn flood() -> Result<()> {
    with_pair(|pair| {
        let period = period()?;
        let socket = pair.client().within(|| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
            socket.set_read_timeout(Some(Duration::from_secs(20)))?;
            Ok(socket)
        })?;
        // What a node said itself it ignores: it gets garbage made of the other's words.
        let mut genuine = capture(&socket, "lb1")?;
        genuine.extend(capture(&socket, "lb2")?);
        let mut random = Random::new(SEED);
        let mut garbage = Vec::new();
        while garbage.len() < KINDS {
            let one = datagrams::draw(&mut random, &genuine);
            if !one.is_replay && one.bytes.len() <= LARGEST_BYTES {
                garbage.push(one.bytes);
            }
        }
        let targets = [Target::new(pair.one())?, Target::new(pair.two())?];
        let before = seen(pair)?;
        let over = AtomicBool::new(false);
        let sent = thread::scope(|scope| {
            let sending = scope.spawn(|| pour(&socket, &garbage, &over));
            let watched = throughout(period, || nothing_happened(pair, &before));
            over.store(true, Ordering::Relaxed);
            let sent = sending.join();
            watched?;
            sent.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        for target in &targets {
            let refused = target.refused()?;
            say(&format!(
                "{} refused {refused} of {sent} datagrams in {period:?}",
                target.name()
            ));
            ensure!(refused > 0 && refused <= sent, "{refused} of {sent}");
            target.is_as_large()?;
        }
        settled_on(pair, "lb1")
    })
}

/// Sends at the pace of the flood, to either node; gives how many each got.
fn pour(socket: &UdpSocket, garbage: &[Vec<u8>], over: &AtomicBool) -> Result<u64> {
    let nodes = [1, 2].map(|last| SocketAddr::from(([10, 77, 0, last], PORT)));
    let begun = Instant::now();
    let mut sent = 0;
    while !over.load(Ordering::Relaxed) {
        let wanted = begun.elapsed().as_micros() * u128::from(FLOOD_PER_SECOND) / 1_000_000;
        let due = u64::try_from(wanted)?.saturating_sub(sent);
        for bytes in garbage
            .iter()
            .cycle()
            .skip(usize::try_from(sent)? % KINDS)
            .take(usize::try_from(due)?.min(KINDS))
        {
            for node in nodes {
                socket.send_to(bytes, node)?;
            }
            sent += 1;
        }
        thread::yield_now();
    }
    Ok(sent)
}

fn loose_contact() -> Result<()> {
    with_two_links(|pair| {
        let period = period()?;
        let before = seen(pair)?;
        let said = |node: &Director| node.lines_said();
        let lines = [said(pair.one())?, said(pair.two())?];
        let begun = Instant::now();
        let mut turns = 0_u32;
        while begun.elapsed() < period {
            pair.two().host().cut_one("eth1")?;
            thread::sleep(CONTACT);
            nothing_happened(pair, &before)?;
            pair.two().host().join_one("eth1")?;
            thread::sleep(CONTACT);
            nothing_happened(pair, &before)?;
            turns += 1;
        }
        for (node, before) in nodes(pair).into_iter().zip(lines) {
            let more = said(node)? - before;
            say(&format!(
                "{} said {more} lines in {turns} turns",
                node.name()
            ));
            ensure!(more <= LINES_MAX, "{} said {more} lines", node.name());
        }
        ensure!(
            lost(pair)? == [0, 0],
            "{:?} messages were lost",
            lost(pair)?
        );
        settled_on(pair, "lb1")
    })
}

fn bad_weather() -> Result<()> {
    with_two_links(|pair| {
        let before = seen(pair)?;
        for node in nodes(pair) {
            node.host().impair("eth1", WEATHER)?;
        }
        throughout(period()?, || nothing_happened(pair, &before))?;
        // What must arrive does.
        pair.one().hbd(&["standby"])?;
        settled_on(pair, "lb2")?;
        pair.two().hbd(&["standby"])?;
        settled_on(pair, "lb1")?;
        ensure!(
            lost(pair)? == [0, 0],
            "{:?} messages were lost",
            lost(pair)?
        );
        for node in nodes(pair) {
            node.host().heal("eth1")?;
        }
        settled_on(pair, "lb1")
    })
}
