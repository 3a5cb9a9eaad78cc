//! What an owner does, and what is done about the group of another.

use crate::case::{Case, ME, PEER, case, claimed};
use ha_status::RunState;
use hbd_core::ownership::Blocker::{
    Busy, Disagrees, Joining, Lingers, NotCurrent, OldPeer, Unheard,
};
use hbd_core::ownership::{Cause, Claim, Decision, Phase, Presence, Readiness, Why};

#[test]
fn an_owner_starts_when_the_peer_agrees_and_runs_nothing() {
    assert_eq!(case().decide(), Decision::Start);
}

#[test]
fn every_reason_to_wait_is_named() {
    let other = Claim::default();
    let waits = [
        (case().presence(Presence::Unheard), Unheard(PEER)),
        (
            case().presence(Presence::Old).peer_runs(RunState::Unknown),
            OldPeer(PEER),
        ),
        (
            case().presence(Presence::Old).peer_runs(RunState::Running),
            OldPeer(PEER),
        ),
        (
            case().peer_runs(RunState::Unknown),
            Busy(PEER, RunState::Unknown),
        ),
        (
            case().peer_runs(RunState::Starting),
            Busy(PEER, RunState::Starting),
        ),
        (
            case().peer_runs(RunState::Running),
            Busy(PEER, RunState::Running),
        ),
        (
            case().peer_runs(RunState::Stopping),
            Busy(PEER, RunState::Stopping),
        ),
        (
            case().peer_runs(RunState::Stuck),
            Busy(PEER, RunState::Stuck),
        ),
    ];
    for (case, blocker) in waits {
        assert_eq!(case.decide(), Decision::Wait(blocker));
    }
    let mut deaf = case();
    deaf.peer.current = false;
    assert_eq!(deaf.decide(), Decision::Wait(NotCurrent(PEER)));
    let mut behind = case();
    behind.peer.claim = Some(other);
    assert_eq!(behind.decide(), Decision::Wait(Disagrees(PEER)));
    let mut joining = case();
    joining.phase = Phase::Joining;
    assert_eq!(joining.decide(), Decision::Wait(Joining));
}

#[test]
fn the_dead_the_gone_and_those_without_the_group_keep_nobody_waiting() {
    let absent = case()
        .presence(Presence::Absent)
        .peer_runs(RunState::Running);
    assert_eq!(absent.decide(), Decision::Start);
    assert_eq!(case().presence(Presence::Leaving).decide(), Decision::Start);
    let mut ignorant = case();
    ignorant.peer.knows = false;
    ignorant.peer.claim = None;
    assert_eq!(ignorant.decide(), Decision::Start);
}

#[test]
fn a_node_that_only_a_third_one_hears_must_be_idle_too() {
    let hearsay = || case().presence(Presence::Hearsay);
    assert_eq!(hearsay().decide(), Decision::Start);
    let mut silent = hearsay();
    silent.peer.current = false;
    assert_eq!(silent.decide(), Decision::Wait(NotCurrent(PEER)));
    for run in [RunState::Running, RunState::Stuck, RunState::Unknown] {
        let busy = hearsay().peer_runs(run);
        assert_eq!(busy.decide(), Decision::Wait(Busy(PEER, run)));
    }
}

/// This node runs a group under epoch 5; the peer took it under epoch 6 meanwhile.
fn disputed() -> Case {
    let mut case = case().runs().peer_runs(RunState::Running);
    case.peer.apart = true;
    case.peer.claim = Some(taken());
    case.preferred = PEER;
    case.claim.cause = Cause::Failover;
    case.returns = false;
    case
}

fn taken() -> Claim {
    Claim {
        epoch: 6,
        owner: Some(PEER),
        cause: Cause::Home,
    }
}

#[test]
fn who_ran_it_all_along_and_was_never_cut_off_keeps_it() {
    let kept = |cause| {
        let claim = Claim {
            epoch: 7,
            owner: Some(ME),
            cause,
        };
        Decision::Claim(claim, Why::Kept)
    };
    assert_eq!(disputed().decide(), kept(Cause::Failover));
    let shaken = Case {
        shaken: true,
        ..disputed()
    };
    assert_eq!(shaken.decide(), Decision::Adopt(taken()));
    let home = |shaken, rested| Case {
        shaken,
        rested,
        preferred: ME,
        returns: true,
        ..disputed()
    };
    assert_eq!(home(true, true).decide(), kept(Cause::Home));
    assert_eq!(home(true, false).decide(), Decision::Adopt(taken()));
    let mut handed_over = disputed();
    handed_over.peer.apart = false;
    assert_eq!(handed_over.decide(), Decision::Adopt(taken()));
}

#[test]
fn nothing_is_disputed_with_a_node_that_has_not_heard_of_us_yet() {
    let mut unheard = disputed();
    unheard.peer.current = false;
    assert_eq!(unheard.decide(), Decision::Nothing);
}

#[test]
fn a_node_that_is_heard_and_does_not_hear_keeps_what_it_runs() {
    let mut deaf = disputed();
    (deaf.peer.current, deaf.peer.deaf) = (false, true);
    assert_eq!(deaf.decide(), Decision::Adopt(taken()));
    deaf.peer.claim = Some(Claim::default());
    assert_eq!(deaf.decide(), claimed(PEER, Cause::Home, Why::Deaf));
    let idle = deaf.peer_runs(RunState::Stopped);
    assert_eq!(idle.decide(), Decision::Nothing);
}

