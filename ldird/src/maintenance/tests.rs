//! Files that take real servers out, by address and by name.
#![allow(clippy::unwrap_used)]

use super::{Change, Hosts, Listing, Maintenance, list, resolve};
use ha_plumbing::Source;
use ldird_core::config::Config;
use std::fs;
use std::time::{Duration, Instant};

const TWO: &str = "virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate\n\treal=10.0.0.2:80 gate\n";

fn config(text: &str) -> Config {
    let source = Source::from_bytes("/x.cf", text.as_bytes());
    let config = crate::config::read(&source, &mut crate::probes::Catalogue::default());
    config.0.unwrap().core
}

fn listing(names: &[&str]) -> Listing {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn hosts(rows: &[(&str, &[&str])]) -> Hosts {
    let rows = rows.iter().map(|(name, addresses)| {
        let addresses = addresses.iter().map(|one| one.parse().unwrap());
        ((*name).to_owned(), addresses.collect())
    });
    rows.collect()
}

fn told(changes: &[Change]) -> Vec<String> {
    let told = changes
        .iter()
        .map(|change| format!("{} {} {}", change.real, change.active, change.file));
    told.collect()
}

#[test]
fn a_server_without_a_port_of_its_own_is_named_by_address_or_by_the_port_it_gets() {
    let config = config(
        "virtual=10.0.0.100:80\n\treal=10.0.0.1 gate\n\treal=10.0.0.2:81 gate\n\tchecktype=on\n",
    );
    let changes = Maintenance::default().look(listing(&["10.0.0.1", "10.0.0.2:80"]), &config);
    assert_eq!(
        told(&changes),
        ["10.0.0.1:0 true 10.0.0.1", "10.0.0.2:81 true 10.0.0.2:80"]
    );
}

#[test]
fn a_new_configuration_hears_of_every_file_again() {
    let config = config("virtual=10.0.0.100:80\n\treal=10.0.0.1->3:80 gate\n");
    let mut maintenance = Maintenance::default();
    maintenance.look(listing(&["10.0.0.1", "10.0.0.2"]), &config);
    let changes = maintenance.look_afresh(listing(&["10.0.0.1"]), &config);
    assert_eq!(
        told(&changes),
        ["10.0.0.2:80 false 10.0.0.2", "10.0.0.1:80 true 10.0.0.1"]
    );
    assert!(maintenance.look(listing(&["10.0.0.1"]), &config).is_empty());
}

#[test]
fn t47_t48_t49_files_in_the_maintenance_directory_take_servers_out_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(TWO);
    let mut maintenance = Maintenance::default();
    let mut look = || told(&maintenance.look(list(Some(folder.path())).unwrap(), &config));
    assert!(look().is_empty());
    fs::write(folder.path().join("10.0.0.1"), "").unwrap();
    assert_eq!(look(), ["10.0.0.1:80 true 10.0.0.1"], "T47");
    fs::write(folder.path().join("10.0.0.2:80"), "").unwrap();
    fs::write(folder.path().join("10.0.0.2:81"), "").unwrap();
    assert_eq!(look(), ["10.0.0.2:80 true 10.0.0.2:80"], "T48");
    fs::remove_file(folder.path().join("10.0.0.1")).unwrap();
    assert_eq!(look(), ["10.0.0.1:80 false 10.0.0.1"], "T49");
    assert!(look().is_empty());
}

