//! Promises of the wire for any input: what is encoded is decoded again, no bytes panic a
//! decoder, a changed packet is never taken for a genuine one, limits hold.

#![allow(clippy::unwrap_used)]

use hbd_core::wire::frame::{MAX_FIELDS, MAX_LIST, MAX_NESTING, MAX_PACKET};
use hbd_core::wire::message::MAX_NAME;
use hbd_core::wire::{
    Key, Keys, Message, Method, Reject, Value, WireError, decode, decode_unsigned, encode_classic,
    encode_netstring, encode_unsigned,
};
use proptest::collection::vec;
use proptest::prelude::*;

const METHODS: [Method; 5] = [
    Method::Crc,
    Method::Md5,
    Method::Sha1,
    Method::Sha256,
    Method::Sha512,
];

fn keys(method: Method) -> Keys {
    Keys::single(1, Key::new(method, b"hb-test-key-1"))
}

fn sha1() -> Keys {
    keys(Method::Sha1)
}

/// Which bytes a value may hold.
#[derive(Clone, Copy)]
enum Carrier {
    Netstring,
    Classic,
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{1,8}",
        "t|st|src|seq|ttl",
        r"[^(=\n\x00-\x1f][^=\n\x00-\x1f]{0,12}",
    ]
    .prop_filter("belongs to the frame", |name| name != "auth")
}

/// Bytes a string, list or unknown field can hold.
fn bytes(carrier: Carrier, line_feed: bool) -> BoxedStrategy<Vec<u8>> {
    match carrier {
        Carrier::Netstring => vec(1_u8.., 0..40).boxed(),
        // Control bytes 15 to 31 stand for line feeds at some depth.
        Carrier::Classic => vec(32_u8.., 0..40)
            .prop_map(move |mut bytes| {
                if line_feed && bytes.len() > 3 {
                    bytes[1] = b'\n';
                }
                bytes
            })
            .boxed(),
    }
}

fn value(carrier: Carrier) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => bytes(carrier, true).prop_map(Value::Text),
        2 => vec(any::<u8>(), 0..40).prop_map(Value::Binary),
        1 => vec(bytes(carrier, false), 0..5).prop_map(Value::List),
        1 => (4_u8..=5, bytes(carrier, false))
            .prop_map(|(kind, bytes)| Value::Opaque { kind, bytes }),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        vec((name(), inner), 0..3).prop_map(|fields| Value::Struct(from_fields(fields)))
    })
}

fn message(carrier: Carrier) -> impl Strategy<Value = Message> {
    vec((name(), value(carrier)), 0..14).prop_map(from_fields)
}

fn from_fields(fields: Vec<(String, Value)>) -> Message {
    let mut message = Message::default();
    for (name, value) in fields {
        message.push(name, value);
    }
    message
}

fn status() -> Message {
    let mut message = Message::new("status").with("st", "up").with("dt", "7530");
    message.push_binary("srcuuid", [0x0a; 16]);
    message
        .with("src", "alice")
        .with("info", "a\nb")
        .with("seq", "1f")
}

