//! Who takes a group that has no owner, and when it changes hands.

use crate::case::{Case, ME, PEER, case, claimed};
use ha_status::RunState;
use hbd_core::ownership::Blocker::{Busy, OldPeer};
use hbd_core::ownership::{Bar, Blocker, Cause, Claim, Decision, Phase, Presence, Why};

#[test]
fn the_successor_of_a_missing_owner_claims_the_group() {
    for presence in [Presence::Absent, Presence::Leaving] {
        let home = case().claim(Some(PEER), Cause::Failover).presence(presence);
        assert_eq!(home.decide(), claimed(ME, Cause::Home, Why::OwnerGone));
        let away = Case {
            preferred: PEER,
            ..case().claim(Some(PEER), Cause::Home).presence(presence)
        };
        assert_eq!(away.decide(), claimed(ME, Cause::Failover, Why::OwnerGone));
    }
}

#[test]
fn an_owner_that_another_node_still_hears_keeps_its_group() {
    let owner = case().claim(Some(PEER), Cause::Failover);
    let hearsay = owner.presence(Presence::Hearsay);
    assert_eq!(hearsay.decide(), Decision::Nothing);
    assert_eq!(hearsay.runs().decide(), Decision::Stop);
}

#[test]
fn a_new_cluster_waits_for_the_preferred_node_that_is_coming_up() {
    let fresh = |presence| Case {
        preferred: PEER,
        claim: Claim::default(),
        ..case().presence(presence)
    };
    assert_eq!(fresh(Presence::Joining).decide(), Decision::Nothing);
    assert_eq!(fresh(Presence::Active).decide(), Decision::Expect(PEER));
    let Decision::Claim(claim, Why::First) = fresh(Presence::Absent).decide() else {
        panic!("nobody else is there");
    };
    assert_eq!(
        (claim.epoch, claim.owner, claim.cause),
        (1, Some(ME), Cause::Failover)
    );
}

#[test]
fn a_node_that_expects_another_in_vain_takes_the_group_itself() {
    let expects = |overdue| Case {
        preferred: PEER,
        overdue,
        ..case().claim(None, Cause::Home)
    };
    assert_eq!(expects(false).decide(), Decision::Expect(PEER));
    let taken = claimed(ME, Cause::Failover, Why::OwnerGone);
    assert_eq!(expects(true).decide(), taken);
}

#[test]
fn beside_an_old_peer_a_node_takes_only_what_it_prefers_once_that_is_free() {
    let orphan = |run| {
        let case = case().claim(None, Cause::Home).presence(Presence::Old);
        case.peer_runs(run)
    };
    for run in [RunState::Unknown, RunState::Running] {
        assert_eq!(orphan(run).decide(), Decision::Wait(OldPeer(PEER)));
    }
    let taken = claimed(ME, Cause::Home, Why::OwnerGone);
    assert_eq!(orphan(RunState::Stopped).decide(), taken);
    let foreign = Case {
        preferred: PEER,
        ..orphan(RunState::Stopped)
    };
    assert_eq!(foreign.decide(), Decision::Wait(OldPeer(PEER)));
    // What it was given is its own.
    assert_eq!(
        case().presence(Presence::Old).decide(),
        Decision::Start,
        "free there, and ours"
    );
    assert_eq!(
        case().presence(Presence::Old).runs().decide(),
        Decision::Nothing
    );
}

#[test]
fn a_group_returns_when_its_preferred_node_is_ready_and_only_then() {
    let away = |cause| Case {
        preferred: PEER,
        ..case().claim(Some(ME), cause).runs()
    };
    let returned = claimed(PEER, Cause::Home, Why::Failback);
    assert_eq!(away(Cause::Failover).decide(), returned);
    assert_eq!(away(Cause::Stay).decide(), Decision::Nothing);
    let off = Case {
        returns: false,
        ..away(Cause::Failover)
    };
    assert_eq!(off.decide(), Decision::Nothing);
    for run in [RunState::Failed, RunState::Unknown, RunState::Stuck] {
        assert_eq!(
            away(Cause::Failover).peer_runs(run).decide(),
            Decision::Nothing
        );
    }
    for presence in [Presence::Joining, Presence::Leaving, Presence::Absent] {
        assert_eq!(
            away(Cause::Failover).presence(presence).decide(),
            Decision::Nothing
        );
    }
}

#[test]
fn what_stays_returns_after_all_once_its_preferred_node_was_away() {
    let stays = Case {
        preferred: PEER,
        ..case().claim(Some(ME), Cause::Stay).runs()
    };
    let Decision::Claim(claim, why) = stays.presence(Presence::Absent).decide() else {
        panic!("the cause changes");
    };
    assert_eq!(
        (claim.epoch, claim.cause, why),
        (5, Cause::Failover, Why::PreferredGone)
    );
}

