//! Scripted name servers: well, silent, trickling, wrong, strange and flooding.
#![allow(clippy::unwrap_used)]

use super::{Dns, PACE};
use crate::probes::{Answer, Dialler, Dialogue, Means, Pattern, Probe};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

/// A reply to this query with an address or none.
pub(super) fn reply(query: &[u8], flags: u16, address: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = query.to_vec();
    bytes[2..4].copy_from_slice(&(0x8100 | flags).to_be_bytes());
    if let Some(address) = address {
        bytes[7] = 1;
        bytes.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04");
        bytes.extend(address);
    }
    bytes
}

const GOOD: [u8; 4] = [10, 0, 0, 7];
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const CUT: u16 = 0x200;

/// Answers each datagram with those that `script` makes of it and of its number.
async fn serve<S>(here: IpAddr, script: S) -> SocketAddr
where
    S: Fn(&[u8], usize) -> Vec<Vec<u8>> + Send + 'static,
{
    let socket = UdpSocket::bind((here, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        for number in 0.. {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            for answer in script(&buffer[..length], number) {
                let _ = socket.send_to(&answer, from).await;
            }
        }
    });
    address
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(super) fn check(target: SocketAddr, request: &str, receive: Option<&str>) -> Dialogue {
    Dialogue {
        request: request.as_bytes().to_vec(),
        receive: receive.map(|text| Arc::new(Pattern::new(text.as_bytes()).unwrap())),
        udp: true,
        ..Dialogue::new(target, Duration::from_secs(4))
    }
}

async fn ask(dialogue: Dialogue) -> Answer {
    let Probe::Dns(dns) = Dns::probe(dialogue) else {
        panic!("another probe");
    };
    dns.ask(&Means::new(Dialler::default())).await
}

#[tokio::test]
async fn k36_an_address_that_matches_is_up() {
    for here in [HERE, Ipv6Addr::LOCALHOST.into()] {
        let server = serve(here, |query, _| vec![reply(query, 0, Some(GOOD))]).await;
        let found = ask(check(server, "/www.x.y", Some(r"^10\.0\.0\.7$"))).await;
        assert_eq!(found, Answer::up("Success"));
        let found = ask(check(server, "/www.x.y", Some(r"10\.0\.0\.8"))).await;
        let expected = r#"Response mismatch: no "10\.0\.0\.8" in: 10.0.0.7"#;
        assert_eq!(found, Answer::down(expected));
    }
}

/// The old daemon has this down for ever.
#[tokio::test]
async fn k37_without_receive_every_answer_is_up() {
    let server = serve(HERE, |query, _| vec![reply(query, 0, Some(GOOD))]).await;
    assert_eq!(
        ask(check(server, "www.x.y", None)).await,
        Answer::up("Success")
    );
}

#[tokio::test]
async fn an_answer_of_failure_is_down_at_once_and_says_which() {
    let rows = [
        (NXDOMAIN, None, "www.x.y. A: Non-Existent Domain"),
        (SERVFAIL, None, "www.x.y. A: Server Failure"),
        (NXDOMAIN, Some(GOOD), "www.x.y. A: Non-Existent Domain"),
        (0, None, "www.x.y. A: an answer without records"),
    ];
    for (flags, address, expected) in rows {
        let server = serve(HERE, move |query, _| vec![reply(query, flags, address)]).await;
        for receive in [None, Some("7")] {
            let start = Instant::now();
            let found = ask(check(server, "www.x.y", receive)).await;
            assert_eq!(found, Answer::down(expected));
            assert!(start.elapsed() < PACE.first);
        }
    }
}

#[tokio::test]
async fn a_lost_datagram_is_asked_again() {
    let script = |query: &[u8], number| match number {
        0 => Vec::new(),
        _ => vec![reply(query, 0, Some(GOOD))],
    };
    let server = serve(HERE, script).await;
    assert!(ask(check(server, "www.x.y", Some("7"))).await.is_up());
}

#[tokio::test]
async fn a_silent_server_is_down_in_time() {
    let server = serve(HERE, |_, _| Vec::new()).await;
    let mut dialogue = check(server, "www.x.y", None);
    dialogue.timeout = Duration::from_millis(200);
    let start = Instant::now();
    assert_eq!(ask(dialogue).await, Answer::down("Connection timed out"));
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_closed_port_is_down_at_once() {
    let closed = UdpSocket::bind((HERE, 0))
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let found = ask(check(closed, "www.x.y", None)).await;
    assert_eq!(found, Answer::down("connection refused"));
}

/// Garbage, the query itself, and another one's answer are passed over.
#[tokio::test]
async fn only_the_reply_to_this_query_counts() {
    let strange = |query: &[u8]| {
        let mut other = reply(query, 0, Some([1, 1, 1, 1]));
        other[0] ^= 1;
        vec![
            b"x".to_vec(),
            Vec::new(),
            vec![0xff; 4096],
            query.to_vec(),
            other,
        ]
    };
    let server = serve(HERE, move |query, _| {
        let mut all = strange(query);
        all.push(reply(query, 0, Some(GOOD)));
        all
    })
    .await;
    assert!(
        ask(check(server, "www.x.y", Some("10.0.0.7")))
            .await
            .is_up()
    );
    let server = serve(HERE, move |query, _| strange(query)).await;
    let mut dialogue = check(server, "www.x.y", None);
    dialogue.timeout = Duration::from_millis(300);
    assert_eq!(ask(dialogue).await, Answer::down("Connection timed out"));
}

#[tokio::test]
async fn a_flood_of_datagrams_ends_the_check() {
    let server = serve(HERE, |_, _| vec![b"flood".to_vec(); 400]).await;
    let mut dialogue = check(server, "www.x.y", None);
    dialogue.timeout = Duration::from_secs(20);
    // A socket's buffer holds a few hundred of them: each question brings more.
    let start = Instant::now();
    let found = ask(dialogue).await;
    assert_eq!(
        found,
        Answer::down("a flood of datagrams that are no answer")
    );
    assert!(start.elapsed() < Duration::from_secs(15));
}

type Answers = fn(&[u8]) -> Vec<u8>;

/// Says these bytes to a query over TCP, one by one with a pause between them.
async fn serve_tcp(pause: Duration, answer: Answers) -> SocketAddr {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut query = vec![0; stream.read_u16().await.unwrap().into()];
            stream.read_exact(&mut query).await.unwrap();
            for byte in answer(&query) {
                if stream.write_all(&[byte]).await.is_err() {
                    break;
                }
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
        }
    });
    address
}

