//! Scripted directory servers.
#![allow(clippy::unwrap_used)]

use super::message::read;
use super::message::tests::{entry, message, result};
use super::{BIND, Ldap, SEARCH};
use crate::probes::{Answer, Dialler, Dialogue, Means, Pattern, Probe};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(300);

/// What a server says to the first and to the second request, how slowly, and whether it then closes.
#[derive(Clone, Default)]
pub(super) struct Script {
    pub(super) bound: Vec<u8>,
    pub(super) found: Vec<u8>,
    pub(super) pause: Duration,
    pub(super) close: bool,
}

/// Requests that came, too.
pub(super) async fn serve(script: Script) -> (SocketAddr, Arc<std::sync::Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    let ours = Arc::clone(&heard);
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            for (number, answer) in [(BIND, &script.bound), (SEARCH, &script.found)] {
                if answer.is_empty() && script.close {
                    break;
                }
                let length = stream.read(&mut buffer).await.unwrap_or(0);
                ours.lock().unwrap().extend(&buffer[..length]);
                let answer = renumbered(answer, number, *buffer.get(4).unwrap());
                let size = if script.pause.is_zero() { 4096 } else { 1 };
                for part in answer.chunks(size) {
                    if stream.write_all(part).await.is_err() {
                        break;
                    }
                    if !script.pause.is_zero() {
                        tokio::time::sleep(script.pause).await;
                    }
                }
            }
            if !script.close {
                held.push(stream);
            }
        }
    });
    (address, heard)
}

/// The old library counts its requests over all connections.
fn renumbered(answer: &[u8], from: u8, to: u8) -> Vec<u8> {
    let mut bytes = answer.to_vec();
    let mut at = 0;
    while let Ok(Some(message)) = read(&bytes[at..]) {
        if message.id == u32::from(from) && bytes[at + 2..at + 4] == [2, 1] {
            bytes[at + 4] = to;
        }
        at += message.length;
    }
    bytes
}

pub(super) fn good() -> Script {
    Script {
        bound: result(BIND, 0x61, 0, ""),
        found: [entry(SEARCH, "o=Site,c=DE"), result(SEARCH, 0x65, 0, "")].concat(),
        ..Script::default()
    }
}

pub(super) fn check(target: SocketAddr, receive: Option<&str>) -> Dialogue {
    Dialogue {
        request: b"/o=site,c=de".to_vec(),
        receive: receive.map(|text| Arc::new(Pattern::new(text.as_bytes()).unwrap())),
        ..Dialogue::new(target, LONG)
    }
}

async fn ask(dialogue: Dialogue) -> Answer {
    let Probe::Ldap(ldap) = Ldap::plain(dialogue) else {
        panic!("another probe");
    };
    ldap.ask(&Means::new(Dialler::default())).await
}

#[tokio::test]
async fn one_entry_with_the_right_name_is_up() {
    let (server, _) = serve(good()).await;
    assert_eq!(ask(check(server, None)).await, Answer::up("Success"));
    let found = ask(check(server, Some("o=Site"))).await;
    assert_eq!(found, Answer::up("Success"), "as the server spells it");
    let found = ask(check(server, Some("o=site"))).await;
    let expected = r#"Response mismatch: no "o=site" in: o=Site,c=DE"#;
    assert_eq!(found, Answer::down(expected));
}

/// The old daemon counted it twice.
#[tokio::test]
async fn k49_a_bind_that_is_refused_is_down_once_and_says_why() {
    let (server, heard) = serve(Script {
        bound: result(BIND, 0x61, 49, ""),
        ..good()
    })
    .await;
    let found = ask(check(server, None)).await;
    assert_eq!(found, Answer::down("Bind failed: invalid credentials"));
    let anonymous = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0";
    assert_eq!(*heard.lock().unwrap(), anonymous, "and nothing after it");
}

