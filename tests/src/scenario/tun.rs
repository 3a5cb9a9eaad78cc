//! Scenario `tun`: tunnels, and directors that are real servers themselves.
//!
//! ```text
//!      client .50     loadbalancer .1   backup .2      web3 .13
//!         └────────────────┴───────────────┴──────────────┘   192.168.136.0/24
//!      VIP .10: on eth0 of the active director; on tunl0 of everybody else
//! ```
//!
//! The VIP stands on tunl0 by each host's own network configuration; `lvs` in haresources turns that
//! real-server role of a director off while it distributes. The clusters of this shape have a serial
//! cable beside the broadcast: heartbeats do not travel over one yet, so here is broadcast alone.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Result;

use super::director::{Configuration, Director};
use super::programs::Programs;
use super::site::Site;
use crate::bed::host::Host;
use crate::bed::modules;
use crate::bed::network::Network;
use crate::bed::real_server::RealServer;

pub const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 136, 10);
pub const PRIMARY: &str = "loadbalancer";
pub const BACKUP: &str = "backup";
pub const PURE: &str = "web3";

const HA_CF: &str = "\
node loadbalancer backup
bcast eth0
keepalive 100ms
warntime 500ms
deadtime 1
initdead 10
auto_failback on
logfacility local0
";

const HARESOURCES: &str = "\
loadbalancer lvs IPaddr::192.168.136.10/24/eth0 ipvsadm ldirectord
";

const LDIRECTORD_CF: &str = "\
checkinterval=1
checktimeout=3
quiescent=no
logfile=\"local0\"

virtual=192.168.136.10:80
\treal=192.168.136.1:80 ipip
\treal=192.168.136.2:80 ipip
\treal=192.168.136.13:80 ipip
\tservice=http
\tchecktype=negotiate
\trequest=\"/test.html\"
\treceive=\"Test Page\"
\tvirtualhost=www.example.org
\tscheduler=rr
\tprotocol=tcp
";

/// Builds everything and starts hbd on both directors, without waiting for them.
pub fn start(programs: &Programs) -> Result<Site> {
    modules::load_all(&["ip_vs", "ipip"])?;
    let network = Network::new()?;
    network.segment("lan")?;
    let files = Configuration::Files(vec![
        ("ha.cf", HA_CF.to_owned()),
        ("haresources", HARESOURCES.to_owned()),
        ("ldirectord.cf", LDIRECTORD_CF.to_owned()),
        ("authkeys", "auth 1\n1 sha1 a-key-of-the-lab\n".to_owned()),
    ]);
    let host = |name: &str, last: u8| {
        let address = format!("192.168.136.{last}/24");
        network
            .host(name)
            .nic("lan", &[&address])
            .power_on()
            .map(Arc::new)
    };
    let (mut directors, mut reals) = (Vec::new(), Vec::new());
    for (name, last) in [(PRIMARY, 1), (BACKUP, 2), (PURE, 13)] {
        let host = host(name, last)?;
        configure_network(&host)?;
        reals.push(RealServer::start(Arc::clone(&host))?);
        if name != PURE {
            directors.push(Director::install(host, programs, &files, VIP)?.resident());
        }
    }
    let site = Site {
        directors,
        reals,
        client: host("client", 50)?,
        vip: VIP,
    };
    for director in &site.directors {
        director.start()?;
    }
    Ok(site)
}

/// What a real server behind tunnels has in its network configuration; gone after a loss of power.
pub fn configure_network(host: &Host) -> Result<()> {
    host.sysctl(&[
        ("net.ipv4.conf.all.arp_ignore", "1"),
        ("net.ipv4.conf.all.arp_announce", "2"),
        ("net.ipv4.conf.all.rp_filter", "0"),
        ("net.ipv4.conf.tunl0.rp_filter", "0"),
    ])?;
    host.sh(&format!(
        "ip address add {VIP}/32 dev tunl0; ip link set dev tunl0 up"
    ))
    .map(drop)
}

/// Is the host a real server behind a tunnel now?
pub fn is_real_server(host: &Host) -> bool {
    let shown = host.sh("ip -o link show dev tunl0 up");
    shown.is_ok_and(|shown| !shown.trim().is_empty())
}
