#![allow(clippy::unwrap_used)]

use super::shown::MAX_SHOWN;
use super::*;
use std::path::Path;

fn source() -> Source {
    Source::from_bytes("/etc/ha.d/ha.cf", b"node lb1\n\tkeepalive 1x\t# often\n")
}

fn fault() -> Diagnostic {
    let source = source();
    let word = source.line(2).unwrap().words().nth(1).unwrap();
    Diagnostic::error("keepalive: `1x` is not a time")
        .at(&source, word.span)
        .hint("write 1 or 1000ms")
}

#[test]
fn a_fault_shows_file_line_caret_and_hint() {
    let expected = "\
error: keepalive: `1x` is not a time
 --> /etc/ha.d/ha.cf:2:12
  |
2 |     keepalive 1x    # often
  |               ^^
  hint: write 1 or 1000ms
";
    assert_eq!(fault().render(false), expected);
}

#[test]
fn a_fault_is_one_line_in_a_log() {
    assert_eq!(
        fault().to_string(),
        "/etc/ha.d/ha.cf:2: keepalive: `1x` is not a time (write 1 or 1000ms)"
    );
    let whole = Diagnostic::warning("cannot open").in_file(Path::new("authkeys"));
    assert_eq!(whole.to_string(), "authkeys: cannot open");
    assert_eq!(whole.render(false), "warning: cannot open\n --> authkeys\n");
}

#[test]
fn colour_is_added_around_the_same_text() {
    let mut plain = fault().render(true);
    for code in ["\x1b[1;31m", "\x1b[1m", "\x1b[0m"] {
        assert!(plain.contains(code), "{code:?} is used");
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, fault().render(false));
}

#[test]
fn control_characters_of_a_file_never_reach_the_terminal() {
    let source = Source::from_bytes("x", b"\x1b[2Jnode\n");
    let line = source.line(1).unwrap();
    let shown = Diagnostic::error(format!("Illegal directive [{}]", line.text))
        .at(&source, line.span())
        .render(false);
    assert!(!shown.contains('\x1b'), "{shown:?}");
}

#[test]
fn a_long_line_is_shown_around_the_caret() {
    let text = format!("{}here{}", "x ".repeat(400), " y".repeat(400));
    let source = Source::from_bytes("x", text.as_bytes());
    let word = source.line(1).unwrap().words().nth(400).unwrap();
    let shown = Diagnostic::error("there")
        .at(&source, word.span)
        .render(false);
    let lines: Vec<_> = shown.lines().collect();
    assert!(
        lines
            .iter()
            .all(|line| line.chars().count() <= MAX_SHOWN + 8)
    );
    let caret = lines[4].find("^^^^").unwrap();
    let under: String = lines[3].chars().skip(caret).take(4).collect();
    assert_eq!(under, "here");
}

#[test]
fn a_place_beyond_the_line_still_renders() {
    let source = source();
    let span = Span {
        line: 9,
        start: 70,
        end: 90,
    };
    let shown = Diagnostic::error("odd").at(&source, span).render(false);
    assert!(shown.contains(":9:1"), "{shown}");
}

#[test]
fn a_line_that_was_cut_says_so() {
    let text = format!("{}here{}", "x ".repeat(400), " y".repeat(400));
    let source = Source::from_bytes("x", text.as_bytes());
    let at = |n: usize| {
        let word = source.line(1).unwrap().words().nth(n).unwrap();
        let shown = Diagnostic::error("there").at(&source, word.span);
        let shown = shown.render(false);
        shown.lines().nth(3).unwrap().to_owned()
    };
    let (first, middle, last) = (at(0), at(400), at(800));
    assert!(
        first.starts_with("1 | x x") && first.ends_with('…'),
        "{first}"
    );
    assert!(
        middle.starts_with("1 | …") && middle.ends_with('…'),
        "{middle}"
    );
    assert!(last.starts_with("1 | …") && last.ends_with('y'), "{last}");
    assert!(!fault().render(false).contains('…'));
}

#[test]
fn equal_faults_are_shown_once_with_their_lines() {
    let text = "bad\n".repeat(300);
    let source = Source::from_bytes("x", text.as_bytes());
    let mut all = Diagnostics::new();
    for line in source.lines() {
        all.error(&source, line.span(), "Illegal directive [bad]");
    }
    all.error(&source, source.line(2).unwrap().span(), "another fault");
    let shown = all.render(false);
    assert_eq!(shown.matches("Illegal").count(), 1, "{shown}");
    let also = "  also: lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 and 287 more\n";
    assert!(shown.contains(also), "{shown}");
    assert!(
        shown.contains("another fault"),
        "no fault hides behind equal ones"
    );
    assert_eq!(all.summary(), "301 errors, 0 warnings");
    assert_eq!(all.hidden(), 0);
    let mut more = Diagnostics::new();
    more.error(
        &source,
        source.line(1).unwrap().span(),
        "Illegal directive [bad]",
    );
    more.extend(all);
    assert_eq!(more.iter().count(), 2);
    assert_eq!(more.summary(), "302 errors, 0 warnings");
}

#[test]
fn the_weightiest_come_first_and_what_is_minor_takes_one_line() {
    let mut all = Diagnostics::new();
    let source = source();
    let at = |one: Diagnostic| one.at(&source, source.line(1).unwrap().span());
    all.push(at(Diagnostic::warning("minor")
        .hint("leave it out")
        .minor()));
    all.push(at(Diagnostic::warning("ordinary")));
    all.push(at(Diagnostic::warning("two owners").ownership()));
    all.push(at(Diagnostic::error("fault")));
    let shown = all.render(false);
    let heads: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("warning") || line.starts_with("error"))
        .collect();
    assert_eq!(
        heads,
        [
            "error: fault",
            "warning: two owners",
            "warning: ordinary",
            "warning: /etc/ha.d/ha.cf:1: minor (leave it out)"
        ]
    );
}

#[test]
fn the_verdict_always_counts_both() {
    let mut all = Diagnostics::new();
    assert_eq!(all.verdict("x", ""), "x: usable: 0 errors, 0 warnings\n");
    all.push(Diagnostic::warning("hm"));
    let verdict = all.verdict("/etc/ha.d", "2 nodes");
    assert_eq!(
        verdict,
        "/etc/ha.d: usable: 0 errors, 1 warning (2 nodes)\n"
    );
    all.push(Diagnostic::error("no"));
    let verdict = all.verdict("/etc/ha.d", "");
    assert_eq!(verdict, "/etc/ha.d: not usable: 1 error, 1 warning\n");
}

#[test]
fn counts_decide_and_the_list_is_bounded() {
    let mut all = Diagnostics::new();
    all.push(Diagnostic::warning("hm"));
    assert!(!all.has_errors());
    for n in 0..MAX_DIAGNOSTICS + 4 {
        all.push(Diagnostic::error(format!("no {n}")));
    }
    assert!(all.has_errors());
    assert_eq!(all.iter().count(), MAX_DIAGNOSTICS);
    assert_eq!(all.summary(), "204 errors, 1 warning");
    assert!(all.render(false).ends_with("… and 5 more\n\n"));
    let mut more = Diagnostics::from(Diagnostic::error("first"));
    more.extend(all);
    assert_eq!(more.summary(), "205 errors, 1 warning");
}
