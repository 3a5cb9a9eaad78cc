//! `hbd shadow` beside a live pair: on a third machine and on one of the two, it hears what there is to
//! hear, agrees with what the pair does, and sends nothing.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ha_status::{ClusterSnapshot, LinkState, NodeStatus, Snapshot};
use rustix::process::Signal;

use super::ownership::has_address;
use super::{Case, Place};
use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::peers::Heartbeat;
use crate::bed::wait;
use crate::scenario::pair::Pair;
use crate::scenario::programs::Programs;
use crate::scenario::status;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "hbd_shadow_agrees_with_a_crash_of_heartbeat_beside_it_and_apart_and_sends_nothing",
        place: Place::Here,
        run: crash_and_return,
    },
    Case {
        name: "hbd_shadow_agrees_with_a_standby_and_a_restart_of_heartbeat",
        place: Place::Here,
        run: standby_and_restart,
    },
    Case {
        name: "hbd_shadow_says_that_the_key_is_another_one",
        place: Place::Here,
        run: another_key,
    },
    Case {
        name: "hbd_shadow_agrees_with_a_pair_of_hbd",
        place: Place::Here,
        run: beside_hbd,
    },
];

const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const KEY: &str = "sha1 a-key-of-the-lab";
/// The old daemon's own first timers take ten seconds, and it looks twice.
const LIMIT: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(20);
const TIMES: &str = "keepalive 200ms\nwarntime 1\ndeadtime 2\ninitdead 10\nudpport 694\n";

/// A shadow at work.
struct Listener<'a> {
    host: &'a Host,
    child: Child,
}

impl<'a> Listener<'a> {
    /// With the files that are in the host's `/etc/ha.d`.
    fn start(host: &'a Host) -> Result<Self> {
        let said = File::create(host.folder().join("said"))?;
        let report = host.folder().join("report");
        let child = host
            .command(Programs::find()?.path("hbd"))?
            .args(["shadow", "--report"])
            .arg(report)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        let listener = Self { host, child };
        listener.says("nothing is sent")?;
        Ok(listener)
    }

