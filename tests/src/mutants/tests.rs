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

fn report(killed: &[&str], survivors: &[&str]) -> Report {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Report {
        killed: names(killed),
        survivors: names(survivors),
    }
}

#[test]
fn the_rate_counts_survivors_against_all() {
    let rate = report(&["x", "y"], &["z"]).rate();
    assert_eq!(rate, "2 of 3 mutants killed (66.6 %), 1 survived");
    assert!(report(&[], &[]).rate().contains("100.0 %"));
}

#[test]
fn each_file_has_a_rate_of_its_own() {
    let all = report(&["a.rs: one", "b.rs: two"], &["a.rs: three"]);
    let files = all.by_file();
    let rates: Vec<_> = files.iter().map(|(file, it)| (*file, it.rate())).collect();
    let half = "1 of 2 mutants killed (50.0 %), 1 survived".to_owned();
    let whole = "1 of 1 mutants killed (100.0 %), 0 survived".to_owned();
    assert_eq!(rates, [("a.rs", half), ("b.rs", whole)]);
}
