//! The packets of RFC 2865 section 7, and any bytes.
#![allow(clippy::unwrap_used)]

use super::{Account, Authenticator, Code, HEADER_BYTES, Reading, hidden, read, request};
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// RFC 2865 section 7.1: nemo, "arctangent", secret "xyzzy5461".
const ASKED: Authenticator = [
    0x0f, 0x40, 0x3f, 0x94, 0x73, 0x97, 0x80, 0x57, 0xbd, 0x83, 0xd5, 0xcb, 0x98, 0xf4, 0x22, 0x7a,
];
const HIDDEN: [u8; 16] = [
    0x0d, 0xbe, 0x70, 0x8d, 0x93, 0xd4, 0x13, 0xce, 0x31, 0x96, 0xe4, 0x3f, 0x78, 0x2a, 0x0a, 0xee,
];
const ACCEPT: [u8; 38] = [
    0x02, 0x00, 0x00, 0x26, 0x86, 0xfe, 0x22, 0x0e, 0x76, 0x24, 0xba, 0x2a, 0x10, 0x05, 0xf6, 0xbf,
    0x9b, 0x55, 0xe0, 0xb2, 0x06, 0x06, 0x00, 0x00, 0x00, 0x01, 0x0f, 0x06, 0x00, 0x00, 0x00, 0x00,
    0x0e, 0x06, 0xc0, 0xa8, 0x01, 0x03,
];
const SECRET: &[u8] = b"xyzzy5461";

fn account(login: &[u8], passwd: &[u8]) -> Account {
    Account {
        login: login.to_vec(),
        passwd: passwd.to_vec(),
        secret: SECRET.to_vec(),
    }
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 16));

#[test]
fn the_password_is_hidden_as_in_the_standard() {
    assert_eq!(hidden(b"arctangent", SECRET, &ASKED), HIDDEN);
    assert_eq!(hidden(b"", SECRET, &ASKED).len(), 16);
    assert_eq!(hidden(&[b'x'; 16], SECRET, &ASKED).len(), 16);
    assert_eq!(hidden(&[b'x'; 17], SECRET, &ASKED).len(), 32);
}

fn signature(packet: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Md5>::new_from_slice(SECRET).unwrap();
    mac.update(packet);
    mac.finalize().into_bytes().to_vec()
}

#[test]
fn a_request_is_signed_and_names_the_user_and_us() {
    let packet = request(7, &ASKED, HERE, &account(b"nemo", b"arctangent")).unwrap();
    assert_eq!(packet[..2], [1, 7]);
    assert_eq!(packet[2..4], (packet.len() as u16).to_be_bytes());
    assert_eq!(packet[4..20], ASKED);
    let mut unsigned = packet.clone();
    unsigned[22..38].fill(0);
    assert_eq!(packet[20..22], [80, 18]);
    assert_eq!(packet[22..38], signature(&unsigned));
    let mut rest = b"\x01\x06nemo\x02\x12".to_vec();
    rest.extend(HIDDEN);
    rest.extend([4, 6, 192, 168, 1, 16]);
    assert_eq!(packet[38..], rest);
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let packet = request(7, &ASKED, v6, &account(b"nemo", b"arctangent")).unwrap();
    assert_eq!(packet[packet.len() - 18..][..2], [95, 18]);
}

#[test]
fn what_does_not_fit_is_not_sent() {
    let made = |login, passwd| request(0, &ASKED, HERE, &account(login, passwd)).is_some();
    assert!(made(&[b'x'; 253], &[b'x'; 128]));
    assert!(!made(&[b'x'; 254], b""));
    assert!(!made(b"", &[b'x'; 129]));
}

/// The standard's own answer has no Message-Authenticator, which old servers do not send.
#[test]
fn only_a_reply_to_this_request_and_signed_with_this_secret_counts() {
    let accepted = Reading::Reply(Code::Accept);
    assert_eq!(read(&ACCEPT, 0, &ASKED, SECRET), accepted);
    let mut padded = ACCEPT.to_vec();
    padded.extend([0; 9]);
    assert_eq!(read(&padded, 0, &ASKED, SECRET), accepted);
    assert_eq!(read(&ACCEPT, 1, &ASKED, SECRET), Reading::Foreign);
    assert_eq!(read(&ACCEPT, 0, &ASKED, b"other"), Reading::Unsigned);
    assert_eq!(read(&ACCEPT, 0, &[0; 16], SECRET), Reading::Unsigned);
    assert_eq!(read(&ACCEPT[..37], 0, &ASKED, SECRET), Reading::Foreign);
    let asked = request(0, &ASKED, HERE, &account(b"a", b"b")).unwrap();
    assert_eq!(read(&asked, 0, &ASKED, SECRET), Reading::Foreign, "an echo");
}

/// A reply as a server makes it, its Message-Authenticator altered by `spoil`.
fn reply(code: u8, spoil: u8) -> Vec<u8> {
    let mut packet = vec![code, 0, 0, 38];
    packet.extend(ASKED);
    packet.extend([80, 18]);
    packet.extend([0; 16]);
    let signature = signature(&packet);
    packet[22..38].copy_from_slice(&signature);
    packet[30] ^= spoil;
    let sum = Md5::new()
        .chain_update(&packet)
        .chain_update(SECRET)
        .finalize();
    packet[4..HEADER_BYTES].copy_from_slice(&sum);
    packet
}

#[test]
fn a_message_authenticator_is_checked_where_there_is_one() {
    for (code, expected) in [(2, Code::Accept), (3, Code::Reject), (11, Code::Challenge)] {
        let read = |spoil| read(&reply(code, spoil), 0, &ASKED, SECRET);
        assert_eq!(read(0), Reading::Reply(expected));
        assert_eq!(read(1), Reading::Unsigned);
    }
    assert_eq!(read(&reply(5, 0), 0, &ASKED, SECRET), Reading::Foreign);
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200), id: u8) {
        let reading = read(&bytes, id, &ASKED, SECRET);
        prop_assert!(!matches!(reading, Reading::Reply(_)), "signed by chance");
    }

    /// Attributes of any shape behind a digest that is right.
    #[test]
    fn any_attributes_are_read(attributes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut packet = vec![2, 0, 0, (HEADER_BYTES + attributes.len()) as u8];
        let sum = Md5::new()
            .chain_update(&packet)
            .chain_update(ASKED)
            .chain_update(&attributes)
            .chain_update(SECRET)
            .finalize();
        packet.extend(sum);
        packet.extend(attributes);
        prop_assert_ne!(read(&packet, 0, &ASKED, SECRET), Reading::Foreign);
    }
}
