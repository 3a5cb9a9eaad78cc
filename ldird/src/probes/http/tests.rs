//! Rows K1 to K13 of the specification's section 8.4, against servers on the loopback interface.
#![allow(clippy::unwrap_used)]

use super::{Http, Page, Reply};
use crate::probes::{Answer, Dialler, Frame, Framed, Means, Pattern, Probe, Statuses, Trust, Turn};
use rustls::pki_types::PrivateKeyDer;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// A server on a port of its own: answers every connection, tells every request's head.
struct Server {
    address: SocketAddr,
    heads: mpsc::Receiver<String>,
}

fn serve(answer: impl Fn(&str, &mut dyn ReadWrite) + Send + 'static) -> Server {
    serve_on(Box::new(|stream| Some(Box::new(stream))), answer)
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

type Wrap = Box<dyn Fn(TcpStream) -> Option<Box<dyn ReadWrite>> + Send>;

fn serve_on(wrap: Wrap, answer: impl Fn(&str, &mut dyn ReadWrite) + Send + 'static) -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, heads) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Some(mut stream) = stream.ok().and_then(&wrap) else {
                continue;
            };
            let head = read_head(&mut *stream);
            // Whoever has its answer finds here what it asked.
            if tell.send(head.clone()).is_err() {
                return;
            }
            answer(&head, &mut *stream);
            let _ = stream.flush();
        }
    });
    Server { address, heads }
}

fn read_head(stream: &mut dyn ReadWrite) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.extend(byte),
            _ => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Answers everything with this status line and body.
fn always(status: &'static str, body: &'static str) -> Server {
    serve(move |_, stream| {
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
        let _ = stream.write_all(text.as_bytes());
    })
}

fn through(address: SocketAddr, request: &[u8], own: bool) -> Http {
    Http {
        page: Page::through(address, request, own),
        ..check("http", address, Some("Test Page"))
    }
}

#[tokio::test]
async fn k14_a_proxy_is_asked_for_a_whole_address() {
    let server = always("200 OK", "Test Page");
    let means = Means::new(Dialler::default());
    let rows: [(&[u8], bool, &str, &str); 4] = [
        (
            b"/http://a/b?c",
            false,
            "GET http://a/b?c HTTP/1.1",
            "Host: a",
        ),
        (
            b"http://u:p@a:81/b#c",
            false,
            "GET http://a:81/b HTTP/1.1",
            "Host: a:81",
        ),
        (b"/http://x/", true, "GET http://x/ HTTP/1.1", "Host: x"),
        (b"/own", true, "/own HTTP/1.1", "Host: 127.0.0.1:"),
    ];
    for (request, own, line, host) in rows {
        let answer = through(server.address, request, own).ask(&means).await;
        assert_eq!(answer, Answer::up("200 OK"));
        let head = server.heads.recv().unwrap();
        assert!(head.lines().next().unwrap().ends_with(line), "{head}");
        assert!(head.lines().any(|one| one.starts_with(host)), "{head}");
    }
    for request in [&b"/"[..], b"index.html", b"ftp://a/"] {
        let answer = through(server.address, request, false).ask(&means).await;
        assert_eq!(answer, Answer::down("the request makes no valid address"));
    }
}

/// What a proxy answers with leads through it again.
#[tokio::test]
async fn redirects_of_a_proxy_go_through_the_proxy() {
    let server = serve(|head, stream| {
        let text = if head.starts_with("GET http://a/ ") {
            "HTTP/1.1 302 Found\r\nLocation: http://b/c\r\nContent-Length: 0\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nTest Page"
        };
        let _ = stream.write_all(text.as_bytes());
    });
    let means = Means::new(Dialler::default());
    let answer = through(server.address, b"http://a/", false)
        .ask(&means)
        .await;
    assert_eq!(answer, Answer::up("200 OK"));
    let lines = [0, 1].map(|_| {
        server
            .heads
            .recv()
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .to_owned()
    });
    assert_eq!(lines, ["GET http://a/ HTTP/1.1", "GET http://b/c HTTP/1.1"]);
}

