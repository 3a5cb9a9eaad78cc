//! Queries as bytes, replies of the library's own making, and any bytes.
#![allow(clippy::unwrap_used)]

use super::super::question::{Resolver, all};
use super::{Reading, Reply, query, read};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, MX, PTR, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use proptest::prelude::*;
use std::net::Ipv4Addr;

const ID: u16 = 0x1234;

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn reply(code: ResponseCode, answers: Vec<RData>) -> Message {
    let mut message = Message::new(ID, MessageType::Response, OpCode::Query);
    message.metadata.response_code = code;
    message.add_query(Query::query(name("www.x.y."), RecordType::A));
    for data in answers {
        message.add_answer(Record::from_rdata(name("www.x.y."), 60, data));
    }
    message
}

fn records(message: &Message) -> Vec<String> {
    match read(&message.to_vec().unwrap(), ID) {
        Reading::Reply(reply) => reply.records,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_query_has_one_question_and_wants_recursion() {
    let questions = all(b"/www.x.y", &Resolver::new(""));
    let expected = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x03www\x01x\x01y\0\0\x01\0\x01";
    assert_eq!(query(ID, &questions[0]), expected);
}

#[test]
fn records_are_read_as_a_pattern_wants_to_see_them() {
    let message = reply(
        ResponseCode::NoError,
        vec![
            RData::CNAME(CNAME(name("Real.X.y."))),
            RData::A(A(Ipv4Addr::new(10, 0, 0, 7))),
            RData::PTR(PTR(name("host.x.y."))),
            RData::MX(MX::new(10, name("mail.x.y."))),
            RData::TXT(TXT::new(vec!["v=spf1".to_owned()])),
        ],
    );
    let found = records(&message);
    assert_eq!(
        found[..4],
        ["Real.X.y", "10.0.0.7", "host.x.y", "10 mail.x.y."]
    );
    assert!(found[4].contains("v=spf1"), "{}", found[4]);
}

#[test]
fn the_code_of_an_answer_is_told() {
    let message = reply(ResponseCode::NXDomain, Vec::new());
    let expected = Reply {
        code: ResponseCode::NXDomain,
        records: Vec::new(),
    };
    assert_eq!(
        read(&message.to_vec().unwrap(), ID),
        Reading::Reply(expected)
    );
}

#[test]
fn only_a_reply_to_this_query_is_one() {
    let mut bytes = reply(ResponseCode::NoError, Vec::new()).to_vec().unwrap();
    assert_eq!(read(&bytes, ID + 1), Reading::Foreign);
    assert_eq!(read(&bytes[..11], ID), Reading::Foreign);
    bytes[2] &= 0x7f;
    assert_eq!(read(&bytes, ID), Reading::Foreign, "a query");
    bytes[2] |= 0x82;
    assert!(matches!(read(&bytes[..12], ID), Reading::Cut(_)));
}

#[test]
fn what_stands_around_a_broken_record_counts() {
    let mut bytes = b"\x12\x34\x81\x80\0\0\0\x03\0\0\0\0".to_vec();
    for address in [&b"\x0a\0\0\x07"[..], b"\x0a\0\0", b"\x0a\0\0\x08"] {
        bytes.extend(b"\0\0\x01\0\x01\0\0\0\x3c\0");
        bytes.push(address.len() as u8);
        bytes.extend(address);
    }
    let expected = Reply {
        code: ResponseCode::NoError,
        records: vec!["10.0.0.7".to_owned(), "10.0.0.8".to_owned()],
    };
    assert_eq!(read(&bytes, ID), Reading::Reply(expected));
}

#[test]
fn what_stands_before_the_end_counts() {
    let address = RData::A(A(Ipv4Addr::new(10, 0, 0, 7)));
    let message = reply(ResponseCode::NoError, vec![address.clone(), address]);
    let bytes = message.to_vec().unwrap();
    for cut in 1..14 {
        match read(&bytes[..bytes.len() - cut], ID) {
            Reading::Reply(reply) => assert_eq!(reply.records, ["10.0.0.7"], "{cut}"),
            other => panic!("{cut}: {other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes, ID);
    }

    /// Any bytes behind a header that makes them a reply with many records.
    #[test]
    fn any_answers_are_read(rest in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = b"\x12\x34\x81\x80\0\0\xff\xff\0\0\0\0".to_vec();
        bytes.extend(rest);
        prop_assert!(matches!(read(&bytes, ID), Reading::Reply(_)));
    }

    /// A good reply with some bytes altered.
    #[test]
    fn altered_replies_are_read(at: prop::sample::Index, byte: u8, second: prop::sample::Index) {
        let data = vec![
            RData::MX(MX::new(10, name("mail.x.y."))),
            RData::TXT(TXT::new(vec!["a".repeat(100)])),
        ];
        let mut bytes = reply(ResponseCode::NoError, data).to_vec().unwrap();
        let (at, second) = (at.index(bytes.len()), second.index(bytes.len()));
        bytes[at] = byte;
        bytes[second] ^= byte;
        let _ = read(&bytes, ID);
    }
}
