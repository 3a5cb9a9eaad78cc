//! Each protocol's conversation, fed with bytes: whole, in pieces, and with servers that end, go on
//! for ever, or say something else.
#![allow(clippy::unwrap_used)]

use super::pop::Login;
use super::{Imap, Move, Pop, Script, SimpleTcp, Smtp, TOTAL_MAX_BYTES, Talk};
use crate::probes::Pattern;
use proptest::prelude::*;
use std::sync::Arc;

/// What the server says, each answer after one thing that we say, the first one before; what we
/// said, and the verdict. `Listen` stands for none yet.
fn converse(script: &Script, answers: &[&[u8]], piece: usize) -> (Vec<String>, Move) {
    let mut talk = Talk::new(script.clone());
    let mut said = Vec::new();
    let mut answers = answers.iter();
    let speak = |talk: &mut Talk, said: &mut Vec<String>| loop {
        match talk.next() {
            Move::Listen => return None,
            Move::Say(bytes) | Move::SayLast(bytes) => {
                said.push(String::from_utf8(bytes).unwrap());
            }
            verdict => return Some(verdict),
        }
    };
    if let Some(verdict) = speak(&mut talk, &mut said) {
        return (said, verdict);
    }
    for answer in answers.by_ref() {
        for part in answer.chunks(piece) {
            talk.buffer().extend(part);
            talk.heard(part.len());
            if let Some(verdict) = speak(&mut talk, &mut said) {
                return (said, verdict);
            }
        }
    }
    (said, Move::Listen)
}

/// The verdict is the same however the bytes are cut.
fn verdict(script: &Script, answers: &[&str]) -> Move {
    let answers: Vec<&[u8]> = answers.iter().map(|text| text.as_bytes()).collect();
    let (said, verdict) = converse(script, &answers, 1);
    let whole = converse(script, &answers, usize::MAX);
    assert_eq!((said, &verdict), (whole.0, &whole.1), "{answers:?}");
    verdict
}

fn said(script: &Script, answers: &[&str]) -> Vec<String> {
    let answers: Vec<&[u8]> = answers.iter().map(|text| text.as_bytes()).collect();
    converse(script, &answers, usize::MAX).0
}

fn is_up(script: &Script, answers: &[&str]) -> bool {
    match verdict(script, answers) {
        Move::Up(_) => true,
        Move::Down(_) | Move::Gone => false,
        other => panic!("{answers:?}: {other:?}"),
    }
}

/// The server closes behind what it says.
fn ends(script: &Script, text: &str) -> Move {
    let mut talk = Talk::new(script.clone());
    talk.buffer().extend(text.as_bytes());
    if !text.is_empty() {
        talk.heard(text.len());
    }
    talk.heard(0);
    loop {
        match talk.next() {
            Move::Say(_) | Move::SayLast(_) => {}
            Move::Listen => panic!("listens behind the end: {text:?}"),
            verdict => return verdict,
        }
    }
}

fn smtp() -> Script {
    Script::Smtp(Smtp::default())
}

fn login() -> Login {
    Login {
        user: b"mrose".to_vec(),
        password: b"tanstaaf".to_vec(),
    }
}

fn pop() -> Script {
    Script::Pop(Pop::new(Some(login())))
}

fn imap() -> Script {
    Script::Imap(Imap::new(Some(login())))
}

fn simple(request: &str, receive: Option<&str>) -> Script {
    let receive = receive.map(|text| Arc::new(Pattern::new(text.as_bytes()).unwrap()));
    Script::SimpleTcp(SimpleTcp::new(request.as_bytes(), receive))
}

const BANNER: &str = "220 mx ESMTP\r\n";

#[test]
fn k27_smtp_greets_and_takes_ehlo() {
    let answers = [BANNER, "250-mx\r\n250-SIZE\r\n250 OK\r\n"];
    assert_eq!(verdict(&smtp(), &answers), Move::Up("220 mx ESMTP".into()));
    let spoken = said(&smtp(), &answers);
    assert_eq!(spoken, ["EHLO localhost.localdomain\r\n"]);
    let long = ["220-one\n220-two\n220 three\n", "250\n"];
    assert_eq!(verdict(&smtp(), &long), Move::Up("220-one".into()));
}

