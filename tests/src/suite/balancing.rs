//! ldird alone with a real kernel: what it does to the table when it is killed, stopped, misled by a
//! broken file, or kept waiting by servers that hang.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::ownership::figure;
use super::{Case, Place};
use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::real_server::RealServer;
use crate::bed::wait;
use crate::scenario::director::{Configuration, Director};
use crate::scenario::programs::Programs;
use crate::scenario::table::Table;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "killed_ldird_restarts_without_touching_a_weight",
        place: Place::Kernel,
        run: killed,
    },
    Case {
        name: "ldird_stopped_by_a_signal_leaves_what_cleanstop_says",
        place: Place::Kernel,
        run: stopped_by_signal,
    },
    Case {
        name: "broken_ldirectord_cf_changes_nothing",
        place: Place::Kernel,
        run: broken_file,
    },
    Case {
        name: "ldird_edits_keep_the_tunnel_and_the_engine_that_others_set",
        place: Place::Kernel,
        run: others_settings,
    },
    Case {
        name: "five_hanging_of_twenty_reals_delay_no_verdict",
        place: Place::Kernel,
        run: hanging_reals,
    },
];

pub(super) const VIP: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 100);
const SERVICE: &str = "tcp:10.10.0.100:80";
pub(super) const CF: &str = "ldirectord.cf";
pub(super) const LIMIT: Duration = Duration::from_secs(60);
/// How many real servers are lines of the farm: `.20` and on.
pub(super) const FARM: u8 = 20;
const FIRST: u8 = 20;
const INTERVAL_S: u64 = 1;
const TIMEOUT_S: u64 = 3;
/// For an emulated machine to notice what is due.
const SLACK: Duration = Duration::from_secs(1);

/// One director, and one host that is many real servers.
pub(super) struct Farm {
    pub(super) director: Director,
    farm: RealServer,
}

impl Farm {
    /// With `extra` lines before the virtual service. Starts nothing of ours.
    pub(super) fn new(extra: &str) -> Result<Self> {
        let network = Network::new()?;
        network.segment("lan")?;
        let mut addresses = vec!["10.10.0.10/24".to_owned()];
        addresses.extend((FIRST..FIRST + FARM).map(|last| format!("10.10.0.{last}/24")));
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let farm = network.host("farm").nic("lan", &addresses).power_on()?;
        let farm = RealServer::start(Arc::new(farm))?;
        let host = network
            .host("lb1")
            .nic("lan", &["10.10.0.1/24"])
            .power_on()?;
        let programs = Programs::find()?;
        let director = Director::install(Arc::new(host), &programs, &Configuration::Samples, VIP)?;
        let farm = Self { director, farm };
        farm.configure(extra)?;
        Ok(farm)
    }

    pub(super) fn configure(&self, extra: &str) -> Result<()> {
        let last = FIRST + FARM - 1;
        let text = format!(
            "checkinterval={INTERVAL_S}\nchecktimeout={TIMEOUT_S}\nquiescent=no\n{extra}\n\
             virtual={VIP}:80\n\treal=10.10.0.{FIRST}->10.10.0.{last}:80 gate\n\
             \tservice=http\n\tchecktype=connect\n\tscheduler=wlc\n"
        );
        fs::write(self.host().folder().join("etc").join(CF), text)?;
        Ok(())
    }

    pub(super) fn host(&self) -> &Host {
        self.director.host()
    }

    /// The host that is all real servers.
    pub(super) fn servers(&self) -> &Host {
        self.farm.host()
    }

    fn ldird(&self, verb: &str) -> Result<String> {
        self.director.program("ldird", &[CF, verb])
    }

    /// Exit code and both outputs of a command that may fail.
    fn ldird_ends(&self, verb: &str) -> Result<(Option<i32>, String)> {
        let output = self.host().command("ldird")?.args([CF, verb]).output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((
            output.status.code(),
            String::from_utf8_lossy(&said).into_owned(),
        ))
    }

    pub(super) fn count(&self) -> Result<usize> {
        let table = Table::of(self.host())?;
        Ok(table
            .0
            .get(SERVICE)
            .map_or(0, |service| service.destinations.len()))
    }

