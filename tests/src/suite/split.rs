//! A pair of hbd that cannot hear each other for a while: cut, half cut, flapping, frozen. In the end
//! exactly one node serves, and whoever was away learns before it acts.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ha_status::NodeStatus;

use super::ownership::{
    figure, has_address, last_words, one_voice, settled, settled_on, with_pair,
};
use super::watch::throughout;
use super::{Case, Place};
use crate::bed::host::Host;
use crate::bed::probe::Probe;
use crate::bed::wait;
use crate::scenario::director::Director;
use crate::scenario::pair::{Pair, VIP};
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "healed_partition_ends_with_one_owner",
        place: Place::Here,
        run: healed_partition,
    },
    Case {
        name: "address_goes_first_where_two_nodes_hold_it",
        place: Place::Here,
        run: address_first,
    },
    Case {
        name: "cable_that_flaps_ten_times_ends_with_one_owner",
        place: Place::Here,
        run: flapping,
    },
    Case {
        name: "frozen_daemon_learns_before_it_acts",
        place: Place::Here,
        run: frozen,
    },
    Case {
        name: "healed_one_way_partition_ends_with_one_owner",
        place: Place::Kernel,
        run: one_way,
    },
];

const LIMIT: Duration = Duration::from_secs(20);
/// Two nodes that hear each other again may both answer for no longer than this.
const ONE_VOICE: Duration = Duration::from_millis(500);
const SANE_GAP: Duration = Duration::from_secs(1);
/// Well beyond the deadtime of a second.
const FREEZE: Duration = Duration::from_secs(5);
const FLAPS: u32 = 10;
/// Seconds that the script takes, and a time within which it cannot have ended.
const SLOW_STOP: u32 = 3;
const SLOW_STOP_IS_OVER: Duration = Duration::from_secs(1);
/// For an emulated machine, which is late more often than a second.
const PATIENT_HA_CF: &str = "\
keepalive 200ms
warntime 1
deadtime 3
initdead 10
udpport 694
bcast eth0
auto_failback on
node lb1
node lb2
";

fn healed_partition() -> Result<()> {
    with_pair(|pair| {
        let probe = pair.probe()?;
        let gap = pair.heal_partition()?;
        figure("healed partition", gap.length);
        await_home(pair)?;
        let owner = settled(pair)?;
        await_one_voice(&probe, owner)?;
        ensure!(gap.length < SANE_GAP, "{gap:?}");
        Ok(())
    })
}

/// The script of the group takes its time to stop: clients must not be answered by two meanwhile.
fn address_first() -> Result<()> {
    with_pair(|pair| {
        let both = [pair.one(), pair.two()];
        pair.two().stop()?;
        pair.one().stop()?;
        for node in both {
            node.host().sh(&format!(
                "cat >/etc/ha.d/resource.d/slow <<'END'
#!/bin/sh
case $1 in
start) touch /run/slow ;;
stop) [ -e /run/slow ] && sleep {SLOW_STOP}; rm -f /run/slow ;;
status) [ -e /run/slow ] && echo running || echo stopped ;;
esac
END
                 chmod 755 /etc/ha.d/resource.d/slow
                 echo 'lb1 IPaddr::{VIP}/24/eth0 slow' >/etc/ha.d/haresources"
            ))?;
            node.start()?;
        }
        wait::until("lb1 serves", LIMIT, || pair.one().serves())?;
        settled_on(pair, "lb1")?;
        pair.one().host().cut()?;
        wait::until("both serve", LIMIT, || {
            both.iter().all(|node| node.serves())
        })?;
        pair.one().host().join()?;
        let joined = Instant::now();
        let twice = || {
            let mut both = both.iter();
            both.all(|node| has_address(node.host(), VIP).unwrap_or(true))
        };
        wait::until("one of them has let go", LIMIT, || !twice())?;
        let took = joined.elapsed();
        figure("both had the address", took);
        ensure!(took < SLOW_STOP_IS_OVER, "two had it for {took:?}");
        await_home(pair)
    })
}

/// Every other time the cable is out for longer than the deadtime, else for a moment.
fn flapping() -> Result<()> {
    with_pair(|pair| {
        let one = pair.one();
        let probe = pair.probe()?;
        for flap in 0..FLAPS {
            one.host().cut()?;
            if flap % 2 == 0 {
                wait::until("lb2 misses lb1", LIMIT, || {
                    pair.two().sees("lb1", NodeStatus::Dead)
                })?;
            }
            one.host().join()?;
        }
        await_home(pair)?;
        let owner = settled(pair)?;
        await_one_voice(&probe, owner)?;
        // Nothing that was on its way may upset this later.
        settled_on(pair, owner.name())
    })
}

fn frozen() -> Result<()> {
    with_pair(|pair| {
        let (one, two) = (pair.one(), pair.two());
        let probe = pair.probe()?;
        ensure!(one.host().freeze("hbd") == 1, "one daemon to freeze");
        let stopped = Instant::now();
        probe.await_answer("lb2", stopped, LIMIT)?;
        throughout(FREEZE.saturating_sub(stopped.elapsed()), || {
            ensure!(two.serves(), "lb2 let go while lb1 was frozen");
            ensure!(
                has_address(one.host(), VIP)?,
                "a frozen daemon cannot have removed the address"
            );
            Ok(())
        })?;
        one.host().thaw("hbd");
        await_home(pair)?;
        let owner = settled(pair)?;
        await_one_voice(&probe, owner)?;
        settled_on(pair, owner.name())?;
        // It was the one that stood still: it may not take the other for dead.
        let notices = one.cluster()?.recent;
        let mistaken = notices
            .iter()
            .find(|notice| notice.text.contains("lb2: is dead"));
        ensure!(mistaken.is_none(), "lb1 says {mistaken:?}");
        Ok(())
    })
}

/// lb1 speaks and does not hear, then hears and is not heard.
fn one_way() -> Result<()> {
    let pair = Pair::start_with(&Programs::find()?, PATIENT_HA_CF)?;
    let half_cut =
        |what: &str, cut: fn(&Host, &str) -> Result<()>, (unaware, missing): (&Director, &str)| {
            cut(pair.one().host(), "eth0")?;
            wait::until(
                &format!("{} misses {missing}", unaware.name()),
                LIMIT,
                || unaware.sees(missing, NodeStatus::Dead),
            )?;
            pair.one().host().heal("eth0")?;
            let owner = settled(&pair).with_context(|| format!("after lb1 was {what}"))?;
            let probe = pair.probe()?;
            await_one_voice(&probe, owner)
        };
    half_cut("deaf", Host::deafen, (pair.one(), "lb2"))
        .and_then(|()| half_cut("mute", Host::mute, (pair.two(), "lb1")))
        .with_context(|| last_words(&pair))
}

/// From now on, after the bound, only the owner answers the client.
/// Whoever kept the group, it fails back: what is seen before that is not the end.
fn await_home(pair: &Pair) -> Result<()> {
    wait::until("lb1 alone serves", LIMIT, || {
        pair.one().serves() && !pair.two().serves() && pair.two().sees("lb1", NodeStatus::Active)
    })?;
    Ok(())
}

fn await_one_voice(probe: &Probe, owner: &Director) -> Result<()> {
    let calm = Instant::now();
    probe.await_answer(owner.name(), calm + ONE_VOICE, LIMIT)?;
    one_voice(probe, calm, ONE_VOICE)
}
