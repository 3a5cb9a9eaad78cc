//! Files that change, vanish and stay the same.
#![allow(clippy::unwrap_used)]

use super::{FileWatch, STILL_LOOKS, Seen};
use std::fs;
use std::time::{Duration, SystemTime};

/// Writes with a time of its own, so that the test need not wait for the clock.
fn write(path: &std::path::Path, content: &str, second: u64) {
    fs::write(path, content).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
    file.set_modified(time).unwrap();
}

/// Looks until a file that changed counts as written, or not.
fn looks(watch: &mut FileWatch) -> Seen {
    for _ in 0..STILL_LOOKS {
        assert_eq!(watch.look(), Seen::Same, "it may still be written to");
    }
    watch.look()
}

#[test]
fn content_decides_whether_a_file_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.cf");
    write(&path, "a", 1);
    let mut watch = FileWatch::new(&path);
    assert_eq!(watch.look(), Seen::Same);
    write(&path, "a", 2);
    assert_eq!(looks(&mut watch), Seen::Same, "touched only");
    write(&path, "b", 3);
    assert_eq!(looks(&mut watch), Seen::Changed);
    assert_eq!(watch.look(), Seen::Same, "said once");
    fs::remove_file(&path).unwrap();
    assert_eq!(watch.look(), Seen::Vanished);
    assert_eq!(watch.look(), Seen::Same, "said once");
    write(&path, "b", 4);
    assert_eq!(
        looks(&mut watch),
        Seen::Same,
        "back with the content in force"
    );
    write(&path, "c", 5);
    watch.accept();
    assert_eq!(looks(&mut watch), Seen::Same, "somebody else has read it");
}

/// Half a file removed half of the services for as long as the writer took.
#[test]
fn a_file_that_is_still_being_written_is_not_taken_for_a_changed_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.cf");
    write(&path, "one\ntwo\n", 1);
    let mut watch = FileWatch::new(&path);
    for (second, content) in (2..).zip(["", "one\n", "one\ntwo\n", "one\ntwo\nthree\n"]) {
        write(&path, content, second);
        // The writer pauses for all but the last of the looks that it takes.
        for _ in 0..STILL_LOOKS {
            assert_eq!(watch.look(), Seen::Same, "{content:?} is not all");
        }
    }
    assert_eq!(watch.look(), Seen::Changed);
}
