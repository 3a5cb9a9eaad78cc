//! An old Heartbeat without `auto_failback`: it reports nothing, asks for single groups and answers
//! who asks (Heartbeat specification 7.14).

use super::{about_resources, ms, old_message, old_report, words};
use crate::pair::{KEEPALIVE, Pair};
use hbd_core::config::Failback;
use hbd_core::wire::Message;
use std::time::Duration;

const ANSWER: [&str; 4] = ["dest", "ipaddr", "weown", "ok"];
const OURS: &str = "IPaddr::10.0.0.0";
const ITS: &str = "IPaddr::10.0.0.1";

/// lb1 is ours, lb2 the old one; one group prefers each.
struct Beside {
    pair: Pair,
    seq: u64,
}

impl Beside {
    /// lb1 has just come up and hears the other one.
    fn new(failback: Failback) -> Self {
        let mut pair = Pair::new(2, &[0, 1], failback);
        pair.start(0);
        pair.run_for(ms(10));
        let mut beside = Self { pair, seq: 0 };
        beside.beat();
        beside
    }

    /// lb1 has been alone and runs everything; now the other one is back.
    fn after_it_was_away(failback: Failback) -> Self {
        let mut pair = Pair::new(2, &[0, 1], failback);
        pair.start(0);
        pair.run_for(Duration::from_secs(4));
        assert_eq!((pair.runners(0), pair.runners(1)), (vec![0], vec![0]));
        let mut beside = Self { pair, seq: 0 };
        beside.beat();
        beside
    }

