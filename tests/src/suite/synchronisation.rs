//! Established connections over a takeover, on a real kernel: without synchronisation every download
//! breaks, with it every one goes on to its end.
//!
//! ```text
//!    client .50                 real servers: on the lan (DR), or inside (NAT)
//!       └──────────┬──────────┬───────  10.10.0.0/24, VIP .100
//!              lb1 .1      lb2 .2
//!                  └──────────┴───────  10.20.0.0/24, gateway .254, the sync daemons' cable
//! ```
//!
//! On both directors `ldird run --standby` lives from boot; hbd moves the group. A client reads the
//! beginning of each download, waits for the takeover, and reads the rest: the real server's window is
//! full meanwhile, so not one packet comes before the other director distributes.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ha_status::{Role, SyncEnd, Timing};
use rustix::process::Signal;

use super::{Case, Place};
use crate::bed::downloads::{self, Download};
use crate::bed::host::Host;
use crate::bed::modules;
use crate::bed::network::Network;
use crate::bed::real_server::RealServer;
use crate::bed::wait;
use crate::scenario::director::{Configuration, Director};
use crate::scenario::programs::Programs;
use crate::scenario::site::Site;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "established_downloads_survive_a_clean_takeover_by_direct_routing",
        place: Place::Kernel,
        run: direct_routing,
    },
    Case {
        name: "established_downloads_survive_the_loss_of_a_translating_director",
        place: Place::Kernel,
        run: translation,
    },
    Case {
        name: "sync_daemons_of_others_stay_and_the_old_script_swaps",
        place: Place::Kernel,
        run: by_hand,
    },
];

const VIP: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 100);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 254);
const CF: &str = "ldirectord.cf";
const SYNC: &str = "syncdaemon=eth1\nsyncid=7\n";
const SCRIPT: &str = "/etc/ha.d/resource.d/LVSSyncDaemonSwap";
const LIMIT: Duration = Duration::from_secs(60);
/// Downloads at once: rr gives each real server half of them.
const DOWNLOADS: usize = 4;

const HA_CF: &str = "\
node lb1 lb2
bcast eth0
bcast eth1
keepalive 100ms
warntime 500ms
deadtime 1
initdead 10
auto_failback off
logfacility local0
";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Direct,
    Translated,
}

impl Shape {
    /// The table before the address: a packet that finds the address without it is refused.
    fn haresources(self) -> String {
        let gateway = match self {
            Self::Direct => String::new(),
            Self::Translated => format!("IPaddr::{GATEWAY}/24/eth1 "),
        };
        format!("lb1 ldirectord::{CF} {gateway}IPaddr::{VIP}/24/eth0\n")
    }

    fn reals(self) -> [Ipv4Addr; 2] {
        let network = match self {
            Self::Direct => 10,
            Self::Translated => 20,
        };
        [11, 12].map(|last| Ipv4Addr::new(10, network, 0, last))
    }

    fn ldirectord_cf(self, globals: &str) -> String {
        let method = match self {
            Self::Direct => "gate",
            Self::Translated => "masq",
        };
        let [one, two] = self.reals();
        format!(
            "checkinterval=1\nchecktimeout=3\nlogfile=\"local0\"\n{globals}\n\
             virtual={VIP}:80\n\treal={one}:80 {method}\n\treal={two}:80 {method}\n\
             \tservice=http\n\tchecktype=connect\n\tscheduler=rr\n"
        )
    }

    fn start(self, globals: &str) -> Result<Site> {
        modules::load("ip_vs")?;
        let network = Network::new()?;
        network.segment("lan")?;
        network.segment("inside")?;
        let files = Configuration::Files(vec![
            ("ha.cf", HA_CF.to_owned()),
            ("haresources", self.haresources()),
            (CF, self.ldirectord_cf(globals)),
            ("authkeys", "auth 1\n1 sha1 a-key-of-the-lab\n".to_owned()),
        ]);
        let [one, two] = self.reals();
        let reals = vec![
            self.real(&network, "web1", one)?,
            self.real(&network, "web2", two)?,
        ];
        let programs = Programs::find()?;
        let director = |name: &str, last: u8| {
            let (outside, inside) = (format!("10.10.0.{last}/24"), format!("10.20.0.{last}/24"));
            let host = network
                .host(name)
                .nic("lan", &[&outside])
                .nic("inside", &[&inside])
                .sysctl("net.ipv4.ip_forward", "1")
                .sysctl("net.ipv4.conf.all.send_redirects", "0")
                .sysctl("net.ipv4.conf.default.send_redirects", "0");
            Director::install(Arc::new(host.power_on()?), &programs, &files, VIP)
        };
        let client = network.host("client").nic("lan", &["10.10.0.50/24"]);
        let site = Site {
            directors: vec![director("lb1", 1)?, director("lb2", 2)?],
            reals,
            client: Arc::new(client.power_on()?),
            vip: VIP,
        };
        for director in &site.directors {
            director.start_resident_ldird()?;
        }
        for director in &site.directors {
            wait::until("it checks on standby", LIMIT, || {
                let shown = director.balancing();
                shown.is_ok_and(|shown| shown.duty.role == Role::Standby)
            })?;
            director.start()?;
        }
        site.await_owner("lb1", LIMIT)?;
        Ok(site)
    }

