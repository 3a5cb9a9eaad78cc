#![allow(clippy::unwrap_used)]

use super::*;

fn journal() -> Journal {
    Journal::new(Wall::now(Instant::now()))
}

#[test]
fn stuck_group_is_told_once_and_then_with_a_count() {
    let mut journal = journal();
    let (group, start) = (GroupId::new(41), Instant::now());
    assert_eq!(journal.stuck(group, "busy", start), Some(1));
    for _ in 0..59 {
        assert_eq!(journal.stuck(group, "busy", start), None);
    }
    assert_eq!(journal.stuck(group, "no disk", start), Some(1));
    assert_eq!(journal.stuck(group, "no disk", start), None);
    let later = start + STUCK_INTERVAL;
    assert_eq!(journal.stuck(group, "no disk", later), Some(2));
    journal.unstuck(group);
    assert_eq!(journal.stuck(group, "no disk", later), Some(1));
}

#[test]
fn reasons_that_differ_in_their_numbers_only_are_one() {
    let mut journal = journal();
    let (group, start) = (GroupId::new(41), Instant::now());
    let why = |pid: u32| format!("stop: no answer within 59.{pid} s [pid {pid}]");
    assert_eq!(journal.stuck(group, &why(4711), start), Some(1));
    assert_eq!(journal.stuck(group, &why(12), start), None);
    assert_eq!(journal.stuck(group, "stop: exit status 1", start), Some(1));
}

#[test]
fn stalls_are_told_once_a_minute_with_count_and_worst() {
    let mut journal = journal();
    let (start, ms) = (Instant::now(), Duration::from_millis);
    assert_eq!(journal.stalled(ms(200), start), Some((1, ms(200))));
    assert_eq!(journal.stalled(ms(900), start + ms(500)), None);
    let later = start + STALL_INTERVAL;
    assert_eq!(journal.stalled(ms(300), later), Some((2, ms(900))));
    assert_eq!(journal.stalled(ms(300), later + ms(1)), None);
}
