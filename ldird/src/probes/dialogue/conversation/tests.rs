//! Conversations with servers on the loopback interface: well, hanging, slow, wrong, gone, endless,
//! over TLS, over datagrams, and of both families.
#![allow(clippy::unwrap_used)]

use crate::probes::{Answer, Dialler, Dialogue, Finding, Means, Negotiate, Pattern, Service, Turn};
use rustls::pki_types::PrivateKeyDer;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Long against what a loopback interface needs, short for a person.
const BRIEF: Duration = Duration::from_millis(400);
const PATIENT: Duration = Duration::from_secs(20);

/// A server that does this with every connection.
fn serve_at(local: IpAddr, act: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((local, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            act(stream.unwrap());
        }
    });
    address
}

fn serve(act: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    serve_at(Ipv4Addr::LOCALHOST.into(), act)
}

/// Says the first answer, and each further one when it hears a line.
fn recite(mut stream: impl Read + Write, answers: &[&str]) {
    let mut answers = answers.iter();
    let mut byte = [0];
    let first = answers.next().unwrap();
    let _ = stream.write_all(first.as_bytes());
    let _ = stream.flush();
    for answer in answers {
        while byte != *b"\n" {
            if !stream.read(&mut byte).is_ok_and(|length| length > 0) {
                return;
            }
        }
        byte = [0];
        let _ = stream.write_all(answer.as_bytes());
        let _ = stream.flush();
    }
}

/// What each service is told when all is well, and when it is not.
const GOOD: &[(&str, &[&str])] = &[
    ("smtp", &["220 mx\r\n", "250 mx\r\n", "221 bye\r\n"]),
    ("submission", &["220 mx\r\n", "502 no\r\n", "250 mx\r\n"]),
    ("pop", &["+OK\r\n", "-ERR\r\n", "+OK\r\n", "+OK in\r\n"]),
    ("imap", &["* OK\r\n", "0 OK in\r\n"]),
    ("nntp", &["200 news\r\n"]),
    ("simpletcp", &["", "one\nPONG\n"]),
];
const WRONG: &[(&str, &[&str])] = &[
    ("smtp", &["220 mx\r\n", "421 busy\r\n"]),
    ("submission", &["SSH-2.0-OpenSSH\r\n"]),
    ("pop", &["+OK\r\n", "-ERR\r\n", "+OK\r\n", "-ERR no\r\n"]),
    ("imap", &["* OK\r\n", "0 NO no\r\n"]),
    ("nntp", &["502 no\r\n"]),
    ("simpletcp", &["", "one\ntwo\n"]),
];

fn dialogue(target: SocketAddr, timeout: Duration) -> Dialogue {
    Dialogue {
        request: b"/PING\\n".to_vec(),
        receive: Some(Arc::new(Pattern::new(b"^PONG").unwrap())),
        login: Some(b"user".to_vec()),
        passwd: Some(b"secret".to_vec()),
        ..Dialogue::new(target, timeout)
    }
}

async fn ask(service: &str, dialogue: Dialogue) -> Answer {
    ask_with(service, dialogue, Dialler::default()).await
}

async fn ask_with(service: &str, dialogue: Dialogue, dialler: Dialler) -> Answer {
    let Negotiate::Asks(question) = Service::named(service).unwrap().negotiate else {
        panic!("{service} is not asked");
    };
    let probe = question(dialogue).unwrap();
    probe.ask(Turn::default(), &Means::new(dialler)).await.0
}

async fn found(service: &str, target: SocketAddr, timeout: Duration) -> Answer {
    ask(service, dialogue(target, timeout)).await
}

#[tokio::test]
async fn servers_of_both_families_that_answer_well_are_up() {
    for local in [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
    ] {
        for (service, answers) in GOOD {
            let target = serve_at(local, |stream| recite(stream, answers));
            let start = Instant::now();
            let answer = found(service, target, PATIENT).await;
            assert_eq!(answer.finding, Finding::Up, "{service}: {}", answer.message);
            assert!(start.elapsed() < PATIENT / 2, "{service} waited");
        }
    }
}

#[tokio::test]
async fn servers_that_answer_wrongly_are_down_and_quoted() {
    for (service, answers) in WRONG {
        let target = serve(|stream| recite(stream, answers));
        let answer = found(service, target, PATIENT).await;
        assert_eq!(answer.finding, Finding::Down, "{service}");
        let last = answers.last().unwrap().trim().lines().last().unwrap();
        let word = last.rsplit(' ').next().unwrap();
        assert!(
            answer.message.contains(word),
            "{service}: {}",
            answer.message
        );
    }
}

