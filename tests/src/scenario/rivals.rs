//! One pair of directors in three makes: hbd with ldird, the old Heartbeat with ldirectord, and
//! keepalived, each with the same address, real servers, checks and time to notice a death.
//!
//! ```text
//!          client .50      lb1 .1   lb2 .2      web1 .11  web2 .12
//!             └───────────────┴────────┴───────────┴─────────┘   10.10.0.0/24
//!                        VIP .100 on the active director; on lo of each web
//! ```

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ha_status::{Health, NodeStatus, Timing};
use rustix::process::Signal;

use super::director::{Configuration, Director};
use super::programs::Programs;
use super::table::Table;
use crate::bed::downloads::{self, Download};
use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::peers::Heartbeat;
use crate::bed::real_server::RealServer;
use crate::bed::{modules, wait};

pub const VIP: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 100);
pub const WEB: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(VIP), 80);
/// A daemon ends; the old director takes its time.
const STOP_LIMIT: Duration = Duration::from_secs(60);

const HA_CF: &str = "\
logfile /var/log/ha-log
node lb1
node lb2
udpport 694
bcast eth0
keepalive 100ms
warntime 500ms
deadtime 1
initdead 10
auto_failback on
";

const HARESOURCES: &str = "lb1 IPaddr::10.10.0.100/24/eth0 ldirectord::ldirectord.cf\n";

const LDIRECTORD_CF: &str = "\
checkinterval=1
checktimeout=3
quiescent=no

virtual=10.10.0.100:80
\treal=10.10.0.11:80 gate
\treal=10.10.0.12:80 gate
\tservice=http
\tchecktype=negotiate
\trequest=\"test.html\"
\treceive=\"Test Page\"
\tscheduler=rr
\tprotocol=tcp
";

const STANDBYTABLE: &str = "standbytable=yes\n";
const SYNCDAEMON: &str = "syncdaemon=eth0\nsyncid=7\n";

/// Whose programs they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    Ours {
        /// Its table is in the kernel on standby, too, as keepalived's always is.
        standbytable: bool,
        /// The kernels tell each other of established connections.
        syncdaemon: bool,
    },
    /// heartbeat 3.0.6 and ldirectord 4.12.
    Old,
    /// With this time between two adverts, in milliseconds.
    Keepalived { advert_ms: u32 },
}

/// One of the two directors.
enum Node {
    Ours(Director),
    Old(Heartbeat, Arc<Host>),
    Keepalived(Keepalived),
}

/// The cluster. Dropping it ends it.
pub struct Rivals {
    nodes: [Node; 2],
    _reals: [RealServer; 2],
    client: Arc<Host>,
}

impl Rivals {
    /// Builds everything, with every daemon started and nothing waited for.
    pub fn start(make: Make, programs: &Programs) -> Result<Self> {
        modules::load("ip_vs")?;
        let network = Network::new()?;
        network.segment("lan")?;
        let host = |name: &str, last: u8| {
            let address = format!("10.10.0.{last}/24");
            let host = network.host(name).nic("lan", &[&address]);
            host.power_on().map(Arc::new)
        };
        let real = |name: &str, last: u8| {
            let real = RealServer::start(host(name, last)?)?;
            real.join_direct_routing(VIP)?;
            downloads::offer(&real)?;
            anyhow::Ok(real)
        };
        let reals = [real("web1", 11)?, real("web2", 12)?];
        let client = host("client", 50)?;
        let (one, two) = (host("lb1", 1)?, host("lb2", 2)?);
        let rivals = Self {
            nodes: [
                Node::install(make, one, 150, programs)?,
                Node::install(make, two, 100, programs)?,
            ],
            _reals: reals,
            client,
        };
        for node in &rivals.nodes {
            node.start()?;
        }
        Ok(rivals)
    }

    pub fn client(&self) -> &Arc<Host> {
        &self.client
    }

    pub fn host(&self, node: usize) -> &Host {
        self.nodes[node].host()
    }

    /// Runs `hbd` with these arguments on a director of ours.
    pub fn command(&self, node: usize, arguments: &[&str]) -> Result<()> {
        match &self.nodes[node] {
            Node::Ours(director) => director.hbd(arguments).map(drop),
            Node::Old(..) | Node::Keepalived(_) => bail!("it has no hbd"),
        }
    }

    /// Waits until lb1 alone has the address, and lb2 could take it at any moment.
    pub fn await_ready(&self, limit: Duration) -> Result<()> {
        self.await_holder(0, limit)?;
        self.await_met(limit)
    }

