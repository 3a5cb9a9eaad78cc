//! Reading keepalived.conf: its grammar, and that nothing breaks the reader.
#![allow(clippy::unwrap_used)]

use super::cluster::Nodes;
use super::report::Report;
use super::source::{self, Files};
use super::tree::{self, Statement};
use super::{convert, fits, printed};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Files in memory.
struct Memory(BTreeMap<PathBuf, String>);

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<String> {
        let found = self.0.get(path).cloned();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn matching(&self, pattern: &Path) -> Vec<PathBuf> {
        let pattern = pattern.to_string_lossy().into_owned();
        let names = self.0.keys();
        names
            .filter(|name| fits(pattern.as_bytes(), name.to_string_lossy().as_bytes()))
            .cloned()
            .collect()
    }
}

fn read_all(files: &[(&str, &str)]) -> (Vec<Statement>, Report) {
    let all = files
        .iter()
        .map(|(name, text)| (PathBuf::from(name), (*text).to_owned()));
    let memory = Memory(all.collect());
    let mut report = Report::default();
    let lines = source::lines(Path::new(files[0].0), "lb1", &memory, &mut report).unwrap();
    let statements = tree::parse(&lines, &mut report);
    (statements, report)
}

fn shown(statements: &[Statement]) -> String {
    let one = |statement: &Statement| match &statement.block {
        Some(block) => format!("{} {{{}}}", statement.words.join("|"), shown(block)),
        None => statement.words.join("|"),
    };
    statements.iter().map(one).collect::<Vec<_>>().join(";")
}

fn read(text: &str) -> String {
    let (statements, report) = read_all(&[("k.conf", text)]);
    assert!(!report.has_faults(), "{text}\n{}", report.lines());
    shown(&statements)
}

#[test]
fn words_blocks_quotes_and_comments() {
    for (text, wanted) in [
        ("a b c", "a|b|c"),
        ("a { b c }", "a {b|c}"),
        ("a\n{\n b\n}\nc", "a {b};c"),
        ("a {\n}\nb", "a {};b"),
        ("a{b{c d}}", "a {b {c|d}}"),
        ("a \"b c\" d # e", "a|b c|d"),
        ("a \"b ! c # d\" ! e", "a|b ! c # d"),
        ("a \"\" b", "a||b"),
        ("a \\\"b", "a|\"b"),
        ("a b \\\n  c", "a|b|c"),
        ("  ! nothing\n#\n", ""),
        ("a \"x{y}z\"", "a|x{y}z"),
    ] {
        assert_eq!(read(text), wanted, "{text}");
    }
}

#[test]
fn definitions_are_put_in() {
    for (text, wanted) in [
        ("$A=1\nb $A ${A}2 x$A", "b|1|12|x1"),
        ("$A=1\n$B=$A$A\nb $B", "b|11"),
        ("$A= \\\nx 1 \\\ny 2\nb {\n$A\n}", "b {x|1;y|2}"),
        ("$A=\"b c\"\nd $A", "d|b c"),
        ("cost $5", "cost|$5"),
    ] {
        assert_eq!(read(text), wanted, "{text}");
    }
    let (statements, report) = read_all(&[("k.conf", "a\nb $NOBODY\n")]);
    assert_eq!(shown(&statements), "a;b|$NOBODY");
    assert!(
        report.lines().starts_with("k.conf:2: $NOBODY: no line"),
        "{}",
        report.lines()
    );
}

#[test]
fn conditions_choose_lines_and_whole_blocks() {
    for (text, wanted) in [
        ("@lb1 a\n@lb2 b\n@^lb1 c\n@^lb2 d", "a;d"),
        ("@lb2 a {\n b\n}\nc", "c"),
        ("@lb1 a {\n b\n}\nc", "a {b};c"),
        ("a {\n@lb1 b\n@lb2 c\n}", "a {b}"),
        ("@lb1", ""),
    ] {
        assert_eq!(read(text), wanted, "{text}");
    }
}

#[test]
fn sequences_repeat_their_line_or_block() {
    for (text, wanted) in [
        ("~SEQ(I, 1, 3) a $I", "a|1;a|2;a|3"),
        ("~SEQ(I, 3, -1, 1) a $I", "a|3;a|2;a|1"),
        ("~SEQ(I, 0, 5, 10) a 1$I", "a|10;a|15;a|110"),
        ("~LST(I, x, \"y\") a $I", "a|x;a|y"),
        (
            "~SEQ(I, 1, 2) a $I {\n b ${I}0\n}\nc",
            "a|1 {b|10};a|2 {b|20};c",
        ),
        ("~SEQ(I, 1, 2) ~SEQ(J, 1, 2) a $I$J", "a|11;a|12;a|21;a|22"),
    ] {
        assert_eq!(read(text), wanted, "{text}");
    }
}

