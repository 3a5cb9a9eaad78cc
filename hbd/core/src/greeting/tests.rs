#![expect(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made otherwise; only differences to it are used"
)]

use super::*;
use std::time::Duration;

const ONE: NodeId = NodeId::new(7);
const OTHER: NodeId = NodeId::new(3);

#[test]
fn each_life_of_an_old_peer_is_greeted_once() {
    let mut greeting = Greeting::default();
    let held = HoldSet::Local;
    assert_eq!(greeting.due(&[], held), Due::Nothing);
    assert_eq!(greeting.due(&[ONE], held), Due::Greeting);
    greeting.reported(held);
    assert_eq!(greeting.due(&[ONE], held), Due::Nothing);
    assert_eq!(greeting.due(&[ONE, OTHER], held), Due::Greeting);
    greeting.forget(ONE);
    assert_eq!(greeting.due(&[ONE, OTHER], held), Due::Greeting);
    assert_eq!(greeting.due(&[OTHER], held), Due::Nothing);
}

#[test]
fn a_report_follows_every_change_and_the_return_of_old_peers() {
    let mut greeting = Greeting::default();
    greeting.due(&[ONE], HoldSet::None);
    greeting.reported(HoldSet::None);
    assert_eq!(greeting.due(&[ONE], HoldSet::All), Due::Report);
    assert_eq!(
        greeting.due(&[ONE], HoldSet::All),
        Due::Report,
        "not sent yet"
    );
    greeting.reported(HoldSet::All);
    assert_eq!(greeting.due(&[ONE], HoldSet::All), Due::Nothing);
    assert_eq!(greeting.due(&[], HoldSet::All), Due::Nothing);
    assert_eq!(greeting.due(&[ONE], HoldSet::All), Due::Report);
}

#[test]
fn one_that_returns_from_a_partition_has_time_to_restart() {
    let now = Instant::now();
    let until = now + Duration::from_secs(3);
    let mut greeting = Greeting::default();
    greeting.due(&[ONE], HoldSet::All);
    greeting.returned(ONE, until);
    assert!(greeting.restarts(ONE, now) && !greeting.restarts(OTHER, now));
    assert!(!greeting.restarts(ONE, until), "it has not noticed");
    assert_eq!(greeting.due(&[ONE], HoldSet::All), Due::Greeting);
    greeting.returned(ONE, until);
    greeting.forget(ONE);
    assert!(!greeting.restarts(ONE, now), "it has");
}
