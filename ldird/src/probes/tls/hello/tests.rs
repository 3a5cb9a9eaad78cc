//! The greeting's shape, answers as bytes, and real servers of OpenSSL that want what we lack.
#![allow(clippy::unwrap_used)]

use super::{Choice, Cursor, Offer, TLS_1_2, greeting, handshake, prefixed, read, server_hello};
use proptest::prelude::*;
use rustls::pki_types::ServerName;

/// A record with a hello that chooses these.
fn hello(version: u16, suite: u16, extensions: &[u8]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    body.extend([2, 9, 9]);
    body.extend(suite.to_be_bytes());
    body.push(0);
    body.extend(prefixed(2, extensions));
    record(2, &body)
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend(prefixed(3, body));
    let mut record = vec![22, 3, 3];
    record.extend(prefixed(2, &message));
    record
}

fn told(answer: &[u8]) -> Option<String> {
    let (text, spoken) = read(answer)?.told();
    (!spoken).then_some(text)
}

#[test]
fn a_greeting_is_one_record_of_one_whole_message() {
    let name = ServerName::try_from("www.example.org").unwrap();
    let bytes = greeting(&name, [0; 32], Offer::All);
    let messages = handshake(&bytes);
    assert_eq!(messages.len() + 5, bytes.len());
    let (kind, body) = Cursor(&messages).message().unwrap();
    assert_eq!((kind, body.len() + 4), (1, messages.len()));
    let named = |bytes: &[u8]| bytes.windows(15).any(|part| part == b"www.example.org");
    assert!(named(&bytes));
    assert!(!named(&greeting(
        &ServerName::try_from("10.0.0.1").unwrap(),
        [0; 32],
        Offer::All
    )));
}

#[test]
fn what_we_lack_is_named_and_nothing_else() {
    let rsa = hello(TLS_1_2, 0x002f, &[]);
    assert_eq!(
        told(&rsa).unwrap(),
        "TLS 1.2 with TLS_RSA_WITH_AES_128_CBC_SHA"
    );
    let old = hello(0x0301, 0xc013, &[]);
    assert_eq!(
        told(&old).unwrap(),
        "TLS 1.0 with TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"
    );
    let unknown = hello(TLS_1_2, 0xabcd, &[]);
    assert_eq!(told(&unknown).unwrap(), "TLS 1.2 with cipher suite 0xabcd");
    // A 1.3 server that wants a group: supported versions and key share.
    let group = |group: u8| hello(TLS_1_2, 0x1301, &[0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, group]);
    assert_eq!(
        told(&group(25)).unwrap(),
        "TLS 1.3 with TLS_AES_128_GCM_SHA256 over P-521"
    );
    assert_eq!(told(&group(29)), None, "X25519 is spoken");
}

/// A 1.2 server tells its group only in the key exchange, in a record of its own.
#[test]
fn a_group_is_looked_for_behind_the_certificates() {
    let mut answer = hello(TLS_1_2, 0xc02f, &[]);
    assert_eq!(read(&answer), None, "not told yet");
    answer.extend(record(11, &[0; 3000]));
    assert_eq!(read(&answer), None);
    let mut spoken = answer.clone();
    answer.extend(record(12, &[3, 0, 25, 4]));
    assert_eq!(
        told(&answer).unwrap(),
        "TLS 1.2 with TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 over P-521"
    );
    spoken.extend(record(12, &[3, 0, 23, 4]));
    assert_eq!(told(&spoken), None);
    assert!(read(&spoken).is_some());
}

#[test]
fn a_refusal_is_no_choice() {
    let alert = [21, 3, 3, 0, 2, 2, 40];
    assert_eq!(read(&alert), None);
    assert_eq!(server_hello(&handshake(&alert)), None);
    assert_eq!(server_hello(b"HTTP/1.1 400 Bad Request"), None);
    assert_eq!(
        Choice::default().told().0,
        "TLS version 0x0000 with cipher suite 0x0000"
    );
}

proptest! {
    #[test]
    fn no_answer_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = told(&bytes);
        let mut begun = hello(TLS_1_2, 0xc02f, &[]);
        begun.extend(bytes);
        let _ = told(&begun);
    }
}