#[test]
fn files_are_included_where_they_are_named() {
    let (statements, report) = read_all(&[
        ("/e/k.conf", "a\ninclude d/*.conf\nb\ninclude \"x.conf\"\n"),
        ("/e/d/1.conf", "one"),
        ("/e/d/2.conf", "two {\ninclude 3.inc\n}"),
        ("/e/d/3.inc", "three"),
    ]);
    assert_eq!(shown(&statements), "a;one;two {three};b");
    assert!(
        report
            .lines()
            .starts_with("/e/k.conf:4: include x.conf: no such file")
    );
}

#[test]
fn what_cannot_be_read_is_a_fault_with_its_line() {
    for (text, wanted) in [
        (
            "a\nb {\nc\n",
            "k.conf:2: error: the block of \"b\" is not closed",
        ),
        ("a\n}\n", "k.conf:2: error: } closes nothing"),
        ("a \"b\n", "k.conf:1: error: a quote is not closed"),
        (
            "{\n}\n",
            "k.conf:1: error: { opens a block that has no name",
        ),
        ("~SEQ(I) a\n", "k.conf:1: error: ~SEQ(I) a: a sequence is"),
        ("~SEQ(I, 1, 999999) a\n", "k.conf:1: error: ~SEQ"),
    ] {
        let (_, report) = read_all(&[("k.conf", text)]);
        assert!(report.has_faults(), "{text}");
        assert!(
            report.lines().starts_with(wanted),
            "{text}\n{}",
            report.lines()
        );
    }
    let deep = "a {\n".repeat(100);
    assert!(read_all(&[("k.conf", &deep)]).1.has_faults());
}

/// Nothing that repeats or includes itself takes for ever.
#[test]
fn what_feeds_on_itself_ends() {
    for text in [
        "include k.conf\ninclude k.conf\n".to_owned(),
        "$A=$A$A\nb $A\n".to_owned(),
        "$A=x$B\n$B=$A$A\nb $B\n".to_owned(),
        "~SEQ(I, 1, 9999) ".repeat(5),
        format!("~SEQ(I, 1, 9999) {}\n", "x".repeat(60_000)),
    ] {
        let (_, report) = read_all(&[("k.conf", &text)]);
        assert!(report.has_faults() || report.remarks() > 0, "{text:.40}");
    }
}

#[test]
fn patterns_of_names() {
    for (pattern, name, wanted) in [
        ("*.conf", "a.conf", true),
        ("*.conf", "a.conf~", false),
        ("a?c*", "abc", true),
        ("a?c", "ac", false),
        ("*a*b*", "xxaxxbxx", true),
        ("*", "", true),
        ("", "a", false),
    ] {
        assert_eq!(
            fits(pattern.as_bytes(), name.as_bytes()),
            wanted,
            "{pattern} {name}"
        );
    }
}

fn import(text: &str) -> String {
    let (statements, mut report) = read_all(&[("k.conf", text)]);
    let nodes = Nodes {
        this: "lb1",
        other: "lb2",
    };
    let outputs = convert(
        &statements,
        &nodes,
        (Path::new("k.conf"), "/etc/ha.d"),
        &mut report,
    );
    printed(&outputs) + &report.lines()
}

const WORDS: &[&str] = &[
    "virtual_server",
    "virtual_server_group",
    "group",
    "fwmark",
    "real_server",
    "vrrp_instance",
    "vrrp_sync_group",
    "virtual_ipaddress",
    "unicast_peer",
    "HTTP_GET",
    "TCP_CHECK",
    "MISC_CHECK",
    "DNS_CHECK",
    "SMTP_CHECK",
    "url",
    "path",
    "status_code",
    "regex",
    "host",
    "connect_ip",
    "connect_port",
    "delay_loop",
    "lb_algo",
    "lb_kind",
    "DR",
    "TUN",
    "type",
    "gue",
    "port",
    "weight",
    "sorry_server",
    "persistence_timeout",
    "persistence_granularity",
    "quorum",
    "interface",
    "priority",
    "advert_int",
    "state",
    "MASTER",
    "10.0.0.1",
    "10.0.0.1-9",
    "2001:db8::1-f",
    "80",
    "-1",
    "99999999999",
    "1e999",
    "0.0001",
    "nan",
    "{",
    "}",
    "\n",
    "\"",
    "\\",
    "!",
    "#",
    "@lb1",
    "@^x",
    "$A",
    "$A=",
    "${A}",
    "~SEQ(A,1,3)",
    "~LST(A,",
    "include",
    "é",
    "\0",
];

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        import(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_words_are_survived(words in prop::collection::vec(prop::sample::select(WORDS), 0..80)) {
        import(&words.join(" "));
    }

    #[test]
    fn any_lines_are_survived(words in prop::collection::vec(prop::sample::select(WORDS), 0..80)) {
        import(&words.join("\n"));
    }
}