    fn said(&self) -> String {
        let bytes = fs::read(self.host.folder().join("said")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn says(&self, words: &str) -> Result<()> {
        let what = format!("the shadow of {} says {words}", self.host.name());
        wait::until(&what, LIMIT, || self.said().contains(words))
            .with_context(|| format!("it said\n{}", self.said()))?;
        Ok(())
    }

    fn shows(&self) -> Result<ClusterSnapshot> {
        let folder = self.host.folder().join("run/heartbeat/shadow");
        match status::snapshot(&folder, "hbd.sock")? {
            Snapshot::Cluster(cluster) => Ok(cluster),
            Snapshot::Director(_) => bail!("a shadow of hbd shows a director"),
        }
    }

    /// Waits until it shows both nodes active, and exactly these media up, each for both nodes.
    fn hears(&self, media: &[&str]) -> Result<()> {
        let what = format!("the shadow of {} hears {media:?}", self.host.name());
        wait::until(&what, LIMIT, || {
            self.shows().is_ok_and(|shown| {
                let mut nodes = shown.nodes.iter();
                let mut links = shown.links.iter();
                nodes.all(|node| node.status == NodeStatus::Active)
                    && links.all(|link| {
                        let up = link.state == LinkState::Up;
                        up == media.contains(&link.medium.as_str())
                    })
            })
        })
        .with_context(|| format!("it shows {:?}\nand said\n{}", self.shows(), self.said()))?;
        Ok(())
    }

    /// Ends it; its exit code and its report.
    fn end(mut self) -> Result<(Option<i32>, String)> {
        self.host.signal("hbd", Signal::TERM);
        let code = self.child.wait()?.code();
        let report = fs::read_to_string(self.host.folder().join("report"))?;
        let said = self.said();
        ensure!(
            said.ends_with(&report),
            "the report\n{report}is not the end of what it said\n{said}"
        );
        Ok((code, report))
    }

    /// All that it holds open of the network are taps: no other socket could send a heartbeat.
    fn has_taps_only(&self) -> Result<()> {
        let sockets = "for fd in /proc/$(pidof hbd)/fd/*; do readlink $fd; done \
                       | sed -n 's/^socket:.\\([0-9]*\\).$/\\1/p'";
        let sockets = self.host.sh(sockets)?;
        ensure!(!sockets.is_empty(), "it has no socket");
        let networks =
            "cat /proc/net/udp /proc/net/udp6 /proc/net/tcp /proc/net/tcp6 /proc/net/raw";
        let talking = self.host.sh(networks)?;
        for inode in sockets.split_whitespace() {
            let mut words = talking.split_whitespace();
            ensure!(!words.any(|word| word == inode), "socket {inode} can send");
        }
        let taps = self.host.sh("cat /proc/net/packet")?;
        let tapped = |inode: &&str| taps.split_whitespace().any(|word| word == *inode);
        let count = sockets.split_whitespace().filter(tapped).count();
        ensure!(count > 0, "no tap among {sockets}");
        Ok(())
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        self.host.signal("hbd", Signal::KILL);
        let _ = self.child.wait();
    }
}

fn files(media: &str, key: &str) -> Vec<(&'static str, String)> {
    let ha_cf =
        format!("logfile /var/log/ha-log\n{TIMES}{media}\nauto_failback on\nnode lb1 lb2\n");
    vec![
        ("ha.cf", ha_cf),
        ("haresources", format!("lb1 IPaddr::{VIP}/24/eth0\n")),
        ("authkeys", format!("auth 1\n1 {key}\n")),
    ]
}

fn write(host: &Host, files: &[(&str, String)]) -> Result<()> {
    let etc = host.folder().join("etc");
    fs::create_dir_all(&etc)?;
    for (name, content) in files {
        let path = etc.join(name);
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Media {
    /// One of each kind, on an interface of its own.
    Three,
    Broadcast,
}

impl Media {
    /// With unicasts to these.
    fn lines(self, peers: &[u8]) -> String {
        match self {
            Self::Broadcast => "bcast eth0".to_owned(),
            Self::Three => {
                let peers = peers.iter();
                let unicast: Vec<String> = peers
                    .map(|number| format!("ucast eth2 10.79.0.{number}"))
                    .collect();
                let unicast = unicast.join("\n");
                format!("bcast eth0\nmcast eth1 239.0.0.1 694 1 0\n{unicast}")
            }
        }
    }
}

/// A pair of the real heartbeat, and a third machine.
struct Live {
    one: Heartbeat,
    two: Heartbeat,
    third: Host,
}

impl Live {
    fn install(media: Media, key_of_third: &str) -> Result<Self> {
        let network = Network::new()?;
        for segment in ["lan", "second", "third"] {
            network.segment(segment)?;
        }
        let host = |name: &str, number: u8| {
            let address = |net: u8| format!("10.{net}.0.{number}/24");
            network
                .host(name)
                .nic("lan", &[&address(77)])
                .nic("second", &[&address(78)])
                .nic("third", &[&address(79)])
                // Else the kernel itself sends, about its addresses of that family.
                .sysctl("net.ipv6.conf.all.disable_ipv6", "1")
                .power_on()
        };
        let files_of = |peers: &[u8], key: &str| files(&media.lines(peers), key);
        let third = host("third", 3)?;
        write(&third, &files_of(&[1, 2], key_of_third))?;
        Ok(Self {
            one: Heartbeat::install(Arc::new(host("lb1", 1)?), &files_of(&[2], KEY))?,
            two: Heartbeat::install(Arc::new(host("lb2", 2)?), &files_of(&[1], KEY))?,
            third,
        })
    }

    fn await_address(&self, host: &Host) -> Result<()> {
        wait::until(&format!("{} has the address", host.name()), LIMIT, || {
            has_address(host, VIP).is_ok_and(|has| has)
        })
        .with_context(|| format!("lb1:\n{}\nlb2:\n{}", self.one.log(), self.two.log()))?;
        Ok(())
    }
}

/// Packets that have left a host.
fn sent(host: &Host) -> Result<String> {
    host.sh("cat /sys/class/net/eth*/statistics/tx_packets")
}

fn crash_and_return() -> Result<()> {
    let live = Live::install(Media::Three, KEY)?;
    let (one, two) = (live.one.host(), live.two.host());
    let before = sent(&live.third)?;
    // From the first word on, and in the middle of everything.
    let apart = Listener::start(&live.third)?;
    live.one.start()?;
    live.two.start()?;
    live.await_address(one)?;
    let beside = Listener::start(two)?;
    apart.hears(&["bcast", "mcast"])?;
    beside.hears(&["bcast", "mcast", "ucast"])?;
    beside.has_taps_only()?;
    let both = [&apart, &beside];
    let group = format!("IPaddr::{VIP}/24/eth0");

    one.power_off()?;
    live.await_address(two)?;
    for shadow in both {
        shadow.says("SAME lb1 is dead: ")?;
        shadow.says(&format!("SAME lb2 takes over {group} of lb1: "))?;
    }

    one.power_on()?;
    live.one.start()?;
    live.await_address(one)?;
    for shadow in both {
        shadow.says(&format!("SAME lb2 gives {group} back to lb1: "))?;
    }

    for shadow in [apart, beside] {
        let host = shadow.host;
        let (code, report) = shadow.end()?;
        println!("{report}");
        ensure!(
            code == Some(0),
            "{}: it ended with {code:?}:\n{report}",
            host.name()
        );
        for words in [
            "The pair did what hbd would have done: 3 times, 0 cannot be told.\n",
            "Who was first to miss a node: ",
        ] {
            ensure!(report.contains(words), "no \"{words}\" in\n{report}");
        }
    }
    let after = sent(&live.third)?;
    ensure!(
        before == after,
        "the third machine has sent: {before} before, {after} now"
    );
    Ok(())
}

fn standby_and_restart() -> Result<()> {
    let live = Live::install(Media::Broadcast, KEY)?;
    let (one, two) = (live.one.host(), live.two.host());
    let shadow = Listener::start(&live.third)?;
    live.one.start()?;
    live.two.start()?;
    live.await_address(one)?;

    one.run(&["/usr/share/heartbeat/hb_standby", "all"])?;
    live.await_address(two)?;
    shadow.says("SAME lb2 takes [all] from lb1: ")?;

    live.two.stop(STOP)?;
    live.await_address(one)?;
    shadow.says("lb2 has said goodbye")?;
    let group = format!("IPaddr::{VIP}/24/eth0");
    shadow.says(&format!("SAME lb1 takes over {group} of lb2: "))?;
    live.two.start()?;
    shadow.says("lb2 was started anew")?;

    let (code, report) = shadow.end()?;
    println!("{report}");
    ensure!(code == Some(0), "it ended with {code:?}:\n{report}");
    let verdict = "The pair did what hbd would have done: 2 times, 0 cannot be told.\n";
    ensure!(report.contains(verdict), "{report}");
    Ok(())
}

fn another_key() -> Result<()> {
    let live = Live::install(Media::Broadcast, "sha1 quite-another-key")?;
    let shadow = Listener::start(&live.third)?;
    live.one.start()?;
    shadow.says("1 packet on bcast eth0: digests do not verify: another authkeys?")?;
    let (code, report) = shadow.end()?;
    ensure!(code == Some(1), "it ended with {code:?}:\n{report}");
    let verdict = "No heartbeat could be believed: see what was refused below.\n";
    ensure!(report.contains(verdict), "{report}");
    Ok(())
}

/// It says who runs what with every heartbeat, and no goodbye or offer of old.
fn beside_hbd() -> Result<()> {
    let pair = Pair::start(&Programs::find()?)?;
    let client = pair.client();
    let ha_cf = "keepalive 100ms\nwarntime 500ms\ndeadtime 1\ninitdead 5\nudpport 694\nbcast eth0\n\
                 auto_failback on\nnode lb1 lb2\n";
    let mut files = files("bcast eth0", KEY);
    ha_cf.clone_into(&mut files[0].1);
    write(client, &files)?;
    let shadow = Listener::start(client)?;
    shadow.hears(&["bcast"])?;
    pair.crash()?;
    let group = format!("IPaddr::{VIP}/24/eth0");
    shadow.says(&format!("SAME lb2 takes over {group} of lb1: "))?;
    pair.failback()?;
    shadow.says(&format!("SAME lb2 gives {group} back to lb1: "))?;
    let (code, report) = shadow.end()?;
    println!("{report}");
    ensure!(code == Some(0), "it ended with {code:?}:\n{report}");
    Ok(())
}
