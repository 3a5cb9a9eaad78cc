//! Perl's meaning, row by row (specification 2.2); that it is Perl's is shown by the test beside
//! this one.
#![allow(clippy::unwrap_used)]

use super::{Pattern, PatternError};
use proptest::prelude::*;
use std::pin::pin;
use std::sync::Arc;

/// A pattern, a text, and whether it matches.
const PATTERNS: &[(&str, &[u8], bool)] = &[
    ("Test Page", b"<h1>Test Page</h1>", true),
    ("^a", b"b\na", false),
    ("(?m)^a", b"b\na", true),
    ("(?m)\\n^", b"a\n", false),
    ("a$", b"a", true),
    ("a$", b"a\n", true),
    ("a$", b"a\nb", false),
    ("(?m)a$", b"a\nb", true),
    ("a|b$", b"xb\n", true),
    ("OK$", b"OK\r\n", false),
    (r"a\Z", b"a\n", true),
    (r"a\z", b"a\n", false),
    ("a.*b", b"a\nb", false),
    ("(?s)a.*b", b"a\nb", true),
    ("(?i)ok", b"OK", true),
    ("(?i)o(?-i)k", b"OK", false),
    ("(?i:o)k", b"Ok", true),
    ("a(?i)b|c", b"C", true),
    (r"\hx", b" x", true),
    (r"[\h]x", b"\tx", true),
    (r"\hx", b"ax", false),
    (r"\<b\>", b"<b>", true),
    (r"\<b", b"b", false),
    (r"[\w-.]", b"-", true),
    (r"[a-c-e]", b"d", false),
    (r"[a-\d--,]", b",", true),
    (r"\Qa.b\E", b"Qa.bE", true),
    (r"\101", b"A", true),
    (r"(a)\1", b"aa", true),
    (r"(?i)(a)\1", b"aA", true),
    (r"(a)\10", b"a\x08", true),
    (r"\cA", b"\x01", true),
    (r"\x41\x{42}", b"AB", true),
    (r"a(?!b)", b"ab", false),
    (r"(?<=a)b", b"ab", true),
    (r"a++b", b"aaab", true),
    (r"a++ab", b"aaab", false),
    (r"(?>a|ab)c", b"abc", false),
    (r"[[:digit:]]+", b"7", true),
    (r"[[:^digit:]]", b"7", false),
    (r"[a[b]", b"[", true),
    (r"[]a]", b"]", true),
    (r"[a&&b]", b"&", true),
    (r"[a\]b]", b"]", true),
    ("{\"status\":\"up\"}", b"{\"status\":\"up\"}", true),
    ("a{2}", b"aa", true),
    ("a{2,}b", b"aaab", true),
    ("^a{,2}$", b"aa", true),
    ("a{,}", b"a{,}", true),
    (r"\$HOME", b"$HOME", true),
    (r"\d\.\d", b"1.2", true),
    ("é", "café".as_bytes(), true),
    ("caf.$", b"caf\xe9", true),
    (r"caf\xe9", b"caf\xe9", true),
    (r"\w", b"\xe9", false),
    (r"\p{L}", b"\xe9", true),
    (r"\w\p{L}?", b"\xe9", true),
    (r"(?x) a b # comment", b"ab", true),
    (r"(?<n>a)\k<n>", b"aa", true),
    (r"\bOK\b", b"is OK.", true),
    (r"a(?#comment)*b", b"aab", true),
];

#[test]
fn patterns_match_as_in_perl() {
    for &(pattern, text, expected) in PATTERNS {
        let compiled = Pattern::new(pattern.as_bytes());
        let compiled = compiled.unwrap_or_else(|error| panic!("{pattern}: {error}"));
        assert_eq!(compiled.is_match(text), expected, "{pattern} on {text:?}");
    }
    let latin = Pattern::new(b"\xe9t\xe9").unwrap();
    assert!(latin.is_match(b"un \xe9t\xe9"), "bytes of a Latin-1 file");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for pattern in [
        "(",
        "a)",
        "[",
        "*",
        "\\",
        "(?<=a*)b",
        "a**",
        "[z-a]",
        "\\8",
        "[[:what:]]",
        "(?q)",
        "\\C",
    ] {
        let refused = Pattern::new(pattern.as_bytes());
        assert!(
            matches!(refused, Err(PatternError::Invalid(_))),
            "{pattern}"
        );
    }
    for (pattern, name) in [
        ("(?|a)", "branch reset"),
        ("(?R)", "recursion"),
        ("(?1)", "recursion"),
        ("(?(1)a)", "condition"),
        ("(?{1})", "code"),
        ("(*ACCEPT)", "verb"),
        ("\\b{wb}", "\\b{"),
        ("\\p{Nonsense}", "\\p{Nonsense}"),
    ] {
        let told = Pattern::new(pattern.as_bytes()).unwrap_err();
        assert!(matches!(told, PatternError::Unsupported(_)), "{pattern}");
        assert!(told.to_string().contains(name), "{pattern}: {told}");
    }
    assert_eq!(Pattern::new(&[b'a'; 10_000]), Err(PatternError::Long));
    for deep in [
        "(".repeat(500) + &")".repeat(500),
        "((a{999}){999}){999}".to_owned(),
    ] {
        assert_eq!(Pattern::new(deep.as_bytes()), Err(PatternError::Large));
    }
}

