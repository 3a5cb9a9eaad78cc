//! Scripted PostgreSQL servers.
#![allow(clippy::unwrap_used)]

use super::Pgsql;
use crate::probes::{Answer, Dialler, Dialogue, Means, Probe};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(300);

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend((body.len() as u32 + 4).to_be_bytes());
    bytes.extend(body);
    bytes
}

fn let_in() -> Vec<u8> {
    [message(b'R', &[0; 4]), message(b'Z', b"I")].concat()
}

fn error(code: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("SFATAL\0C{code}\0M{text}\0\0").as_bytes())
}

/// One column, so many rows, and the end.
fn rows(count: usize) -> Vec<u8> {
    let mut bytes = message(
        b'T',
        b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0",
    );
    bytes.extend(message(b'D', b"\0\x01\0\0\0\x01x").repeat(count));
    bytes.extend(message(b'C', format!("SELECT {count}\0").as_bytes()));
    bytes.extend(message(b'Z', b"I"));
    bytes
}

/// What a server says: to the question for TLS, to the login, to the query.
type Script = Vec<Vec<u8>>;

fn answering(query: Vec<u8>) -> Script {
    vec![b"N".to_vec(), let_in(), query]
}

type Heard = Arc<Mutex<Vec<u8>>>;

/// Each connection takes the next script, the last one for ever.
async fn serve(scripts: Vec<Script>, pause: Duration, close: bool) -> (SocketAddr, Heard) {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Heard::default();
    let ours = Arc::clone(&heard);
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let script = &scripts[number.min(scripts.len() - 1)];
            // A client may leave at any time.
            let _ = converse(&mut stream, script, pause, close, &ours).await;
        }
    });
    (address, heard)
}

async fn converse(
    stream: &mut TcpStream,
    script: &Script,
    pause: Duration,
    close: bool,
    heard: &Heard,
) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    for answer in script {
        let length = stream.read(&mut buffer).await?;
        heard.lock().unwrap().extend(&buffer[..length]);
        let size = if pause.is_zero() { 1 << 20 } else { 1 };
        for part in answer.chunks(size) {
            stream.write_all(part).await?;
            tokio::time::sleep(pause).await;
        }
    }
    if close {
        return Ok(());
    }
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

fn check(target: SocketAddr) -> Dialogue {
    Dialogue {
        request: b"/SELECT 1".to_vec(),
        login: Some(b"user".to_vec()),
        passwd: Some(b"secret".to_vec()),
        database: Some(b"db".to_vec()),
        ..Dialogue::new(target, LONG)
    }
}

async fn ask(dialogue: Dialogue) -> Answer {
    let Probe::Pgsql(pgsql) = Pgsql::probe(dialogue) else {
        panic!("another probe");
    };
    pgsql.ask(&Means::new(Dialler::default())).await
}

async fn asked(script: Script, close: bool) -> Answer {
    let (server, _) = serve(vec![script], Duration::ZERO, close).await;
    ask(check(server)).await
}

#[tokio::test]
async fn a_row_is_up_and_none_is_down() {
    assert_eq!(asked(answering(rows(1)), false).await, Answer::up("a row"));
    assert_eq!(
        asked(answering(rows(0)), false).await,
        Answer::down("no row")
    );
    let changed = |what: &[u8]| [message(b'C', what), message(b'Z', b"I")].concat();
    let found = asked(answering(changed(b"UPDATE 2\0")), false).await;
    assert_eq!(found, Answer::up("a row"));
    let found = asked(answering(changed(b"UPDATE 0\0")), false).await;
    assert_eq!(found, Answer::down("no row"));
}

#[tokio::test]
async fn the_query_is_asked_once_without_its_slash() {
    let (server, heard) = serve(vec![answering(rows(1))], Duration::ZERO, false).await;
    assert!(ask(check(server)).await.is_up());
    let heard = heard.lock().unwrap();
    let count = |part: &[u8]| {
        heard
            .windows(part.len())
            .filter(|bytes| *bytes == part)
            .count()
    };
    assert_eq!(count(b"Q\0\0\0\x0dSELECT 1\0"), 1);
    assert_eq!(count(b"user\0user\0"), 1);
    assert_eq!(count(b"database\0db\0"), 1);
}

#[tokio::test]
async fn without_login_or_query_it_is_down_and_says_so() {
    let mut dialogue = check((HERE, 1).into());
    dialogue.login = None;
    let words = "Must specify a login and request string for MySQL, Oracle and PostgreSQL checks";
    assert_eq!(ask(dialogue).await, Answer::down(words));
}

#[tokio::test]
async fn errors_are_down_and_told() {
    let no = || error("28P01", "password authentication failed");
    let at_login = vec![b"N".to_vec(), no()];
    let at_query = answering([no(), message(b'Z', b"I")].concat());
    let behind_a_row = {
        let mut bytes = rows(1);
        bytes.truncate(bytes.len() - 20);
        answering([bytes, no(), message(b'Z', b"I")].concat())
    };
    for script in [at_login, at_query, behind_a_row] {
        let expected = Answer::down("FATAL: password authentication failed");
        assert_eq!(asked(script, false).await, expected);
    }
    let refused = TcpListener::bind((HERE, 0))
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    assert_eq!(
        ask(check(refused)).await,
        Answer::down("connection refused")
    );
}

/// As `sslmode=prefer` does it: `hostnossl` in pg_hba.conf.
#[tokio::test]
async fn a_login_barred_in_one_way_is_tried_without_tls() {
    let barred = vec![b"N".to_vec(), error("28000", "no pg_hba.conf entry")];
    let plain = vec![let_in(), rows(1)];
    let (server, _) = serve(vec![barred.clone(), plain], Duration::ZERO, false).await;
    assert_eq!(ask(check(server)).await, Answer::up("a row"));
    let (server, _) = serve(vec![barred], Duration::ZERO, true).await;
    assert!(!ask(check(server)).await.is_up());
}