#[tokio::test]
async fn k32_the_port_of_the_file_is_asked() {
    let target = serve(|stream| recite(stream, GOOD[3].1));
    assert_ne!(target.port(), 143);
    assert!(found("imap", target, PATIENT).await.is_up());
}

/// One deadline for all; the old libraries waited for ever, or once for each line.
#[tokio::test]
async fn servers_that_hang_at_any_point_are_down_in_time() {
    for (service, answers) in GOOD {
        for length in 0..answers.len() {
            // The goodbye decides nothing.
            if *service == "smtp" && length == 2 {
                continue;
            }
            let target = serve(move |mut stream| {
                if length > 0 {
                    recite(&stream, &answers[..length]);
                }
                let _ = stream.read_to_end(&mut Vec::new());
                thread::park_timeout(2 * BRIEF);
            });
            let start = Instant::now();
            let answer = found(service, target, BRIEF).await;
            let took = start.elapsed();
            let told = (answer.finding, answer.message.as_str());
            assert_eq!(told.0, Finding::Down, "{service} after {length}: {told:?}");
            assert!(
                told.1.starts_with("timed out waiting for "),
                "{service}: {told:?}"
            );
            assert!(BRIEF <= took && took < 5 * BRIEF, "{service}: {took:?}");
        }
    }
}

#[tokio::test]
async fn servers_that_trickle_are_down_in_time() {
    for (service, answers) in GOOD {
        // News are up with the first byte.
        if *service == "nntp" {
            continue;
        }
        let target = serve(|mut stream| {
            for byte in answers.concat().bytes() {
                if stream.write_all(&[byte]).is_err() {
                    return;
                }
                thread::park_timeout(BRIEF / 3);
            }
        });
        let start = Instant::now();
        let answer = found(service, target, BRIEF).await;
        assert_eq!(
            answer.finding,
            Finding::Down,
            "{service}: {}",
            answer.message
        );
        assert!(start.elapsed() < 5 * BRIEF, "{service}");
    }
}

#[tokio::test]
async fn servers_that_close_reset_or_refuse_are_down() {
    let reset = |stream: TcpStream| {
        let socket = socket2::SockRef::from(&stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    };
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let refused = closed.local_addr().unwrap();
    drop(closed);
    for (service, _) in GOOD {
        for (target, words) in [
            (serve(drop), &["connection closed", "connection reset"][..]),
            (serve(reset), &["connection reset", "Broken pipe"]),
            (refused, &["connection refused"]),
        ] {
            let answer = found(service, target, PATIENT).await;
            assert_eq!(answer.finding, Finding::Down, "{service}");
            let known = words.iter().any(|word| answer.message.contains(word));
            assert!(known, "{service}: {}", answer.message);
        }
    }
}

#[tokio::test]
async fn servers_that_never_stop_are_down_at_a_bound() {
    for (service, _) in GOOD.iter().filter(|(service, _)| *service != "nntp") {
        for line in ["x", "220-x\n", "+OK\n", "* OK\n"] {
            let target = serve(|mut stream| {
                let text = line.repeat(4096);
                while stream.write_all(text.as_bytes()).is_ok() {}
            });
            let answer = found(service, target, PATIENT).await;
            assert_eq!(
                answer.finding,
                Finding::Down,
                "{service}: {}",
                answer.message
            );
        }
    }
}

/// What the server said before it went counts.
#[tokio::test]
async fn an_answer_and_an_end_at_once_count() {
    let target = serve(|mut stream| {
        let _ = stream.write_all(b"PONG");
    });
    for _ in 0..20 {
        assert!(found("simpletcp", target, PATIENT).await.is_up());
    }
}

#[tokio::test]
async fn the_server_is_told_that_no_more_comes() {
    let target = serve(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"PING\n");
        let _ = stream.write_all(b"PONG\n");
    });
    assert!(found("simpletcp", target, PATIENT).await.is_up());
}

