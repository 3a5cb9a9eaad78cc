//! Watching that something stays so: the counterpart of waiting until it is.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// Between two looks: many in any period that matters, few enough not to disturb what is watched.
const PACE: Duration = Duration::from_millis(200);
/// What is worth watching takes longer than so many looks.
const LOOKS_MIN: u32 = 5;

/// Looks without a pause for as long as the work takes; the first error of either ends it. Too few
/// looks say nothing, and fail.
pub(super) fn meanwhile(
    work: impl FnOnce() -> Result<()> + Send,
    mut look: impl FnMut() -> Result<()>,
) -> Result<()> {
    let looks = thread::scope(|scope| {
        let work = scope.spawn(work);
        let mut looks = 0_u32;
        while !work.is_finished() {
            look()?;
            looks += 1;
        }
        work.join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        anyhow::Ok(looks)
    })?;
    ensure!(looks > LOOKS_MIN, "only {looks} looks say nothing");
    Ok(())
}

/// Looks again and again for a whole period; the first error ends it. At least two looks.
pub(super) fn throughout(period: Duration, mut look: impl FnMut() -> Result<()>) -> Result<()> {
    let started = Instant::now();
    loop {
        let last = started.elapsed() >= period;
        look()?;
        if last {
            return Ok(());
        }
        thread::sleep(PACE);
    }
}