    /// Waits until either could take the address at any moment.
    pub fn await_met(&self, limit: Duration) -> Result<()> {
        slowly("both directors are ready", limit, || {
            self.nodes.iter().all(Node::is_ready)
        })
        .with_context(|| self.last_words())
    }

    /// Begins so many downloads, and waits until this node's kernel has heard of each.
    pub fn begin_downloads(
        &self,
        count: usize,
        heir: usize,
        limit: Duration,
    ) -> Result<Vec<Download>> {
        let begun = Download::begin(&self.client, WEB, count)?;
        let heir = self.nodes[heir].host();
        slowly(
            &format!("{} knows the downloads", heir.name()),
            limit,
            || Download::are_known(heir, &begun).unwrap_or(false),
        )?;
        Ok(begun)
    }

    /// Waits until this node has the address, and the other one has not.
    pub fn await_holder(&self, node: usize, limit: Duration) -> Result<()> {
        slowly(
            &format!("lb{} alone has the address", node + 1),
            limit,
            || {
                let nodes = self.nodes.iter().enumerate();
                let mut held = nodes.map(|(index, one)| (index == node) == has_address(one.host()));
                held.all(|right| right)
            },
        )
        .with_context(|| self.last_words())
    }

    /// Where the time went until this node had the address, as far as its make says so.
    pub fn timing(&self, node: usize) -> Option<Timing> {
        match self.nodes.get(node)? {
            Node::Ours(director) => director.timing().ok()?,
            Node::Old(..) | Node::Keepalived(_) => None,
        }
    }

    /// The preferred director's daemons end in order, as its unit's stop ends them.
    pub fn stop(&self) -> Result<()> {
        self.primary().stop()
    }

    /// They start again.
    pub fn begin(&self) -> Result<()> {
        self.primary().start()
    }

    /// The preferred director loses its power.
    pub fn power_off(&self) -> Result<()> {
        match self.primary() {
            Node::Ours(director) => director.power_off(),
            node @ (Node::Old(..) | Node::Keepalived(_)) => node.host().power_off(),
        }
    }

    fn primary(&self) -> &Node {
        &self.nodes[0]
    }

    pub fn last_words(&self) -> String {
        let words = self.nodes.iter().map(|node| {
            let words = match node {
                Node::Ours(director) => director.last_words(),
                Node::Old(heartbeat, _) => tail(&heartbeat.log()),
                Node::Keepalived(keepalived) => keepalived.last_words(),
            };
            format!("{} said:\n{words}", node.host().name())
        });
        words.collect::<Vec<_>>().join("\n")
    }
}

impl Node {
    fn install(make: Make, host: Arc<Host>, priority: u8, programs: &Programs) -> Result<Self> {
        let files = || {
            vec![
                ("ha.cf", HA_CF.to_owned()),
                ("haresources", HARESOURCES.to_owned()),
                ("ldirectord.cf", LDIRECTORD_CF.to_owned()),
                ("authkeys", "auth 1\n1 sha1 a-key-of-the-lab\n".to_owned()),
            ]
        };
        Ok(match make {
            Make::Ours {
                standbytable,
                syncdaemon,
            } => {
                let mut files = files();
                let options = [(standbytable, STANDBYTABLE), (syncdaemon, SYNCDAEMON)];
                let options = options.into_iter().filter(|(wanted, _)| *wanted);
                let options: String = options.map(|(_, line)| line).collect();
                let cf = format!("{options}{LDIRECTORD_CF}");
                files.retain(|(name, _)| *name != "ldirectord.cf");
                files.push(("ldirectord.cf", cf));
                let files = Configuration::Files(files);
                Self::Ours(Director::install(host, programs, &files, VIP)?.resident())
            }
            Make::Old => {
                let heartbeat = Heartbeat::install(Arc::clone(&host), &files())?;
                Self::Old(heartbeat, host)
            }
            Make::Keepalived { advert_ms } => {
                Self::Keepalived(Keepalived::install(host, priority, advert_ms)?)
            }
        })
    }

    fn host(&self) -> &Host {
        match self {
            Self::Ours(director) => director.host(),
            Self::Old(_, host) => host,
            Self::Keepalived(keepalived) => &keepalived.host,
        }
    }

    fn start(&self) -> Result<()> {
        match self {
            Self::Ours(director) => director.start(),
            Self::Old(heartbeat, _) => heartbeat.start(),
            Self::Keepalived(keepalived) => keepalived.start(),
        }
    }

