#![expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]

use super::*;

const LB2: NodeId = NodeId::new(2);
const LB3: NodeId = NodeId::new(3);
const ID: AskId = AskId(7);
const UP: Found = Found::Checked { up: 1, more: false };
const DOWN: Found = Found::Checked { up: 0, more: false };

fn opinions(rate: Rate) -> Opinions {
    Opinions {
        asked: BTreeMap::new(),
        answering: BTreeMap::new(),
        questions: Allowance::new(rate),
        answers: Allowance::new(rate),
    }
}

fn asked(nodes: &[NodeId], services: &[u64], now: Instant) -> Opinions {
    let mut opinions = opinions(RATE);
    assert_eq!(opinions.ask((ID, 5), services, nodes, now), Ok(()));
    opinions
}

fn over(views: &[(NodeId, Vec<Found>)]) -> Answered {
    let views = views.to_vec();
    Answered { id: ID, views }
}

#[test]
fn a_question_is_over_when_all_have_answered() {
    let now = Instant::now();
    let mut one = asked(&[LB2, LB3], &[10], now);
    assert_eq!(one.heard(LB2, 5, vec![DOWN]), None);
    assert_eq!(one.heard(LB2, 5, vec![UP]), None, "said is said");
    let all = over(&[(LB2, vec![DOWN]), (LB3, vec![Found::Unknown])]);
    assert_eq!(one.heard(LB3, 5, vec![Found::Unknown]), Some(all));
    assert_eq!(one.heard(LB3, 5, vec![UP]), None, "nobody waits for it");
    assert_eq!(one.deadline(), None);
}

#[test]
fn nobody_else_is_waited_for_when_all_is_well_elsewhere() {
    let now = Instant::now();
    let mut two = asked(&[LB2, LB3], &[10, 11], now);
    assert_eq!(two.heard(LB2, 5, vec![UP, DOWN]), None, "of one only");
    let mut two = asked(&[LB2, LB3], &[10, 11], now);
    assert_eq!(
        two.heard(LB2, 5, vec![UP, UP]),
        Some(over(&[(LB2, vec![UP, UP])]))
    );
}

#[test]
fn what_does_not_fit_the_question_is_no_answer() {
    let now = Instant::now();
    let mut one = asked(&[LB2], &[10, 11], now);
    for (node, number, found) in [
        (LB3, 5, vec![UP, UP]),
        (LB2, 6, vec![UP, UP]),
        (LB2, 5, vec![UP]),
        (LB2, 5, vec![UP, UP, UP]),
    ] {
        assert_eq!(one.heard(node, number, found), None);
    }
    assert!(one.heard(LB2, 5, vec![UP, UP]).is_some());
}

#[test]
fn who_is_silent_is_asked_once_more_and_then_done_without() {
    let now = Instant::now();
    let mut one = asked(&[LB2, LB3], &[10], now);
    assert_eq!(one.heard(LB2, 5, vec![DOWN]), None);
    assert_eq!(one.again(now), []);
    let due = one.deadline().expect("it is to be asked again");
    assert_eq!(due, now + AGAIN_AFTER);
    let nodes = vec![LB3];
    let services = vec![10];
    let number = 5;
    let again = Again {
        number,
        services,
        nodes,
    };
    assert_eq!(one.again(due), [again]);
    assert_eq!(one.again(due), [], "once");
    assert_eq!(one.deadline(), Some(now + LIMIT));
    assert_eq!(one.expire(due), []);
    let all = over(&[(LB2, vec![DOWN])]);
    assert_eq!(one.expire(now + LIMIT), [all]);
    assert_eq!((one.deadline(), one.asked.len()), (None, 0));
}

#[test]
fn questions_and_answers_are_bounded() {
    let now = Instant::now();
    let mut one = opinions(RATE);
    assert_eq!(one.ask((ID, 1), &[1], &[], now), Err(Silence::NobodyElse));
    for number in 0..ASKED_MAX as u64 {
        assert_eq!(one.ask((ID, number), &[1], &[LB2], now), Ok(()));
    }
    assert_eq!(one.ask((ID, 99), &[1], &[LB2], now), Err(Silence::Busy));
    let mut slow = opinions(SERIAL_RATE);
    for number in 0..SERIAL_RATE.times as u64 {
        assert_eq!(slow.ask((ID, number), &[1], &[LB2], now), Ok(()));
        assert!(slow.heard(LB2, number, vec![UP]).is_some());
    }
    let soon = now + SERIAL_RATE.within / 2;
    assert_eq!(slow.ask((ID, 9), &[1], &[LB2], soon), Err(Silence::Busy));
    let later = now + SERIAL_RATE.within;
    assert_eq!(slow.ask((ID, 9), &[1], &[LB2], later), Ok(()));
    // The same for those who ask us.
    let mut one = opinions(Rate {
        times: usize::MAX,
        within: SECOND,
    });
    for number in 0..ANSWERING_MAX as u64 {
        assert!(one.asked_by(LB2, number, now));
        assert!(!one.asked_by(LB2, number, now), "it is being answered");
    }
    assert!(!one.asked_by(LB2, 99, now));
    assert!(one.found(LB2, 0) && !one.found(LB2, 0));
    assert!(one.asked_by(LB2, 99, now));
    assert!(
        one.asked_by(LB3, 1, now + SECOND),
        "the others are given up"
    );
}

#[test]
fn messages_are_read_as_they_are_written_and_garbage_is_not() {
    let services = vec![1, 0xfedc_ba98_7654_3210];
    let message = ask("lb2", 0x2a, &services);
    assert_eq!(read_ask(&message), Some((0x2a, services)));
    let found = vec![UP, Found::Unknown, DOWN];
    let message = say("lb2", 0x2a, &found);
    assert_eq!(read_say(&message), Some((0x2a, found)));
    let long = vec!["1"; QUESTION_MAX + 1].join(" ");
    for text in ["", "x", "+1", "1  2", "1 -", long.as_str()] {
        let message = Message::new("NS_hbask").with("hbq", "1").with("hbs", text);
        assert_eq!(read_ask(&message), None, "{text:?}");
    }
    for text in ["", "x", "+", "1  2", "--"] {
        let message = Message::new("NS_hbsay").with("hbq", "1").with("hbs", text);
        assert_eq!(read_say(&message), None, "{text:?}");
    }
    assert_eq!(read_ask(&Message::new("NS_hbask").with("hbs", "1")), None);
    assert_eq!(read_say(&Message::new("NS_hbsay").with("hbq", "1")), None);
}
