#![expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]

use super::*;
use std::net::Ipv4Addr;

const INTERVAL: Duration = Duration::from_secs(10);
const RULES: SecondOpinion = SecondOpinion {
    longest: Duration::from_secs(60),
};
const FIRST: QuestionId = QuestionId(1);
const NEXT: QuestionId = QuestionId(2);

fn real(last: u8) -> DestinationKey {
    DestinationKey {
        address: Ipv4Addr::new(10, 0, 0, last).into(),
        port: 80,
    }
}

fn up() -> Answer {
    Answer::Up {
        node: "lb2".to_owned(),
        up: vec![real(1)],
    }
}

fn down() -> Answer {
    let node = "lb2".to_owned();
    Answer::Down { node }
}

fn silent() -> Answer {
    Answer::Silent(Silence::NoAnswer)
}

/// An opinion in one of its states, at this moment.
#[derive(Debug, Clone, Copy)]
enum Is {
    Waiting,
    Held,
    HeldAndAsked,
}

fn opinion(is: Is, now: Instant) -> Opinion {
    let mut opinion = Opinion::new(real(1), FIRST, now);
    let mut on = |event, at| opinion.on(event, (RULES, INTERVAL), NEXT, at);
    match is {
        Is::Waiting => {}
        Is::Held => assert_eq!(on(Event::Answered(FIRST, up()), now), Step::Hold),
        Is::HeldAndAsked => {
            let at = now.checked_sub(INTERVAL).expect("a machine runs longer");
            assert_eq!(on(Event::Answered(FIRST, up()), at), Step::Hold);
            assert_eq!(on(Event::Time, now), Step::Ask(NEXT));
        }
    }
    opinion
}

/// What happens after so long in a state, and what comes of it.
type Row = (Is, Duration, Event, Step);

fn check(rows: impl IntoIterator<Item = Row>) {
    let now = Instant::now();
    for (is, after, event, expected) in rows {
        let what = format!("{is:?}, {after:?} later: {event:?}");
        let mut one = opinion(is, now);
        let step = one.on(event, (RULES, INTERVAL), NEXT, now + after);
        assert_eq!(step, expected, "{what}");
    }
}

fn says(question: QuestionId, answer: Answer) -> Event {
    Event::Answered(question, answer)
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_happens_while_it_waits_for_an_answer() {
    use Is::Waiting;
    let node = "lb2".to_owned();
    let ends = OpinionEnd::Overruled;
    check([
        (Waiting, SECOND / 2, Event::Time, Step::Nothing),
        (
            Waiting,
            ANSWER_LIMIT,
            Event::Time,
            Step::Miss(Silence::NoAnswer),
        ),
        (Waiting, SECOND / 2, says(FIRST, up()), Step::Hold),
        (
            Waiting,
            SECOND / 2,
            says(FIRST, down()),
            Step::Share { node },
        ),
        (
            Waiting,
            SECOND / 2,
            says(FIRST, silent()),
            Step::Miss(Silence::NoAnswer),
        ),
        (Waiting, SECOND / 2, says(NEXT, up()), Step::Nothing),
        (Waiting, SECOND / 2, Event::Ended(ends), Step::Drop),
    ]);
}

#[test]
fn what_happens_while_it_holds() {
    use Is::{Held, HeldAndAsked};
    let agreed = || {
        let node = "lb2".to_owned();
        Step::End(OpinionEnd::Agreed { node })
    };
    let missed = || Step::End(OpinionEnd::Silent(Silence::NoAnswer));
    let ends = OpinionEnd::Overruled;
    check([
        (Held, INTERVAL / 2, Event::Time, Step::Nothing),
        (Held, INTERVAL, Event::Time, Step::Ask(NEXT)),
        (
            Held,
            RULES.longest,
            Event::Time,
            Step::End(OpinionEnd::Lasted),
        ),
        (Held, SECOND, says(FIRST, down()), Step::Nothing),
        (Held, SECOND, says(NEXT, down()), Step::Nothing),
        (
            Held,
            SECOND,
            Event::Ended(ends.clone()),
            Step::End(ends.clone()),
        ),
        (HeldAndAsked, SECOND / 2, Event::Time, Step::Nothing),
        (HeldAndAsked, ANSWER_LIMIT, Event::Time, missed()),
        (
            HeldAndAsked,
            RULES.longest,
            Event::Time,
            Step::End(OpinionEnd::Lasted),
        ),
        (HeldAndAsked, SECOND / 2, says(NEXT, up()), Step::Nothing),
        (HeldAndAsked, SECOND / 2, says(NEXT, down()), agreed()),
        (HeldAndAsked, SECOND / 2, says(NEXT, silent()), missed()),
        (HeldAndAsked, SECOND / 2, says(FIRST, down()), Step::Nothing),
        (
            HeldAndAsked,
            SECOND / 2,
            Event::Ended(ends.clone()),
            Step::End(ends),
        ),
    ]);
}

#[test]
fn it_is_asked_again_at_the_pace_of_the_checks_and_never_outlasts_its_time() {
    let now = Instant::now();
    let mut one = Opinion::new(real(1), FIRST, now);
    assert_eq!(one.due(RULES), now + ANSWER_LIMIT);
    let quick = (RULES, Duration::from_millis(100));
    assert_eq!(
        one.on(Event::Answered(FIRST, up()), quick, NEXT, now),
        Step::Hold
    );
    assert_eq!(
        one.due(RULES),
        now + ASK_AGAIN_MIN,
        "not ten times a second"
    );
    let mut one = Opinion::new(real(1), FIRST, now);
    let slow = (RULES, 2 * RULES.longest);
    assert_eq!(
        one.on(Event::Answered(FIRST, up()), slow, NEXT, now),
        Step::Hold
    );
    assert_eq!(one.due(RULES), now + RULES.longest);
}

#[test]
fn views_come_to_one_answer() {
    let checked = |up, more| Found::Checked { up, more };
    let view = |node: &str, found| (node.to_owned(), found);
    let few = [real(1), real(2)];
    let many: Vec<DestinationKey> = (0..70).map(real).collect();
    let named = |node: &str, up: &[u8]| Answer::Up {
        node: node.to_owned(),
        up: up.iter().copied().map(real).collect(),
    };
    let (node, unknown) = ("lb3".to_owned(), Found::Unknown);
    let rows = [
        (
            vec![view("lb2", checked(2, false))],
            &few[..],
            named("lb2", &[2]),
        ),
        // What we do not have is nobody's.
        (vec![view("lb2", checked(4, true))], &few, down()),
        (
            vec![view("lb2", checked(0, true))],
            &many,
            named("lb2", &[]),
        ),
        (vec![view("lb2", checked(0, false))], &few, down()),
        (
            vec![
                view("lb2", checked(0, false)),
                view("lb3", checked(1, false)),
            ],
            &few,
            named("lb3", &[1]),
        ),
        (
            vec![view("lb2", checked(0, false)), view("lb3", unknown)],
            &few,
            down(),
        ),
        (
            vec![view("lb3", unknown)],
            &few,
            Answer::Silent(Silence::Unknown { node }),
        ),
        (Vec::new(), &few, silent()),
    ];
    for (views, reals, expected) in rows {
        let what = format!("{views:?}");
        assert_eq!(answer(Ok(views), reals), expected, "{what}");
    }
    assert_eq!(answer(Err(Silence::NoAnswer), &few), silent());
}
