//! A node of a mixed pair, be it heartbeat or hbd: started, stopped and looked at in the same words.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use ha_status::NodeStatus;
use rustix::process::Signal;

use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::peers::{HEARTBEAT, Heartbeat};
use crate::bed::wait;
use crate::scenario::director::{Configuration, Director};
use crate::scenario::programs::Programs;

pub(in crate::suite) const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
/// Prefers lb2.
pub(in crate::suite) const SECOND: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 101);
/// An old daemon ends its children one after the other, a second each.
const STOP: Duration = Duration::from_secs(20);
/// Lines of an old log that are shown when something fails.
const TAIL: usize = 25;

/// Which of the two daemons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::suite) enum Place {
    Old,
    New,
}

impl Place {
    pub(in crate::suite) fn other(self) -> Self {
        match self {
            Self::Old => Self::New,
            Self::New => Self::Old,
        }
    }
}

/// Who is what in a pair. The preferred node is called lb1.
#[derive(Debug, Clone, Copy)]
pub(in crate::suite) struct Setup {
    pub(in crate::suite) home: Place,
    pub(in crate::suite) first: Place,
}

/// Of ha.cf and haresources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::suite) enum Rules {
    /// `auto_failback on`, and one group.
    Returns,
    /// No such line, and a group for each node.
    Legacy,
}

impl Rules {
    fn failback(self) -> &'static str {
        match self {
            Self::Returns => "auto_failback on\n",
            Self::Legacy => "",
        }
    }

    fn haresources(self) -> String {
        let first = format!("lb1 IPaddr::{VIP}/24/eth0\n");
        match self {
            Self::Returns => first,
            Self::Legacy => format!("{first}lb2 IPaddr::{SECOND}/24/eth0\n"),
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { home, first } = self;
        write!(f, "lb1 {home:?}, first {first:?}")
    }
}

enum Daemon {
    Old(Heartbeat),
    New(Director),
}

pub(in crate::suite) struct Node {
    daemon: Daemon,
    host: Arc<Host>,
}

