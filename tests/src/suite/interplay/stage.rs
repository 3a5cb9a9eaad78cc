//! A pair over one medium, twice: two cables of its kind join the nodes. What happens to the nodes and
//! to the cables, in the words of the rows.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::log::{Marker, Saying, loud};
use crate::bed::host::Host;
use crate::bed::modem::Modem;
use crate::bed::network::Network;
use crate::bed::wait;
use crate::suite::roles::node::{Node, Place, SECOND, VIP};
use crate::suite::watch::throughout;

/// For every single row: the old daemon's own timers of ten seconds, a restart, and a machine that is
/// busy with other pairs.
const LIMIT: Duration = Duration::from_secs(60);
/// What has come to rest stays so.
const REST: Duration = Duration::from_millis(600);
/// Between two questions that take a process each.
const PACE: Duration = Duration::from_millis(100);
/// One in five packets is lost on either cable, in bursts that hit one or two of them.
const CUT: Duration = Duration::from_millis(60);
const WHOLE: Duration = Duration::from_millis(240);

/// What an old daemon says when it has lost a word of its own script.
const HALF_A_MESSAGE: &str = "msg2string: Message with zero fields";

/// How heartbeats travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    Bcast,
    Ucast,
    Mcast,
    Serial,
}

impl Medium {
    /// The media of the node whose peer's addresses end in this.
    fn lines(self, peer: u8, ports: &[String]) -> String {
        match self {
            Self::Bcast => "udpport 694\nbcast eth0 eth1\n".to_owned(),
            Self::Ucast => {
                format!("udpport 694\nucast eth0 10.77.0.{peer}\nucast eth1 10.88.0.{peer}\n")
            }
            // The old daemon hears what arrives at a group's port on any interface: each has its own.
            Self::Mcast => {
                "mcast eth0 239.0.0.1 694 1 0\nmcast eth1 239.0.0.2 695 1 0\n".to_owned()
            }
            Self::Serial => format!("baud 115200\nserial {}\n", ports.join(" ")),
        }
    }
}

/// Which groups a node holds: that of its own, and that of the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    None,
    Own,
    Foreign,
    Both,
}

impl Hold {
    /// As `rscstatus` has it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Own => "local",
            Self::Foreign => "foreign",
            Self::Both => "all",
        }
    }

    /// What is left for the other one, in its own words.
    pub(super) fn rest(self) -> Self {
        match self {
            Self::None => Self::Both,
            Self::Own => Self::Own,
            Self::Foreign => Self::Foreign,
            Self::Both => Self::None,
        }
    }
}

/// `auto_failback` of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failback {
    On,
    Off,
    Legacy,
}

impl Failback {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Legacy => "legacy",
        }
    }
}

/// A pair and what it plays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup {
    pub(super) medium: Medium,
    /// Who is called lb1.
    pub(super) home: Place,
    /// Both are old daemons: what they say is the measure for mixed pairs.
    pub(super) old_pair: bool,
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            medium,
            home,
            old_pair,
        } = self;
        let pair = if *old_pair {
            "two of heartbeat"
        } else {
            "hbd and heartbeat"
        };
        write!(f, "{pair} over {medium:?}, lb1 {home:?}")
    }
}

/// The pair. `Place::Old` is the judge: its log is read.
pub(super) struct Stage {
    pub(super) setup: Setup,
    failback: Failback,
    old: Node,
    new: Node,
    cables: Vec<Modem>,
}

impl Stage {
    /// Starts nothing yet.
    pub(super) fn build(setup: Setup, failback: Failback) -> Result<Self> {
        let network = Network::new()?;
        network.segment("lan")?;
        network.segment("second")?;
        let cables = match setup.medium {
            Medium::Serial => vec![Modem::lay()?, Modem::lay()?],
            Medium::Bcast | Medium::Ucast | Medium::Mcast => Vec::new(),
        };
        let host = |number: u8| {
            let addresses = [77, 88].map(|net| format!("10.{net}.0.{number}/24"));
            let host = network.host(&format!("lb{number}"));
            let host = host
                .nic("lan", &[&addresses[0]])
                .nic("second", &[&addresses[1]]);
            anyhow::Ok(Arc::new(host.power_on()?))
        };
        let [old, new] = match setup.home {
            Place::Old => [1, 2],
            Place::New => [2, 1],
        };
        let files = |peer: u8, end: usize| {
            let ports = cables.iter().map(|cable| cable.ports()[end].to_owned());
            let ports: Vec<String> = ports.collect();
            files(failback, &setup.medium.lines(peer, &ports))
        };
        let second = host(new)?;
        let stage = Self {
            setup,
            failback,
            old: Node::old(&host(old)?, &files(new, 0))?,
            new: if setup.old_pair {
                Node::old(&second, &files(old, 1))?
            } else {
                Node::new(&second, files(old, 1))?
            },
            cables,
        };
        Ok(stage)
    }