fn framed(reply: Vec<u8>) -> Vec<u8> {
    let mut bytes = (reply.len() as u16).to_be_bytes().to_vec();
    bytes.extend(reply);
    bytes
}

#[tokio::test]
async fn a_virtual_service_of_tcp_is_asked_over_tcp() {
    let good = |query: &[u8]| framed(reply(query, 0, Some(GOOD)));
    let server = serve_tcp(Duration::ZERO, good).await;
    let mut dialogue = check(server, "www.x.y", Some("10.0.0.7"));
    dialogue.udp = false;
    assert!(ask(dialogue.clone()).await.is_up());
    dialogue.marked = true;
    let found = ask(dialogue).await;
    assert_eq!(
        found,
        Answer::down("connection refused"),
        "a mark: over UDP"
    );
}

#[tokio::test]
async fn over_tcp_a_server_that_errs_or_trickles_is_down() {
    let rows: [(u64, Answers, &str); 4] = [
        (0, |_| Vec::new(), "connection closed"),
        (
            0,
            |_| framed(vec![0xff; 40]),
            "what came is no answer to the question",
        ),
        (
            0,
            |query| framed(reply(query, CUT, None)),
            "www.x.y. A: an answer without records",
        ),
        (
            100,
            |query| framed(reply(query, 0, Some(GOOD))),
            "Connection timed out",
        ),
    ];
    for (pause, answer, expected) in rows {
        let server = serve_tcp(Duration::from_millis(pause), answer).await;
        let mut dialogue = check(server, "www.x.y", None);
        dialogue.udp = false;
        dialogue.timeout = Duration::from_millis(500);
        assert_eq!(ask(dialogue).await, Answer::down(expected));
    }
}

#[tokio::test]
async fn an_answer_cut_short_is_asked_for_over_tcp() {
    let good = |query: &[u8]| framed(reply(query, 0, Some(GOOD)));
    let server = serve_tcp(Duration::ZERO, good).await;
    let socket = UdpSocket::bind(server).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let cut = reply(&buffer[..length], CUT, None);
        socket.send_to(&cut, from).await.unwrap();
    });
    assert!(
        ask(check(server, "www.x.y", Some("10.0.0.7")))
            .await
            .is_up()
    );
}

#[tokio::test]
async fn a_request_that_is_no_name_is_down_and_says_so() {
    let server = serve(HERE, |query, _| vec![reply(query, 0, Some(GOOD))]).await;
    let found = ask(check(server, "a..b", None)).await;
    assert_eq!(
        found,
        Answer::down("the request is no name that can be asked for")
    );
}