    fn hear(&mut self, kind: &str, fields: &[(&'static str, &str)]) {
        self.seq += 1;
        let message = about_resources(kind, self.seq, fields);
        self.pair.inject(0, message);
    }

    fn beat(&mut self) {
        self.seq += 1;
        let status = old_message("status", self.seq);
        self.pair.inject(0, status);
    }

    /// It lives on for so long, and says nothing else.
    fn pass(&mut self, time: Duration) {
        let end = self.pair.now + time;
        while self.pair.now < end {
            self.beat();
            self.pair.run_for(KEEPALIVE);
        }
    }

    fn asks_for(&mut self, group: &str) {
        self.hear("ip-request", &[("ipaddr", group)]);
    }

    fn answers(&mut self, dest: &str, group: &str, ok: &str) {
        self.answers_that_it_had(dest, group, "no", ok);
    }

    fn answers_that_it_had(&mut self, dest: &str, group: &str, had: &str, ok: &str) {
        let fields = [
            ("dest", dest),
            ("ipaddr", group),
            ("weown", had),
            ("ok", ok),
        ];
        self.hear("ip-request-resp", &fields);
    }

    fn said(&self, kind: &str) -> Vec<Message> {
        self.pair.said(0, kind)
    }

    /// What lb1 runs: its own group, and the other's.
    fn runs(&self) -> [bool; 2] {
        [0, 1].map(|group| self.pair.runners(group) == [0])
    }
}

#[test]
fn a_group_that_an_old_peer_asks_for_is_let_go_of_before_it_is_answered() {
    let mut beside = Beside::after_it_was_away(Failback::Legacy);
    beside.asks_for(ITS);
    assert!(beside.said("ip-request-resp").is_empty(), "it still runs");
    beside.pair.run_for(ms(10));
    assert_eq!(beside.runs(), [true, false]);
    let said = beside.said("ip-request-resp");
    assert_eq!(said.len(), 1);
    assert_eq!(words(&said[0], &ANSWER), ["lb2", ITS, "yes", "OK"]);
    assert_eq!(said[0].binary("destuuid"), Some(&[9; 16][..]));
    // It is the other's now, for as long as that lives.
    beside.pass(Duration::from_secs(20));
    assert_eq!(beside.runs(), [true, false]);
    assert!(beside.said("ip-request").is_empty(), "nothing is missing");
    beside.hear("shutdone", &[]);
    beside.pair.run_for(ms(10));
    assert_eq!(beside.runs(), [true, true]);
}

#[test]
fn after_a_cold_start_each_asks_the_other_and_runs_its_own() {
    let mut beside = Beside::new(Failback::Legacy);
    beside.asks_for(ITS);
    let said = beside.said("ip-request-resp");
    assert_eq!(words(&said[0], &ANSWER), ["lb2", ITS, "no", "OK"]);
    beside.pass(ms(1500));
    let asked = beside.said("ip-request");
    assert_eq!(asked.len(), 1);
    assert_eq!(words(&asked[0], &["ipaddr", "dest"]), [OURS, "-"]);
    assert_eq!(
        beside.runs(),
        [false, false],
        "it may have it until it answers"
    );
    beside.answers("lb1", OURS, "OK");
    beside.pair.run_for(ms(10));
    assert_eq!(beside.runs(), [true, false]);
    beside.pass(Duration::from_secs(20));
    assert_eq!(beside.runs(), [true, false]);
    assert_eq!(beside.said("ip-request").len(), 1);
}

/// It has asked for its groups before we came, and will not say anything any more.
#[test]
fn an_old_peer_that_was_there_first_is_known_by_its_silence() {
    let mut beside = Beside::new(Failback::Legacy);
    beside.pass(ms(800));
    assert!(
        beside.said("ip-request").is_empty(),
        "it may be about to report"
    );
    beside.pass(ms(400));
    assert_eq!(beside.said("ip-request").len(), 1);
    beside.pass(Duration::from_secs(9));
    assert_eq!(beside.said("ip-request").len(), 1, "it may be at work");
    beside.pass(Duration::from_secs(2));
    assert_eq!(beside.said("ip-request").len(), 2);
}

#[test]
fn only_an_answer_that_means_us_frees_a_group() {
    let mut beside = Beside::new(Failback::Legacy);
    beside.answers("lb1", OURS, "OK");
    beside.pass(ms(1500));
    assert_eq!(beside.runs(), [false, false], "nobody had asked");
    beside.answers("lb3", OURS, "OK");
    beside.answers("lb1", OURS, "DENY");
    beside.answers("lb1", ITS, "OK");
    beside.pair.run_for(ms(10));
    assert_eq!(beside.runs(), [false, false]);
    beside.answers("lb1", OURS, "OK");
    beside.pair.run_for(ms(10));
    assert_eq!(beside.runs(), [true, false]);
}

/// Its script answers so whatever came of the stop, also where it knows no such line and stopped nothing.
#[test]
fn who_had_the_group_is_asked_again_before_it_is_taken() {
    let mut beside = Beside::new(Failback::Legacy);
    beside.pass(ms(1500));
    assert_eq!(beside.said("ip-request").len(), 1);
    beside.answers_that_it_had("lb1", OURS, "yes", "OK");
    beside.pass(ms(200));
    assert_eq!(beside.runs(), [false, false]);
    assert_eq!(beside.said("ip-request").len(), 2, "at once");
    beside.answers_that_it_had("lb1", OURS, "yes", "OK");
    beside.pass(Duration::from_secs(5));
    assert_eq!(beside.runs(), [false, false]);
    assert_eq!(beside.said("ip-request").len(), 2, "and then as ever");
    beside.pass(Duration::from_secs(6));
    assert_eq!(beside.said("ip-request").len(), 3);
    beside.answers("lb1", OURS, "OK");
    beside.pair.run_for(ms(10));
    assert_eq!(beside.runs(), [true, false]);
}

/// The asker would start it beside us.
#[test]
fn a_group_that_cannot_be_stopped_is_not_answered_for() {
    let mut beside = Beside::after_it_was_away(Failback::Legacy);
    beside.pair.stubborn = Some(0);
    beside.asks_for(ITS);
    beside.pass(Duration::from_secs(5));
    assert_eq!(beside.runs(), [true, true]);
    assert!(beside.said("ip-request-resp").is_empty());
    beside.pair.stubborn = None;
    beside.pass(Duration::from_secs(5));
    assert_eq!(beside.runs(), [true, false]);
    assert_eq!(beside.said("ip-request-resp").len(), 1);
}

#[test]
fn a_group_is_found_however_its_line_is_written_and_a_strange_one_is_not_held() {
    let mut beside = Beside::after_it_was_away(Failback::Legacy);
    for (key, held) in [
        ("10.0.0.1", "yes"),
        ("IPaddr2::10.0.0.1/24/eth0", "no"),
        ("IPaddr::10.0.0.77", "no"),
        ("Filesystem::/dev/sdb1::/data", "no"),
    ] {
        beside.asks_for(key);
        beside.pair.run_for(ms(10));
        let said = beside.said("ip-request-resp").pop().unwrap();
        assert_eq!(words(&said, &ANSWER), ["lb2", key, held, "OK"]);
    }
    assert_eq!(beside.runs(), [true, false]);
}

/// A peer with `auto_failback` is asked for nothing: it would let go of what it believes to hold.
#[test]
fn an_old_peer_that_reports_is_not_asked() {
    let mut beside = Beside::new(Failback::Legacy);
    beside.seq += 1;
    let report = old_report(beside.seq, "all", "1");
    beside.pair.inject(0, report);
    beside.pass(Duration::from_secs(5));
    assert!(beside.said("ip-request").is_empty());
    assert_eq!(beside.runs(), [false, false]);
}

/// Lines that differ on the two nodes: what stays where it is with us is not fetched.
#[test]
fn without_failback_nothing_is_asked_for_and_every_request_is_answered() {
    let mut beside = Beside::new(Failback::Off);
    beside.asks_for(ITS);
    assert_eq!(beside.said("ip-request-resp").len(), 1);
    beside.pass(Duration::from_secs(5));
    assert!(beside.said("ip-request").is_empty());
    let mut beside = Beside::new(Failback::On);
    beside.pass(Duration::from_secs(5));
    assert!(beside.said("ip-request").is_empty(), "it may be about to");
    beside.asks_for(ITS);
    beside.pass(ms(200));
    assert_eq!(beside.said("ip-request").len(), 1);
}
