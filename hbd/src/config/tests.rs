//! The configuration as a whole: golden folders, what directives mean, and parsers fed with
//! anything.

#![allow(clippy::unwrap_used)]

mod each;
mod golden;
mod meaning;
mod properties;

use super::host::{Host, InterfaceFault, TtyFault};
use super::{Loaded, Options, load};
use ha_plumbing::Diagnostics;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A machine `lb1` with two interfaces that broadcast and one that does not.
pub(super) struct Machine;

impl Host for Machine {
    fn name(&self) -> String {
        "lb1".to_owned()
    }

    fn broadcast(&self, interface: &str) -> Result<Ipv4Addr, InterfaceFault> {
        match interface {
            "eth0" => Ok(Ipv4Addr::new(10, 0, 0, 255)),
            "eth1" => Ok(Ipv4Addr::new(10, 0, 1, 255)),
            "lo" => Ok(Ipv4Addr::new(127, 255, 255, 255)),
            "tun0" => Err(InterfaceFault::NoBroadcast),
            _ => Err(InterfaceFault::Missing),
        }
    }

    fn has_interface(&self, interface: &str) -> bool {
        matches!(interface, "eth0" | "eth1" | "tun0")
    }

    fn tty(&self, path: &str) -> Result<(), TtyFault> {
        match path {
            "/dev/ttyS0" | "/dev/ttyS1" => Ok(()),
            "/etc/passwd" => Err(TtyFault::NoDevice),
            _ => Err(TtyFault::Missing),
        }
    }

    fn resolve(&self, name: &str) -> Option<Ipv4Addr> {
        match name {
            "lb2.example.com" => Some(Ipv4Addr::new(10, 0, 0, 2)),
            _ => name.parse().ok(),
        }
    }

    fn udp_service(&self, _: &str) -> Option<u16> {
        None
    }
}

/// Loads a copy of the folder in which authkeys has the mode that git does not keep.
fn load_copy(folder: &Path, copy: &Path) -> Result<Loaded, Diagnostics> {
    for name in ["ha.cf", "haresources", "authkeys", "nodeinfo"] {
        let from = folder.join(name);
        if from.exists() {
            let to = copy.join(name);
            fs::copy(from, &to).unwrap();
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
    let options = Options {
        node: None,
        host: &Machine,
    };
    load(copy, options)
}
