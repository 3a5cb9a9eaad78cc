use super::*;

#[test]
fn a_stranger_is_reported_once_and_a_crowd_is_not_remembered() {
    let mut reception = Reception::default();
    assert!(reception.meet("mallory"));
    assert!(!reception.meet("mallory"));
    let reported = (0..1000).filter(|n| reception.meet(&format!("m{n}")));
    assert_eq!(reported.count(), MAX_STRANGERS - 1);
    assert_eq!(reception.strangers.len(), MAX_STRANGERS);
}

#[test]
fn every_kind_of_refusal_has_its_counter() {
    let mut reception = Reception::default();
    for reason in [
        Reject::BadFrame,
        Reject::BadDigest,
        Reject::UnknownKey,
        Reject::TooLong,
        Reject::Malformed,
        Reject::Malformed,
    ] {
        reception.reject(reason);
    }
    let expected = Counters {
        rejected_frame: 1,
        rejected_digest: 1,
        rejected_key: 1,
        rejected_length: 1,
        rejected_malformed: 2,
        ..Counters::default()
    };
    assert_eq!(reception.counters, expected);
}
