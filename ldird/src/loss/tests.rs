//! How much of what serves may go without being asked for.
#![allow(clippy::unwrap_used)]

use super::loss;
use crate::config;
use crate::probes::Catalogue;
use ha_plumbing::Source;
use ha_status::{Health, VirtualService};
use ldird_core::Director;
use ldird_core::config::Config;
use std::time::Instant;

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
fn serving(text: &str) -> Vec<VirtualService> {
    let now = Instant::now();
    let mut services = Director::new(config(text), now).services(now, 0);
    for real in services.iter_mut().flat_map(|service| &mut service.reals) {
        real.health = Health::Up;
        real.table_weight = Some(1);
    }
    services
}

#[test]
fn a_file_that_loses_more_than_half_of_what_serves_is_noticed() {
    let four: String = (1..=4).map(|last| service(last, &[1, 2])).collect();
    let now = serving(&four);
    assert_eq!(loss(&now, &config(&four)), None, "unchanged");
    let half: String = (1..=2).map(|last| service(last, &[1, 2])).collect();
    assert_eq!(loss(&now, &config(&half)), None, "half of it stays");
    let said = loss(&now, &config(&service(1, &[1, 2])))
        .unwrap()
        .to_string();
    assert_eq!(
        said,
        "it takes out 3 of 4 virtual services and 6 of 8 real servers that serve now"
    );
    let emptied: String = (1..=4).map(|last| service(last, &[3])).collect();
    assert!(
        loss(&now, &config(&emptied)).is_some(),
        "services without their servers"
    );
}

#[test]
fn what_does_not_serve_is_no_loss() {
    let mut now = serving(&(service(1, &[1]) + &service(2, &[1]) + &service(3, &[1])));
    for service in now.iter_mut().skip(1) {
        service.reals[0].health = Health::Down;
    }
    assert_eq!(loss(&now, &config(&service(1, &[1]))), None);
    assert!(loss(&now, &config(&service(2, &[1]))).is_some());
}
