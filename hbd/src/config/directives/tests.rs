use super::*;
use std::collections::BTreeSet;

#[test]
fn names_are_unique_and_every_row_says_what_it_means() {
    let names: BTreeSet<&str> = DIRECTIVES.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), DIRECTIVES.len());
    for row in DIRECTIVES {
        assert!(!row.help.is_empty(), "{}", row.name);
        assert!(!row.argument.usage().is_empty(), "{}", row.name);
    }
}

#[test]
fn slips_of_the_finger_are_recognised() {
    let table = [
        ("keepalve", Some("keepalive")),
        ("Keepalive", Some("keepalive")),
        ("dead_time", Some("deadtime")),
        ("autofailback", Some("auto_failback")),
        ("nodes", Some("node")),
        ("ucats", Some("ucast")),
        ("virtual", None),
        ("x", None),
        ("", None),
    ];
    for (written, meant) in table {
        assert_eq!(similar(written), meant, "{written:?}");
    }
    assert_eq!(similar(&"k".repeat(5000)), None);
}

#[test]
fn letters_added_removed_and_replaced_are_counted() {
    for (a, b, expected) in [
        ("", "", 0),
        ("", "abc", 3),
        ("kitten", "sitting", 3),
        ("ab", "ba", 2),
    ] {
        assert_eq!(distance(a, b), expected, "{a:?} {b:?}");
        assert_eq!(distance(b, a), expected, "{b:?} {a:?}");
    }
}
