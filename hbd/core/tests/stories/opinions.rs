//! Directors ask each other by way of their nodes: how long that takes, and what comes of those who do not
//! answer.

use super::ms;
use crate::pair::{DEADTIME, Pair};
use ha_status::{Found, View};
use hbd_core::config::Failback;
use hbd_core::input::{AskId, Input, Question};
use hbd_core::output::{Output, Silence};
use std::time::Duration;

const SERVICES: [u64; 2] = [10, 0xffff_ffff_ffff_fff0];
const FOUND: [Found; 2] = [Found::Checked { up: 5, more: true }, Found::Unknown];

fn ask(pair: &mut Pair, id: u64) {
    let services = SERVICES.to_vec();
    let id = AskId(id);
    pair.input(0, Input::Ask { id, services });
}

/// What each node's director was asked.
fn asked(pair: &Pair) -> Vec<(usize, Question)> {
    let asked = pair
        .outputs
        .iter()
        .filter_map(|(_, node, output)| match output {
            Output::Inquire { question, services } => {
                assert_eq!(*services, SERVICES);
                Some((*node, *question))
            }
            _ => None,
        });
    asked.collect()
}

fn answer(pair: &mut Pair, node: usize, question: Question) {
    let found = FOUND.to_vec();
    pair.input(node, Input::Inquired { question, found });
}

/// What came of it, and when.
fn opinions(pair: &Pair) -> Vec<(Duration, AskId, Result<Vec<View>, Silence>)> {
    let outputs = pair.outputs.iter();
    let opinions = outputs.filter_map(|(at, _, output)| match output {
        Output::Opinion { id, views } => Some((*at, *id, views.clone())),
        _ => None,
    });
    opinions.collect()
}

fn view(node: &str) -> View {
    let (node, found) = (node.to_owned(), FOUND.to_vec());
    View { node, found }
}

#[test]
fn a_question_travels_to_the_other_director_and_its_answer_back() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    ask(&mut pair, 1);
    let begun = pair.now;
    pair.run_for(ms(1));
    let asked = asked(&pair);
    let [(1, question)] = asked[..] else {
        panic!("{asked:?}");
    };
    answer(&mut pair, 1, question);
    answer(&mut pair, 1, question);
    pair.run_for(ms(1));
    let opinions = opinions(&pair);
    let [(at, id, views)] = &opinions[..] else {
        panic!("{opinions:?}");
    };
    assert_eq!((*id, views), (AskId(1), &Ok(vec![view("lb2")])));
    assert!(*at <= begun + ms(2), "{at:?}");
    assert_eq!(pair.said(1, "NS_hbsay").len(), 1, "said is said");
    assert_eq!((pair.notices(0), pair.notices(1)), (vec![], vec![]));
}

#[test]
fn who_does_not_answer_is_asked_twice_and_done_without() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.frozen = Some(1);
    ask(&mut pair, 1);
    let begun = pair.now;
    pair.run_for(Duration::from_secs(1));
    let opinions_had = opinions(&pair);
    let [(at, _, Err(Silence::NoAnswer))] = &opinions_had[..] else {
        panic!("{opinions_had:?}");
    };
    assert!(
        *at < begun + Duration::from_secs(1),
        "less than a director waits"
    );
    assert_eq!(pair.said(0, "NS_hbask").len(), 2);
    // What it reads when it wakes is answered to nobody.
    pair.frozen = None;
    pair.run_for(ms(500));
    for (node, question) in asked(&pair) {
        answer(&mut pair, node, question);
    }
    pair.run_for(ms(500));
    assert_eq!(opinions(&pair).len(), 1);
}

#[test]
fn of_three_the_one_that_is_silent_costs_its_own_answer_alone() {
    let mut pair = Pair::running(3, &[0], Failback::On);
    pair.mute = Some((1, 0));
    ask(&mut pair, 1);
    pair.run_for(ms(1));
    for (node, question) in asked(&pair) {
        answer(&mut pair, node, question);
    }
    pair.run_for(Duration::from_secs(1));
    let (_, _, views) = opinions(&pair).remove(0);
    assert_eq!(views, Ok(vec![view("lb3")]));
}

#[test]
fn nobody_is_asked_where_nobody_else_lives() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.power_off(1);
    pair.run_for(2 * DEADTIME);
    pair.outputs.clear();
    ask(&mut pair, 1);
    let (_, _, views) = opinions(&pair).remove(0);
    assert_eq!(views, Err(Silence::NobodyElse), "at once");
    assert!(pair.said(0, "NS_hbask").is_empty());
}

/// Signed, and yet not what a question was about: recorded, garbled, or from a node that was not asked.
#[test]
fn answers_to_nothing_are_dropped_without_a_word() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    ask(&mut pair, 1);
    pair.run_for(ms(1));
    let (_, question) = asked(&pair)[0];
    answer(&mut pair, 1, question);
    pair.run_for(ms(1));
    let said = pair.said(1, "NS_hbsay").remove(0);
    assert_eq!(opinions(&pair).len(), 1);
    pair.inject(0, said.clone());
    ask(&mut pair, 2);
    pair.inject(0, said.clone());
    for garbage in ["", "x", "-", "- - -", "1 2 3 4", "ffffffffffffffffff -"] {
        let mut message = said.clone();
        message.remove("hbs");
        pair.inject(0, message.with("hbs", garbage.to_owned()));
    }
    let mut question = pair.said(0, "NS_hbask").remove(0);
    question.remove("hbs");
    pair.inject(1, question.with("hbs", "1 2 x"));
    assert_eq!(opinions(&pair).len(), 1, "the second still waits");
    assert_eq!((pair.notices(0), pair.notices(1)), (vec![], vec![]));
}

/// A thousand services at once, a question after the other, as fast as a director could ask.
#[test]
fn a_flood_of_questions_is_bounded_on_both_sides() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    for id in 0..1000 {
        ask(&mut pair, id);
        pair.run_for(ms(1));
        for (node, question) in asked(&pair) {
            answer(&mut pair, node, question);
        }
    }
    pair.run_for(ms(10));
    assert_eq!(opinions(&pair).len(), 1000, "each is answered");
    let kinds = |node, kind: &str| pair.said(node, kind).len();
    assert_eq!((kinds(0, "NS_hbask"), kinds(1, "NS_hbsay")), (8, 8));
}
