//! Checks that combine others, and the runner around them.
#![allow(clippy::unwrap_used)]

use super::{Catalogue, Connect, Finding, Http, HttpClient, HttpUrl, Probe, Prober, Turn};
use ldird_core::input;
use socket2::{Domain, Socket, Type};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

fn connect(target: SocketAddr) -> Probe {
    let timeout = Duration::from_secs(2);
    Probe::Connect(Connect { target, timeout })
}

async fn open_port() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A port that was free a moment ago.
async fn closed_port() -> SocketAddr {
    open_port().await.1
}

#[tokio::test]
async fn a_listening_port_is_up_and_a_closed_one_down() {
    let client = HttpClient::new();
    let (_listener, address) = open_port().await;
    assert!(connect(address).ask(Turn::default(), &client).await.0.up);
    let (finding, _) = connect(closed_port().await)
        .ask(Turn::default(), &client)
        .await;
    assert_eq!(finding, Finding::down("connection refused"));
}

/// K16. A full queue of a listener drops what a filter would.
#[tokio::test]
async fn a_filtered_port_is_down_after_the_timeout() {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let target = listener.local_addr().unwrap().as_socket().unwrap();
    // With no room to wait, one connection that nobody accepts fills it.
    let _filler = std::net::TcpStream::connect(target).unwrap();
    let timeout = Duration::from_millis(200);
    let start = Instant::now();
    let finding = Connect { target, timeout }.ask().await;
    assert_eq!(finding, Finding::down("connection timed out"));
    let took = start.elapsed();
    assert!(timeout <= took && took < Duration::from_secs(5), "{took:?}");
}

/// K52 and K53: N C C C N, and after a failed connect negotiations until one succeeds.
#[tokio::test]
async fn a_combined_check_negotiates_first_and_after_failures() {
    let client = HttpClient::new();
    let (_up, negotiate) = open_port().await;
    let (listener, second) = open_port().await;
    let probe = Probe::Combined {
        every: 3,
        negotiate: Box::new(connect(negotiate)),
        connect: Box::new(connect(second)),
    };
    let mut turn = Turn::default();
    let mut turns = Vec::new();
    for _ in 0..5 {
        let (finding, next) = probe.ask(turn, &client).await;
        assert!(finding.up);
        turns.push(next);
        turn = next;
    }
    let expected = [0, 1, 2, 3, 0].map(Turn::Connected);
    assert_eq!(turns, expected);
    drop(listener);
    let (finding, turn) = probe.ask(turn, &client).await;
    assert!(!finding.up, "the connect check fails");
    assert_eq!(turn, Turn::Negotiate);
    let (finding, turn) = probe.ask(turn, &client).await;
    assert!(finding.up, "the negotiate check succeeds");
    assert_eq!(turn, Turn::Connected(0));
}

#[tokio::test]
async fn every_probe_answers_under_its_number() {
    let (_listener, address) = open_port().await;
    let mut catalogue = Catalogue::default();
    let good = catalogue.number(connect(address));
    let bad = catalogue.number(connect(closed_port().await));
    let (good_id, bad_id) = (good.0, bad.0);
    let (prober, mut answers) = Prober::new(BTreeMap::from([good, bad]));
    prober.start(good_id);
    prober.start(bad_id);
    prober.start(ldird_core::config::ProbeId(99));
    let mut found = BTreeMap::new();
    for _ in 0..3 {
        let answer = answers.recv().await.unwrap();
        found.insert(answer.probe.0, answer.verdict.finding);
    }
    let expected = BTreeMap::from([
        (good_id.0, input::Finding::Up),
        (bad_id.0, input::Finding::Down),
        (99, input::Finding::Down),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn messages_are_one_short_line() {
    let long = Finding::down(format!("a\r\nb{}", "x".repeat(500)));
    let verdict = long.since(Instant::now());
    assert!(verdict.message.starts_with("a  b"));
    assert_eq!(verdict.message.chars().count(), 200);
}

/// SIGSTOP and SIGCONT, a frozen virtual machine: here the only thread is busy elsewhere.
#[tokio::test]
async fn a_check_that_ran_out_while_we_did_not_run_is_asked_again() {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The first check has hung up by the time its connection is looked at.
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
        }
    });
    let http = Http {
        target,
        url: HttpUrl::at("http", target, "/").unwrap(),
        virtualhost: None,
        head: false,
        receive: None,
        timeout: Duration::from_millis(100),
    };
    let probe = Probe::Http(Box::new(http));
    let stall = async {
        // The check has begun by the time this is polled; the thread is not given back before every
        // deadline has passed.
        tokio::task::yield_now().await;
        std::thread::sleep(Duration::from_secs(1));
    };
    let client = HttpClient::new();
    let (asked, ()) = tokio::join!(probe.ask(Turn::default(), &client), stall);
    assert_eq!(asked.0, Finding::up("200 OK"));
}
