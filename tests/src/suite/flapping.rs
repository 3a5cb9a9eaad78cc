//! Real servers that come and go without end cost a director nothing for good.

use std::time::Duration;

use anyhow::{Result, ensure};
use ha_status::Health;

use super::{Case, Place};
use crate::bed::swarm::{Manner, Port};
use crate::bed::usage::Usage;
use crate::bed::wait;
use crate::bench::farm::{Check, Farm, Group, Running, Shape};
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[Case {
    name: "flapping_servers_leave_memory_and_descriptors_as_they_were",
    place: Place::Here,
    run: flapping,
}];

const REALS: usize = 200;
const PORT: u16 = 80;
/// Changes of the table until memory is what it will be: every server has been up, down, hanging.
const WARM: u64 = 1000;
/// Further ones that are looked at.
const CHANGES: u64 = 3000;
/// A kilobyte that is lost with each change would be three times as much.
const GROWTH_MAX_KB: u64 = 1024;
/// What is open when no check is under way: the log, the socket, files that are looked at.
const OPEN_MAX: usize = 40;
const LIMIT: Duration = Duration::from_secs(200);
/// Between two looks, each of which costs the director a snapshot.
const PACE: Duration = Duration::from_millis(200);

fn flapping() -> Result<()> {
    let turns = |manner| Port {
        number: PORT,
        manner,
    };
    let mut farm = Farm::new(&Programs::find()?, &[turns(Manner::Flapping(1000))])?;
    let shape = Shape {
        check: Check::Http,
        groups: &[Group {
            count: REALS,
            port: PORT,
        }],
        interval: 1,
        timeout: 1,
    };
    let running = farm.direct(&shape)?;
    let warm = most(&running, WARM)?;
    let after = most(&running, WARM + CHANGES)?;
    println!(
        "    {} kB after {WARM} changes, {} kB after {CHANGES} more, {} descriptors at most",
        warm.memory_kb, after.memory_kb, after.descriptors
    );
    ensure!(
        after.memory_kb <= warm.memory_kb + GROWTH_MAX_KB,
        "memory grew from {} to {} kB",
        warm.memory_kb,
        after.memory_kb
    );
    ensure!(
        after.descriptors <= REALS + OPEN_MAX,
        "{} descriptors for {REALS} servers",
        after.descriptors
    );
    farm.swarm.turn(&[turns(Manner::Http)])?;
    running.await_all(&[PORT], Health::Up, LIMIT)?;
    wait::until("nothing is left open", LIMIT, || {
        let usage = running.usage();
        usage.is_ok_and(|usage| usage.descriptors <= OPEN_MAX)
    })?;
    Ok(())
}

/// The most of memory and descriptors that is seen until so many edits were made in all.
fn most(running: &Running, edits: u64) -> Result<Usage> {
    let mut most = Usage::default();
    wait::for_some(&format!("{edits} changes"), LIMIT, || {
        std::thread::sleep(PACE);
        let usage = running.usage()?;
        most.memory_kb = most.memory_kb.max(usage.memory_kb);
        most.descriptors = most.descriptors.max(usage.descriptors);
        let made = running.snapshot()?.totals.edits;
        Ok((made >= edits).then_some(()))
    })?;
    Ok(most)
}
