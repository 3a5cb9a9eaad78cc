//! hbd and the real heartbeat 3.0.6 through every row of the acceptance scenarios that is about
//! membership and messages (Heartbeat specification 12.2), over each medium that 3.0.6 has, with either
//! daemon on the preferred node. The old daemon's log is the judge: it says what it must, and complains of
//! nothing that it does not complain of beside its like.
//!
//! `LAB_PAIRS` is what is played: `ci` (the usual), `all`, or `old`: pairs of two old daemons, which
//! print what they complain of and when, for `interplay/loud.txt`.

mod log;
mod rows;
mod stage;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use super::roles::node::Place as Who;
use super::{Case, Place};
use crate::bed::say;
use log::{shape, unknown};
use rows::{Row, STORIES, Story};
use stage::{Medium, Setup, Stage};

pub(super) const CASES: &[Case] = &[Case {
    name: "compatibility_of_hbd_with_heartbeat_in_each_row_of_its_acceptance_scenarios",
    place: Place::Here,
    run,
}];

/// For an answer that takes no timer of the old daemon.
const SHORT: Duration = Duration::from_secs(10);
/// Pairs at the same time: they wait nearly all of it.
const TOGETHER: usize = 12;
const DAY: u64 = 86_400;
/// It was seen twice in some 250 stories.
const TELLINGS: usize = 3;

const MEDIA: [Medium; 4] = [Medium::Bcast, Medium::Ucast, Medium::Mcast, Medium::Serial];

/// The variable that names what is played.
const PAIRS: &str = "LAB_PAIRS";

fn run() -> Result<()> {
    let word = std::env::var(PAIRS).unwrap_or_else(|_| "ci".to_owned());
    let pairs = match word.as_str() {
        "ci" => bounded()?,
        "all" => all(false),
        "old" => all(true),
        other => bail!("{PAIRS}={other} is none of ci, all and old"),
    };
    let mut parts = Vec::new();
    for setup in pairs {
        parts.extend(STORIES.iter().map(|story| (setup, story)));
    }
    let mut complaints = BTreeSet::new();
    let mut failures = Vec::new();
    for outcome in play(&parts) {
        match outcome {
            Ok(heard) => complaints.extend(heard),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    if word == "old" {
        for complaint in &complaints {
            println!("{complaint}");
        }
    }
    ensure!(
        failures.is_empty(),
        "{} of {} failed:\n{}",
        failures.len(),
        parts.len(),
        failures.join("\n\n")
    );
    Ok(())
}

fn all(old_pair: bool) -> Vec<Setup> {
    let homes: &[Who] = if old_pair {
        &[Who::Old]
    } else {
        &[Who::Old, Who::New]
    };
    let media = MEDIA.into_iter();
    media
        .flat_map(|medium| homes.iter().map(move |home| (medium, *home)))
        .map(|(medium, home)| Setup {
            medium,
            home,
            old_pair,
        })
        .collect()
}

/// Both roles over unicast and over a serial cable, and one more pair, another one each day.
fn bounded() -> Result<Vec<Setup>> {
    let today = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / DAY;
    let pairs = all(false).into_iter();
    let (always, others): (Vec<_>, Vec<_>) =
        pairs.partition(|one| matches!(one.medium, Medium::Ucast | Medium::Serial));
    let turn = usize::try_from(today)? % others.len();
    say(&format!("today's pair: {}", others[turn]));
    Ok(always.into_iter().chain([others[turn]]).collect())
}

/// Plays them, several at the same time; gives what each complained of.
fn play(parts: &[(Setup, &'static Story)]) -> Vec<Result<BTreeSet<String>>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut outcomes = Vec::new();
        while let Some((setup, story)) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            outcomes.push(tell_whole(*setup, story));
        }
        outcomes
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..TOGETHER).map(|_| scope.spawn(work)).collect();
        let outcomes = workers.into_iter().flat_map(|worker| {
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        outcomes.collect()
    })
}

/// Tells a story in which the old daemon loses a word of its own script from the beginning again: it
/// waits for that word for ever. Seen beside hbd, and while no other daemon ran at all.
fn tell_whole(setup: Setup, story: &Story) -> Result<BTreeSet<String>> {
    for _ in 1..TELLINGS {
        let stage = Stage::build(setup, story.failback)?;
        let told = tell(&stage, story);
        if told.is_ok() || !stage.has_lost_a_word() {
            return told;
        }
        say(&format!(
            "{setup}: {}: heartbeat has lost a word of its own script: again",
            story.name
        ));
    }
    tell(&Stage::build(setup, story.failback)?, story)
}

/// What the old daemons complained of, and when.
fn tell(stage: &Stage, story: &Story) -> Result<BTreeSet<String>> {
    let setup = stage.setup;
    let begun = Instant::now();
    let mut complaints = BTreeSet::new();
    for row in story.rows {
        let heard = perform(row, stage).with_context(|| {
            let words = stage.last_words();
            format!("{setup}, {}, {:?}: {words}", story.name, row.act)
        })?;
        complaints.extend(heard);
    }
    say(&format!(
        "{setup}: {} took {:.0} s",
        story.name,
        begun.elapsed().as_secs_f64()
    ));
    Ok(complaints)
}

fn perform(row: &Row, stage: &Stage) -> Result<BTreeSet<String>> {
    let (since, marks) = (stage.mark(), stage.marks());
    let before = stage.refused()?;
    row.play(stage)?;
    stage.said(since, row.says)?;
    let word = row.act.word();
    let complaints = stage.complaints(marks);
    if !stage.setup.old_pair {
        let unknown = unknown(&complaints, &word);
        ensure!(unknown.is_empty(), "heartbeat complains: {unknown:#?}");
    }
    let refused = stage.refused()?;
    ensure!(
        refused <= before || row.act.turns_keys(),
        "hbd refused {refused} packets and not {before}"
    );
    let shapes = complaints.iter().map(|line| shape(line));
    Ok(shapes.map(|shape| format!("{word} {shape}")).collect())
}
