#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn only_the_last_notices_are_kept() {
    let mut journal = Journal::new(true);
    for number in 0..ClusterSnapshot::RECENT_MAX + 5 {
        journal.tell(Severity::Info, &number.to_string());
    }
    let recent = journal.recent();
    assert_eq!(recent.len(), ClusterSnapshot::RECENT_MAX);
    assert_eq!(recent[0].text, "5");
}

#[test]
fn flood_of_refused_packets_is_told_once_a_minute() {
    let mut journal = Journal::new(true);
    let start = Instant::now();
    assert!(journal.refusal("eth0", Reject::BadFrame, start).is_some());
    for _ in 0..1000 {
        assert_eq!(journal.refusal("eth0", Reject::BadDigest, start), None);
    }
    let later = start + REFUSALS_INTERVAL;
    let text = journal.refusal("eth0", Reject::BadDigest, later).unwrap();
    assert!(text.starts_with("1001 packet(s) refused"), "{text}");
}

#[test]
fn log_badpack_no_silences_them() {
    let mut journal = Journal::new(false);
    let now = Instant::now();
    assert_eq!(journal.refusal("eth0", Reject::BadFrame, now), None);
}
