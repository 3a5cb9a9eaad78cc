//! How directors follow each other on a real kernel: a restart is a hand-over, no file empties the
//! table by mistake, and a director is found by its file whatever became of its traces.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::balancing::{CF, FARM, Farm, LIMIT, VIP, weights};
use super::{Case, Place, watch};
use crate::bed::wait;
use crate::scenario::table::Table;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "restarted_ldird_hands_its_table_over",
        place: Place::Kernel,
        run: handed_over,
    },
    Case {
        name: "emptied_or_halved_file_takes_nothing_out",
        place: Place::Kernel,
        run: halved_file,
    },
    Case {
        name: "ldird_is_found_by_its_file_and_runs_once",
        place: Place::Kernel,
        run: found_by_file,
    },
    Case {
        name: "c15_supervised_ldird_tells_its_log_to_its_caller_and_has_no_pid_file",
        place: Place::Kernel,
        run: c15_supervised,
    },
];

/// An automatic reload comes within it: a look each second, and a few to see the file rest.
const AUTORELOAD: Duration = Duration::from_secs(8);

/// Exit code and all that was said.
fn ends(farm: &Farm, words: &[&str]) -> Result<(i32, String)> {
    let output = farm.host().command("ldird")?.args(words).output()?;
    let said = [output.stdout, output.stderr].concat();
    let code = output.status.code().unwrap_or(-1);
    Ok((code, String::from_utf8_lossy(&said).into_owned()))
}

fn expect(farm: &Farm, words: &[&str], code: i32) -> Result<String> {
    let (ended, said) = ends(farm, words)?;
    let words = words.join(" ");
    ensure!(ended == code, "ldird {words} ended with {ended}: {said}");
    Ok(said)
}

/// A supervisor starts it, reads what it says, and ends it by a signal.
fn c15_supervised() -> Result<()> {
    let farm = Farm::new("supervised=yes\nlogfile=\"/srv/unused.log\"\n")?;
    let said = farm.host().folder().join("srv/said");
    fs::create_dir_all(said.parent().context("in a folder")?)?;
    let mut child = farm
        .host()
        .command("ldird")?
        .args([CF, "start"])
        .stdin(Stdio::null())
        .stdout(File::create(&said)?)
        .spawn()?;
    farm.await_count(usize::from(FARM))?;
    let pid_file = farm
        .host()
        .folder()
        .join("run/ldirectord.ldirectord.cf.pid");
    ensure!(!pid_file.exists(), "there is a pid file");
    farm.host().signal("ldird", Signal::TERM);
    ensure!(child.wait()?.success(), "it did not end well");
    let said = fs::read_to_string(said)?;
    for words in [
        "Starting Linux Director",
        "Added real server: 10.10.0.20:80",
        "terminated on signal: TERM",
    ] {
        let line = said.lines().find(|line| line.contains(words));
        let line = line.with_context(|| format!("no {words} in\n{said}"))?;
        // [Www Mmm dd hh:mm:ss yyyy] text
        let stamp = line
            .strip_prefix('[')
            .and_then(|line| line.split_once("] "));
        let stamp = stamp.with_context(|| format!("no date in {line}"))?.0;
        ensure!(stamp.split_whitespace().count() == 5, "the date is {stamp}");
    }
    Ok(())
}

fn second_service() -> String {
    format!("virtual={VIP}:81\n\treal=10.10.0.20:81 gate\n\tchecktype=on\n\n")
}

fn directors(farm: &Farm) -> usize {
    farm.host().processes("ldird").len()
}

