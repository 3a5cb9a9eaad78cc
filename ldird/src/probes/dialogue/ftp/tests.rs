//! The machine of ftp, fed with replies and events.
#![allow(clippy::unwrap_used)]

use super::{Act, Event, FILE_MAX_BYTES, Ftp, Wish, extended_port, passive_port};
use crate::probes::Pattern;
use proptest::prelude::*;
use std::net::SocketAddr;
use std::sync::Arc;

fn ftp(receive: Option<&str>, v6: bool) -> Ftp {
    let wish = Wish {
        user: b"anonymous".to_vec(),
        password: b"me@here".to_vec(),
        file: b"/welcome".to_vec(),
        receive: receive.map(|text| Arc::new(Pattern::new(text.as_bytes()).unwrap())),
    };
    Ftp::new(wish, v6)
}

fn say(text: &str) -> Act {
    Act::Say(format!("{text}\r\n").into_bytes())
}

/// What is done after each of these replies.
fn answers(ftp: &mut Ftp, replies: &[&str]) -> Vec<Act> {
    let mut acts = Vec::new();
    for reply in replies {
        ftp.buffer().extend(reply.as_bytes());
        ftp.heard(reply.len());
        acts.push(ftp.next());
    }
    acts
}

fn after(ftp: &mut Ftp, event: Event<'_>) -> Act {
    ftp.happened(event);
    ftp.next()
}

const LOGIN: [&str; 3] = ["220 hi\r\n", "331 who?\r\n", "230 in\r\n"];
const READY: [&str; 5] = [
    "220 hi\r\n",
    "331 who?\r\n",
    "230 in\r\n",
    "250 ok\r\n",
    "200 ok\r\n",
];
const PASSIVE: &str = "227 Entering (10,0,0,9,4,1).\r\n";

#[test]
fn without_a_pattern_the_login_decides() {
    let acts = answers(&mut ftp(None, false), &LOGIN);
    let expected = [
        say("USER anonymous"),
        say("PASS me@here"),
        Act::Up("230 in".into()),
    ];
    assert_eq!(acts, expected);
    let acts = answers(&mut ftp(None, false), &[LOGIN[0], "230 in already\r\n"]);
    assert_eq!(acts.last().unwrap(), &Act::Up("230 in already".into()));
    let acts = answers(&mut ftp(None, false), &[LOGIN[0], LOGIN[1], "530 no\r\n"]);
    assert_eq!(acts.last().unwrap(), &Act::Down("login: 530 no".into()));
    let acts = answers(
        &mut ftp(None, false),
        &[LOGIN[0], "530 no\r\n", "530 no\r\n"],
    );
    let expected = [
        say("USER anonymous"),
        say("user anonymous"),
        Act::Down("login: 530 no".into()),
    ];
    assert_eq!(acts, expected);
    for greeting in ["421 full\r\n", "120 soon\r\n", "530 no\r\n"] {
        let acts = answers(&mut ftp(None, false), &[greeting]);
        assert_eq!(acts, [Act::Down(greeting.trim().into())]);
    }
}

#[test]
fn a_file_that_matches_is_up_and_another_one_down() {
    for (pattern, up) in [("^Hello", true), ("World$", true), ("Nope", false)] {
        let mut ftp = ftp(Some(pattern), false);
        let acts = answers(&mut ftp, &READY);
        assert_eq!(acts[2..], [say("CWD /"), say("TYPE I"), say("PASV")]);
        assert_eq!(answers(&mut ftp, &[PASSIVE]), [Act::Dial(1025)]);
        assert_eq!(after(&mut ftp, Event::Dialled(true)), say("RETR /welcome"));
        assert!(!ftp.wants_data());
        assert_eq!(answers(&mut ftp, &["150 comes\r\n"]), [Act::Listen]);
        assert!(ftp.wants_data());
        let first = after(&mut ftp, Event::Data(b"Hello, "));
        assert_eq!(first == Act::Listen, pattern != "^Hello", "{pattern}");
        after(&mut ftp, Event::Data(b"World"));
        assert_eq!(answers(&mut ftp, &["226 done\r\n"]), [Act::Listen]);
        let end = after(&mut ftp, Event::DataEnd);
        assert_eq!(matches!(end, Act::Up(_)), up, "{end:?}");
    }
}