#[test]
fn a_file_named_after_a_host_takes_out_the_server_with_that_hosts_address() {
    let config = config(TWO);
    let mut maintenance = Maintenance::default();
    let files = listing(&["web1.example.com", "web2:81", "web2:80"]);
    assert!(
        maintenance.look(files, &config).is_empty(),
        "nobody is asked here"
    );
    let now = Instant::now();
    assert_eq!(
        maintenance.questions(now),
        listing(&["web1.example.com", "web2"])
    );
    assert!(maintenance.questions(now).is_empty(), "asked already");
    let answers = hosts(&[("web1.example.com", &["10.0.0.1"]), ("web2", &["10.0.0.2"])]);
    assert_eq!(
        told(&maintenance.resolved(answers, &config)),
        [
            "10.0.0.1:80 true web1.example.com",
            "10.0.0.2:80 true web2:80"
        ]
    );
    let later = now + Duration::from_secs(61);
    assert!(!maintenance.questions(later).is_empty(), "addresses change");
    let nobody_knows = hosts(&[("web1.example.com", &[]), ("web2", &[])]);
    assert!(
        maintenance.resolved(nobody_knows, &config).is_empty(),
        "a name server that fails brings nobody back"
    );
    let changes = maintenance.look(listing(&["web2:80"]), &config);
    assert_eq!(told(&changes), ["10.0.0.1:80 false web1.example.com"]);
}

#[test]
fn a_file_that_names_no_real_server_is_said_once() {
    let config = config(TWO);
    let mut maintenance = Maintenance::default();
    let files = ["10.0.0.1", "10.0.0.9", "web9", "not a host", "10.0.0.2:81"];
    maintenance.look(listing(&files), &config);
    let strange = ["10.0.0.2:81", "10.0.0.9", "not a host"];
    assert_eq!(
        maintenance.strangers(),
        strange,
        "web9 has not been answered yet"
    );
    assert!(maintenance.strangers().is_empty());
    maintenance.resolved(hosts(&[("web9", &["10.0.0.99"])]), &config);
    assert_eq!(maintenance.strangers(), ["web9"]);
    maintenance.look(listing(&["10.0.0.1"]), &config);
    assert!(maintenance.strangers().is_empty());
    maintenance.look(listing(&["10.0.0.9"]), &config);
    assert_eq!(maintenance.strangers(), ["10.0.0.9"], "it is back");
}

#[test]
fn hosts_of_this_machine_are_known() {
    let answers = resolve(listing(&["localhost", "no-such-host.invalid"]));
    assert!(
        answers["localhost"]
            .iter()
            .any(std::net::IpAddr::is_loopback)
    );
    assert!(answers["no-such-host.invalid"].is_empty());
}

/// ESTALE and EIO come and go; whoever is being upgraded must not get clients for that second.
#[test]
fn a_directory_that_cannot_be_read_ends_nobodys_maintenance_and_says_so_once() {
    let config = config(TWO);
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("maintenance");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("10.0.0.1"), "").unwrap();
    let mut maintenance = Maintenance::default();
    let changes = maintenance.heard(list(Some(&directory)), &config);
    assert_eq!(told(&changes), ["10.0.0.1:80 true 10.0.0.1"]);
    assert_eq!(maintenance.trouble(), None);

    // Whatever the error is: no directory stands there.
    fs::remove_dir_all(&directory).unwrap();
    fs::write(&directory, "").unwrap();
    assert!(
        maintenance
            .heard(list(Some(&directory)), &config)
            .is_empty()
    );
    let trouble = maintenance.trouble().unwrap().unwrap_err();
    assert!(trouble.contains("cannot be read"), "{trouble}");
    assert!(
        maintenance
            .heard(list(Some(&directory)), &config)
            .is_empty()
    );
    assert_eq!(maintenance.trouble(), None, "it is told once");
    let again = maintenance.heard_afresh(Some(list(Some(&directory))), &config);
    assert_eq!(
        told(&again),
        ["10.0.0.1:80 true 10.0.0.1"],
        "by a reload, too"
    );

    fs::remove_file(&directory).unwrap();
    let changes = maintenance.heard(list(Some(&directory)), &config);
    assert_eq!(
        told(&changes),
        ["10.0.0.1:80 false 10.0.0.1"],
        "one that is not there is empty"
    );
    assert_eq!(maintenance.trouble(), Some(Ok(())));
}
