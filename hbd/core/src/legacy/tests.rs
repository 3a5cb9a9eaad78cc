use super::*;

const GROUP: GroupId = GroupId::new(7);
const OTHER: GroupId = GroupId::new(8);

#[expect(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made otherwise; only differences to it are used"
)]
fn base() -> Instant {
    Instant::now()
}

#[test]
fn a_group_is_asked_for_again_until_there_is_an_answer_and_never_in_haste() {
    let (begin, mut peer) = (base(), Legacy::default());
    assert!(peer.may_be_asked(GROUP, begin));
    peer.asked(GROUP, begin);
    let just_before = begin + ASK_AGAIN.saturating_sub(Duration::from_millis(1));
    assert!(!peer.may_be_asked(GROUP, just_before));
    assert!(peer.may_be_asked(OTHER, just_before), "each for itself");
    assert!(peer.may_be_asked(GROUP, begin + ASK_AGAIN));
    peer.free(GROUP);
    assert!(!peer.may_be_asked(GROUP, begin + ASK_AGAIN * 9));
    assert_eq!(peer.freed().len(), 1);
}

#[test]
fn an_answer_that_nobody_asked_for_frees_nothing() {
    let mut peer = Legacy::default();
    peer.free(GROUP);
    assert!(peer.freed().is_empty());
}

#[test]
fn what_it_asks_for_it_has_not_let_go_of() {
    let (begin, mut peer) = (base(), Legacy::default());
    peer.asked(GROUP, begin);
    peer.free(GROUP);
    let demand = Demand {
        key: "IPaddr::10.0.0.1".to_owned(),
        held: true,
    };
    peer.demand(GROUP, demand.clone());
    assert!(peer.freed().is_empty());
    assert_eq!(peer.demands().collect::<Vec<_>>(), [(GROUP, &demand)]);
    peer.answered(GROUP);
    assert_eq!(peer.demands().count(), 0);
}
