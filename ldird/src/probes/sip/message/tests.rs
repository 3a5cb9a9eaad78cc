//! The request line by line, answers of every kind, and any bytes.
#![allow(clippy::unwrap_used)]

use super::{Options, Reading, Status};
use proptest::prelude::*;

fn options(transport: &'static str, here: &str) -> Options {
    Options::new(transport, here.parse().unwrap())
}

/// As the old daemon's, but for a branch and a tag of its own and the right transport.
#[test]
fn the_request_is_the_old_daemons() {
    let options = options("UDP", "10.0.0.9:4711");
    let Options {
        branch, tag, call, ..
    } = options.clone();
    let expected = format!(
        "OPTIONS sip:u@h SIP/2.0\r\n\
         Via: SIP/2.0/UDP 10.0.0.9:4711;branch={branch};rport\r\n\
         Max-Forwards: 70\r\n\
         To: <sip:u@h>\r\n\
         From: <sip:u@h>;tag={tag}\r\n\
         Call-ID: {call}\r\n\
         CSeq: 63104 OPTIONS\r\n\
         Contact: <sip:u@h>\r\n\
         Accept: application/sdp\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let request = options.request(b"u@\r\nh");
    assert_eq!(String::from_utf8(request).unwrap(), expected);
    assert!(branch.starts_with("z9hG4bK") && branch.len() > 20);
    assert_eq!(call.len(), 16);
}

#[test]
fn an_ipv6_address_comes_in_brackets_and_tcp_is_called_so() {
    let request = options("TCP", "[2001:db8::1]:4711").request(b"u@h");
    let text = String::from_utf8(request).unwrap();
    assert!(
        text.contains("\r\nVia: SIP/2.0/TCP [2001:db8::1]:4711;branch="),
        "{text}"
    );
}

#[test]
fn no_two_requests_are_alike() {
    let (one, two) = (options("UDP", "10.0.0.9:1"), options("UDP", "10.0.0.9:1"));
    assert!(one.branch != two.branch && one.tag != two.tag && one.call != two.call);
}

fn answer(code: u16, line: &str) -> Reading {
    Reading::Final(Status {
        code,
        line: line.to_owned(),
    })
}

#[test]
fn answers_are_told_apart() {
    let options = options("UDP", "10.0.0.9:4711");
    let read = |text: &str| options.read(text.replace("@@", &options.call).as_bytes());
    let ok = answer(200, "200 OK");
    assert_eq!(read("SIP/2.0 200 OK\r\nCall-ID: @@\r\n\r\n"), ok);
    assert_eq!(read("SIP/2.0 200 OK\r\ni : @@ \r\n\r\nv=0"), ok);
    assert_eq!(read("SIP/2.0 200 OK\n\n"), ok, "old servers");
    assert_eq!(read("SIP/2.0 200 Fine\r\n\r\n"), answer(200, "200 Fine"));
    assert_eq!(read("SIP/2.0 404 No\r\n\r\n"), answer(404, "404 No"));
    assert_eq!(
        read("SIP/2.0 200 OK\r\nCALL-ID: other\r\n\r\n"),
        Reading::Foreign
    );
    assert_eq!(read("HTTP/1.1 200 OK\r\n\r\n"), Reading::Foreign);
    assert_eq!(read("OPTIONS sip:u@h SIP/2.0\r\n\r\n"), Reading::Foreign);
    assert_eq!(read("SIP/2.0 ok\r\n\r\n"), Reading::Foreign);
    assert_eq!(read(""), Reading::Partial);
    assert_eq!(read("SIP/2"), Reading::Partial);
    assert_eq!(read("SIP/2.0 200 OK\r\n"), Reading::Partial);
    let trying = "SIP/2.0 100 Trying\r\nl: 3\r\n\r\n";
    assert_eq!(read(trying), Reading::Partial, "the body is to come");
    assert_eq!(
        read(&format!("{trying}abcdef")),
        Reading::Provisional(trying.len() + 3)
    );
    assert_eq!(
        read(&format!("SIP/2.0 100 Trying\r\nl: {}\r\n\r\n", u64::MAX)),
        Reading::Foreign
    );
    assert_eq!(
        read(&format!("SIP/2.0 {}", "x".repeat(16 * 1024))),
        Reading::Foreign
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = options("UDP", "10.0.0.9:4711").read(&bytes);
    }

    #[test]
    fn any_answer_is_read(text in "SIP/2.0 [ -~]{0,20}(\r\n[ -~]{0,30}){0,5}\r\n\r\n.{0,9}") {
        let _ = options("UDP", "10.0.0.9:4711").read(text.as_bytes());
    }
}
