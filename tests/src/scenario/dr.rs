//! Scenario `dr`: two directors, three real servers that answer the client by themselves, one client.
//!
//! ```text
//!          client .50      lb1 .1   lb2 .2      web1 .11  web2 .12  web3 .13
//!             └───────────────┴────────┴───────────┴─────────┴─────────┘   10.10.0.0/24
//!                        VIP .100 on the active director; on lo of each web
//! ```

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::director::{Configuration, Director};
use super::programs::Programs;
use super::site;
use super::table::Table;
use crate::bed::client::{self, Page, Tally};
use crate::bed::host::Host;
use crate::bed::modules;
use crate::bed::network::Network;
use crate::bed::real_server::{RealServer, Service};
use crate::bed::wait;

/// The address that the directors move.
pub const VIP: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 100);
/// The node that haresources prefers.
pub const PRIMARY: &str = "lb1";
const DIRECTORS: [(&str, u8); 2] = [("lb1", 1), ("lb2", 2)];
const REALS: [(&str, u8); 3] = [("web1", 11), ("web2", 12), ("web3", 13)];
const CLIENT: u8 = 50;
const LAN: &str = "lan";

/// The whole cluster. Dropping it ends it.
pub struct DirectRouting {
    directors: Vec<Director>,
    reals: Vec<RealServer>,
    client: Arc<Host>,
}

impl DirectRouting {
    /// Builds everything and starts hbd on both directors, without waiting for them.
    pub fn start(programs: &Programs) -> Result<Self> {
        modules::load("ip_vs")?;
        let network = Network::new()?;
        network.segment(LAN)?;
        let client = Arc::new(host(&network, "client", CLIENT)?);
        let reals = start_reals(&network)?;
        let directors = DIRECTORS.map(|(name, last)| {
            let host = Arc::new(director_host(&network, name, last)?);
            Director::install(host, programs, &Configuration::Samples, VIP).map(Director::resident)
        });
        let cluster = Self {
            directors: directors.into_iter().collect::<Result<_>>()?,
            reals,
            client,
        };
        for director in &cluster.directors {
            director.start()?;
        }
        Ok(cluster)
    }

    pub fn directors(&self) -> &[Director] {
        &self.directors
    }

    pub fn reals(&self) -> &[RealServer] {
        &self.reals
    }

    pub fn client(&self) -> &Arc<Host> {
        &self.client
    }

    /// Every host by its name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        let directors = self.directors.iter().map(Director::host);
        let reals = self.reals.iter().map(RealServer::host);
        let mut hosts = directors.chain(reals).chain([&*self.client]);
        hosts.find(|host| host.name() == name)
    }

    pub fn director(&self, name: &str) -> Result<&Director> {
        let mut directors = self.directors.iter();
        let found = directors.find(|director| director.name() == name);
        found.with_context(|| format!("there is no director {name}"))
    }

    /// The director that runs the group. With two of them (after a cut), the preferred one.
    pub fn active(&self) -> Option<&Director> {
        self.directors.iter().find(|director| director.serves())
    }

    /// Waits until `name` runs the group, nobody else does, and each living director sees the other.
    pub fn await_owner(&self, name: &str, limit: Duration) -> Result<Duration> {
        site::await_owner(&self.directors, name, limit)
    }

    /// One request to the virtual service.
    pub fn get(&self, path: &str) -> Result<Page> {
        client::get(&self.client, web(), path)
    }

    /// Waits for the virtual service's answer to a request.
    pub fn await_answer(&self, path: &str, limit: Duration) -> Result<Page> {
        site::await_answer(limit, || self.get(path))
    }

    /// Logs in over FTP through the virtual service and gives the real server's name.
    pub fn ftp(&self) -> Result<String> {
        client::ftp_greeting(&self.client, SocketAddr::from((VIP, Service::Ftp.port())))
    }

    /// So many requests, `parallel` at a time.
    pub fn load(&self, requests: usize, parallel: usize, limit: Duration) -> Result<Tally> {
        client::load(&self.client, web(), "/", requests, parallel, limit)
    }

    /// Waits until the kernel of `director` balances the web over exactly these real servers.
    pub fn await_balanced(
        &self,
        director: &Director,
        names: &[&str],
        limit: Duration,
    ) -> Result<Duration> {
        let wanted: Vec<String> = REALS
            .iter()
            .filter(|(name, _)| names.contains(name))
            .map(|(_, last)| real_address(*last, Service::Http))
            .collect();
        let what = format!("{} balances over {}", director.name(), names.join(", "));
        wait::until(&what, limit, || {
            Table::of(director.host()).is_ok_and(|table| {
                let service = table.0.get(&web_service());
                service.is_some_and(|service| {
                    let used = service.destinations.iter();
                    let used = used.filter(|(_, destination)| destination.weight > 0);
                    used.map(|(address, _)| address).eq(wanted.iter())
                })
            })
        })
    }
}

/// `10.10.0.100:80`, as the kernel prints it.
pub fn web() -> SocketAddr {
    SocketAddr::from((VIP, Service::Http.port()))
}

/// `tcp:10.10.0.100:80`, as ldird names it.
pub fn web_service() -> String {
    format!("tcp:{}", web())
}

/// The names of all real servers.
pub fn real_names() -> [&'static str; 3] {
    REALS.map(|(name, _)| name)
}

/// Where a real server's service is, such as `10.10.0.11:80`.
pub fn address_of(real: &RealServer, service: Service) -> Option<String> {
    let mut known = REALS.iter();
    let (_, last) = known.find(|(name, _)| *name == real.host().name())?;
    Some(real_address(*last, service))
}

fn real_address(last: u8, service: Service) -> String {
    format!("10.10.0.{last}:{}", service.port())
}

fn host(network: &Arc<Network>, name: &str, last: u8) -> Result<Host> {
    network
        .host(name)
        .nic(LAN, &[&format!("10.10.0.{last}/24")])
        .power_on()
}

/// Without these settings a client whose port comes round again while the kernel still remembers its
/// last connection, to a server that has left since, is not answered for two minutes (ha.d/README.md).
fn director_host(network: &Arc<Network>, name: &str, last: u8) -> Result<Host> {
    network
        .host(name)
        .nic(LAN, &[&format!("10.10.0.{last}/24")])
        .sysctl("net.ipv4.vs.expire_nodest_conn", "1")
        .sysctl("net.ipv4.vs.conn_reuse_mode", "3")
        .power_on()
}

/// All at once: their start is most of the time that building takes.
fn start_reals(network: &Arc<Network>) -> Result<Vec<RealServer>> {
    thread::scope(|scope| {
        let starting = REALS.map(|(name, last)| {
            scope.spawn(move || {
                let real = RealServer::start(Arc::new(host(network, name, last)?))?;
                real.join_direct_routing(VIP)?;
                Ok(real)
            })
        });
        let started = starting.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        started.collect()
    })
}
