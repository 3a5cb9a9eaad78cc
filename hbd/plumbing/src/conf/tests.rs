#![allow(clippy::unwrap_used)]

use super::*;

fn source(text: &str) -> Source {
    Source::from_bytes("ha.cf", text.as_bytes())
}

#[test]
fn lines_are_numbered_from_one_and_the_last_needs_no_line_feed() {
    let both = [source("a\n\nb"), source("a\n\nb\n")];
    for source in both {
        let lines: Vec<_> = source
            .lines()
            .map(|line| (line.number, line.text))
            .collect();
        assert_eq!(lines, [(1, "a"), (2, ""), (3, "b")]);
    }
    assert_eq!(source("").lines().count(), 0);
    assert_eq!(source("\n").lines().count(), 1);
    assert_eq!(source("a\r\n").line(1).unwrap().text, "a\r");
    assert!(source("a").line(0).is_none());
}

#[test]
fn words_know_where_they_stand() {
    let source = source("\tkeepalive  1,2 # why");
    let line = source.line(1).unwrap().before_comment();
    let words: Vec<_> = line
        .words_by(|c| is_blank(c) || c == ',')
        .map(|word| (word.text, word.span.start, word.span.end))
        .collect();
    assert_eq!(words, [("keepalive", 1, 10), ("1", 12, 13), ("2", 14, 15)]);
    assert_eq!(line.rest(10).text, "1,2");
    assert_eq!(line.rest(10).span.start, 12);
}

#[test]
fn words_split_into_parts_with_places() {
    let source = source("  IPaddr::10.0.0.1/24");
    let word = source.line(1).unwrap().words().next().unwrap();
    let parts: Vec<_> = word
        .split("::")
        .map(|part| (part.text, part.span.start))
        .collect();
    assert_eq!(parts, [("IPaddr", 2), ("10.0.0.1/24", 10)]);
    let empty: Vec<_> = word.part(0..0).split("::").map(|part| part.text).collect();
    assert_eq!(empty, [""]);
}

#[test]
fn bytes_that_are_not_utf8_survive() {
    let bytes = b"1 md5 k\xe4se\n";
    let source = Source::from_bytes("authkeys", bytes);
    let line = source.line(1).unwrap();
    let key = line.words().nth(2).unwrap();
    assert_eq!(key.text, "käse");
    assert_eq!(source.bytes_of(key.text), b"k\xe4se");
    let source = Source::from_bytes("authkeys", "1 md5 käse".as_bytes());
    assert_eq!(source.bytes_of("käse"), "käse".as_bytes());
}

#[test]
fn an_endless_file_is_refused() {
    let error = Source::from_reader(Path::new("zero"), io::repeat(b'x')).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
}

#[test]
fn any_line_of_a_huge_file_is_found_at_once() {
    let source = source(&"x\n".repeat(1_000_000));
    let started = std::time::Instant::now();
    for number in 1..=1_000_000 {
        assert_eq!(source.line(number).unwrap().number, number);
    }
    assert!(source.line(1_000_001).is_none());
    // Scanning from the start each time would take hours.
    assert!(started.elapsed() < std::time::Duration::from_secs(60));
}
