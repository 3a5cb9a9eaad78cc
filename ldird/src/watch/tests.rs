//! Files that change, vanish and stay the same.
#![allow(clippy::unwrap_used)]

use super::{FileWatch, Maintenance, Seen};
use ha_plumbing::Source;
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
    assert_eq!(watch.look(), Seen::Same, "touched only");
    write(&path, "b", 3);
    assert_eq!(watch.look(), Seen::Changed);
    assert_eq!(watch.look(), Seen::Same, "said once");
    fs::remove_file(&path).unwrap();
    assert_eq!(watch.look(), Seen::Vanished);
    assert_eq!(watch.look(), Seen::Same, "said once");
    write(&path, "b", 4);
    assert_eq!(watch.look(), Seen::Same, "back with the content in force");
}

#[test]
fn files_in_the_maintenance_directory_take_servers_out_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let text = "virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate\n\treal=10.0.0.2:80 gate\n";
    let source = Source::from_bytes("/x.cf", text.as_bytes());
    let config = crate::config::read(&source, &mut crate::probes::Catalogue::default());
    let config = config.0.unwrap().core;
    let mut maintenance = Maintenance::default();
    let mut look = || {
        let changes = maintenance.look(Some(folder.path()), &config);
        let changes = changes
            .iter()
            .map(|change| format!("{} {}", change.real, change.active));
        changes.collect::<Vec<_>>()
    };
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
