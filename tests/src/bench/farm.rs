//! A director that checks, on a host of its own, and the servers that it asks, on loopback. The
//! director's table is in memory (`ldird run --dry-run`): IPVS is not in the way.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use ha_status::{DirectorSnapshot, Health, RealServer, Snapshot};
use rustix::process::{Pid, Resource, getrlimit};

use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::swarm::{self, Port, Swarm};
use crate::bed::usage::Usage;
use crate::bed::wait;
use crate::scenario::programs::Programs;
use crate::scenario::status;

/// As the unit file sets it, where we may have so many.
const DESCRIPTORS: u64 = 65_536;
/// Servers of one virtual service.
const PER_SERVICE: usize = 100;
/// Of the director of the usual file.
const SOCKET: &str = "ldird.ldirectord.sock";
const START_LIMIT: Duration = Duration::from_secs(60);

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    Connect,
    /// Any good status.
    HttpStatus,
    /// A word of the page.
    Http,
}

impl Check {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connect => "tcp",
            Self::HttpStatus => "http, status",
            Self::Http => "http",
        }
    }

    fn lines(self) -> &'static str {
        match self {
            Self::Connect => "\tservice=none\n\tchecktype=connect\n",
            Self::HttpStatus => "\tservice=http\n\tchecktype=negotiate\n\trequest=\"index.html\"\n",
            Self::Http => {
                "\tservice=http\n\tchecktype=negotiate\n\trequest=\"index.html\"\n\
                 \treceive=\"Test Page\"\n"
            }
        }
    }
}

/// So many servers at a port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group {
    pub(crate) count: usize,
    pub(crate) port: u16,
}

/// A virtual service and its servers.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) address: Ipv4Addr,
    pub(crate) reals: Vec<(Ipv4Addr, u16)>,
}

/// What one run looks like.
#[derive(Debug, Clone)]
pub(crate) struct Shape<'a> {
    pub(crate) check: Check,
    pub(crate) groups: &'a [Group],
    /// Of checks, seconds.
    pub(crate) interval: u64,
    pub(crate) timeout: u64,
}

impl Shape<'_> {
    /// Shuffled by a stride, so that every service has some of each group.
    fn ports(&self) -> Vec<u16> {
        let groups = self.groups.iter();
        let all: Vec<u16> = groups
            .flat_map(|group| std::iter::repeat_n(group.port, group.count))
            .collect();
        let stride = all.len().div_ceil(PER_SERVICE).max(1);
        let starts = 0..stride;
        starts
            .flat_map(|start| all.iter().skip(start).step_by(stride).copied())
            .collect()
    }

    pub(crate) fn services(&self) -> Vec<Service> {
        let numbered: Vec<(u16, u32)> = self.ports().into_iter().zip(0..).collect();
        let chunks = numbered.chunks(PER_SERVICE).zip(0_u32..);
        let services = chunks.map(|(reals, number)| {
            let [_, _, high, low] = number.to_be_bytes();
            let reals = reals.iter();
            Service {
                address: Ipv4Addr::new(10, 20, high, low),
                reals: reals
                    .map(|(port, number)| (swarm::address(*number), *port))
                    .collect(),
            }
        });
        services.collect()
    }

    /// The file, with the words that every director understands.
    pub(crate) fn file(&self) -> String {
        let Self {
            check,
            interval,
            timeout,
            ..
        } = self;
        let mut text = format!(
            "checkinterval={interval}\nchecktimeout={timeout}\nnegotiatetimeout={timeout}\n\
             autoreload=no\nquiescent=yes\n"
        );
        for service in self.services() {
            let _ = writeln!(text, "virtual={}:80", service.address);
            for (address, port) in service.reals {
                let _ = writeln!(text, "\treal={address}:{port} masq");
            }
            let _ = write!(text, "{}\tscheduler=wlc\n\tprotocol=tcp\n", check.lines());
        }
        text
    }
}

/// The processor for the director; the servers have another one, where there are two.
const DIRECTORS_CORE: usize = 0;

fn servers_core() -> Option<usize> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (cores > 1).then_some(1)
}

/// A host with servers.
pub(crate) struct Farm {
    host: Arc<Host>,
    pub(crate) swarm: Swarm,
    programs: Programs,
}

