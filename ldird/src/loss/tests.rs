//! How much of what serves may go without being asked for.
#![allow(clippy::unwrap_used)]

use super::{Serving, loss};
use crate::config;
use crate::probes::Catalogue;
use ha_plumbing::Source;
use ldird_core::config::Config;

fn config(text: &str) -> Config {
    let source = Source::from_bytes("/x.cf", text.as_bytes());
    let read = config::read(&source, &mut Catalogue::default());
    read.0.unwrap().core
}

fn service(last: u8, reals: &[u8]) -> String {
    let reals = reals.iter();
    let reals = reals.map(|real| format!("\treal=10.0.1.{real}:80 gate\n"));
    let reals: String = reals.collect();
    format!("virtual=10.0.0.{last}:80\n{reals}\n")
}

/// Everything serves.
fn serving(text: &str) -> Serving {
    let services = config(text).services.into_iter();
    let services = services.map(|service| {
        let reals = service.reals.iter().map(|real| real.configured);
        (service.key, reals.collect())
    });
    services.collect()
}

/// What is said where `before` serves as a whole and `next` replaces it.
fn said(before: &str, next: &str) -> Option<String> {
    let said = loss(&serving(before), &config(before), &config(next));
    said.map(|loss| loss.to_string())
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
    let three = service(1, &[1]) + &service(2, &[1]) + &service(3, &[1]);
    let mut now = serving(&three);
    for (_, reals) in now.iter_mut().skip(1) {
        reals.clear();
    }
    let before = config(&three);
    assert_eq!(loss(&now, &before, &config(&service(1, &[1]))), None);
    assert!(loss(&now, &before, &config(&service(2, &[1]))).is_some());
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
fn new_servers_make_up_for_those_that_go_and_known_ones_that_are_down_do_not() {
    let rest: String = (2..=9).map(|last| service(last, &[1, 2])).collect();
    let whole = service(1, &[1, 2]) + &rest;
    assert_eq!(said(&whole, &(service(1, &[5, 6]) + &rest)), None);
    let alone = service(1, &[5]) + &rest;
    assert_eq!(said(&whole, &alone), None, "half of them");
    let before = service(1, &[1, 2, 3]) + &rest;
    let mut now = serving(&before);
    now.values_mut().next().unwrap().pop();
    let next = config(&(service(1, &[3]) + &rest));
    assert!(loss(&now, &config(&before), &next).is_some());
}
