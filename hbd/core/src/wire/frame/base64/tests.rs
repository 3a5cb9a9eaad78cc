#![allow(clippy::unwrap_used)]

use super::*;

/// RFC 4648 section 10.
#[test]
fn published_vectors_hold_both_ways() {
    let table = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ];
    for (bytes, text) in table {
        let mut out = Vec::new();
        encode(bytes.as_bytes(), &mut out);
        assert_eq!(out, text.as_bytes());
        assert_eq!(decode(text.as_bytes()).unwrap(), bytes.as_bytes());
    }
}

#[test]
fn only_canonical_text_is_read() {
    let table = [
        "Zg", "Zg=", "Zg==\n", "Zh==", "Zm9=", "=", "====", "Z===", "Zg==Zg==", "Zm 9", "Zm-_",
        "Zg=A", "Z=g=",
    ];
    for text in table {
        assert_eq!(decode(text.as_bytes()), None, "{text:?}");
    }
}