    pub(super) fn await_count(&self, wanted: usize) -> Result<()> {
        let mut last = 0;
        wait::for_some(
            &format!("{wanted} real servers in the table"),
            LIMIT,
            || {
                last = self.count()?;
                Ok((last == wanted).then_some(()))
            },
        )
        .with_context(|| format!("there are {last}"))
    }

    pub(super) fn start(&self) -> Result<()> {
        self.ldird("start")?;
        self.await_count(usize::from(FARM))
    }

    pub(super) fn await_end(&self) -> Result<()> {
        wait::until("ldird ends", LIMIT, || {
            self.host().processes("ldird").is_empty()
        })?;
        Ok(())
    }
}

/// A real server of the farm in the kernel's own listing, which is hexadecimal.
fn row(last: u8) -> String {
    format!("0A0A00{last:02X}:0050")
}

/// Real servers with their weights, read from the kernel's own listing: fast enough to sample.
pub(super) fn weights(host: &Host) -> Result<BTreeMap<String, u32>> {
    let text = host.within(|| Ok(fs::read_to_string("/proc/thread-self/net/ip_vs")?))?;
    let rows = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("->")).then_some(())?;
        let address = words.next()?.to_owned();
        Some((address, words.nth(1)?.parse().ok()?))
    });
    Ok(rows.collect())
}

fn killed() -> Result<()> {
    let farm = Farm::new("")?;
    farm.start()?;
    let before = weights(farm.host())?;
    ensure!(before.len() == usize::from(FARM), "sampled {before:?}");
    ensure!(
        farm.host().signal("ldird", Signal::KILL) > 0,
        "no ldird to kill"
    );
    farm.await_end()?;
    let start = || farm.ldird("start").map(drop);
    super::watch::meanwhile(start, || {
        let now = weights(farm.host())?;
        ensure!(now == before, "the table was {before:?} and became {now:?}");
        Ok(())
    })?;
    // Two rounds of checks later nothing may have changed either.
    let checked = Instant::now();
    let rounds = Duration::from_secs(2 * INTERVAL_S);
    super::watch::throughout(rounds, || {
        let now = weights(farm.host())?;
        ensure!(
            now == before,
            "after {:?} the table became {now:?}",
            checked.elapsed()
        );
        Ok(())
    })?;
    farm.ldird("stop").map(drop)
}

fn stopped_by_signal() -> Result<()> {
    let farm = Farm::new("")?;
    farm.start()?;
    farm.host().signal("ldird", Signal::TERM);
    farm.await_end()?;
    let left = weights(farm.host())?;
    ensure!(Table::of(farm.host())?.0.is_empty(), "it left {left:?}");
    farm.configure("cleanstop=no")?;
    farm.start()?;
    let before = Table::of(farm.host())?;
    farm.host().signal("ldird", Signal::TERM);
    farm.await_end()?;
    let after = Table::of(farm.host())?;
    ensure!(
        after == before,
        "cleanstop=no, and yet it left {}",
        after.describe()
    );
    Ok(())
}

