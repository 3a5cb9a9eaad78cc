//! Whatever is heard, a listener survives it, says the same of the same, and stays small.

#![allow(clippy::unwrap_used)]

mod pair;

use hbd_core::config::{Config, Failback, Received};
use hbd_core::shadow::{Event, Input, Shadow, VERDICTS_MAX};
use hbd_core::wire::{Message, Reject};
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Say {
        node: usize,
        kind: &'static str,
        seq: u64,
        generation: u64,
        fields: Vec<(&'static str, &'static str)>,
    },
    Refuse(Reject),
}

const KINDS: [&str; 10] = [
    "status",
    "status",
    "status",
    "resource",
    "ask_resources",
    "shutdone",
    "stonith",
    "starting",
    "hb_takeover",
    "ip-request-resp",
];
const FIELDS: [(&str, &[&str]); 12] = [
    ("st", &["active", "up", "init", "dead"]),
    ("dt", &["7d0", "0", "ffffffffffffffff", "x"]),
    ("rsc_hold", &["all", "local", "foreign", "none", "?"]),
    ("rtype", &["full", "part"]),
    ("isstable", &["0", "1"]),
    ("info", &["me", "other", "done", "shutdown", "mach_down"]),
    ("node", &["lb1", "lb2", "nobody"]),
    ("hbx", &["1"]),
    (
        "hbn",
        &["64.0/lb1 64.0/lb2", "-/lb1 64.0/lb2", "~1.1/lb1", "rubbish"],
    ),
    ("hbg", &["", "1,rh,1,0", "rubbish"]),
    ("ok", &["OK", "no"]),
    ("dest", &["lb1", "lb2", "nobody"]),
];

fn field() -> impl Strategy<Value = (&'static str, &'static str)> {
    (0..FIELDS.len(), any::<prop::sample::Index>()).prop_map(|(at, choice)| {
        let (name, values) = FIELDS[at];
        (name, values[choice.index(values.len())])
    })
}

fn step() -> impl Strategy<Value = Step> {
    let say = (
        0..3_usize,
        0..KINDS.len(),
        0..60_u64,
        99..103_u64,
        vec(field(), 0..8),
    );
    prop_oneof![
        3 => (0..4000_u64).prop_map(Step::Wait),
        12 => say.prop_map(|(node, kind, seq, generation, fields)| Step::Say {
            node,
            kind: KINDS[kind],
            seq,
            generation,
            fields,
        }),
        1 => Just(Step::Refuse(Reject::BadDigest)),
    ]
}

fn config(now: Instant, failback: Failback) -> Config {
    pair::config(0, 2, &[0, 1], failback, now)
}

/// Everything that it tells, as text: instants differ between runs, what is told must not.
fn listen(steps: &[Step], failback: Failback) -> (Vec<String>, Shadow) {
    let mut now = pair::base();
    let link = pair::LINK;
    let mut shadow = Shadow::new(config(now, failback), now);
    let mut told = Vec::new();
    for step in steps {
        let input = match step {
            Step::Wait(ms) => {
                now += Duration::from_millis(*ms);
                Input::Tick
            }
            Step::Say {
                node,
                kind,
                seq,
                generation,
                fields,
            } => {
                let mut message = Message::new(kind);
                for (name, value) in fields {
                    message.push_text(*name, *value);
                }
                message.push_text("src", ["lb1", "lb2", "lb9"][*node]);
                message.set_hex("seq", *seq);
                message.set_hex("hg", *generation);
                message.set_hex("ts", 1_700_000_000);
                Input::Received(Received { link, message })
            }
            Step::Refuse(reason) => Input::Rejected {
                link,
                reason: *reason,
            },
        };
        shadow.handle(input, now);
        let events: Vec<Event> = std::iter::from_fn(|| shadow.poll()).collect();
        assert!(events.len() < 64, "one event leads to few: {events:?}");
        told.extend(events.iter().map(|event| format!("{event:?}")));
        assert!(shadow.deadline() > now, "whatever was due is done");
    }
    assert!(shadow.tally().kept().count() <= VERDICTS_MAX);
    let shown = shadow.snapshot("shadow", 0, now);
    assert_eq!(shown.nodes.len(), 2);
    (told, shadow)
}

proptest! {
    #[test]
    fn random_traffic_is_survived_and_told_the_same_each_time(
        steps in vec(step(), 0..250),
        returns in any::<bool>(),
    ) {
        let failback = if returns { Failback::On } else { Failback::Off };
        let (told, shadow) = listen(&steps, failback);
        let (again, _) = listen(&steps, failback);
        prop_assert_eq!(told.clone(), again);
        let judged = told.iter().filter(|line| line.starts_with("Judged"));
        prop_assert_eq!(judged.count() as u64, shadow.tally().count());
    }
}