    fn real(self, network: &Arc<Network>, name: &str, address: Ipv4Addr) -> Result<RealServer> {
        let address = format!("{address}/24");
        let real = match self {
            Self::Direct => {
                let host = network.host(name).nic("lan", &[&address]).power_on()?;
                let real = RealServer::start(Arc::new(host))?;
                real.join_direct_routing(VIP)?;
                real
            }
            Self::Translated => {
                let host = network.host(name).nic("inside", &[&address]);
                RealServer::start(Arc::new(host.gateway(GATEWAY).power_on()?))?
            }
        };
        downloads::offer(&real)?;
        Ok(real)
    }
}

fn begin(site: &Site) -> Result<Vec<Download>> {
    site.await_answer(80, "/", LIMIT)?;
    Download::begin(&site.client, SocketAddr::from((VIP, 80)), DOWNLOADS)
}

/// Its daemon runs, and nothing is wrong with it.
fn await_end(director: &Director, end: SyncEnd) -> Result<()> {
    let mut last = None;
    wait::until("the right sync daemon runs", LIMIT, || {
        last = director.balancing().ok().and_then(|shown| shown.sync);
        last.as_ref()
            .is_some_and(|sync| sync.end == end && sync.runs && sync.problem.is_empty())
    })
    .with_context(|| format!("{}: {last:?}", director.name()))?;
    Ok(())
}

/// What ipvsadm says of the daemons, by their first word.
fn daemons(host: &Host) -> Result<Vec<String>> {
    let text = host.run(&["ipvsadm", "-L", "--daemon"])?;
    let first = |line: &str| line.split(' ').next().map(str::to_owned);
    Ok(text.lines().filter_map(first).collect())
}

/// Before: no synchronisation, and the group goes from lb1 to lb2 in order. After: with it, back. Gives
/// where the time of the way back went.
fn over_takeovers(shape: Shape, leave: impl FnOnce(&Director) -> Result<()>) -> Result<Timing> {
    let site = shape.start("")?;
    let (one, two) = (site.director("lb1")?, site.director("lb2")?);
    let downloads = begin(&site)?;
    one.hbd(&["standby"])?;
    site.await_owner("lb2", LIMIT)?;
    let ends: Vec<Result<String>> = downloads.into_iter().map(Download::end).collect();
    let survivors = ends.iter().filter(|end| end.is_ok()).count();
    ensure!(
        survivors == 0,
        "{survivors} survive without synchronisation"
    );

    for director in [one, two] {
        let file = director.host().folder().join("etc").join(CF);
        fs::write(file, shape.ldirectord_cf(SYNC))?;
        director.program("ldird", &[CF, "reload"])?;
    }
    await_end(two, SyncEnd::Master)?;
    await_end(one, SyncEnd::Backup)?;
    let downloads = begin(&site)?;
    wait::until("lb1 has heard of the downloads", LIMIT, || {
        Download::are_known(one.host(), &downloads).unwrap_or(false)
    })?;
    leave(two)?;
    wait::until("lb1 serves", LIMIT, || one.serves())?;
    let timing = one.timing()?.context("the group runs on lb1")?;
    println!("    {timing}");
    ensure!(timing.table_ms.is_some() && timing.address_ms.is_some());
    let ends: Vec<Result<String>> = downloads.into_iter().map(Download::end).collect();
    let mut servers = BTreeSet::new();
    for end in ends {
        servers.insert(end.context("a download over the takeover")?);
    }
    ensure!(servers.len() == 2, "only {servers:?} served");
    await_end(one, SyncEnd::Master)?;
    if two.host().is_on() {
        await_end(two, SyncEnd::Backup)?;
        // The master sends what it has gathered, and goes.
        wait::until("lb2 is backup alone", LIMIT, || {
            daemons(two.host()).is_ok_and(|all| all == ["backup"])
        })?;
    }
    one.host().signal("ldird", Signal::TERM);
    wait::until("lb1 leaves no daemon", LIMIT, || {
        daemons(one.host()).is_ok_and(|all| all.is_empty())
    })?;
    Ok(timing)
}