    pub(super) fn at(&self, place: Place) -> &Node {
        match place {
            Place::Old => &self.old,
            Place::New => &self.new,
        }
    }

    fn hosts(&self) -> [&Host; 2] {
        [self.old.host(), self.new.host()]
    }

    /// The two links, as the old node calls them.
    pub(super) fn links(&self) -> [String; 2] {
        match self.cables.as_slice() {
            [one, two] => [one, two].map(|cable| cable.ports()[0].to_owned()),
            _ => ["eth0", "eth1"].map(str::to_owned),
        }
    }

    /// Interrupts one of the links, or joins it again. Nobody's carrier shows it.
    pub(super) fn set_link(&self, link: usize, whole: bool) -> Result<()> {
        if let Some(cable) = self.cables.get(link) {
            if whole {
                cable.plug();
            } else {
                cable.unplug();
            }
            return Ok(());
        }
        let device = ["eth0", "eth1"][link];
        if whole {
            self.new.host().admit(device)
        } else {
            self.new.host().isolate(device)
        }
    }

    pub(super) fn set_links(&self, whole: bool) -> Result<()> {
        self.set_link(0, whole)?;
        self.set_link(1, whole)
    }

    /// Loses a fifth of all packets while `until` is false.
    pub(super) fn lose_until(&self, what: &str, mut until: impl FnMut() -> bool) -> Result<()> {
        let begun = Instant::now();
        while !until() {
            ensure!(begun.elapsed() < LIMIT, "waited in vain: {what}");
            self.set_links(false)?;
            thread::sleep(CUT);
            self.set_links(true)?;
            thread::sleep(WHOLE);
        }
        Ok(())
    }

    /// Runs a script of the old package on the old node.
    pub(super) fn tool(&self, name: &str, set: &str) -> Result<()> {
        let path = format!("/usr/share/heartbeat/{name}");
        self.old.host().run(&[&path, set]).map(drop)
    }

