//! Thousands of cluster histories, each made from one seed: the nodes, their order of events,
//! every fault. See `invariants.rs` for what must hold.
//!
//! `HBD_HISTORIES=20000` runs so many (500000 once, before something large is trusted, takes some
//! 40 minutes), `HBD_FIRST=n` begins at another seed, `HBD_SEED=n` repeats one and prints its
//! timeline.

#![allow(clippy::unwrap_used)]

mod cluster;
mod coverage;
mod faults;
mod generator;
mod invariants;
mod network;
mod one_way;
mod scripts;
mod setup;

use cluster::{World, last_lines};
use coverage::Coverage;

/// Histories of a plain `cargo test`.
const HISTORIES: u64 = 500;

/// So many histories meet every pair of state and event, and every message of every sender.
const COVERING: u64 = 20_000;

/// Lines of the timeline that a failure prints.
const LINES: usize = 120;

/// Seeds that once failed. They run always.
const SEEDS: &str = include_str!("seeds.txt");

#[test]
fn histories_keep_their_promises() {
    if let Some(seed) = number("HBD_SEED") {
        let mut world = World::new(seed, true);
        let result = world.run();
        println!("{}", last_lines(world.timeline(), usize::MAX / 2));
        if let Err(violation) = result {
            panic!("seed {seed}: {violation}");
        }
        return;
    }
    let first = number("HBD_FIRST").unwrap_or(1);
    let count = number("HBD_HISTORIES").unwrap_or(HISTORIES);
    let remembered = SEEDS.lines().filter_map(|line| {
        let word = line.split_whitespace().next()?;
        word.parse().ok()
    });
    let seeds: Vec<u64> = remembered.chain(first..first + count).collect();
    let (even, odd) = seeds.split_at(seeds.len() / 2);
    let failed = std::thread::scope(|scope| {
        let halves = [even, odd].map(|half| scope.spawn(|| first_failure(half)));
        halves.map(|half| half.join().expect("a history does not panic"))
    });
    let mut met = Coverage::default();
    for (_, coverage) in &failed {
        met.add(coverage);
    }
    println!("pairs of (state, event) met:\n{}", met.table());
    println!(
        "{} double owners ended while only one heard the other",
        met.yielded
    );
    println!(
        "{} preparations were followed by a start, {} were undone; {} groups went on meanwhile",
        met.fulfilled, met.undone, met.lingered
    );
    if let Some(seed) = failed.iter().filter_map(|(seed, _)| *seed).min() {
        report(seed);
    }
    let surprises = met.surprises();
    assert!(count < COVERING || surprises.is_empty(), "{surprises:#?}");
    assert!(met.yielded > 0, "nobody yields to whom it alone hears");
    assert!(met.gateway_lost > 0, "nobody misses the gateway");
    assert!(
        met.fulfilled > 0 && met.undone > 0,
        "nobody prepares, or nobody for nothing"
    );
    assert!(met.lingered > 0, "nobody goes on until another is ready");
    println!("{} cluster histories passed", seeds.len());
}

/// A history must be the same whenever it is run, or a seed would be worth nothing.
#[test]
fn a_seed_means_the_same_twice() {
    for seed in 1..10 {
        let mut worlds = [World::new(seed, true), World::new(seed, true)];
        let _ = worlds.each_mut().map(World::run);
        let [one, other] = &worlds;
        assert!(one.timeline() == other.timeline(), "seed {seed}");
    }
}

/// The first seed that fails, and what was met up to there.
fn first_failure(seeds: &[u64]) -> (Option<u64>, Coverage) {
    let mut met = Coverage::default();
    for seed in seeds {
        let mut world = World::new(*seed, false);
        let failed = world.run().is_err();
        met.add(&world.coverage);
        met.yielded += world.monitor.yielded;
        met.fulfilled += world.monitor.fulfilled;
        met.undone += world.monitor.undone;
        if failed {
            return (Some(*seed), met);
        }
    }
    (None, met)
}

/// Runs a failed history again and tells it.
fn report(seed: u64) {
    let mut world = World::new(seed, true);
    let Err(violation) = world.run() else {
        panic!("seed {seed} failed once, but not again");
    };
    let lines = last_lines(world.timeline(), LINES);
    panic!(
        "{lines}\nseed {seed}: {violation}\nrepeat: HBD_SEED={seed} \
         cargo test -p hbd-core --test simulation histories -- --nocapture"
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "how many histories to run is the caller's choice"
)]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