#[test]
fn a_server_that_refuses_passive_connections_comes_itself() {
    for (passive, dials) in [
        ("502 no\r\n", false),
        ("227 where?\r\n", false),
        (PASSIVE, true),
    ] {
        let mut ftp = ftp(Some("x"), false);
        answers(&mut ftp, &READY);
        let act = answers(&mut ftp, &[passive]).remove(0);
        assert_eq!(act, if dials { Act::Dial(1025) } else { Act::Offer });
        if dials {
            assert_eq!(after(&mut ftp, Event::Dialled(false)), Act::Offer);
        }
        let here: SocketAddr = "10.0.0.1:1027".parse().unwrap();
        assert_eq!(
            after(&mut ftp, Event::Offered(Some(here))),
            say("PORT 10,0,0,1,4,3")
        );
        let acts = answers(&mut ftp, &["200 ok\r\n", "150 comes\r\n"]);
        assert_eq!(acts, [say("RETR /welcome"), Act::Listen]);
        assert_eq!(after(&mut ftp, Event::Accepted), Act::Listen);
        let act = after(&mut ftp, Event::Data(b"x"));
        assert!(matches!(act, Act::Up(_)), "{act:?}");
    }
    let mut ftp = ftp(Some("x"), false);
    answers(&mut ftp, &READY);
    answers(&mut ftp, &["502 no\r\n"]);
    let act = after(&mut ftp, Event::Offered(None));
    assert_eq!(act, Act::Down("no data connection".into()));
}

#[test]
fn over_ipv6_the_extended_commands_are_used() {
    let mut ftp = ftp(Some("x"), true);
    assert_eq!(answers(&mut ftp, &READY).pop().unwrap(), say("EPSV"));
    assert_eq!(
        answers(&mut ftp, &["229 (|||6446|)\r\n"]),
        [Act::Dial(6446)]
    );
    assert_eq!(after(&mut ftp, Event::Dialled(false)), Act::Offer);
    let here: SocketAddr = "[2001:db8::1]:6447".parse().unwrap();
    let act = after(&mut ftp, Event::Offered(Some(here)));
    assert_eq!(act, say("EPRT |2|2001:db8::1|6447|"));
}

/// The first thing that went wrong is told.
#[test]
fn what_keeps_a_file_away_is_told() {
    let rows: [(&[&str], &str); 3] = [
        (
            &["230 in\r\n", "550 no\r\n", "500 no\r\n"],
            "/welcome: 550 no such file",
        ),
        (
            &["530 wrong\r\n", "530 no\r\n", "530 no\r\n"],
            "login: 530 wrong",
        ),
        (
            &["230 in\r\n", "250 ok\r\n", "200 ok\r\n"],
            "/welcome: 550 no such file",
        ),
    ];
    for (replies, words) in rows {
        let mut ftp = ftp(Some("x"), false);
        answers(&mut ftp, &LOGIN[..2]);
        answers(&mut ftp, replies);
        answers(&mut ftp, &[PASSIVE]);
        after(&mut ftp, Event::Dialled(true));
        let acts = answers(&mut ftp, &["550 no such file\r\n"]);
        assert_eq!(acts, [Act::Down(words.into())]);
    }
}

/// A refused login with a file that comes all the same is up, as it was.
#[test]
fn a_file_that_matches_makes_up_for_a_refused_login() {
    let mut ftp = ftp(Some("x"), false);
    answers(
        &mut ftp,
        &[
            LOGIN[0],
            LOGIN[1],
            "530 no\r\n",
            "530\r\n",
            "530\r\n",
            PASSIVE,
        ],
    );
    after(&mut ftp, Event::Dialled(true));
    answers(&mut ftp, &["150 comes\r\n"]);
    assert!(matches!(after(&mut ftp, Event::Data(b"x")), Act::Up(_)));
}

#[test]
fn a_server_that_goes_leaves_what_it_sent() {
    let mut ftp = ftp(Some("World$"), false);
    answers(&mut ftp, &READY);
    answers(&mut ftp, &[PASSIVE]);
    after(&mut ftp, Event::Dialled(true));
    answers(&mut ftp, &["150 comes\r\n"]);
    after(&mut ftp, Event::Data(b"Hello World"));
    ftp.heard(0);
    assert_eq!(ftp.next(), Act::Listen, "the file may go on");
    assert!(ftp.out_of_time().is_some());
    assert!(matches!(after(&mut ftp, Event::DataEnd), Act::Up(_)));
}

