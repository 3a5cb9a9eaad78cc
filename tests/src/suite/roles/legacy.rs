//! Without an `auto_failback` line, and a group for each node: what prefers a node it asks for, and
//! gets, whenever it comes up (Heartbeat specification 7.14).

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::node::{Node, Pair, Place, SECOND, Setup, VIP};
use crate::bed::wait;

const LIMIT: Duration = Duration::from_secs(60);

/// What happens.
#[derive(Debug, Clone, Copy)]
enum Act {
    ColdStart,
    Stop(Place),
    Start(Place),
    PowerOff(Place),
    PowerOn(Place),
}

/// Both pairs at the same time: they wait nearly all of it.
pub(super) fn run() -> Result<()> {
    // The first one is at home on lb1.
    let homes = [Place::Old, Place::New];
    thread::scope(|scope| {
        let pairs = homes.map(|home| scope.spawn(move || live(Setup { home, first: home })));
        let mut outcomes = pairs.into_iter().map(|pair| {
            pair.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        outcomes.try_for_each(|outcome| outcome)
    })
}

fn live(setup: Setup) -> Result<()> {
    let pair = Pair::build(setup)?;
    tell(&pair).with_context(|| format!("{setup}: {}", pair.last_words()))
}

fn tell(pair: &Pair) -> Result<()> {
    let first = pair.setup.first;
    let acts = [
        Act::ColdStart,
        Act::Stop(Place::New),
        Act::Start(Place::New),
        Act::Stop(Place::Old),
        Act::Start(Place::Old),
        Act::PowerOff(Place::New),
        Act::PowerOn(Place::New),
        Act::PowerOff(Place::Old),
        Act::PowerOn(Place::Old),
    ];
    for act in acts {
        let told = match act {
            Act::ColdStart => {
                pair.at(first).start()?;
                pair.at(first.other()).start()?;
                each_has_its_own(pair)
            }
            Act::Stop(place) => {
                pair.at(place).stop()?;
                has_both(pair, place.other())
            }
            Act::PowerOff(place) => {
                pair.at(place).power_off()?;
                has_both(pair, place.other())
            }
            Act::Start(place) => {
                pair.at(place).start()?;
                each_has_its_own(pair)
            }
            Act::PowerOn(place) => {
                pair.at(place).power_on()?;
                each_has_its_own(pair)
            }
        };
        told.with_context(|| format!("{act:?}"))?;
        let complaints: Vec<String> = pair
            .nodes()
            .into_iter()
            .flat_map(Node::complaints)
            .collect();
        ensure!(
            complaints.is_empty(),
            "{act:?}: heartbeat complains: {complaints:?}"
        );
    }
    Ok(())
}

/// VIP is that of lb1, the other address that of lb2.
fn each_has_its_own(pair: &Pair) -> Result<()> {
    let (one, two) = (pair.at(pair.setup.home), pair.at(pair.setup.home.other()));
    let own = || one.has(VIP) && !one.has(SECOND) && two.has(SECOND) && !two.has(VIP);
    wait::until("each node has its own address", LIMIT, own)?;
    Ok(())
}

fn has_both(pair: &Pair, place: Place) -> Result<()> {
    let (node, other) = (pair.at(place), pair.at(place.other()));
    let both = || {
        let here = [VIP, SECOND].into_iter().all(|address| node.has(address));
        here && ![VIP, SECOND].into_iter().any(|address| other.has(address))
    };
    wait::until("the other node has both addresses", LIMIT, both)?;
    Ok(())
}
