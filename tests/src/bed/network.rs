//! The lab's network: segments (bridges) in a namespace of their own, and the hosts plugged into them.
//!
//! This namespace has no way out: nothing that runs here can reach the machine's own network.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};

use super::artefacts;
use super::netns::Space;

/// A network of the lab. Hosts keep it alive; the last one to go takes it away.
pub struct Network {
    pub(super) switch: Space,
    pub(super) folder: PathBuf,
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

    /// A number for the next host, which names its ports and cards.
    pub(super) fn next_host(&self) -> u16 {
        self.hosts.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn has_segment(&self, name: &str) -> bool {
        let segments = self.segments.lock().expect("no panic inside");
        segments.iter().any(|segment| segment == name)
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

fn hosts_folder() -> PathBuf {
    artefacts().join("hosts")
}