#[test]
fn k28_smtp_that_greets_with_an_error_is_down() {
    let no = "554 no mail here\r\n";
    assert_eq!(verdict(&smtp(), &[no]), Move::Down(no.trim().into()));
    for greeting in [
        "421 later\r\n",
        "354 go\r\n",
        "120 soon\r\n",
        "+OK\r\n",
        "\r\n",
        "22\r\n",
    ] {
        assert!(!is_up(&smtp(), &[greeting]), "{greeting}");
    }
}

#[test]
fn k29_smtp_without_ehlo_is_asked_with_helo() {
    let answers = [BANNER, "502 what?\r\n", "250 mx\r\n"];
    assert!(is_up(&smtp(), &answers));
    let spoken = said(&smtp(), &answers);
    assert_eq!(spoken.last().unwrap(), "HELO localhost.localdomain\r\n");
    assert!(!is_up(&smtp(), &[BANNER, "502 what?\r\n", "502 what?\r\n"]));
    let busy = Move::Down("EHLO: 421 busy".into());
    assert_eq!(verdict(&smtp(), &[BANNER, "421 busy\r\n"]), busy);
}

const OK: &str = "+OK ready\r\n";

#[test]
fn k31_pop_login_decides() {
    let start = [OK, "+OK\r\nTOP\r\nUSER\r\n.\r\n", "+OK\r\n"];
    let good = [&start[..], &["+OK 0 messages\r\n"]].concat();
    assert_eq!(verdict(&pop(), &good), Move::Up("+OK 0 messages".into()));
    assert_eq!(
        said(&pop(), &good),
        ["CAPA\r\n", "USER mrose\r\n", "PASS tanstaaf\r\n"]
    );
    let wrong = [&start[..], &["-ERR no\r\n"]].concat();
    assert_eq!(verdict(&pop(), &wrong), Move::Down("PASS: -ERR no".into()));
    assert!(is_up(&pop(), &[OK, "-ERR capa?\r\n", "+\r\n", "+OK\r\n"]));
    assert!(!is_up(&pop(), &[OK, "-ERR capa?\r\n", "-ERR nobody\r\n"]));
    assert!(!is_up(&pop(), &["-ERR full\r\n"]));
}

/// Up even when refused, with the old daemon.
#[test]
fn pop_without_a_login_has_to_greet() {
    let script = Script::Pop(Pop::new(None));
    assert_eq!(verdict(&script, &[OK]), Move::Up("+OK ready".into()));
    assert!(is_up(&script, &["+ok\r\n"]));
    assert!(!is_up(&script, &["-ERR full\r\n"]));
    assert_eq!(ends(&script, ""), Move::Gone);
}

/// RFC 1939 section 7.
#[test]
fn pop_with_a_time_stamp_is_logged_in_with_apop() {
    let banner = "+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n";
    let answers = [banner, "+OK maildrop has 1 message\r\n"];
    assert!(is_up(&pop(), &answers));
    assert_eq!(
        said(&pop(), &answers),
        ["APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n"]
    );
    let refused = [banner, "-ERR\r\n", "-ERR\r\n", "+OK\r\n", "+OK\r\n"];
    assert!(is_up(&pop(), &refused), "another way is tried");
    for odd in [
        "+OK <@>\r\n",
        "+OK <a@b c>\r\n",
        "+OK <a..b@c>\r\n",
        "+OK <a@\r\n",
    ] {
        assert_eq!(said(&pop(), &[odd]), ["CAPA\r\n"], "{odd}");
    }
}

/// RFC 2195 section 2.
#[test]
fn pop_that_offers_cram_md5_is_logged_in_with_it() {
    let script = Script::Pop(Pop::new(Some(Login {
        user: b"tim".to_vec(),
        password: b"tanstaaftanstaaf".to_vec(),
    })));
    let answers = [
        OK,
        "+OK\r\nSASL PLAIN CRAM-MD5\r\n.\r\n",
        "+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n",
        "+OK\r\n",
    ];
    assert!(is_up(&script, &answers));
    assert_eq!(
        said(&script, &answers),
        [
            "CAPA\r\n",
            "AUTH CRAM-MD5\r\n",
            "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n"
        ]
    );
    for no in ["-ERR\r\n", "+ ???\r\n", "+\r\n"] {
        let answers = [answers[0], answers[1], no, "+OK\r\n", "+OK\r\n"];
        assert!(is_up(&script, &answers), "USER and PASS behind {no:?}");
    }
    let refused = [
        answers[0], answers[1], answers[2], "-ERR\r\n", "+OK\r\n", "-ERR\r\n",
    ];
    assert!(!is_up(&script, &refused));
}

