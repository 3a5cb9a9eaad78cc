//! `cargo lab bench failover`: how long a client is not served over HTTP when the address moves, hbd and
//! ldird beside keepalived and the old pair, all in one run under one kernel.
//!
//! The table goes to standard output, with budgets and ratios; nothing is judged.

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ha_status::Timing;

use crate::bed::downloads::Download;
use crate::bed::requests::Requests;
use crate::bed::{modules, packages, program, say, vm, wait};
use crate::scenario::programs::Programs;
use crate::scenario::rivals::{Make, Rivals, WEB};

/// A new connection each 10 ms: what an emulated machine carries beside what is measured.
const INTERVAL: Duration = Duration::from_millis(10);
/// A cluster comes up, or an address moves.
const LIMIT: Duration = Duration::from_secs(60);
/// Served for so long without a longer gap, it is over: announcements are repeated for a second, and a
/// second change of owner would show.
const QUIET: Duration = Duration::from_millis(1500);
/// No answer for so long is not served.
const FRESH: Duration = Duration::from_millis(200);
/// Downloads under way at each event: rr gives each real server half of them.
const DOWNLOADS: usize = 4;
/// For the whole run, boot included.
const RUN_LIMIT: Duration = Duration::from_secs(1500);

const DEADTIME: Duration = Duration::from_secs(1);
const AGREED_BUDGET: Duration = Duration::from_millis(60);
const CRASH_BUDGET: Duration = Duration::from_millis(1100);

/// Who is measured, and how often for each of the rounds that were asked for: the old pair needs half
/// a minute to start, and as long for a takeover.
const MAKES: [(&str, Make); 6] = [
    (
        "hbd + ldird",
        Make::Ours {
            standbytable: false,
            syncdaemon: false,
        },
    ),
    (
        "the same, standbytable=yes",
        Make::Ours {
            standbytable: true,
            syncdaemon: false,
        },
    ),
    (
        "the same, syncdaemon=",
        Make::Ours {
            standbytable: false,
            syncdaemon: true,
        },
    ),
    (
        "keepalived, advert 0.3 s",
        Make::Keepalived { advert_ms: 300 },
    ),
    (
        "keepalived, advert 1 s",
        Make::Keepalived { advert_ms: 1000 },
    ),
    ("heartbeat + ldirectord", Make::Old),
];

/// Builds for use what is measured, and measures it where the kernel has IPVS.
pub fn run(rounds: u32, only_ours: bool) -> Result<()> {
    packages::ensure_programs()?;
    let programs = Programs::build_released()?;
    if modules::kernel_has_ipvs() {
        measure(&programs, rounds, only_ours);
        return Ok(());
    }
    let mut argv = vec![
        program()?.display().to_string(),
        "bench-failover-inside".to_owned(),
    ];
    argv.push(rounds.to_string());
    argv.extend(only_ours.then(|| "--ours".to_owned()));
    let code = vm::run(&vm::Options::command(argv, RUN_LIMIT))?;
    anyhow::ensure!(code == 0, "the measurement ended with exit code {code}");
    Ok(())
}

/// The inner half.
pub fn run_inside(rounds: u32, only_ours: bool) -> Result<()> {
    measure(&Programs::released()?, rounds, only_ours);
    Ok(())
}

/// Outages of one make, by event.
#[derive(Debug, Default)]
struct Outages {
    calm: Vec<Duration>,
    stop: Vec<Duration>,
    failback: Vec<Duration>,
    crash: Vec<Duration>,
    /// Where the kernels tell each other of connections.
    downloads: Option<Downloads>,
    /// What the node that takes says of each event, where it does.
    told: Vec<(&'static str, Timing)>,
}

/// Downloads that were under way at an event: how many of them went on to their end.
#[derive(Debug, Default)]
struct Downloads {
    survived: usize,
    begun: usize,
}

struct Row {
    name: &'static str,
    is_ours: bool,
    outages: Outages,
}

fn measure(programs: &Programs, rounds: u32, only_ours: bool) {
    let mut rows: Vec<Row> = Vec::new();
    for (name, make) in MAKES {
        let is_ours = matches!(make, Make::Ours { .. });
        if only_ours && !is_ours {
            continue;
        }
        let mut outages = Outages::default();
        if let Make::Ours {
            syncdaemon: true, ..
        } = make
        {
            outages.downloads = Some(Downloads::default());
        }
        // The old pair takes a minute for each round.
        let rounds = if make == Make::Old {
            rounds.min(2)
        } else {
            rounds
        };
        for round in 1..=rounds {
            say(&format!("{name}, round {round} of {rounds}"));
            if let Err(error) = outages.add_round(make, programs) {
                say(&format!("{name}: {error:#}"));
            }
        }
        rows.push(Row {
            name,
            is_ours,
            outages,
        });
    }
    print!("{}", table(&rows));
}

impl Outages {
    /// A cluster of its own for each round: who comes and goes too often is held down.
    fn add_round(&mut self, make: Make, programs: &Programs) -> Result<()> {
        let rivals = Rivals::start(make, programs)?;
        rivals.await_ready(LIMIT)?;
        let requests = Requests::start(rivals.client().clone(), WEB, INTERVAL);
        self.calm.push(outage(&requests, Instant::now())?);
        let stop = self.event(&rivals, &requests, 1, Rivals::stop);
        self.stop.push(stop.context("clean stop")?);
        self.hear("clean stop", rivals.timing(1));
        let failback = self.event(&rivals, &requests, 0, Rivals::begin);
        self.failback.push(failback.context("failback")?);
        self.hear("failback", rivals.timing(0));
        rivals.await_ready(LIMIT)?;
        let crash = self.event(&rivals, &requests, 1, Rivals::power_off);
        self.crash.push(crash.context("power loss")?);
        self.hear("power loss", rivals.timing(1));
        Ok(())
    }

