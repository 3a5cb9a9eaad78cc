//! What clients see of a director's life, on a real kernel: whatever is done to ldird, no request
//! reaches a server that it knows to be down, and no connection to a healthy one is reset.
//!
//! ```text
//!    client .50          lb1 .1, VIP .100            servers .20 to .24
//!       └─────────────────────┘ └──────────────────────────┘
//!             10.10.0.0/24                10.20.0.0/24, masq
//! ```
//!
//! Two servers are well, one answers with a page that no check accepts, the port of one refuses, and
//! the last one comes and goes. A server counts clients as it accepts them. What a stop that takes the
//! table out means for clients: new ones are refused, and connections that last stand still, without
//! a reset, until the table is there again.

mod load;
mod server;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use self::load::{Lasting, Load};
use self::server::{Servers, WELL};
use super::balancing::{CF, LIMIT};
use super::{Case, Place};
use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::{modules, wait};
use crate::scenario::director::{Configuration, Director};
use crate::scenario::programs::Programs;
use crate::scenario::table::Table;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "no_client_meets_a_dead_server_or_a_reset_whatever_becomes_of_ldird",
        place: Place::Kernel,
        run: || whole_life("no"),
    },
    Case {
        name: "no_client_meets_a_quiescent_server_or_a_reset_whatever_becomes_of_ldird",
        place: Place::Kernel,
        run: || whole_life("yes"),
    },
    Case {
        name: "what_operators_say_of_servers_holds_in_the_kernel_over_restart_and_death",
        place: Place::Kernel,
        run: operators,
    },
];

const VIP: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 100);
const SERVICE: &str = "10.10.0.100:80";
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 50);
const fn inside(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 20, 0, last)
}
const GATEWAY: Ipv4Addr = inside(1);
const WELL_ONES: [Ipv4Addr; 2] = [inside(20), inside(21)];
/// Its page is not the one that is looked for.
const WRONG: Ipv4Addr = inside(22);
/// Nobody listens there.
const REFUSING: Ipv4Addr = inside(23);
/// Comes and goes.
const CHANGING: Ipv4Addr = inside(24);

/// The director, its servers and its client.
struct Site {
    director: Director,
    servers: Servers,
    client: Host,
}

impl Site {
    /// Everything but ldird is there.
    fn new(global: &str) -> Result<Self> {
        modules::load("ip_vs")?;
        let network = Network::new()?;
        for segment in ["outside", "inside"] {
            network.segment(segment)?;
        }
        let addresses: Vec<String> = (20..=24)
            .map(|last| format!("{}/24", inside(last)))
            .collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let farm = network.host("farm").nic("inside", &addresses);
        let farm = Arc::new(farm.gateway(GATEWAY).power_on()?);
        let answering = [WELL_ONES[0], WELL_ONES[1], WRONG, CHANGING];
        let servers = Servers::start(farm, &answering, IpAddr::V4(CLIENT))?;
        servers.set_well(WRONG, false)?;
        servers.set_well(CHANGING, false)?;
        let client = network.host("client").nic("outside", &["10.10.0.50/24"]);
        let client = client.power_on()?;
        let host = network
            .host("lb1")
            .nic("outside", &["10.10.0.1/24", "10.10.0.100/24"])
            .nic("inside", &["10.20.0.1/24"])
            .sysctl("net.ipv4.ip_forward", "1")
            .sysctl("net.ipv4.conf.all.send_redirects", "0");
        let programs = Programs::find()?;
        let host = Arc::new(host.power_on()?);
        let director = Director::install(host, &programs, &Configuration::Samples, VIP)?;
        let site = Self {
            director,
            servers,
            client,
        };
        site.configure(global, "")?;
        Ok(site)
    }

    /// With these lines above the virtual service and in it.
    fn configure(&self, global: &str, section: &str) -> Result<()> {
        let text = format!(
            "checkinterval=1\nchecktimeout=3\nnegotiatetimeout=3\n{global}\n\
             virtual={SERVICE}\n\treal=10.20.0.20->10.20.0.24:80 masq\n\
             \tservice=http\n\trequest=\"check\"\n\tscheduler=rr\n{section}"
        );
        let text = if section.contains("receive=") {
            text
        } else {
            format!("{text}\treceive=\"{WELL}\"\n")
        };
        fs::write(self.host().folder().join("etc").join(CF), text)?;
        Ok(())
    }

    fn host(&self) -> &Host {
        self.director.host()
    }

    fn service() -> SocketAddr {
        SocketAddr::from((VIP, 80))
    }

