//! How heartbeats of two hbd travel: each medium is a link of its own, whatever else is on its
//! interface, and is used again when its interface is back.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ha_status::{LinkState, NodeStatus};

use super::ownership::{last_words, settled_on};
use super::{Case, Place};
use crate::bed::wait;
use crate::scenario::director::Director;
use crate::scenario::pair::Pair;
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "groups_of_both_families_are_links_of_their_own_and_come_back_with_their_interface",
        place: Place::Here,
        run: multicast,
    },
    Case {
        name: "one_group_on_two_interfaces_is_two_links",
        place: Place::Here,
        run: two_interfaces,
    },
];

const LIMIT: Duration = Duration::from_secs(20);

/// A pair with these media.
fn with_media(media: &str, story: impl FnOnce(&Pair) -> Result<()>) -> Result<()> {
    let ha_cf = format!(
        "keepalive 100ms\nwarntime 500ms\ndeadtime 1\ninitdead 5\n{media}auto_failback on\n\
         node lb1 lb2\n"
    );
    let pair = Pair::start_with(&Programs::find()?, &ha_cf)?;
    story(&pair).with_context(|| last_words(&pair))
}

/// On eth0 the old way; on eth1 over a link-local group, where each node hears itself as well.
fn multicast() -> Result<()> {
    let media = "mcast eth0 239.0.0.1 694 1 0\nmcast6 eth1 ff02::694 694 1 1\n";
    with_media(media, |pair| {
        let (one, two) = (pair.one(), pair.two());
        all_up(pair, 2)?;
        for device in ["eth0", "eth1"] {
            two.host().remove_nic(device)?;
            await_links(one, device, LinkState::Dead)?;
            ensure!(one.sees("lb2", NodeStatus::Active), "the other link is up");
            two.host().insert_nic(device, true)?;
            all_up(pair, 2)?;
        }
        let counters = two.cluster()?.counters;
        ensure!(counters.duplicates > 0, "both links carry every packet");
        ensure!(counters.lost == 0, "{counters:?}");
        one.hbd(&["takeover"])?;
        settled_on(pair, "lb1")
    })
}

/// Heartbeat cannot tell them apart. The third medium shares interface and port with the first,
/// and must not take what was sent to the group for broadcasts: `ucast` lines to this network's
/// unused address send to nobody.
fn two_interfaces() -> Result<()> {
    let media = "udpport 694\nmcast eth0 239.0.0.1 694 1 0\nmcast eth1 239.0.0.1 694 1 0\n\
                 ucast eth0 10.77.0.9\n";
    with_media(media, |pair| {
        let (one, two) = (pair.one(), pair.two());
        all_up(pair, 2)?;
        two.host().cut_one("eth1")?;
        await_links(one, "eth1", LinkState::Dead)?;
        await_links(two, "eth1", LinkState::Dead)?;
        two.host().join_one("eth1")?;
        all_up(pair, 2)?;
        for node in [one, two] {
            let links = node.cluster()?.links;
            let mut unicast = links.iter().filter(|link| link.medium == "ucast");
            ensure!(
                unicast.all(|link| link.state == LinkState::Init),
                "nobody has sent to this medium: {links:?}"
            );
        }
        settled_on(pair, "lb1")
    })
}

/// So many links are up on both nodes.
fn all_up(pair: &Pair, count: usize) -> Result<()> {
    wait::until("every link is up", LIMIT, || {
        [pair.one(), pair.two()].into_iter().all(|node| {
            node.cluster().is_ok_and(|cluster| {
                let links = cluster.links.iter();
                let up = links.filter(|link| link.state == LinkState::Up);
                up.count() == count
            })
        })
    })?;
    Ok(())
}

/// Waits until every multicast link of the interface is in this state.
fn await_links(node: &Director, device: &str, state: LinkState) -> Result<()> {
    wait::until(&format!("{device} is {state:?}"), LIMIT, || {
        node.cluster().is_ok_and(|cluster| {
            let links = cluster.links.iter();
            let mut same =
                links.filter(|link| link.device == device && link.medium.starts_with("mcast"));
            same.all(|link| link.state == state)
        })
    })?;
    Ok(())
}
