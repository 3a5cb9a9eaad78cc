//! The scripted demos of the shapes beside `dr`: address translation, tunnels, and the pair of a
//! keepalived.conf. Each step waits for what it promises and prints one line about it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::script::report;
use crate::bed::client::Tally;
use crate::bed::real_server::Service;
use crate::bed::{say, wait};
use crate::scenario::director::Director;
use crate::scenario::programs::Programs;
use crate::scenario::site::Site;
use crate::scenario::{imported, nat, tun};
use crate::score::Score;

/// For one step; the slowest take a few seconds under emulation.
const STEP_LIMIT: Duration = Duration::from_secs(40);
/// For all steps together. Less than the emulated machine is given.
const TOTAL_LIMIT: Duration = Duration::from_secs(180);
/// A multiple of every number of real servers here.
const REQUESTS: usize = 60;
const HTTP: u16 = 80;

/// A cluster, its steps, and the time that is left.
struct Stage {
    site: Site,
    until: Instant,
}

/// A step's name and what it does; it returns what there is to tell.
type Step = (&'static str, fn(&Stage) -> Result<String>);

struct Story {
    about: &'static str,
    start: fn(&Programs) -> Result<Site>,
    steps: &'static [Step],
}

const NAT: Story = Story {
    about: "two directors that translate addresses, two real servers behind them, and a client",
    start: nat::start,
    steps: &[
        ("both-up", |stage| stage.both_up(nat::PRIMARY)),
        ("vip-answers", |stage| stage.answers("/test.html")),
        ("kernel-table", |stage| {
            stage.table(nat::PRIMARY, &NAT_TABLE)
        }),
        ("round-robin", |stage| {
            stage.round_robin(nat::PRIMARY, &NAT_TABLE, &WEBS)
        }),
        ("weights", nat_weights),
        ("real-dies", |stage| {
            stage.dies("web2", nat::PRIMARY, &NAT_TABLE[..1], &WEBS[..1])
        }),
        ("real-returns", |stage| {
            stage.returns("web2", nat::PRIMARY, &NAT_TABLE)
        }),
        ("primary-power-loss", |stage| {
            stage.power_loss(nat::PRIMARY, nat::BACKUP)
        }),
        ("backup-is-the-gateway", |stage| {
            stage.round_robin(nat::BACKUP, &NAT_TABLE, &WEBS)
        }),
        ("primary-returns", |stage| stage.power_returns(nat::PRIMARY)),
        ("primary-serves", |stage| {
            stage.round_robin(nat::PRIMARY, &NAT_TABLE, &WEBS)
        }),
    ],
};

const NAT_TABLE: [&str; 2] = ["10.20.0.11:80 masq 1", "10.20.0.12:80 masq 1"];
const WEIGHTS: [&str; 2] = ["10.20.0.11:80 masq 3", "10.20.0.12:80 masq 1"];
const WEBS: [&str; 2] = ["web1", "web2"];

const TUN: Story = Story {
    about: "two directors that are real servers as well, one that is nothing else, and a client",
    start: tun::start,
    steps: &[
        ("both-up", |stage| stage.both_up(tun::PRIMARY)),
        ("vip-answers", |stage| stage.answers("/test.html")),
        ("kernel-table", |stage| {
            stage.table(tun::PRIMARY, &TUN_TABLE)
        }),
        ("round-robin", |stage| {
            stage.round_robin(tun::PRIMARY, &TUN_TABLE, &TUN_NAMES)
        }),
        ("roles", |stage| tun_roles(stage, tun::PRIMARY, tun::BACKUP)),
        ("real-dies", |stage| {
            stage.dies(tun::PURE, tun::PRIMARY, &TUN_TABLE[1..], &TUN_NAMES[..2])
        }),
        ("real-returns", |stage| {
            stage.returns(tun::PURE, tun::PRIMARY, &TUN_TABLE)
        }),
        ("standby", tun_standby),
        ("roles-swapped", |stage| {
            tun_roles(stage, tun::BACKUP, tun::PRIMARY)
        }),
        ("backup-balances", |stage| {
            stage.round_robin(tun::BACKUP, &TUN_SWAPPED, &TUN_NAMES)
        }),
        ("takeover", tun_takeover),
        ("primary-power-loss", |stage| {
            stage.power_loss(tun::PRIMARY, tun::BACKUP)
        }),
        ("the-rest-answers", |stage| {
            stage.round_robin(tun::BACKUP, &TUN_LEFT, &[tun::BACKUP, tun::PURE])
        }),
    ],
};

const TUN_NAMES: [&str; 3] = [tun::BACKUP, tun::PRIMARY, tun::PURE];
/// For a destination that is the director itself kernels have different words.
const TUN_TABLE: [&str; 3] = [
    "192.168.136.13:80 ipip 1",
    "192.168.136.1:80 * 1",
    "192.168.136.2:80 ipip 1",
];
const TUN_SWAPPED: [&str; 3] = [
    "192.168.136.13:80 ipip 1",
    "192.168.136.1:80 ipip 1",
    "192.168.136.2:80 * 1",
];
const TUN_LEFT: [&str; 2] = ["192.168.136.13:80 ipip 1", "192.168.136.2:80 * 1"];

const IMPORTED: Story = Story {
    about: "the pair of a keepalived.conf, in the files that `ldird import` makes of it",
    start: imported::start,
    steps: &[
        ("both-up", |stage| stage.both_up(imported::PRIMARY)),
        ("files-are-usable", imported_files),
        ("vip-answers", |stage| stage.answers("/index.html")),
        ("kernel-table", |stage| {
            stage.table(imported::PRIMARY, &IMPORTED_TABLE)
        }),
        ("round-robin", |stage| {
            stage.round_robin(imported::PRIMARY, &IMPORTED_TABLE, &WEBS)
        }),
        ("real-dies", |stage| {
            stage.dies("web2", imported::PRIMARY, &IMPORTED_TABLE[..1], &WEBS[..1])
        }),
        ("real-returns", |stage| {
            stage.returns("web2", imported::PRIMARY, &IMPORTED_TABLE)
        }),
        ("primary-power-loss", |stage| {
            stage.power_loss(imported::PRIMARY, imported::BACKUP)
        }),
        ("backup-balances", |stage| {
            stage.round_robin(imported::BACKUP, &IMPORTED_TABLE, &WEBS)
        }),
        ("primary-returns", |stage| {
            stage.power_returns(imported::PRIMARY)
        }),
    ],
};

const IMPORTED_TABLE: [&str; 2] = ["10.10.0.11:80 gate 1", "10.10.0.12:80 gate 1"];

pub(crate) fn run_nat(programs: &Programs) -> Score {
    NAT.run(programs)
}

pub(crate) fn run_tun(programs: &Programs) -> Score {
    TUN.run(programs)
}

pub(crate) fn run_keepalived(programs: &Programs) -> Score {
    IMPORTED.run(programs)
}

impl Story {
    /// Runs every step and prints a line for each.
    fn run(&self, programs: &Programs) -> Score {
        let began = Instant::now();
        let mut score = Score::default();
        say(&format!("starting {}", self.about));
        let until = began + TOTAL_LIMIT;
        let stage = match (self.start)(programs) {
            Ok(site) => Stage { site, until },
            Err(error) => {
                report(&mut score, "start", Err(error), began);
                return score;
            }
        };
        for (name, step) in self.steps {
            let began = Instant::now();
            report(&mut score, name, step(&stage), began);
        }
        if score.failed > 0 {
            for director in &stage.site.directors {
                let (name, words) = (director.name(), director.last_words());
                say(&format!("the end of hbd's log on {name}:\n{words}"));
            }
        }
        score
    }
}

impl Stage {
    /// What a step may wait: less and less when others have used up the time.
    fn limit(&self) -> Duration {
        let left = self.until.saturating_duration_since(Instant::now());
        left.min(STEP_LIMIT)
    }

    fn director(&self, name: &str) -> Result<&Director> {
        self.site.director(name)
    }

    fn both_up(&self, primary: &str) -> Result<String> {
        let took = self.site.await_owner(primary, self.limit())?;
        Ok(format!(
            "both active, {primary} runs the group after {:.1} s",
            took.as_secs_f64()
        ))
    }

    fn answers(&self, path: &str) -> Result<String> {
        let page = self.site.await_answer(HTTP, path, self.limit())?;
        Ok(format!(
            "http://{}{path}: {}",
            self.site.vip,
            page.body.trim()
        ))
    }

    /// Waits until the director's kernel has exactly these destinations.
    fn await_table(&self, director: &str, wanted: &[&str]) -> Result<Duration> {
        let director = self.director(director)?;
        self.site.await_table(director, HTTP, wanted, self.limit())
    }

    fn table(&self, director: &str, wanted: &[&str]) -> Result<String> {
        self.await_table(director, wanted)?;
        Ok(wanted.join(", "))
    }

    /// With exactly this table, one after the other, each of them answers as often as the others.
    fn round_robin(&self, director: &str, table: &[&str], names: &[&str]) -> Result<String> {
        self.await_table(director, table)?;
        self.site.await_answer(HTTP, "/", self.limit())?;
        let tally = self.load(HTTP)?;
        let share = REQUESTS / names.len();
        let wanted: BTreeMap<String, usize> = names
            .iter()
            .map(|name| ((*name).to_owned(), share))
            .collect();
        ensure!(
            tally.answers == wanted,
            "not one after the other: {tally:?}"
        );
        Ok(counts(&tally))
    }

    fn load(&self, port: u16) -> Result<Tally> {
        let tally = self.site.load(port, REQUESTS, self.limit())?;
        let answered = tally.failures == 0 && tally.total() == REQUESTS;
        ensure!(answered, "of {REQUESTS} requests {tally:?}");
        Ok(tally)
    }

    fn dies(&self, real: &str, director: &str, left: &[&str], names: &[&str]) -> Result<String> {
        self.site.real(real)?.stop(Service::Http)?;
        let took = self.await_table(director, left)?;
        let spread = self.round_robin(director, left, names)?;
        Ok(format!(
            "{real} left after {:.1} s, {spread}",
            took.as_secs_f64()
        ))
    }

    fn returns(&self, real: &str, director: &str, wanted: &[&str]) -> Result<String> {
        self.site.real(real)?.start_and_await(Service::Http)?;
        let took = self.await_table(director, wanted)?;
        Ok(format!("{real} is back after {:.1} s", took.as_secs_f64()))
    }

    fn power_loss(&self, of: &str, heir: &str) -> Result<String> {
        self.director(of)?.power_off()?;
        let lost = Instant::now();
        self.site.await_owner(heir, self.limit())?;
        self.site.await_answer(HTTP, "/", self.limit())?;
        let took = lost.elapsed().as_secs_f64();
        Ok(format!(
            "{heir} serves {took:.1} s after {of} lost its power"
        ))
    }

    fn power_returns(&self, of: &str) -> Result<String> {
        self.director(of)?.power_on()?;
        let took = self.site.await_owner(of, self.limit())?;
        Ok(format!(
            "{of} runs the group again after {:.1} s",
            took.as_secs_f64()
        ))
    }
}

fn counts(tally: &Tally) -> String {
    let one = |(name, count): (&String, &usize)| format!("{name}={count}");
    tally.answers.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// With weights 3 and 1 the first gets three times as many connections; the kernel's counts of those
/// that have just ended make it a little more or less.
fn nat_weights(stage: &Stage) -> Result<String> {
    let director = stage.director(nat::PRIMARY)?;
    stage
        .site
        .await_table(director, nat::WEIGHTED, &WEIGHTS, stage.limit())?;
    stage.site.await_answer(nat::WEIGHTED, "/", stage.limit())?;
    let tally = stage.load(nat::WEIGHTED)?;
    let of = |name: &str| tally.answers.get(name).copied().unwrap_or_default();
    let (more, less) = (of("web1"), of("web2"));
    ensure!(
        less > 0 && more >= 2 * less && more <= 5 * less,
        "not three to one: {tally:?}"
    );
    Ok(format!("wlc at port {}: {}", nat::WEIGHTED, counts(&tally)))
}

/// The one that distributes is no real server behind a tunnel; the other is.
fn tun_roles(stage: &Stage, active: &str, standby: &str) -> Result<String> {
    let role = |name: &str| anyhow::Ok(tun::is_real_server(stage.director(name)?.host()));
    ensure!(
        !role(active)?,
        "tunl0 of {active} is up although it distributes"
    );
    ensure!(
        role(standby)?,
        "tunl0 of {standby} is down although it does not distribute"
    );
    let host = stage.director(active)?.host();
    let carried = host.sh(&format!("ip -o address show to {}/32", tun::VIP))?;
    ensure!(
        carried.contains("eth0"),
        "{active} has the address at {carried}"
    );
    Ok(format!("tunl0 is down on {active} and up on {standby}"))
}

fn tun_standby(stage: &Stage) -> Result<String> {
    stage.director(tun::PRIMARY)?.hbd(&["standby"])?;
    let took = stage.site.await_owner(tun::BACKUP, stage.limit())?;
    stage.await_table(tun::BACKUP, &TUN_SWAPPED)?;
    Ok(format!(
        "{} took over after {:.1} s",
        tun::BACKUP,
        took.as_secs_f64()
    ))
}

fn tun_takeover(stage: &Stage) -> Result<String> {
    stage.director(tun::PRIMARY)?.hbd(&["takeover"])?;
    let took = stage.site.await_owner(tun::PRIMARY, stage.limit())?;
    stage.await_table(tun::PRIMARY, &TUN_TABLE)?;
    Ok(format!(
        "{} has it again after {:.1} s",
        tun::PRIMARY,
        took.as_secs_f64()
    ))
}

/// Both checkers take what the import wrote.
fn imported_files(stage: &Stage) -> Result<String> {
    let mut said = Vec::new();
    for director in &stage.site.directors {
        for (program, words) in [
            ("hbd", &["check"][..]),
            ("ldird", &["ldirectord.cf", "check"]),
        ] {
            let told = director.program(program, words)?;
            let verdict = told.lines().last().unwrap_or_default().trim().to_owned();
            let context = || format!("{program} check on {}", director.name());
            ensure!(verdict.contains("usable"), "{}: {told}", context());
            if !said.contains(&verdict) {
                said.push(verdict);
            }
        }
    }
    wait::until("ldird runs where the group does", stage.limit(), || {
        stage
            .director(imported::PRIMARY)
            .is_ok_and(|one| one.balancing().is_ok())
    })
    .context("the imported ldirectord.cf")?;
    Ok(said.join("; "))
}
