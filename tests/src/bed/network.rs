//! The lab's network: segments (bridges) in a namespace of their own, and the hosts plugged into them.
//!
//! This namespace has no way out: nothing that runs here can reach the machine's own network.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};

use super::artefacts;
use super::host::{Host, Nic};
use super::netns::Space;

/// A network of the lab. Hosts keep it alive; the last one to go takes it away.
pub struct Network {
    pub(super) switch: Space,
    folder: PathBuf,
    segments: Mutex<Vec<String>>,
    hosts: AtomicU16,
}

/// Several networks may exist in one process, as parallel tests do.
static NETWORKS: AtomicU32 = AtomicU32::new(0);

impl Network {
    /// An empty network. Also removes what lab runs that were killed left on disk.
    pub fn new() -> Result<Arc<Self>> {
        super::remove_leftovers(&hosts_folder(), "");
        let number = NETWORKS.fetch_add(1, Ordering::Relaxed);
        let folder = hosts_folder().join(format!("{}-{number}", std::process::id()));
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let switch = Space::start("switch", None)?;
        Ok(Arc::new(Self {
            switch,
            folder,
            segments: Mutex::default(),
            hosts: AtomicU16::new(0),
        }))
    }

    /// Adds a segment. Its name is a bridge's device name: at most 15 bytes.
    pub fn segment(&self, name: &str) -> Result<()> {
        self.switch.ip(&[
            // No spanning tree: a port forwards at once.
            format!("link add {name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"),
            format!("link set {name} up"),
        ])?;
        self.segments
            .lock()
            .expect("no panic inside")
            .push(name.to_owned());
        Ok(())
    }

    /// Describes a host; [`Plan::power_on`] makes it.
    pub fn host(self: &Arc<Self>, name: &str) -> Plan {
        let number = self.hosts.fetch_add(1, Ordering::Relaxed);
        Plan {
            network: Arc::clone(self),
            name: name.to_owned(),
            number,
            nics: Vec::new(),
            gateway: None,
            sysctls: Vec::new(),
        }
    }

    /// Runs `tc` on the switch, where faults of a cable are made.
    pub(super) fn tc(&self, arguments: &str) -> Result<()> {
        let output = self
            .switch
            .command("tc")
            .args(arguments.split_whitespace())
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "tc {arguments}: {}", said.trim());
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A host to be: its cables and settings.
pub struct Plan {
    network: Arc<Network>,
    name: String,
    number: u16,
    nics: Vec<Nic>,
    gateway: Option<Ipv4Addr>,
    sysctls: Vec<(String, String)>,
}

impl Plan {
    /// Plugs the next device (`eth0`, `eth1`, ...) into `segment`; addresses as `10.0.0.1/24`.
    pub fn nic(mut self, segment: &str, addresses: &[&str]) -> Self {
        let index = self.nics.len();
        self.nics.push(Nic {
            device: format!("eth{index}"),
            port: format!("p{}.{index}", self.number),
            // Locally administered, and the same after a power cycle, as a real card's.
            mac: format!(
                "02:4c:{:02x}:{:02x}:00:{index:02x}",
                self.number >> 8,
                self.number & 0xff
            ),
            segment: segment.to_owned(),
            addresses: addresses.iter().map(ToString::to_string).collect(),
        });
        self
    }

    pub fn gateway(mut self, gateway: Ipv4Addr) -> Self {
        self.gateway = Some(gateway);
        self
    }

    /// A kernel setting, such as `net.ipv4.ip_forward`, set at every power-on.
    pub fn sysctl(mut self, name: &str, value: &str) -> Self {
        self.sysctls.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes the host and switches it on.
    pub fn power_on(self) -> Result<Host> {
        let known = self
            .network
            .segments
            .lock()
            .expect("no panic inside")
            .clone();
        for nic in &self.nics {
            ensure!(
                known.contains(&nic.segment),
                "host {}: no segment {}",
                self.name,
                nic.segment
            );
        }
        let folder = self.network.folder.join(&self.name);
        let host = Host::new(
            self.network,
            self.name,
            folder,
            self.nics,
            self.gateway,
            self.sysctls,
        );
        host.power_on()?;
        Ok(host)
    }
}

fn hosts_folder() -> PathBuf {
    artefacts().join("hosts")
}
