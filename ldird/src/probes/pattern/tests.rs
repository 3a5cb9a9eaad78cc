//! Perl's meaning, row by row (specification 2.2).
#![allow(clippy::unwrap_used)]

use super::Pattern;
use proptest::prelude::*;

#[test]
fn patterns_match_as_in_perl() {
    let rows = [
        ("Test Page", "<h1>Test Page</h1>", true),
        ("^a", "b\na", false),
        ("(?m)^a", "b\na", true),
        ("a$", "a", true),
        ("a$", "a\n", true),
        ("a$", "a\nb", false),
        ("(?m)a$", "a\nb", true),
        ("a|b$", "xb\n", true),
        ("OK$", "OK\r\n", false),
        (r"a\Z", "a\n", true),
        (r"a\z", "a\n", false),
        ("a.*b", "a\nb", false),
        ("(?s)a.*b", "a\nb", true),
        ("(?i)ok", "OK", true),
        (r"\hx", " x", true),
        (r"[\h]x", "\tx", true),
        (r"\hx", "ax", false),
        (r"\Qa.b\E.", "a.bc", true),
        (r"\Qa.b\E", "axb", false),
        (r"\101", "A", true),
        (r"(a)\1", "aa", true),
        (r"\cA", "\u{1}", true),
        (r"\x41\x{42}", "AB", true),
        (r"a(?!b)", "ab", false),
        (r"(?<=a)b", "ab", true),
        (r"a++b", "aaab", true),
        (r"[[:digit:]]+", "7", true),
        (r"[a[b]", "[", true),
        (r"[]a]", "]", true),
        (r"[a&&b]", "&", true),
        (r"[a\]b]", "]", true),
        ("{\"status\":\"up\"}", "{\"status\":\"up\"}", true),
        ("a{2}", "aa", true),
        ("a{2,}b", "aaab", true),
        ("a{,2}", "a{,2}", true),
        (r"\$HOME", "$HOME", true),
        (r"\d\.\d", "1.2", true),
        ("é", "café", true),
    ];
    for (pattern, text, expected) in rows {
        let compiled = Pattern::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        assert_eq!(
            compiled.is_match(text.as_bytes()),
            expected,
            "{pattern} on {text:?}"
        );
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for pattern in [
        "(", "a)", "[", "*", "\\", "(?|a)", "(?R)", "(?1)", "(?(1)a)", "(?{1})", "\\U",
    ] {
        assert!(Pattern::new(pattern).is_err(), "{pattern}");
    }
    assert!(Pattern::new(&"a".repeat(10_000)).is_err());
}

#[test]
fn a_runaway_pattern_is_no_match() {
    let pattern = Pattern::new(r"(?=(a+)+$)b\1").unwrap();
    assert!(!pattern.is_match("a".repeat(60).as_bytes()));
    let pattern = Pattern::new(r"^(a|a)*\1b$").unwrap();
    assert!(!pattern.is_match("a".repeat(60).as_bytes()));
}

proptest! {
    #[test]
    fn no_pattern_panics(pattern in ".{0,40}", text in ".{0,80}") {
        if let Ok(pattern) = Pattern::new(&pattern) {
            pattern.is_match(text.as_bytes());
        }
    }

    #[test]
    fn no_mixture_of_operators_panics(pattern in r"[\\()\[\]{}?*+|^$a1:=!<>&~,-]{0,16}") {
        if let Ok(pattern) = Pattern::new(&pattern) {
            pattern.is_match(b"aa1\n");
        }
    }
}
