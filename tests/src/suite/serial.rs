//! Heartbeats over null-modem cables: they keep a pair together while its network is cut, and noise
//! costs nothing but what it hits.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ha_status::{LinkState, NodeStatus};

use super::ownership::{last_words, settled, settled_on};
use super::random::Random;
use super::watch::{meanwhile, throughout};
use super::{Case, Place};
use crate::bed::modem::Modem;
use crate::bed::{vm, wait};
use crate::scenario::director::Director;
use crate::scenario::pair::{LINE, Pair};
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "serial_cable_keeps_a_pair_together_until_it_is_cut_as_well",
        place: Place::Here,
        run: both_cut,
    },
    Case {
        name: "serial_cable_of_two_real_uarts_keeps_a_pair_together_until_it_is_cut_as_well",
        place: Place::Kernel,
        run: real_uarts,
    },
    Case {
        name: "serial_link_test_tells_a_good_cable_from_a_cut_one",
        place: Place::Here,
        run: link_test,
    },
    Case {
        name: "serial_noise_of_ten_megabytes_costs_no_more_than_it_hits",
        place: Place::Here,
        run: noise,
    },
];

const LIMIT: Duration = Duration::from_secs(40);
const NOISE_BYTES: usize = 10_000_000;
/// Noise comes in bursts.
const BURST: usize = 40_000;

/// Frames that noise may hit: it comes between two pieces that the cable takes at once, and a frame
/// is rarely more than one.
const HIT_MAX: u64 = 3;

/// A cable that can be cut.
trait Cable {
    fn cut(&self) -> Result<()>;
    fn join(&self) -> Result<()>;
}

impl Cable for Modem {
    fn cut(&self) -> Result<()> {
        self.unplug();
        Ok(())
    }

    fn join(&self) -> Result<()> {
        self.plug();
        Ok(())
    }
}

/// That of the emulated machine. It cannot be pulled, but its receivers can be switched off.
struct Uarts;

impl Uarts {
    fn receive(word: &str) -> Result<()> {
        for port in vm::CABLE {
            let set = std::process::Command::new("stty")
                .args(["-F", port, word])
                .status()?;
            ensure!(set.success(), "stty -F {port} {word}");
        }
        Ok(())
    }
}

impl Cable for Uarts {
    fn cut(&self) -> Result<()> {
        Self::receive("-cread")
    }

    fn join(&self) -> Result<()> {
        Self::receive("cread")
    }
}

/// The broadcasts have a network of their own: clients are on another one, which stays whole.
fn ha_cf(times: &str, baud: u32) -> String {
    format!(
        "{times}baud {baud}\nserial {LINE}\nudpport 694\nbcast eth1\nauto_failback on\n\
         node lb1 lb2\n"
    )
}

fn both_cut() -> Result<()> {
    let modem = Modem::lay()?;
    let times = "keepalive 100ms\nwarntime 500ms\ndeadtime 1\ninitdead 5\n";
    let ha_cf = ha_cf(times, 115_200);
    let pair = Pair::start_wired(&Programs::find()?, &ha_cf, Some(modem.ports()))?;
    cut_one_after_the_other(&pair, &modem, Duration::from_secs(4))
        .with_context(|| last_words(&pair))
}

/// At the old default speed.
fn real_uarts() -> Result<()> {
    let times = "keepalive 1\nwarntime 3\ndeadtime 5\ninitdead 10\n";
    let ha_cf = ha_cf(times, 19_200);
    let pair = Pair::start_wired(&Programs::find()?, &ha_cf, Some(vm::CABLE))?;
    cut_one_after_the_other(&pair, &Uarts, Duration::from_secs(12))
        .with_context(|| last_words(&pair))
}

