//! The check of ftp with servers on the loopback interface.
#![allow(clippy::unwrap_used)]

use super::FtpCheck;
use crate::probes::{Answer, Dialler, Dialogue, Finding, Means, Pattern, Turn};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const BRIEF: Duration = Duration::from_millis(400);
const PATIENT: Duration = Duration::from_secs(20);

/// How a server behaves.
#[derive(Debug, Clone, Copy)]
struct Manner {
    passive: bool,
    password: &'static str,
    file: &'static str,
    /// Keeps the data connection open behind the file.
    holds: bool,
    /// Says nothing more from this command on.
    mute_at: &'static str,
}

const FINE: Manner = Manner {
    passive: true,
    password: "right",
    file: "Hello World\n",
    holds: false,
    mute_at: "never",
};

fn serve(local: IpAddr, manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind((local, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || attend(&stream, manner));
        }
    });
    address
}

/// One client.
fn attend(mut stream: &TcpStream, manner: Manner) -> Option<()> {
    let mut listener = None;
    let mut remote: Option<SocketAddr> = None;
    let local = stream.local_addr().unwrap().ip();
    if manner.mute_at == "greeting" {
        thread::park_timeout(3 * BRIEF);
        return None;
    }
    stream.write_all(b"220 ready\r\n").ok()?;
    for line in BufReader::new(stream).lines() {
        let line = line.ok()?;
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        if verb == manner.mute_at {
            thread::park_timeout(3 * BRIEF);
            return None;
        }
        let reply = match verb {
            "USER" => "331 password?".to_owned(),
            "PASS" if argument == manner.password => "230 in".to_owned(),
            "PASS" => "530 wrong".to_owned(),
            "CWD" | "TYPE" => "200 ok".to_owned(),
            "PASV" | "EPSV" if manner.passive => {
                let opened = TcpListener::bind((local, 0)).unwrap();
                let port = opened.local_addr().unwrap().port();
                listener = Some(opened);
                match local {
                    // The address is not the one that is to be asked.
                    IpAddr::V4(_) => format!("227 (192,0,2,1,{},{})", port / 256, port % 256),
                    IpAddr::V6(_) => format!("229 (|||{port}|)"),
                }
            }
            "PORT" => {
                let numbers: Vec<u16> = argument.split(',').map(|n| n.parse().unwrap()).collect();
                let port = numbers[4] * 256 + numbers[5];
                remote = Some((Ipv4Addr::LOCALHOST, port).into());
                "200 ok".to_owned()
            }
            "EPRT" => {
                let port: u16 = argument.split('|').nth(3).unwrap().parse().unwrap();
                remote = Some((Ipv6Addr::LOCALHOST, port).into());
                "200 ok".to_owned()
            }
            "RETR" if argument == "/welcome" => {
                stream.write_all(b"150 comes\r\n").ok()?;
                let mut data = match (&listener, remote) {
                    (Some(listener), _) => listener.accept().unwrap().0,
                    (None, Some(remote)) => TcpStream::connect(remote).unwrap(),
                    (None, None) => return None,
                };
                data.write_all(manner.file.as_bytes()).ok()?;
                if manner.holds {
                    thread::park_timeout(3 * BRIEF);
                }
                "226 done".to_owned()
            }
            "QUIT" => "221 bye".to_owned(),
            _ => "550 no".to_owned(),
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).ok()?;
    }
    None
}

fn dialogue(target: SocketAddr, receive: Option<&str>) -> Dialogue {
    Dialogue {
        request: b"welcome".to_vec(),
        receive: receive.map(|text| Arc::new(Pattern::new(text.as_bytes()).unwrap())),
        login: Some(b"user".to_vec()),
        passwd: Some(b"right".to_vec()),
        ..Dialogue::new(target, PATIENT)
    }
}

async fn ask(dialogue: Dialogue) -> Answer {
    let probe = FtpCheck::probe(dialogue).unwrap();
    let means = Means::new(Dialler::default());
    probe.ask(Turn::default(), &means).await.0
}

