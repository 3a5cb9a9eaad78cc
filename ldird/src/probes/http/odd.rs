//! Odd servers, asked by us and by the old daemon's library as the old daemon asks it: the same
//! verdict, or a reason for ours.
#![allow(clippy::unwrap_used)]

use super::{Http, Page};
use crate::probes::library::Library;
use crate::probes::{Dialler, Means, Pattern, Trust};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Reads one question a line and answers each with `up` or `down`: the old daemon's own calls.
const LIBRARY: &str = r#"
use strict; use warnings; no warnings 'all'; use LWP::UserAgent; $| = 1;
while (my $line = <STDIN>) {
    chomp $line;
    my ($url, $method, $seconds, $hex) = split /\t/, $line;
    my $receive = pack 'H*', $hex // '';
    my $agent = LWP::UserAgent->new(ssl_opts => { verify_hostname => 0, SSL_verify_mode => 0 });
    my $host = HTTP::Headers->new(Host => '127.0.0.1');
    my $answer;
    eval {
        local $SIG{ALRM} = sub { die "Timeout Alarm" };
        alarm $seconds;
        $answer = $agent->request(HTTP::Request->new($method, $url, $host));
        alarm 0;
    };
    my $up = defined $answer && $answer->is_success
        && (!($receive =~ /.+/) || $answer->content =~ /$receive/);
    print $up ? "up\n" : "down\n";
}
"#;

fn start() -> Option<Library> {
    let modules = ["LWP::UserAgent", "LWP::Protocol::https"];
    Library::start(&modules, "libwww-perl", LIBRARY)
}

/// The pattern as digits, so that any byte may be in it.
fn question(url: &str, head: bool, receive: &str, seconds: u64) -> String {
    let method = if head { "HEAD" } else { "GET" };
    let mut text = format!("{url}\t{method}\t{seconds}\t");
    for byte in receive.bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// What a server does behind its answer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    Close,
    /// Says nothing more and keeps the connection.
    Hold,
    Reset,
    /// Answers at once and closes, whatever was asked.
    Early,
    /// Goes on for ever with one more byte now and then.
    Dribble,
}

use Then::{Close, Dribble, Early, Hold, Reset};

const OK: &str = "HTTP/1.1 200 OK\r\n";

/// What stands behind a good status line.
const BEHIND_OK: &[(&str, Then)] = &[
    ("Content-Length: 9\r\n\r\nTest Page", Close),
    ("Content-Length: 9\r\n\r\nTest Page", Early),
    ("Content-Length: 9\r\n\r\nTest Page", Reset),
    ("Content-Length: 9\r\n\r\nTest Page", Hold),
    ("Content-Length: 100\r\n\r\nTest Page", Close),
    ("Content-Length: 100\r\n\r\nTest Page", Hold),
    ("Content-Length: 100\r\n\r\nTest Page", Dribble),
    ("Content-Length: 4\r\n\r\nTest Page", Close),
    (
        "Content-Length: 9\r\nContent-Length: 20\r\n\r\nTest Page",
        Close,
    ),
    (
        "Content-Length: 20\r\nContent-Length: 9\r\n\r\nTest Page",
        Close,
    ),
    (
        "Content-Length: 20\r\nContent-Length: 4\r\n\r\nTest Page",
        Close,
    ),
    ("Content-Length: 9, 9\r\n\r\nTest Page", Close),
    ("Content-Length: -1\r\n\r\nTest Page", Close),
    ("Content-Length: x\r\n\r\nTest Page", Close),
    ("Content-Length : 9\r\n\r\nTest Page", Close),
    ("Content-Length:\r\n 4\r\n\r\nTest Page", Close),
    ("\r\nTest Page", Close),
    ("\r\nTest Page", Hold),
    ("\r\nTest Page", Reset),
    ("\r\nTest Page", Dribble),
    ("X: a\r\n folded\r\n\tagain\r\n\r\nTest Page", Close),
    (" folded first\r\n\r\nTest Page", Close),
    ("no colon\r\n\r\nTest Page", Close),
    (": no name\r\n\r\nTest Page", Close),
    ("X Y: blank in name\r\n\r\nTest Page", Close),
    ("X: \0\x01\r\n\r\nTest Page", Close),
    ("Foo: bar\r\n", Close),
    ("Foo: bar\r\n", Hold),
    ("Foo: bar", Close),
    ("Foo: bar\r\n", Reset),
    ("Set-Cookie: Test Page\r\n\r\n", Close),
    ("Content-Encoding: gzip\r\n\r\nTest Page", Close),
    (
        "Content-Type: text/html; charset=utf-8\r\n\r\nTest Page",
        Close,
    ),
    (
        "TRANSFER-ENCODING: Chunked\r\n\r\n9\r\nTest Page\r\n0\r\n\r\n",
        Close,
    ),
    (
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nTest Page\r\n0\r\n\r\n",
        Close,
    ),
];

