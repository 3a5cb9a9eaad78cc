//! The scripted demo: each step waits for what it promises and prints one line about it.
//!
//! A step that fails does not end the demo, but all steps together have a limit, so that a cluster that
//! never comes up costs no more time than one that works.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ha_status::NodeStatus;

use crate::bed::host::Host;
use crate::bed::real_server::{RealServer, Service};
use crate::bed::{say, scratch, wait};
use crate::scenario::director::Director;
use crate::scenario::dr::{self, DirectRouting, PRIMARY, real_names, web, web_service};
use crate::scenario::pair::Gaps;
use crate::scenario::programs::Programs;
use crate::scenario::table::{self, Table};
use crate::score::Score;

/// For one step; the slowest take a few seconds under emulation.
const STEP_LIMIT: Duration = Duration::from_secs(40);
/// For all steps together. Less than the emulated machine is given.
const TOTAL_LIMIT: Duration = Duration::from_secs(180);
/// Enough that each of three servers must get some of them.
const REQUESTS: usize = 60;
const PARALLEL: usize = 4;
const BACKUP: &str = "lb2";
/// The real server that is stopped and started.
const VICTIM: usize = 1;

/// A step's name and what it does; it returns what there is to tell.
type Step = (&'static str, fn(&Stage) -> Result<String>);

const STEPS: &[Step] = &[
    ("both-up", both_up),
    ("vip-answers", vip_answers),
    ("ftp-answers", ftp_answers),
    ("load-spread", load_spread),
    ("kernel-table", kernel_table),
    ("packets-counted", packets_counted),
    ("real-dies", real_dies),
    ("real-returns", real_returns),
    ("primary-power-loss", primary_power_loss),
    ("backup-answers", backup_answers),
    ("backup-balances", backup_balances),
    ("primary-returns", primary_returns),
];

/// The cluster and the time that is left.
struct Stage {
    cluster: DirectRouting,
    until: Instant,
}

/// Runs every step and prints a line for each.
pub(super) fn run(programs: &Programs) -> Score {
    let started = Instant::now();
    let until = started + TOTAL_LIMIT;
    let mut score = Score::default();
    say("starting two directors, three real servers and a client");
    let stage = match DirectRouting::start(programs) {
        Ok(cluster) => Stage { cluster, until },
        Err(error) => {
            report(&mut score, "start", Err(error), started);
            return score;
        }
    };
    for (name, step) in STEPS {
        let began = Instant::now();
        report(&mut score, name, step(&stage), began);
    }
    if score.failed > 0 {
        stage.explain();
    }
    score
}

/// Measures outages on the kernel that this runs under, and prints the two lines.
///
/// A busy machine adds its own delays, so being over a budget is told here and judged by the tests.
pub(super) fn measure_gaps(programs: &Programs, score: &mut Score) {
    say("measuring outages: two hosts, keepalive 100 ms, deadtime 1 s, a probe each millisecond");
    let began = Instant::now();
    let measured = Gaps::measure(programs);
    let gaps = measured.as_ref().ok().map(ToString::to_string);
    let verdict = measured.map(|gaps| match gaps.over_budget().as_slice() {
        [] => "all within their budgets".to_owned(),
        late => format!("over budget: {}", late.join(", ")),
    });
    report(score, "outages", verdict, began);
    if let Some(gaps) = gaps {
        println!("{gaps}");
    }
}

/// A demo that could not even be run to its end.
pub(super) fn aborted(error: anyhow::Error) -> Score {
    let mut score = Score::default();
    report(&mut score, "machine", Err(error), Instant::now());
    score
}

pub(super) fn report(score: &mut Score, name: &str, outcome: Result<String>, began: Instant) {
    let seconds = began.elapsed().as_secs_f64();
    match outcome {
        Ok(detail) => {
            println!("step {name} ok {detail} ({seconds:.1} s)");
            score.passed += 1;
        }
        Err(error) => {
            // One line, whatever a program complained of.
            let error = format!("{error:#}").replace('\n', "; ");
            println!("step {name} FAIL {error} ({seconds:.1} s)");
            score.failed += 1;
        }
    }
}

impl Stage {
    /// What a step may wait: less and less when others have used up the time.
    fn limit(&self) -> Duration {
        let left = self.until.saturating_duration_since(Instant::now());
        left.min(STEP_LIMIT)
    }

    fn primary(&self) -> Result<&Director> {
        self.cluster.director(PRIMARY)
    }

    fn backup(&self) -> Result<&Director> {
        self.cluster.director(BACKUP)
    }

    fn victim(&self) -> Result<&RealServer> {
        self.cluster.reals().get(VICTIM).context("a real server")
    }

    /// Requests that all must be answered, by all three real servers.
    fn spread(&self) -> Result<String> {
        let tally = self.cluster.load(REQUESTS, PARALLEL, self.limit())?;
        let counts: Vec<String> = tally
            .answers
            .iter()
            .map(|(name, count)| format!("{name}={count}"))
            .collect();
        let counts = counts.join(" ");
        ensure!(
            tally.failures == 0 && tally.total() == REQUESTS,
            "{counts}, {} of {REQUESTS} failed: {}",
            REQUESTS - tally.total(),
            tally.failure.unwrap_or_default()
        );
        ensure!(
            tally.answers.keys().eq(real_names().iter()),
            "only {counts}"
        );
        Ok(counts)
    }

    /// Waits until the kernel shows so many packets: it adds up its counters every two seconds.
    fn await_counted(&self, host: &Host, address: &str, packets: u64) -> Result<u64> {
        let what = format!("{} counts {packets} packets", host.name());
        wait::for_some(&what, self.limit(), || {
            let counted = table::packets(host, address)?;
            Ok((counted >= packets).then_some(counted))
        })
    }

    /// Shows the ends of the logs and keeps them whole where they outlive an emulated machine.
    fn explain(&self) {
        for director in self.cluster.directors() {
            say(&format!(
                "the end of hbd's log on {}:\n{}",
                director.name(),
                director.last_words()
            ));
            let kept = scratch().join("demo-logs").join(director.name());
            let _ = fs::remove_dir_all(&kept);
            let _ = fs::create_dir_all(&kept);
            let _ = Command::new("cp")
                .arg("-R")
                .arg(director.host().folder().join("log"))
                .arg(&kept)
                .status();
            say(&format!("all its logs: {}", kept.display()));
        }
    }
}

fn both_up(stage: &Stage) -> Result<String> {
    stage.cluster.await_owner(PRIMARY, stage.limit())?;
    Ok(format!(
        "{PRIMARY} and {BACKUP} active, {PRIMARY} runs the group"
    ))
}

fn vip_answers(stage: &Stage) -> Result<String> {
    let page = stage.cluster.await_answer("/test.html", stage.limit())?;
    ensure!(page.body.contains("Test Page"), "{page:?}");
    Ok(format!(
        "http://{}/test.html: {}",
        dr::VIP,
        page.body.trim()
    ))
}

fn ftp_answers(stage: &Stage) -> Result<String> {
    let mut last = None;
    let name = wait::for_some("FTP through the address", stage.limit(), || {
        Ok(stage.cluster.ftp().map_err(|error| last = Some(error)).ok())
    });
    match (name, last) {
        (Ok(name), _) => Ok(format!("ftp://{}/: {name}", dr::VIP)),
        (Err(error), Some(last)) => Err(last.context(error)),
        (Err(error), None) => Err(error),
    }
}

fn load_spread(stage: &Stage) -> Result<String> {
    let cluster = &stage.cluster;
    cluster.await_balanced(stage.primary()?, &real_names(), stage.limit())?;
    stage.spread()
}

/// The kernel, asked by ipvsadm, against what ldird and hbtui show.
fn kernel_table(stage: &Stage) -> Result<String> {
    let director = stage.primary()?;
    let table = Table::of(director.host())?;
    let shown = Table::shown_by(&director.balancing()?);
    ensure!(
        table == shown,
        "the kernel has {}, ldird shows {}",
        table.describe(),
        shown.describe()
    );
    let frame = director.program("hbtui", &["--once", "--width", "120", "--height", "50"])?;
    for (name, service) in &table.0 {
        let address = name
            .split_once(':')
            .map_or(name.as_str(), |(_, address)| address);
        ensure!(frame.contains(address), "hbtui shows no {name}");
        for real in service.destinations.keys() {
            ensure!(
                frame.contains(real.as_str()),
                "hbtui shows no {real}:\n{frame}"
            );
        }
    }
    Ok(table.describe())
}

fn packets_counted(stage: &Stage) -> Result<String> {
    let host = stage.primary()?.host();
    let address = web().to_string();
    let before = table::packets(host, &address)?;
    let tally = stage.cluster.load(REQUESTS, PARALLEL, stage.limit())?;
    ensure!(tally.total() > 0, "no request was answered");
    // A request is a connection of at least four packets towards the server.
    let wanted = 4 * tally.total() as u64;
    let grown = stage.await_counted(host, &address, before + wanted)? - before;
    Ok(format!(
        "the kernel counted {grown} packets for {} requests",
        tally.total()
    ))
}

fn real_dies(stage: &Stage) -> Result<String> {
    let victim = stage.victim()?;
    victim.stop(Service::Http)?;
    let died = Instant::now();
    let name = victim.host().name();
    let others: Vec<&str> = real_names()
        .into_iter()
        .filter(|one| *one != name)
        .collect();
    let active = stage.primary()?;
    stage
        .cluster
        .await_balanced(active, &others, stage.limit())?;
    let took = died.elapsed().as_secs_f64();
    let address = dr::address_of(victim, Service::Http).context("an address")?;
    let left = match Table::of(active.host())?.weight(&web_service(), &address) {
        None => "left the table".to_owned(),
        Some(weight) => format!("has weight {weight}"),
    };
    let tally = stage.cluster.load(REQUESTS, PARALLEL, stage.limit())?;
    ensure!(
        tally.failures == 0 && tally.answers.keys().eq(others.iter()),
        "after that {tally:?}"
    );
    Ok(format!("{name} {left} after {took:.1} s"))
}

fn real_returns(stage: &Stage) -> Result<String> {
    let victim = stage.victim()?;
    victim.start_and_await(Service::Http)?;
    let returned = Instant::now();
    stage
        .cluster
        .await_balanced(stage.primary()?, &real_names(), stage.limit())?;
    let took = returned.elapsed().as_secs_f64();
    let counts = stage.spread()?;
    Ok(format!(
        "{} is back after {took:.1} s: {counts}",
        victim.host().name()
    ))
}

fn primary_power_loss(stage: &Stage) -> Result<String> {
    let backup = stage.backup()?;
    stage.primary()?.power_off()?;
    let lost = Instant::now();
    wait::until("the backup runs the group", stage.limit(), || {
        backup.sees(PRIMARY, NodeStatus::Dead) && backup.serves()
    })?;
    let took = lost.elapsed().as_secs_f64();
    Ok(format!("{BACKUP} took over after {took:.1} s"))
}

fn backup_answers(stage: &Stage) -> Result<String> {
    let page = stage.cluster.await_answer("/test.html", stage.limit())?;
    ensure!(page.body.contains("Test Page"), "{page:?}");
    let address = web().to_string();
    stage.await_counted(stage.backup()?.host(), &address, 1)?;
    Ok(format!("{}, through {BACKUP}", page.body.trim()))
}

fn backup_balances(stage: &Stage) -> Result<String> {
    let cluster = &stage.cluster;
    cluster.await_balanced(stage.backup()?, &real_names(), stage.limit())?;
    stage.spread()
}

fn primary_returns(stage: &Stage) -> Result<String> {
    let primary = stage.primary()?;
    primary.power_on()?;
    let back = Instant::now();
    stage.cluster.await_owner(PRIMARY, stage.limit())?;
    let took = back.elapsed().as_secs_f64();
    let cluster = &stage.cluster;
    cluster.await_balanced(primary, &real_names(), stage.limit())?;
    let counts = stage.spread()?;
    // It keeps its table for a second after its address has gone.
    let backup = stage.backup()?;
    let left = || Table::of(backup.host());
    wait::until("the backup takes its table back", stage.limit(), || {
        left().is_ok_and(|table| table.0.is_empty())
    })
    .with_context(|| left().map_or_else(|e| e.to_string(), |left| left.describe()))?;
    Ok(format!(
        "{PRIMARY} has its group after {took:.1} s: {counts}"
    ))
}
