//! Late is what comes well after the moment that was asked for.
#![expect(
    clippy::disallowed_methods,
    reason = "a test picks the moment that it starts from"
)]

use super::{LATE, PULSE, Punctual};
use std::time::{Duration, Instant};

#[test]
fn who_is_woken_in_time_has_not_stood_still() {
    let now = Instant::now();
    let mut punctual = Punctual::default();
    assert!(!punctual.wake(now), "nothing was asked for yet");
    punctual.rest(Some(now + PULSE * 9), false, now);
    assert!(!punctual.wake(now + PULSE * 9 + LATE));
    punctual.rest(None, false, now);
    assert!(!punctual.wake(now + PULSE * 99), "nothing to be late for");
}

#[test]
fn a_stop_is_noticed_while_probes_run() {
    let now = Instant::now();
    let mut punctual = Punctual::default();
    punctual.rest(Some(now + PULSE * 9), true, now);
    assert_eq!(punctual.due(), Some(now + PULSE));
    assert!(punctual.wake(now + PULSE + LATE + Duration::from_millis(1)));
}
