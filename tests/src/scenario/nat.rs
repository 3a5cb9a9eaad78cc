//! Scenario `nat`: two directors that are the real servers' gateway and rewrite addresses.
//!
//! ```text
//!    client .50                                   web1 .11   web2 .12
//!       └──────────┬──────────┐   10.10.0.0/24        │          │
//!              lb1 .1      lb2 .2                     │          │
//!                  └──────────┴───────────────────────┴──────────┘   10.20.0.0/24
//!    outside: VIP .100          inside: gateway .254, both on the active director
//! ```

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Result;

use super::director::{Configuration, Director};
use super::programs::Programs;
use super::site::Site;
use crate::bed::modules;
use crate::bed::network::Network;
use crate::bed::real_server::RealServer;

pub const VIP: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 100);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 254);
pub const PRIMARY: &str = "lb1";
pub const BACKUP: &str = "lb2";
/// The port of the virtual service whose real servers have weights, and listen elsewhere.
pub const WEIGHTED: u16 = 8080;

const HA_CF: &str = "\
node lb1 lb2
bcast eth0
bcast eth1
keepalive 100ms
warntime 500ms
deadtime 1
initdead 10
auto_failback on
logfacility local0
";

const HARESOURCES: &str = "\
lb1 IPaddr::10.20.0.254/24/eth1 IPaddr::10.10.0.100/24/eth0 ldirectord::ldirectord.cf
";

const LDIRECTORD_CF: &str = "\
checkinterval=1
checktimeout=3
quiescent=no
logfile=\"local0\"

virtual=10.10.0.100:80
\treal=10.20.0.11:80 masq
\treal=10.20.0.12:80 masq
\tservice=http
\tchecktype=negotiate
\trequest=\"test.html\"
\treceive=\"Test Page\"
\tscheduler=rr
\tprotocol=tcp

virtual=10.10.0.100:8080
\treal=10.20.0.11:80 masq 3
\treal=10.20.0.12:80 masq 1
\tservice=http
\tchecktype=connect
\tscheduler=wlc
\tprotocol=tcp
";

/// Builds everything and starts hbd on both directors, without waiting for them.
pub fn start(programs: &Programs) -> Result<Site> {
    modules::load("ip_vs")?;
    let network = Network::new()?;
    network.segment("lan")?;
    network.segment("inside")?;
    let files = Configuration::Files(vec![
        ("ha.cf", HA_CF.to_owned()),
        ("haresources", HARESOURCES.to_owned()),
        ("ldirectord.cf", LDIRECTORD_CF.to_owned()),
        ("authkeys", "auth 1\n1 sha1 a-key-of-the-lab\n".to_owned()),
    ]);
    let real = |name: &str, last: u8| {
        let address = format!("10.20.0.{last}/24");
        let host = network.host(name).nic("inside", &[&address]);
        RealServer::start(Arc::new(host.gateway(GATEWAY).power_on()?))
    };
    let reals = vec![real("web1", 11)?, real("web2", 12)?];
    let director = |name: &str, last: u8| {
        let (outside, inside) = (format!("10.10.0.{last}/24"), format!("10.20.0.{last}/24"));
        let host = network
            .host(name)
            .nic("lan", &[&outside])
            .nic("inside", &[&inside])
            .sysctl("net.ipv4.ip_forward", "1")
            .sysctl("net.ipv4.conf.all.send_redirects", "0")
            .sysctl("net.ipv4.conf.default.send_redirects", "0");
        let director = Director::install(Arc::new(host.power_on()?), programs, &files, VIP)?;
        anyhow::Ok(director.resident())
    };
    let client = network.host("client").nic("lan", &["10.10.0.50/24"]);
    let site = Site {
        directors: vec![director(PRIMARY, 1)?, director(BACKUP, 2)?],
        reals,
        client: Arc::new(client.power_on()?),
        vip: VIP,
    };
    for director in &site.directors {
        director.start()?;
    }
    Ok(site)
}
