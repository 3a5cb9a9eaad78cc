#![allow(clippy::unwrap_used)]

use super::*;

const SHORT: &[u8] = b"hb-test-key-1";

fn digest(method: Method, secret: &[u8], data: &[u8]) -> String {
    let mut out = Vec::new();
    Key::new(method, secret).write_digest(data, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn digests_equal_those_of_the_old_daemon() {
    let long = [b'k'; 80];
    let table: [(Method, &[u8], &[u8], &str); 6] = [
        (
            Method::Sha1,
            SHORT,
            b"abc\n",
            "c363db243065f9fd588ff103bed83e0153bebb8d",
        ),
        (
            Method::Md5,
            SHORT,
            b"abc\n",
            "7cc66227bdc3ca6569a102ae267f7af7",
        ),
        (Method::Crc, SHORT, b"abc\n", "6a6388ad"),
        (Method::Crc, b"", b"", "ffffffff"),
        (
            Method::Sha1,
            &long,
            b"abc\n",
            "556b555dff76f25a7fa9184285aec31c5caf008a",
        ),
        (
            Method::Md5,
            &long,
            b"abc\n",
            "0291ce07f16d6428ae2fcd03f16d1e10",
        ),
    ];
    for (method, secret, data, expected) in table {
        assert_eq!(digest(method, secret, data), expected, "{method:?}");
    }
}

/// RFC 4231 test case 2.
#[test]
fn stronger_digests_equal_the_published_ones() {
    let data = b"what do ya want for nothing?";
    assert_eq!(
        digest(Method::Sha256, b"Jefe", data),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    assert_eq!(
        digest(Method::Sha512, b"Jefe", data),
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
         9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
    );
}

#[test]
fn crc_is_not_padded() {
    let data = (0_u32..).map(|n| n.to_string());
    let mut short = data.filter(|text| CKSUM.checksum(text.as_bytes()) < 0x1000_0000);
    let text = short.next().unwrap();
    let keys = Keys::single(0, Key::new(Method::Crc, b""));
    let signature = keys.sign(text.as_bytes());
    assert!(signature.len() < "0 ".len() + 8);
    assert_eq!(keys.verify(text.as_bytes(), &signature), Ok(0));
    let padded = [b"0 0", &signature[2..]].concat();
    let refused = keys.verify(text.as_bytes(), &padded);
    assert_eq!(refused, Err(WireError::DigestMismatch(0)));
}

#[test]
fn a_packet_is_verified_with_the_key_it_names() {
    let old = Key::new(Method::Sha1, b"old");
    let new = Key::new(Method::Sha256, b"new");
    let before = Keys::new(1, [(1, old.clone()), (2, new.clone())]).unwrap();
    let after = Keys::new(2, [(2, new.clone()), (1, old)]).unwrap();
    assert_eq!(after.verify(b"data", &before.sign(b"data")), Ok(1));
    assert_eq!(before.verify(b"data", &after.sign(b"data")), Ok(2));
    let last = Keys::single(2, new);
    assert_eq!(
        last.verify(b"data", &before.sign(b"data")),
        Err(WireError::UnknownKey(1))
    );
}

#[test]
fn only_the_exact_digest_text_is_accepted() {
    let good = String::from_utf8(keys().sign(b"data")).unwrap();
    let malformed = [
        good.replacen(' ', "", 1),
        String::new(),
        "1".to_owned(),
        format!("0{good}"),
        format!(" {good}"),
        format!("+{good}"),
        format!("10{good}"),
        good.replacen('1', "x", 1),
    ];
    for text in malformed {
        let refused = keys().verify(b"data", text.as_bytes());
        assert_eq!(refused, Err(WireError::MalformedDigest), "{text:?}");
    }
    let wrong = [
        good.to_uppercase(),
        good.replacen(' ', "  ", 1),
        format!("{good} "),
        format!("{good}00"),
        good[..good.len() - 1].to_owned(),
        good[..good.len() - 2].to_owned(),
        "1 ".to_owned(),
    ];
    for text in wrong {
        let refused = keys().verify(b"data", text.as_bytes());
        assert_eq!(refused, Err(WireError::DigestMismatch(1)), "{text:?}");
    }
    assert_eq!(keys().verify(b"data", good.as_bytes()), Ok(1));
}

fn keys() -> Keys {
    Keys::single(1, Key::new(Method::Sha1, SHORT))
}

#[test]
fn a_set_of_keys_must_hold_together() {
    let key = || Key::new(Method::Md5, b"k");
    let error = |signing, entries: &[u8]| {
        Keys::new(signing, entries.iter().map(|index| (*index, key()))).unwrap_err()
    };
    assert_eq!(error(1, &[]), KeysError::SigningKeyMissing(1));
    assert_eq!(error(1, &[2]), KeysError::SigningKeyMissing(1));
    assert_eq!(error(1, &[1, 16]), KeysError::IndexOutOfRange(16));
    let stale = Key::new(Method::Crc, b"");
    let last_wins = Keys::new(1, [(1, stale), (1, key())]).unwrap();
    assert_eq!(last_wins.key(1).map(Key::method), Some(Method::Md5));
    let all = Keys::new(15, (0..=15).map(|index| (index, key()))).unwrap();
    assert_eq!(all.iter().count(), 16);
    assert_eq!(all.verify(b"x", &all.sign(b"x")), Ok(15));
}

#[test]
fn secrets_are_never_printed() {
    for method in [
        Method::Crc,
        Method::Md5,
        Method::Sha1,
        Method::Sha256,
        Method::Sha512,
    ] {
        let text = format!("{:?}", Keys::single(1, Key::new(method, SHORT)));
        assert!(
            !text.contains("hb-test") && !text.contains("104, 98"),
            "{text}"
        );
        assert_eq!(Method::from_name(method.name()), Some(method));
    }
    assert_eq!(Method::from_name("SHA1"), None);
}

/// Whoever reaches the network can compute a checksum, whatever the other keys are.
#[test]
fn a_checksum_opens_nothing_while_a_secret_signs() {
    let both = |signing| {
        let keys = [
            (1, Key::new(Method::Crc, b"")),
            (2, Key::new(Method::Sha1, SHORT)),
        ];
        Keys::new(signing, keys).unwrap()
    };
    let forged = Keys::single(1, Key::new(Method::Crc, b"")).sign(b"data");
    let signed = Keys::single(2, Key::new(Method::Sha1, SHORT)).sign(b"data");
    let secret_signs = both(2);
    assert_eq!(
        secret_signs.verify(b"data", &forged),
        Err(WireError::Unkeyed(1))
    );
    assert_eq!(secret_signs.verify(b"data", &signed), Ok(2));
    // On the way from one to the other, and where nothing but damage is to be found.
    let checksum_signs = both(1);
    assert_eq!(checksum_signs.verify(b"data", &forged), Ok(1));
    assert_eq!(checksum_signs.verify(b"data", &signed), Ok(2));
}
