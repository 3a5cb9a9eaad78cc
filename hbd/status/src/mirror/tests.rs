//! Numbering: what fits is taken, what does not is named.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{Severity, change::tests::pair_of_nodes};

fn notice(seq: u64) -> Reply {
    let notice = Notice {
        at_ms: seq,
        severity: Severity::Info,
        text: "link eth0: up".to_owned(),
    };
    Reply::Notice { seq, notice }
}

fn snapshot(seq: u64) -> Reply {
    let snapshot = Snapshot::Cluster(pair_of_nodes());
    Reply::Snapshot { seq, snapshot }
}

#[test]
fn a_missed_or_doubled_line_is_a_gap_until_the_next_snapshot() {
    let mut mirror = Mirror::default();
    mirror.take(snapshot(7)).unwrap();
    mirror.take(notice(8)).unwrap();
    let doubled = Gap {
        expected: 9,
        found: 8,
    };
    assert_eq!(mirror.take(notice(8)), Err(doubled));
    let missed = Gap {
        expected: 9,
        found: 10,
    };
    assert_eq!(mirror.take(notice(10)), Err(missed));
    mirror.take(snapshot(12)).unwrap();
    assert!(matches!(mirror.take(notice(13)), Ok(Heard::Notice(_))));
}

#[test]
fn nothing_counts_before_the_first_snapshot() {
    let mut mirror = Mirror::default();
    assert!(mirror.take(notice(1)).is_err());
    assert_eq!(mirror.snapshot(), None);
}

#[test]
fn answers_to_other_requests_pass_through() {
    let mut mirror = Mirror::default();
    let done = Reply::Done {
        text: "done".to_owned(),
    };
    let heard = mirror.take(done.clone());
    assert_eq!(heard, Ok(Heard::Other(Box::new(done))));
}