fn handed_over() -> Result<()> {
    let farm = Farm::new(&second_service())?;
    farm.start()?;
    let services = || -> Result<usize> { Ok(Table::of(farm.host())?.0.len()) };
    ensure!(services()? == 2, "both services are there");
    let pid = farm.host().processes("ldird");
    let before = first_service(weights(farm.host())?);
    farm.configure("")?;
    let restart = || expect(&farm, &[CF, "restart"], 0).map(drop);
    watch::meanwhile(restart, || {
        let now = first_service(weights(farm.host())?);
        ensure!(now == before, "the table was {before:?} and became {now:?}");
        Ok(())
    })?;
    ensure!(directors(&farm) == 1, "one director runs");
    ensure!(farm.host().processes("ldird") != pid, "it is another one");
    wait::until("the old file's service is gone", LIMIT, || {
        services().is_ok_and(|count| count == 1)
    })?;
    let broken = farm.host().folder().join("etc").join(CF);
    let good = fs::read(&broken)?;
    fs::write(&broken, "nosuch=1\n")?;
    expect(&farm, &[CF, "restart"], 2)?;
    ensure!(directors(&farm) == 1, "a broken file ends nobody");
    let now = first_service(weights(farm.host())?);
    ensure!(now == before, "a broken file made {now:?} of the table");
    fs::write(&broken, good)?;
    expect(&farm, &[CF, "stop"], 0)?;
    ensure!(Table::of(farm.host())?.0.is_empty(), "a stop cleans");
    Ok(())
}

/// Real servers on port 80: those of the service that stays.
fn first_service(weights: BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let rows = weights.into_iter();
    rows.filter(|(address, _)| address.ends_with(":0050"))
        .collect()
}

fn halved_file() -> Result<()> {
    let farm = Farm::new("autoreload=yes")?;
    farm.start()?;
    let path = farm.host().folder().join("etc").join(CF);
    let whole = fs::read_to_string(&path)?;
    let range = format!("10.10.0.20->10.10.0.{}", 20 + FARM - 1);
    ensure!(whole.contains(&range), "no range in {whole}");
    let unchanged = |what: &str| -> Result<()> {
        let count = farm.count()?;
        ensure!(count == usize::from(FARM), "{what} left {count}");
        Ok(())
    };
    fs::write(&path, "")?;
    for verb in ["check", "reload", "restart"] {
        expect(&farm, &[CF, verb], 2)?;
    }
    watch::throughout(AUTORELOAD, || unchanged("an empty file"))?;
    fs::write(&path, whole.replace(&range, "10.10.0.20->10.10.0.24"))?;
    let said = expect(&farm, &[CF, "reload"], 1)?;
    ensure!(said.contains("15 of 20 real servers"), "it said {said}");
    watch::throughout(AUTORELOAD, || unchanged("a quarter of the file"))?;
    expect(&farm, &[CF, "reload", "--force"], 0)?;
    farm.await_count(5)?;
    expect(&farm, &[CF, "stop"], 0).map(drop)
}

fn found_by_file() -> Result<()> {
    let farm = Farm::new("")?;
    farm.start()?;
    let before = Table::of(farm.host())?;
    // Under the other name of the same file, and with no trace of it left.
    expect(&farm, &["status"], 0)?;
    expect(&farm, &["start"], 0)?;
    ensure!(directors(&farm) == 1, "a second one runs");
    let etc = farm.host().folder().join("etc");
    fs::copy(etc.join(CF), etc.join("other.cf"))?;
    let said = expect(&farm, &["other.cf", "start"], 1)?;
    ensure!(said.contains("is already run by"), "it said {said}");
    expect(&farm, &["other.cf", "stop"], 0)?;
    ensure!(
        Table::of(farm.host())? == before,
        "the second file did harm"
    );
    farm.host().sh("rm -f /run/ldird.* /run/ldirectord.*")?;
    expect(&farm, &[CF, "status"], 0)?;
    expect(&farm, &[CF, "start"], 0)?;
    ensure!(directors(&farm) == 1, "a second one runs");
    fs::remove_file(etc.join(CF))?;
    expect(&farm, &["status"], 0)?;
    expect(&farm, &[CF, "stop"], 0)?;
    farm.await_end()?;
    ensure!(Table::of(farm.host())?.0.is_empty(), "a stop cleans");
    expect(&farm, &["status"], 1).map(drop)
}