fn check(scheme: &str, address: SocketAddr, receive: Option<&str>) -> Http {
    Http {
        target: address,
        tls: scheme == "https",
        trust: Trust::default(),
        page: Page::new(scheme == "https", b"/test.html", false).unwrap(),
        virtualhost: None,
        head: false,
        statuses: None,
        receive: receive.map(|text| Arc::new(Pattern::new(text.as_bytes()).unwrap())),
        timeout: Duration::from_secs(5),
    }
}

async fn ask(http: &Http) -> Answer {
    let means = Means::new(Dialler::default());
    http.ask(&means).await.without_certificate()
}

/// The end of a certificate is told, and takes nobody out: neither one that has passed nor one that is
/// near.
#[tokio::test]
async fn the_end_of_a_certificate_is_told_and_is_no_failure() {
    let means = Means::new(Dialler::default());
    let century = Frame {
        warn_days: Some(36_525),
        ..Frame::default()
    };
    let rows = [
        (
            2020,
            "200 OK; the certificate has expired",
            1_609_459_200_000,
        ),
        (
            2096,
            "200 OK; the certificate expires in ",
            4_007_836_800_000,
        ),
        (2400, "200 OK", 13_601_088_000_000),
    ];
    for (year, told, until_ms) in rows {
        let server = tls_server_until(year);
        let probe = Probe::Http(Box::new(check("https", server.address, None)));
        let framed = Framed::around(&Arc::new(century.clone()), probe.clone());
        let (answer, _) = framed.ask(Turn::default(), &means).await;
        assert!(
            answer.is_up() && answer.message.starts_with(told),
            "{answer:?}"
        );
        assert_eq!(answer.certificate.unwrap().until_ms, until_ms);
        let (answer, _) = probe.ask(Turn::default(), &means).await;
        let seen = answer.certificate.unwrap();
        assert_eq!((seen.until_ms, seen.near), (until_ms, None), "nobody asked");
        assert_eq!(answer.message, "200 OK");
    }
    let plain = always("200 OK", "");
    let answer = check("http", plain.address, None).ask(&means).await;
    assert_eq!(answer.certificate, None);
}

/// A list of codes takes the place of 2xx; a redirect on it is an answer and not followed.
#[tokio::test]
async fn the_codes_that_a_file_lists_are_up() {
    let asked = async |line, list, receive| {
        let server = always(line, "a Test Page here");
        let statuses = Statuses::read(list);
        let check = Http {
            statuses,
            ..check("http", server.address, receive)
        };
        ask(&check).await
    };
    let up = Answer::up;
    let down = |line: &str| Answer::down(format!("{line}, httpstatus is 204,300-401"));
    let list = "204,300-401";
    assert_eq!(
        asked("401 Unauthorized", list, None).await,
        up("401 Unauthorized")
    );
    assert_eq!(
        asked("204 No Content", list, None).await,
        up("204 No Content")
    );
    assert_eq!(asked("200 OK", list, None).await, down("200 OK"));
    assert_eq!(asked("500 Oops", list, None).await, down("500 Oops"));
    let login = "302 Found\r\nLocation: /login";
    assert_eq!(asked(login, list, None).await, up("302 Found"));
    // What is looked for has to be there whatever the code.
    let code = "401 Unauthorized";
    assert_eq!(asked(code, list, Some("Test Page")).await, up(code));
    assert!(!asked(code, list, Some("Other Page")).await.is_up());
}

#[tokio::test]
async fn k1_k2_status_and_body_decide() {
    let server = always("200 OK", "a Test Page here");
    let found = ask(&check("http", server.address, None)).await;
    assert_eq!(found, Answer::up("200 OK"), "K1");
    let found = ask(&check("http", server.address, Some("Test Page"))).await;
    assert_eq!(found, Answer::up("200 OK"), "K2");
    let found = ask(&check("http", server.address, Some("Other"))).await;
    assert!(!found.is_up(), "K2");
    assert!(
        found.message.contains("a Test Page here"),
        "{}",
        found.message
    );
}

#[tokio::test]
async fn k3_an_error_status_is_down_whatever_the_body() {
    let server = always("404 Not Found", "Test Page");
    let found = ask(&check("http", server.address, Some("Test Page"))).await;
    assert_eq!(found, Answer::down("404 Not Found"));
}

