//! Requests byte by byte, replies of every kind, and any bytes.
#![allow(clippy::unwrap_used)]

use super::{Reply, bind, read, search, unbind, value};
use proptest::prelude::*;

#[test]
fn requests_are_those_of_the_standard() {
    assert_eq!(
        bind(1, b"", b""),
        b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0"
    );
    let named = b"\x30\x11\x02\x01\x01\x60\x0c\x02\x01\x03\x04\x04cn=a\x80\x01b";
    assert_eq!(bind(1, b"cn=a", b"b"), named);
    let mut expected = b"\x30\x2d\x02\x01\x02\x63\x28\x04\x03o=x\x0a\x01\0\x0a\x01\x02".to_vec();
    expected.extend(b"\x02\x01\0\x02\x01\0\x01\x01\0\x87\x0bobjectClass\x30\x05\x04\x031.1");
    assert_eq!(search(2, b"o=x"), expected);
    assert_eq!(unbind(3), b"\x30\x05\x02\x01\x03\x42\0");
}

#[test]
fn long_values_have_long_lengths() {
    assert_eq!(value(4, &[7; 127])[..2], [4, 127]);
    assert_eq!(value(4, &[7; 128])[..3], [4, 0x81, 128]);
    assert_eq!(value(4, &[7; 300])[..4], [4, 0x82, 1, 44]);
}

/// A message as a server sends it.
pub(in super::super) fn message(id: u8, tag: u8, operation: &[u8]) -> Vec<u8> {
    let fields = [value(2, &[id]), value(tag, operation)];
    value(0x30, &fields.concat())
}

pub(in super::super) fn result(id: u8, tag: u8, code: u8, text: &str) -> Vec<u8> {
    let fields = [value(10, &[code]), value(4, b""), value(4, text.as_bytes())];
    message(id, tag, &fields.concat())
}

pub(in super::super) fn entry(id: u8, name: &str) -> Vec<u8> {
    let fields = [value(4, name.as_bytes()), value(0x30, b"")];
    message(id, 0x64, &fields.concat())
}

#[test]
fn replies_are_told_apart() {
    let one = |bytes: &[u8]| {
        let message = read(bytes).unwrap().unwrap();
        assert!(message.length <= bytes.len());
        (message.id, message.reply)
    };
    let bound = result(1, 0x61, 49, "no");
    assert_eq!(one(&bound), (1, Reply::Bound(49, "no".to_owned())));
    let found = entry(2, "o=X");
    assert_eq!(one(&found), (2, Reply::Entry(b"o=X".to_vec())));
    let done = result(2, 0x65, 32, "");
    assert_eq!(one(&done), (2, Reply::Done(32, String::new())));
    let notice = result(0, 0x78, 52, "bye");
    assert_eq!(one(&notice), (0, Reply::Done(52, "bye".to_owned())));
    let referral = message(2, 0x73, b"whatever");
    assert_eq!(one(&referral), (2, Reply::Other));
    let two = [bound.clone(), found].concat();
    assert_eq!(one(&two), one(&bound));
    assert_eq!(read(&two).unwrap().unwrap().length, bound.len());
}

#[test]
fn a_message_is_waited_for_as_long_as_it_may_come() {
    let whole = entry(2, &"x".repeat(300));
    for length in 0..whole.len() {
        assert_eq!(read(&whole[..length]), Ok(None), "{length}");
    }
    assert!(read(&whole).unwrap().is_some());
}

#[test]
fn what_is_not_ldap_is_told() {
    let not = Err("this is not LDAP");
    assert_eq!(read(b"HTTP/1.1 400"), not);
    assert_eq!(read(b"\x30\0"), not, "an empty message");
    assert_eq!(read(b"\x30\x80\x02\x01\x01"), not, "an indefinite length");
    assert_eq!(
        read(b"\x30\x89\0\0\0\0\0\0\0\0\0"),
        not,
        "a length of nine bytes"
    );
    assert_eq!(
        read(&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]),
        Err("a message that is too long")
    );

    assert_eq!(
        read(&message(2, 0x64, b"\x04\x7f")),
        not,
        "a name that is cut"
    );
}

/// Sequences in sequences, which would fill the stack of who follows them.
#[test]
fn depth_costs_nothing() {
    let mut deep = Vec::new();
    while deep.len() < 200_000 {
        let length = (deep.len() as u32).to_be_bytes();
        let mut outer = vec![0x30, 0x84];
        outer.extend(length);
        deep.splice(0..0, outer.repeat(100));
    }
    let _ = read(&message(2, 0x73, &deep));
    let _ = read(&deep);
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn any_content_is_read(content in proptest::collection::vec(any::<u8>(), 0..100)) {
        let bytes = value(0x30, &content);
        prop_assert!(!matches!(read(&bytes), Ok(None)), "it is there whole");
    }

    #[test]
    fn altered_replies_are_read(at: prop::sample::Index, byte: u8) {
        let mut bytes = [entry(2, "o=x"), result(2, 0x65, 0, "ok")].concat();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let mut rest = bytes.as_slice();
        while let Ok(Some(message)) = read(rest) {
            prop_assert!(message.length > 0);
            rest = &rest[message.length..];
        }
    }
}
