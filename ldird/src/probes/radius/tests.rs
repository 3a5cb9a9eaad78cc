//! Scripted RADIUS servers, which know the secret or do not.
#![allow(clippy::unwrap_used)]

use super::Radius;
use crate::probes::{Answer, Dialler, Dialogue, Means, Probe};
use md5::{Digest as _, Md5};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Answers each datagram with those that `script` makes of it and of its number.
async fn serve<S>(here: IpAddr, script: S) -> SocketAddr
where
    S: Fn(&[u8], usize) -> Vec<Vec<u8>> + Send + 'static,
{
    let socket = UdpSocket::bind((here, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        for number in 0.. {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            for answer in script(&buffer[..length], number) {
                let _ = socket.send_to(&answer, from).await;
            }
        }
    });
    address
}

/// A reply without attributes.
fn reply(request: &[u8], code: u8, secret: &[u8]) -> Vec<u8> {
    let mut packet = vec![code, request[1], 0, 20];
    let sum = Md5::new()
        .chain_update(&packet)
        .chain_update(&request[4..20])
        .chain_update(secret)
        .finalize();
    packet.extend(sum);
    packet
}

fn check(target: SocketAddr, timeout: Duration) -> Dialogue {
    Dialogue {
        login: Some(b"nemo".to_vec()),
        passwd: Some(b"arctangent".to_vec()),
        secret: Some(b"secret".to_vec()),
        ..Dialogue::new(target, timeout)
    }
}

async fn ask(dialogue: Dialogue) -> Answer {
    let Probe::Radius(radius) = Radius::probe(dialogue) else {
        panic!("another probe");
    };
    radius.ask(&Means::new(Dialler::default())).await
}

const LONG: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn k51_accept_is_up_and_reject_or_challenge_down() {
    let rows = [
        (2, Answer::up("Access-Accept")),
        (3, Answer::down("Access-Reject")),
        (11, Answer::down("Access-Challenge")),
    ];
    for here in [HERE, Ipv6Addr::LOCALHOST.into()] {
        for (code, expected) in rows.clone() {
            let server = serve(here, move |request, _| {
                vec![reply(request, code, b"secret")]
            })
            .await;
            assert_eq!(ask(check(server, LONG)).await, expected);
        }
    }
}

#[tokio::test]
async fn another_secret_is_down_and_says_so() {
    let server = serve(HERE, |request, _| vec![reply(request, 2, b"other")]).await;
    let found = ask(check(server, SHORT)).await;
    assert_eq!(
        found,
        Answer::down("a reply that is not signed with our secret")
    );
}

#[tokio::test]
async fn silence_is_down_in_time_and_the_request_is_sent_twice() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server = serve(HERE, move |request, _| {
        tell.send(request.to_vec()).unwrap();
        Vec::new()
    })
    .await;
    let start = Instant::now();
    let found = ask(check(server, SHORT)).await;
    assert!(found.message.starts_with("no reply"), "{}", found.message);
    assert!(!found.is_up() && start.elapsed() < LONG);
    let first = told.recv().await.unwrap();
    assert_eq!(told.recv().await.unwrap(), first, "the same request");
    assert!(told.try_recv().is_err());
}

/// The old daemon's alarm is checktimeout, negotiatetimeout is that of its library.
#[tokio::test]
async fn the_shorter_of_both_timeouts_counts() {
    let server = serve(HERE, |_, _| Vec::new()).await;
    let dialogue = Dialogue {
        checktimeout: SHORT,
        ..check(server, LONG)
    };
    let start = Instant::now();
    assert!(!ask(dialogue).await.is_up());
    assert!(start.elapsed() < LONG);
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again() {
    let server = serve(HERE, |request, number| match number {
        0 => Vec::new(),
        _ => vec![reply(request, 2, b"secret")],
    })
    .await;
    assert!(ask(check(server, Duration::from_secs(2))).await.is_up());
}

/// Garbage, an echo and another one's reply are passed over.
#[tokio::test]
async fn only_the_reply_to_this_request_counts() {
    let server = serve(HERE, |request, _| {
        let mut other = reply(request, 3, b"secret");
        other[1] ^= 1;
        let good = reply(request, 2, b"secret");
        vec![
            b"?".to_vec(),
            vec![0xff; 4096],
            request.to_vec(),
            other,
            good,
        ]
    })
    .await;
    assert!(ask(check(server, LONG)).await.is_up());
}

#[tokio::test]
async fn a_login_that_radius_cannot_carry_is_down_and_says_so() {
    let server = serve(HERE, |_, _| Vec::new()).await;
    let dialogue = Dialogue {
        login: Some(vec![b'x'; 254]),
        ..check(server, LONG)
    };
    let expected = "login or passwd is longer than RADIUS can carry";
    assert_eq!(ask(dialogue).await, Answer::down(expected));
}

#[tokio::test]
async fn a_closed_port_is_down_at_once() {
    let closed = UdpSocket::bind((HERE, 0)).await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let found = ask(check(address, LONG)).await;
    assert_eq!(found, Answer::down("connection refused"));
}

#[tokio::test]
async fn secrets_are_not_for_logs() {
    let address = (HERE, 1812).into();
    let probe = Radius::probe(check(address, LONG));
    assert_eq!(format!("{probe:?}"), "Radius(Radius(127.0.0.1:1812))");
}
