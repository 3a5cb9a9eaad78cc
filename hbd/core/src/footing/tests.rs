use super::*;
use crate::extension::Life;
use crate::roster::NodeId;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const PEER: NodeId = NodeId::new(41);

#[expect(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made otherwise; only differences to it are used"
)]
fn standing() -> (Footing, Instant) {
    let footing = Footing {
        carriers: Carriers::new(SECOND * 10),
        namesake: Namesake::new(SECOND * 2),
        deafness: Deafness::new(SECOND),
    };
    (footing, Instant::now())
}

fn plug(footing: &mut Footing, carrier: bool, now: Instant) {
    footing.carriers.set("eth0".to_owned(), carrier, now);
}

#[test]
fn a_node_on_firm_ground_is_not_barred_and_waits_for_nothing() {
    let (mut footing, now) = standing();
    plug(&mut footing, true, now);
    assert_eq!((footing.bar(now), footing.deadline()), (None, None));
}

#[test]
fn a_cut_cable_bars_before_all_else_and_its_return_for_a_while() {
    let (mut footing, now) = standing();
    plug(&mut footing, false, now);
    let life = Life {
        generation: 1,
        wakes: 0,
    };
    footing.namesake.hear(life, true, now);
    assert_eq!(footing.bar(now), Some(Bar::NoCarrier));
    plug(&mut footing, true, now);
    assert_eq!(footing.bar(now), Some(Bar::SameName));
    let silent = now + SECOND * 2;
    assert!(footing.namesake.expire(silent));
    assert_eq!(footing.bar(silent), Some(Bar::CarrierBack));
    let sure = now + SECOND * 10;
    assert_eq!(footing.deadline(), Some(sure));
    footing.settle(sure);
    assert_eq!((footing.bar(sure), footing.deadline()), (None, None));
}

#[test]
fn whoever_is_heard_again_ends_the_doubt_about_the_cable() {
    let (mut footing, now) = standing();
    plug(&mut footing, false, now);
    plug(&mut footing, true, now);
    footing.carriers.heard();
    assert_eq!((footing.bar(now), footing.deadline()), (None, None));
}

#[test]
fn a_peer_that_may_become_deaf_is_waited_for_once() {
    let (mut footing, now) = standing();
    footing.deafness.told(PEER, false, true, now);
    assert_eq!(footing.deadline(), Some(now + SECOND));
    footing.settle(now + SECOND);
    assert!(footing.deafness.is_deaf(PEER, now + SECOND));
    assert_eq!(footing.deadline(), None);
    assert_eq!(footing.bar(now + SECOND), None, "a deaf peer bars nobody");
}