proptest! {
    #[test]
    fn netstring_gives_back_any_message(
        message in message(Carrier::Netstring),
        method in prop::sample::select(&METHODS[..]),
    ) {
        let packet = encode_netstring(&message, &keys(method)).unwrap();
        prop_assert_eq!(&decode(&packet, &keys(method)).unwrap(), &message);
        prop_assert_eq!(decode_unsigned(&packet).unwrap(), message);
    }

    #[test]
    fn classic_gives_back_any_message_it_can_carry(
        message in message(Carrier::Classic),
        method in prop::sample::select(&METHODS[..]),
        nul: bool,
    ) {
        let packet = encode_classic(&message, &keys(method), nul).unwrap();
        prop_assert_eq!(packet.ends_with(b"\0"), nul);
        prop_assert_eq!(&decode(&packet, &keys(method)).unwrap(), &message);
        let unsigned = encode_unsigned(&message).unwrap();
        prop_assert_eq!(decode_unsigned(&unsigned).unwrap(), message);
    }

    /// Whatever the classic framing agrees to write, it reads back unchanged.
    #[test]
    fn classic_never_changes_a_message_silently(message in message(Carrier::Netstring)) {
        if let Ok(packet) = encode_classic(&message, &sha1(), true) {
            prop_assert_eq!(decode(&packet, &sha1()).unwrap(), message);
        }
    }

    #[test]
    fn no_bytes_panic_a_decoder(
        start in prop::sample::select(vec![&b""[..], b">>>\n", b"###\n"]),
        noise in prop_oneof![
            vec(any::<u8>(), 0..300),
            vec(prop::sample::select(&b"(0123459)=:,\n%<>#at \x13\x14\0"[..]), 0..80),
        ],
        end in prop::sample::select(vec![&b""[..], b"<<<\n", b"<<<\n\0", b"%%%\n"]),
    ) {
        let packet = [start, &noise, end].concat();
        prop_assert!(decode(&packet, &sha1()).is_err());
        let _ = decode_unsigned(&packet);
    }

    /// With the digest made right afterwards, so that the field parser sees the damage.
    #[test]
    fn signed_noise_does_not_panic_the_field_parser(
        message in message(Carrier::Netstring),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        length in any::<prop::sample::Index>(),
    ) {
        let packet = encode_netstring(&message, &sha1()).unwrap();
        let end = packet.windows(4).rposition(|four| four == b"%%%\n").unwrap();
        let mut fields = packet[4..end].to_vec();
        for (place, byte) in damage {
            if !fields.is_empty() {
                let place = place.index(fields.len());
                fields[place] = byte;
            }
        }
        fields.truncate(length.index(fields.len() + 1));
        let covered = [b"###\n", &fields[..], b"%%%\n"].concat();
        let trailer = String::from_utf8(sha1().sign(&covered)).unwrap();
        let trailer = format!("{}:{trailer},", trailer.len());
        let forged = [&covered, trailer.as_bytes()].concat();
        if let Ok(message) = decode(&forged, &sha1()) {
            prop_assert!(message.len() <= MAX_FIELDS);
        }
        let mut lines = fields.clone();
        lines.push(b'\n');
        let signature = sha1().sign(&lines);
        let forged = [b">>>\n", &lines[..], b"auth=", &signature, b"\n<<<\n"].concat();
        let _ = decode(&forged, &sha1());
    }
}

#[test]
fn a_packet_with_any_bit_flipped_is_refused() {
    for method in [Method::Md5, Method::Sha1, Method::Sha256, Method::Sha512] {
        let keys = keys(method);
        let packets = [
            encode_netstring(&status(), &keys).unwrap(),
            encode_classic(&status(), &keys, true).unwrap(),
            encode_classic(&status(), &keys, false).unwrap(),
        ];
        for packet in packets {
            assert_eq!(decode(&packet, &keys), Ok(status()));
            for bit in 0..packet.len() * 8 {
                let mut flipped = packet.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(decode(&flipped, &keys).is_err(), "{method:?} bit {bit}");
            }
        }
    }
}

#[test]
fn a_packet_cut_short_or_continued_is_refused() {
    let packets = [
        encode_netstring(&status(), &sha1()).unwrap(),
        encode_classic(&status(), &sha1(), false).unwrap(),
    ];
    for packet in packets {
        for length in 0..packet.len() {
            assert!(decode(&packet[..length], &sha1()).is_err(), "{length}");
        }
        for tail in [&b"\n"[..], b"x", b"\0\0", b",", &packet] {
            let longer = [&packet, tail].concat();
            assert!(decode(&longer, &sha1()).is_err(), "{tail:?}");
        }
    }
}

/// A classic packet of these lines with a right digest over them.
fn classic(lines: &str) -> Vec<u8> {
    let signature = String::from_utf8(sha1().sign(lines.as_bytes())).unwrap();
    format!(">>>\n{lines}auth={signature}\n<<<\n").into_bytes()
}

/// A netstring packet of these fields with a right trailer.
fn netstring(fields: &str) -> Vec<u8> {
    let covered = format!("###\n{fields}%%%\n");
    let signature = String::from_utf8(sha1().sign(covered.as_bytes())).unwrap();
    format!("{covered}{}:{signature},", signature.len()).into_bytes()
}

