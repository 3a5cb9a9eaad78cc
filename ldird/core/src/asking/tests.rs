//! Told once, and bounded.
#![expect(
    clippy::disallowed_methods,
    reason = "a test picks the moment that it starts from"
)]

use super::{Asking, TOLD_EVERY};
use crate::config::ProbeId;
use std::time::{Duration, Instant};

#[test]
fn a_want_of_thousands_is_told_when_it_begins_and_when_it_ends() {
    let mut asking = Asking::default();
    let now = Instant::now();
    let told = (0..5000).filter(|id| asking.could_not(ProbeId(*id), now));
    assert_eq!(told.count(), 1);
    let ended: Vec<u32> = (0..5000).filter(|id| asking.asked(ProbeId(*id))).collect();
    assert_eq!(ended, [4999]);
}

#[test]
fn a_want_that_comes_and_goes_is_told_once_a_minute() {
    let mut asking = Asking::default();
    let start = Instant::now();
    let mut told = 0;
    for second in 0..180 {
        let now = start + Duration::from_secs(second);
        told += u32::from(asking.could_not(ProbeId(1), now));
        asking.asked(ProbeId(1));
    }
    assert_eq!(told, 3);
    assert!(asking.could_not(ProbeId(1), start + 4 * TOLD_EVERY));
}

#[test]
fn a_check_that_a_reload_removes_is_not_waited_for() {
    let mut asking = Asking::default();
    asking.could_not(ProbeId(1), Instant::now());
    assert!(asking.retain(|probe| probe != ProbeId(1)));
    assert!(!asking.asked(ProbeId(2)), "said once");
}
