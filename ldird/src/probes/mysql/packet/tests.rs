//! Packets byte by byte, digests computed elsewhere, and any bytes.
#![allow(clippy::unwrap_used)]

use super::super::super::sql::Question;
use super::{Lack, Reply, Way, framed, greeting, login, number, proof, query, reply, tls_request};
use proptest::prelude::*;

const NONCE: [u8; 20] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
];

/// As a server greets: with these capabilities, in this plugin.
pub(in super::super) fn hello(capabilities: u32, plugin: &str) -> Vec<u8> {
    let mut packet = b"\x0a5.5.5-10.11.14-MariaDB\0\x2a\0\0\0".to_vec();
    packet.extend(&NONCE[..8]);
    packet.push(0);
    packet.extend((capabilities as u16).to_le_bytes());
    packet.extend([45, 2, 0]);
    packet.extend(((capabilities >> 16) as u16).to_le_bytes());
    packet.push(21);
    packet.extend([0; 10]);
    packet.extend(&NONCE[8..]);
    packet.push(0);
    packet.extend(plugin.as_bytes());
    packet.push(0);
    packet
}

/// Everything a modern server has but TLS.
pub(in super::super) const MODERN: u32 = 0x0008_8200;
pub(in super::super) const WITH_TLS: u32 = MODERN | 0x800;

fn question(passwd: &str, database: &str) -> Question {
    Question {
        login: b"user".to_vec(),
        passwd: passwd.into(),
        database: database.into(),
        query: b"SELECT 1".to_vec(),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

const NATIVE_PROOF: &str = "b32bb3a583e1340c0a1108d58b1be49781ad8c2f";
const SHA2_PROOF: &str = "746ebe205d56a0707acb3e796e834e0dd7b1d61743b26bd5202c7a623230c7c9";

#[test]
fn proofs_are_those_of_the_plugins() {
    let known = |plugin, way| proof(plugin, b"secret", &NONCE, way);
    assert_eq!(
        known("mysql_native_password", Way::Plain),
        Ok(unhex(NATIVE_PROOF))
    );
    assert_eq!(
        known("caching_sha2_password", Way::Plain),
        Ok(unhex(SHA2_PROOF))
    );
    assert_eq!(known("sha256_password", Way::Tls), Ok(b"secret\0".to_vec()));
    assert_eq!(known("sha256_password", Way::Plain), Err(Lack::Tls));
    let other = Err(Lack::Plugin("client_ed25519".to_owned()));
    assert_eq!(known("client_ed25519", Way::Tls), other);
    assert_eq!(
        proof("mysql_native_password", b"", &NONCE, Way::Plain),
        Ok(Vec::new())
    );
}

#[test]
fn a_login_answers_the_greeting() {
    let greeted = greeting(&hello(MODERN, "mysql_native_password")).unwrap();
    assert!(!greeted.has_tls());
    let mut expected = b"\x09\xa2\x0a\0\xff\xff\xff\0\x21".to_vec();
    expected.extend([0; 23]);
    expected.extend(b"user\0\x14");
    expected.extend(unhex(NATIVE_PROOF));
    expected.extend(b"db\0mysql_native_password\0");
    assert_eq!(
        login(&greeted, Way::Plain, &question("secret", "db")),
        expected
    );
    let mut expected = b"\x01\xaa\x0a\0\xff\xff\xff\0\x21".to_vec();
    expected.extend([0; 23]);
    assert_eq!(tls_request(&question("", "")), expected);
    assert_eq!(tls_request(&question("", "db"))[0], 0x09, "with a database");
    expected.extend(b"user\0\0mysql_native_password\0");
    assert_eq!(login(&greeted, Way::Tls, &question("", "")), expected);
}

#[test]
fn a_plugin_that_we_do_not_know_may_be_switched_from() {
    let greeted = greeting(&hello(WITH_TLS, "client_ed25519")).unwrap();
    assert!(greeted.has_tls());
    let said = login(&greeted, Way::Plain, &question("secret", ""));
    assert!(said.ends_with(b"mysql_native_password\0"));
    let greeted = greeting(&hello(WITH_TLS, "caching_sha2_password")).unwrap();
    let said = login(&greeted, Way::Plain, &question("secret", ""));
    assert!(said.ends_with(b"caching_sha2_password\0"));
    // Servers before 5.5.7 name none.
    let greeted = greeting(&hello(MODERN & 0xffff, "")).unwrap();
    let said = login(&greeted, Way::Plain, &question("secret", ""));
    assert!(said.ends_with(b"mysql_native_password\0"));
}

#[test]
fn what_is_said_instead_of_a_greeting_is_told() {
    let blocked = greeting(b"\xff\x69\x04Host is blocked");
    assert_eq!(blocked, Err("Host is blocked".to_owned()));
    let not = Err("this is not MySQL".to_owned());
    assert_eq!(greeting(b"220 smtp\r\n"), not);
    assert_eq!(greeting(b""), not);
    assert_eq!(greeting(&hello(MODERN, "")[..40]), not);
    let old = Err("the server is older than MySQL 4.1".to_owned());
    assert_eq!(greeting(&hello(0, "")), old);
}

#[test]
fn replies_are_told_apart() {
    assert_eq!(reply(b"\0\x03\0\x02\0\0\0"), Reply::Ok(3));
    let denied = Reply::Error(1045, "Access denied".to_owned());
    assert_eq!(reply(b"\xff\x15\x04#28000Access denied"), denied);
    assert_eq!(reply(b"\x01\x04"), Reply::More(4));
    assert_eq!(reply(b"\x01"), Reply::Other, "one column");
    let switch = Reply::Switch {
        plugin: "caching_sha2_password".to_owned(),
        nonce: b"12345678901234567890".to_vec(),
    };
    assert_eq!(
        reply(b"\xfecaching_sha2_password\x0012345678901234567890\0"),
        switch
    );
    let old = Reply::Switch {
        plugin: "mysql_old_password".to_owned(),
        nonce: Vec::new(),
    };
    assert_eq!(reply(b"\xfe"), old);
    assert_eq!(reply(b""), Reply::Other);
}

#[test]
fn numbers_are_as_long_as_they_say() {
    assert_eq!(number(b"\xfa"), Some(250));
    assert_eq!(number(b"\xfc\x01\x02rest"), Some(0x201));
    assert_eq!(number(b"\xfd\x01\x02\x03"), Some(0x0003_0201));
    assert_eq!(
        number(b"\xfe\x01\0\0\0\0\0\0\x80"),
        Some(0x8000_0000_0000_0001)
    );
    for none in [&b""[..], b"\xfb", b"\xff", b"\xfc\x01"] {
        assert_eq!(number(none), None, "{none:?}");
    }
}

#[test]
fn packets_have_their_length_and_number_in_front() {
    assert_eq!(framed(3, &query(b"x")), b"\x02\0\0\x03\x03x");
    assert_eq!(framed(0, &[0; 300])[..4], [44, 1, 0, 0]);
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (greeting(&bytes), reply(&bytes), number(&bytes));
    }

    #[test]
    fn any_greeting_is_answered(at: prop::sample::Index, byte: u8, end: prop::sample::Index) {
        let mut bytes = hello(WITH_TLS, "caching_sha2_password");
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(end.index(bytes.len() + 1));
        if let Ok(greeted) = greeting(&bytes) {
            let _ = login(&greeted, Way::Plain, &question("secret", "db"));
        }
    }
}