/// What stands behind the head of a chunked answer.
const CHUNKED: &[(&str, Then)] = &[
    ("9\r\nTest Page\r\n0\r\n\r\n", Close),
    ("9\r\nTest Page\r\n", Close),
    ("9\r\nTest Page\r\n", Hold),
    ("9\r\nTest Page\r\n", Reset),
    ("9\r\nTest Page\r\n0\r\n", Hold),
    ("9\r\nTest Page0\r\n\r\n", Close),
    ("9  \r\nTest Page\r\n0\r\n\r\n", Close),
    ("9;a=b\r\nTest Page\r\n0\r\n\r\n", Close),
    ("00009\nTest Page\n0\n\n", Close),
    ("5\r\nTest \r\n4\r\nPage\r\n0\r\n\r\n", Close),
    ("zz\r\nTest Page\r\n0\r\n\r\n", Close),
    ("ff\r\nTest Page\r\n", Close),
    ("Test Page", Close),
];

/// Whole answers.
const WHOLE: &[(&str, Then)] = &[
    ("HTTP/1.0 200 OK\n\nTest Page", Close),
    ("HTTP/1.1 200\r\n\r\nTest Page", Close),
    ("HTTP/1.1   200   OK\r\n\r\nTest Page", Close),
    ("HTTP/1.1\t200\tOK\r\n\r\nTest Page", Close),
    ("HTTP/2 200 OK\r\n\r\nTest Page", Close),
    ("HTTP/9.9 299 Odd\r\n\r\nTest Page", Close),
    ("HTTP/1.1 200 OK\r\rTest Page", Close),
    ("HTTP/1.1 204 None\r\n\r\nTest Page", Close),
    ("HTTP/1.1 206 Part\r\n\r\nTest Page", Close),
    ("HTTP/1.1 304 Same\r\n\r\nTest Page", Close),
    ("HTTP/1.1 302 No place\r\n\r\nTest Page", Close),
    ("HTTP/1.1 404 No\r\n\r\nTest Page", Close),
    ("HTTP/1.1 500 No\r\n\r\nTest Page", Hold),
    ("HTTP/1.1 600 No\r\n\r\nTest Page", Close),
    ("HTTP/1.1 20 No\r\n\r\nTest Page", Close),
    (
        "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\r\n\r\nTest Page",
        Close,
    ),
    ("ICY 200 OK\r\n\r\nTest Page", Close),
    ("http/1.1 200 OK\r\n\r\nTest Page", Close),
    ("\r\nHTTP/1.1 200 OK\r\n\r\nTest Page", Close),
    (" HTTP/1.1 200 OK\r\n\r\nTest Page", Close),
    ("Test Page\n", Close),
    ("Test Page\n", Hold),
    ("Test Page", Close),
    ("<html>\nTest Page", Reset),
    ("Test Page", Hold),
    ("\n", Close),
    ("", Close),
    ("", Hold),
    ("", Reset),
];