#[tokio::test]
async fn k4_redirects_are_followed() {
    let server = serve(|head, stream| {
        let answer = if head.starts_with("GET /next ") {
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere"
        } else {
            "HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n"
        };
        let _ = stream.write_all(answer.as_bytes());
    });
    let found = ask(&check("http", server.address, Some("here"))).await;
    assert_eq!(found, Answer::up("200 OK"));
}

#[tokio::test]
async fn redirects_to_the_virtual_host_stay_on_this_server() {
    let server = serve(|head, stream| {
        let answer = if head.starts_with("GET /next ") {
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        } else {
            "HTTP/1.1 301 Moved\r\nLocation: http://www.test.invalid/next\r\nContent-Length: 0\r\n\r\n"
        };
        let _ = stream.write_all(answer.as_bytes());
    });
    let mut http = check("http", server.address, None);
    http.virtualhost = Some(b"www.test.invalid".to_vec());
    assert_eq!(ask(&http).await, Answer::up("200 OK"));
}

/// The old daemon followed a redirect to anyone; whose answer counts is told.
#[tokio::test]
async fn a_redirect_to_another_server_is_told() {
    let other = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).unwrap();
    let address = other.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let server = serve(move |_, stream| {
        let answer = format!("HTTP/1.1 302 Found\r\nLocation: http://{address}/x\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes());
    });
    let found = ask(&check("http", server.address, None)).await;
    assert_eq!(found, Answer::up(format!("200 OK (answered by {address})")));
}

/// It waits for its server most of the time; hundreds of servers may hang.
#[test]
fn a_waiting_request_is_small() {
    let http = check("https", (Ipv4Addr::LOCALHOST, 443).into(), Some("x"));
    let means = Means::new(Dialler::default());
    let mut reply = Reply::new(false);
    let bytes = size_of_val(&http.follow(&means, &mut reply, &mut None));
    println!("a request: {bytes} bytes");
    assert!(bytes <= 3072, "{bytes}");
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let server = serve(|_, stream| {
        let answer = "HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n";
        let _ = stream.write_all(answer.as_bytes());
    });
    let found = ask(&check("http", server.address, None)).await;
    assert_eq!(found, Answer::down("302 Found"));
    assert_eq!(
        server.heads.try_iter().count(),
        8,
        "the first request and 7 redirects"
    );
}

#[tokio::test]
async fn k6_head_has_no_body_to_match() {
    let server = serve(|head, stream| {
        assert!(head.starts_with("HEAD /test.html HTTP/1.1\r\n"), "{head}");
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    });
    let mut http = check("http", server.address, None);
    http.head = true;
    assert_eq!(ask(&http).await, Answer::up("200 OK"));
    http.receive = Some(Arc::new(Pattern::new(b"Test").unwrap()));
    assert!(!ask(&http).await.is_up());
}

/// HTTP/0.9, as the old daemon's library took it.
#[tokio::test]
async fn k7_an_answer_without_status_line_is_a_body() {
    let server = serve(|_, stream| {
        let _ = stream.write_all(b"Test Page\r\n\r\n");
    });
    let found = ask(&check("http", server.address, Some("Test Page"))).await;
    assert_eq!(found, Answer::up("200 Assumed OK"));
    let found = ask(&check("http", server.address, Some("Other"))).await;
    assert!(!found.is_up());
}

#[tokio::test]
async fn k8_no_content_is_success() {
    let server = serve(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
    });
    let found = ask(&check("http", server.address, None)).await;
    assert_eq!(found, Answer::up("204 No Content"));
}

/// Sends these bytes, then one more every 20 ms until the check hangs up.
fn dribble(start: &'static [u8]) -> Server {
    serve(move |_, stream| {
        let _ = stream.write_all(start);
        while stream.write_all(b"x").and_then(|()| stream.flush()).is_ok() {
            thread::park_timeout(Duration::from_millis(20));
        }
    })
}

