//! Thousands of director histories from seeds: a model of the kernel's table with faults, real
//! servers that flap and hang, an operator with `ipvsadm`, reloads, kill -9.
//!
//! `LDIRD_HISTORIES` says how many (default 500; `cargo lab test` runs 10,000), `LDIRD_FIRST` the
//! first seed; `LDIRD_SEED` repeats one, with its timeline. The long run is half a million, with an optimised build:
//!
//! ```text
//! LDIRD_HISTORIES=500000 cargo test --release -p ldird-core --test simulation -- --nocapture
//! ```

#![allow(
    clippy::disallowed_methods,
    reason = "the simulator reads its settings and one instant"
)]

mod agents;
mod belief;
mod coverage;
mod drawing;
mod history;
mod kernel;
mod random;

use std::num::NonZero;

/// Seeds that once failed, and always run.
const SEEDS: &str = include_str!("seeds.txt");
const DEFAULT_HISTORIES: u64 = 500;
/// So many histories meet every pair of state and input that there is.
const COVERING: u64 = 10_000;

fn fail(seed: u64, story: &history::Failure) -> ! {
    panic!(
        "history {seed} failed: {}\n{}\nrepeat: LDIRD_SEED={seed} \
         cargo test -p ldird-core --test simulation -- --nocapture",
        story.what, story.timeline
    );
}

#[test]
fn histories_keep_the_table_right() {
    if let Some(seed) = std::env::var("LDIRD_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
    {
        let (result, lines) = history::trace(seed);
        println!("{}", lines.join("\n"));
        match result {
            Ok(_) => println!("history {seed} passed"),
            Err(what) => panic!("history {seed} failed: {what}"),
        }
        return;
    }
    let number = |name| {
        let text = std::env::var(name).ok();
        text.and_then(|text| text.parse::<u64>().ok())
    };
    let first = number("LDIRD_FIRST").unwrap_or(0);
    let wanted = number("LDIRD_HISTORIES").unwrap_or(DEFAULT_HISTORIES);
    let old = SEEDS
        .lines()
        .filter_map(|line| line.split('#').next()?.trim().parse().ok());
    let seeds: Vec<u64> = old.chain(first..first.saturating_add(wanted)).collect();
    let count = seeds.len() as u64;
    let total = run_all(&seeds);
    println!("{count} director histories passed");
    let history::Summary {
        steps,
        edits,
        faults,
        reloads,
        restarts,
        stalls,
        turns,
        moments,
        told,
        coverage,
    } = &total;
    println!(
        "{steps} steps, {edits} edits, {faults} faults, {reloads} reloads, {restarts} restarts, \
         {stalls} stalls, {turns} turns, {moments} moments"
    );
    println!("{told:?}");
    println!("pairs of state and input met:\n{}", coverage.table());
    let surprises = coverage.surprises();
    assert!(count < COVERING || surprises.is_empty(), "{surprises:#?}");
    // A simulation in which nothing happens proves nothing.
    assert!(
        total.edits > count
            && total.faults > count / 2
            && total.reloads > 0
            && total.stalls > 0
            && total.turns > 0
            && total.moments > 0
            && total.told.is_whole(),
        "{total:?}"
    );
}

/// Each processor takes its share; the first failure in the order of seeds is told.
fn run_all(seeds: &[u64]) -> history::Summary {
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    let run = |worker: usize| {
        let mut total = history::Summary::default();
        for seed in seeds.iter().skip(worker).step_by(workers) {
            match history::run(*seed) {
                Ok(summary) => total.add(&summary),
                Err(story) => return Err((*seed, story)),
            }
        }
        Ok(total)
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let run = &run;
        let threads = (0..workers).map(|worker| scope.spawn(move || run(worker)));
        let threads: Vec<std::thread::ScopedJoinHandle<'_, _>> = threads.collect();
        let ends = threads.into_iter();
        ends.map(std::thread::ScopedJoinHandle::join).collect()
    });
    let mut total = history::Summary::default();
    let mut failures = Vec::new();
    for result in results {
        match result {
            Ok(Ok(summary)) => total.add(&summary),
            Ok(Err(failure)) => failures.push(failure),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    if let Some((seed, story)) = failures.iter().min_by_key(|(seed, _)| *seed) {
        fail(*seed, story);
    }
    total
}

#[test]
fn a_seed_means_the_same_every_time() {
    for seed in 0..20u64 {
        let [(one, lines), (other, again)] = [history::trace(seed), history::trace(seed)];
        assert_eq!(one, other, "history {seed}");
        assert!(lines == again, "history {seed}");
        let untold = history::run(seed).map_err(|failure| failure.what);
        assert_eq!(one, untold, "history {seed}, told and not");
    }
}
