//! Every kind of check comes from where the file says, and a slow answer is a failure.
#![allow(clippy::unwrap_used)]

use super::{DAY_MS, Frame, Framed, in_words, near};
use crate::probes::{
    Answer, Connect, Dialler, Dialogue, Dns, Finding, Http, Means, Ping, Probe, Radius, Sip, Turn,
};
use ldird_core::input::Validity;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(20);
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));

fn from_source() -> Arc<Frame> {
    let origin = Dialler {
        source: Some(SOURCE),
        ..Dialler::default()
    };
    Arc::new(Frame {
        origin: Some(Arc::new(origin)),
        ..Frame::default()
    })
}

fn within(limit: Duration) -> Arc<Frame> {
    Arc::new(Frame {
        limit: Some(limit),
        ..Frame::default()
    })
}

async fn ask(probe: &Probe) -> Answer {
    let means = Means::new(Dialler::default());
    probe.ask(Turn::default(), &means).await.0
}

/// A server of TCP that answers each request with this, and tells who asked.
fn server(answer: &'static str) -> (SocketAddr, mpsc::Receiver<IpAddr>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = listener.local_addr().unwrap();
    let (tell, askers) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = tell.send(stream.peer_addr().unwrap().ip());
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (target, askers)
}

/// The same over datagrams, without an answer.
fn silent() -> (SocketAddr, mpsc::Receiver<IpAddr>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = socket.local_addr().unwrap();
    let (tell, askers) = mpsc::channel();
    thread::spawn(move || {
        let (_, asker) = socket.recv_from(&mut [0; 2048]).unwrap();
        let _ = tell.send(asker.ip());
    });
    (target, askers)
}

#[tokio::test]
async fn checks_over_tcp_come_from_the_source() {
    let (target, askers) = server("HTTP/1.0 200 OK\r\n\r\n");
    let timeout = TIMEOUT;
    let http = Http::plain(Dialogue::new(target, timeout)).unwrap();
    let connect = Probe::Connect(Connect { target, timeout });
    let combined = Probe::Combined {
        every: 2,
        negotiate: Box::new(http.clone()),
        connect: Box::new(connect.clone()),
    };
    for probe in [http, connect, combined] {
        let answer = ask(&Framed::around(&from_source(), probe)).await;
        assert!(answer.is_up(), "{}", answer.message);
        assert_eq!(askers.recv().unwrap(), SOURCE);
    }
}

#[tokio::test]
async fn checks_over_datagrams_come_from_the_source() {
    let short = Duration::from_millis(1);
    type Makes = fn(Dialogue) -> Probe;
    let kinds: [Makes; 3] = [Dns::probe, Radius::probe, Sip::probe];
    for make in kinds {
        let (target, askers) = silent();
        let dialogue = Dialogue {
            request: b"example.org".to_vec(),
            login: Some(b"a".to_vec()),
            secret: Some(b"s".to_vec()),
            udp: true,
            ..Dialogue::new(target, short)
        };
        let probe = Framed::around(&from_source(), make(dialogue));
        // It is never answered; who asked is known all the same.
        let asked = ask(&probe).await;
        assert_eq!(asked.finding, Finding::Down, "{}", asked.message);
        assert_eq!(askers.recv().unwrap(), SOURCE, "{probe:?}");
    }
}

#[tokio::test]
async fn an_address_that_is_not_here_is_no_fault_of_the_server() {
    let (target, _) = server("");
    let timeout = TIMEOUT;
    let elsewhere = |source, device: Option<&str>, mark| {
        let origin = Dialler {
            source,
            device: device.map(str::to_owned),
            mark,
        };
        Arc::new(Frame {
            origin: Some(Arc::new(origin)),
            ..Frame::default()
        })
    };
    let far = Some(IpAddr::from(Ipv4Addr::new(192, 0, 2, 1)));
    for (frame, told) in [
        (elsewhere(far, None, 0), "(asked from 192.0.2.1)"),
        (elsewhere(None, Some("nosuch"), 0), "(asked through nosuch)"),
    ] {
        for probe in [
            Probe::Connect(Connect { target, timeout }),
            Probe::Ping(Ping {
                target: target.ip(),
                attempts: 1,
                timeout,
                lenient: false,
            }),
        ] {
            let answer = ask(&Framed::around(&frame, probe)).await;
            assert_eq!(answer.finding, Finding::CouldNotAsk, "{}", answer.message);
            assert!(answer.message.ends_with(told), "{}", answer.message);
        }
    }
    let all = elsewhere(far, Some("eth9"), 5);
    let origin = all.origin.as_ref().unwrap().to_string();
    assert_eq!(origin, "from 192.0.2.1 through eth9 with mark 5");
}

#[tokio::test]
async fn an_answer_that_takes_longer_than_the_limit_is_a_failure() {
    let (target, _askers) = server("HTTP/1.0 200 OK\r\n\r\n");
    let http = || Http::plain(Dialogue::new(target, TIMEOUT)).unwrap();
    let patient = ask(&Framed::around(&within(Duration::from_secs(3600)), http())).await;
    assert_eq!(patient, Answer::up("200 OK"));
    let hasty = ask(&Framed::around(&within(Duration::from_nanos(1)), http())).await;
    assert_eq!(hasty.finding, Finding::Down);
    assert!(
        hasty.message.starts_with("200 OK, answered in "),
        "{hasty:?}"
    );
    assert!(hasty.message.ends_with(", limit 0 ms"), "{hasty:?}");
    // What failed anyway says what it said.
    let closed = Probe::Connect(Connect {
        target: SocketAddr::from(([127, 0, 0, 1], 1)),
        timeout: TIMEOUT,
    });
    let refused = ask(&Framed::around(&within(Duration::from_nanos(1)), closed)).await;
    assert_eq!(refused, Answer::down("connection refused"));
}

#[test]
fn what_is_left_of_a_certificate_is_told_from_so_many_days_on() {
    let now = 1_000 * DAY_MS;
    for (until, expected) in [
        (now + 14 * DAY_MS + 1, None),
        (now + 14 * DAY_MS, Some(Validity::Days(14))),
        (now + 2 * DAY_MS - 1, Some(Validity::Days(1))),
        (now + 1, Some(Validity::Days(0))),
        (now, Some(Validity::Nothing)),
        (0, Some(Validity::Nothing)),
        (u64::MAX, None),
    ] {
        assert_eq!(near(until, now, 14), expected, "{until}");
    }
}

#[test]
fn times_are_told_as_people_say_them() {
    for (milliseconds, told) in [
        (0, "0 ms"),
        (340, "340 ms"),
        (1000, "1 s"),
        (2345, "2.3 s"),
        (61_000, "61 s"),
    ] {
        assert_eq!(in_words(Duration::from_millis(milliseconds)), told);
    }
}
