#![allow(clippy::unwrap_used)]

use super::*;
use ha_status::HoldSet;

const LINK: LinkId = LinkId::new(0);

fn words() -> Words {
    Words {
        links: [(LINK, "bcast eth0".to_owned())].into_iter().collect(),
        groups: (0..7)
            .map(|number| (GroupId::new(number), format!("10.0.0.{number}")))
            .collect(),
        deadtime: Duration::from_secs(2),
    }
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn death() -> Matter {
    Matter::Death { node: name("lb1") }
}

#[test]
fn a_verdict_says_who_was_first_or_what_differs_or_why_nobody_can_tell() {
    let words = words();
    let ms = Duration::from_millis;
    let link = Some(LINK);
    for (verdict, said) in [
        (
            Verdict::Same(Lead::Ours(ms(12))),
            "SAME lb1 is dead: hbd 12 ms earlier",
        ),
        (
            Verdict::Same(Lead::Theirs(ms(3400))),
            "SAME lb1 is dead: the pair 3.4 s earlier",
        ),
        (
            Verdict::Same(Lead::Ours(ms(0))),
            "SAME lb1 is dead: at the same time",
        ),
        (
            Verdict::Differs(Difference::WeHeardIt { ago: ms(200), link }),
            "DIFFERS lb1 is dead: the pair says so, and it was heard 200 ms before on bcast eth0",
        ),
        (
            Verdict::Differs(Difference::TheyDidNot { silent: ms(2100) }),
            "DIFFERS lb1 is dead: it was silent for 2.1 s (deadtime 2.0 s), and nobody of the pair \
             has said so",
        ),
        (
            Verdict::CannotTell(Untold::NobodyLeft),
            "UNTOLD lb1 is dead: no other node is heard that could say so",
        ),
    ] {
        assert_eq!(words.judgement(&death(), verdict), said);
    }
}

#[test]
fn a_wish_names_groups_up_to_a_number_of_them() {
    let groups = (0..7).map(GroupId::new).collect();
    let matter = Matter::Takeover {
        from: name("lb1"),
        to: name("lb2"),
        groups,
        known: true,
    };
    let (severity, text) = words().line(&Event::Would(matter));
    assert_eq!(severity, Severity::Notice);
    assert_eq!(
        text,
        "WOULD take over 10.0.0.0, 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4 and 2 more of lb1 on lb2"
    );
}

#[test]
fn a_wrong_key_is_called_one() {
    let event = Event::Refused {
        link: LINK,
        reason: Reject::BadDigest,
        count: 10,
    };
    let expected = "10 packets on bcast eth0: digests do not verify: another authkeys?";
    assert_eq!(words().line(&event), (Severity::Error, expected.to_owned()));
}

#[test]
fn what_a_node_says_is_told_in_its_words() {
    let event = Event::Said {
        node: name("lb1"),
        said: Said::Offers(HoldSet::Foreign),
    };
    let (_, text) = words().line(&event);
    assert_eq!(text, "lb1 says: I want to go standby [foreign]");
}
