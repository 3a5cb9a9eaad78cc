//! Watching that something stays so: the counterpart of waiting until it is.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Between two looks: many in any period that matters, few enough not to disturb what is watched.
const PACE: Duration = Duration::from_millis(200);

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
