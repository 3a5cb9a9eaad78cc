//! hbd beside the real heartbeat 3.0.6: they understand each other's heartbeats and keep doing so.
//!
//! Node lb1 is the old daemon, lb2 is hbd. Of resources they exchange what lets either be stopped at
//! any time, and what the old one gives away.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ha_status::{ClusterSnapshot, LinkState, NodeStatus};

use super::ownership::has_address;
use super::watch::throughout;
use super::{Case, Place};
use crate::bed::host::Host;
use crate::bed::modem::Modem;
use crate::bed::network::Network;
use crate::bed::peers::Heartbeat;
use crate::bed::wait;
use crate::scenario::director::{Configuration, Director};
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "hbd_and_heartbeat_see_each_other_active_for_a_minute",
        place: Place::Here,
        run: for_a_minute,
    },
    Case {
        name: "heartbeat_joins_an_hbd_that_runs_already",
        place: Place::Here,
        run: old_one_last,
    },
    Case {
        name: "hbd_and_heartbeat_agree_over_ucast_and_with_md5_and_crc",
        place: Place::Here,
        run: variants,
    },
    Case {
        name: "hbd_and_heartbeat_agree_over_multicast_and_ipv6_and_on_ping_nodes_and_stop_in_either_role",
        place: Place::Here,
        run: three_media,
    },
    Case {
        name: "hbd_and_heartbeat_agree_over_a_serial_cable_whichever_came_first",
        place: Place::Here,
        run: serial_cable,
    },
    Case {
        name: "heartbeat_and_hbd_stop_within_ten_seconds_in_either_role",
        place: Place::Here,
        run: stops,
    },
    Case {
        name: "what_heartbeat_gives_back_hbd_takes",
        place: Place::Here,
        run: gives_back,
    },
];

const OLD: &str = "lb1";
const NEW: &str = "lb2";
const GATEWAY: &str = "10.77.0.254";
const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
/// The old daemon's own first timers take ten seconds.
const MEETING: Duration = Duration::from_secs(25);
const MINUTE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(5);
/// A shutdown of either daemon ends within this time.
const STOP: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
enum Medium {
    Broadcast,
    Unicast,
    /// `mcast`, `mcast6` and `ucast6`, each on an interface of its own: the old daemon calls its
    /// links by these. A ping node as well.
    Three,
}

impl Medium {
    /// For the node whose peer's addresses end in this.
    fn lines(self, peer: u8) -> String {
        match self {
            Self::Broadcast => "bcast eth0".to_owned(),
            Self::Unicast => format!("ucast eth0 10.77.0.{peer}"),
            Self::Three => format!(
                "mcast eth0 239.0.0.1 694 1 0\nmcast6 eth1 ff02::694 694 1 0\n\
                 ucast6 eth2 fd77::{peer}\nping {GATEWAY}"
            ),
        }
    }
}

/// Both daemons, started in either order.
struct Mixed {
    old: Heartbeat,
    new: Director,
    gateway: Host,
}

impl Mixed {
    fn install(medium: Medium, key: &str) -> Result<Self> {
        Self::with_home(OLD, medium, key)
    }

    /// With this node as the preferred one of the address.
    fn with_home(home: &str, medium: Medium, key: &str) -> Result<Self> {
        Self::with_media(home, [2, 1].map(|peer| medium.lines(peer)), key)
    }

    /// With these media on the old node and on the new one.
    fn with_media(home: &str, [old, new]: [String; 2], key: &str) -> Result<Self> {
        let network = Network::new()?;
        for segment in ["lan", "second", "third"] {
            network.segment(segment)?;
        }
        let host = |name: &str, number: u8| {
            let host = network
                .host(name)
                .nic("lan", &[&format!("10.77.0.{number}/24")])
                .nic("second", &[])
                .nic("third", &[&format!("fd77::{number}/64")]);
            Ok::<_, anyhow::Error>(Arc::new(host.power_on()?))
        };
        let old = Heartbeat::install(host(OLD, 1)?, &files(home, &old, key))?;
        let configuration = Configuration::Files(files(home, &new, key));
        let new = host(NEW, 2)?;
        let new = Director::install(new, &Programs::find()?, &configuration, VIP)?;
        let gateway = network.host("gateway");
        let gateway = gateway.nic("lan", &[&format!("{GATEWAY}/24")]).power_on()?;
        Ok(Self { old, new, gateway })
    }

    /// Waits until each calls the other active, watches that it stays so, and looks at the counters.
    fn agree_for(&self, period: Duration) -> Result<()> {
        wait::until("each sees the other active", MEETING, || {
            self.agree().is_ok()
        })
        .and_then(|_| throughout(period, || self.agree()))
        .and_then(|()| self.nothing_was_refused())
        .with_context(|| self.logs())
    }

