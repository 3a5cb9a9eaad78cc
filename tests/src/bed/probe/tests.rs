//! Gaps: what counts, from when, and who stood on either side.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use super::{Answer, Gap, longest_gap};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn answers(start: Instant, list: &[(u64, &str)]) -> Vec<Answer> {
    list.iter()
        .map(|(at, node)| Answer {
            at: start + ms(*at),
            node: (*node).to_owned(),
        })
        .collect()
}

fn gap(length: u64, before: Option<&str>, after: Option<&str>) -> Gap {
    Gap {
        length: ms(length),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    }
}

#[test]
fn longest_gap_names_both_sides() {
    let start = Instant::now();
    let heard = answers(
        start,
        &[(1, "a"), (2, "a"), (52, "b"), (53, "b"), (63, "a")],
    );
    let all = longest_gap(&heard, start, start, start + ms(64));
    assert_eq!(all, gap(50, Some("a"), Some("b")));
}

#[test]
fn gap_that_ended_before_is_not_counted() {
    let start = Instant::now();
    let heard = answers(start, &[(1, "a"), (51, "a"), (52, "a"), (62, "b")]);
    let later = longest_gap(&heard, start, start + ms(52), start + ms(63));
    assert_eq!(later, gap(10, Some("a"), Some("b")));
}

#[test]
fn lasting_silence_counts() {
    let start = Instant::now();
    let heard = answers(start, &[(1, "a")]);
    let lasting = longest_gap(&heard, start, start, start + ms(31));
    assert_eq!(lasting, gap(30, Some("a"), None));
    assert_eq!(
        longest_gap(&[], start, start, start + ms(9)),
        gap(9, None, None)
    );
}
