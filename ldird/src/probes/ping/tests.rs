//! Echo packets as bytes, and the real thing on the loopback interface where that is allowed.
#![allow(clippy::unwrap_used)]

use super::{HEADER_BYTES, Ping, checksum, is_reply, request};
use crate::probes::{Answer, Dialler, Finding, Means};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

const TOKEN: [u8; 8] = *b"abcdefgh";

#[test]
fn requests_carry_64_bytes_and_a_checksum() {
    let v4 = request(false, 3, TOKEN);
    assert_eq!(v4.len(), HEADER_BYTES + 64);
    assert_eq!(v4[..2], [8, 0]);
    assert_eq!(
        checksum(&v4),
        0,
        "RFC 1071: the sum over everything is zero"
    );
    let v6 = request(true, 3, TOKEN);
    assert_eq!(v6[..4], [128, 0, 0, 0], "the kernel fills it in");
}

#[test]
fn only_the_answer_to_this_request_is_a_reply() {
    let asked = request(false, 1, TOKEN);
    let mut answer = asked.clone();
    answer[0] = 0;
    assert!(is_reply(&asked, &answer));
    // A datagram socket's kernel chooses the identifier.
    answer[4] = 77;
    assert!(is_reply(&asked, &answer));
    let mut raw = vec![0x45; 20];
    raw.extend(&answer);
    assert!(is_reply(&asked, &raw), "with the IP header of a raw socket");
    assert!(
        !is_reply(&asked, &asked),
        "the request itself, seen on loopback"
    );
    answer[20] ^= 1;
    assert!(!is_reply(&asked, &answer), "another one's data");
    assert!(!is_reply(&asked, &[]));
    assert!(!is_reply(&asked, &[0x4f]), "a header that is not there");
}

fn ping(target: IpAddr, lenient: bool) -> Ping {
    Ping {
        target,
        attempts: 1,
        timeout: Duration::from_millis(300),
        lenient,
    }
}

async fn ask(ping: Ping) -> Answer {
    ping.ask(&Means::new(Dialler::default())).await
}

/// A socket that is denied here is none of the server's fault.
#[tokio::test]
async fn k18_this_machine_answers_over_both_families() {
    for target in [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
    ] {
        let answer = ask(ping(target, false)).await;
        if answer.finding == Finding::CouldNotAsk || answer.message.contains("unreachable") {
            println!("skipped: {target}: {}", answer.message);
            continue;
        }
        assert!(answer.is_up(), "{target}: {}", answer.message);
    }
}

/// An address for documentation (RFC 5737): nobody answers, and a network may say so.
#[tokio::test]
async fn silence_is_down_unless_icmp_may_be_filtered() {
    let nobody = IpAddr::from(Ipv4Addr::new(192, 0, 2, 7));
    let answer = ask(ping(nobody, false)).await;
    if answer.message != "no echo reply" {
        println!("skipped: {}", answer.message);
        return;
    }
    assert!(!answer.is_up());
    assert!(ask(ping(nobody, true)).await.is_up());
}