fn direct_routing() -> Result<()> {
    let timing = over_takeovers(Shape::Direct, |two| two.hbd(&["standby"]).map(drop))?;
    ensure!(timing.prepared && timing.silence_ms.is_none(), "agreed on");
    Ok(())
}

fn translation() -> Result<()> {
    let timing = over_takeovers(Shape::Translated, Director::power_off)?;
    ensure!(
        !timing.prepared && timing.silence_ms.is_some(),
        "a surprise"
    );
    Ok(())
}

/// One director, without hbd.
fn by_hand() -> Result<()> {
    modules::load("ip_vs")?;
    let network = Network::new()?;
    network.segment("lan")?;
    let host = network.host("lb1").nic("lan", &["10.10.0.1/24"]);
    let file = format!(
        "syncdaemon=eth0\nsyncid=7\nvirtual={VIP}:80\n\treal=10.10.0.1:80 gate\n\tchecktype=on\n"
    );
    let files = Configuration::Files(vec![
        (CF, file),
        ("authkeys", "auth 1\n1 sha1 a-key-of-the-lab\n".to_owned()),
    ]);
    let programs = Programs::find()?;
    let director = Director::install(Arc::new(host.power_on()?), &programs, &files, VIP)?;
    script_swaps(director.host())?;
    beside_a_stranger(&director)?;
    put_back_and_left(&director)
}

fn script(host: &Host, action: &str) -> Result<(Option<i32>, String)> {
    let output = host.command(SCRIPT)?.args(["master", action]).output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8(said)?))
}

fn are(host: &Host, wanted: &[&str], when: &str) -> Result<()> {
    let found = daemons(host)?;
    ensure!(found == wanted, "{when} there is {found:?}");
    Ok(())
}

/// Nobody else cares for the daemons; ends with a master whose syncid is 0.
fn script_swaps(host: &Host) -> Result<()> {
    let says = |code: i32, words: &str| {
        let said = script(host, "status")?;
        ensure!(said == (Some(code), format!("{words}\n")), "{said:?}");
        Ok(())
    };
    says(3, "master stopped")?;
    for (action, end) in [("start", "master"), ("stop", "backup"), ("start", "master")] {
        for _ in 0..2 {
            let said = script(host, action)?;
            ensure!(said == (Some(0), String::new()), "{action}: {said:?}");
            are(host, &[end], action)?;
        }
    }
    says(0, "master running")
}

/// That master is another tool's: told and left alone, until an operator ends it.
fn beside_a_stranger(director: &Director) -> Result<()> {
    let host = director.host();
    director.program("ldird", &[CF, "start"])?;
    let problem = || director.balancing().ok()?.sync.map(|sync| sync.problem);
    wait::until("the stranger is named", LIMIT, || {
        problem().is_some_and(|problem| problem.contains("another tool"))
    })?;
    let (code, said) = script(host, "stop")?;
    ensure!(code == Some(0), "the script ended with {code:?}");
    ensure!(said.contains("take LVSSyncDaemonSwap out"), "{said}");
    are(host, &["master"], "after the script")?;
    director.program("ldird", &["ipvs", "daemon", "stop", "master"])?;
    await_end(director, SyncEnd::Master)?;
    let listed = director.program("ldird", &["ipvs", "daemon", "list"])?;
    let wanted = host.run(&["ipvsadm", "-L", "--daemon"])?;
    ensure!(listed == wanted, "{listed} is not {wanted}");
    ensure!(listed.contains("syncid=7"), "{listed}");
    Ok(())
}

/// Others stop ours; then the director dies, and a stop without one ends what it left.
fn put_back_and_left(director: &Director) -> Result<()> {
    let host = director.host();
    host.run(&["ipvsadm", "--stop-daemon", "master"])?;
    wait::until("it is put back", LIMIT, || {
        daemons(host).is_ok_and(|all| all == ["master"])
    })?;
    host.signal("ldird", Signal::KILL);
    wait::until("ldird is gone", LIMIT, || {
        host.processes("ldird").is_empty()
    })?;
    are(host, &["master"], "after a kill")?;
    director.program("ldird", &[CF, "stop"])?;
    are(host, &[], "after a stop without a director")
}