#[tokio::test]
async fn k9_one_deadline_covers_everything() {
    let head = dribble(b"HTTP/1.1 200 OK\r\nX: ");
    let body = dribble(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    for (server, expected) in [(head, "500 Timeout Alarm"), (body, "200 OK, no")] {
        let mut http = check("http", server.address, Some("Test Page"));
        http.timeout = Duration::from_millis(300);
        let start = Instant::now();
        let found = ask(&http).await;
        assert!(found.message.starts_with(expected), "{}", found.message);
        assert!(!found.is_up());
        assert!(start.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test]
async fn k11_the_host_line_has_no_port() {
    let server = always("200 OK", "");
    let mut http = check("http", server.address, None);
    ask(&http).await;
    let head = server.heads.recv().unwrap();
    // Some servers know it only so.
    assert!(head.contains("\r\nHost: "), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("get /test.html http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nhost: 127.0.0.1\r\n"), "{head}");
    assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
    http.virtualhost = Some(b"www.example.org:8080".to_vec());
    ask(&http).await;
    let head = server.heads.recv().unwrap().to_ascii_lowercase();
    assert!(
        head.contains("\r\nhost: www.example.org:8080\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn a_request_may_name_a_server_itself() {
    let server = always("200 OK", "");
    let mut http = check("http", server.address, None);
    http.target = (Ipv4Addr::new(127, 0, 0, 2), 1).into();
    let own = format!("/http://{}/own", server.address);
    http.page = Page::new(false, own.as_bytes(), true).unwrap();
    assert!(ask(&http).await.is_up());
    let head = server.heads.recv().unwrap().to_ascii_lowercase();
    assert!(head.contains("\r\nhost: 127.0.0.2\r\n"), "{head}");
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_a_bound() {
    let server = serve(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nTest Page");
        while stream.write_all(&vec![b'x'; 65536]).is_ok() {}
    });
    let found = ask(&check("http", server.address, Some("Test Page"))).await;
    assert_eq!(found, Answer::up("200 OK"));
}

#[tokio::test]
async fn a_refused_connection_is_told_in_words() {
    let address = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap()
    };
    let found = ask(&check("http", address, None)).await;
    assert_eq!(found, Answer::down("connection refused"));
}

/// A TLS server with a certificate of its own making; tells the server name in front of the head.
fn tls_server() -> Server {
    tls_server_until(2096)
}

/// The same; its certificate ends with that year.
fn tls_server_until(year: i32) -> Server {
    let names = vec!["www.example.org".to_owned()];
    let mut parameters = rcgen::CertificateParams::new(names).unwrap();
    parameters.not_after = rcgen::date_time_ymd(year + 1, 1, 1);
    let pair = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&pair).unwrap();
    let key = PrivateKeyDer::try_from(pair.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let wrap: Wrap = Box::new(move |mut stream| {
        let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).ok()?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).ok()?;
        }
        let name = connection.server_name().unwrap_or("nobody").to_owned();
        Some(Box::new(Named {
            name: name.into_bytes(),
            stream: rustls::StreamOwned::new(connection, stream),
        }))
    });
    serve_on(wrap, |head, stream| {
        let name = head.split_once('\n').unwrap().0.to_owned();
        let length = name.len();
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{name}");
        let _ = stream.write_all(text.as_bytes());
    })
}

/// A stream that begins with a line holding the TLS server name.
struct Named {
    name: Vec<u8>,
    stream: rustls::StreamOwned<rustls::ServerConnection, TcpStream>,
}

impl Read for Named {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.name.is_empty() {
            return self.stream.read(buffer);
        }
        let byte = self.name.remove(0);
        if self.name.is_empty() && byte != b'\n' {
            self.name.push(b'\n');
        }
        buffer[0] = byte;
        Ok(1)
    }
}

impl Write for Named {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

/// K12: health, not identity. K13: the virtual host is the TLS server name.
#[tokio::test]
async fn k12_k13_self_signed_certificates_pass_and_the_server_name_is_sent() {
    let server = tls_server();
    let mut http = check("https", server.address, Some("^nobody$"));
    assert_eq!(
        ask(&http).await,
        Answer::up("200 OK"),
        "K12, an address has no name"
    );
    http.virtualhost = Some(b"www.example.org".to_vec());
    http.receive = Some(Arc::new(Pattern::new(b"^www.example.org$").unwrap()));
    assert_eq!(ask(&http).await, Answer::up("200 OK"), "K13");
    let heads: Vec<String> = server.heads.iter().take(2).collect();
    let last = heads.last().unwrap().to_ascii_lowercase();
    assert!(last.contains("\r\nhost: www.example.org\r\n"), "{last}");
}