#[test]
fn a_runaway_pattern_is_no_match() {
    let pattern = Pattern::new(br"(?=(a+)+$)b\1").unwrap();
    assert!(!pattern.is_match(&[b'a'; 60]));
    let pattern = Pattern::new(br"^(a|a)*\1b$").unwrap();
    assert!(!pattern.is_match(&[b'a'; 60]));
}

/// A megabyte in front of what is looked for is no runaway.
#[test]
fn a_large_body_is_searched_to_its_end() {
    let mut body = vec![b'x'; 1024 * 1024];
    body.extend(b"<b>OK</b>\n");
    for pattern in [
        "OK",
        r"\bOK\b",
        "</b>$",
        r"(?<!no)OK(?!!)",
        r"(O)K(?=<)",
        r"(<b>)OK</b>",
    ] {
        assert!(
            Pattern::new(pattern.as_bytes()).unwrap().is_match(&body),
            "{pattern}"
        );
    }
}

#[test]
fn only_what_nothing_can_undo_matches_early() {
    for pattern in [
        "Test Page",
        "a.*b|c",
        "^a",
        "(a)\\1",
        "[ab]+?",
        "(?<=a)b",
        "(?<!a)b",
    ] {
        assert!(
            Pattern::new(pattern.as_bytes()).unwrap().is_early(),
            "{pattern}"
        );
    }
    for pattern in [
        "a$", r"a\z", r"a\b", "a(?!b)", "a(?=b)", "a++", "(?>a|b)", "(?m)^a", r"a\R",
    ] {
        assert!(
            !Pattern::new(pattern.as_bytes()).unwrap().is_early(),
            "{pattern}"
        );
    }
}

proptest! {
    #[test]
    fn no_pattern_panics(
        pattern in proptest::collection::vec(any::<u8>(), 0..40),
        text in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        if let Ok(pattern) = Pattern::new(&pattern) {
            pattern.is_match(&text);
        }
    }

    #[test]
    fn no_mixture_of_operators_panics(pattern in r"[\\()\[\]{}?*+|^$a1:=!<>&~,-]{0,16}") {
        if let Ok(pattern) = Pattern::new(pattern.as_bytes()) {
            pattern.is_match(b"aa1\n");
        }
    }

    /// What matches early matches with anything behind it.
    #[test]
    fn an_early_match_stays_one(
        pattern in r"[ab.|()*?^\[\]\\1]{0,10}",
        text in "[ab\n]{0,8}",
        more in "[ab\n]{0,4}",
    ) {
        if let Ok(pattern) = Pattern::new(pattern.as_bytes())
            && pattern.is_early()
            && pattern.is_match(text.as_bytes())
        {
            let whole = text + &more;
            prop_assert!(pattern.is_match(whole.as_bytes()));
        }
    }
}

/// How often something else had its turn until the pattern was looked for, and whether it was found.
async fn turns_meanwhile(pattern: &str, body: &[u8]) -> (u64, bool) {
    let pattern = Arc::new(Pattern::new(pattern.as_bytes()).unwrap());
    let mut looking = pin!(pattern.is_in(body));
    let mut turns = 0;
    loop {
        tokio::select! {
            biased;
            found = &mut looking => return (turns, found),
            () = tokio::task::yield_now() => turns += 1,
        }
    }
}

#[tokio::test]
async fn what_may_take_long_is_looked_for_beside_the_loop() {
    // Every a may be taken alone or with the next one: without a limit this goes on for ever.
    let runaway = r"(?=(?:(a|aa)+)b)a\1";
    let large = vec![b'a'; 2 * 1024 * 1024];
    for body in [&large[..64], &large] {
        let (turns, found) = turns_meanwhile(runaway, body).await;
        assert!(turns > 0, "the loop stood still for {} bytes", body.len());
        assert!(!found, "beyond the limit there is no match");
    }
    assert_eq!(turns_meanwhile("Test", b"Test Page").await, (0, true));
}
