//! `cargo lab bench flapping`: memory and descriptors of a director whose real servers come and go
//! without end, a line a minute, and at the end how they grew.

use std::time::{Duration, Instant};

use anyhow::Result;
use ha_status::DirectorSnapshot;

use super::farm::{Check, Farm, Group, Running, Shape, load};
use crate::bed::packages;
use crate::bed::swarm::{Manner, Port};
use crate::bed::usage::Usage;
use crate::scenario::programs::Programs;

const PORT: u16 = 80;
/// A server is well for so long, and then not.
const PERIOD_MS: u64 = 4000;
/// Until memory is what it will be: every server has been up, down, and hanging.
const WARM_UP: Duration = Duration::from_secs(60);
const LINE_EVERY: Duration = Duration::from_secs(60);
/// Between two samples of a line.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// More growth than this is none of an allocator that settles, kilobytes over the whole time.
const FLAT_KB: i64 = 512;

/// What was seen during a minute.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    /// The most of all samples: what is open at once comes and goes with the servers.
    memory_kb: u64,
    descriptors: usize,
}

pub(super) fn run(reals: usize, minutes: u64) -> Result<()> {
    packages::ensure_programs()?;
    let programs = Programs::build_released_with_lab()?;
    let port = Port {
        number: PORT,
        manner: Manner::Flapping(PERIOD_MS),
    };
    let farm = Farm::new(&programs, &[port])?;
    let shape = Shape {
        check: Check::Http,
        groups: &[Group {
            count: reals,
            port: PORT,
        }],
        interval: 1,
        timeout: 3,
    };
    let running = farm.direct(&shape)?;
    println!(
        "{reals} real servers that are well for {} s and fail for {} s, in turns by an error, silence \
         and a closed connection",
        PERIOD_MS / 1000,
        PERIOD_MS / 1000
    );
    watch(&running, WARM_UP)?;
    let mut lines = Vec::new();
    for minute in 1..=minutes {
        let line = watch(&running, LINE_EVERY)?;
        let snapshot = running.snapshot()?;
        println!(
            "minute {minute:>3}: {:>6} kB, {:>4} descriptors at most, {} edits, {} checks, load {}",
            line.memory_kb,
            line.descriptors,
            snapshot.totals.edits,
            snapshot.totals.checks,
            load()
        );
        lines.push(line);
    }
    conclude(&lines, &running.snapshot()?);
    Ok(())
}

fn watch(running: &Running, period: Duration) -> Result<Line> {
    let end = Instant::now() + period;
    let mut line = Line::default();
    while Instant::now() < end {
        std::thread::sleep(SAMPLE_EVERY);
        let Usage {
            memory_kb,
            descriptors,
            ..
        } = running.usage()?;
        line.memory_kb = line.memory_kb.max(memory_kb);
        line.descriptors = line.descriptors.max(descriptors);
    }
    Ok(line)
}

/// The slopes of straight lines through all minutes.
fn conclude(lines: &[Line], end: &DirectorSnapshot) {
    let memory: Vec<f64> = lines.iter().map(|line| line.memory_kb as f64).collect();
    let open: Vec<f64> = lines.iter().map(|line| line.descriptors as f64).collect();
    let growth = slope(&memory) * lines.len() as f64;
    let flat = growth.abs() as i64 <= FLAT_KB;
    println!(
        "memory {:+.1} kB a minute, {:+.0} kB in {} minutes: {}; descriptors {:+.2} a minute; {} edits",
        slope(&memory),
        growth,
        lines.len(),
        if flat { "flat" } else { "NOT FLAT" },
        slope(&open),
        end.totals.edits
    );
}

/// By least squares, for each step; 0 for fewer than two values.
fn slope(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let middle = (count - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / count;
    let steps = values.iter().enumerate();
    let (mut above, mut below) = (0.0, 0.0);
    for (step, value) in steps {
        let apart = step as f64 - middle;
        above += apart * (value - mean);
        below += apart * apart;
    }
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn a_slope_is_what_each_step_adds() {
        assert!((slope(&[5.0, 7.0, 9.0, 11.0]) - 2.0).abs() < 1e-9);
        assert!(slope(&[5.0, 5.0, 5.0]).abs() < 1e-9);
        assert!(slope(&[1.0]).abs() < 1e-9 && slope(&[]).abs() < 1e-9);
    }
}
