//! Scripted SIP servers over UDP and TCP.
#![allow(clippy::unwrap_used)]

use super::Sip;
use crate::probes::{Answer, Dialler, Dialogue, Means, Probe};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, UdpSocket};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(300);

/// Answers each datagram with these; `@@` stands for the call's.
async fn serve_udp(here: IpAddr, answers: &'static [&'static str]) -> SocketAddr {
    let socket = UdpSocket::bind((here, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            for answer in answers {
                let answer = filled(answer, &buffer[..length]);
                let _ = socket.send_to(answer.as_bytes(), from).await;
            }
        }
    });
    address
}

fn filled(answer: &str, request: &[u8]) -> String {
    let text = String::from_utf8_lossy(request);
    let call = text.lines().find_map(|line| line.strip_prefix("Call-ID: "));
    answer.replace("@@", call.unwrap())
}

/// Says this on every connection, byte by byte with a pause between them, and closes or not.
async fn serve_tcp(answer: &'static str, pause: Duration, close: bool) -> SocketAddr {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            let length = stream.read(&mut buffer).await.unwrap();
            for byte in filled(answer, &buffer[..length]).bytes() {
                if stream.write_all(&[byte]).await.is_err() {
                    break;
                }
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
            if !close {
                held.push(stream);
            }
        }
    });
    address
}

async fn ask(target: SocketAddr, udp: bool, timeout: Duration) -> Answer {
    let dialogue = Dialogue {
        login: Some(b"u@h".to_vec()),
        udp,
        ..Dialogue::new(target, timeout)
    };
    let Probe::Sip(sip) = Sip::probe(dialogue) else {
        panic!("another probe");
    };
    sip.ask(&Means::new(Dialler::default())).await
}

const OK: &str = "SIP/2.0 200 OK\r\nCall-ID: @@\r\nContent-Length: 0\r\n\r\n";
const MISSING: &str = "SIP/2.0 404 Not Found\r\nCall-ID: @@\r\n\r\n";
const TRYING: &str = "SIP/2.0 100 Trying\r\nCall-ID: @@\r\nContent-Length: 0\r\n\r\n";
const OTHER: &str = "SIP/2.0 404 Not Found\r\nCall-ID: other\r\n\r\n";

#[tokio::test]
async fn k41_200_is_up_and_404_down() {
    for here in [HERE, Ipv6Addr::LOCALHOST.into()] {
        let server = serve_udp(here, &[OK]).await;
        assert_eq!(ask(server, true, LONG).await, Answer::up("200 OK"));
        let server = serve_udp(here, &[MISSING]).await;
        assert_eq!(ask(server, true, LONG).await, Answer::down("404 Not Found"));
    }
    let server = serve_tcp(OK, Duration::ZERO, false).await;
    assert_eq!(ask(server, false, LONG).await, Answer::up("200 OK"));
    let server = serve_tcp(MISSING, Duration::ZERO, false).await;
    assert_eq!(
        ask(server, false, LONG).await,
        Answer::down("404 Not Found")
    );
}

#[tokio::test]
async fn only_a_final_answer_to_this_request_counts() {
    let server = serve_udp(HERE, &["garbage", "", TRYING, OTHER, OK]).await;
    assert_eq!(ask(server, true, LONG).await, Answer::up("200 OK"));
    let server = serve_udp(HERE, &["garbage", TRYING, OTHER]).await;
    let found = ask(server, true, SHORT).await;
    assert_eq!(found, Answer::down("no answer in time"));
    let both = "SIP/2.0 100 Trying\r\nContent-Length: 3\r\n\r\nabcSIP/2.0 200 OK\r\n\r\n";
    let server = serve_tcp(both, Duration::ZERO, false).await;
    assert_eq!(ask(server, false, LONG).await, Answer::up("200 OK"));
}

#[tokio::test]
async fn silence_and_a_trickle_are_down_in_time() {
    let start = Instant::now();
    let server = serve_udp(HERE, &[]).await;
    let late = Answer::down("no answer in time");
    assert_eq!(ask(server, true, SHORT).await, late);
    let server = serve_tcp(OK, Duration::from_millis(100), false).await;
    assert_eq!(ask(server, false, SHORT).await, late);
    assert!(start.elapsed() < LONG);
}

#[tokio::test]
async fn a_server_that_closes_is_judged_by_what_it_said() {
    let rows = [
        ("SIP/2.0 200 OK\r\n", Answer::up("200 OK")),
        ("", Answer::down("connection closed")),
        ("SIP/2", Answer::down("connection closed")),
        (TRYING, Answer::down("connection closed")),
        ("220 smtp\r\n", Answer::down("this is not SIP")),
    ];
    for (answer, expected) in rows {
        let server = serve_tcp(answer, Duration::ZERO, true).await;
        assert_eq!(ask(server, false, LONG).await, expected, "{answer}");
    }
}

/// Provisional answers for ever.
#[tokio::test]
async fn an_answer_without_end_is_down() {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let trying = "SIP/2.0 100 Trying\r\n\r\n".repeat(1000);
        while stream.write_all(trying.as_bytes()).await.is_ok() {}
    });
    let found = ask(address, false, LONG).await;
    assert_eq!(found, Answer::down("an answer without end"));
}

#[tokio::test]
async fn a_closed_port_is_down_at_once() {
    // Held, so that nobody else gets it: one does not listen, the other hears a stranger only.
    let tcp = TcpSocket::new_v4().unwrap();
    tcp.bind((HERE, 0).into()).unwrap();
    let address = tcp.local_addr().unwrap();
    let closed = UdpSocket::bind(address).await.unwrap();
    closed.connect((HERE, 1)).await.unwrap();
    for udp in [true, false] {
        let found = ask(address, udp, LONG).await;
        assert_eq!(found, Answer::down("connection refused"));
    }
}

#[test]
fn without_login_the_director_asks_about_itself() {
    let probe = Sip::probe(Dialogue::new((HERE, 5060).into(), LONG));
    let Probe::Sip(sip) = probe else {
        panic!("another probe");
    };
    let login = String::from_utf8(sip.login).unwrap();
    assert!(
        login.starts_with("ldirectord@") && login.len() > 11,
        "{login}"
    );
}