#[test]
fn imap_login_decides() {
    let good = ["* OK ready\r\n", "* CAPABILITY X\r\n0 OK in\r\n"];
    assert_eq!(verdict(&imap(), &good), Move::Up("OK in".into()));
    assert_eq!(said(&imap(), &good), ["0 LOGIN mrose \"tanstaaf\"\r\n"]);
    let wrong = ["* OK ready\r\n", "0 NO wrong\r\n"];
    assert_eq!(
        verdict(&imap(), &wrong),
        Move::Down("LOGIN: NO wrong".into())
    );
    assert!(!is_up(&imap(), &["* OK ready\r\n", "0 BAD off\r\n"]));
    assert!(is_up(&imap(), &["*  preauth\r\n", "0\tok\r\n"]));
    let other = [
        "* OK ready\r\n",
        "7 OK not ours\r\nnoise\r\n* BYE\r\n00 OK\r\n",
    ];
    assert_eq!(verdict(&imap(), &other), Move::Listen);
}

/// An answer may hold lines that look like another.
#[test]
fn imap_literals_are_no_answers() {
    for literal in [
        "* X {9}\r\n0 NO abc\n0 OK in\r\n",
        "* X ({9}\r\n0 NO abc\n0 NO )\r\n0 OK in\r\n",
        "* X ({9}\r\n0 NO ab)\n0 OK in\r\n",
        "* X ({0}\r\n0 NO )\r\n0 OK in\r\n",
    ] {
        assert!(is_up(&imap(), &["* OK\r\n", literal]), "{literal}");
    }
    let endless = "* X {99999999999999999999}\r\n0 OK in\r\n";
    assert_eq!(verdict(&imap(), &["* OK\r\n", endless]), Move::Listen);
}

#[test]
fn imap_names_that_need_quotes_get_them() {
    let script = Script::Imap(Imap::new(Some(Login {
        user: b"a b".to_vec(),
        password: b"c\"d\\\r\ne".to_vec(),
    })));
    assert_eq!(
        said(&script, &["* OK\r\n"]),
        ["0 LOGIN \"a b\" \"c\\\"d\\\\e\"\r\n"]
    );
}

#[test]
fn k33_imap_that_says_bye_is_down() {
    let script = Script::Imap(Imap::new(None));
    assert!(!is_up(&script, &["* BYE full\r\n"]));
    assert!(!is_up(&script, &["OK\r\n"]));
    assert_eq!(
        verdict(&script, &["* OK hi\r\n"]),
        Move::Up("* OK hi".into())
    );
    assert!(said(&script, &["* OK hi\r\n"]).is_empty());
}

#[test]
fn k39_nntp_greets_with_a_2() {
    let script = Script::Nntp;
    let (_, found) = converse(&script, &[b"200 news\r\n"], usize::MAX);
    assert_eq!(found, Move::Up("200 news".into()));
    let (_, found) = converse(&script, &[b"2"], 1);
    assert_eq!(found, Move::Up("2".into()), "the first byte decides");
    let (_, found) = converse(&script, &[b"502 no\r\n"], usize::MAX);
    assert_eq!(found, Move::Down("502 no".into()));
    let (_, found) = converse(&script, &[b" 200\r\n"], usize::MAX);
    assert_eq!(found, Move::Down("200".into()), "a blank is no 2");
}

