//! Checks that combine others, and the runner around them.
#![allow(clippy::unwrap_used)]

use super::{Catalogue, Connect, Finding, HttpClient, Probe, Prober, Turn};
use socket2::{Domain, Socket, Type};
use std::collections::BTreeMap;
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
        found.insert(answer.probe.0, answer.verdict.up);
    }
    let expected = BTreeMap::from([(good_id.0, true), (bad_id.0, false), (99, false)]);
    assert_eq!(found, expected);
}

#[test]
fn messages_are_one_short_line() {
    let long = Finding::down(format!("a\r\nb{}", "x".repeat(500)));
    let verdict = long.since(Instant::now());
    assert!(verdict.message.starts_with("a  b"));
    assert_eq!(verdict.message.chars().count(), 200);
}