    fn stop(&self) -> Result<()> {
        match self {
            Self::Ours(director) => director.stop(),
            Self::Old(heartbeat, _) => heartbeat.stop(STOP_LIMIT).map(drop),
            Self::Keepalived(keepalived) => keepalived.stop(),
        }
    }

    /// It has met the other one and knows, as far as it is of a make that does, who is well.
    fn is_ready(&self) -> bool {
        let peer = if self.host().name() == "lb1" {
            "lb2"
        } else {
            "lb1"
        };
        match self {
            Self::Ours(director) => {
                let well = director.balancing().is_ok_and(|shown| {
                    let mut reals = shown.services.iter().flat_map(|service| &service.reals);
                    reals.all(|real| real.health == Health::Up)
                });
                well && director.sees(peer, NodeStatus::Active)
            }
            Self::Old(heartbeat, _) => heartbeat.node_status(peer).as_deref() == Some("active"),
            Self::Keepalived(keepalived) => {
                let table = Table::of(&keepalived.host);
                table.is_ok_and(|table| table.0.values().any(|one| one.destinations.len() == 2))
            }
        }
    }
}

/// keepalived on a host, with its address and its virtual server.
struct Keepalived {
    host: Arc<Host>,
    child: Mutex<Option<Child>>,
}

impl Keepalived {
    fn install(host: Arc<Host>, priority: u8, advert_ms: u32) -> Result<Self> {
        let text = keepalived_conf(host.name(), priority, advert_ms);
        let keepalived = Self {
            host,
            child: Mutex::default(),
        };
        fs::write(keepalived.folder("etc/keepalived.conf"), text)?;
        Ok(keepalived)
    }

    fn folder(&self, path: &str) -> std::path::PathBuf {
        self.host.folder().join(path)
    }

    fn start(&self) -> Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder("log/keepalived.log"))?;
        let child = self
            .host
            .command("keepalived")?
            .args([
                "--dont-fork",
                "--log-console",
                "--use-file",
                "/etc/ha.d/keepalived.conf",
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{}: cannot start keepalived", self.host.name()))?;
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        Ok(())
    }

    /// As its unit stops it: the first process, which ends the others.
    fn stop(&self) -> Result<()> {
        let processes = self.host.processes("keepalived");
        let first = processes.first().context("keepalived does not run")?;
        first.signal(Signal::TERM);
        slowly("keepalived ends", STOP_LIMIT, || {
            self.host.processes("keepalived").is_empty()
        })?;
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut child) = child.take() {
            child.wait()?;
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        tail(&fs::read_to_string(self.folder("log/keepalived.log")).unwrap_or_default())
    }
}

impl Drop for Keepalived {
    fn drop(&mut self) {
        let _ = self.host.power_off();
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut child) = child.take() {
            let _ = child.wait();
        }
    }
}

fn keepalived_conf(name: &str, priority: u8, advert_ms: u32) -> String {
    let advert = f64::from(advert_ms) / 1000.0;
    let real = |last: u8| {
        format!(
            "  real_server 10.10.0.{last} 80 {{\n    weight 1\n    HTTP_GET {{\n      url {{\n        \
             path /test.html\n        status_code 200\n      }}\n      connect_timeout 3\n    }}\n  }}\n"
        )
    };
    format!(
        "global_defs {{\n  router_id {name}\n  vrrp_version 3\n}}\n\
         vrrp_instance web {{\n  state BACKUP\n  interface eth0\n  virtual_router_id 51\n  \
         priority {priority}\n  advert_int {advert}\n  virtual_ipaddress {{\n    {VIP}/24 dev eth0\n  }}\n}}\n\
         virtual_server {VIP} 80 {{\n  delay_loop 1\n  lb_algo rr\n  lb_kind DR\n  protocol TCP\n\
         {}{}}}\n",
        real(11),
        real(12)
    )
}

/// Is the address on this host? Asked of its kernel without a program, which would cost the machine
/// more than what is measured.
fn has_address(host: &Host) -> bool {
    host.is_on() && host.within(|| Ok(UdpSocket::bind((VIP, 0))?)).is_ok()
}

/// As [`wait::until`], but looked for rarely: the machine has other things to do meanwhile.
fn slowly(what: &str, limit: Duration, mut check: impl FnMut() -> bool) -> Result<()> {
    const LOOK_EVERY: Duration = Duration::from_millis(200);
    wait::until(what, limit, || {
        std::thread::sleep(LOOK_EVERY);
        check()
    })?;
    Ok(())
}

fn tail(text: &str) -> String {
    const LINES: usize = 12;
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}