#[test]
fn k42_simpletcp_any_line_may_match() {
    let script = simple("/x", Some("here"));
    assert_eq!(
        verdict(&script, &["one\ntwo\nit is here\n"]),
        Move::Up("it is here".into())
    );
    assert_eq!(
        verdict(&script, &["it is here"]),
        Move::Listen,
        "no line yet"
    );
    assert_eq!(
        ends(&script, "one\nit is here"),
        Move::Up("it is here".into())
    );
    let none = Move::Down("no line matches \"here\": two".into());
    assert_eq!(ends(&script, "one\ntwo\n"), none);
    assert_eq!(ends(&script, ""), Move::Gone);
}

#[test]
fn k56_a_dot_is_no_end_of_a_line() {
    let apart = simple("/x", Some("one.*two"));
    assert!(matches!(ends(&apart, "one\ntwo\n"), Move::Down(_)));
}

#[test]
fn k43_simpletcp_lines_keep_their_ends() {
    let script = simple("/x", Some("OK$"));
    assert!(matches!(ends(&script, "OK\n"), Move::Up(_)));
    assert!(matches!(ends(&script, "OK\r\n"), Move::Down(_)));
}

#[test]
fn k44_simpletcp_sends_what_the_file_says() {
    assert_eq!(said(&simple("/PING\\n", None), &[]), ["PING\n"]);
    assert_eq!(said(&simple("PING\\n", None), &[]), ["PING\n"]);
    assert_eq!(said(&simple("//a\\x41", None), &[]), ["/aA"]);
}

/// With the old daemon a line was needed, and a request with `\n` made it always down.
#[test]
fn simpletcp_without_a_pattern_takes_any_answer() {
    assert!(is_up(&simple("/PING\\n", None), &["P"]));
    assert_eq!(ends(&simple("/PING\\n", None), ""), Move::Gone);
}

/// Whoever ends early: what is whole counts, and what is not does as it did for the old libraries.
#[test]
fn a_server_that_closes_early_is_down_unless_its_word_stands() {
    for text in ["", "220 mx\r\n", "220 mx", "220 mx\r\n250 OK"] {
        assert_eq!(ends(&smtp(), text), Move::Gone, "{text:?}");
    }
    for text in ["", "+OK\r\n", "+OK"] {
        assert_eq!(ends(&pop(), text), Move::Gone, "{text:?}");
    }
    let spoken = "+OK\r\n-ERR\r\n+OK\r\n+OK in";
    assert!(matches!(ends(&pop(), spoken), Move::Up(_)));
    assert_eq!(ends(&imap(), "* OK\r\n"), Move::Gone);
    assert!(matches!(ends(&imap(), "* OK\r\n0 OK"), Move::Up(_)));
    assert_eq!(ends(&Script::Nntp, ""), Move::Gone);
}

#[test]
fn an_endless_answer_is_down_at_its_bound() {
    let scripts = [smtp(), pop(), imap(), simple("/x", Some("never"))];
    for script in scripts {
        for line in [&b"xxxxxxxxxxxxxxx"[..], b"220-x\n", b"+OK\n", b"* OK\n"] {
            let mut talk = Talk::new(script.clone());
            let mut heard = 0;
            let found = loop {
                match talk.next() {
                    Move::Listen => {
                        talk.buffer().extend(line);
                        talk.heard(line.len());
                        heard += line.len();
                        assert!(talk.lines.buffer().len() <= heard);
                    }
                    Move::Say(_) | Move::SayLast(_) => {}
                    verdict => break verdict,
                }
                assert!(heard <= TOTAL_MAX_BYTES + line.len(), "{script:?}");
            };
            assert!(matches!(found, Move::Down(_) | Move::Up(_)), "{found:?}");
        }
    }
}

proptest! {
    /// No bytes of a server make anything but a verdict, and the cuts between reads none.
    #[test]
    fn any_bytes_end_in_a_verdict(parts in prop::collection::vec("[ -~\r\n*+{}()0-9]{0,12}", 0..12)) {
        let text = parts.concat();
        let greeted = Script::Pop(Pop::new(None));
        for script in [smtp(), pop(), imap(), greeted, Script::Nntp, simple("/x", Some("a"))] {
            let whole = ends(&script, &text);
            let (_, cut) = converse(&script, &[text.as_bytes()], 1);
            if !matches!((&script, &cut), (Script::Nntp, _) | (_, Move::Listen)) {
                prop_assert_eq!(cut, whole);
            }
        }
    }
}