#[tokio::test]
async fn a_login_counts_only_with_its_password() {
    for (passwd, expected) in [(Some(&b"pw"[..]), true), (Some(b""), false), (None, false)] {
        let (server, heard) = serve(good()).await;
        let dialogue = Dialogue {
            login: Some(b"cn=reader".to_vec()),
            passwd: passwd.map(<[u8]>::to_vec),
            ..check(server, None)
        };
        assert!(ask(dialogue).await.is_up());
        let heard = heard.lock().unwrap();
        let named = heard.windows(9).any(|bytes| bytes == b"cn=reader");
        assert_eq!(named, expected);
    }
}

#[tokio::test]
async fn any_other_number_of_entries_is_down() {
    let rows = [
        (
            result(SEARCH, 0x65, 32, "gone"),
            "No answer received: no such object, gone",
        ),
        (result(SEARCH, 0x65, 0, ""), "No answer received: no entry"),
        (
            [entry(SEARCH, "o=a"), entry(SEARCH, "o=b")].concat(),
            "No answer received: more than one entry",
        ),
        (entry(SEARCH + 1, "o=other"), "No answer received"),
        (
            result(0, 0x78, 52, "bye"),
            "the server hangs up: unavailable, bye",
        ),
    ];
    for (found, expected) in rows {
        let (server, _) = serve(Script { found, ..good() }).await;
        let mut dialogue = check(server, None);
        dialogue.timeout = SHORT;
        assert_eq!(ask(dialogue).await, Answer::down(expected));
    }
    // Referrals do not count, nor what is said of a search that found its entry.
    let found = [
        message(SEARCH, 0x73, b"\x04\x01x"),
        entry(SEARCH, "o=a"),
        result(SEARCH, 0x65, 4, "limit"),
    ];
    let (server, _) = serve(Script {
        found: found.concat(),
        ..good()
    })
    .await;
    assert!(ask(check(server, None)).await.is_up());
}

#[tokio::test]
async fn a_server_that_hangs_trickles_or_closes_is_down_in_time() {
    let start = Instant::now();
    let silent = Script::default();
    let half = Script {
        found: Vec::new(),
        ..good()
    };
    let slow = Script {
        pause: Duration::from_millis(50),
        ..good()
    };
    for script in [silent.clone(), half.clone(), slow] {
        let (server, _) = serve(script).await;
        let mut dialogue = check(server, None);
        dialogue.timeout = SHORT;
        assert_eq!(ask(dialogue).await, Answer::down("No answer received"));
    }
    for script in [silent, half] {
        let (server, _) = serve(Script {
            close: true,
            ..script
        })
        .await;
        let found = ask(check(server, None)).await;
        assert!(!found.is_up() && found.message.starts_with("connection "));
    }
    assert!(start.elapsed() < LONG);
}

#[tokio::test]
async fn garbage_and_a_gigabyte_are_down_at_once() {
    let rows = [
        (b"220 smtp\r\n".to_vec(), "this is not LDAP"),
        (b"\x30\0".to_vec(), "this is not LDAP"),
        (b"\x30\x84\x40\0\0\0".to_vec(), "a message that is too long"),
        (
            message(9, 0x73, &[0; 1000]).repeat(2000),
            "an answer without end",
        ),
    ];
    for (bound, expected) in rows {
        let (server, _) = serve(Script { bound, ..good() }).await;
        assert_eq!(ask(check(server, None)).await, Answer::down(expected));
    }
}

/// What is not TLS does not pass for it.
#[tokio::test]
async fn a_server_without_tls_is_down_for_ldaps() {
    let (server, _) = serve(Script {
        found: Vec::new(),
        close: true,
        ..good()
    })
    .await;
    let Probe::Ldap(ldap) = Ldap::secure(check(server, None)) else {
        panic!("another probe");
    };
    let found = ldap.ask(&Means::new(Dialler::default())).await;
    assert!(
        !found.is_up() && found.message.starts_with("no TLS"),
        "{found:?}"
    );
}
