//! Answers as bytes: whole, cut anywhere, and broken.
#![allow(clippy::unwrap_used)]

use super::{BODY_MAX_BYTES, Broken, Reply};
use proptest::prelude::*;

/// What a reply comes to when its bytes arrive in pieces of this size and the server closes.
fn read(bytes: &[u8], piece: usize) -> Result<(String, Vec<u8>), Broken> {
    let mut reply = Reply::new(false);
    for piece in bytes.chunks(piece.max(1)) {
        reply.buffer().extend(piece);
        reply.advance()?;
    }
    reply.close()?;
    let line = reply.status().unwrap().line.clone();
    Ok((line, reply.body().to_vec()))
}

fn whole(bytes: &[u8]) -> (String, String) {
    let (line, body) = read(bytes, usize::MAX).unwrap();
    (line, String::from_utf8_lossy(&body).into_owned())
}

/// The bytes, the status line and the body.
const REPLIES: &[(&str, &str, &str)] = &[
    ("HTTP/1.1 200 OK\r\n\r\nbody", "200 OK", "body"),
    ("HTTP/1.0 200 OK\n\nbody", "200 OK", "body"),
    ("HTTP/2 200\r\n\r\nbody", "200", "body"),
    ("HTTP/1.1   404   Not Found \r\n\r\nx", "404 Not Found", "x"),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nbody",
        "200 OK",
        "bo",
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nbody",
        "200 OK",
        "bo",
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nbody",
        "200 OK",
        "bo",
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 2\r\n\r\nbody",
        "200 OK",
        "bo",
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nbody",
        "200 OK",
        "body",
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nbody",
        "200 OK",
        "body",
    ),
    (
        "HTTP/1.1 200 OK\r\nno header\r\n: nor this\r\n\r\nbody",
        "200 OK",
        "body",
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n\
         2\r\nbo\r\n2;x=y\r\ndy\r\n0\r\n\r\n",
        "200 OK",
        "body",
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, Chunked\r\n\r\n4 \r\nbody\r\n",
        "200 OK",
        "body",
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\nzz\r\nmore",
        "200 OK",
        "body",
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody!\r\n4\r\nmore",
        "200 OK",
        "body",
    ),
    ("HTTP/1.1 204 No Content\r\n\r\nbody", "204 No Content", ""),
    (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody",
        "200 OK",
        "body",
    ),
    ("Test Page\n", "200 Assumed OK", "Test Page\n"),
    (
        "\r\nHTTP/1.1 200 OK\r\n",
        "200 Assumed OK",
        "\r\nHTTP/1.1 200 OK\r\n",
    ),
    (
        "HTTP/1.1 600 What\r\n\r\n",
        "200 Assumed OK",
        "HTTP/1.1 600 What\r\n\r\n",
    ),
    (
        "http/1.1 200 OK\r\n",
        "200 Assumed OK",
        "http/1.1 200 OK\r\n",
    ),
    ("HTTP/1.1 200 OK", "200 OK", ""),
    ("HTTP/1.1 200 OK\r\nLocation: x", "200 OK", ""),
];

#[test]
fn heads_and_bodies_are_read_leniently() {
    for &(bytes, line, body) in REPLIES {
        let expected = (line.to_owned(), body.to_owned());
        assert_eq!(whole(bytes.as_bytes()), expected, "{bytes:?}");
    }
}

#[test]
fn what_has_no_bound_is_refused_by_name() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(9000));
    assert_eq!(read(long.as_bytes(), 100), Err(Broken::LongLine));
    assert_eq!(read(long.as_bytes(), usize::MAX), Err(Broken::LongLine));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: a\r\n".repeat(200));
    assert_eq!(read(many.as_bytes(), usize::MAX), Err(Broken::ManyLines));
    let again = "HTTP/1.1 100 Continue\r\n\r\n".repeat(20);
    assert_eq!(read(again.as_bytes(), usize::MAX), Err(Broken::ManyInterim));
    assert_eq!(read(b"", 1), Err(Broken::Nothing));
    let mut large = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    large.resize(3 * BODY_MAX_BYTES, b'x');
    assert_eq!(read(&large, 5000).unwrap().1.len(), BODY_MAX_BYTES);
}

#[test]
fn an_answer_to_head_has_no_body() {
    let mut reply = Reply::new(true);
    reply
        .buffer()
        .extend(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
    reply.advance().unwrap();
    assert!(reply.is_complete());
    assert!(reply.body().is_empty());
}

/// What may be closed at once: nothing of it can come after the end.
#[test]
fn an_answer_is_whole_when_its_head_says_so_or_the_connection_ends() {
    let head = "HTTP/1.1 200 OK\r\n";
    let rows = [
        (format!("{head}Content-Length: 4\r\n\r\nbody"), true),
        (format!("{head}Content-Length: 0\r\n\r\n"), true),
        (format!("{head}Content-Length: 5\r\n\r\nbody"), false),
        (format!("{head}\r\nbody"), false),
        (head.to_owned(), false),
        ("HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(), true),
        ("HTTP/1.1 101 Switching\r\n\r\n".to_owned(), false),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n"),
            false,
        ),
    ];
    for (text, whole) in rows {
        let mut reply = Reply::new(false);
        reply.buffer().extend(text.as_bytes());
        reply.advance().unwrap();
        assert_eq!(reply.is_whole(), whole, "{text}");
        reply.close().unwrap();
        assert!(reply.is_whole(), "{text}");
    }
    let mut large = Reply::new(false);
    large.buffer().extend(head.as_bytes());
    large.buffer().extend(b"\r\n");
    large.buffer().resize(2 * BODY_MAX_BYTES, b'x');
    large.advance().unwrap();
    assert!(large.is_complete() && !large.is_whole(), "more may follow");
    let mut head_only = Reply::new(true);
    head_only.buffer().extend(head.as_bytes());
    head_only.buffer().extend(b"Content-Length: 4\r\n\r\n");
    head_only.advance().unwrap();
    assert!(head_only.is_complete() && !head_only.is_whole());
}

proptest! {
    #[test]
    fn pieces_make_no_difference(
        bytes in proptest::collection::vec(
            prop_oneof![
                Just("HTTP/1.1 200 OK\r\n"), Just("\r\n"), Just("\n"), Just("Content-Length: 5"),
                Just("Transfer-Encoding: chunked"), Just(": "), Just(" "), Just("5"), Just("0"),
                Just("hello"), Just("HTTP/1.1 100 Go on\r\n\r\n"), Just("é"),
            ],
            0..12,
        ),
        piece in 1_usize..9,
    ) {
        let bytes = bytes.concat();
        prop_assert_eq!(read(bytes.as_bytes(), piece), read(bytes.as_bytes(), usize::MAX));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), piece in 1_usize..50) {
        let _ = read(&bytes, piece);
        let mut late = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        late.extend(bytes);
        let _ = read(&late, piece);
    }
}
