//! hbd beside the real heartbeat 3.0.6: they understand each other's heartbeats and keep doing so.
//!
//! Node lb1 is the old daemon, lb2 is hbd. What they do with resources is not judged here.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ha_status::{ClusterSnapshot, NodeStatus};

use super::watch::throughout;
use super::{Case, Place};
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
];

const OLD: &str = "lb1";
const NEW: &str = "lb2";
const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
/// The old daemon's own first timers take ten seconds.
const MEETING: Duration = Duration::from_secs(25);
const MINUTE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy)]
enum Medium {
    Broadcast,
    Unicast,
}

/// Both daemons, started in either order.
struct Mixed {
    old: Heartbeat,
    new: Director,
}

impl Mixed {
    fn install(medium: Medium, key: &str) -> Result<Self> {
        let network = Network::new()?;
        network.segment("lan")?;
        let host = |name: &str, address: &str| {
            Ok::<_, anyhow::Error>(Arc::new(
                network.host(name).nic("lan", &[address]).power_on()?,
            ))
        };
        let old = Heartbeat::install(host(OLD, "10.77.0.1/24")?, &files(medium, "10.77.0.2", key))?;
        let configuration = Configuration::Files(files(medium, "10.77.0.1", key));
        let new = host(NEW, "10.77.0.2/24")?;
        let new = Director::install(new, &Programs::find()?, &configuration, VIP)?;
        Ok(Self { old, new })
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

fn files(medium: Medium, peer: &str, key: &str) -> Vec<(&'static str, String)> {
    let medium = match medium {
        Medium::Broadcast => "bcast eth0".to_owned(),
        Medium::Unicast => format!("ucast eth0 {peer}"),
    };
    let ha_cf = format!(
        "logfile /var/log/ha-log\nkeepalive 200ms\nwarntime 1\ndeadtime 2\ninitdead 10\n\
         udpport 694\n{medium}\nauto_failback on\nnode {OLD}\nnode {NEW}\n"
    );
    vec![
        ("ha.cf", ha_cf),
        ("haresources", format!("{OLD} IPaddr::{VIP}/24/eth0\n")),
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