/// Answers that are too large for a table.
fn large() -> [(String, Then); 6] {
    let ok = |rest: &str| format!("{OK}{rest}");
    [
        (
            ok(&format!("X: {}\r\n\r\nTest Page", "a".repeat(8000))),
            Close,
        ),
        (
            ok(&format!("X: {}\r\n\r\nTest Page", "a".repeat(9000))),
            Close,
        ),
        (
            ok(&format!("{}\r\nTest Page", "X: a\r\n".repeat(120))),
            Close,
        ),
        (
            ok(&format!("{}\r\nTest Page", "X: a\r\n".repeat(200))),
            Close,
        ),
        (ok(&format!("\r\n{}Test Page", "x".repeat(700_000))), Close),
        (
            ok(&format!("\r\nTest Page{}", "x".repeat(3_000_000))),
            Close,
        ),
    ]
}

fn odd_servers() -> Vec<(String, Then)> {
    let behind = |head: &str, rows: &[(&str, Then)]| -> Vec<(String, Then)> {
        let rows = rows.iter();
        rows.map(|&(rest, then)| (format!("{head}{rest}"), then))
            .collect()
    };
    let mut all = behind(OK, BEHIND_OK);
    all.extend(behind(
        &format!("{OK}Transfer-Encoding: chunked\r\n\r\n"),
        CHUNKED,
    ));
    all.extend(behind("", WHOLE));
    all.extend(large());
    for version in ["1.0", "1.1"] {
        for end in ["\n", "\r\n"] {
            let text = format!("HTTP/{version} 200 OK{end}Server: old{end}{end}Test Page{end}");
            all.push((text, Hold));
        }
    }
    all
}

/// Where we say up and the library does not, and why.
fn more_lenient() -> Vec<(String, &'static str)> {
    let ok = |rest: &str| format!("{OK}{rest}");
    vec![
        (
            "HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\nTest Page".to_owned(),
            "every 1xx announces another answer (RFC 9110 section 15.2)",
        ),
        (
            format!(
                "{}{OK}\r\nTest Page",
                "HTTP/1.1 100 Go on\r\n\r\n".repeat(2)
            ),
            "and so does the second one",
        ),
        (
            ok("Transfer-Encoding: identity\r\n\r\nTest Page"),
            "the library knows chunked only, and drops the body",
        ),
    ]
}

fn serve(answer: String, then: Then) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            thread::spawn(move || behave(stream.unwrap(), &answer, then));
        }
    });
    address
}

fn behave(mut stream: TcpStream, answer: &str, then: Then) {
    if then != Early {
        let mut head = Vec::new();
        let mut piece = [0; 1024];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut piece) {
                Ok(length) if length > 0 => head.extend(&piece[..length]),
                _ => return,
            }
        }
    }
    let _ = stream.write_all(answer.as_bytes());
    match then {
        Close => {}
        Early => {
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read(&mut [0; 4096]);
        }
        Reset => {
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        // Until the check hangs up.
        Hold => {
            let _ = stream.read(&mut [0]);
        }
        Dribble => {
            while stream.write_all(b"x").is_ok() {
                thread::park_timeout(Duration::from_millis(50));
            }
        }
    }
}

