//! The files that people have: thousands of generated ha.cf, haresources and authkeys, judged by the
//! real Heartbeat 3.0.6 at its start and by `hbd check --offline`. Where the two disagree, the
//! reason stands in [`known`], or it is a fault of ours.
//!
//! `LAB_SEED` draws other files than those of every run, `LAB_FILES` sets how many of each, and
//! `LAB_FILE` is the name of the only one that is wanted.

mod grammar;
mod judges;
mod known;
mod manager;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use tempfile::TempDir;

use super::random::Random;
use super::{Case as Promise, Place, amount};
use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::say;
use crate::scenario::programs::Programs;
use judges::Verdict;

pub(super) const CASES: &[Promise] = &[Promise {
    name: "hbd_check_and_heartbeat_agree_on_the_files_that_people_have",
    place: Place::Here,
    run: agree,
}];

/// What the files of every run are drawn from.
const SEED: u64 = 20_260_714;
/// Generated files of each kind.
const FILES: usize = 5_000;
/// So many unexplained cases are made small and shown.
const SHOWN: usize = 30;

/// Which of the files is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum File {
    HaCf,
    Haresources,
    Authkeys,
}

impl File {
    const ALL: [Self; 3] = [Self::HaCf, Self::Haresources, Self::Authkeys];

    fn name(self) -> &'static str {
        match self {
            Self::HaCf => "ha.cf",
            Self::Haresources => "haresources",
            Self::Authkeys => "authkeys",
        }
    }
}

/// One generated file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Case {
    file: File,
    lines: Vec<String>,
}

impl Case {
    fn text(&self) -> String {
        self.lines
            .iter()
            .flat_map(|line| [line.as_str(), "\n"])
            .collect()
    }

    /// Without one of its lines.
    fn without(&self, line: usize) -> Self {
        let mut shorter = self.clone();
        shorter.lines.remove(line);
        shorter
    }
}

/// The machine that both judges see, and their programs.
struct Court {
    host: Host,
    programs: Programs,
    /// Where the files lie: in memory if possible, for there are tens of thousands.
    desk: TempDir,
}

const MEMORY: &str = "/dev/shm";

fn agree() -> Result<()> {
    let seed = amount("LAB_SEED", SEED)?;
    let files = usize::try_from(amount("LAB_FILES", FILES as u64)?)?;
    let court = Court::convene()?;
    let mut unexplained = Vec::new();
    let only = std::env::var("LAB_FILE").ok();
    let wanted = |file: &File| only.as_ref().is_none_or(|name| name == file.name());
    for file in File::ALL.into_iter().filter(wanted) {
        let begun = Instant::now();
        let mut random = Random::new(seed.wrapping_add(file as u64));
        let cases: Vec<Case> = (0..files)
            .map(|_| Case {
                file,
                lines: grammar::file(&mut random, file),
            })
            .collect();
        let verdicts = court.judge(&cases)?;
        let mut tally = Tally::default();
        let mut open = Vec::new();
        for (case, (old, new)) in cases.iter().zip(&verdicts) {
            match tally.count(case, old, new) {
                Agreement::Same | Agreement::Explained => {}
                Agreement::Open => open.push(case),
            }
        }
        say(&format!(
            "{}: seed {seed}, {files} files in {:.1} s: {}",
            file.name(),
            begun.elapsed().as_secs_f32(),
            tally.summary()
        ));
        ensure!(
            tally.both_accept * 10 > files && tally.both_refuse * 10 > files,
            "{} of the generator says too little: {}",
            file.name(),
            tally.summary()
        );
        for case in open.iter().take(SHOWN) {
            let small = court.shrink((*case).clone())?;
            if !unexplained.contains(&small) {
                unexplained.push(small);
            }
        }
        if open.len() > SHOWN {
            unexplained.push(format!("{} more of {}", open.len() - SHOWN, file.name()));
        }
        if file == File::Haresources {
            let accepted = cases.iter().zip(&verdicts);
            let accepted = accepted.filter(|(_, (_, new))| new.accepted);
            let pairs: Vec<(&Case, &str)> = accepted
                .map(|(case, (_, new))| (case, new.said.as_str()))
                .collect();
            unexplained.extend(manager::compare(&court.host, &pairs)?);
        }
    }
    if !unexplained.is_empty() {
        bail!("seed {seed}: unexplained\n{}", unexplained.join("\n"));
    }
    Ok(())
}

/// What becomes of two verdicts.
enum Agreement {
    Same,
    Explained,
    Open,
}

#[derive(Debug, Default)]
struct Tally {
    both_accept: usize,
    both_refuse: usize,
    known: BTreeMap<&'static str, usize>,
    open: usize,
}

impl Tally {
    fn count(&mut self, case: &Case, old: &Verdict, new: &Verdict) -> Agreement {
        if old.accepted == new.accepted {
            if old.accepted {
                self.both_accept += 1;
            } else {
                self.both_refuse += 1;
            }
            return Agreement::Same;
        }
        if let Some(reason) = known::reason(case, old, new) {
            *self.known.entry(reason).or_default() += 1;
            Agreement::Explained
        } else {
            self.open += 1;
            Agreement::Open
        }
    }

    fn summary(&self) -> String {
        let known: Vec<String> = self
            .known
            .iter()
            .map(|(reason, count)| format!("\n    {count} times: {reason}"))
            .collect();
        format!(
            "both take {}, both refuse {}, {} unexplained, {} explained{}",
            self.both_accept,
            self.both_refuse,
            self.open,
            self.known.values().sum::<usize>(),
            known.concat()
        )
    }
}

impl Court {
    fn convene() -> Result<Self> {
        let network = Network::new()?;
        network.segment("lan")?;
        network.segment("cable")?;
        let host = network
            .host("lb1")
            .nic("lan", &["10.77.0.1/24"])
            .nic("cable", &["10.78.0.1/24"])
            .power_on()?;
        host.sh("mkdir -p /run/heartbeat/rsctmp")?;
        Ok(Self {
            host,
            programs: Programs::find()?,
            desk: tempfile::tempdir_in(MEMORY).or_else(|_| tempfile::tempdir())?,
        })
    }

    /// Leaves out lines as long as the two still disagree without a reason; what remains, as text.
    fn shrink(&self, mut case: Case) -> Result<String> {
        let mut last = self.judge(std::slice::from_ref(&case))?.remove(0);
        loop {
            let shorter: Vec<Case> = (0..case.lines.len())
                .map(|line| case.without(line))
                .collect();
            let verdicts = self.judge(&shorter)?;
            let open = shorter
                .into_iter()
                .zip(verdicts)
                .find(|(case, (old, new))| {
                    old.accepted != new.accepted && known::reason(case, old, new).is_none()
                });
            match open {
                Some((next, verdicts)) => (case, last) = (next, verdicts),
                None => break,
            }
        }
        let (old, new) = last;
        let word = |verdict: &Verdict| if verdict.accepted { "takes" } else { "refuses" };
        let faults = new.said.lines().filter(|line| {
            line.starts_with("error") || line.starts_with("warning") || line.contains(" | ")
        });
        Ok(format!(
            "--- {}: {:?}\nheartbeat {}: {}\nhbd {}: {}",
            case.file.name(),
            case.text(),
            word(&old),
            old.said.trim(),
            word(&new),
            faults.collect::<Vec<_>>().join("\n    ")
        ))
    }

    fn judge(&self, cases: &[Case]) -> Result<Vec<(Verdict, Verdict)>> {
        judges::both(&self.host, &self.programs, self.desk.path(), cases)
    }
}