/// Who cannot do TLS with us may still take the login without.
#[tokio::test]
async fn a_handshake_that_fails_is_followed_by_a_login_without_tls() {
    let no_tls = vec![b"S".to_vec(), b"nonsense".to_vec()];
    let (server, _) = serve(
        vec![no_tls.clone(), vec![let_in(), rows(1)]],
        Duration::ZERO,
        false,
    )
    .await;
    assert_eq!(ask(check(server)).await, Answer::up("a row"));
    let barred = vec![error("28000", "no pg_hba.conf entry")];
    let (server, _) = serve(vec![no_tls, barred], Duration::ZERO, false).await;
    let found = ask(check(server)).await;
    assert!(
        !found.is_up() && found.message.starts_with("no TLS"),
        "{found:?}"
    );
}

/// A record with a server's hello: TLS 1.0 with RSA, which we do not speak.
fn old_hello() -> Vec<u8> {
    let body = [&[3, 1], [7; 32].as_slice(), &[0, 0x00, 0x2f, 0]].concat();
    let length = u8::try_from(body.len()).unwrap();
    let head = [22, 3, 1, 0, length + 4, 2, 0, 0, length];
    [head.as_slice(), &body].concat()
}

/// What the server wants is found out by a greeting of its own, where TLS begins.
#[tokio::test]
async fn a_server_with_old_tls_alone_is_up_as_far_as_it_was_asked() {
    let old = vec![b"S".to_vec(), old_hello()];
    let barred = vec![error("28000", "no pg_hba.conf entry")];
    let scripts = vec![old.clone(), old.clone(), barred];
    let (server, heard) = serve(scripts, Duration::ZERO, false).await;
    let found = ask(check(server)).await;
    assert!(found.is_up() && found.limited, "{found:?}");
    let wants = "the server wants TLS 1.0 with TLS_RSA_WITH_AES_128_CBC_SHA";
    assert!(found.message.contains(wants), "{found:?}");
    let heard = heard.lock().unwrap().clone();
    let asked = super::SSL_REQUEST;
    let asked = heard.windows(asked.len()).filter(|part| **part == asked);
    assert_eq!(asked.count(), 2, "each time before TLS");
    // Where the login passes without, there is no more to say.
    let scripts = vec![old.clone(), old, vec![let_in(), rows(1)]];
    let (server, _) = serve(scripts, Duration::ZERO, false).await;
    assert_eq!(ask(check(server)).await, Answer::up("a row"));
}

#[tokio::test]
async fn a_server_that_hangs_or_trickles_is_down_in_time() {
    let start = Instant::now();
    let mut cut = rows(1);
    cut.truncate(50);
    let hanging = [
        vec![Vec::new()],
        vec![b"N".to_vec(), Vec::new()],
        answering(Vec::new()),
        answering(cut),
    ];
    for script in hanging {
        let (server, _) = serve(vec![script], Duration::ZERO, false).await;
        let mut dialogue = check(server);
        dialogue.timeout = SHORT;
        assert_eq!(ask(dialogue).await, Answer::down("no answer in time"));
    }
    let slow = Duration::from_millis(20);
    let (server, _) = serve(vec![answering(rows(1))], slow, false).await;
    let mut dialogue = check(server);
    dialogue.timeout = SHORT;
    assert_eq!(ask(dialogue).await, Answer::down("no answer in time"));
    assert!(start.elapsed() < LONG);
}

#[tokio::test]
async fn a_server_that_breaks_off_or_talks_nonsense_is_down() {
    let scripts = [
        vec![b"220 smtp\r\n".to_vec()],
        vec![Vec::new()],
        vec![b"N".to_vec(), Vec::new()],
        vec![b"N".to_vec(), b"220 smtp\r\n".to_vec()],
        vec![b"N".to_vec(), message(b'R', b"\0\0\0\x63")],
        vec![b"N".to_vec(), message(b'R', b"\0\0\0\x0bnonsense")],
        vec![b"N".to_vec(), b"R\0\0\0\0".to_vec()],
        answering(Vec::new()),
        answering(message(b'x', b"?")),
        answering(message(b'D', b"\0\x01\0\0\0\x01x")),
        answering(message(b'T', b"\xff\xff")),
    ];
    for script in scripts {
        let text = format!("{:?}", script.last().unwrap());
        let start = Instant::now();
        let found = asked(script, true).await;
        assert!(!found.is_up() && !found.limited, "{text}: {found:?}");
        assert!(start.elapsed() < LONG, "{text}");
    }
}

/// The rest of a large answer is not waited for, and one without end costs what it may.
#[tokio::test]
async fn a_gigabyte_is_bounded() {
    let mut endless = rows(1000);
    endless.truncate(endless.len() - 20);
    assert_eq!(asked(answering(endless), false).await, Answer::up("a row"));
    let huge = message(b'D', &vec![b'x'; super::ANSWER_MAX_BYTES as usize]);
    let found = asked(answering(huge), false).await;
    assert!(!found.is_up(), "{found:?}");
}

#[test]
fn passwords_are_not_for_logs() {
    let probe = Pgsql::probe(check((HERE, 5432).into()));
    assert!(!format!("{probe:?}").contains("secret"), "{probe:?}");
}

#[test]
fn what_is_not_utf_8_is_taken_for_latin_1() {
    assert_eq!(super::text("é".as_bytes()), "é");
    assert_eq!(super::text(b"\xe9"), "é");
}
