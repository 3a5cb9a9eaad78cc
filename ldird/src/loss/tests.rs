//! How much of what serves may go without being asked for.
#![allow(clippy::unwrap_used)]

use super::loss;
use crate::config;
use crate::probes::Catalogue;
use ha_plumbing::Source;
use ldird_core::Director;
use ldird_core::config::Config;
use std::collections::BTreeSet;
use std::time::Instant;

fn config(text: &str) -> Config {
    let source = Source::from_bytes("/x.cf", text.as_bytes());
    let read = config::read(&source, &mut Catalogue::default());
    read.0.unwrap().core
}

/// One whose real servers serve unasked.
fn service(last: u8, reals: &[u8]) -> String {
    weighted(last, reals, &[])
}

/// The same, where others are named as well and have no weight.
fn weighted(last: u8, reals: &[u8], resting: &[u8]) -> String {
    let line = |weight| move |real: &u8| format!("\treal=10.0.1.{real}:80 gate {weight}\n");
    let reals = reals.iter().map(line(1));
    let reals: String = reals.chain(resting.iter().map(line(0))).collect();
    format!("virtual=10.0.0.{last}:80\n\tchecktype=on\n{reals}\n")
}

fn running(text: &str) -> Director {
    let mut director = Director::new(config(text), Instant::now());
    while director.poll().is_some() {}
    director
}

/// What is said where `before` serves as a whole and `next` replaces it.
fn said(before: &str, next: &str) -> Option<String> {
    said_by(&running(before), next, &[])
}

/// The same, where files keep these out: of service 1.
fn said_by(director: &Director, next: &str, maintained: &[u8]) -> Option<String> {
    let next = config(next);
    let service = next.services.first().map(|service| service.key);
    let places = maintained.iter().filter_map(|last| {
        let mut reals = next.services.first()?.reals.iter();
        let real = reals.find(|real| real.key.address.to_string() == format!("10.0.1.{last}"))?;
        Some((service?, real.configured))
    });
    let maintained: BTreeSet<_> = places.collect();
    let prospects = director.prospects(&next, &maintained, Instant::now());
    loss(&prospects).map(|loss| loss.to_string())
}

#[test]
fn a_file_that_loses_more_than_half_of_what_serves_is_noticed() {
    let four: String = (1..=4).map(|last| service(last, &[1, 2])).collect();
    assert_eq!(said(&four, &four), None, "unchanged");
    let half: String = (1..=2).map(|last| service(last, &[1, 2])).collect();
    assert_eq!(said(&four, &half), None, "half of it stays");
    assert_eq!(
        said(&four, &service(1, &[1, 2])).unwrap(),
        "it takes out 3 of 4 virtual services and 6 of 8 real servers that serve now"
    );
    let emptied: String = (1..=4).map(|last| service(last, &[3])).collect();
    let text = said(&four, &emptied).unwrap();
    assert!(text.contains("8 of 8 real servers"), "{text}");
}

#[test]
fn what_does_not_serve_is_no_loss() {
    let off = |last| service(last, &[1]).replace("=on", "=off");
    let three = service(1, &[1]) + &off(2) + &weighted(3, &[], &[1]);
    assert_eq!(said(&three, &service(1, &[1])), None);
    assert!(said(&three, &service(2, &[1])).is_some());
}

#[test]
fn a_service_that_loses_most_of_its_servers_is_noticed_however_many_others_stay() {
    let rest: String = (2..=9).map(|last| service(last, &[1, 2, 3])).collect();
    let whole = service(1, &[1, 2, 3]) + &rest;
    assert_eq!(said(&whole, &(service(1, &[1, 2]) + &rest)), None);
    assert_eq!(
        said(&whole, &(service(1, &[1]) + &rest)).unwrap(),
        "it takes out 2 of 3 real servers of tcp:10.0.0.1:80 that serve now"
    );
    let rest: String = (4..=9).map(|last| service(last, &[1, 2, 3])).collect();
    let empty: String = (1..=3).map(|last| service(last, &[])).collect();
    let text = said(&whole, &(empty + &rest)).unwrap();
    assert!(
        text.ends_with("as many of 2 more virtual services"),
        "{text}"
    );
    assert_eq!(said(&whole, &rest), None, "whole services: a third of them");
}

#[test]
fn new_servers_make_up_for_those_that_go_unless_they_are_kept_out() {
    let rest: String = (2..=9).map(|last| service(last, &[1, 2])).collect();
    let whole = service(1, &[1, 2]) + &rest;
    let renumbered = service(1, &[5, 6]) + &rest;
    assert_eq!(said(&whole, &renumbered), None);
    let alone = service(1, &[5]) + &rest;
    assert_eq!(said(&whole, &alone), None, "half of them");
    let director = running(&whole);
    assert_eq!(said_by(&director, &renumbered, &[5]), None);
    assert!(said_by(&director, &renumbered, &[5, 6]).is_some());
}

/// Known ones that are down do not make up for anybody.
#[test]
fn who_is_down_makes_up_for_nobody() {
    let rest: String = (2..=9).map(|last| service(last, &[1, 2])).collect();
    let before = service(1, &[1, 2, 3]) + &rest;
    let director = running(&before);
    assert_eq!(
        said_by(&director, &(service(1, &[2, 3]) + &rest), &[]),
        None
    );
    let text = said_by(&director, &(service(1, &[2, 3]) + &rest), &[3]);
    assert!(text.unwrap().contains("2 of 3"));
}

/// Without weight nobody serves, whatever else a file says of it.
#[test]
fn weight_0_counts_as_out() {
    let rest: String = (2..=9).map(|last| service(last, &[1, 2])).collect();
    let whole = service(1, &[1, 2]) + &rest;
    assert_eq!(said(&whole, &(weighted(1, &[1], &[2]) + &rest)), None);
    assert_eq!(
        said(&whole, &(weighted(1, &[], &[1, 2]) + &rest)).unwrap(),
        "it takes out 2 of 2 real servers of tcp:10.0.0.1:80 that serve now; \
         who gets weight 0 is out as well"
    );
    let text = said(&whole, &whole.replace("gate 1", "gate 0")).unwrap();
    assert!(
        text.contains("0 of 9 virtual services and 18 of 18"),
        "{text}"
    );
}

/// Each step of it, where the file has nothing but this service.
#[test]
fn blue_and_green_take_turns_and_not_where_nobody_is_left() {
    let blue = service(1, &[1, 2]);
    // In one step.
    assert_eq!(said(&blue, &weighted(1, &[3, 4], &[1, 2])), None);
    // Named first, and the weight goes over; the others may go at the same time or later.
    let both = weighted(1, &[1, 2], &[3, 4]);
    assert_eq!(said(&blue, &both), None);
    let green = weighted(1, &[3, 4], &[1, 2]);
    assert_eq!(said(&both, &green), None);
    assert_eq!(said(&both, &service(1, &[3, 4])), None);
    assert_eq!(said(&green, &service(1, &[3, 4])), None);
    // The new ones have no weight yet.
    assert!(said(&blue, &weighted(1, &[], &[1, 2, 3, 4])).is_some());
    assert!(said(&both, &weighted(1, &[], &[1, 2, 3, 4])).is_some());
    // New names for old ones: that is what a wrong name server says.
    assert!(said(&blue, &service(1, &[3, 4])).is_some());
}
