//! An old Heartbeat returns in the same life: it restarts within seconds (Heartbeat specification 6.6).

use super::{about_resources, ms, old_message, old_report, words};
use crate::pair::{KEEPALIVE, Pair};
use hbd_core::config::Failback;
use std::time::Duration;

/// lb1 has its own group and, since the old lb2 fell silent, that of lb2 as well.
fn apart() -> (Pair, u64) {
    let mut pair = Pair::new(2, &[0, 1], Failback::On);
    pair.start(0);
    pair.inject(0, old_message("status", 1));
    pair.inject(0, old_report(2, "local", "1"));
    pair.run_for(Duration::from_secs(5));
    assert_eq!((pair.runners(0), pair.runners(1)), (vec![0], vec![0]));
    (pair, 2)
}

/// It lives on for so long.
fn pass(pair: &mut Pair, seq: &mut u64, time: Duration) {
    let end = pair.now + time;
    while pair.now < end {
        *seq += 1;
        pair.inject(0, old_message("status", *seq));
        pair.run_for(KEEPALIVE);
    }
}

/// Told of it, it logs errors that two old ones do not show: that both own everything.
#[test]
fn an_old_peer_that_is_about_to_restart_is_not_told_what_this_node_holds() {
    let (mut pair, mut seq) = apart();
    let told = |pair: &Pair| pair.said(0, "resource").len();
    let before = told(&pair);
    pass(&mut pair, &mut seq, ms(1000));
    // What it said while it was alone, sent again.
    seq += 1;
    let fields = [("rsc_hold", "foreign"), ("info", "mach_down")];
    pair.inject(0, about_resources("resource", seq, &fields));
    seq += 1;
    pair.inject(0, old_report(seq, "all", "1"));
    pass(&mut pair, &mut seq, ms(1000));
    seq += 1;
    pair.inject(0, old_report(seq, "none", "0"));
    seq += 1;
    pair.inject(0, old_message("shutdone", seq));
    pair.run_for(ms(100));
    assert_eq!(told(&pair), before);
    assert_eq!((pair.runners(0), pair.runners(1)), (vec![0], vec![0]));
    // Its next life is told at once.
    let later = |kind, seq| {
        let mut message = old_message(kind, seq);
        message.set_hex("hg", 1001);
        message
    };
    pair.inject(0, later("status", 1));
    pair.inject(0, later("starting", 2));
    pair.run_for(ms(100));
    let said = pair.said(0, "resource").pop().unwrap();
    assert_eq!(words(&said, &["rsc_hold", "isstable"]), ["all", "1"]);
    assert!(told(&pair) > before);
}

/// It never missed us, and goes on: then it must say what it holds, and is asked for that.
#[test]
fn an_old_peer_that_does_not_restart_is_told_a_little_later() {
    let (mut pair, mut seq) = apart();
    let greeted = pair.said(0, "starting").len();
    pass(&mut pair, &mut seq, ms(2500));
    assert_eq!(pair.said(0, "starting").len(), greeted);
    pass(&mut pair, &mut seq, ms(1500));
    assert_eq!(pair.said(0, "starting").len(), greeted + 1);
    let said = pair.said(0, "resource").pop().unwrap();
    assert_eq!(words(&said, &["rsc_hold", "isstable"]), ["all", "1"]);
}