    fn hear(&mut self, event: &'static str, timing: Option<Timing>) {
        self.told.extend(timing.map(|timing| (event, timing)));
    }

    /// Something happens, and then this node has the address: for how long was nobody served?
    fn event(
        &mut self,
        rivals: &Rivals,
        requests: &Requests,
        heir: usize,
        happens: impl FnOnce(&Rivals) -> Result<()>,
    ) -> Result<Duration> {
        let downloads = match self.downloads {
            Some(_) => rivals.begin_downloads(DOWNLOADS, heir, LIMIT)?,
            None => Vec::new(),
        };
        let event = Instant::now();
        happens(rivals)?;
        rivals.await_holder(heir, LIMIT)?;
        let outage = outage(requests, event)?;
        if let Some(seen) = &mut self.downloads {
            seen.add(downloads);
        }
        Ok(outage)
    }
}

impl Downloads {
    fn add(&mut self, downloads: Vec<Download>) {
        self.begun += downloads.len();
        for download in downloads {
            match download.end() {
                Ok(_) => self.survived += 1,
                Err(error) => say(&format!("a download: {error:#}")),
            }
        }
    }
}

/// Waits until clients have been served for a while, and gives the longest time that they were not.
fn outage(requests: &Requests, since: Instant) -> Result<Duration> {
    let begun = Instant::now();
    let mut served_since = None;
    wait::until("clients are served", LIMIT, || {
        let now = Instant::now();
        let served = requests.last().is_some_and(|last| last + FRESH > now);
        if !served {
            served_since = None;
            return false;
        }
        now.duration_since(*served_since.get_or_insert(now)) >= QUIET
    })
    .with_context(|| format!("{:.1} s without an end", begun.elapsed().as_secs_f64()))?;
    Ok(requests.longest_gap(since))
}

fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "HTTP through the address, a new connection each {} ms, deadtime {} s, release builds: \
         ms without an answer, median/worst\n{:<26} {:>12} {:>12} {:>12} {:>14} {:>7}\n",
        INTERVAL.as_millis(),
        DEADTIME.as_secs(),
        "",
        "nothing",
        "clean stop",
        "failback",
        "power loss",
        "rounds",
    );
    for Row { name, outages, .. } in rows {
        let _ = writeln!(
            text,
            "{name:<26} {:>12} {:>12} {:>12} {:>14} {:>7}",
            shown(&outages.calm),
            shown(&outages.stop),
            shown(&outages.failback),
            shown(&outages.crash),
            outages.crash.len(),
        );
    }
    let (ours, others): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.is_ours);
    for our in &ours {
        let _ = writeln!(text, "{}", our.name);
        for other in &others {
            let _ = writeln!(
                text,
                "{:<26} {:>12} {:>12} {:>12} {:>14}",
                format!(" to {}", other.name),
                "",
                ratio(&our.outages.stop, &other.outages.stop),
                ratio(&our.outages.failback, &other.outages.failback),
                ratio(&our.outages.crash, &other.outages.crash),
            );
        }
        within_budgets(&mut text, &our.outages);
        for (event, timing) in &our.outages.told {
            let _ = writeln!(text, " {event}: it ran there after {timing}");
        }
        if let Some(Downloads { survived, begun }) = &our.outages.downloads {
            let _ = writeln!(
                text,
                " established downloads: {survived} of {begun} went on to their end"
            );
        }
    }
    text
}

fn within_budgets(text: &mut String, ours: &Outages) {
    let budgets = [
        ("clean stop", &ours.stop, AGREED_BUDGET),
        ("failback", &ours.failback, AGREED_BUDGET),
        ("power loss", &ours.crash, CRASH_BUDGET),
    ];
    for (what, seen, budget) in budgets {
        let within = seen.iter().filter(|one| **one <= budget).count();
        let _ = writeln!(
            text,
            " {what}: {within} of {} within the budget of {} ms",
            seen.len(),
            budget.as_millis()
        );
    }
}

fn median(seen: &[Duration]) -> Option<Duration> {
    let mut sorted = seen.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

fn shown(seen: &[Duration]) -> String {
    match (median(seen), seen.iter().max()) {
        (Some(median), Some(worst)) => format!("{}/{}", median.as_millis(), worst.as_millis()),
        (None, _) | (_, None) => "-".to_owned(),
    }
}

fn ratio(ours: &[Duration], other: &[Duration]) -> String {
    match (median(ours), median(other)) {
        (Some(ours), Some(other)) => format!("{:.2}", ours.as_secs_f64() / other.as_secs_f64()),
        (None, _) | (_, None) => "-".to_owned(),
    }
}
