//! Reading cargo's summaries.

use super::{Score, score_of};

#[test]
fn summaries_add_up() {
    let text = "running 2 tests\n\
        test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
        test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n";
    assert_eq!(
        score_of(text),
        Score {
            passed: 15,
            failed: 2
        }
    );
}