impl Farm {
    pub(crate) fn new(programs: &Programs, ports: &[Port]) -> Result<Self> {
        let network = Network::new()?;
        let host = Arc::new(network.host("bench").power_on()?);
        swarm::fits(&host)?;
        let swarm = Swarm::start(&host, &programs.lab(), servers_core(), ports)?;
        Ok(Self {
            host,
            swarm,
            programs: programs.clone(),
        })
    }

    /// Starts a director of this shape, on one processor.
    pub(crate) fn direct(&self, shape: &Shape<'_>) -> Result<Running> {
        let folder = self.host.folder();
        fs::write(folder.join("etc/ldirectord.cf"), shape.file())?;
        let log = folder.join("log/ldird.log");
        let log = File::create(log)?;
        let begun = Instant::now();
        let begun_ms = wall_ms();
        let child = self
            .host
            .command("taskset")?
            .args(["-c", &DIRECTORS_CORE.to_string(), "prlimit"])
            .arg(format!("--nofile={0}:{0}", descriptors()))
            .arg(self.programs.path("ldird"))
            .args(["run", "--dry-run"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start ldird")?;
        let mut running = Running {
            child,
            host: Arc::clone(&self.host),
            run: folder.join("run/ldird.dry-run"),
            pid: None,
            begun,
            begun_ms,
        };
        running.pid = Some(running.find()?);
        Ok(running)
    }
}

/// A director that runs. It ends with this value.
pub(crate) struct Running {
    child: Child,
    host: Arc<Host>,
    run: PathBuf,
    pid: Option<Pid>,
    pub(crate) begun: Instant,
    pub(crate) begun_ms: u64,
}

impl Running {
    fn find(&mut self) -> Result<Pid> {
        wait::for_some("ldird answers", START_LIMIT, || {
            if let Some(status) = self.child.try_wait()? {
                bail!("ldird ended at once ({status}): {}", self.last_words());
            }
            let found = self.host.processes("ldird");
            let listens = self.run.join(SOCKET).exists();
            Ok(found.first().filter(|_| listens).map(|found| found.pid()))
        })
    }

    fn last_words(&self) -> String {
        let log = self.host.folder().join("log/ldird.log");
        let log = fs::read_to_string(log).unwrap_or_default();
        log.lines().take(12).collect::<Vec<&str>>().join("\n")
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::of(self.pid.context("it was found")?)
    }

    pub(crate) fn snapshot(&self) -> Result<DirectorSnapshot> {
        match status::snapshot(&self.run, SOCKET)? {
            Snapshot::Director(director) => Ok(director),
            Snapshot::Cluster(_) => bail!("ldird answered as an hbd"),
        }
    }

    /// Waits until all real servers at these ports are in this state; when the last one came there,
    /// milliseconds since 1970.
    pub(crate) fn await_all(&self, ports: &[u16], health: Health, limit: Duration) -> Result<u64> {
        /// Between two looks: each costs a director of ten thousand servers some milliseconds.
        const PACE: Duration = Duration::from_millis(500);
        let end = Instant::now() + limit;
        loop {
            let snapshot = self.snapshot()?;
            let all: Vec<&RealServer> = at_ports(&snapshot, ports).collect();
            let there = all.iter().filter(|real| real.health == health);
            let (count, last) = there.fold((0, 0), |(count, last), real| {
                (count + 1, real.since_ms.max(last))
            });
            if count == all.len() {
                return Ok(last);
            }
            if Instant::now() >= end {
                bail!(
                    "{count} of {} are {health:?} after {} s",
                    all.len(),
                    limit.as_secs()
                );
            }
            std::thread::sleep(PACE);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.host.signal("ldird", rustix::process::Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn at_ports<'a>(
    snapshot: &'a DirectorSnapshot,
    ports: &'a [u16],
) -> impl Iterator<Item = &'a RealServer> {
    let reals = snapshot.services.iter().flat_map(|service| &service.reals);
    reals.filter(|real| {
        let port = real.address.rsplit(':').next();
        let port = port.and_then(|port| port.parse::<u16>().ok());
        port.is_some_and(|port| ports.contains(&port))
    })
}

fn descriptors() -> u64 {
    let most = getrlimit(Resource::Nofile).maximum;
    most.unwrap_or(DESCRIPTORS).min(DESCRIPTORS)
}

pub(crate) fn wall_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

/// How busy the machine is meanwhile: the load averages.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    words.join(" ")
}
