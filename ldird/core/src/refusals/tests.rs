//! Told once each, tried later and later, and none hides another.
#![expect(
    clippy::disallowed_methods,
    reason = "a test picks the moment that it starts from"
)]

use super::{RETRY_FIRST, RETRY_MAX, Refusals};
use crate::table::{Edit, ServiceKey};
use std::time::{Duration, Instant};

fn service(mark: u32) -> ServiceKey {
    ServiceKey::Fwmark { mark, v6: false }
}

fn edit(mark: u32) -> Edit {
    Edit::DeleteService(service(mark))
}

fn error() -> String {
    "Invalid argument".to_owned()
}

#[test]
fn a_refusal_that_lasts_is_told_once_and_tried_once_a_minute_in_the_end() {
    let mut refusals = Refusals::default();
    let start = Instant::now();
    let mut now = start;
    let (mut told, mut tries) = (0, 0);
    while now < start + 10 * RETRY_MAX {
        told += u32::from(refusals.add(edit(1), error(), now));
        tries += 1;
        assert!(refusals.hold(&edit(1), now));
        now = refusals.deadline().unwrap_or(now);
        assert!(!refusals.hold(&edit(1), now), "due");
        let due: Vec<ServiceKey> = refusals.due(now).collect();
        assert_eq!(due, [service(1)]);
    }
    assert_eq!(told, 1);
    assert!((12..20).contains(&tries), "{tries}");
}

#[test]
fn a_later_refusal_is_told_while_an_earlier_one_lasts() {
    let mut refusals = Refusals::default();
    let now = Instant::now();
    assert!(refusals.add(edit(1), error(), now));
    assert!(refusals.add(edit(2), error(), now));
    refusals.made(&edit(2));
    assert!(refusals.add(edit(2), error(), now), "it had been mended");
    assert!(!refusals.add(edit(1), error(), now));
    assert!(refusals.add(edit(1), "another".to_owned(), now));
}

#[test]
fn what_is_wanted_now_is_tried_at_once() {
    let mut refusals = Refusals::default();
    let now = Instant::now();
    let Edit::DeleteService(key) = edit(1) else {
        unreachable!("it is one")
    };
    refusals.add(edit(1), error(), now);
    refusals.needed(key, &[]);
    assert_eq!(refusals.deadline(), None, "nothing is left to try");
    refusals.add(edit(1), error(), now);
    refusals.hurry(now);
    assert!(!refusals.hold(&edit(1), now), "a reload tries everything");
    assert!(
        !refusals.add(edit(1), error(), now),
        "and tells nothing twice"
    );
    assert_eq!(refusals.deadline(), Some(now + RETRY_FIRST));
}

#[test]
fn what_has_to_wait_is_not_due_for_ever() {
    let mut refusals = Refusals::default();
    let now = Instant::now();
    refusals.add(edit(1), error(), now);
    let due = now + RETRY_FIRST;
    refusals.postpone(&edit(1), due);
    assert_eq!(refusals.due(due).count(), 0);
    assert!(refusals.deadline() > Some(due + Duration::from_millis(1)));
}
