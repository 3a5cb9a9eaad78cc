//! The tables themselves, and the helpers of the reader.

use super::{GLOBAL, SECTION, edit_distance, find, nearest};

#[test]
fn every_name_stands_once() {
    for table in [GLOBAL, SECTION] {
        for one in table {
            let count = table.iter().filter(|other| other.name == one.name).count();
            assert_eq!(count, 1, "{}", one.name);
        }
    }
}

/// Specification 1.7, its last line.
#[test]
fn sections_refuse_what_is_global_only() {
    for name in [
        "autoreload",
        "callback",
        "logfile",
        "execute",
        "fork",
        "supervised",
        "readdquiescent",
        "emailalertfrom",
        "maintenancedir",
        "timeout",
    ] {
        assert!(find(GLOBAL, name).is_some(), "{name}");
        assert!(find(SECTION, name).is_none(), "{name}");
    }
}

#[test]
fn misspelt_names_are_recognised() {
    assert_eq!(nearest(SECTION, "sheduler"), Some("scheduler"));
    assert_eq!(nearest(SECTION, "persistence"), Some("persistent"));
    assert_eq!(nearest(GLOBAL, "quiescant"), Some("quiescent"));
    assert_eq!(nearest(GLOBAL, "include"), None);
    assert_eq!(nearest(GLOBAL, ""), None);
    assert_eq!(edit_distance("kitten", "sitting"), 3);
}
