//! `cargo lab bench checks`: ten thousand real servers, each asked every second, on one processor;
//! what a check costs, and how late it begins.
//!
//! `cargo lab bench hanging`: how soon servers are up after a start, and how soon a death is seen,
//! while others hang.

use std::time::Duration;

use anyhow::{Context, Result};
use ha_status::Health;

use super::farm::{Check, Farm, Group, Shape, load, wall_ms};
use crate::bed::packages;
use crate::bed::swarm::{Manner, Port};
use crate::bed::usage::Usage;
use crate::scenario::programs::Programs;

/// Late by so much at the 99th percentile is within the budget.
const LATENESS: Duration = Duration::from_millis(20);
/// Until a death is seen, and until all are up: interval and time-out.
const NOTICED: Duration = Duration::from_secs(4);
/// Before measuring: the burst of the first round is over, and forgotten by the figures of lateness.
const SETTLE: Duration = Duration::from_secs(65);
const UP_LIMIT: Duration = Duration::from_secs(60);

const HTTP: u16 = 80;
const SILENT: u16 = 81;
const DEAF: u16 = 82;
/// Those that will die: their ports are closed, or fall silent, or deaf.
const CLOSING: u16 = 83;
const FREEZING: u16 = 84;
/// Of either kind.
const VICTIMS: usize = 5;

fn port(number: u16, manner: Manner) -> Port {
    Port { number, manner }
}

/// So many servers, for so long.
pub(super) fn throughput(reals: usize, period: Duration) -> Result<()> {
    let programs = prepare()?;
    for check in [Check::Connect, Check::Http] {
        // A bench of one kind goes on where the other cannot be measured.
        if let Err(error) = measure(&programs, check, reals, period) {
            println!("{}: {error:#}", check.name());
        }
    }
    Ok(())
}

fn measure(programs: &Programs, check: Check, reals: usize, period: Duration) -> Result<()> {
    let farm = Farm::new(programs, &[port(HTTP, manner(check))])?;
    let shape = Shape {
        check,
        groups: &[Group {
            count: reals,
            port: HTTP,
        }],
        interval: 1,
        timeout: 3,
    };
    let running = farm.direct(&shape)?;
    let up = running.await_all(&[HTTP], Health::Up, UP_LIMIT)?;
    println!(
        "{reals} real servers, {}, every second, ldird on one processor; load {}",
        check.name(),
        load()
    );
    println!("  all up after {} ms", up.saturating_sub(running.begun_ms));
    std::thread::sleep(SETTLE.saturating_sub(running.begun.elapsed()));
    let checks = running.snapshot()?.totals.checks;
    let begun = std::time::Instant::now();
    let before = running.usage()?;
    std::thread::sleep(period);
    let after = running.usage()?;
    let passed = begun.elapsed();
    let totals = running.snapshot()?.totals;
    report(
        totals.checks.saturating_sub(checks),
        passed,
        &before,
        &after,
    );
    let late = &totals.lateness;
    let p99 = Duration::from_micros(late.p99_us);
    println!(
        "  begun late by {:.1} ms (median), {:.1} ms (99 %), {:.1} ms (worst) of {} checks, {} the \
         budget of {} ms",
        ms(late.median_us),
        ms(late.p99_us),
        ms(late.worst_us),
        late.checks,
        verdict(p99 <= LATENESS),
        LATENESS.as_millis(),
    );
    if totals.checks_failed + totals.checks_unasked > 0 {
        println!(
            "  {} checks failed, {} could not be asked",
            totals.checks_failed, totals.checks_unasked
        );
    }
    println!("  load {}", load());
    Ok(())
}

fn manner(check: Check) -> Manner {
    match check {
        Check::Connect => Manner::Open,
        Check::Http | Check::HttpStatus => Manner::Http,
    }
}