#[test]
fn a_server_that_closes_before_a_file_is_down() {
    for length in 0..READY.len() {
        let mut ftp = ftp(Some("x"), false);
        answers(&mut ftp, &READY[..length]);
        ftp.buffer().extend(b"220");
        ftp.heard(3);
        ftp.heard(0);
        assert_eq!(ftp.next(), Act::Gone);
        assert_eq!(ftp.out_of_time(), None);
    }
}

#[test]
fn an_endless_file_is_judged_at_its_bound() {
    let mut ftp = ftp(Some("never"), false);
    answers(&mut ftp, &READY);
    answers(&mut ftp, &[PASSIVE]);
    after(&mut ftp, Event::Dialled(true));
    answers(&mut ftp, &["150 comes\r\n"]);
    let piece = vec![b'x'; 16 * 1024];
    let mut acts = (0..=FILE_MAX_BYTES / piece.len()).map(|_| after(&mut ftp, Event::Data(&piece)));
    let end = acts.find(|act| *act != Act::Listen).unwrap();
    assert!(matches!(end, Act::Down(_)), "{end:?}");
    drop(acts);
    assert!(ftp.data.len() <= FILE_MAX_BYTES);
}

#[test]
fn replies_of_many_lines_and_of_odd_servers_are_one() {
    let mut one = ftp(None, false);
    let banner = "noise\r\n220-hello\r\n 230 no code\r\nhi\r\n220 ready\r\n";
    assert_eq!(answers(&mut one, &[banner]), [say("USER anonymous")]);
    let mut one = ftp(None, false);
    assert_eq!(answers(&mut one, &["220"]), [Act::Listen]);
    assert_eq!(answers(&mut one, &["\n"]), [say("USER anonymous")]);
    let mut one = ftp(None, false);
    one.wish.user = b"me@behind".to_vec();
    answers(&mut one, &["220 hi\r\n"]);
    assert_eq!(answers(&mut one, &["220 a firewall\r\n"]), [Act::Listen]);
    assert_eq!(answers(&mut one, &["331 who?\r\n"]), [say("PASS me@here")]);
}

#[test]
fn ports_are_found_in_replies() {
    let rows: [(&[u8], Option<u16>); 9] = [
        (
            b" Entering Passive Mode (192,168,1,2,195,149).",
            Some(50069),
        ),
        (b" =1,2,3,4,5,6", Some(1286)),
        (b" 1,2,3,4,255,255", Some(65535)),
        (b" 1,2,3,4,256,0", None),
        (b" 1,2,3,4,5", None),
        (b" 1,2,3,,4,5,6", None),
        (b" 9,1,2,3,4,0,21", Some(4 * 256)),
        (b" 1,2,3,4,99999999999,1", None),
        (b"", None),
    ];
    for (reply, port) in rows {
        let shown = String::from_utf8_lossy(reply);
        assert_eq!(passive_port(reply), port, "{shown}");
    }
    let rows: [(&[u8], Option<u16>); 6] = [
        (b" Extended (|||6446|)", Some(6446)),
        (b" a(b) (!!!21!)", Some(21)),
        (b" (|||70000|)", None),
        (b" (|||21)", None),
        (b" (||21|)", None),
        (b" (", None),
    ];
    for (reply, port) in rows {
        let shown = String::from_utf8_lossy(reply);
        assert_eq!(extended_port(reply), port, "{shown}");
    }
}

proptest! {
    /// Whatever a server says and does, there is an act, and no panic.
    #[test]
    fn any_order_of_replies_and_events_is_answered(
        steps in prop::collection::vec((0_u8..8, "[0-9 -]{0,5}[a-z(),|0-9]{0,12}\r?\n?"), 0..40),
        v6: bool,
    ) {
        let mut ftp = ftp(Some("a"), v6);
        for (kind, text) in &steps {
            match kind {
                0 => ftp.happened(Event::Dialled(true)),
                1 => ftp.happened(Event::Dialled(false)),
                2 => ftp.happened(Event::Offered(Some("10.0.0.1:5".parse().unwrap()))),
                3 => ftp.happened(Event::Accepted),
                4 => ftp.happened(Event::Data(text.as_bytes())),
                _ => {
                    ftp.buffer().extend(text.as_bytes());
                    ftp.heard(text.len().max(1));
                }
            }
            let _ = ftp.next();
        }
        ftp.heard(0);
        let end = ftp.next();
        prop_assert!(end != Act::Listen || ftp.open);
    }
}
