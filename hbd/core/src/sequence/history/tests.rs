#![expect(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made otherwise; only differences to it are used"
)]
#![allow(clippy::unwrap_used)]

use super::*;

const DELAY: Duration = Duration::from_millis(250);

fn message(seq: u64) -> Message {
    Message::new("status").with("seq", format!("{seq:x}"))
}

/// A history of this many messages.
fn history(count: u64) -> History {
    let mut history = History::new(DELAY);
    for _ in 0..count {
        history.record(message(history.next_seq()));
    }
    history
}

fn resends(numbers: impl IntoIterator<Item = u64>) -> Vec<Answer> {
    let messages = numbers.into_iter().map(message);
    messages.map(Answer::Resend).collect()
}

fn naks(numbers: impl IntoIterator<Item = u64>) -> Vec<Answer> {
    numbers.into_iter().map(|seq| Answer::Nak { seq }).collect()
}

#[test]
fn numbers_begin_at_one_and_have_no_holes() {
    let mut history = history(0);
    assert_eq!((history.highest(), history.next_seq()), (0, 1));
    history.record(message(1));
    assert_eq!((history.highest(), history.next_seq()), (1, 2));
}

#[test]
fn each_number_asked_for_has_its_answer() {
    let now = Instant::now();
    let beyond = |seq, highest| vec![Answer::BeyondHighest { seq, highest }];
    let length = HISTORY_LENGTH as u64;
    // (sent, first, last, answers)
    let table = [
        (30, 26, 26, resends([26])),
        (30, 1, 3, resends(1..=3)),
        (30, 3, 1, vec![]),
        (30, 0, 1, resends([1])),
        (30, 29, 33, [resends([29, 30]), beyond(31, 30)].concat()),
        (30, 31, u64::MAX, beyond(31, 30)),
        (0, 1, 1, beyond(1, 0)),
        (length, 1, 1, resends([1])),
        (length + 1, 1, 2, [naks([1]), resends([2])].concat()),
        (
            length + 100,
            98,
            101,
            [naks(98..=100), resends([101])].concat(),
        ),
        (200, 1, 200, resends(1..=50)),
        (length + 100, 1, u64::MAX, naks(1..=50)),
    ];
    for (sent, first, last, expected) in table {
        let got = history(sent).answer("bob", first, last, now);
        assert_eq!(got, expected, "{first}..={last} of {sent}");
    }
}

#[test]
fn acknowledged_numbers_need_no_answer() {
    let now = Instant::now();
    let mut history = history(30);
    assert_eq!(history.acknowledge("bob", 20), Acknowledgement::Advanced);
    assert_eq!(history.answer("bob", 19, 21, now), resends([21]));
    assert_eq!(history.answer("carol", 19, 20, now), resends([19, 20]));
    history.forget("bob");
    let later = now + DELAY;
    assert_eq!(history.answer("bob", 19, 19, later), resends([19]));
}

#[test]
fn a_message_is_not_sent_again_too_soon() {
    let start = Instant::now();
    let mut history = history(30);
    let after = |millis| start + Duration::from_millis(millis);
    assert_eq!(history.answer("bob", 5, 5, start), resends([5]));
    assert_eq!(history.answer("bob", 5, 6, after(239)), resends([6]));
    assert_eq!(history.answer("carol", 5, 5, after(239)), vec![]);
    assert_eq!(history.answer("bob", 5, 5, after(240)), resends([5]));
    assert_eq!(history.answer("bob", 5, 5, after(241)), vec![]);
}

#[test]
fn what_was_just_sent_again_makes_room_for_the_rest_of_a_long_request() {
    let now = Instant::now();
    let mut history = history(120);
    assert_eq!(history.answer("bob", 1, 120, now), resends(1..=50));
    assert_eq!(history.answer("bob", 1, 120, now), resends(51..=100));
    assert_eq!(history.answer("bob", 1, 120, now), resends(101..=120));
    assert_eq!(history.answer("bob", 1, 120, now), vec![]);
}

#[test]
fn acknowledgements_only_move_forward() {
    let mut history = history(30);
    let corrupted = Acknowledgement::Corrupted { highest: 30 };
    let table = [
        (0, Acknowledgement::Known, 0),
        (10, Acknowledgement::Advanced, 10),
        (10, Acknowledgement::Known, 10),
        (9, Acknowledgement::Known, 10),
        (31, corrupted, 10),
        (u64::MAX, corrupted, 10),
        (30, Acknowledgement::Advanced, 30),
    ];
    for (seq, expected, after) in table {
        assert_eq!(history.acknowledge("bob", seq), expected, "{seq}");
        assert_eq!(history.acknowledged_by("bob"), after, "{seq}");
    }
}
