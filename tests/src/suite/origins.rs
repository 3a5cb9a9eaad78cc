//! Where ldird's checks come from, and the way they take to a real server.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Result, ensure};

use super::{Case, Place};
use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::real_server::RealServer;
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "checks_come_from_where_the_file_says",
        place: Place::Here,
        run: origins,
    },
    Case {
        name: "who_lacks_the_virtual_address_is_down_on_the_clients_way",
        place: Place::Kernel,
        run: clients_way,
    },
];

const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);

struct Bench {
    director: Arc<Host>,
    real: RealServer,
    /// Serves as it should, and is in the table.
    other: RealServer,
}

impl Bench {
    fn new() -> Result<Self> {
        let network = Network::new()?;
        network.segment("lan")?;
        network.segment("aside")?;
        let director = network.host("lb1");
        let director = director
            .nic("lan", &["10.0.0.1/24", "10.0.0.9/24"])
            .nic("aside", &["10.1.0.1/24"])
            .power_on()?;
        let host = |name, address| network.host(name).nic("lan", &[address]).power_on();
        let director = Arc::new(director);
        fs::create_dir_all(director.folder().join("srv"))?;
        Ok(Self {
            director,
            real: RealServer::start(Arc::new(host("real1", "10.0.0.11/24")?))?,
            other: RealServer::start(Arc::new(host("real2", "10.0.0.12/24")?))?,
        })
    }

    /// What ldird finds of the first real server with these lines in its section.
    fn verdict(&self, method: &str, lines: &str) -> Result<String> {
        let text = format!(
            "checktimeout=2\nnegotiatetimeout=2\nvirtual={VIP}:80\n\treal=10.0.0.11:80 {method}\n{lines}"
        );
        let said = self.plan(&text)?;
        let verdict = said.lines().find(|line| line.starts_with("tcp:"));
        let verdict = verdict.and_then(|line| line.split_once(": "));
        ensure!(verdict.is_some(), "{text}: {said}");
        Ok(verdict.map_or("", |(_, verdict)| verdict).to_owned())
    }

    /// All that ldird says of this file.
    fn plan(&self, text: &str) -> Result<String> {
        fs::write(self.director.folder().join("srv/x.cf"), text)?;
        let ldird = Programs::find()?.path("ldird");
        let mut command = self.director.command(&ldird)?;
        let output = command
            .args(["/srv/x.cf", "plan"])
            .stdin(Stdio::null())
            .output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    /// A director with many servers and one source has as many ports as each of them needs.
    fn one_port_is_enough_for_two_servers(&self) -> Result<()> {
        let range = "sysctl -qw net.ipv4.ip_local_port_range='40000 40000'";
        self.director.sh(range)?;
        let text = format!(
            "virtual={VIP}:80\n\treal=10.0.0.11:80 masq\n\treal=10.0.0.12:80 masq\n\
             {CONNECT}\tchecksource=10.0.0.9\n"
        );
        let said = self.plan(&text)?;
        let up = said.lines().filter(|line| line.contains(": up"));
        ensure!(up.count() == 2, "{text}: {said}");
        Ok(())
    }

    fn expect(&self, method: &str, lines: &str, expected: &[&str]) -> Result<()> {
        let said = self.verdict(method, lines)?;
        let all = expected.iter().all(|part| said.contains(part));
        ensure!(all, "{method}\n{lines}: {said}, not {expected:?}");
        Ok(())
    }
}

const CONNECT: &str = "\tchecktype=connect\n";
const PING: &str = "\tchecktype=ping\n";
const HTTP: &str = "\tservice=http\n\trequest=\"test.html\"\n\treceive=\"Test Page\"\n";

fn origins() -> Result<()> {
    let bench = Bench::new()?;
    let kinds = [CONNECT, PING, HTTP];
    // A rule of the site: what bears this mark has no way.
    bench.director.sh("ip rule add fwmark 7 unreachable")?;
    for kind in kinds {
        bench.expect("masq", kind, &["up"])?;
        bench.expect("masq", &format!("{kind}\tcheckdevice=eth0\n"), &["up"])?;
        bench.expect("masq", &format!("{kind}\tcheckdevice=eth1\n"), &["down"])?;
        bench.expect("masq", &format!("{kind}\tcheckmark=6\n"), &["up"])?;
        bench.expect("masq", &format!("{kind}\tcheckmark=7\n"), &["down"])?;
    }
    // The server answers one of the director's addresses only.
    let real = bench.real.host();
    real.sh("ip route add unreachable 10.0.0.1/32")?;
    for kind in kinds {
        bench.expect("masq", kind, &["down"])?;
        bench.expect("masq", &format!("{kind}\tchecksource=10.0.0.9\n"), &["up"])?;
        let nowhere = format!("{kind}\tchecksource=10.0.0.8\n");
        bench.expect("masq", &nowhere, &["could not be asked", "10.0.0.8"])?;
    }
    bench.one_port_is_enough_for_two_servers()
}

/// The director holds the address, as an active one does, and its table leads to a server that
/// answers for it: neither may be taken for the one that is asked.
fn clients_way() -> Result<()> {
    let bench = Bench::new()?;
    let director = &bench.director;
    bench.other.join_direct_routing(VIP)?;
    director.sh(&format!("ip address add {VIP}/24 dev eth0"))?;
    director.sh(&format!(
        "ipvsadm -A -t {VIP}:80 -s rr && ipvsadm -a -t {VIP}:80 -r 10.0.0.12:80 -g"
    ))?;
    let traces = "ipvsadm -Sn; ip rule; ip route show table all; ip neigh show 10.0.0.100; \
                  sysctl net.ipv4.conf.all net.ipv4.conf.eth0";
    let before = director.sh(traces)?;
    let way = format!("{HTTP}\tcheckpath=vip\n");
    let (lacks, refused) = (
        "no answer on the clients' way, from 10.0.0.100:80: is that address on its lo?",
        "connection refused on the clients' way",
    );
    bench.expect("gate", HTTP, &["up"])?;
    bench.expect("gate", &way, &["down", "200 OK, but", lacks])?;
    // A server of another protocol's port has nobody there.
    let real = bench.real.host();
    let arp = "sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2";
    real.sh(arp)?;
    real.sh(&format!("ip address add {VIP}/32 dev lo"))?;
    bench.expect("gate", &way, &["up", "200 OK"])?;
    let rst = "iptables -A INPUT -p tcp -d 10.0.0.100 -j REJECT --reject-with tcp-reset";
    if real.sh(rst).is_ok() {
        bench.expect("gate", &way, &["down", refused])?;
        real.sh("iptables -F INPUT")?;
    }
    // Through a tunnel: what arrives has to be unwrapped.
    bench.expect("ipip", &way, &["down", lacks])?;
    real.sh("ip link set tunl0 up && sysctl -qw net.ipv4.conf.tunl0.rp_filter=0 net.ipv4.conf.all.rp_filter=0")?;
    bench.expect("ipip", &way, &["up", "200 OK"])?;
    ensure!(director.sh(traces)? == before, "something was left behind");
    Ok(())
}