    fn agree(&self) -> Result<()> {
        let said = self.old.node_status(NEW);
        ensure!(
            said.as_deref() == Some("active"),
            "heartbeat calls hbd's node {said:?}"
        );
        ensure!(
            self.new.sees(OLD, NodeStatus::Active),
            "hbd does not call heartbeat's node active"
        );
        Ok(())
    }

    /// Waits until each calls the other active.
    fn meet(&self) -> Result<()> {
        wait::until("each sees the other active", MEETING, || {
            self.agree().is_ok()
        })
        .with_context(|| self.logs())?;
        Ok(())
    }

    fn wait_for_address(&self, host: &Host, limit: Duration) -> Result<()> {
        wait::until(&format!("{} has the address", host.name()), limit, || {
            has_address(host, VIP).is_ok_and(|has| has)
        })
        .with_context(|| self.logs())?;
        Ok(())
    }

    /// What each calls the ping node.
    fn await_gateway(&self, old: &str, new: NodeStatus) -> Result<()> {
        wait::until(&format!("the gateway is {old}"), MEETING, || {
            self.old.node_status(GATEWAY).as_deref() == Some(old) && self.new.sees(GATEWAY, new)
        })
        .with_context(|| self.logs())?;
        Ok(())
    }

    /// The old daemon ends in time.
    fn stop_old(&self) -> Result<()> {
        let took = self.old.stop(STOP).with_context(|| self.logs())?;
        println!("    heartbeat -k took {took:.1?}");
        Ok(())
    }

    fn stop_new(&self) -> Result<()> {
        let begin = Instant::now();
        self.new.stop().with_context(|| self.logs())?;
        let took = begin.elapsed();
        println!("    hbd stop took {took:.1?}");
        ensure!(took < STOP, "hbd took {took:?} to stop");
        Ok(())
    }

    fn nothing_was_refused(&self) -> Result<()> {
        let complaints = self.old.complaints();
        ensure!(complaints.is_empty(), "heartbeat complains");
        let counters = self.new.cluster()?.counters;
        let refused = counters.rejected_frame
            + counters.rejected_digest
            + counters.rejected_key
            + counters.rejected_length
            + counters.rejected_malformed
            + counters.replays;
        ensure!(
            refused == 0 && counters.lost == 0 && counters.packets_in > 0,
            "hbd counted {counters:?}"
        );
        Ok(())
    }

    fn logs(&self) -> String {
        format!(
            "heartbeat said:\n{}\nhbd said:\n{}",
            self.old.complaints().join("\n"),
            self.new.last_words()
        )
    }
}

fn files(home: &str, media: &str, key: &str) -> Vec<(&'static str, String)> {
    let ha_cf = format!(
        "logfile /var/log/ha-log\nkeepalive 200ms\nwarntime 1\ndeadtime 2\ninitdead 10\n\
         udpport 694\n{media}\nauto_failback on\nnode {OLD}\nnode {NEW}\n"
    );
    vec![
        ("ha.cf", ha_cf),
        ("haresources", format!("{home} IPaddr::{VIP}/24/eth0\n")),
        ("authkeys", format!("auth 1\n1 {key}\n")),
    ]
}

/// What the old daemon tells about a cluster that was whole from its first minute on.
fn is_whole(cluster: &ClusterSnapshot) -> bool {
    let mut normal = cluster.nodes.iter();
    normal.all(|node| node.status == NodeStatus::Active)
}

fn for_a_minute() -> Result<()> {
    let mixed = Mixed::install(Medium::Broadcast, "sha1 a-key-of-the-lab")?;
    mixed.old.start()?;
    mixed.new.start()?;
    mixed.agree_for(MINUTE)?;
    ensure!(
        is_whole(&mixed.new.cluster()?),
        "hbd does not call itself active"
    );
    Ok(())
}

/// The other order of starting; the new one must be up before the old one says its first word.
fn old_one_last() -> Result<()> {
    let mixed = Mixed::install(Medium::Broadcast, "sha1 a-key-of-the-lab")?;
    mixed.new.start()?;
    wait::until("hbd answers", MEETING, || mixed.new.cluster().is_ok())
        .with_context(|| mixed.logs())?;
    mixed.old.start()?;
    mixed.agree_for(SHORT)
}

fn variants() -> Result<()> {
    let all = [
        (Medium::Unicast, "sha1 a-key-of-the-lab"),
        (Medium::Broadcast, "md5 a-key-of-the-lab"),
        (Medium::Broadcast, "crc"),
    ];
    for (medium, key) in all {
        let mixed = Mixed::install(medium, key)?;
        mixed.old.start()?;
        mixed.new.start()?;
        mixed
            .agree_for(SHORT)
            .with_context(|| format!("{medium:?}, {key}"))?;
    }
    Ok(())
}