#[test]
fn malformed_lines_are_refused_even_when_signed() {
    let table = [
        ("t\n", WireError::BadField),
        ("=x\n", WireError::BadName),
        ("(0)t=x\n", WireError::BadType),
        ("(6)t=x\n", WireError::BadType),
        ("(1t=x\n", WireError::BadType),
        ("(1)auth=AA==\n", WireError::BadType),
        ("(1)b=AB==\n", WireError::BadValue),
        ("(1)b=A\n", WireError::BadValue),
        ("(2)s=x\n", WireError::Unterminated),
        ("(3)l=1:ab,\n", WireError::BadValue),
        ("(3)l=01:a,\n", WireError::BadValue),
        ("t=a\0b\n", WireError::BadValue),
        ("<<<\n", WireError::BadField),
    ];
    for (lines, error) in table {
        assert_eq!(decode(&classic(lines), &sha1()), Err(error), "{lines:?}");
    }
}

#[test]
fn malformed_elements_are_refused_even_when_signed() {
    let table = [
        ("5:hello,", WireError::BadField),
        ("6:(0)t=x", WireError::BadField),
        ("6:(0)t=x;", WireError::BadField),
        ("06:(0)t=x,", WireError::BadField),
        ("+6:(0)t=x,", WireError::BadField),
        ("7:(0)t=x,", WireError::BadField),
        ("99999:(0)t=x,", WireError::BadField),
        ("100006:(0)t=x,", WireError::BadField),
        (":(0)t=x,", WireError::BadField),
        ("0:,", WireError::BadField),
        ("4:(0)t,", WireError::BadField),
        ("5:(0)=x,", WireError::BadName),
        ("6:(6)t=x,", WireError::BadType),
        ("6:(a)t=x,", WireError::BadType),
        ("7:(10)t=x,", WireError::BadField),
        ("6:(0)t=\0,", WireError::BadValue),
        ("6:(2)t=x,", WireError::Unterminated),
        ("6:(3)t=x,", WireError::BadValue),
        ("9:(0)(0)t=x,", WireError::BadName),
    ];
    for (fields, error) in table {
        assert_eq!(
            decode(&netstring(fields), &sha1()),
            Err(error),
            "{fields:?}"
        );
    }
}

#[test]
fn the_place_of_the_digest_and_blank_lines_do_not_matter() {
    let signature = String::from_utf8(sha1().sign(b"t=x\nst=up\n")).unwrap();
    let expected = Message::new("x").with("st", "up");
    let packets = [
        format!(">>>\nt=x\nst=up\nauth={signature}\n<<<\n"),
        format!(">>>\nauth={signature}\nt=x\nst=up\n<<<\n"),
        format!(">>>\nt=x\nauth={signature}\nst=up\n<<<\n\0"),
        format!(">>>\n\n\nt=x\n\nst=up\nauth={signature}\n<<<\n"),
        format!(">>>\nt=x\nst=up\nauth={signature}\n\n<<<\n"),
    ];
    for packet in packets {
        assert_eq!(
            decode(packet.as_bytes(), &sha1()).as_ref(),
            Ok(&expected),
            "{packet}"
        );
    }
    let twice = format!(">>>\nt=x\nst=up\nauth={signature}\nauth={signature}\n<<<\n");
    assert_eq!(
        decode(twice.as_bytes(), &sha1()),
        Err(WireError::MalformedDigest)
    );
    let unsigned = decode(b">>>\nt=x\n<<<\n", &sha1());
    assert_eq!(unsigned, Err(WireError::Unsigned));
}

#[test]
fn a_trailer_look_alike_inside_a_value_is_only_a_value() {
    let genuine = encode_netstring(&Message::new("inner"), &sha1()).unwrap();
    let mut message = Message::new("outer");
    message.push_binary("packet", genuine);
    message.push_text("info", "%%%\n42:1 ");
    let packet = encode_netstring(&message, &sha1()).unwrap();
    assert_eq!(decode(&packet, &sha1()), Ok(message));
}

