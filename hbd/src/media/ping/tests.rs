#![allow(clippy::unwrap_used)]

use super::*;
use hbd_core::config::NodeName;
use hbd_core::wire::{Key, Method};

const ONE: LinkId = LinkId::new(7);
const OTHER: LinkId = LinkId::new(3);

fn spec(name: &str) -> PingSpec {
    PingSpec {
        name: NodeName::new(name).unwrap(),
        directive: "ping",
        hosts: vec![PingHost {
            name: name.to_owned(),
            ip: name.parse().ok(),
            interface: None,
        }],
    }
}

fn pings() -> Pings {
    let nodes = [(ONE, spec("10.0.0.1")), (OTHER, spec("10.0.0.2"))];
    let mut pings = Pings::new(nodes.into_iter().collect(), 12, Duration::ZERO);
    pings.asked = 200;
    pings
}

#[test]
fn an_answer_counts_once_and_only_for_whom_it_names_in_this_life() {
    let mut pings = pings();
    let status = Message::new("status").with("ts", "66112a40");
    let answer = |name: &str, generation, number| {
        let mark = Mark {
            generation,
            number,
            at: 7_000,
        };
        request(&spec(name), &status, mark)
    };
    let now = pings.began + Duration::from_millis(9);
    let took = Duration::from_millis(2);
    let last = answer("10.0.0.2", 12, 200);
    assert_eq!(pings.answered(&last, now), Some((OTHER, took)));
    let earlier = answer("10.0.0.1", 12, 150);
    assert_eq!(pings.answered(&earlier, now), Some((ONE, took)));
    let refused = [
        ("played back", answer("10.0.0.2", 12, 200)),
        ("older than the last one", answer("10.0.0.1", 12, 149)),
        ("never asked", answer("10.0.0.1", 12, 201)),
        ("of an earlier life", answer("10.0.0.1", 11, 199)),
        ("of nobody known", answer("10.0.0.3", 12, 199)),
        (
            "no echo of ours",
            Message::new("status").with("src", "10.0.0.1"),
        ),
    ];
    for (why, answer) in refused {
        assert_eq!(pings.answered(&answer, now), None, "{why}");
    }
    let old = 200 - WINDOW;
    let mut pings = self::pings();
    let now = pings.began;
    let too_old = answer("10.0.0.1", 12, old);
    assert_eq!(pings.answered(&too_old, now), None);
    let found = pings.answered(&answer("10.0.0.1", 12, old + 1), now);
    assert_eq!(found, Some((ONE, Duration::ZERO)));
}

#[test]
fn a_request_is_signed_as_if_the_ping_node_had_said_it() {
    let keys = Keys::new(1, [(1, Key::new(Method::Sha1, b"hb-test-key-1"))]).unwrap();
    let status = Message::new("status").with("ts", "66112a40");
    let mark = Mark {
        generation: 1,
        number: 2,
        at: u64::MAX,
    };
    let message = request(&spec("192.0.2.1"), &status, mark);
    let payload = wire::encode_netstring(&message, &keys).unwrap();
    let text = String::from_utf8_lossy(&payload);
    let said = "###\n10:(0)t=NS_st,10:(0)st=ping,12:(0)info=ping,16:(0)src=192.0.2.1,\
                14:(0)ts=66112a40,";
    assert!(text.starts_with(said), "{text}");
    assert!(payload.len() + 60 + HEADER_BYTES <= ANSWER_BYTES);
    assert!(wire::decode(&payload, &keys).is_ok());
}

#[test]
fn an_echo_reply_is_told_from_anything_else_that_comes() {
    let echo = packet(false, [1, 2], 0x0001_0203, b"odd");
    assert_eq!(echo[..2], [8, 0]);
    assert_eq!(echo[4..], [1, 2, 2, 3, b'o', b'd', b'd']);
    assert_eq!(
        checksum(&echo),
        0,
        "a packet with its checksum sums up to nothing"
    );
    let mut reply = vec![0x46; 24];
    reply.extend(&echo);
    assert_eq!(payload(false, &reply), None, "that is the request");
    reply[24] = 0;
    assert_eq!(payload(false, &reply), Some(&b"odd"[..]));
    let mut six = packet(true, [1, 2], 1, b"x");
    assert_eq!(payload(true, &six), None, "that is the request");
    six[0] = 129;
    assert_eq!(payload(true, &six), Some(&b"x"[..]));
    for length in 0..reply.len() {
        let cut = reply.get(..length).unwrap_or_default();
        assert!(payload(false, cut).is_none_or(|rest| rest.len() < 3));
    }
}
