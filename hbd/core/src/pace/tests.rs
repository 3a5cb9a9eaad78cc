use super::*;

const KEEPALIVE: Duration = Duration::from_secs(1);

#[expect(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made otherwise; only differences to it are used"
)]
fn begun() -> (Pace, Instant) {
    let now = Instant::now();
    let mut pace = Pace::new(KEEPALIVE, now);
    assert!(pace.due(false, now), "the first beat");
    (pace, now)
}

#[test]
fn a_beat_comes_exactly_at_its_time() {
    let (mut pace, now) = begun();
    let beat = now + KEEPALIVE;
    assert_eq!(pace.deadline(), beat);
    assert!(!pace.due(false, now + KEEPALIVE / 2));
    assert!(pace.due(false, beat));
    assert!(!pace.due(false, beat));
}

#[test]
fn news_go_out_at_once_and_do_not_shift_the_beat() {
    let (mut pace, now) = begun();
    assert!(pace.due(true, now + KEEPALIVE / 4));
    assert!(!pace.due(false, now + KEEPALIVE / 4));
    assert_eq!(pace.deadline(), now + KEEPALIVE);
}

#[test]
fn a_flood_of_news_is_thinned_out_but_the_last_word_is_said() {
    let (mut pace, now) = begun();
    let mut said = 0;
    for _ in 0..1000 {
        said += u32::from(pace.due(true, now));
    }
    assert_eq!(said, BURST);
    assert_eq!(pace.deadline(), now + REFILL);
    assert!(pace.due(true, now + REFILL), "what was held back follows");
    assert_eq!(pace.deadline(), now + KEEPALIVE);
}

#[test]
fn missed_beats_are_dropped() {
    let (mut pace, now) = begun();
    let late = now + KEEPALIVE * 5 + KEEPALIVE / 2;
    assert!(pace.due(false, late));
    assert!(!pace.due(false, late));
    assert_eq!(pace.deadline(), late + KEEPALIVE);
}

#[test]
fn a_beat_that_is_a_little_late_does_not_shift_the_next() {
    let (mut pace, now) = begun();
    assert!(pace.due(false, now + KEEPALIVE + KEEPALIVE / 10));
    assert_eq!(pace.deadline(), now + KEEPALIVE * 2);
}

#[test]
fn each_refill_brings_one_credit() {
    let (mut pace, now) = begun();
    let mut ask = |at| pace.due(true, at);
    while ask(now) {}
    assert!(ask(now + REFILL));
    assert!(!ask(now + REFILL), "one credit, not all of them");
    assert!(!ask(now + REFILL + REFILL / 2), "nor one too early");
}
