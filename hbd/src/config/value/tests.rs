use super::*;

#[test]
fn times_are_read_as_the_old_daemon_does() {
    let table: [(&str, Option<u64>); 26] = [
        ("2", Some(2000)),
        (".5", Some(500)),
        ("1.5", Some(1500)),
        ("1.", Some(1000)),
        ("200ms", Some(200)),
        ("200MS", Some(200)),
        ("200msec", Some(200)),
        ("1.5ms", Some(2)),
        ("499us", Some(0)),
        ("500us", Some(1)),
        ("1500usec", Some(2)),
        ("0", Some(0)),
        ("0.0004", Some(0)),
        ("0.0005", Some(1)),
        ("00000000000000000010", None),
        ("2s", None),
        ("1m", None),
        ("abc", None),
        ("", None),
        (".", None),
        ("ms", None),
        ("1.2.3", None),
        ("-1", None),
        ("1 ms", None),
        ("99999999999", None),
        ("1µs", None),
    ];
    for (text, expected) in table {
        let expected = expected.map(Duration::from_millis);
        assert_eq!(time(text), expected, "{text:?}");
    }
}

#[test]
fn booleans_have_many_spellings() {
    for text in ["true", "ON", "Yes", "y", "1"] {
        assert_eq!(boolean(text), Some(true), "{text:?}");
    }
    for text in ["false", "OFF", "No", "n", "0"] {
        assert_eq!(boolean(text), Some(false), "{text:?}");
    }
    for text in ["", "legacy", "2", "onn"] {
        assert_eq!(boolean(text), None, "{text:?}");
    }
}

#[test]
fn integers_forgive_as_atoi_does_but_say_so() {
    let table = [
        ("694", 694, true),
        ("-1", -1, true),
        ("+7", 7, true),
        ("12x", 12, false),
        ("x", 0, false),
        ("", 0, false),
        ("-", 0, false),
        ("99999999999999999999", i64::MAX, true),
    ];
    for (text, value, exact) in table {
        assert_eq!(integer(text), Integer { value, exact }, "{text:?}");
    }
}
