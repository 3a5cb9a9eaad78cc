//! An old Heartbeat runs what this node runs as well, and says so.

use super::{about_resources, ms, old_message, old_report, words};
use crate::pair::{KEEPALIVE, Pair};
use ha_status::ClaimCause;
use hbd_core::config::Failback;
use std::time::Duration;

/// lb1, which runs its own group beside an old lb2 with one of its own.
fn settled() -> (Pair, u64) {
    let mut pair = Pair::new(2, &[0, 1], Failback::On);
    pair.start(0);
    pair.inject(0, old_message("status", 1));
    pair.inject(0, old_report(2, "local", "1"));
    pair.run_for(ms(10));
    assert_eq!((pair.runners(0), pair.runners(1)), (vec![0], vec![]));
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

/// What its mach_down says once it has taken everything of ours.
fn takes_ours(pair: &mut Pair, seq: &mut u64) {
    *seq += 1;
    let fields = [("rsc_hold", "foreign"), ("info", "mach_down")];
    pair.inject(0, about_resources("resource", *seq, &fields));
}

/// Measured: SIGSTOP for longer than the dead time, then SIGCONT. The late packet makes it declare
/// us dead and take our groups, the same packet brings us back, and it never lets go.
#[test]
fn a_group_that_an_old_peer_took_in_error_is_let_go_of() {
    let (mut pair, mut seq) = settled();
    takes_ours(&mut pair, &mut seq);
    pass(&mut pair, &mut seq, ms(2500));
    assert_eq!(pair.runners(0), [0], "it may be about to restart");
    pass(&mut pair, &mut seq, ms(1500));
    assert_eq!(pair.runners(0), Vec::<usize>::new());
    let said = pair.said(0, "resource").pop().unwrap();
    assert_eq!(words(&said, &["rsc_hold", "isstable"]), ["none", "1"]);
    let claim = pair.view(0).groups[0].reason.claim.clone().unwrap();
    assert_eq!(claim.cause, ClaimCause::Disputed);
    // It stays with that node until that gives it or ends.
    pass(&mut pair, &mut seq, Duration::from_secs(10));
    assert_eq!(pair.runners(0), Vec::<usize>::new());
    seq += 1;
    pair.inject(0, old_message("shutdone", seq));
    pair.run_for(ms(10));
    assert_eq!((pair.runners(0), pair.runners(1)), (vec![0], vec![0]));
}

/// After a silence that both have noticed it restarts: what is ours stays.
#[test]
fn a_group_is_kept_when_the_old_peer_lets_go_of_it_in_time() {
    let (mut pair, mut seq) = settled();
    takes_ours(&mut pair, &mut seq);
    pass(&mut pair, &mut seq, ms(2000));
    seq += 1;
    let report = old_report(seq, "none", "0");
    pair.inject(0, report);
    pass(&mut pair, &mut seq, ms(1000));
    takes_ours(&mut pair, &mut seq);
    pass(&mut pair, &mut seq, ms(2500));
    assert_eq!(pair.runners(0), [0], "each time is one of its own");
}
