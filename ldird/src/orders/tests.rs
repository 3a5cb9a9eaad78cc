//! What is kept, and whom names mean.
#![allow(clippy::unwrap_used)]

use super::{OrderBook, meant, parse, text};
use crate::config;
use crate::instance::Instance;
use crate::probes::Catalogue;
use ha_plumbing::Source;
use ha_status::{Override, Says};
use ldird_core::config::Config;
use ldird_core::overrides::Slot;
use std::fs;
use std::path::Path;

const FILE: &str = "\
virtual=10.0.0.100:80
\treal=10.0.0.1:80 gate
\treal=10.0.0.2:80 gate
\tservicename=web

virtual=10.0.0.100:443
\treal=10.0.0.1:443 gate
\treal=10.0.0.1:444 masq

virtual=5
\treal=10.0.0.9:0 gate
\tchecktype=off
";

fn config() -> Config {
    let source = Source::from_bytes("/x.cf", FILE.as_bytes());
    let (configuration, faults) = config::read(&source, &mut Catalogue::default());
    configuration.unwrap_or_else(|| panic!("{faults:?}")).core
}

fn instance(folder: &Path, name: &str) -> Instance {
    Instance {
        name: name.to_owned(),
        path: folder.join("x.cf"),
        pidfile: folder.join("pid"),
        etc: folder.to_owned(),
        run: folder.to_owned(),
        socket: folder.join(format!("ldird.{name}.sock")),
    }
}

fn order(says: Says, until_ms: Option<u64>) -> Override {
    Override {
        says,
        by: "alice (uid 1000, pid 7)".to_owned(),
        why: "a \"new\" disk".to_owned(),
        since_ms: 1,
        until_ms,
    }
}

#[test]
fn servers_are_found_by_whatever_they_are_called() {
    let config = config();
    let count = |service, real| meant(&config, service, real).map(|found| found.len());
    for (service, real, wanted) in [
        ("tcp:10.0.0.100:80", "10.0.0.1:80", 1),
        ("10.0.0.100:80", "10.0.0.1", 1),
        ("web", "10.0.0.2:80", 1),
        ("10.0.0.100:443", "10.0.0.1", 2),
        ("all", "10.0.0.1", 3),
        ("all", "10.0.0.1:444", 1),
    ] {
        assert_eq!(count(service, real), Ok(wanted), "{service} {real}");
    }
    for (service, real, words) in [
        ("10.0.0.101:80", "10.0.0.1", "no such virtual service"),
        ("web", "10.0.0.1:443", "no such real server"),
        ("5", "10.0.0.9", "checktype=off"),
    ] {
        let said = count(service, real).unwrap_err();
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test]
async fn what_was_said_outlives_a_kill_and_a_damaged_line_is_lost_alone() {
    let folder = tempfile::tempdir().unwrap();
    let one = instance(folder.path(), "ldirectord");
    let places = meant(&config(), "all", "10.0.0.1").unwrap();
    let (mut book, damaged) = OrderBook::open(&one, 0);
    assert_eq!(damaged, 0);
    let vouched = Says::Weight {
        weight: 5,
        regardless: true,
    };
    book.set(places[0], Slot::Weight, Some(order(Says::Drain, Some(100))));
    book.set(places[1], Slot::Weight, Some(order(vouched, None)));
    book.set(
        places[1],
        Slot::Maintenance,
        Some(order(Says::Maintenance, None)),
    );
    book.set(places[2], Slot::Weight, Some(order(Says::Drain, None)));
    book.settle().await;
    let path = folder.path().join("ldird.ldirectord.overrides");
    let text = fs::read_to_string(&path).unwrap();
    let broken = text.replacen("10.0.0.1:444", "10.0.0.1:\u{0}", 1) + "{\"service\":";
    fs::write(&path, broken).unwrap();
    let other = instance(folder.path(), "x.cf");
    let (book, damaged) = OrderBook::open(&other, 100);
    assert_eq!(damaged, 2);
    let said: Vec<_> = book.iter().map(|(key, order)| (*key, order.says)).collect();
    let wanted = [
        ((places[1], Slot::Maintenance), Says::Maintenance),
        ((places[1], Slot::Weight), vouched),
    ];
    assert_eq!(said, wanted, "the first is over");
    book.settle().await;
}

#[test]
fn a_line_is_read_as_it_is_written() {
    let place = meant(&config(), "web", "10.0.0.1").unwrap()[0];
    for says in [
        Says::Maintenance,
        Says::Drain,
        Says::Weight {
            weight: 0,
            regardless: false,
        },
    ] {
        let said = [((place, Slot::of(says)), order(says, Some(7)))].into();
        let line = text(&said);
        assert_eq!(parse(line.trim_end()), Some((place, order(says, Some(7)))));
    }
    for line in ["", "{}", "[1]", "\u{fffd}", "{\"service\":\"x\"}"] {
        assert_eq!(parse(line), None, "{line}");
    }
}
