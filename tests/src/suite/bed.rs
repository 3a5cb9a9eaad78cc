//! The bed itself: if one of these fails, no other case says anything about the daemons.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Case, Place};
use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::probe::{Probe, start_echo};
use crate::bed::real_server::{RealServer, Service};
use crate::bed::{client, vm, wait};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "bed_host_has_its_own_identity",
        place: Place::Here,
        run: identity,
    },
    Case {
        name: "bed_orphans_are_reaped",
        place: Place::Here,
        run: orphans,
    },
    Case {
        name: "bed_real_server_answers_and_stops",
        place: Place::Here,
        run: real_server,
    },
    Case {
        name: "bed_probe_sees_a_power_loss",
        place: Place::Here,
        run: power_loss,
    },
    Case {
        name: "bed_cable_is_cut_and_joined",
        place: Place::Here,
        run: cable,
    },
    Case {
        name: "bed_one_way_cut_silences_one_way",
        place: Place::Kernel,
        run: one_way,
    },
    Case {
        name: "bed_null_modem_carries_bytes",
        place: Place::Kernel,
        run: null_modem,
    },
    Case {
        name: "bed_kernel_balances_direct_routing",
        place: Place::Kernel,
        run: direct_routing,
    },
];

const LIMIT: Duration = Duration::from_secs(20);
const VIRTUAL: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);

/// Two hosts, `one` and `two`, at 10.77.0.1 and .2 on one segment.
fn pair() -> Result<(Arc<Network>, Host, Host)> {
    let network = Network::new()?;
    network.segment("lan")?;
    let one = network
        .host("one")
        .nic("lan", &["10.77.0.1/24"])
        .power_on()?;
    let two = network
        .host("two")
        .nic("lan", &["10.77.0.2/24"])
        .power_on()?;
    Ok((network, one, two))
}

fn reaches(from: &Host, address: &str) -> bool {
    from.run(&["ping", "-c", "1", "-W", "1", address]).is_ok()
}

fn identity() -> Result<()> {
    let (_network, one, two) = pair()?;
    ensure!(one.sh("uname -n")?.trim() == "one", "host name");
    ensure!(
        one.sh("cat /proc/1/comm")?.trim() == "lab",
        "process 1 is ours"
    );
    one.sh("echo kept > /var/lib/heartbeat/disk; echo lost > /run/memory")?;
    ensure!(
        two.sh("cat /var/lib/heartbeat/disk").is_err(),
        "disks are private"
    );
    one.power_off()?;
    one.power_on()?;
    ensure!(
        one.sh("cat /var/lib/heartbeat/disk")?.trim() == "kept",
        "a disk survives"
    );
    ensure!(one.sh("cat /run/memory").is_err(), "/run does not survive");
    ensure!(reaches(&two, "10.77.0.1"), "cables come back");
    Ok(())
}

fn orphans() -> Result<()> {
    let (_network, one, _two) = pair()?;
    one.sh("(sleep 0.05 &) ; :")?;
    wait::until("the orphan runs", LIMIT, || {
        one.processes("sleep").is_empty()
    })?;
    let zombies = one.sh("grep -l '^State:.Z' /proc/[0-9]*/status || true")?;
    ensure!(zombies.is_empty(), "zombies: {zombies}");
    Ok(())
}

fn real_server() -> Result<()> {
    let (_network, one, two) = pair()?;
    let server = RealServer::start(Arc::new(one))?;
    let http = SocketAddr::from(([10, 77, 0, 1], Service::Http.port()));
    let ftp = SocketAddr::from(([10, 77, 0, 1], Service::Ftp.port()));
    let page = client::get(&two, http, "/test.html")?;
    ensure!(
        page.status == 200 && page.body == "one Test Page\n",
        "{page:?}"
    );
    ensure!(
        client::ftp_greeting(&two, ftp)? == "one",
        "the greeting names the server"
    );
    server.stop(Service::Http)?;
    ensure!(
        client::get(&two, http, "/").is_err(),
        "stopped, and yet it answers"
    );
    ensure!(
        client::ftp_greeting(&two, ftp).is_ok(),
        "only the web server was stopped"
    );
    server.start_and_await(Service::Http)?;
    ensure!(client::get(&two, http, "/")?.status == 200, "started again");
    Ok(())
}

fn power_loss() -> Result<()> {
    let (network, one, two) = pair()?;
    let asker = network
        .host("asker")
        .nic("lan", &["10.77.0.9/24"])
        .power_on()?;
    for host in [&one, &two] {
        start_echo(host, VIRTUAL)?;
    }
    one.run(&["ip", "address", "add", "10.77.0.100/24", "dev", "eth0"])?;
    let probe = Probe::start(&asker, VIRTUAL, Duration::from_millis(1))?;
    probe.await_answer("one", Instant::now(), LIMIT)?;
    let crash = Instant::now();
    one.power_off()?;
    ensure!(
        !one.is_on() && one.processes("lab").is_empty(),
        "something survived"
    );
    two.run(&["ip", "address", "add", "10.77.0.100/24", "dev", "eth0"])?;
    two.run(&["arping", "-q", "-c", "1", "-U", "-I", "eth0", "10.77.0.100"])?;
    probe.await_answer("two", crash, LIMIT)?;
    let gap = probe.longest_gap(crash);
    let sides = (gap.before.as_deref(), gap.after.as_deref());
    ensure!(sides == (Some("one"), Some("two")), "{gap:?}");
    Ok(())
}

