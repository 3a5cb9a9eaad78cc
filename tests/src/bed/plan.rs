//! A host before it exists: its cables, its gateway, its kernel settings.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Result, ensure};

use super::host::{Host, Nic};
use super::network::Network;

impl Network {
    /// Describes a host; [`Plan::power_on`] makes it.
    pub fn host(self: &Arc<Self>, name: &str) -> Plan {
        let number = self.next_host();
        Plan {
            network: Arc::clone(self),
            name: name.to_owned(),
            number,
            nics: Vec::new(),
            gateway: None,
            sysctls: Vec::new(),
        }
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
        for nic in &self.nics {
            ensure!(
                self.network.has_segment(&nic.segment),
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
