#![allow(clippy::unwrap_used)]

use super::*;

const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const UUID: [u8; 16] = [1; 16];
const GENERATION: u64 = 7;
const DEADTIME: Duration = Duration::from_secs(10);

fn doubts() -> Doubts {
    let name = |name| NodeName::new(name).unwrap();
    Doubts {
        local: name("lb1"),
        nodes: vec![name("lb1"), name("lb2")],
        uuid: UUID,
        generation: GENERATION,
        tell_refusals: true,
        gone_after: DEADTIME,
        kinds: BTreeMap::new(),
        ours: None,
        places: BTreeMap::new(),
    }
}

fn message(name: &str, uuid: [u8; 16], generation: u64) -> Message {
    let mut message = Message::new("status");
    message.push_text("src", name);
    message.push_binary("srcuuid", uuid.to_vec());
    message.set_hex("hg", generation);
    message
}

#[test]
fn line_names_sender_link_and_reason_at_once_and_then_ever_more_rarely() {
    let mut doubts = doubts();
    let start = Instant::now();
    let mut refuse = |now| doubts.refused(THERE, "eth1", Reject::BadDigest, now);
    let (severity, text) = refuse(start).unwrap();
    assert_eq!(severity, Severity::Warning);
    assert!(
        text.starts_with("packet from 192.0.2.7 on eth1 refused: netstring authentication failed"),
        "{text}"
    );
    assert!((0..100).all(|_| refuse(start).is_none()));
    let (_, text) = refuse(start + PAUSES.first).unwrap();
    assert!(text.ends_with("(101 since this was last told)"), "{text}");
    assert!(refuse(start + PAUSES.first * 2).is_none());
    assert!(refuse(start + PAUSES.first * 3).is_some());
}

#[test]
fn other_reason_is_told_at_once_and_forged_senders_are_one() {
    let mut doubts = doubts();
    let now = Instant::now();
    let tell = |doubts: &mut Doubts, last, reason| {
        let from = IpAddr::from([192, 0, 2, last]);
        doubts.refused(from, "eth0", reason, now).is_some()
    };
    assert!(tell(&mut doubts, 1, Reject::BadDigest));
    assert!(tell(&mut doubts, 1, Reject::UnknownKey));
    let told = (0..=255).filter(|last| tell(&mut doubts, *last, Reject::BadFrame));
    assert_eq!(told.count(), KINDS_MAX - 2 + 1);
    assert!(doubts.kinds.len() <= KINDS_MAX + 1);
}

#[test]
fn log_badpack_no_silences_refusals_but_not_impostors() {
    let mut doubts = Doubts {
        tell_refusals: false,
        ..doubts()
    };
    let now = Instant::now();
    assert!(
        doubts
            .refused(THERE, "eth0", Reject::BadFrame, now)
            .is_none()
    );
    let twin = message("lb1", [2; 16], GENERATION);
    assert!(doubts.authentic(THERE, "eth0", &twin, now).is_some());
}

#[test]
fn own_packets_that_come_back_and_those_of_peers_are_no_doubt() {
    let mut doubts = doubts();
    assert_eq!(doubts.doubt(HERE, &message("LB1", UUID, GENERATION)), None);
    assert_eq!(doubts.doubt(THERE, &message("lb2", [2; 16], 9)), None);
}

#[test]
fn twins_of_this_node_are_noticed() {
    let mut doubts = doubts();
    let mut doubt = |name, uuid, generation| {
        let message = message(name, uuid, generation);
        doubts.doubt(THERE, &message)
    };
    assert_eq!(doubt("lb1", [2; 16], GENERATION), Some(Why::SameName));
    assert_eq!(doubt("lb1", UUID, GENERATION + 1), Some(Why::SameName));
    // A clone of everything: only its address tells.
    assert_eq!(doubt("lb1", UUID, GENERATION), Some(Why::SameName));
    let lb2 = NodeName::new("lb2").unwrap();
    assert_eq!(doubt("lb2", UUID, 3), Some(Why::SameUuid(lb2)));
    assert_eq!(
        doubt("web1", [3; 16], 3),
        Some(Why::NotConfigured("web1".to_owned()))
    );
}

/// Two nodes that sign with different keys look like two dead ones: only this tells.
#[test]
fn refused_packets_are_rows_with_the_node_whose_address_they_have() {
    let mut doubts = doubts();
    let now = Instant::now();
    for _ in 0..81 {
        doubts.refused(THERE, "eth1", Reject::BadDigest, now);
    }
    let row = doubts.rows(now).remove(0);
    assert_eq!((&row.node, row.count), (&None, 81));
    assert_eq!(row.reason, RefusedReason::WrongKey);
    let text = row.meaning();
    assert!(text.contains("the same on every node"), "{text}");
    let lb2 = message("lb2", [2; 16], 9);
    doubts.authentic(THERE, "eth1", &lb2, now);
    let row = doubts.rows(now).remove(0);
    assert_eq!(row.node.as_deref(), Some("lb2"));
    assert_eq!(row.from.as_deref(), Some("192.0.2.7"));
    assert!(doubts.rows(now + FORGOTTEN_AFTER).is_empty());
}

#[test]
fn refusal_is_shown_no_more_once_its_sender_is_believed() {
    let mut doubts = doubts();
    let now = Instant::now();
    let lb2 = message("lb2", [2; 16], 9);
    doubts.refused(THERE, "eth1", Reject::BadDigest, now);
    let later = now + MENDED_AFTER;
    assert_eq!(doubts.rows(later).len(), 1);
    doubts.authentic(HERE, "eth1", &lb2, now);
    doubts.authentic(THERE, "eth0", &lb2, now);
    assert_eq!(doubts.rows(later).len(), 1, "of another place");
    doubts.authentic(THERE, "eth1", &lb2, now);
    assert_eq!(doubts.rows(now).len(), 1, "it may go on");
    assert!(doubts.rows(later).is_empty());
    // It comes again: shown, and told no more often than before.
    assert_eq!(
        doubts.refused(THERE, "eth1", Reject::BadDigest, later),
        None
    );
    assert_eq!(doubts.rows(later + MENDED_AFTER).remove(0).count, 2);
}

#[test]
fn a_namesake_that_has_gone_is_shown_no_longer_than_a_dead_node_is_waited_for() {
    let mut doubts = doubts();
    let now = Instant::now();
    let twin = message("lb1", [2; 16], GENERATION);
    doubts.authentic(THERE, "eth0", &twin, now);
    let between = now + DEADTIME / 2;
    assert_eq!(doubts.rows(between).len(), 1);
    doubts.authentic(THERE, "eth0", &twin, between);
    let row = doubts.rows(now + DEADTIME).remove(0);
    assert_eq!((row.reason, row.count), (RefusedReason::SameName, 2));
    assert!(doubts.rows(between + DEADTIME).is_empty());
}
