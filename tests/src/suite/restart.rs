//! hbd dies without a farewell and comes back, at the worst moments, and starts on a full disk.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ha_status::NodeStatus;
use rustix::process::Signal;

use super::ownership::{has_address, is_up, settled, settled_on, with_pair};
use super::{Case, Place};
use crate::bed::wait;
use crate::scenario::director::Director;
use crate::scenario::pair::{Pair, VIP};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "killed_daemon_restarted_at_once_ends_with_one_owner",
        place: Place::Here,
        run: restarted_at_once,
    },
    Case {
        name: "killed_daemon_restarted_late_gives_up_its_leftover_address",
        place: Place::Here,
        run: restarted_late,
    },
    Case {
        name: "killed_during_a_handover_ends_with_one_owner",
        place: Place::Here,
        run: killed_during_handover,
    },
    Case {
        name: "run_directory_that_is_wiped_is_filled_again",
        place: Place::Here,
        run: wiped_run,
    },
    Case {
        name: "run_directory_that_cannot_be_written_stops_nobody_and_is_used_later",
        place: Place::Here,
        run: read_only_run,
    },
    Case {
        name: "full_disk_at_start_is_told_and_stops_nobody",
        place: Place::Here,
        run: full_disk,
    },
];

const LIMIT: Duration = Duration::from_secs(20);
/// A handover takes a few milliseconds: these moments lie before, within and after it.
const MOMENTS_MS: [u64; 5] = [0, 1, 3, 6, 15];

/// Faster than the deadtime: the peer never missed it, the address never left.
fn restarted_at_once() -> Result<()> {
    with_pair(|pair| {
        kill(pair.one())?;
        ensure!(
            has_address(pair.one().host(), VIP)?,
            "a killed daemon leaves its address"
        );
        restart(pair.one())?;
        settled(pair)?;
        await_failback(pair)
    })
}

/// The peer took over meanwhile: two kernels have the address until the daemon is back.
fn restarted_late() -> Result<()> {
    with_pair(|pair| {
        kill(pair.one())?;
        wait::until("lb2 serves", LIMIT, || pair.two().serves())?;
        restart(pair.one())?;
        wait::until("lb1 is back", LIMIT, || {
            pair.two().sees("lb1", NodeStatus::Active)
        })?;
        await_failback(pair)
    })
}

/// The one that gives and the one that takes, at several moments of the handover each.
fn killed_during_handover() -> Result<()> {
    with_pair(|pair| {
        for victim in [pair.one(), pair.two()] {
            for moment in MOMENTS_MS {
                hand_over_and_kill(pair, victim, Duration::from_millis(moment)).with_context(
                    || format!("{} killed {moment} ms after the command", victim.name()),
                )?;
            }
        }
        Ok(())
    })
}

fn hand_over_and_kill(pair: &Pair, victim: &Director, moment: Duration) -> Result<()> {
    let due = Instant::now() + moment;
    thread::scope(|scope| {
        // Whether the command succeeds is open: its daemon may die under it.
        let asked = scope.spawn(|| pair.one().hbd(&["standby"]));
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let killed = kill(victim);
        let _ = asked.join();
        killed
    })?;
    restart(victim)?;
    settled(pair)?;
    pair.restore()?;
    settled_on(pair, "lb1")
}

/// auto_failback is on: in the end lb1 serves, without anybody asking.
fn await_failback(pair: &Pair) -> Result<()> {
    wait::until("lb1 serves again", LIMIT, || pair.one().serves())?;
    settled_on(pair, "lb1")
}

fn kill(node: &Director) -> Result<()> {
    ensure!(
        node.host().signal("hbd", Signal::KILL) > 0,
        "no daemon to kill on {}",
        node.name()
    );
    wait::until("the daemon is gone", LIMIT, || !is_up(node))?;
    Ok(())
}

/// Not before the daemon answers does it count among those that must agree.
fn restart(node: &Director) -> Result<()> {
    node.start()?;
    wait::until("the daemon answers", LIMIT, || node.cluster().is_ok())?;
    Ok(())
}

/// The node's identity and generation belong there; a pair with a full disk must come up without.
fn full_disk() -> Result<()> {
    with_pair(|pair| {
        let two = pair.two();
        two.stop()?;
        two.host()
            .sh("mount -t tmpfs -o size=4k full /var/lib/heartbeat
             head -c 4096 /dev/zero > /var/lib/heartbeat/full")?;
        two.start()?;
        wait::until("lb1 sees lb2 again", LIMIT, || {
            pair.one().sees("lb2", NodeStatus::Active)
        })
        .with_context(|| two.last_words())?;
        let said = two.last_words();
        ensure!(
            said.contains("/var/lib/heartbeat") && said.contains("No space left"),
            "the log does not say where and why: {said}"
        );
        settled_on(pair, "lb1")
    })
}

/// Neither pid file nor status socket: nobody can look, and the node serves all the same.
fn wiped_run() -> Result<()> {
    with_pair(|pair| {
        let one = pair.one();
        await_run_files(one)?;
        let wipe = "rm -rf /run/heartbeat /run/heartbeat.pid";
        one.host().sh(wipe)?;
        await_run_files(one)?;
        one.stop()?;
        one.host()
            .sh("test ! -e /run/heartbeat.pid && test ! -e /run/heartbeat/hbd.sock")
            .context("it leaves something behind")?;
        Ok(())
    })
}

/// Waits for pid file and status socket.
fn await_run_files(director: &Director) -> Result<()> {
    let waited = wait::until("pid file and socket are there", LIMIT, || {
        let status = director.hbd(&["status"]);
        let pid = director.host().sh("test -s /run/heartbeat.pid");
        status.is_ok() && pid.is_ok()
    });
    waited.map(drop).with_context(|| director.last_words())
}

fn read_only_run() -> Result<()> {
    with_pair(|pair| {
        let (one, two) = (pair.one(), pair.two());
        two.stop()?;
        two.host().sh("mount -t tmpfs -o ro none /run")?;
        two.start()?;
        wait::until("lb1 sees lb2 again", LIMIT, || {
            one.sees("lb2", NodeStatus::Active)
        })
        .with_context(|| two.last_words())?;
        one.power_off()?;
        wait::until("lb2 has the address", LIMIT, || {
            has_address(two.host(), VIP).unwrap_or(false)
        })?;
        two.host().sh("mount -o remount,rw /run")?;
        await_run_files(two)?;
        two.stop()?;
        ensure!(!has_address(two.host(), VIP)?, "lb2 kept the address");
        Ok(())
    })
}