#[tokio::test]
async fn a_simple_check_goes_over_datagrams_with_protocol_udp() {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = server.local_addr().unwrap();
    let answering = thread::spawn(move || {
        let mut buffer = [0; 64];
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        server.send_to(b"one\nPO", from).unwrap();
        server.send_to(b"NG\n", from).unwrap();
        buffer[..length].to_vec()
    });
    let over_udp = |timeout| Dialogue {
        udp: true,
        ..dialogue(target, timeout)
    };
    let answer = ask("simpletcp", over_udp(PATIENT)).await;
    assert_eq!(answer, Answer::up("PONG"));
    assert_eq!(answering.join().unwrap(), b"PING\n");
    // The server is gone now.
    let answer = ask("simpletcp", over_udp(PATIENT)).await;
    assert_eq!(answer, Answer::down("connection refused"));
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut silence = over_udp(BRIEF);
    silence.target = silent.local_addr().unwrap();
    let answer = ask("simpletcp", silence).await;
    assert_eq!(
        answer,
        Answer::down("timed out waiting for a line that matches")
    );
}

/// Our own lack is no fault of the server.
#[tokio::test]
async fn what_we_lack_is_not_down() {
    let target = serve(|stream| recite(stream, GOOD[0].1));
    let nowhere = Dialler {
        source: Some(IpAddr::from([192, 0, 2, 1])),
        ..Dialler::default()
    };
    for (service, _) in GOOD {
        let answer = ask_with(service, dialogue(target, PATIENT), nowhere.clone()).await;
        assert_eq!(
            answer.finding,
            Finding::CouldNotAsk,
            "{service}: {}",
            answer.message
        );
    }
}

/// Speaks TLS, tells the server name that it heard in its first line.
fn tls_server(recital: &'static [&'static str]) -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(vec!["mail.example.org".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    serve(move |mut stream| {
        let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        while connection.is_handshaking() {
            if connection.complete_io(&mut stream).is_err() {
                return;
            }
        }
        let name = connection.server_name().unwrap_or("nobody").to_owned();
        let first = recital[0].replace("NAME", &name);
        let answers = [&[first.as_str()], &recital[1..]].concat();
        recite(rustls::StreamOwned::new(connection, stream), &answers);
    })
}

#[tokio::test]
async fn tls_services_take_any_certificate_and_tell_the_virtual_host() {
    let imaps = tls_server(&["* OK NAME\r\n", "0 OK in\r\n"]);
    let pops = tls_server(&["+OK NAME\r\n", "-ERR\r\n", "+OK\r\n", "-ERR no\r\n"]);
    for (service, target, expected) in [
        ("imaps", imaps, Answer::up("OK in")),
        ("pops", pops, Answer::down("PASS: -ERR no")),
    ] {
        let answer = found(service, target, PATIENT).await;
        assert!(answer.certificate.is_some(), "{service}");
        assert_eq!(answer.without_certificate(), expected);
    }
    for (service, target) in [("imaps", imaps), ("pops", pops)] {
        let named = |virtualhost: Option<&str>| Dialogue {
            login: None,
            virtualhost: virtualhost.map(|name| name.as_bytes().to_vec()),
            ..dialogue(target, PATIENT)
        };
        let answer = ask(service, named(Some("mail.example.org"))).await;
        assert!(answer.is_up(), "{service}: {}", answer.message);
        assert!(
            answer.message.ends_with("mail.example.org"),
            "{}",
            answer.message
        );
        let answer = ask(service, named(None)).await;
        assert!(answer.message.ends_with("nobody"), "{}", answer.message);
    }
}

#[tokio::test]
async fn garbage_or_silence_instead_of_tls_is_down() {
    let garbage = serve(|mut stream| {
        let _ = stream.write_all(b"* OK no TLS here\r\n");
        let _ = BufReader::new(stream).read_until(b'\n', &mut Vec::new());
    });
    let silent = serve(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    for service in ["pops", "imaps"] {
        let answer = found(service, garbage, PATIENT).await;
        assert_eq!(answer.finding, Finding::Down, "{service}");
        assert!(answer.message.starts_with("no TLS"), "{}", answer.message);
        let answer = found(service, silent, BRIEF).await;
        assert_eq!(answer, Answer::down("connection timed out"), "{service}");
    }
}

/// Thousands may wait at once.
#[test]
fn a_waiting_conversation_is_small() {
    let script = super::Script::Nntp;
    let conversation = super::Conversation {
        target: (Ipv4Addr::LOCALHOST, 119).into(),
        way: super::Way::Tcp,
        script: script.clone(),
        timeout: PATIENT,
    };
    let means = Means::new(Dialler::default());
    let mut talk = super::Talk::new(script);
    let bytes = size_of_val(&conversation.hold(&means, &mut talk, &mut None));
    println!("a conversation: {bytes} bytes");
    assert!(bytes <= 3072, "{bytes}");
}