/// At start it does not come up; while it runs, the old configuration stays in force.
fn broken_file() -> Result<()> {
    const BROKEN: &str = "nosuch=1\nchecktimeout=soon";
    let farm = Farm::new(BROKEN)?;
    let host = farm.host();
    host.sh("ipvsadm -A -t 10.10.0.100:80 -s rr
         ipvsadm -a -t 10.10.0.100:80 -r 10.10.0.20 -g -w 7")?;
    let before = Table::of(host)?;
    for verb in ["check", "start"] {
        let (code, said) = farm.ldird_ends(verb)?;
        ensure!(
            code == Some(2),
            "{verb} of a broken file ended with {code:?}: {said}"
        );
        ensure!(
            said.contains("nosuch") && said.contains("soon"),
            "{verb} does not tell both faults: {said}"
        );
    }
    ensure!(
        host.processes("ldird").is_empty(),
        "it started nevertheless"
    );
    ensure!(
        Table::of(host)? == before,
        "the table is {}",
        Table::of(host)?.describe()
    );

    farm.configure("")?;
    farm.start()?;
    let before = Table::of(host)?;
    farm.configure(BROKEN)?;
    let (code, said) = farm.ldird_ends("reload")?;
    ensure!(
        code != Some(0),
        "a reload of a broken file succeeded: {said}"
    );
    host.signal("ldird", Signal::HUP);
    ensure!(
        Table::of(host)? == before,
        "the table is {}",
        Table::of(host)?.describe()
    );
    // It still works: a real server that dies leaves.
    farm.farm
        .host()
        .run(&["ip", "address", "del", "10.10.0.25/24", "dev", "eth0"])?;
    farm.await_count(usize::from(FARM) - 1)?;
    farm.configure("")?;
    farm.ldird("stop").map(drop)
}

/// Where ldirectord.cf says nothing of GUE and a persistence engine, who set them with ipvsadm keeps
/// them when ldird changes the scheduler and the weight beside them.
fn others_settings() -> Result<()> {
    let phones = |scheduler: &str, weight: u32| {
        format!(
            "virtual=10.10.0.101:5060\n\treal=10.10.0.20:5060 ipip {weight}\n\tprotocol=udp\n\
             \tchecktype=on\n\tpersistent=60\n\tscheduler={scheduler}\n"
        )
    };
    let farm = Farm::new(&phones("rr", 1))?;
    let host = farm.host();
    farm.start()?;
    host.sh("ipvsadm -E -u 10.10.0.101:5060 -s rr -p 60 --pe sip
         ipvsadm -e -u 10.10.0.101:5060 -r 10.10.0.20:5060 -w 1 \
             -i --tun-type gue --tun-port 6080 --tun-csum
         ipvsadm -A -u 10.10.0.102:5060 -s rr -p 60 --pe sip")?;
    farm.configure(&phones("wrr", 5))?;
    farm.ldird("reload")?;
    let mut saved = String::new();
    wait::for_some("the edits of the reload", LIMIT, || {
        saved = host.sh("ipvsadm -Sn")?;
        let made = saved.contains("-s wrr") && saved.contains("-w 5");
        Ok(made.then_some(()))
    })
    .with_context(|| format!("the table is\n{saved}"))?;
    for line in [
        "-A -u 10.10.0.101:5060 -s wrr -p 60 --pe sip",
        "-a -u 10.10.0.101:5060 -r 10.10.0.20:5060 -i -w 5 --tun-type gue --tun-port 6080 --tun-csum",
        "-A -u 10.10.0.102:5060 -s rr -p 60 --pe sip",
    ] {
        let kept = saved.lines().any(|saved| saved.trim_end() == line);
        ensure!(kept, "no \"{line}\" in\n{saved}");
    }
    farm.ldird("stop").map(drop)
}

/// Five addresses swallow every packet. A sixth that dies is taken out as fast as if it were alone.
fn hanging_reals() -> Result<()> {
    const HANGING: u8 = 5;
    let farm = Farm::new("")?;
    let (host, reals) = (farm.host(), farm.farm.host());
    let mac = reals.sh("cat /sys/class/net/eth0/address")?;
    // Known neighbours that do not have the address: packets leave, and nothing comes back.
    for last in FIRST..FIRST + FARM {
        host.sh(&format!(
            "ip neigh replace 10.10.0.{last} lladdr {} dev eth0 nud permanent",
            mac.trim()
        ))?;
    }
    let remove = |last: u8| {
        let address = format!("10.10.0.{last}/24");
        reals
            .run(&["ip", "address", "del", &address, "dev", "eth0"])
            .map(drop)
    };
    (FIRST..FIRST + HANGING).try_for_each(remove)?;
    farm.ldird("start")?;
    farm.await_count(usize::from(FARM - HANGING))?;
    let victim = FIRST + HANGING + 3;
    remove(victim)?;
    let dies = Instant::now();
    let row = row(victim);
    wait::for_some("the dead one leaves the table", LIMIT, || {
        Ok((!weights(host)?.contains_key(&row)).then_some(()))
    })?;
    let took = dies.elapsed();
    figure("from the death of a real server to its removal", took);
    ensure!(
        farm.count()? == usize::from(FARM - HANGING) - 1,
        "others left as well"
    );
    let promised = Duration::from_secs(INTERVAL_S + TIMEOUT_S) + SLACK;
    ensure!(took <= promised, "it took {took:?}, more than {promised:?}");
    farm.ldird("stop").map(drop)
}
