//! Checks that combine others, and the runner around them.
#![allow(clippy::unwrap_used)]

use super::awake::{Awake, Late};
use super::{
    Answer, Catalogue, Connect, Dialler, Dialogue, Finding, Http, Means, Probe, Prober, Turn,
};
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
    let means = Means::new(Dialler::default());
    let (_listener, address) = open_port().await;
    assert!(
        connect(address)
            .ask(Turn::default(), &means)
            .await
            .0
            .is_up()
    );
    let (finding, _) = connect(closed_port().await)
        .ask(Turn::default(), &means)
        .await;
    assert_eq!(finding, Answer::down("connection refused"));
}

/// K16. A full queue of a listener drops what a filter would.
#[tokio::test]
async fn k16_a_filtered_port_is_down_after_the_timeout() {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let target = listener.local_addr().unwrap().as_socket().unwrap();
    // With no room to wait, one connection that nobody accepts fills it.
    let _filler = std::net::TcpStream::connect(target).unwrap();
    let timeout = Duration::from_millis(200);
    let means = Means::new(Dialler::default());
    let start = Instant::now();
    let finding = Connect { target, timeout }.ask(&means).await;
    assert_eq!(finding, Answer::down("connection timed out"));
    let took = start.elapsed();
    assert!(timeout <= took && took < Duration::from_secs(5), "{took:?}");
}

/// K52 and K53: N C C C N, and after a failed connect negotiations until one succeeds.
#[tokio::test]
async fn k52_k53_a_combined_check_negotiates_first_and_after_failures() {
    let means = Means::new(Dialler::default());
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
        let (finding, next) = probe.ask(turn, &means).await;
        assert!(finding.is_up());
        turns.push(next);
        turn = next;
    }
    let expected = [0, 1, 2, 3, 0].map(Turn::Connected);
    assert_eq!(turns, expected);
    drop(listener);
    let (finding, turn) = probe.ask(turn, &means).await;
    assert!(!finding.is_up(), "the connect check fails");
    assert_eq!(turn, Turn::Negotiate);
    let (finding, turn) = probe.ask(turn, &means).await;
    assert!(finding.is_up(), "the negotiate check succeeds");
    assert_eq!(turn, Turn::Connected(0));
}

#[tokio::test]
async fn every_probe_answers_under_its_number() {
    let (_listener, address) = open_port().await;
    let mut catalogue = Catalogue::default();
    let good = catalogue.number(connect(address), Duration::from_secs(1));
    let bad = catalogue.number(connect(closed_port().await), Duration::from_secs(1));
    let (good_id, bad_id) = (good.0, bad.0);
    let (mut prober, mut answers) = Prober::new(BTreeMap::from([good, bad]));
    prober.start(good_id, Instant::now());
    prober.start(bad_id, Instant::now());
    prober.start(ldird_core::config::ProbeId(99), Instant::now());
    let mut found = BTreeMap::new();
    for _ in 0..3 {
        let answer = answers.recv().await.unwrap();
        found.insert(answer.probe.0, answer.verdict.finding);
    }
    let expected = BTreeMap::from([
        (good_id.0, Finding::Up),
        (bad_id.0, Finding::Down),
        (99, Finding::CouldNotAsk),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn messages_are_one_short_line() {
    let long = Answer::down(format!("a\r\nb{}", "x".repeat(500)));
    let verdict = long.since(Instant::now());
    assert!(verdict.message.starts_with("a  b"));
    assert_eq!(verdict.message.chars().count(), 200);
}

/// SIGSTOP and SIGCONT, a frozen virtual machine, a starved one: here the only thread is busy
/// elsewhere.
#[tokio::test]
async fn a_check_that_ran_out_while_we_did_not_run_says_nothing_of_the_server() {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = listener.local_addr().unwrap();
    let ask_for = |timeout| {
        let dialogue = Dialogue {
            request: b"/".to_vec(),
            ..Dialogue::new(target, timeout)
        };
        Http::plain(dialogue).unwrap()
    };
    let probe = ask_for(Duration::from_millis(100));
    let stall = async {
        // The check has begun by the time this is polled; the thread is not given back before every
        // deadline has passed.
        tokio::task::yield_now().await;
        std::thread::sleep(Duration::from_secs(1));
    };
    let means = Means::new(Dialler::default());
    let watch = tokio::spawn(means.awake.clone().watch());
    tokio::task::yield_now().await;
    let (asked, ()) = tokio::join!(probe.ask(Turn::default(), &means), stall);
    assert_eq!(asked.0, Answer::too_slow());
    let probe = ask_for(Duration::from_secs(1));
    let (asked, _) = probe.ask(Turn::default(), &means).await;
    assert_eq!(asked, Answer::down("500 Timeout Alarm"), "and now we ran");
    watch.abort();
}

#[tokio::test]
async fn a_deadline_is_ours_only_if_half_of_the_time_was_lost() {
    let awake = Awake::new();
    let limit = Duration::from_millis(800);
    let never = std::future::pending::<()>;
    assert_eq!(
        awake.within(limit, never()).await,
        Err(Late { ours: false })
    );
    let watch = tokio::spawn(awake.clone().watch());
    tokio::task::yield_now().await;
    assert_eq!(
        awake.within(limit, never()).await,
        Err(Late { ours: false })
    );
    let busy = async {
        std::thread::sleep(Duration::from_millis(750));
        never().await;
    };
    assert_eq!(awake.within(limit, busy).await, Err(Late { ours: true }));
    watch.abort();
}

/// The descriptors of this test's own process are no toy: a socket that cannot be made is imitated
/// by a source address that this machine does not have.
#[tokio::test]
async fn what_this_machine_lacks_is_no_death_of_the_server() {
    let (_listener, address) = open_port().await;
    let means = Means::new(Dialler {
        source: Some(Ipv4Addr::new(192, 0, 2, 1).into()),
        ..Dialler::default()
    });
    let (answer, turn) = connect(address).ask(Turn::Connected(1), &means).await;
    assert_eq!(answer.finding, Finding::CouldNotAsk, "{}", answer.message);
    assert_eq!(turn, Turn::Connected(1));
}

/// The listener sees where the connection comes from.
#[tokio::test]
async fn checks_come_from_the_configured_source() {
    let (listener, address) = open_port().await;
    let source = Ipv4Addr::new(127, 0, 0, 9);
    let means = Means::new(Dialler {
        source: Some(source.into()),
        ..Dialler::default()
    });
    assert!(
        connect(address)
            .ask(Turn::default(), &means)
            .await
            .0
            .is_up()
    );
    let (_, peer) = listener.accept().await.unwrap();
    assert_eq!(peer.ip(), source);
}

/// A check that could not be made neither counts as a good connect nor asks for a negotiation.
#[test]
fn a_combined_check_stays_where_it_is_when_nothing_was_asked() {
    for turn in [Turn::Negotiate, Turn::Connected(0), Turn::Connected(7)] {
        for negotiated in [true, false] {
            assert_eq!(turn.after(negotiated, Finding::CouldNotAsk), turn);
            assert_eq!(turn.after(negotiated, Finding::Down), Turn::Negotiate);
        }
        assert_eq!(turn.after(true, Finding::Up), Turn::Connected(0));
    }
    assert_eq!(
        Turn::Connected(7).after(false, Finding::Up),
        Turn::Connected(8)
    );
}