#[tokio::test]
async fn files_come_over_connections_of_either_kind_and_family() {
    for local in [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
    ] {
        for passive in [true, false] {
            let target = serve(local, Manner { passive, ..FINE });
            let start = Instant::now();
            for (receive, finding) in [
                (None, Finding::Up),
                (Some("World$"), Finding::Up),
                (Some("^Hello"), Finding::Up),
                (Some("Nope"), Finding::Down),
            ] {
                let answer = ask(dialogue(target, receive)).await;
                let words = answer.message;
                assert_eq!(
                    answer.finding, finding,
                    "{local} {passive} {receive:?}: {words}"
                );
            }
            assert!(start.elapsed() < PATIENT / 2);
        }
    }
}

#[tokio::test]
async fn a_wrong_login_or_a_missing_file_is_down() {
    let target = serve(Ipv4Addr::LOCALHOST.into(), FINE);
    for receive in [None, Some("Nope")] {
        let wrong = Dialogue {
            passwd: Some(b"wrong".to_vec()),
            ..dialogue(target, receive)
        };
        let answer = ask(wrong).await;
        assert_eq!(
            answer.finding,
            Finding::Down,
            "{receive:?}: {}",
            answer.message
        );
    }
    let missing = Dialogue {
        request: b"/missing".to_vec(),
        ..dialogue(target, Some("x"))
    };
    assert_eq!(ask(missing).await, Answer::down("/missing: 550 no"));
}

/// Up, with the old daemon.
#[tokio::test]
async fn k34_a_closed_port_is_down_without_a_pattern_too() {
    let target = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap()
    };
    for receive in [None, Some("")] {
        let answer = ask(dialogue(target, receive)).await;
        assert_eq!(answer, Answer::down("connection refused"));
    }
}

#[tokio::test]
async fn a_server_that_hangs_anywhere_is_down_in_time() {
    for mute_at in ["greeting", "USER", "PASS", "CWD", "TYPE", "PASV", "RETR"] {
        let target = serve(Ipv4Addr::LOCALHOST.into(), Manner { mute_at, ..FINE });
        let brief = Dialogue {
            timeout: BRIEF,
            ..dialogue(target, Some("World"))
        };
        let start = Instant::now();
        let answer = ask(brief).await;
        assert_eq!(answer.finding, Finding::Down, "{mute_at}");
        assert!(
            answer.message.starts_with("timed out"),
            "{mute_at}: {}",
            answer.message
        );
        let took = start.elapsed();
        assert!(BRIEF <= took && took < 5 * BRIEF, "{mute_at}: {took:?}");
    }
}

/// What has come of a file when time runs out counts, as it did.
#[tokio::test]
async fn a_file_that_never_ends_is_judged_by_its_beginning() {
    let holds = Manner {
        holds: true,
        ..FINE
    };
    let target = serve(Ipv4Addr::LOCALHOST.into(), holds);
    for (receive, finding) in [("World$", Finding::Up), ("Nope", Finding::Down)] {
        let brief = Dialogue {
            timeout: BRIEF,
            ..dialogue(target, Some(receive))
        };
        let answer = ask(brief).await;
        assert_eq!(answer.finding, finding, "{receive}: {}", answer.message);
    }
}

#[tokio::test]
async fn who_has_no_login_comes_anonymously() {
    let host = rustix::system::uname();
    let password = format!("ldirectord@{}", host.nodename().to_str().unwrap());
    let manner = Manner {
        password: Box::leak(password.into_boxed_str()),
        ..FINE
    };
    let target = serve(Ipv4Addr::LOCALHOST.into(), manner);
    let nobody = Dialogue {
        login: None,
        passwd: None,
        ..dialogue(target, None)
    };
    assert_eq!(ask(nobody).await, Answer::up("230 in"));
}

/// Thousands may wait at once.
#[test]
fn a_waiting_check_of_ftp_is_small() {
    let target = (Ipv4Addr::LOCALHOST, 21).into();
    let probe = FtpCheck::probe(dialogue(target, Some("x"))).unwrap();
    let crate::probes::Probe::Ftp(check) = probe else {
        panic!("{probe:?}");
    };
    let means = Means::new(Dialler::default());
    let mut ftp = super::Ftp::new(check.wish.clone(), false);
    let bytes = size_of_val(&check.hold(&means, &mut ftp, &mut false, &mut None));
    println!("a check of ftp: {bytes} bytes");
    assert!(bytes <= 3072, "{bytes}");
}
