#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn look_up_sees_the_first_field_of_a_name() {
    let message = Message::new("status").with("st", "up").with("st", "dead");
    assert_eq!(message.kind(), "status");
    assert_eq!(message.text("st"), Some("up"));
    assert_eq!(message.len(), 3);
}

#[test]
fn look_up_by_the_wrong_type_finds_nothing() {
    let mut message = Message::new("status");
    message.push_binary("srcuuid", [0; 16]);
    message.push_text("src", vec![0xff]);
    assert_eq!(message.text("srcuuid"), None);
    assert_eq!(message.binary("srcuuid"), Some(&[0; 16][..]));
    assert_eq!(message.binary("src"), None);
    assert_eq!(message.text("src"), None);
    assert_eq!(message.bytes("src"), Some(&[0xff][..]));
}

#[test]
fn numbers_are_digits_and_nothing_else() {
    let table = [
        ("1f", Some(0x1f), None),
        ("1F", Some(0x1f), None),
        ("10", Some(16), Some(10)),
        ("0", Some(0), Some(0)),
        ("", None, None),
        ("+1", None, None),
        ("-1", None, None),
        (" 1", None, None),
        ("0x1", None, None),
        ("ffffffffffffffff", Some(u64::MAX), None),
        ("10000000000000000", None, Some(10_000_000_000_000_000)),
        ("18446744073709551616", None, None),
    ];
    for (text, hex, decimal) in table {
        let message = Message::default().with("n", text);
        assert_eq!(message.hex("n"), hex, "hex of {text:?}");
        assert_eq!(message.decimal("n"), decimal, "decimal of {text:?}");
    }
    assert_eq!(Message::default().hex("n"), None);
}

#[test]
fn setting_keeps_the_place_of_a_field() {
    let mut message = Message::new("status").with("seq", "0").with("ttl", "3");
    message.set_hex("seq", 0x1f);
    message.set_decimal("protocol", 1);
    let names: Vec<&str> = message.fields().map(|(name, _)| name).collect();
    assert_eq!(names, ["t", "seq", "ttl", "protocol"]);
    assert_eq!(message.text("seq"), Some("1f"));
    message.remove("seq");
    assert_eq!(message.hex("seq"), None);
}

#[test]
fn names_that_would_break_a_frame_are_illegal() {
    for name in ["", "a=b", "a\nb", "a\0b", "(0)a", "(", ">>>\n"] {
        assert_eq!(valid_name(name), Err(WireError::BadName), "{name:?}");
        let mut message = Message::default();
        let received = message.push_received(name.as_bytes(), Value::Text(Vec::new()));
        assert_eq!(received, Err(WireError::BadName), "{name:?}");
    }
    let long = "n".repeat(MAX_NAME + 1);
    assert_eq!(valid_name(&long), Err(WireError::NameTooLong(MAX_NAME + 1)));
    assert_eq!(valid_name(&long[1..]), Ok(()));
    let mut message = Message::default();
    assert_eq!(
        message.push_received(b"\xff", Value::Text(Vec::new())),
        Err(WireError::BadName)
    );
    assert!(message.is_empty());
}

#[test]
#[should_panic(expected = "illegal field name")]
fn an_illegal_name_of_our_own_is_a_broken_invariant() {
    Message::default().push_text("a=b", "");
}

#[test]
fn debug_reads_like_a_log_line() {
    let mut message = Message::new("status").with("info", "a\nb");
    message.push_binary("u", [0, 0xab]);
    message.push("l", Value::List(vec![b"x".to_vec()]));
    message.push("s", Value::Struct(Message::new("in")));
    let opaque = Value::Opaque {
        kind: 4,
        bytes: vec![1, 2],
    };
    message.push("z", opaque);
    assert_eq!(
        format!("{message:?}"),
        r#"{t=status info=a\nb u=00ab l=["x"] s={t=in} z=<type 4, 2 bytes>}"#
    );
}