#[test]
fn what_another_runs_already_is_let_go_addresses_first() {
    let lost = || case().claim(Some(PEER), Cause::Failover).runs();
    for run in [RunState::Starting, RunState::Running] {
        assert_eq!(lost().peer_runs(run).decide(), Decision::LetGo);
    }
    assert_eq!(lost().peer_runs(RunState::Stopped).decide(), Decision::Stop);
}

/// What the new owner says of its preparations decides, once it has agreed.
#[test]
fn what_is_anothers_goes_on_here_until_that_one_is_ready() {
    let moving = || case().claim(Some(PEER), Cause::Failover).runs();
    let said = |readiness| {
        let mut case = moving();
        case.peer.readiness = readiness;
        case
    };
    let unheard = |readiness| {
        let mut case = said(readiness);
        case.peer.claim = Some(Claim::default());
        case
    };
    let linger = Decision::Linger(PEER);
    for (case, decision) in [
        (said(Readiness::Busy), linger),
        (said(Readiness::Still), Decision::Stop),
        (said(Readiness::Unsaid), Decision::Stop),
        (unheard(Readiness::Busy), linger),
        (unheard(Readiness::Still), linger),
        (unheard(Readiness::Unsaid), Decision::Stop),
    ] {
        assert_eq!(case.decide(), decision, "{:?}", case.peer);
        let mut over = case;
        over.lingers = false;
        assert_eq!(over.decide(), Decision::Stop);
        over.shared = true;
        assert_eq!(over.decide(), Decision::LetGo, "it may have the addresses");
    }
    let leaving = Case {
        phase: Phase::Leaving,
        ..said(Readiness::Busy)
    };
    assert_eq!(leaving.decide(), linger, "a clean stop is an agreed move");
}

#[test]
fn who_goes_on_until_this_node_is_ready_is_waited_for_by_that_name() {
    let mut case = case().peer_runs(RunState::Running);
    case.peer.readiness = Readiness::Lingers;
    assert_eq!(case.decide(), Decision::Wait(Lingers(PEER)));
    // It has begun to stop.
    let stopping = case.peer_runs(RunState::Stopping);
    let busy = Busy(PEER, RunState::Stopping);
    assert_eq!(stopping.decide(), Decision::Wait(busy));
}

#[test]
fn nobody_waits_for_one_that_cannot_answer_or_has_failed_or_runs_it() {
    let busy = || {
        let mut case = case().claim(Some(PEER), Cause::Failover).runs();
        case.peer.readiness = Readiness::Busy;
        case
    };
    let mut cases = vec![
        busy().presence(Presence::Joining),
        busy().presence(Presence::Hearsay),
        busy().presence(Presence::Unheard),
        busy().peer_runs(RunState::Unknown),
        busy().peer_runs(RunState::Stopping),
    ];
    let spoilt: [fn(&mut Case); 5] = [
        |case| case.peer.current = false,
        |case| case.peer.deaf = true,
        |case| case.peer.apart = true,
        |case| case.run = RunState::Unknown,
        |case| case.run = RunState::Starting,
    ];
    cases.extend(spoilt.map(|spoil| {
        let mut case = busy();
        spoil(&mut case);
        case
    }));
    for case in cases {
        assert_eq!(case.decide(), Decision::Stop, "{:?}", case.peer);
    }
    for run in [RunState::Starting, RunState::Running] {
        assert_eq!(busy().peer_runs(run).decide(), Decision::LetGo);
    }
}

#[test]
fn a_group_that_comes_and_goes_is_held_down() {
    let away = Case {
        preferred: PEER,
        rested: false,
        ..case().claim(Some(ME), Cause::Failover).runs()
    };
    assert_eq!(away.decide(), Decision::HoldDown(PEER));
}

#[test]
fn a_peer_whose_epoch_is_nonsense_does_not_wedge_the_group() {
    let mut nonsense = case();
    nonsense.peer.claim = None;
    assert_eq!(nonsense.decide(), Decision::Start);
    let running = Case { ..nonsense }.peer_runs(RunState::Running);
    assert_eq!(
        running.decide(),
        Decision::Wait(Busy(PEER, RunState::Running))
    );
}

#[test]
fn what_another_owns_is_stopped_at_once() {
    let lost = case().claim(Some(PEER), Cause::Failover).runs();
    assert_eq!(lost.decide(), Decision::Stop);
    let joining = Case {
        phase: Phase::Joining,
        ..case().claim(Some(PEER), Cause::Failover).runs()
    };
    assert_eq!(joining.decide(), Decision::Stop);
    assert_eq!(
        case().claim(Some(PEER), Cause::Failover).decide(),
        Decision::Nothing
    );
}

#[test]
fn a_joining_node_keeps_what_it_found_until_somebody_is_known_to_own_it() {
    for owner in [None, Some(PEER)] {
        let found = Case {
            phase: Phase::Joining,
            ..case().claim(owner, Cause::Failover).runs()
        };
        assert_eq!(
            found.presence(Presence::Unheard).decide(),
            Decision::Nothing
        );
    }
}

#[test]
fn of_two_joining_nodes_that_found_something_one_lets_go() {
    let found = |preferred| Case {
        phase: Phase::Joining,
        preferred,
        ..case()
            .claim(None, Cause::Home)
            .presence(Presence::Joining)
            .peer_runs(RunState::Unknown)
            .runs()
    };
    assert_eq!(found(ME).decide(), Decision::Nothing);
    assert_eq!(found(PEER).decide(), Decision::Stop);
}