impl Node {
    pub(in crate::suite) fn old(
        host: &Arc<Host>,
        files: &[(&'static str, String)],
    ) -> Result<Self> {
        let daemon = Daemon::Old(Heartbeat::install(Arc::clone(host), files)?);
        let host = Arc::clone(host);
        Ok(Self { daemon, host })
    }

    pub(in crate::suite) fn new(
        host: &Arc<Host>,
        files: Vec<(&'static str, String)>,
    ) -> Result<Self> {
        let configuration = Configuration::Files(files);
        let programs = Programs::find()?;
        let director = Director::install(Arc::clone(host), &programs, &configuration, VIP)?;
        let host = Arc::clone(host);
        let daemon = Daemon::New(director);
        Ok(Self { daemon, host })
    }

    pub(in crate::suite) fn name(&self) -> &str {
        self.host.name()
    }

    pub(in crate::suite) fn start(&self) -> Result<()> {
        match &self.daemon {
            Daemon::Old(old) => old.start(),
            Daemon::New(new) => new.start(),
        }
    }

    pub(in crate::suite) fn stop(&self) -> Result<()> {
        match &self.daemon {
            Daemon::Old(old) => old.stop(STOP).map(drop),
            Daemon::New(new) => new.stop(),
        }
    }

    pub(in crate::suite) fn power_off(&self) -> Result<()> {
        match &self.daemon {
            Daemon::Old(old) => old.power_off(),
            Daemon::New(new) => new.power_off(),
        }
    }

    /// With its daemon.
    pub(in crate::suite) fn power_on(&self) -> Result<()> {
        match &self.daemon {
            Daemon::Old(old) => old.power_on(),
            Daemon::New(new) => new.power_on(),
        }
    }

    /// Its daemon dies at once; what it ran stays active.
    pub(in crate::suite) fn kill(&self) -> Result<()> {
        match &self.daemon {
            Daemon::Old(old) => old.kill(),
            Daemon::New(_) => {
                wait::until("hbd is gone", STOP, || {
                    self.host.signal("hbd", Signal::KILL) == 0
                })?;
                Ok(())
            }
        }
    }

    /// Reads its files again.
    pub(in crate::suite) fn reload(&self) -> Result<()> {
        match &self.daemon {
            Daemon::Old(_) => self.host.run(&[HEARTBEAT, "-r"]).map(drop),
            Daemon::New(new) => new.hbd(&["reload"]).map(drop),
        }
    }

    /// Does its daemon call this node active?
    pub(in crate::suite) fn sees(&self, other: &str) -> bool {
        match &self.daemon {
            Daemon::Old(old) => old.node_status(other).as_deref() == Some("active"),
            Daemon::New(new) => new.sees(other, NodeStatus::Active),
        }
    }

    pub(in crate::suite) fn host(&self) -> &Host {
        &self.host
    }

    /// The daemon, where it is hbd.
    pub(in crate::suite) fn director(&self) -> Option<&Director> {
        match &self.daemon {
            Daemon::Old(_) => None,
            Daemon::New(new) => Some(new),
        }
    }

    /// Everything that an old daemon logged.
    pub(in crate::suite) fn log(&self) -> String {
        match &self.daemon {
            Daemon::Old(old) => old.log(),
            Daemon::New(_) => String::new(),
        }
    }

    pub(in crate::suite) fn has(&self, address: Ipv4Addr) -> bool {
        self.host.owns(address).is_ok_and(|owns| owns)
    }

    /// What an old daemon complains of.
    pub(in crate::suite) fn complaints(&self) -> Vec<String> {
        match &self.daemon {
            Daemon::Old(old) => old.complaints(),
            Daemon::New(_) => Vec::new(),
        }
    }

    pub(in crate::suite) fn last_words(&self) -> String {
        let words = match &self.daemon {
            Daemon::Old(old) => {
                let log = old.log();
                let lines: Vec<&str> = log.lines().collect();
                let tail = lines.len().saturating_sub(TAIL);
                lines.get(tail..).unwrap_or_default().join("\n")
            }
            Daemon::New(new) => new.last_words(),
        };
        format!("{} said:\n{words}", self.name())
    }
}

/// Two nodes with a group each.
pub(in crate::suite) struct Pair {
    pub(in crate::suite) setup: Setup,
    old: Node,
    new: Node,
}

impl Pair {
    /// Starts nothing yet.
    pub(in crate::suite) fn build(setup: Setup) -> Result<Self> {
        let network = Network::new()?;
        network.segment("lan")?;
        let host = |number: u8| {
            let host = network.host(&format!("lb{number}"));
            let host = host.nic("lan", &[&format!("10.77.0.{number}/24")]);
            Ok::<_, anyhow::Error>(Arc::new(host.power_on()?))
        };
        let [old, new] = match setup.home {
            Place::Old => [1, 2],
            Place::New => [2, 1],
        };
        let files = files(Rules::Legacy);
        Ok(Self {
            setup,
            old: Node::old(&host(old)?, &files)?,
            new: Node::new(&host(new)?, files)?,
        })
    }

    pub(in crate::suite) fn at(&self, place: Place) -> &Node {
        match place {
            Place::Old => &self.old,
            Place::New => &self.new,
        }
    }

    pub(in crate::suite) fn nodes(&self) -> [&Node; 2] {
        [&self.old, &self.new]
    }

    pub(in crate::suite) fn last_words(&self) -> String {
        self.nodes().map(Node::last_words).join("\n")
    }
}

/// `/etc/ha.d` of either node: lb1 is the preferred one.
pub(in crate::suite) fn files(rules: Rules) -> Vec<(&'static str, String)> {
    let failback = rules.failback();
    let ha_cf = format!(
        "logfile /var/log/ha-log\nkeepalive 250ms\nwarntime 2\ndeadtime 5\ninitdead 12\n\
         udpport 694\nbcast eth0\n{failback}node lb1\nnode lb2\n"
    );
    vec![
        ("ha.cf", ha_cf),
        ("haresources", rules.haresources()),
        ("authkeys", "auth 1\n1 sha1 a-key-of-the-lab\n".to_owned()),
    ]
}
