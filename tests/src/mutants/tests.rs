use super::{Report, explanations, without_position};

#[test]
fn a_survivor_is_named_without_its_position() {
    let line = "hbd/core/src/pace.rs:31:9: replace Pace::late -> bool with true";
    let name = "hbd/core/src/pace.rs: replace Pace::late -> bool with true";
    assert_eq!(without_position(line), name);
}

#[test]
fn every_explanation_has_a_reason() {
    explanations().expect("each line has a reason");
}

#[test]
fn the_rate_counts_survivors_against_all() {
    let report = |killed, survivors: &[&str]| Report {
        killed,
        survivors: survivors.iter().map(|name| (*name).to_owned()).collect(),
    };
    let rate = report(2, &["x"]).rate();
    assert_eq!(rate, "2 of 3 mutants killed (66.6 %), 1 survived");
    assert!(report(0, &[]).rate().contains("100.0 %"));
}