    fn ldird(&self, words: &[&str]) -> Result<String> {
        let words: Vec<&str> = [CF].iter().chain(words).copied().collect();
        self.director.program("ldird", &words)
    }

    fn kill(&self) -> Result<()> {
        ensure!(self.host().signal("ldird", Signal::KILL) > 0, "no ldird");
        wait::until("ldird is gone", LIMIT, || {
            self.host().processes("ldird").is_empty()
        })?;
        Ok(())
    }

    /// The weight of a server that is in the table.
    fn weight(&self, server: Ipv4Addr) -> Result<Option<u32>> {
        let table = Table::of(self.host())?;
        Ok(table.weight("tcp:10.10.0.100:80", &format!("{server}:80")))
    }

    fn await_weight(&self, server: Ipv4Addr, wanted: Option<u32>) -> Result<()> {
        let what = format!("{server} has weight {wanted:?}");
        wait::for_some(&what, LIMIT, || {
            Ok((self.weight(server)? == wanted).then_some(()))
        })
        .with_context(|| format!("the table is {:?}", Table::of(self.host())))
    }

    /// These connections last, to whoever is well.
    fn lasting(&self) -> Result<Vec<Lasting>> {
        let kinds = [Lasting::asking, Lasting::downloading];
        let both = kinds.iter().cycle().take(4);
        both.map(|kind| kind(&self.client, Self::service()))
            .collect()
    }
}

/// What is done to the director, and what that means for its clients.
struct Life<'a> {
    site: &'a Site,
    load: Load,
    lasting: Vec<Lasting>,
    /// Since then somebody serves.
    since: Instant,
}

impl<'a> Life<'a> {
    /// Clients come before the director does.
    fn begin(site: &'a Site) -> Result<Self> {
        let load = Load::start(&site.client, Site::service())?;
        load.refusals_since(Instant::now())?;
        site.ldird(&["start"])?;
        for server in WELL_ONES {
            site.await_weight(server, Some(1))?;
        }
        let since = Instant::now();
        let life = Self {
            lasting: site.lasting()?,
            site,
            load,
            since,
        };
        life.is_well("a start")?;
        Ok(life)
    }

    /// Does something, and looks at what clients saw of it.
    fn after(&self, what: &str, act: impl FnOnce(&Site) -> Result<()>) -> Result<()> {
        act(self.site).context(what.to_owned())?;
        self.is_well(what)
    }

    /// The kernel has none between the old one and the new one (`ip_vs_edit_service` waits for all
    /// readers there), and refuses who comes just then, whoever asks for the change.
    fn after_a_moment_without_a_scheduler(
        self,
        act: impl FnOnce(&Site) -> Result<()>,
    ) -> Result<Self> {
        self.load.all_well(self.since, Instant::now())?;
        act(self.site)?;
        let since = Instant::now();
        let life = Self { since, ..self };
        life.is_well("another scheduler")?;
        Ok(life)
    }

    fn is_well(&self, what: &str) -> Result<()> {
        let look = || {
            let now = Instant::now();
            let answers = self.load.answers_since(now)?;
            self.load.all_well(self.since, Instant::now())?;
            for server in WELL_ONES {
                let name = server.to_string();
                ensure!(
                    answers.contains_key(&name),
                    "{name} gets nobody: {answers:?}"
                );
            }
            self.nobody_met_the_dead()?;
            self.lasting.iter().try_for_each(Lasting::goes_on)
        };
        look().with_context(|| format!("after {what}"))
    }

    /// Neither of them has ever been in service. A refusal would be a failure of the load.
    fn nobody_met_the_dead(&self) -> Result<()> {
        let met = self.site.servers.clients(WRONG)?;
        ensure!(
            met == 0,
            "{met} clients reached the one with the wrong page"
        );
        for server in [WRONG, REFUSING] {
            let weight = self.site.weight(server)?.filter(|weight| *weight > 0);
            ensure!(weight.is_none(), "{server} stands at {weight:?}");
        }
        Ok(())
    }

    /// The changing one comes, and is served.
    fn comes(&self) -> Result<()> {
        self.site.servers.set_well(CHANGING, true)?;
        self.site.await_weight(CHANGING, Some(1))?;
        let answers = self.load.answers_since(Instant::now())?;
        let served = answers.contains_key(&CHANGING.to_string());
        ensure!(served, "nobody reaches it: {answers:?}");
        self.is_well("a server came")
    }

