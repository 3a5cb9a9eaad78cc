//! What a process costs: processor time, memory, descriptors, as the kernel counts them.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::param::clock_ticks_per_second;
use rustix::process::Pid;

/// At one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time, with that of children that have ended; in steps of 10 ms.
    pub cpu: Duration,
    /// How long its threads that live were ready to run and did not: what others took.
    pub waited: Duration,
    /// Resident, kilobytes.
    pub memory_kb: u64,
    pub descriptors: usize,
}

impl Usage {
    pub fn of(pid: Pid) -> Result<Self> {
        let folder = format!("/proc/{pid}");
        let read = |name: &str| {
            let path = format!("{folder}/{name}");
            fs::read_to_string(&path).with_context(|| path)
        };
        Ok(Self {
            cpu: cpu(&read("stat")?)?,
            waited: waited(&folder)?,
            memory_kb: memory(&read("status")?)?,
            descriptors: fs::read_dir(format!("{folder}/fd"))?.count(),
        })
    }

    /// Of several together.
    pub fn of_all(pids: impl IntoIterator<Item = Pid>) -> Result<Self> {
        pids.into_iter().try_fold(Self::default(), |sum, pid| {
            let one = Self::of(pid)?;
            Ok(Self {
                cpu: sum.cpu + one.cpu,
                waited: sum.waited + one.waited,
                memory_kb: sum.memory_kb + one.memory_kb,
                descriptors: sum.descriptors + one.descriptors,
            })
        })
    }
}

/// Fields 14 to 17 of `stat`: utime, stime, cutime, cstime. The second may hold blanks.
fn cpu(stat: &str) -> Result<Duration> {
    let (_, rest) = stat.rsplit_once(") ").context("a line of stat")?;
    let times = rest.split_whitespace().skip(11).take(4);
    let ticks: u64 = times.map(|word| word.parse::<u64>().unwrap_or(0)).sum();
    let per_second = clock_ticks_per_second();
    Ok(Duration::from_micros(ticks * 1_000_000 / per_second))
}

/// The second field of each thread's `schedstat`, nanoseconds.
fn waited(folder: &str) -> Result<Duration> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("{folder}/task"))? {
        // A thread that ended meanwhile waits no more.
        let line = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        let waited = line.split_whitespace().nth(1);
        sum += waited.and_then(|word| word.parse().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(sum))
}

fn memory(status: &str) -> Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let words = line.context("no VmRSS")?;
    let number = words.split_whitespace().next().context("no number")?;
    Ok(number.parse()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_line_of_stat_is_read_behind_the_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 1 2 0 0 100 50 20 10 20 0 1 0 9 1 1";
        let per_second = clock_ticks_per_second();
        let sum = Duration::from_micros(180 * 1_000_000 / per_second);
        assert_eq!(cpu(stat).unwrap(), sum);
    }

    #[test]
    fn this_process_has_memory_and_descriptors() {
        let usage = Usage::of(rustix::process::getpid()).unwrap();
        assert!(usage.memory_kb > 100 && usage.descriptors > 2, "{usage:?}");
    }
}
