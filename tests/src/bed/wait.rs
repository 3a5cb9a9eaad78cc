//! Waiting for a condition, with a limit and a name. Nothing in the lab sleeps for a fixed time.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Short against any human or protocol time here, long against the cost of one check.
const POLL: Duration = Duration::from_millis(5);

/// Polls until `check` gives a value; `Ok(None)` means not yet, an error ends the wait at once.
///
/// The condition is checked once more after the limit, so that a slow machine cannot turn an
/// already true condition into a failure.
pub fn for_some<T>(
    what: &str,
    limit: Duration,
    mut check: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let last = start.elapsed() >= limit;
        if let Some(value) = check()? {
            return Ok(value);
        }
        if last {
            bail!("waited {:.1} s in vain: {what}", limit.as_secs_f64());
        }
        thread::sleep(POLL);
    }
}

/// Polls until `check` is true and returns how long that took.
pub fn until(what: &str, limit: Duration, mut check: impl FnMut() -> bool) -> Result<Duration> {
    let start = Instant::now();
    for_some(what, limit, || Ok(check().then_some(())))?;
    Ok(start.elapsed())
}
