//! Scripted MySQL servers: logins of every kind, answers of every size, silence and nonsense.
#![allow(clippy::unwrap_used)]

use super::Mysql;
use super::packet::tests::{MODERN, WITH_TLS, hello};
use crate::probes::{Answer, Dialler, Dialogue, Means, Probe};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(300);

const OK: &[u8] = b"\0\0\0\x02\0\0\0";
const DENIED: &[u8] = b"\xff\x15\x04#28000Access denied for user";
const END: &[u8] = b"\xfe\0\0\x02\0";

/// What a server says: first the greeting, then so many packets after each that it hears.
type Script = Vec<Vec<Vec<u8>>>;

fn packets(all: &[&[u8]]) -> Vec<Vec<u8>> {
    all.iter().map(|packet| packet.to_vec()).collect()
}

/// One column, and rows of one byte.
fn rows(count: usize) -> Vec<Vec<u8>> {
    let mut all = packets(&[b"\x01", b"\x03def", END]);
    all.extend(vec![b"\x01x".to_vec(); count]);
    all.push(END.to_vec());
    all
}

/// A whole conversation that ends with these packets for the query.
fn answering(query: Vec<Vec<u8>>) -> Script {
    vec![
        vec![hello(MODERN, "mysql_native_password")],
        packets(&[OK]),
        query,
    ]
}

type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

async fn serve(script: Script, pause: Duration) -> (SocketAddr, Heard) {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Heard::default();
    let ours = Arc::clone(&heard);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // A client may leave at any time.
            let _ = converse(&mut stream, &script, pause, &ours).await;
        }
    });
    (address, heard)
}