fn ours(target: SocketAddr, head: bool, receive: &str, seconds: u64) -> bool {
    let pattern = (!receive.is_empty()).then(|| Arc::new(pattern(receive)));
    let http = Http {
        target,
        tls: false,
        trust: Trust::default(),
        page: Page::new(false, b"/x", false).unwrap(),
        virtualhost: None,
        head,
        statuses: None,
        receive: pattern,
        timeout: Duration::from_secs(seconds),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let means = Means::new(Dialler::default());
    runtime.block_on(http.ask(&means)).is_up()
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(text.as_bytes()).unwrap()
}

/// Time limits in seconds: where a server makes both wait for it, and where none should come.
const BRIEF: u64 = 2;
const PATIENT: u64 = 20;

/// The request and the pattern of each question about a server.
const QUESTIONS: &[(bool, &str)] = &[
    (false, ""),
    (false, "Test Page"),
    (false, "Page\\s*$"),
    (false, "Nope"),
    (true, ""),
];

/// What the two say where they differ, server by server, over several libraries at once: many of
/// these servers cost each a whole deadline.
fn differences(servers: Vec<(String, Then)>) -> Option<Vec<String>> {
    const WORKERS: usize = 12;
    let queue = Mutex::new(servers);
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            let mut library = start()?;
            let (queue, found) = (&queue, &found);
            scope.spawn(move || {
                loop {
                    let next = queue.lock().unwrap().pop();
                    let Some((answer, then)) = next else { return };
                    let shown: String = answer.chars().take(80).collect();
                    let seconds = match then {
                        Hold | Dribble => BRIEF,
                        Close | Reset | Early => PATIENT,
                    };
                    let server = serve(answer, then);
                    let url = format!("http://{server}/x");
                    for (head, receive) in QUESTIONS {
                        let theirs = library.is_up(&question(&url, *head, receive, seconds));
                        let ours = ours(server, *head, receive, seconds);
                        if theirs != ours {
                            let text = format!(
                                "{shown:?} then {then:?}, head {head}, {receive:?}: library {theirs}, ours {ours}"
                            );
                            found.lock().unwrap().push(text);
                        }
                    }
                }
            });
        }
        Some(())
    })?;
    Some(found.into_inner().unwrap())
}

#[test]
fn verdicts_on_odd_servers_are_those_of_the_old_library() {
    if let Some(found) = differences(odd_servers()) {
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

#[test]
fn where_verdicts_differ_ours_is_the_lenient_one() {
    let Some(mut library) = start() else {
        return;
    };
    for (answer, why) in more_lenient() {
        let server = serve(answer, Close);
        let url = format!("http://{server}/x");
        assert!(
            !library.is_up(&question(&url, false, "Test Page", PATIENT)),
            "{why}"
        );
        assert!(ours(server, false, "Test Page", PATIENT), "{why}");
    }
}

/// A reset may overtake the answer on its way; what has arrived counts.
#[test]
fn an_answer_before_the_request_counts() {
    let answer = format!("{OK}Content-Length: 9\r\n\r\nTest Page");
    let server = serve(answer, Early);
    for _ in 0..50 {
        assert!(ours(server, false, "Test Page", PATIENT));
    }
}

/// Answers put together from pieces of good ones, in any order.
const PIECES: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 200 OK\n",
    "HTTP/1.1 404 No\r\n",
    "\r\n",
    "\r\n",
    "\r\n",
    "\n",
    "Content-Length: ",
    "content-length:",
    "Transfer-Encoding: chunked",
    "X-Other: y",
    ": ",
    " ",
    "\t",
    "9",
    "0",
    "4",
    "20",
    "zz",
    "9\r\nTest Page",
    "0\r\n\r\n",
    "Test Page",
    "Test ",
    "Page",
    ";a=b",
    ",",
    "\r",
    "\0",
    "\u{e9}",
    "X",
    "no colon",
];

fn drawn_answers(seed: u64, count: usize) -> Vec<(String, Then)> {
    let mut state = seed;
    let mut draw = move |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let mut answer = |_| {
        let mut text = String::new();
        if draw(5) > 0 {
            text.push_str(OK);
        }
        for _ in 0..draw(9) {
            text.push_str(PIECES[draw(PIECES.len())]);
            if draw(3) == 0 {
                text.push_str("\r\n");
            }
        }
        (text, Close)
    };
    (0..count).map(&mut answer).collect()
}

#[test]
fn verdicts_on_drawn_answers_are_those_of_the_old_library() {
    let seed = std::env::var("LDIRD_HTTP_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let Some(found) = differences(drawn_answers(seed.unwrap_or(1), 400)) else {
        return;
    };
    // Where the library drops a body because of an encoding that it does not know, we read on.
    let known = |text: &String| text.contains("Transfer-Encoding") && text.ends_with("ours true");
    let unknown: Vec<String> = found.into_iter().filter(|text| !known(text)).collect();
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}
