#![expect(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made otherwise; only differences to it are used"
)]
#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::{Failback, GroupConfig, GroupId, LinkConfig, NodeName, ResourceConfig};
use crate::wire::{Message, Value};
use ha_status::{HoldSet, NodeStatus, RunState};

const LINK: LinkId = LinkId::new(0);
const GROUP: GroupId = GroupId::new(0);
const KEEPALIVE: Duration = Duration::from_millis(200);
const DEADTIME: Duration = Duration::from_secs(2);

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn config(failback: Failback, now: Instant) -> Config {
    let link = LinkConfig {
        medium: "bcast".to_owned(),
        device: "eth0".to_owned(),
        passes_on: false,
    };
    let group = GroupConfig {
        name: "10.0.0.1".to_owned(),
        preferred: name("lb1"),
        resources: vec![ResourceConfig {
            script: "IPaddr".to_owned(),
            args: vec!["10.0.0.1".to_owned()],
        }],
        holds: Vec::new(),
    };
    Config {
        local: name("lb1"),
        nodes: vec![name("lb1"), name("lb2")],
        links: [(LINK, link)].into_iter().collect(),
        pings: std::iter::empty().collect(),
        keepalive: KEEPALIVE,
        warntime: Duration::from_secs(1),
        deadtime: DEADTIME,
        initdead: Duration::from_secs(10),
        deadping: DEADTIME,
        failback,
        groups: [(GROUP, group)].into_iter().collect(),
        haresources_digest: String::new(),
        uuid: [0; 16],
        generation: 0,
        seed: 0,
        hopfudge: 1,
        max_rexmit_delay: Duration::from_millis(250),
        retry_failed: Duration::from_secs(60),
        retry_stop: Duration::from_secs(10),
        hold_down: Duration::from_secs(10),
        known: Vec::new(),
        wall: (now, 0),
    }
}

/// A pair of old nodes and who listens to them.
struct Bed {
    shadow: Shadow,
    now: Instant,
    /// Who beats, with generation and the next number.
    lives: [Option<(u64, u64)>; 2],
    words: [&'static str; 2],
    events: Vec<Event>,
}

const NAMES: [&str; 2] = ["lb1", "lb2"];

impl Bed {
    /// Both are active, and lb1 has said that it holds its own.
    fn new(failback: Failback) -> Self {
        let now = Instant::now();
        let mut bed = Self {
            shadow: Shadow::new(config(failback, now), now),
            now,
            lives: [Some((100, 1)), Some((100, 1))],
            words: ["active"; 2],
            events: Vec::new(),
        };
        bed.run(KEEPALIVE * 3);
        bed
    }

    fn settled(failback: Failback) -> Self {
        let mut bed = Self::new(failback);
        bed.holds(0, "local");
        bed.holds(1, "none");
        bed
    }