async fn converse(
    stream: &mut TcpStream,
    script: &Script,
    pause: Duration,
    heard: &Heard,
) -> std::io::Result<()> {
    let mut number = 0;
    for (step, answers) in script.iter().enumerate() {
        if step > 0 {
            let mut head = [0; 4];
            stream.read_exact(&mut head).await?;
            let mut packet = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
            stream.read_exact(&mut packet).await?;
            heard.lock().unwrap().push(packet);
            number = head[3].wrapping_add(1);
        }
        for answer in answers {
            let [a, b, c, _] = (answer.len() as u32).to_le_bytes();
            let bytes = [&[a, b, c, number], answer.as_slice()].concat();
            number = number.wrapping_add(1);
            let size = if pause.is_zero() { bytes.len() } else { 1 };
            for part in bytes.chunks(size) {
                stream.write_all(part).await?;
                tokio::time::sleep(pause).await;
            }
        }
    }
    // Until the client says good-bye and leaves.
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

fn check(target: SocketAddr) -> Dialogue {
    Dialogue {
        request: b"/SELECT 1".to_vec(),
        login: Some(b"user".to_vec()),
        passwd: Some(b"secret".to_vec()),
        ..Dialogue::new(target, LONG)
    }
}

async fn ask(dialogue: Dialogue) -> Answer {
    let Probe::Mysql(mysql) = Mysql::probe(dialogue) else {
        panic!("another probe");
    };
    mysql.ask(&Means::new(Dialler::default())).await
}

async fn asked(script: Script) -> Answer {
    let (server, _) = serve(script, Duration::ZERO).await;
    ask(check(server)).await
}

#[tokio::test]
async fn k47_without_login_or_query_it_is_down_and_says_so() {
    let (server, heard) = serve(answering(rows(1)), Duration::ZERO).await;
    let words = "Must specify a login and request string for MySQL, Oracle and PostgreSQL checks";
    let mut anonymous = check(server);
    anonymous.login = None;
    let mut aimless = check(server);
    aimless.request = b"/".to_vec();
    for dialogue in [anonymous, aimless] {
        assert_eq!(ask(dialogue).await, Answer::down(words));
    }
    assert!(heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn k48_a_row_is_up_and_none_is_down() {
    assert_eq!(asked(answering(rows(1))).await, Answer::up("a row"));
    assert_eq!(asked(answering(rows(0))).await, Answer::down("no row"));
    let changed = |count| answering(vec![vec![0, count, 0, 2, 0, 0, 0]]);
    assert_eq!(asked(changed(2)).await, Answer::up("a row"));
    assert_eq!(asked(changed(0)).await, Answer::down("no row"));
}

#[tokio::test]
async fn the_query_is_asked_once_without_its_slash() {
    let (server, heard) = serve(answering(rows(1)), Duration::ZERO).await;
    assert!(ask(check(server)).await.is_up());
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 2);
    assert_eq!(heard[1], b"\x03SELECT 1");
}

#[tokio::test]
async fn errors_are_down_and_told() {
    let hello = || hello(MODERN, "mysql_native_password");
    let scripts = [
        vec![vec![DENIED.to_vec()]],
        vec![vec![hello()], packets(&[DENIED])],
        answering(packets(&[DENIED])),
        answering(packets(&[b"\x01", b"\x03def", END, b"\x01x", DENIED])),
    ];
    for script in scripts {
        assert_eq!(asked(script).await, Answer::down("Access denied for user"));
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

#[tokio::test]
async fn a_login_may_change_its_plugin() {
    let switch = b"\xfecaching_sha2_password\x0012345678901234567890\0";
    let (server, heard) = serve(
        vec![
            vec![hello(MODERN, "mysql_native_password")],
            packets(&[switch]),
            packets(&[b"\x01\x03", OK]),
            rows(1),
        ],
        Duration::ZERO,
    )
    .await;
    assert_eq!(ask(check(server)).await, Answer::up("a row"));
    assert_eq!(heard.lock().unwrap()[1].len(), 32, "a SHA-256 proof");
}

/// A server that we cannot log in to for our own lack is no dead one.
#[tokio::test]
async fn what_we_do_not_speak_is_up_as_far_as_it_was_asked() {
    let greeted = |capabilities| vec![hello(capabilities, "caching_sha2_password")];
    let plugin = vec![greeted(MODERN), packets(&[b"\xfeclient_ed25519\x00x"])];
    let password = vec![greeted(MODERN), packets(&[b"\x01\x04"])];
    for (script, what) in [(plugin, "client_ed25519"), (password, "RSA")] {
        let found = asked(script).await;
        assert!(found.is_up() && found.limited, "{found:?}");
        assert!(found.message.contains(what), "{found:?}");
    }
}

/// The password itself goes over TLS alone.
#[tokio::test]
async fn the_password_is_not_given_without_tls() {
    let (server, heard) = serve(
        vec![
            vec![hello(WITH_TLS, "caching_sha2_password")],
            packets(&[b"\x01\x04"]),
        ],
        Duration::ZERO,
    )
    .await;
    let mut dialogue = check(server);
    dialogue.timeout = SHORT;
    assert!(!ask(dialogue).await.is_up(), "there is no TLS behind it");
    let heard = heard.lock().unwrap();
    assert!(heard.len() >= 2, "asked again over TLS");
    let all = heard.concat();
    assert!(!all.windows(6).any(|bytes| bytes == b"secret"));
}

/// MariaDB says the same of a wrong password and of a login without TLS. Where TLS does not come
/// about, the first word stands.
#[tokio::test]
async fn a_login_that_is_denied_is_tried_over_tls_and_stays_denied() {
    let script = vec![
        vec![hello(WITH_TLS, "mysql_native_password")],
        packets(&[DENIED]),
    ];
    let (server, heard) = serve(script, Duration::ZERO).await;
    assert_eq!(
        ask(check(server)).await,
        Answer::down("Access denied for user")
    );
    let heard = heard.lock().unwrap();
    assert_eq!(heard[1].len(), 32, "the head of a login: asked for TLS");
}

#[tokio::test]
async fn a_server_that_hangs_or_trickles_is_down_in_time() {
    let start = Instant::now();
    let hanging = [
        vec![Vec::new()],
        vec![vec![hello(MODERN, "mysql_native_password")], Vec::new()],
        answering(Vec::new()),
        answering(packets(&[b"\x01", b"\x03def", END])),
    ];
    for script in hanging {
        let (server, _) = serve(script, Duration::ZERO).await;
        let mut dialogue = check(server);
        dialogue.timeout = SHORT;
        assert_eq!(ask(dialogue).await, Answer::down("no answer in time"));
    }
    let (server, _) = serve(answering(rows(1)), Duration::from_millis(20)).await;
    let mut dialogue = check(server);
    dialogue.timeout = SHORT;
    assert_eq!(ask(dialogue).await, Answer::down("no answer in time"));
    assert!(start.elapsed() < LONG);
}

#[tokio::test]
async fn nonsense_is_down() {
    let hello = || hello(MODERN, "mysql_native_password");
    let rows = [
        (vec![vec![b"SSH-2.0-OpenSSH".to_vec()]], "this is not MySQL"),
        (
            vec![vec![hello()], packets(&[b"\x07"])],
            "a login that is not MySQL's",
        ),
        (
            vec![vec![hello()], vec![b"\x01\x03".to_vec(); 9]],
            "a login without end",
        ),
        (
            answering(packets(&[b"\xfb/etc/passwd"])),
            "an answer that is not MySQL's",
        ),
        (
            answering(packets(&[b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff"])),
            "an answer that is not MySQL's",
        ),
        (
            answering(packets(&[b"\x01", b"\x03def", b"\x01x"])),
            "an answer that is not MySQL's",
        ),
    ];
    for (script, expected) in rows {
        assert_eq!(asked(script).await, Answer::down(expected));
    }
}

/// The rest of a large answer is not waited for, nor is a large row kept.
#[tokio::test]
async fn a_gigabyte_of_rows_is_up_after_the_first_thousand() {
    let mut endless = rows(1000);
    endless.pop();
    assert_eq!(asked(answering(endless)).await, Answer::up("a row"));
    let mut large = rows(0);
    large.insert(3, vec![b'x'; 2 * 1024 * 1024]);
    large.pop();
    assert_eq!(asked(answering(large)).await, Answer::up("a row"));
}

#[test]
fn passwords_are_not_for_logs() {
    let probe = Mysql::probe(check((HERE, 3306).into()));
    assert!(!format!("{probe:?}").contains("secret"), "{probe:?}");
}
