//! An agreed move of an address with its table, on a real kernel: the next owner has both before the
//! present one lets go, and what it has only for that moment leaves by itself.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::{Case, Place};
use crate::bed::host::Host;
use crate::bed::wait;
use crate::scenario::programs::Programs;
use crate::scenario::rivals::{Make, Rivals, VIP};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "agreed_moves_put_the_address_there_before_it_goes_here",
        place: Place::Kernel,
        run: before_it_goes,
    },
    Case {
        name: "address_of_a_move_that_came_to_nothing_leaves_by_itself",
        place: Place::Kernel,
        run: leaves_by_itself,
    },
];

const OURS: Make = Make::Ours {
    standbytable: false,
    syncdaemon: false,
};
const LIMIT: Duration = Duration::from_secs(60);
/// What the kernel is told of an address that is only prepared, and a second more: it counts whole ones.
const LIFE: Duration = Duration::from_secs(3 + 1);
/// Half a second, half of the deadtime and of what an owner waits.
const LATE: &str = "delay 500ms";

/// Every change of a host's addresses, with its time, from here on.
struct Watch {
    child: Child,
    log: PathBuf,
}

impl Watch {
    fn begin(host: &Host) -> Result<Self> {
        let log = host.folder().join("addresses.log");
        let mut command = host.command("ip")?;
        command.args(["-ts", "-o", "-4", "monitor", "address"]);
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .spawn()?;
        let watch = Self { child, log };
        // Once it tells of this one it tells of every one.
        let mut told = false;
        for last in 2..=250 {
            let mark = format!("127.0.9.{last}/32");
            host.run(&["ip", "address", "add", &mark, "dev", "lo"])?;
            told = wait::until("the watch tells", Duration::from_millis(500), || {
                watch.lines("127.0.9.").is_ok_and(|lines| !lines.is_empty())
            })
            .is_ok();
            host.run(&["ip", "address", "delete", &mark, "dev", "lo"])?;
            if told {
                break;
            }
        }
        ensure!(told, "ip monitor on {} tells nothing", host.name());
        Ok(watch)
    }

    /// Lines about an address.
    fn lines(&self, address: &str) -> Result<Vec<String>> {
        let log = fs::read_to_string(&self.log)?;
        let lines = log.lines().filter(|line| line.contains(address));
        Ok(lines.map(str::to_owned).collect())
    }

    /// When the address came first, and when it went last; times of one clock, as text.
    fn came_and_went(&self) -> Result<(Option<String>, Option<String>)> {
        let lines = self.lines(&format!(" {VIP}/"))?;
        let time = |line: &String| Some(line.split_once(']')?.0.to_owned());
        let is_end = |line: &&String| line.contains("Deleted");
        let came = lines.iter().find(|line| !is_end(line)).and_then(time);
        let went = lines.iter().rfind(is_end).and_then(time);
        Ok((came, went))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn before_it_goes() -> Result<()> {
    let rivals = Rivals::start(OURS, &Programs::find()?)?;
    rivals.await_ready(LIMIT)?;
    let moves: [(&str, usize, Move); 4] = [
        ("clean stop", 1, Rivals::stop),
        ("failback", 0, Rivals::begin),
        ("standby", 1, |rivals| rivals.command(0, &["standby"])),
        ("takeover", 0, |rivals| rivals.command(0, &["takeover"])),
    ];
    for (what, to, perform) in moves {
        let watches = [0, 1].map(|node| Watch::begin(rivals.host(node)));
        let [one, two] = watches;
        let watches = [one?, two?];
        perform(&rivals)?;
        rivals.await_holder(to, LIMIT)?;
        let (came, _) = watches[to].came_and_went()?;
        let (_, went) = watches[1 - to].came_and_went()?;
        println!("    {what}: came {came:?}, went {went:?}");
        let (came, went) = (came.context("it came")?, went.context("it went")?);
        ensure!(
            came < went,
            "{what}: clients found nobody\n{}",
            rivals.last_words()
        );
        wait::until("it runs there", LIMIT, || rivals.timing(to).is_some())?;
        let timing = rivals.timing(to).context("it says how it came")?;
        ensure!(timing.prepared, "{what}: {timing}");
        if what != "clean stop" {
            rivals.await_met(LIMIT)?;
        }
    }
    Ok(())
}

type Move = fn(&Rivals) -> Result<()>;

/// What the next owner says comes late, so that it has the address for a while although the other one
/// still has it too; then it is killed.
fn leaves_by_itself() -> Result<()> {
    let rivals = Rivals::start(OURS, &Programs::find()?)?;
    rivals.await_ready(LIMIT)?;
    let next = rivals.host(1);
    next.impair("eth0", LATE)?;
    thread::scope(|scope| {
        // Answered when all is moved, or is not: this case is about the time until then.
        let _asking = scope.spawn(|| rivals.command(0, &["standby"]));
        killed_half_way(&rivals, next)
    })?;
    next.heal("eth0")?;
    rivals.await_holder(0, LIMIT)
}

fn killed_half_way(rivals: &Rivals, next: &Host) -> Result<()> {
    let has = |host: &Host| host.owns(VIP).unwrap_or(false);
    wait::until("the next owner has the address", LIMIT, || has(next))
        .with_context(|| rivals.last_words())?;
    ensure!(next.signal("hbd", Signal::KILL) > 0, "no hbd to kill");
    let killed = Instant::now();
    let shown = next.run(&["ip", "-4", "address", "show", "dev", "eth0"])?;
    let address = format!(" {VIP}/");
    let mut ours = shown.lines().skip_while(|line| !line.contains(&address));
    let life = ours.nth(1).unwrap_or_default();
    ensure!(
        life.contains("sec") || killed.elapsed() > LIFE,
        "it would stay for ever:\n{shown}\n{}",
        rivals.last_words()
    );
    wait::until("it leaves with who wanted it", LIFE * 2, || !has(next))?;
    Ok(())
}
