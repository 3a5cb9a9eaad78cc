//! Files that change, vanish and stay the same.
#![allow(clippy::unwrap_used)]

use super::{FileWatch, Maintenance, MaintenanceChange, Seen};
use ha_plumbing::Source;
use ldird_core::config::Config;
use std::fs;
use std::time::{Duration, SystemTime};

/// Writes with a time of its own, so that the test need not wait for the clock.
fn write(path: &std::path::Path, content: &str, second: u64) {
    fs::write(path, content).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
    file.set_modified(time).unwrap();
}

#[test]
fn content_decides_whether_a_file_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.cf");
    write(&path, "a", 1);
    let mut watch = FileWatch::new(&path);
    assert_eq!(watch.look(), Seen::Same);
    write(&path, "a", 2);
    assert_eq!(watch.look(), Seen::Same, "it may still be written to");
    assert_eq!(watch.look(), Seen::Same, "touched only");
    write(&path, "", 3);
    assert_eq!(watch.look(), Seen::Same, "it may still be written to");
    write(&path, "b", 3);
    assert_eq!(watch.look(), Seen::Same, "and it was");
    assert_eq!(watch.look(), Seen::Changed);
    assert_eq!(watch.look(), Seen::Same, "said once");
    fs::remove_file(&path).unwrap();
    assert_eq!(watch.look(), Seen::Vanished);
    assert_eq!(watch.look(), Seen::Same, "said once");
    write(&path, "b", 4);
    for _ in 0..2 {
        assert_eq!(watch.look(), Seen::Same, "back with the content in force");
    }
    write(&path, "c", 5);
    watch.accept();
    for _ in 0..2 {
        assert_eq!(watch.look(), Seen::Same, "somebody else has read it");
    }
}

fn config(text: &str) -> Config {
    let source = Source::from_bytes("/x.cf", text.as_bytes());
    let config = crate::config::read(&source, &mut crate::probes::Catalogue::default());
    config.0.unwrap().core
}

fn told(changes: &[MaintenanceChange]) -> Vec<String> {
    let told = changes
        .iter()
        .map(|change| format!("{} {}", change.real, change.active));
    told.collect()
}

#[test]
fn a_server_without_a_port_of_its_own_is_named_by_address_or_by_the_port_it_gets() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(
        "virtual=10.0.0.100:80\n\treal=10.0.0.1 gate\n\treal=10.0.0.2:81 gate\n\tchecktype=on\n",
    );
    fs::write(folder.path().join("10.0.0.1"), "").unwrap();
    fs::write(folder.path().join("10.0.0.2:80"), "").unwrap();
    let changes = Maintenance::default().look(Some(folder.path()), &config);
    assert_eq!(told(&changes), ["10.0.0.1:0 true", "10.0.0.2:81 true"]);
}

#[test]
fn a_new_configuration_hears_of_every_file_again() {
    let folder = tempfile::tempdir().unwrap();
    let config = config("virtual=10.0.0.100:80\n\treal=10.0.0.1->3:80 gate\n");
    let file = |name| folder.path().join(name);
    fs::write(file("10.0.0.1"), "").unwrap();
    fs::write(file("10.0.0.2"), "").unwrap();
    let mut maintenance = Maintenance::default();
    maintenance.look(Some(folder.path()), &config);
    fs::remove_file(file("10.0.0.2")).unwrap();
    let changes = maintenance.look_afresh(Some(folder.path()), &config);
    assert_eq!(told(&changes), ["10.0.0.2:80 false", "10.0.0.1:80 true"]);
    assert!(maintenance.look(Some(folder.path()), &config).is_empty());
}

#[test]
fn files_in_the_maintenance_directory_take_servers_out_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        config("virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate\n\treal=10.0.0.2:80 gate\n");
    let mut maintenance = Maintenance::default();
    let mut look = || told(&maintenance.look(Some(folder.path()), &config));
    assert!(look().is_empty());
    fs::write(folder.path().join("10.0.0.1"), "").unwrap();
    assert_eq!(look(), ["10.0.0.1:80 true"], "T47");
    fs::write(folder.path().join("10.0.0.2:80"), "").unwrap();
    fs::write(folder.path().join("10.0.0.2:81"), "").unwrap();
    assert_eq!(look(), ["10.0.0.2:80 true"], "T48");
    fs::remove_file(folder.path().join("10.0.0.1")).unwrap();
    assert_eq!(look(), ["10.0.0.1:80 false"], "T49");
    assert!(look().is_empty());
}
