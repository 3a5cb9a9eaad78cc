//! Where a shadow listens: whose files it reads, on which of the cluster's machines it runs, if on any,
//! and which of the media can be heard.

use crate::cli::Common;
use crate::config::host::{InterfaceFault, TtyFault};
use crate::config::{self, Host, Life, Loaded, MediumSpec, Options, ThisHost};
use ha_plumbing::Diagnostics;
use ha_plumbing::wall::Wall;
use hbd_core::config::{Config, NodeName};
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

pub(super) struct Site {
    pub(super) etc: PathBuf,
    /// The files as they are.
    pub(super) files: Loaded,
    /// The same without the media that cannot be heard, and without ping nodes, who are never asked.
    pub(super) loaded: Loaded,
    /// The node whose live daemon is on this machine.
    pub(super) beside: Option<NodeName>,
    /// What the listener calls itself.
    pub(super) name: String,
    /// Serial lines.
    pub(super) lines: Vec<String>,
}

impl Site {
    pub(super) fn load(common: &Common) -> Result<Self, Diagnostics> {
        let files = load(&common.etc)?;
        let mut loaded = files.clone();
        let line = |medium: &MediumSpec| matches!(medium, MediumSpec::Serial { .. });
        let lines = files.media.iter().filter(|medium| line(medium));
        let lines = lines.map(|medium| medium.device().to_owned()).collect();
        loaded.media.retain(|medium| !line(medium));
        loaded.pings.clear();
        let own = common.node.clone().or_else(|| nodeinfo(&common.etc));
        let own = NodeName::new(&own.unwrap_or_else(|| ThisHost.name()));
        let beside = own.filter(|own| files.nodes.contains(own));
        let name = match &beside {
            Some(node) => format!("{node} (shadow)"),
            None => "(shadow)".to_owned(),
        };
        Ok(Self {
            etc: common.etc.clone(),
            files,
            loaded,
            beside,
            name,
            lines,
        })
    }

    /// For the core; an identity means nothing to it.
    pub(super) fn core_config(&self, wall: Wall) -> Config {
        self.loaded.core_config(Life {
            uuid: [0; 16],
            generation: 0,
            seed: 0,
            wall,
        })
    }
}

/// The files of a cluster to which this machine need not belong.
pub(super) fn load(etc: &Path) -> Result<Loaded, Diagnostics> {
    let options = Options {
        node: None,
        host: &Onlooker,
    };
    config::load(etc, options)
}

/// The first line of `nodeinfo`, as the daemon reads it.
fn nodeinfo(etc: &Path) -> Option<String> {
    let text = fs::read_to_string(etc.join("nodeinfo")).ok()?;
    Some(text.split_once('\n')?.0.trim().to_owned())
}

/// This machine, which may be none of the cluster's and opens no serial line.
#[derive(Debug, Clone, Copy)]
struct Onlooker;

impl Host for Onlooker {
    fn name(&self) -> String {
        ThisHost.name()
    }

    fn broadcast(&self, interface: &str) -> Result<Ipv4Addr, InterfaceFault> {
        match ThisHost.broadcast(interface) {
            // Who only listens needs no address.
            Err(InterfaceFault::NoBroadcast) => Ok(Ipv4Addr::BROADCAST),
            found => found,
        }
    }

    fn has_interface(&self, interface: &str) -> bool {
        ThisHost.has_interface(interface)
    }

    fn tty(&self, _: &str) -> Result<(), TtyFault> {
        Ok(())
    }

    fn resolve(&self, name: &str) -> Option<Ipv4Addr> {
        ThisHost.resolve(name)
    }

    fn udp_service(&self, name: &str) -> Option<u16> {
        ThisHost.udp_service(name)
    }

    fn is_elsewhere(&self) -> bool {
        true
    }
}
