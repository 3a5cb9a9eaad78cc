//! A pair of hbd moves its address: at start, when a node loses power, and when asked to.
//!
//! Speed is for the benchmarks and the demo; here figures are printed and only nonsense fails.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ha_status::Timing;

use super::ownership::{figure, has_address, is_up, nodes, one_voice, settled_on, with_pair};
use super::{Case, Place};
use crate::bed::probe::{Gap, Probe};
use crate::bed::wait;
use crate::scenario::director::Director;
use crate::scenario::pair::{Pair, VIP};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "pair_serves_soon_after_the_second_node_is_up",
        place: Place::Here,
        run: cold_start,
    },
    Case {
        name: "pair_survives_a_power_loss_and_fails_back",
        place: Place::Here,
        run: power_loss,
    },
    Case {
        name: "pair_moves_the_group_when_asked",
        place: Place::Here,
        run: agreed_moves,
    },
    Case {
        name: "pair_stopped_on_both_nodes_leaves_no_address",
        place: Place::Here,
        run: stopped_on_both,
    },
];

const LIMIT: Duration = Duration::from_secs(20);
/// A loss of power takes the deadtime of a second; everything else is agreed on.
const DEADTIME: Duration = Duration::from_secs(1);
const SANE_CRASH: Duration = Duration::from_secs(3);
const SANE_MOVE: Duration = Duration::from_secs(1);
const SANE_START: Duration = Duration::from_secs(3);
/// After an agreed move nobody but the new owner may answer for longer than this.
const ONE_VOICE: Duration = Duration::from_millis(500);

fn cold_start() -> Result<()> {
    with_pair(|pair| {
        stop_both(pair)?;
        pair.one().start()?;
        wait::until("the first daemon answers", LIMIT, || {
            pair.one().cluster().is_ok()
        })?;
        let probe = Probe::start(pair.client(), VIP, Duration::from_millis(1))?;
        let second = Instant::now();
        pair.two().start()?;
        let took = probe.await_answer("lb1", second, LIMIT)?;
        figure(
            "from the start of the second node to the first answer",
            took,
        );
        settled_on(pair, "lb1")?;
        ensure!(took < SANE_START, "a cold start took {took:?}");
        Ok(())
    })
}

fn power_loss() -> Result<()> {
    with_pair(|pair| {
        sane("power loss", &pair.crash()?, SANE_CRASH)?;
        settled_on(pair, "lb2")?;
        let timing = explained(pair.two())?;
        let silence = timing.silence_ms.map(Duration::from_millis);
        ensure!(silence >= Some(DEADTIME), "silent for {silence:?}");
        sane("failback", &pair.failback()?, SANE_MOVE)?;
        settled_on(pair, "lb1")?;
        let timing = explained(pair.one())?;
        ensure!(timing.silence_ms.is_none(), "nobody died: {timing}");
        ensure!(
            pair.two().timing()?.is_none(),
            "it does not run on lb2 any more"
        );
        Ok(())
    })
}

/// Where the time went, as the daemon shows it and says it.
fn explained(node: &Director) -> Result<Timing> {
    let timing = node.timing()?.context("it runs there")?;
    println!("    {timing}");
    ensure!(timing.address_ms.is_some(), "the address took its time");
    let why = node.hbd(&["why", &VIP.to_string()])?;
    let told = format!("runs here after {timing}\n");
    ensure!(
        why.matches(&told).count() == 2,
        "now and when it came: {why}"
    );
    Ok(timing)
}

fn agreed_moves() -> Result<()> {
    with_pair(|pair| {
        let moves: [(&str, &str, Move); 4] = [
            ("standby", "lb2", Pair::standby),
            ("takeover", "lb1", Pair::takeover),
            ("clean stop", "lb2", Pair::stop),
            ("failback", "lb1", Pair::failback),
        ];
        for (what, owner, perform) in moves {
            let probe = pair.probe()?;
            let asked = Instant::now();
            let gap = perform(pair)?;
            settled_on(pair, owner)?;
            // Counted from the first answer of the new owner: a daemon needs time to start or end.
            let moved = asked + probe.await_answer(owner, asked, LIMIT)?;
            one_voice(&probe, moved, ONE_VOICE)?;
            sane(what, &gap, SANE_MOVE)?;
        }
        Ok(())
    })
}

type Move = fn(&Pair) -> Result<Gap>;

fn stopped_on_both() -> Result<()> {
    with_pair(|pair| {
        stop_both(pair)?;
        for node in nodes(pair) {
            ensure!(!is_up(node), "hbd still runs on {}", node.name());
            ensure!(
                !has_address(node.host(), VIP)?,
                "{} kept the address",
                node.name()
            );
        }
        Ok(())
    })
}

/// The backup first, so that nothing moves; the last one to go releases the address.
fn stop_both(pair: &Pair) -> Result<()> {
    pair.two().stop()?;
    pair.one().stop()
}

fn sane(what: &str, gap: &Gap, limit: Duration) -> Result<()> {
    figure(what, gap.length);
    ensure!(gap.length < limit, "{what}: {gap:?}");
    Ok(())
}
