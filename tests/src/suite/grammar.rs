//! ldird's reading of ldirectord.cf against ldirectord 4.12's own parser: thousands of generated files,
//! compared in acceptance and in meaning. Each difference is mended or has its reason in `compare`.

mod cases;
mod compare;
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use self::compare::Finding;
use super::{Case, Place, amount};
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[Case {
    name: "ldirectord_cf_is_read_as_ldirectord_reads_it",
    place: Place::Here,
    run: same_reading,
}];

const ORACLE: &str = include_str!("grammar/oracle.pl");
const LDIRECTORD: &str = "/usr/sbin/ldirectord";
/// From seed 0 on, or from that of `LAB_SEED` for files that nobody has seen.
const FILES: usize = 6_000;
/// Files of one run of the new program.
const BATCH: usize = 500;
/// Differences whose description begins with the same so many bytes are of one kind.
const KIND: usize = 48;
/// Kinds of differences that are shown, one case each, reduced.
const SHOWN: usize = 10;

fn same_reading() -> Result<()> {
    let start = Instant::now();
    let first = amount("LAB_SEED", 0)?;
    let seeds: Vec<u64> = (first..).take(FILES).collect();
    let mut readers = Readers::start()?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unexplained: Vec<(u64, String, String)> = Vec::new();
    for batch in seeds.chunks(BATCH) {
        let texts: Vec<String> = batch.iter().map(|seed| cases::file(*seed)).collect();
        let findings = readers.judge(&texts)?;
        for ((seed, text), finding) in batch.iter().zip(texts).zip(findings) {
            match finding {
                Finding::Equal => *counts.entry("equal").or_default() += 1,
                Finding::Listed(reason) => *counts.entry(reason).or_default() += 1,
                Finding::Unexplained(why) => unexplained.push((*seed, text, why)),
            }
        }
    }
    println!(
        "    {} files in {:.1} s, seeds from {first}",
        seeds.len(),
        start.elapsed().as_secs_f32()
    );
    for (reason, count) in &counts {
        println!("    {count:6} {reason}");
    }
    // One of each kind: many files may have the same fault.
    let kinds: BTreeMap<&str, &(u64, String, String)> = unexplained
        .iter()
        .rev()
        .map(|one| (one.2.get(..KIND).unwrap_or(&one.2), one))
        .collect();
    for (seed, text, why) in kinds.into_values().take(SHOWN) {
        let (text, why) = readers.reduce(text, why)?;
        println!("    seed {seed}: {why}");
        text.lines().for_each(|line| println!("      | {line:?}"));
    }
    ensure!(
        unexplained.is_empty(),
        "{} differences without a listed reason",
        unexplained.len()
    );
    Ok(())
}

/// Both programs, and a folder for what they read.
struct Readers {
    folder: tempfile::TempDir,
    ldird: PathBuf,
    oracle: Oracle,
}

impl Readers {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let script = folder.path().join("oracle.pl");
        fs::write(&script, ORACLE)?;
        Ok(Self {
            oracle: Oracle::start(&script, folder.path())?,
            ldird: Programs::find()?.path("ldird"),
            folder,
        })
    }

    fn judge(&mut self, texts: &[String]) -> Result<Vec<Finding>> {
        let mut paths = Vec::new();
        for (number, text) in texts.iter().enumerate() {
            let path = self.folder.path().join(format!("{number}.cf"));
            fs::write(&path, text)?;
            paths.push(path);
        }
        let new = self.read_here(&paths)?;
        let old = self.oracle.read(&paths)?;
        let both = texts.iter().zip(old.iter().zip(&new));
        Ok(both
            .map(|(text, (old, new))| compare::judge(text, old, new))
            .collect())
    }

    fn read_here(&self, paths: &[PathBuf]) -> Result<Vec<Value>> {
        let output = Command::new(&self.ldird)
            .args(["check", "--json", "--offline"])
            .args(paths)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let readings: Vec<Value> = text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()?;
        ensure!(
            readings.len() == paths.len(),
            "ldird lost some of the files"
        );
        Ok(readings)
    }

    /// Leaves out every line that the difference does not need.
    fn reduce(&mut self, text: &str, why: &str) -> Result<(String, String)> {
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        let mut why = why.to_owned();
        let mut at = 0;
        while at < lines.len() {
            let mut fewer = lines.clone();
            fewer.remove(at);
            let finding = self.judge(&[fewer.concat()])?.pop();
            match finding {
                Some(Finding::Unexplained(still)) => {
                    lines = fewer;
                    why = still;
                }
                Some(Finding::Equal | Finding::Listed(_)) | None => at += 1,
            }
        }
        Ok((lines.concat(), why))
    }
}

/// The old daemon's parser in a process of its own.
struct Oracle {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Oracle {
    /// It opens every log and monitor file that it reads of, so it stands in `folder`.
    fn start(script: &Path, folder: &Path) -> Result<Self> {
        let mut process = Command::new("perl")
            .arg(script)
            .arg(LDIRECTORD)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run perl")?;
        let input = process.stdin.take().context("a pipe to perl")?;
        let output = process.stdout.take().context("a pipe from perl")?;
        Ok(Self {
            process,
            input,
            output: BufReader::new(output),
        })
    }

    fn read(&mut self, paths: &[PathBuf]) -> Result<Vec<Value>> {
        let mut readings = Vec::new();
        for path in paths {
            writeln!(self.input, "{}", path.display())?;
            self.input.flush()?;
            let mut line = String::new();
            self.output.read_line(&mut line)?;
            let reading = serde_json::from_str(&line);
            readings.push(reading.with_context(|| format!("the oracle said {line:?}"))?);
        }
        Ok(readings)
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