    /// It dies while no director looks. From when the next one knows, and who was on the way has
    /// arrived, nobody may reach it; so many had by then. What was open to it may break, and not before.
    fn misses_a_death(self, weight: Option<u32>) -> Result<(Self, usize)> {
        self.site.kill()?;
        self.site.servers.set_well(CHANGING, false)?;
        self.load.all_well(self.since, Instant::now())?;
        self.site.ldird(&["start"])?;
        self.site.await_weight(CHANGING, weight)?;
        self.load.answers_since(Instant::now())?;
        let known = self.site.servers.clients(CHANGING)?;
        let since = Instant::now();
        let life = Self { since, ..self };
        life.is_well("a death that was missed")?;
        Ok((life, known))
    }
}

fn whole_life(quiescent: &str) -> Result<()> {
    let global = format!("quiescent={quiescent}\n");
    let nothing = (quiescent == "yes").then_some(0);
    let site = Site::new(&global)?;
    let life = Life::begin(&site)?;
    let reload = |site: &Site| site.ldird(&["reload"]).map(drop);
    let restart = |site: &Site| site.ldird(&["restart"]).map(drop);
    let killed = |site: &Site| {
        site.kill()?;
        site.ldird(&["start"]).map(drop)
    };
    life.after("a reload without change", reload)?;
    site.configure(&global, "\treceive=\"is well\"\n\tfailurecount=2\n")?;
    life.after("a reload that asks another question", reload)?;
    site.configure(
        &global,
        "\treal=10.20.0.20->10.20.0.21:80 masq 2\n\tvirtualhost=www.test\n",
    )?;
    life.after("a reload of weights", reload)?;
    life.after("a restart", restart)?;
    site.configure(&global, "")?;
    life.after("a restart with another file", restart)?;
    life.after("kill -9 and a start", killed)?;

    life.comes()?;
    let (life, known) = life.misses_a_death(nothing)?;
    site.configure(&global, "\treceive=\"is well\"\n")?;
    life.after("a restart beside a dead one", restart)?;
    site.configure(&global, "")?;
    life.after("a reload beside a dead one", reload)?;
    life.after("kill -9 beside a dead one", killed)?;

    site.configure(&format!("{global}cleanstop=no\n"), "")?;
    life.after("a reload to cleanstop=no", reload)?;
    let stop = |site: &Site| site.ldird(&["stop"]).map(drop);
    life.after("a stop that leaves the table", stop)?;
    let start = |site: &Site| site.ldird(&["start"]).map(drop);
    life.after("a start that finds the table", start)?;
    site.configure(&global, "")?;
    life.after("a reload to cleanstop=yes", reload)?;
    site.configure(&global, "\tscheduler=wrr\n")?;
    let life = life.after_a_moment_without_a_scheduler(reload)?;
    let met = site.servers.clients(CHANGING)?;
    ensure!(met == known, "{} clients reached a dead one", met - known);
    clean_stop(life, known)
}

/// Without any virtual service the kernel hands packets to the director itself, which refuses who is
/// new and knows nothing of who was there. Until then nobody is reset, and afterwards all are served.
fn clean_stop(life: Life<'_>, known: usize) -> Result<()> {
    let site = life.site;
    life.is_well("everything before the stop")?;
    let stops = Instant::now();
    site.ldird(&["stop"])?;
    life.load.all_well(life.since, stops)?;
    ensure!(Table::of(site.host())?.0.is_empty(), "a table is left");
    life.load.refusals_since(Instant::now())?;
    site.ldird(&["start"])?;
    for server in WELL_ONES {
        site.await_weight(server, Some(1))?;
    }
    let life = Life {
        since: Instant::now(),
        lasting: site.lasting()?,
        ..life
    };
    life.is_well("a stop that cleans, and a start")?;
    let met = site.servers.clients(CHANGING)?;
    ensure!(met == known, "{} clients reached a dead one", met - known);
    Ok(())
}

/// The lines of `ipvsadm -Sn` for servers, sorted.
fn saved(site: &Site) -> Result<Vec<String>> {
    let text = site.host().sh("ipvsadm -Sn")?;
    let servers = text.lines().filter(|line| line.starts_with("-a "));
    let mut lines: Vec<String> = servers.map(|line| line.trim_end().to_owned()).collect();
    lines.sort();
    Ok(lines)
}

/// An answer to an operator does not wait for the kernel.
fn becomes(site: &Site, wanted: &[String]) -> Result<()> {
    let what = format!("the table is {wanted:?}");
    wait::for_some(&what, LIMIT, || Ok((saved(site)? == wanted).then_some(())))
        .with_context(|| format!("it is {:?}", saved(site)))
}