#[test]
fn every_limit_holds_in_both_directions() {
    let refused = |error: WireError| {
        assert_eq!(error.reason(), Reject::TooLong, "{error}");
    };
    let both = |message: &Message| {
        refused(encode_netstring(message, &sha1()).unwrap_err());
        refused(encode_classic(message, &sha1(), true).unwrap_err());
    };

    both(&Message::new("x").with("info", vec![b'a'; MAX_PACKET]));
    refused(decode(&vec![b'#'; MAX_PACKET + 1], &sha1()).unwrap_err());

    let many = from_fields(vec![
        ("f".to_owned(), Value::Text(Vec::new()));
        MAX_FIELDS + 1
    ]);
    both(&many);
    refused(decode(&classic(&"f=\n".repeat(MAX_FIELDS + 1)), &sha1()).unwrap_err());
    refused(decode(&netstring(&"5:(0)f=,".repeat(MAX_FIELDS + 1)), &sha1()).unwrap_err());

    let name = "n".repeat(MAX_NAME + 1);
    refused(decode(&classic(&format!("{name}=\n")), &sha1()).unwrap_err());

    let mut list = Message::new("x");
    list.push("l", Value::List(vec![vec![b'a'; MAX_LIST]]));
    refused(encode_netstring(&list, &sha1()).unwrap_err());
}

/// Messages nested to that many levels below the outer one.
fn nested(levels: usize) -> Message {
    (0..levels).fold(Message::new("x"), |inner, _| {
        let mut outer = Message::new("x");
        outer.push("s", Value::Struct(inner));
        outer
    })
}

#[test]
fn sixteen_levels_of_nesting_are_carried_and_no_more() {
    let deepest = nested(MAX_NESTING);
    let packet = encode_netstring(&deepest, &sha1()).unwrap();
    assert_eq!(decode(&packet, &sha1()), Ok(deepest.clone()));
    let packet = encode_classic(&deepest, &sha1(), false).unwrap();
    let mut separators: Vec<u8> = Vec::new();
    for byte in packet
        .iter()
        .filter(|byte| **byte < b' ' && **byte != b'\n')
    {
        if !separators.contains(byte) {
            separators.push(*byte);
        }
    }
    let by_depth: Vec<u8> = (20..=31).chain(15..=18).collect();
    assert_eq!(separators, by_depth);
    assert_eq!(decode(&packet, &sha1()), Ok(deepest));

    let too_deep = nested(MAX_NESTING + 1);
    let refused = encode_netstring(&too_deep, &sha1());
    assert_eq!(refused, Err(WireError::TooDeep));
    let refused = encode_classic(&too_deep, &sha1(), true);
    assert_eq!(refused, Err(WireError::TooDeep));

    let mut fields = "6:(0)t=x,".to_owned();
    for _ in 0..=MAX_NESTING {
        let field = format!("(2)s=###\n{fields}%%%\n");
        fields = format!("{}:{field},", field.len());
    }
    assert_eq!(
        decode(&netstring(&fields), &sha1()),
        Err(WireError::TooDeep)
    );
}

#[test]
fn what_a_framing_cannot_carry_is_refused_not_altered() {
    let with = |value| from_fields(vec![("v".to_owned(), value)]);
    let opaque = |kind, bytes: &[u8]| Value::Opaque {
        kind,
        bytes: bytes.to_vec(),
    };
    let table = [
        (
            Value::Text(b"a\x13b".to_vec()),
            Ok(()),
            Err(WireError::NotTransportable),
        ),
        (
            Value::Text(b"a\0b".to_vec()),
            Err(WireError::BadValue),
            Err(WireError::NotTransportable),
        ),
        (
            Value::List(vec![b"\n".to_vec()]),
            Ok(()),
            Err(WireError::NotTransportable),
        ),
        (opaque(4, b"\n"), Ok(()), Err(WireError::NotTransportable)),
        (
            opaque(6, b""),
            Err(WireError::BadType),
            Err(WireError::BadType),
        ),
        (
            Value::Struct(Message::new("\x14")),
            Ok(()),
            Err(WireError::NotTransportable),
        ),
    ];
    for (value, as_netstring, as_classic) in table {
        let message = with(value);
        let got = encode_netstring(&message, &sha1()).map(|_| ());
        assert_eq!(got, as_netstring, "{message:?}");
        let got = encode_classic(&message, &sha1(), false).map(|_| ());
        assert_eq!(got, as_classic, "{message:?}");
    }
}

#[test]
fn a_field_auth_belongs_to_the_frame() {
    let message = Message::new("x").with("auth", "1 forged").with("st", "up");
    let expected = Message::new("x").with("st", "up");
    let packet = encode_netstring(&message, &sha1()).unwrap();
    assert_eq!(decode(&packet, &sha1()).as_ref(), Ok(&expected));
    let packet = encode_classic(&message, &sha1(), false).unwrap();
    assert_eq!(decode(&packet, &sha1()).as_ref(), Ok(&expected));
}
