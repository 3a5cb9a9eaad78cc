#![allow(clippy::unwrap_used)]

use super::*;

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
    assert_eq!(&lines[3][caret..caret + 4], "here");
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
fn counts_decide_and_the_list_is_bounded() {
    let mut all = Diagnostics::new();
    assert_eq!(all.summary(), "no faults");
    all.push(Diagnostic::warning("hm"));
    assert!(!all.has_errors());
    assert_eq!(all.summary(), "1 warning");
    for _ in 0..MAX_DIAGNOSTICS + 4 {
        all.push(Diagnostic::error("no"));
    }
    assert!(all.has_errors());
    assert_eq!(all.iter().count(), MAX_DIAGNOSTICS);
    assert_eq!(all.summary(), "204 errors, 1 warning");
    assert!(all.render(false).ends_with("… and 5 more\n\n"));
    let mut more = Diagnostics::from(Diagnostic::error("first"));
    more.extend(all);
    assert_eq!(more.summary(), "205 errors, 1 warning");
}