/// `patience`: several deadtimes.
fn cut_one_after_the_other(pair: &Pair, cable: &dyn Cable, patience: Duration) -> Result<()> {
    let (one, two) = (pair.one(), pair.two());
    await_link(pair, LINE, LinkState::Up)?;
    await_link(pair, "eth1", LinkState::Up)?;
    one.host().cut_one("eth1")?;
    await_link(pair, "eth1", LinkState::Dead)?;
    throughout(patience, || {
        ensure!(two.sees("lb1", NodeStatus::Active), "lb1 is dead to lb2");
        ensure!(one.sees("lb2", NodeStatus::Active), "lb2 is dead to lb1");
        ensure!(one.serves() && !two.serves(), "the address has moved");
        Ok(())
    })?;
    cable.cut()?;
    wait::until("lb2 takes over", LIMIT, || {
        two.sees("lb1", NodeStatus::Dead) && two.serves()
    })?;
    cable.join()?;
    settled(pair).context("over the cable alone")?;
    one.host().join_one("eth1")?;
    await_link(pair, "eth1", LinkState::Up)?;
    wait::until("lb1 has its address again", LIMIT, || one.serves())?;
    settled_on(pair, "lb1")
}

/// Waits until both nodes show the link in this state.
fn await_link(pair: &Pair, device: &str, state: LinkState) -> Result<()> {
    let shows = |node: &Director| {
        node.cluster().is_ok_and(|cluster| {
            let mut links = cluster.links.iter();
            links.any(|link| link.device == device && link.state == state)
        })
    };
    wait::until(&format!("{device} is {state:?}"), LIMIT, || {
        shows(pair.one()) && shows(pair.two())
    })?;
    Ok(())
}

/// Both ends at once, as an operator types it.
fn link_test() -> Result<()> {
    let modem = Modem::lay()?;
    let programs = Programs::find()?;
    let test = |port: &str, name: &str, seconds: &str| {
        std::process::Command::new(programs.path("hbd"))
            .args(["--node", name, "link", "test", port, "--for", seconds])
            .stdout(std::process::Stdio::piped())
            .spawn()
    };
    let [near, far] = modem.ports();
    for (node, child) in [
        ("lb2", test(near, "lb1", "20")?),
        ("lb1", test(far, "lb2", "20")?),
    ] {
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let good = format!("good: {node} is heard, and hears this node");
        ensure!(output.status.success() && said.contains(&good), "{said}");
    }
    modem.unplug();
    let output = test(near, "lb1", "1")?.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.code() == Some(1), "{:?}", output.status);
    ensure!(said.contains("nothing arrives"), "{said}");
    Ok(())
}

/// The cable is the only medium: whatever noise hides is missed. It comes between frames, mostly, so it
/// may hide hardly anything.
fn noise() -> Result<()> {
    let modem = Modem::lay()?;
    let ha_cf = format!(
        "keepalive 100ms\nwarntime 500ms\ndeadtime 1\ninitdead 5\nbaud 115200\nserial {LINE}\n\
         auto_failback on\nnode lb1 lb2\n"
    );
    let pair = Pair::start_wired(&Programs::find()?, &ha_cf, Some(modem.ports()))?;
    disturbed(&pair, &modem).with_context(|| last_words(&pair))
}

fn disturbed(pair: &Pair, modem: &Modem) -> Result<()> {
    let (one, two) = (pair.one(), pair.two());
    let mut random = Random::new(19_200);
    let mut left = NOISE_BYTES;
    let work = || {
        while left > 0 {
            let length = 1 + random.below(BURST);
            let burst = random.bytes(length);
            left = left.saturating_sub(burst.len());
            modem.disturb(left % 2, &burst)?;
        }
        Ok(())
    };
    meanwhile(work, || {
        ensure!(two.sees("lb1", NodeStatus::Active), "lb1 is dead to lb2");
        ensure!(one.sees("lb2", NodeStatus::Active), "lb2 is dead to lb1");
        Ok(())
    })?;
    for node in [one, two] {
        let counters = node.cluster()?.counters;
        ensure!(counters.lost <= HIT_MAX, "{}: {counters:?}", node.name());
    }
    settled_on(pair, "lb1")
}
