//! Where ldird's checks come from, and the way they take to a real server.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Result, ensure};

use super::{Case, Place};
use crate::bed::host::Host;
use crate::bed::modules;
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
        run: || clients_way(&V4),
    },
    Case {
        name: "who_lacks_the_virtual_address_of_ipv6_is_down_on_the_clients_way",
        place: Place::Kernel,
        run: || clients_way(&V6),
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
        let (one, two) = (
            host("real1", "10.0.0.11/24")?,
            host("real2", "10.0.0.12/24")?,
        );
        // At once, not after a second of looking for others who have the address.
        for (host, last) in [(&*director, 1), (&one, 11), (&two, 12)] {
            host.sh(&format!("ip address add fd00::{last}/64 dev eth0 nodad"))?;
        }
        Ok(Self {
            director,
            real: RealServer::start(Arc::new(one))?,
            other: RealServer::start(Arc::new(two))?,
        })
    }

    /// What ldird finds of the real server of this section.
    fn verdict(&self, section: &str) -> Result<String> {
        let text = format!("checktimeout=2\nnegotiatetimeout=2\n{section}");
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

    /// Of the first real server with these lines in its section.
    fn expect(&self, method: &str, lines: &str, expected: &[&str]) -> Result<()> {
        let section = format!("virtual={VIP}:80\n\treal=10.0.0.11:80 {method}\n{lines}");
        self.expect_of(&section, expected)
    }

    fn expect_of(&self, section: &str, expected: &[&str]) -> Result<()> {
        let said = self.verdict(section)?;
        let all = expected.iter().all(|part| said.contains(part));
        ensure!(all, "{section}: {said}, not {expected:?}");
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

/// What differs between the address families.
struct Family {
    /// The virtual service, its address and how that is written on an interface.
    service: &'static str,
    vip: &'static str,
    prefix: u8,
    lone: u8,
    /// The directives, and the two real servers.
    words: [&'static str; 2],
    reals: [&'static str; 2],
    /// Of the director's own addresses the one to ask from.
    origin: &'static str,
    iptables: &'static str,
    /// Makes the real server answer for nobody else's address, and unwrap what comes in a tunnel.
    silent: &'static str,
    unwrap: &'static str,
}

const V4: Family = Family {
    service: "10.0.0.100:80",
    vip: "10.0.0.100",
    prefix: 24,
    lone: 32,
    words: ["virtual", "real"],
    reals: ["10.0.0.11", "10.0.0.12"],
    origin: "",
    iptables: "iptables",
    silent: "sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2",
    unwrap: "ip link set tunl0 up && \
             sysctl -qw net.ipv4.conf.tunl0.rp_filter=0 net.ipv4.conf.all.rp_filter=0",
};

const V6: Family = Family {
    service: "[fd00::64]:80",
    vip: "fd00::64",
    prefix: 64,
    lone: 128,
    words: ["virtual6", "real6"],
    reals: ["[fd00::11]", "[fd00::12]"],
    // Of two addresses of one network the kernel takes the younger, which is the virtual one.
    origin: "\tchecksource=fd00::1\n",
    iptables: "ip6tables",
    // Neighbours are told of addresses of the interface alone.
    silent: "true",
    unwrap: "ip link set ip6tnl0 up",
};

/// The director holds the address, as an active one does, and its table leads to a server that
/// answers for it: neither may be taken for the one that is asked.
fn clients_way(family: &Family) -> Result<()> {
    let Family {
        service,
        vip,
        prefix,
        lone,
        words: [virtual_word, real_word],
        reals: [one, two],
        origin,
        iptables,
        silent,
        unwrap,
    } = family;
    modules::load_all(&["ip_vs", "ipip", "ip6_tunnel"])?;
    let bench = Bench::new()?;
    let director = &bench.director;
    let (real, other) = (bench.real.host(), bench.other.host());
    for host in [real, other] {
        host.sh(silent)?;
    }
    other.sh(&format!("ip address add {vip}/{lone} dev lo"))?;
    director.sh(&format!("ip address add {vip}/{prefix} dev eth0 nodad"))?;
    director.sh(&format!(
        "ipvsadm -A -t {service} -s rr && ipvsadm -a -t {service} -r {two}:80 -g"
    ))?;
    let traces = format!(
        "ipvsadm -Sn; ip rule; ip route show table all; ip -6 rule; \
         ip -6 route show table all; ip neigh show {vip}; \
         sysctl net.ipv4.conf.all net.ipv4.conf.eth0"
    );
    let before = director.sh(&traces)?;
    let expect = |method: &str, lines: &str, expected: &[&str]| {
        let section = format!("{virtual_word}={service}\n\t{real_word}={one}:80 {method}\n{lines}");
        bench.expect_of(&section, expected)
    };
    let plain = format!("{HTTP}{origin}");
    let way = format!("{plain}\tcheckpath=vip\n");
    let lacks =
        format!("no answer on the clients' way, from {service}: is that address on its lo?");
    let lacks = lacks.as_str();
    expect("gate", &plain, &["up"])?;
    expect("gate", &way, &["down", "200 OK, but", lacks])?;
    real.sh(&format!("ip address add {vip}/{lone} dev lo"))?;
    expect("gate", &way, &["up", "200 OK"])?;
    let rst = format!("{iptables} -A INPUT -p tcp -d {vip} -j REJECT --reject-with tcp-reset");
    if real.sh(&rst).is_ok() {
        let refused = "connection refused on the clients' way";
        expect("gate", &way, &["down", refused])?;
        real.sh(&format!("{iptables} -F INPUT"))?;
    }
    // Through a tunnel: what arrives has to be unwrapped.
    expect("ipip", &way, &["down", lacks])?;
    real.sh(unwrap)?;
    expect("ipip", &way, &["up", "200 OK"])?;
    let after = director.sh(&traces)?;
    ensure!(
        after == before,
        "something was left behind: {after}, not {before}"
    );
    Ok(())
}