fn report(checks: u64, passed: Duration, before: &Usage, after: &Usage) {
    let seconds = passed.as_secs_f64();
    let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
    let waited = after.waited.saturating_sub(before.waited).as_secs_f64();
    println!(
        "  {:.0} checks a second, {:.1} us of processor each, {:.0} % of the processor, \
         {:.0} % waiting for it (others had it)",
        checks as f64 / seconds,
        cpu * 1e6 / checks.max(1) as f64,
        cpu * 100.0 / seconds,
        waited * 100.0 / seconds,
    );
    println!(
        "  memory {:.1} MB, {} descriptors",
        after.memory_kb as f64 / 1024.0,
        after.descriptors
    );
}

fn ms(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1000.0
}

fn verdict(within: bool) -> &'static str {
    if within { "within" } else { "OVER" }
}

/// Sizes: of all, and of these hanging.
const SIZES: [(usize, usize); 3] = [(50, 5), (1000, 500), (10_000, 5000)];

pub(super) fn hanging() -> Result<()> {
    let programs = prepare()?;
    println!(
        "interval 1 s, time-out 3 s; load {}\n\
         ldirectord 4.12, measured with 50 of which 5 hang: all up after 35 s, a death seen after 15 s",
        load()
    );
    for check in [Check::Connect, Check::Http] {
        for (all, hanging) in SIZES {
            let outcome = hang(&programs, check, all, hanging);
            outcome.with_context(|| format!("{} {all}/{hanging}", check.name()))?;
        }
    }
    Ok(())
}

fn hang(programs: &Programs, check: Check, all: usize, hanging: usize) -> Result<()> {
    let group = |count, port| Group { count, port };
    // A connection is all that a connect check asks for.
    let silent = match check {
        Check::Connect => 0,
        Check::Http | Check::HttpStatus => hanging / 2,
    };
    let well = [HTTP, CLOSING, FREEZING];
    let groups = [
        group(all - hanging - 2 * VICTIMS, HTTP),
        group(silent, SILENT),
        group(hanging - silent, DEAF),
        group(VICTIMS, CLOSING),
        group(VICTIMS, FREEZING),
    ];
    let shape = Shape {
        check,
        groups: &groups,
        interval: 1,
        timeout: 3,
    };
    let ports = well.map(|number| port(number, manner(check)));
    let mut ports = ports.to_vec();
    ports.extend([port(SILENT, Manner::Silent), port(DEAF, Manner::Deaf)]);
    let mut farm = Farm::new(programs, &ports)?;
    let running = farm.direct(&shape)?;
    let up = running.await_all(&well, Health::Up, UP_LIMIT)?;
    running.await_all(&[SILENT, DEAF], Health::Down, UP_LIMIT)?;
    let frozen = match check {
        Check::Connect => Manner::Deaf,
        Check::Http | Check::HttpStatus => Manner::Silent,
    };
    let died = wall_ms();
    farm.swarm
        .turn(&[port(CLOSING, Manner::Closed), port(FREEZING, frozen)])?;
    let refused = running.await_all(&[CLOSING], Health::Down, UP_LIMIT)?;
    let mute = running.await_all(&[FREEZING], Health::Down, UP_LIMIT)?;
    println!(
        "{all} real servers of which {hanging} hang, {}: load {}",
        check.name(),
        load()
    );
    for (what, since, at) in [
        ("all others up after a start", running.begun_ms, up),
        ("a death by refusal seen, the last of 5", died, refused),
        ("a death by silence seen, the last of 5", died, mute),
    ] {
        let took = Duration::from_millis(at.saturating_sub(since));
        println!(
            "  {what:<42} {:>6.2} s, {} the budget of {} s",
            took.as_secs_f64(),
            verdict(took <= NOTICED),
            NOTICED.as_secs()
        );
    }
    Ok(())
}

/// What is measured is ldird as it is installed, beside servers that are not what is slow, whatever
/// the lab is built as.
fn prepare() -> Result<Programs> {
    packages::ensure_programs()?;
    Programs::build_released_with_lab()
}