    /// What `cl_status` says on the old node; its exit status tells more than failure.
    pub(super) fn status(&self, arguments: &[&str]) -> Result<(String, Option<i32>)> {
        let mut command = self.old.host().command("cl_status")?;
        let output = command.args(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok((said, output.status.code()))
    }

    /// Which addresses a node has.
    fn held(&self, place: Place) -> Hold {
        let node = self.at(place);
        let mine = if place == self.setup.home {
            VIP
        } else {
            SECOND
        };
        let other: Ipv4Addr = if mine == VIP { SECOND } else { VIP };
        match (node.has(mine), node.has(other)) {
            (false, false) => Hold::None,
            (true, false) => Hold::Own,
            (false, true) => Hold::Foreign,
            (true, true) => Hold::Both,
        }
    }

    fn runs(&self, place: Place) -> bool {
        let host = self.at(place).host();
        let names = ["heartbeat", "hbd"];
        host.is_on() && names.iter().any(|name| !host.processes(name).is_empty())
    }

    /// Waits until both hold this, see each other if both run, and the old one says so of itself.
    pub(super) fn settle(&self, old: Hold, new: Hold) -> Result<()> {
        let holds = || {
            ensure!(
                (self.held(Place::Old), self.held(Place::New)) == (old, new),
                "the old node holds {:?} and not {old:?}, the other one {:?} and not {new:?}",
                self.held(Place::Old),
                self.held(Place::New)
            );
            Ok(())
        };
        let mut last = Ok(());
        wait::until("the nodes hold what they should", LIMIT, || {
            last = holds().and_then(|()| self.agree(old));
            if last.is_err() {
                thread::sleep(PACE);
            }
            last.is_ok()
        })
        .map_err(|_| std::mem::replace(&mut last, Ok(())).expect_err("it was not settled"))?;
        throughout(REST, holds)
    }

    fn agree(&self, old: Hold) -> Result<()> {
        let [runs, other] = [Place::Old, Place::New].map(|place| self.runs(place));
        if runs && other {
            for [one, two] in [[&self.old, &self.new], [&self.new, &self.old]] {
                ensure!(
                    one.sees(two.name()),
                    "{} does not call {} active",
                    one.name(),
                    two.name()
                );
            }
        }
        // In that mode it keeps no book.
        if runs && self.failback != Failback::Legacy {
            let (word, _) = self.status(&["rscstatus"])?;
            ensure!(
                word == old.word(),
                "rscstatus says {word}, not {}",
                old.word()
            );
        }
        Ok(())
    }

    /// From here on, in the log of the old node.
    pub(super) fn mark(&self) -> Marker {
        Marker::at_end_of(&self.old.log())
    }

    /// From here on, in both logs.
    pub(super) fn marks(&self) -> [Marker; 2] {
        [&self.old, &self.new].map(|node| Marker::at_end_of(&node.log()))
    }

    /// Waits until the old daemon has said this since then.
    pub(super) fn said(&self, since: Marker, sayings: &[Saying]) -> Result<()> {
        let names = [self.old.name(), self.new.name()];
        let links = self.links();
        for saying in sayings {
            wait::until(&format!("heartbeat says {saying:?}"), LIMIT, || {
                let found = saying.is_in(since.rest(&self.old.log()), names, &links);
                if !found {
                    thread::sleep(PACE);
                }
                found
            })?;
        }
        Ok(())
    }

    /// Has it said all of it?
    pub(super) fn has_said(&self, since: Marker, sayings: &[Saying]) -> bool {
        let names = [self.old.name(), self.new.name()];
        let links = self.links();
        let log = self.old.log();
        let mut sayings = sayings.iter();
        sayings.all(|saying| saying.is_in(since.rest(&log), names, &links))
    }

    /// Both hold everything: each has declared the other dead.
    pub(super) fn settle_apart(&self) -> Result<()> {
        let since = self.mark();
        wait::until("both hold everything", LIMIT, || {
            let both = [Place::Old, Place::New].map(|place| self.held(place));
            both == [Hold::Both, Hold::Both]
        })?;
        self.said(since, &[Saying("mach_down takeover complete.")])
    }

    /// What either old daemon has complained of since then.
    pub(super) fn complaints(&self, since: [Marker; 2]) -> Vec<String> {
        let logs = [self.old.log(), self.new.log()];
        let logs = logs.iter().zip(since);
        logs.flat_map(|(log, since)| loud(since.rest(log)))
            .collect()
    }

    /// Its scripts speak to the old daemon through a queue, of which it sometimes reads half a message.
    pub(super) fn has_lost_a_word(&self) -> bool {
        let logs = [self.old.log(), self.new.log()];
        logs.iter().any(|log| log.contains(HALF_A_MESSAGE))
    }

    /// So many packets the new node's daemon has neither understood nor believed in its life. A serial
    /// cable that is pulled cuts frames, which do not count.
    pub(super) fn refused(&self) -> Result<u64> {
        let Some(new) = self.new.director().filter(|_| self.runs(Place::New)) else {
            return Ok(0);
        };
        let counters = new.cluster()?.counters;
        let frames = match self.setup.medium {
            Medium::Serial => 0,
            Medium::Bcast | Medium::Ucast | Medium::Mcast => counters.rejected_frame,
        };
        Ok(frames
            + counters.rejected_digest
            + counters.rejected_key
            + counters.rejected_length
            + counters.rejected_malformed
            + counters.replays)
    }

    pub(super) fn last_words(&self) -> String {
        [&self.old, &self.new].map(Node::last_words).join("\n")
    }

    /// Each node's files say `auth 2` instead of `auth 1`, and both read them at the same moment.
    pub(super) fn turn_keys(&self) -> Result<()> {
        for host in self.hosts() {
            host.sh("sed -i 's/^auth 1/auth 2/' /etc/ha.d/authkeys")?;
        }
        thread::scope(|scope| {
            let both = [&self.old, &self.new].map(|node| scope.spawn(|| node.reload()));
            both.into_iter().try_for_each(|one| {
                one.join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })
        .context("reading the keys again")
    }
}

/// `/etc/ha.d` of either node.
fn files(failback: Failback, media: &str) -> Vec<(&'static str, String)> {
    let failback = failback.word();
    let ha_cf = format!(
        "logfile /var/log/ha-log\nkeepalive 250ms\nwarntime 2\ndeadtime 4\ninitdead 12\n{media}\
         auto_failback {failback}\nnode lb1\nnode lb2\n"
    );
    let haresources = format!("lb1 IPaddr::{VIP}/24/eth0\nlb2 IPaddr::{SECOND}/24/eth0\n");
    let keys = "auth 1\n1 sha1 a-key-of-the-lab\n2 sha1 the-next-key-of-the-lab\n";
    vec![
        ("ha.cf", ha_cf),
        ("haresources", haresources),
        ("authkeys", keys.to_owned()),
    ]
}
