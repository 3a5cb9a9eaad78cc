//! Thousands of director histories from seeds: a model of the kernel's table with faults, real
//! servers that flap and hang, an operator with `ipvsadm`, reloads, kill -9.
//!
//! `LDIRD_HISTORIES` says how many (default 300); `LDIRD_SEED` repeats one, with its timeline.

#![allow(
    clippy::disallowed_methods,
    reason = "the simulator reads its settings and one instant"
)]

mod drawing;
mod history;
mod kernel;
mod random;

/// Seeds that once failed, and always run.
const SEEDS: &str = include_str!("seeds.txt");
const DEFAULT_HISTORIES: u64 = 300;

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
        match history::run(seed) {
            Ok(summary) => println!("history {seed} passed: {summary:?}"),
            Err(story) => fail(seed, &story),
        }
        return;
    }
    let wanted = std::env::var("LDIRD_HISTORIES")
        .ok()
        .and_then(|text| text.parse().ok());
    let old = SEEDS
        .lines()
        .filter_map(|line| line.split('#').next()?.trim().parse().ok());
    let mut total = history::Summary::default();
    let mut count = 0u64;
    for seed in old.chain(0..wanted.unwrap_or(DEFAULT_HISTORIES)) {
        match history::run(seed) {
            Ok(summary) => total.add(&summary),
            Err(story) => fail(seed, &story),
        }
        count += 1;
    }
    println!("{count} director histories passed: {total:?}");
    // A simulation in which nothing happens proves nothing.
    assert!(
        total.edits > count && total.faults > count / 2 && total.reloads > 0,
        "{total:?}"
    );
}

#[test]
fn a_seed_means_the_same_every_time() {
    for seed in 0..20 {
        let runs = [history::run(seed), history::run(seed)];
        let shown = runs.map(|run| format!("{run:?}"));
        assert_eq!(shown[0], shown[1], "history {seed}");
    }
}