#[test]
fn a_failed_owner_is_succeeded_but_not_one_that_was_just_named() {
    let failed = case()
        .claim(Some(PEER), Cause::Failover)
        .peer_runs(RunState::Failed);
    assert_eq!(failed.decide(), claimed(ME, Cause::Home, Why::OwnerFailed));
    let mut named = case()
        .claim(Some(PEER), Cause::Home)
        .peer_runs(RunState::Failed);
    named.peer.claim = Some(Claim::default());
    assert_eq!(named.decide(), Decision::Nothing);
}

#[test]
fn a_group_its_preferred_node_cannot_start_does_not_go_back_there() {
    let failed = Case {
        preferred: PEER,
        ..case()
            .claim(Some(PEER), Cause::Home)
            .peer_runs(RunState::Failed)
    };
    assert_eq!(failed.decide(), claimed(ME, Cause::Stay, Why::OwnerFailed));
}

#[test]
fn a_failure_is_forgiven_when_this_node_is_named_again() {
    let failed = |forgiven| Case {
        run: RunState::Failed,
        forgiven,
        ..case()
    };
    assert_eq!(failed(true).decide(), Decision::Forgive);
    assert_eq!(failed(false).decide(), Decision::Nothing);
    let alone = failed(false).presence(Presence::Absent);
    assert_eq!(alone.decide(), Decision::Homeless);
}

#[test]
fn a_leaving_node_names_its_successor_and_then_stops() {
    let leaving = |case: Case| Case {
        phase: Phase::Leaving,
        ..case
    };
    let owner = leaving(case().runs());
    assert_eq!(
        owner.decide(),
        claimed(PEER, Cause::Failover, Why::Shutdown)
    );
    let handed = leaving(case().claim(Some(PEER), Cause::Failover).runs());
    assert_eq!(handed.decide(), Decision::Stop);
    let alone = leaving(case().runs()).presence(Presence::Absent);
    assert_eq!(alone.decide(), Decision::Stop);
}

#[test]
fn a_node_that_is_cut_off_takes_nothing_and_keeps_what_it_runs() {
    for bar in [Bar::NoCarrier, Bar::CarrierBack] {
        let barred = |case: Case| Case {
            barred: Some(bar),
            ..case
        };
        let wait = Decision::Wait(Blocker::Barred(bar));
        assert_eq!(barred(case()).decide(), wait);
        let owner = case().claim(Some(PEER), Cause::Failover);
        assert_eq!(barred(owner.presence(Presence::Absent)).decide(), wait);
        assert_eq!(barred(case().runs()).decide(), Decision::Nothing);
        let lost = case().claim(Some(PEER), Cause::Failover).runs();
        assert_eq!(barred(lost).decide(), Decision::Stop);
    }
}

#[test]
fn what_a_node_left_behind_blocks_until_somebody_vouches() {
    let left = || case().presence(Presence::LeftHolding);
    let blocker = Blocker::LeftHolding(PEER);
    assert_eq!(left().decide(), Decision::Wait(blocker));
    let orphan = left().claim(Some(PEER), Cause::Failover);
    assert_eq!(orphan.decide(), claimed(ME, Cause::Home, Why::OwnerGone));
    let mut vouched = left();
    vouched.peer.vouched = true;
    assert_eq!(vouched.decide(), Decision::Start);
    let mut stuck = case().peer_runs(RunState::Stuck);
    stuck.peer.vouched = true;
    assert_eq!(stuck.decide(), Decision::Start);
    let running = stuck.peer_runs(RunState::Running);
    let busy = Busy(PEER, RunState::Running);
    assert_eq!(
        running.decide(),
        Decision::Wait(busy),
        "nobody vouches for that"
    );
}

#[test]
fn while_haresources_differ_nothing_is_taken_from_a_preferred_node_that_lives() {
    let mut foreign = Case {
        preferred: PEER,
        differs: true,
        ..case().claim(None, Cause::Home)
    };
    foreign.peer.knows = false;
    let wait = Decision::Wait(Blocker::Differs(PEER));
    assert_eq!(foreign.decide(), wait);
    foreign.peer.presence = Presence::Joining;
    assert_eq!(foreign.decide(), wait);
    foreign.peer.presence = Presence::Absent;
    let taken = claimed(ME, Cause::Failover, Why::OwnerGone);
    assert_eq!(foreign.decide(), taken);
}