fn cable() -> Result<()> {
    let (_network, one, two) = pair()?;
    ensure!(reaches(&one, "10.77.0.2"), "joined at first");
    two.cut()?;
    ensure!(!reaches(&one, "10.77.0.2"), "cut, and yet it answers");
    two.join()?;
    ensure!(reaches(&one, "10.77.0.2"), "joined again");
    two.sh("sleep 1000 > /dev/null 2>&1 &")?;
    ensure!(two.freeze("sleep") == 1, "one process to freeze");
    ensure!(
        two.sh("grep State /proc/$(pidof sleep)/status")?
            .contains("stopped"),
        "frozen"
    );
    Ok(())
}

fn one_way() -> Result<()> {
    let (_network, one, two) = pair()?;
    start_echo(&two, Ipv4Addr::new(10, 77, 0, 2))?;
    let probe = Probe::start(&one, Ipv4Addr::new(10, 77, 0, 2), Duration::from_millis(5))?;
    probe.await_answer("two", Instant::now(), LIMIT)?;
    let received = |host: &Host| -> Result<u64> {
        Ok(host
            .sh("cat /sys/class/net/eth0/statistics/rx_packets")?
            .trim()
            .parse()?)
    };
    two.mute("eth0")?;
    let (heard, arrived) = (probe.answers().len(), received(&two)?);
    wait::for_some("the muted host still hears", LIMIT, || {
        Ok((received(&two)? > arrived + 5).then_some(()))
    })?;
    ensure!(probe.answers().len() <= heard + 1, "a muted host was heard");
    two.heal("eth0")?;
    probe.await_answer("two", Instant::now(), LIMIT)?;
    two.deafen("eth0")?;
    let (arrived, asked) = (received(&two)?, received(&one)?);
    two.sh("arping -q -c 3 -A -I eth0 10.77.0.2 || true")?;
    wait::for_some("the deaf host is heard", LIMIT, || {
        Ok((received(&one)? > asked).then_some(()))
    })?;
    ensure!(received(&two)? <= arrived + 1, "a deaf host heard");
    Ok(())
}

fn null_modem() -> Result<()> {
    let [near, far] = vm::CABLE;
    for end in [near, far] {
        let set = std::process::Command::new("stty")
            .args(["-F", end, "raw", "-echo", "115200"])
            .status()?;
        ensure!(set.success(), "stty {end}");
    }
    // Opened before anything is sent: a serial port without a reader throws bytes away.
    let mut reader = fs::File::open(far).with_context(|| format!("cannot open {far}"))?;
    fs::write(near, b"###\n")?;
    let mut got = [0; 4];
    std::io::Read::read_exact(&mut reader, &mut got)?;
    ensure!(&got == b"###\n", "{got:?}");
    Ok(())
}

/// Plain ipvsadm: the kernel balances over two reals, each answering the client by itself.
fn direct_routing() -> Result<()> {
    let network = Network::new()?;
    network.segment("lan")?;
    let director = network
        .host("director")
        .nic("lan", &["10.77.0.1/24"])
        .power_on()?;
    let asker = network
        .host("asker")
        .nic("lan", &["10.77.0.9/24"])
        .power_on()?;
    let mut reals = Vec::new();
    for (name, address) in [("web1", "10.77.0.11/24"), ("web2", "10.77.0.12/24")] {
        let host = network.host(name).nic("lan", &[address]).power_on()?;
        let real = RealServer::start(Arc::new(host))?;
        real.join_direct_routing(VIRTUAL)?;
        reals.push(real);
    }
    director.run(&["ip", "address", "add", "10.77.0.100/24", "dev", "eth0"])?;
    director.sh("ipvsadm -A -t 10.77.0.100:80 -s rr
         ipvsadm -a -t 10.77.0.100:80 -r 10.77.0.11 -g
         ipvsadm -a -t 10.77.0.100:80 -r 10.77.0.12 -g")?;
    let tally = client::load(&asker, SocketAddr::from((VIRTUAL, 80)), "/", 20, 1, LIMIT)?;
    let counts: Vec<usize> = tally.answers.values().copied().collect();
    ensure!(tally.failures == 0 && counts == [10, 10], "{tally:?}");
    // The kernel sums its counters up every two seconds.
    wait::for_some("the kernel has counted 20 connections", LIMIT, || {
        let table = director.run(&["ipvsadm", "-Ln", "--stats"])?;
        let service = table.lines().find(|line| line.starts_with("TCP"));
        let counted = service.and_then(|line| line.split_whitespace().nth(2));
        Ok((counted == Some("20")).then_some(()))
    })?;
    Ok(())
}
