//! What one life leaves for the next.
#![allow(clippy::unwrap_used)]

use super::{Ledger, Left, parse};
use crate::instance::Instance;
use ldird_core::table::DestinationKey;
use std::collections::BTreeSet;
use std::path::Path;

fn instance(folder: &Path, name: &str, file: &str) -> Instance {
    Instance {
        name: name.to_owned(),
        path: folder.join(file),
        pidfile: folder.join("pid"),
        etc: folder.to_owned(),
        run: folder.to_owned(),
        socket: folder.join(format!("ldird.{name}.sock")),
    }
}

fn services(ids: &[&str]) -> Left {
    let services = ids.iter().map(|id| parse(id).unwrap());
    services.collect::<BTreeSet<_>>().into()
}

#[test]
fn services_are_read_as_they_are_written() {
    for id in [
        "tcp:10.0.0.1:80",
        "udp:[2001:db8::1]:53",
        "sctp:10.0.0.1:0",
        "fwm:5",
        "fwm6:5",
    ] {
        assert_eq!(parse(id).unwrap().to_string(), id);
    }
    for id in [
        "",
        "tcp",
        "tcp:",
        "tcp:10.0.0.1",
        "fwm:0",
        "icmp:10.0.0.1:1",
        "fwm:x",
    ] {
        assert_eq!(parse(id), None, "{id}");
    }
}

#[tokio::test]
async fn a_killed_director_leaves_its_services_to_the_next_of_its_file_under_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let first = instance(folder.path(), "ldirectord", "x.cf");
    let (ledger, left) = Ledger::open(&first, &services(&["fwm:1"]));
    assert_eq!(left, Left::default());
    ledger.note(services(&["fwm:1", "fwm:2"]));
    ledger.settle().await;
    let other = instance(folder.path(), "y.cf", "y.cf");
    let (other, left) = Ledger::open(&other, &services(&["fwm:9"]));
    assert_eq!(left, Left::default(), "another file's are not ours");
    let second = instance(folder.path(), "x.cf", "x.cf");
    let (ledger, left) = Ledger::open(&second, &services(&["fwm:3"]));
    assert_eq!(left, services(&["fwm:1", "fwm:2"]));
    ledger.settle().await;
    let (ledger, left) = Ledger::open(&second, &services(&["fwm:3"]));
    assert_eq!(
        left,
        services(&["fwm:1", "fwm:2", "fwm:3"]),
        "until they are cleaned"
    );
    ledger.remove().await;
    let (_, left) = Ledger::open(&second, &Left::default());
    assert_eq!(left, Left::default());
    other.settle().await;
}

#[tokio::test]
async fn a_ledger_that_somebody_removed_is_written_again_with_its_directory() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    std::fs::create_dir(&run).unwrap();
    let one = Instance {
        socket: run.join("ldird.x.sock"),
        ..instance(folder.path(), "x", "x.cf")
    };
    let (ledger, _) = Ledger::open(&one, &services(&["fwm:1"]));
    std::fs::remove_dir_all(&run).unwrap();
    let there = async {
        while std::fs::read_dir(&run).map_or(0, Iterator::count) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let limit = std::time::Duration::from_secs(10);
    tokio::time::timeout(limit, there).await.unwrap();
    ledger.settle().await;
    let (ledger, left) = Ledger::open(&one, &services(&["fwm:2"]));
    assert_eq!(left, services(&["fwm:1"]));
    ledger.remove().await;
}

#[tokio::test]
async fn what_the_file_set_of_others_settings_is_known_to_the_next_life() {
    let folder = tempfile::tempdir().unwrap();
    let one = instance(folder.path(), "x", "x.cf");
    let mut made = services(&["udp:10.0.0.1:5060", "udp:[2001:db8::1]:5060"]);
    made.said.engines.extend(parse("udp:10.0.0.1:5060"));
    for (service, real) in [
        ("udp:10.0.0.1:5060", "10.0.0.20"),
        ("udp:[2001:db8::1]:5060", "2001:db8::20"),
    ] {
        let (address, port) = (real.parse().unwrap(), 5060);
        let row = DestinationKey { address, port };
        made.said.tunnels.insert((parse(service).unwrap(), row));
    }
    let (ledger, _) = Ledger::open(&one, &made);
    ledger.settle().await;
    let (ledger, left) = Ledger::open(&one, &services(&["udp:10.0.0.1:5060"]));
    assert_eq!(left, made);
    ledger.remove().await;
}