/// A null-modem cable is all that joins them; whichever comes first.
fn serial_cable() -> Result<()> {
    for old_first in [true, false] {
        let modem = Modem::lay()?;
        let media = modem
            .ports()
            .map(|port| format!("baud 115200\nserial {port}"));
        let mixed = Mixed::with_media(OLD, media, "sha1 a-key-of-the-lab")?;
        if old_first {
            mixed.old.start()?;
            mixed.wait_for_address(mixed.old.host(), MEETING)?;
            mixed.new.start()?;
        } else {
            mixed.new.start()?;
            wait::until("hbd answers", MEETING, || mixed.new.cluster().is_ok())
                .with_context(|| mixed.logs())?;
            mixed.old.start()?;
        }
        mixed
            .agree_for(SHORT)
            .with_context(|| format!("heartbeat first: {old_first}"))?;
        let [old, _] = modem.ports();
        let up = format!("Link {NEW}:{old} up.");
        ensure!(mixed.old.log().contains(&up), "heartbeat did not say {up}");
        mixed.stop_old()?;
        mixed.wait_for_address(mixed.new.host(), SHORT)?;
    }
    Ok(())
}

/// Every medium carries heartbeats both ways, and both take the gateway for what it is.
fn three_media() -> Result<()> {
    let mixed = Mixed::install(Medium::Three, "sha1 a-key-of-the-lab")?;
    // Heartbeat complains of an address that the kernel does not let it use yet.
    wait::until("IPv6 addresses are usable", SHORT, || {
        [mixed.old.host(), mixed.new.host()]
            .into_iter()
            .all(|host| {
                let doubtful = host.sh("ip -6 -o address show tentative");
                doubtful.is_ok_and(|doubtful| doubtful.is_empty())
            })
    })?;
    mixed.old.start()?;
    mixed.new.start()?;
    mixed.agree_for(SHORT)?;
    let links = mixed.new.cluster()?.links;
    ensure!(
        links.len() == 4 && links.iter().all(|link| link.state == LinkState::Up),
        "hbd has the links {links:?}"
    );
    let log = mixed.old.log();
    for device in ["eth0", "eth1", "eth2"] {
        let up = format!("Link {NEW}:{device} up.");
        ensure!(log.contains(&up), "heartbeat did not say {up}: {log}");
    }
    mixed.await_gateway("ping", NodeStatus::Ping)?;
    mixed.gateway.cut()?;
    mixed.await_gateway("dead", NodeStatus::Dead)?;
    mixed.agree_for(Duration::ZERO)?;
    mixed.gateway.join()?;
    mixed.await_gateway("ping", NodeStatus::Ping)?;
    mixed.stop_new().context("hbd first")?;
    mixed.new.start()?;
    mixed.meet()?;
    mixed.stop_old().context("heartbeat first")
}

/// Each is stopped as owner and as backup, right after they have met; the other one ends up with
/// the address, or keeps it.
fn stops() -> Result<()> {
    let mixed = Mixed::install(Medium::Broadcast, "sha1 a-key-of-the-lab")?;
    let (old, new) = (mixed.old.host(), mixed.new.host());
    mixed.old.start()?;
    mixed.wait_for_address(old, MEETING)?;
    mixed.new.start()?;
    mixed.meet()?;
    mixed.stop_old().context("heartbeat as owner")?;
    mixed.wait_for_address(new, SHORT)?;
    mixed.old.start()?;
    mixed.meet()?;
    mixed.stop_old().context("heartbeat as backup")?;
    ensure!(has_address(new, VIP)?, "hbd let go of the address");
    mixed.old.start()?;
    mixed.meet()?;
    mixed.stop_new().context("hbd as owner")?;
    mixed.wait_for_address(old, SHORT)?;
    mixed.new.start()?;
    mixed.meet()?;
    mixed.stop_new().context("hbd as backup")?;
    ensure!(has_address(old, VIP)?, "heartbeat let go of the address");
    Ok(())
}

/// The old one took the address while it was alone, and asks to give it back when the preferred
/// node is there: it gets an answer, and ends in time afterwards.
fn gives_back() -> Result<()> {
    let mixed = Mixed::with_home(NEW, Medium::Broadcast, "sha1 a-key-of-the-lab")?;
    let (old, new) = (mixed.old.host(), mixed.new.host());
    mixed.old.start()?;
    mixed.wait_for_address(old, MEETING)?;
    mixed.new.start()?;
    mixed.wait_for_address(new, MEETING)?;
    ensure!(!has_address(old, VIP)?, "both have the address");
    mixed.stop_old()?;
    ensure!(has_address(new, VIP)?, "hbd let go of the address");
    let complaints = mixed.old.complaints();
    let refused = complaints.iter().any(|line| line.contains("tandby"));
    ensure!(!refused, "heartbeat complains: {complaints:?}");
    Ok(())
}