    fn message(&mut self, node: usize, kind: &str, fields: &[(&'static str, &str)]) -> Message {
        let (generation, seq) = self.lives[node].as_mut().unwrap();
        let mut message = Message::new(kind);
        for (field, value) in fields {
            message.push_text(*field, *value);
        }
        message.push_text("src", NAMES[node]);
        message.push("srcuuid", Value::Binary(vec![node as u8 + 1; 16]));
        message.set_hex("seq", *seq);
        message.set_hex("hg", *generation);
        message.set_hex("ts", 1_700_000_000);
        *seq += 1;
        message
    }

    fn say(&mut self, node: usize, kind: &str, fields: &[(&'static str, &str)]) {
        let message = self.message(node, kind, fields);
        let link = LINK;
        self.feed(Input::Received(Received { link, message }));
    }

    fn holds(&mut self, node: usize, set: &str) {
        let fields = [("rsc_hold", set), ("rtype", "full"), ("isstable", "1")];
        self.say(node, "resource", &fields);
    }

    fn beat(&mut self, node: usize) {
        let st = self.words[node];
        self.say(
            node,
            "status",
            &[("st", st), ("dt", "7d0"), ("protocol", "1")],
        );
    }

    fn feed(&mut self, input: Input) {
        self.shadow.handle(input, self.now);
        while let Some(event) = self.shadow.poll() {
            self.events.push(event);
        }
    }

    /// Time passes; whoever lives beats, and the clock is looked at when it should be.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            for node in [0, 1] {
                if self.lives[node].is_some() {
                    self.beat(node);
                }
            }
            let next = (self.now + KEEPALIVE).min(end);
            while self.shadow.deadline() < next {
                self.now = self.shadow.deadline();
                self.feed(Input::Tick);
            }
            self.now = next;
        }
        self.feed(Input::Tick);
    }

    /// A new life of a node, up and then active.
    fn start(&mut self, node: usize, generation: u64) {
        self.lives[node] = Some((generation, 1));
        self.words[node] = "up";
        self.run(KEEPALIVE * 2);
        self.words[node] = "active";
        self.run(KEEPALIVE);
    }

    fn verdicts(&self) -> Vec<(Matter, Verdict)> {
        let judged = self.events.iter().filter_map(|event| match event {
            Event::Judged { matter, verdict } => Some((matter.clone(), *verdict)),
            _ => None,
        });
        judged.collect()
    }

    fn wishes(&self) -> Vec<&Matter> {
        let wishes = self.events.iter().filter_map(|event| match event {
            Event::Would(matter) => Some(matter),
            _ => None,
        });
        wishes.collect()
    }
}

fn death() -> Matter {
    Matter::Death { node: name("lb1") }
}

fn takeover(known: bool) -> Matter {
    Matter::Takeover {
        from: name("lb1"),
        to: name("lb2"),
        groups: vec![GROUP],
        known,
    }
}

fn misses(bed: &mut Bed, node: usize) {
    let fields = [("node", NAMES[1 - node]), ("result", "n_stnth")];
    bed.say(node, "stonith", &fields);
}

#[test]
fn a_death_that_the_pair_sees_later_is_the_same_and_so_is_the_takeover() {
    let mut bed = Bed::settled(Failback::On);
    bed.lives[0] = None;
    bed.run(DEADTIME + KEEPALIVE);
    assert_eq!(bed.wishes(), [&death(), &takeover(true)]);
    misses(&mut bed, 1);
    let verdicts = bed.verdicts();
    assert_eq!(verdicts[0].0, death());
    let Verdict::Same(Lead::Ours(lead)) = verdicts[0].1 else {
        panic!("{verdicts:?}");
    };
    assert!(lead <= KEEPALIVE * 2, "{lead:?}");
    bed.say(
        1,
        "resource",
        &[("rsc_hold", "foreign"), ("info", "mach_down")],
    );
    assert_eq!(bed.verdicts()[1].0, takeover(true));
    assert!(matches!(bed.verdicts()[1].1, Verdict::Same(Lead::Ours(_))));
    assert_eq!(bed.shadow.tally().same, 2);
    let groups = bed.shadow.snapshot("x", 0, bed.now).groups;
    assert_eq!(groups[0].owner.as_deref(), Some("lb2"));
}

#[test]
fn who_runs_what_is_assumed_until_somebody_says_it() {
    let mut bed = Bed::new(Failback::On);
    bed.lives[0] = None;
    bed.run(DEADTIME + KEEPALIVE);
    assert_eq!(bed.wishes(), [&death(), &takeover(false)]);
    misses(&mut bed, 1);
    bed.say(
        1,
        "resource",
        &[("rsc_hold", "foreign"), ("info", "mach_down")],
    );
    assert_eq!(bed.shadow.tally().same, 2);
}

#[test]
fn a_node_that_we_hear_and_the_pair_does_not_is_a_difference_with_its_link() {
    let mut bed = Bed::settled(Failback::On);
    misses(&mut bed, 1);
    assert!(bed.verdicts().is_empty(), "it may fall silent yet");
    bed.run(KEEPALIVE);
    let (ago, link) = (KEEPALIVE, Some(LINK));
    let expected = Verdict::Differs(Difference::WeHeardIt { ago, link });
    assert_eq!(bed.verdicts(), [(death(), expected)]);
}

#[test]
fn a_death_that_the_pair_does_not_see_is_a_difference() {
    let mut bed = Bed::settled(Failback::On);
    bed.lives[0] = None;
    bed.run(DEADTIME + Duration::from_secs(4));
    let (matter, verdict) = &bed.verdicts()[0];
    assert_eq!(*matter, death());
    assert!(
        matches!(verdict, Verdict::Differs(Difference::TheyDidNot { silent }) if *silent >= DEADTIME),
        "{verdict:?}"
    );
}

#[test]
fn when_nobody_is_left_nobody_can_tell() {
    let mut bed = Bed::settled(Failback::On);
    bed.lives = [None, None];
    bed.run(DEADTIME * 2);
    let untold = Verdict::CannotTell(Untold::NobodyLeft);
    let deaths = bed.verdicts();
    let told = deaths.iter().filter(|(_, verdict)| *verdict == untold);
    assert!(told.count() >= 1, "{deaths:?}");
    assert_eq!(bed.shadow.tally().differs, 0, "{deaths:?}");
}

#[test]
fn after_a_goodbye_the_other_takes_what_was_run_and_nobody_is_dead() {
    let mut bed = Bed::settled(Failback::On);
    let leaving = [
        ("rsc_hold", "none"),
        ("rtype", "full"),
        ("isstable", "0"),
        ("info", "shutdown"),
    ];
    bed.say(0, "resource", &leaving);
    bed.say(0, "shutdone", &[("st", "dead")]);
    assert_eq!(bed.wishes(), [&takeover(true)]);
    bed.say(
        1,
        "resource",
        &[("rsc_hold", "foreign"), ("info", "mach_down")],
    );
    assert!(matches!(
        bed.verdicts()[..],
        [(_, Verdict::Same(Lead::Ours(_)))]
    ));
    bed.lives[0] = None;
    bed.run(DEADTIME * 3);
    bed.say(1, "stonith", &[("node", "lb1"), ("result", "unneeded")]);
    assert_eq!(bed.shadow.tally().count(), 1, "{:?}", bed.verdicts());
}

/// lb1 has been away, and lb2 holds its group.
fn back(failback: Failback) -> Bed {
    let mut bed = Bed::settled(failback);
    bed.lives[0] = None;
    bed.run(DEADTIME + KEEPALIVE);
    misses(&mut bed, 1);
    bed.say(
        1,
        "resource",
        &[("rsc_hold", "foreign"), ("info", "mach_down")],
    );
    bed.events.clear();
    bed.start(0, 101);
    bed
}

#[test]
fn a_group_that_comes_home_is_the_same_and_the_offer_is_a_part_of_it() {
    let mut bed = back(Failback::On);
    let expected = Matter::Failback {
        to: name("lb1"),
        from: name("lb2"),
        groups: vec![GROUP],
    };
    assert_eq!(bed.wishes(), [&expected]);
    bed.say(
        1,
        "ask_resources",
        &[("rsc_hold", "foreign"), ("info", "me")],
    );
    bed.say(
        0,
        "ask_resources",
        &[("rsc_hold", "foreign"), ("info", "other")],
    );
    bed.holds(1, "none");
    bed.say(
        1,
        "ask_resources",
        &[("rsc_hold", "foreign"), ("info", "done")],
    );
    assert!(bed.verdicts().is_empty());
    bed.holds(0, "local");
    assert_eq!(bed.verdicts()[0].0, expected);
    assert!(matches!(
        bed.verdicts()[..],
        [(_, Verdict::Same(Lead::Ours(_)))]
    ));
    assert_eq!(bed.wishes().len(), 1);
}

#[test]
fn without_failback_a_group_stays_and_giving_it_back_is_a_difference() {
    for (held, same) in [("none", true), ("local", false)] {
        let mut bed = back(Failback::Off);
        bed.holds(0, held);
        let (matter, verdict) = &bed.verdicts()[0];
        assert!(matches!(matter, Matter::Keep { .. }), "{matter:?}");
        let expected = Verdict::Differs(Difference::GivenBack);
        assert_eq!(*verdict == expected, !same, "{verdict:?}");
    }
}

#[test]
fn a_standby_is_answered_or_is_not() {
    for answered in [true, false] {
        let mut bed = Bed::settled(Failback::On);
        let step = |info| [("rsc_hold", "local"), ("info", info)];
        bed.say(0, "ask_resources", &step("me"));
        let offer = Matter::Standby {
            from: name("lb1"),
            to: name("lb2"),
            set: HoldSet::Local,
        };
        assert_eq!(bed.wishes(), [&offer]);
        if answered {
            bed.say(1, "ask_resources", &step("other"));
            bed.run(Duration::from_secs(20));
            bed.say(0, "ask_resources", &step("done"));
            assert!(bed.verdicts().is_empty(), "scripts take their time");
            bed.say(1, "ask_resources", &step("done"));
        } else {
            bed.run(Duration::from_secs(11));
        }
        let (matter, verdict) = &bed.verdicts()[0];
        assert_eq!(*matter, offer);
        assert_eq!(matches!(verdict, Verdict::Same(_)), answered, "{verdict:?}");
    }
}

#[test]
fn a_restart_that_nobody_missed_leaves_the_groups_where_they_are() {
    let mut bed = Bed::settled(Failback::On);
    bed.start(0, 101);
    let expected = Matter::Resume {
        node: name("lb1"),
        groups: vec![GROUP],
    };
    assert_eq!(bed.wishes(), [&expected]);
    bed.holds(0, "local");
    assert_eq!(bed.verdicts()[0].0, expected);
    assert_eq!(bed.shadow.tally().same, 1);
}

#[test]
fn a_pair_that_starts_anew_after_a_partition_does_what_hbd_would_not() {
    let mut bed = Bed::settled(Failback::On);
    let before = bed.lives[0].take();
    bed.run(DEADTIME + KEEPALIVE);
    misses(&mut bed, 1);
    bed.lives[0] = before;
    bed.run(KEEPALIVE);
    let leaving = [
        ("rsc_hold", "none"),
        ("rtype", "full"),
        ("isstable", "0"),
        ("info", "shutdown"),
    ];
    bed.say(1, "resource", &leaving);
    let heal = Matter::Heal { node: name("lb1") };
    let expected = (heal, Verdict::Differs(Difference::LetsGo));
    assert!(bed.verdicts().contains(&expected), "{:?}", bed.verdicts());
}

#[test]
fn the_silence_of_a_machine_that_stands_still_is_nobodys_death() {
    let mut bed = Bed::settled(Failback::On);
    bed.now += DEADTIME * 3;
    bed.run(DEADTIME);
    assert!(bed.wishes().is_empty(), "{:?}", bed.wishes());
    assert!(matches!(
        bed.events.iter().find(|event| matches!(event, Event::Stalled { .. })),
        Some(Event::Stalled { late }) if *late > DEADTIME
    ));
    let nodes: Vec<_> = bed.shadow.lateness().collect();
    assert!(nodes.iter().all(|(_, node)| node.late == 0), "{nodes:?}");
}

#[test]
fn a_late_heartbeat_is_told_with_its_link_and_counted() {
    let mut bed = Bed::settled(Failback::On);
    let life = bed.lives[0].take();
    bed.run(Duration::from_millis(1200));
    bed.lives[0] = life;
    bed.run(KEEPALIVE);
    let late = bed.events.iter().find_map(|event| match event {
        Event::Late {
            node,
            interval,
            link,
        } => Some((node.as_str(), *interval, *link)),
        _ => None,
    });
    assert_eq!(late, Some(("lb1", Duration::from_millis(1400), LINK)));
    let (_, lateness) = bed.shadow.lateness().next().unwrap();
    assert_eq!(lateness.late, 1);
    assert_eq!(lateness.longest, Duration::from_millis(1400));
}

#[test]
fn packets_that_do_not_verify_are_told_once_for_each_power_of_ten() {
    let mut bed = Bed::settled(Failback::On);
    bed.events.clear();
    for _ in 0..150 {
        let reason = Reject::BadDigest;
        bed.feed(Input::Rejected { link: LINK, reason });
    }
    let counts = bed.events.iter().map(|event| match event {
        Event::Refused { count, .. } => *count,
        other => panic!("{other:?}"),
    });
    assert_eq!(counts.collect::<Vec<_>>(), [1, 10, 100]);
    assert_eq!(
        bed.shadow.refused().next(),
        Some((LINK, Reject::BadDigest, 150))
    );
}

#[test]
fn what_is_shown_is_what_the_wire_tells() {
    let bed = Bed::settled(Failback::On);
    let shown = bed.shadow.snapshot("lb1 (shadow)", 1_000_000, bed.now);
    assert!(
        shown
            .nodes
            .iter()
            .all(|node| node.status == NodeStatus::Active && !node.local)
    );
    assert_eq!(shown.links.len(), 2);
    let group = &shown.groups[0];
    assert_eq!(group.owner.as_deref(), Some("lb1"));
    assert_eq!(group.state, RunState::Stopped, "nothing runs at a listener");
    assert_eq!(group.runs.len(), 2);
}