/// As [`saved`] prints a server with this weight.
fn line(server: Ipv4Addr, weight: u32) -> String {
    format!("-a -t {SERVICE} -r {server}:80 -m -w {weight}")
}

fn operators() -> Result<()> {
    let site = Site::new("quiescent=no\n")?;
    let life = Life::begin(&site)?;
    let [first, second] = WELL_ONES;
    let usual = vec![line(first, 1), line(second, 1)];
    ensure!(saved(&site)? == usual, "it began with {:?}", saved(&site)?);
    let name = second.to_string();
    ensure!(
        life.lasting.iter().any(|one| one.server() == name),
        "no connection that lasts is with {name}"
    );

    let drain = ["drain", SERVICE, &name, "--for", "1h", "--reason", "disk"];
    site.ldird(&drain)?;
    let drained = vec![line(first, 1), line(second, 0)];
    becomes(&site, &drained)?;
    life.load.answers_since(Instant::now())?;
    let met = site.servers.clients(second)?;
    let holds = |what: &str, wanted: &[String]| -> Result<()> {
        let now = saved(&site)?;
        ensure!(now == wanted, "{what} made {now:?}");
        life.load.answers_since(Instant::now())?;
        life.load.all_well(life.since, Instant::now())?;
        life.lasting.iter().try_for_each(Lasting::goes_on)?;
        let again = site.servers.clients(second)?;
        ensure!(again == met, "{what} led {} clients there", again - met);
        let shown = site.ldird(&["show"])?;
        ensure!(shown.contains("disk"), "the reason is not shown: {shown}");
        Ok(())
    };
    holds("a drain", &drained)?;
    site.ldird(&["restart"])?;
    holds("a restart", &drained)?;
    site.ldird(&["reload"])?;
    holds("a reload", &drained)?;
    site.kill()?;
    site.ldird(&["start"])?;
    holds("kill -9 and a start", &drained)?;

    let other = first.to_string();
    site.ldird(&["weight", SERVICE, &other, "7"])?;
    let weighted = vec![line(first, 7), line(second, 0)];
    becomes(&site, &weighted)?;
    holds("a weight", &weighted)?;
    let refused = site.ldird(&["maintenance", SERVICE, &other, "on"]);
    ensure!(refused.is_err(), "the last one went without --force");
    site.kill()?;
    site.ldird(&["start"])?;
    holds("kill -9 beside a weight", &weighted)?;
    site.ldird(&["undrain", SERVICE, &name])?;
    site.ldird(&["weight", SERVICE, &other, "3", "--for", "10s"])?;
    becomes(&site, &[line(first, 3), line(second, 1)])?;
    // Its time is up, and the file counts again.
    becomes(&site, &usual)?;
    maintained(&life, second)
}

/// Drained first, as one does: taking the row out would break what is open. Out while it lasts, over
/// a restart and a death, and back with a check that passes.
fn maintained(life: &Life<'_>, server: Ipv4Addr) -> Result<()> {
    let site = life.site;
    let name = server.to_string();
    let begin = |time: &str| -> Result<usize> {
        site.ldird(&["drain", SERVICE, &name])?;
        site.await_weight(server, Some(0))?;
        life.load.answers_since(Instant::now())?;
        site.ldird(&["maintenance", SERVICE, &name, "on", "--for", time])?;
        site.await_weight(server, None)?;
        site.servers.clients(server)
    };
    let end = |what: &str| -> Result<()> {
        site.await_weight(server, Some(0))?;
        site.ldird(&["undrain", SERVICE, &name])?;
        site.await_weight(server, Some(1))?;
        life.is_well(what)
    };
    let met = begin("1h")?;
    let out = |what: &str| -> Result<()> {
        let weight = site.weight(server)?;
        ensure!(weight.is_none(), "{what}: it stands at {weight:?}");
        life.load.answers_since(Instant::now())?;
        let again = site.servers.clients(server)?;
        ensure!(again == met, "{what} led {} clients there", again - met);
        life.load.all_well(life.since, Instant::now())
    };
    out("maintenance")?;
    site.ldird(&["restart"])?;
    out("a restart in maintenance")?;
    site.kill()?;
    site.ldird(&["start"])?;
    out("kill -9 in maintenance")?;
    site.ldird(&["maintenance", SERVICE, &name, "off"])?;
    end("maintenance")?;
    begin("10s")?;
    end("a moment of maintenance")?;
    site.ldird(&["stop"]).map(drop)
}
