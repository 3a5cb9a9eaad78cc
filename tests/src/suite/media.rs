//! How heartbeats of two hbd travel: each medium is a link of its own, whatever else is on its
//! interface, and is used again when its interface is back.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ha_status::{Link, LinkState, NodeStatus};

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
    Case {
        name: "ping_nodes_of_every_kind_are_watched_and_their_silence_moves_nothing",
        place: Place::Here,
        run: ping_nodes,
    },
    Case {
        name: "of_two_sides_the_one_that_hears_its_ping_node_keeps_the_group",
        place: Place::Here,
        run: ping_decides,
    },
];

const LIMIT: Duration = Duration::from_secs(20);

/// The client's address, and its link-local one.
const CLIENT: &str = "10.77.0.50";
const CLIENT_SIX: &str = "fe80::4c:ff:fe02:0%eth0";

/// A pair with these lines, media among them.
fn with_media(media: &str, story: impl FnOnce(&Pair) -> Result<()>) -> Result<()> {
    let ha_cf =
        format!("keepalive 100ms\nwarntime 500ms\ndeadtime 1\ninitdead 5\n{media}node lb1 lb2\n");
    let pair = Pair::start_with(&Programs::find()?, &ha_cf)?;
    story(&pair).with_context(|| last_words(&pair))
}

/// On eth0 the old way; on eth1 over a link-local group, where each node hears itself as well.
fn multicast() -> Result<()> {
    let media = "mcast eth0 239.0.0.1 694 1 0\nmcast6 eth1 ff02::694 694 1 1\nauto_failback on\n";
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
                 ucast eth0 10.77.0.9\nauto_failback on\n";
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

/// The client answers for all of them; the second host of the group is not there.
fn ping_nodes() -> Result<()> {
    let media = format!(
        "deadping 700ms\nbcast eth0\nping {CLIENT}\nping_group uplinks {CLIENT} 10.77.0.77\n\
         ping6 {CLIENT_SIX}\nauto_failback on\n"
    );
    with_media(&media, |pair| {
        let names = [CLIENT, "uplinks", CLIENT_SIX];
        for round in 0..2 {
            await_pings(pair, &names, NodeStatus::Ping)?;
            pair.client().cut()?;
            await_pings(pair, &names, NodeStatus::Dead)?;
            settled_on(pair, "lb1").with_context(|| format!("round {round}"))?;
            pair.client().join()?;
        }
        await_pings(pair, &names, NodeStatus::Ping)?;
        for node in [pair.one(), pair.two()] {
            let cluster = node.cluster()?;
            let links = cluster.links.iter();
            let pings = links.filter(|link| link.medium.starts_with("ping"));
            let ok = |link: &&Link| link.state == LinkState::Up && link.not_sent.is_none();
            ensure!(
                pings.clone().count() == 3 && pings.clone().filter(ok).count() == 3,
                "{:?}",
                cluster.links
            );
        }
        settled_on(pair, "lb1")
    })
}

/// lb1 has a carrier everywhere, and reaches neither lb2 nor the client.
fn ping_decides() -> Result<()> {
    let media = format!("bcast eth1\nping {CLIENT}\nauto_failback off\n");
    with_media(&media, |pair| {
        let (one, two) = (pair.one(), pair.two());
        await_pings(pair, &[CLIENT], NodeStatus::Ping)?;
        one.host()
            .sh(&format!("ip route add blackhole {CLIENT}/32"))?;
        one.host().cut_one("eth1")?;
        wait::until("both serve", LIMIT, || {
            one.serves() && two.serves() && one.sees(CLIENT, NodeStatus::Dead)
        })?;
        ensure!(two.sees(CLIENT, NodeStatus::Ping), "lb2 hears the client");
        one.host()
            .sh(&format!("ip route del blackhole {CLIENT}/32"))?;
        one.host().join_one("eth1")?;
        settled_on(pair, "lb2")
    })
}

/// Waits until both nodes see all of these so.
fn await_pings(pair: &Pair, names: &[&str], status: NodeStatus) -> Result<()> {
    wait::until(&format!("{names:?}: {status:?}"), LIMIT, || {
        [pair.one(), pair.two()]
            .into_iter()
            .all(|node| names.iter().all(|name| node.sees(name, status)))
    })?;
    Ok(())
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
