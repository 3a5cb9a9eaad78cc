//! Whole tables: the run machine of a group, one row per state and one column per event; the
//! better of two claims, for all pairs; and the decision about a group, one row per situation.

use Blocker::{Busy, Disagrees, Joining, NotCurrent, OldPeer, Unheard};
use ha_status::RunState;
use hbd_core::input::Activity;
use hbd_core::ownership::{
    Bar, Blocker, Cause, Claim, Decision, MAX_LEAP, Phase, Presence, Situation, Standing, Why,
    believable, better_claim, decide,
};
use hbd_core::roster::NodeId;
use hbd_core::takeover::{Event, Request, Run, step};

type Cell = (Run, Option<Request>);

const EVENTS: [Event; 16] = [
    Event::Probed(Activity::Nothing),
    Event::Probed(Activity::Something),
    Event::Probed(Activity::Everything),
    Event::Probed(Activity::Unclear),
    Event::Started,
    Event::StartFailed,
    Event::StartFailedHeld,
    Event::Stopped,
    Event::StopFailed,
    Event::Lost,
    Event::Mended,
    Event::Start,
    Event::Stop,
    Event::Due,
    Event::Forgive,
    Event::Vouched,
];

/// The table in the order of `EVENTS`. Letters: p probing, l leftover, s stopped, a starting,
/// r running, e ending (stopping), c cleaning up (failing), f failed, k stuck, b broken;
/// `+` asks for a start, `-` for a stop.
const TABLE: [(Run, &str); 10] = [
    (Run::Probing, "s l l l p p p p p p p p p p p p"),
    (Run::Leftover, "l l l l l l l l l l l a+ e- l l l"),
    (Run::Stopped, "s s s s e- s k s k s s a+ s s s s"),
    (Run::Starting, "a a a a r f b a a a a a e- a a a"),
    (Run::Running, "r r r r r e- e- r r c- r r e- r r r"),
    (Run::Stopping, "e e e e e e e s k e e e e e e e"),
    (Run::Failing, "c c c c c c c f b c e c c c c c"),
    (Run::Failed, "f f f f c- f b f b f s f f s s f"),
    (Run::Stuck, "k k k k k k k s k k k k k e- k s"),
    (Run::Broken, "b b b b b b b f b b k b b c- b s"),
];

fn cell(word: &str) -> Cell {
    let mut letters = word.chars();
    let run = match letters.next() {
        Some('p') => Run::Probing,
        Some('l') => Run::Leftover,
        Some('s') => Run::Stopped,
        Some('a') => Run::Starting,
        Some('r') => Run::Running,
        Some('e') => Run::Stopping,
        Some('c') => Run::Failing,
        Some('f') => Run::Failed,
        Some('k') => Run::Stuck,
        Some('b') => Run::Broken,
        other => panic!("no state {other:?}"),
    };
    let request = match letters.next() {
        None => None,
        Some('+') => Some(Request::Start),
        Some('-') => Some(Request::Stop),
        other => panic!("no request {other:?}"),
    };
    (run, request)
}

#[test]
fn every_state_answers_every_event() {
    for (run, row) in TABLE {
        let cells: Vec<Cell> = row.split(' ').map(cell).collect();
        assert_eq!(cells.len(), EVENTS.len(), "{run:?}");
        for (event, expected) in EVENTS.into_iter().zip(cells) {
            assert_eq!(step(run, event), expected, "{run:?} x {event:?}");
        }
    }
}

#[test]
fn what_may_be_active_is_never_told_to_be_stopped() {
    for (run, _) in TABLE {
        let quiet = matches!(run.state(), RunState::Stopped | RunState::Failed);
        assert_eq!(quiet, run.idle(), "{run:?}");
        assert!(!(run.idle() && run.held()), "{run:?}");
    }
}

fn claims() -> Vec<Claim> {
    let owners = [None, Some(NodeId(0)), Some(NodeId(1)), Some(NodeId(2))];
    let mut all = Vec::new();
    for epoch in [0, 1, 2, u64::MAX] {
        for owner in owners {
            for cause in [Cause::Home, Cause::Failover, Cause::Stay] {
                all.push(Claim {
                    epoch,
                    owner,
                    cause,
                });
            }
        }
    }
    all
}

#[test]
fn the_better_claim_is_the_same_on_every_node() {
    for one in claims() {
        for other in claims() {
            let better = better_claim(one, other);
            assert!(better == one || better == other);
            assert_eq!(better, better_claim(other, one), "{one:?} {other:?}");
        }
    }
}

#[test]
fn the_better_claim_does_not_depend_on_the_order_of_hearing() {
    for a in claims() {
        for b in claims() {
            for c in claims() {
                let one = better_claim(better_claim(a, b), c);
                let other = better_claim(a, better_claim(b, c));
                assert_eq!(one, other, "{a:?} {b:?} {c:?}");
            }
        }
    }
}

#[test]
fn the_rules_of_the_better_claim_hold_in_their_order() {
    for one in claims() {
        for other in claims() {
            let better = better_claim(one, other);
            let (Some(a), Some(b)) = (one.owner, other.owner) else {
                continue;
            };
            let expected = if one.epoch != other.epoch {
                one.epoch.max(other.epoch) == better.epoch
            } else if (one.cause == Cause::Home) != (other.cause == Cause::Home) {
                better.cause == Cause::Home
            } else {
                better.owner == Some(a.min(b))
            };
            assert!(expected, "{one:?} {other:?} {better:?}");
        }
    }
}

#[test]
fn epochs_end_without_wrapping() {
    let last = Claim {
        epoch: u64::MAX,
        ..Claim::default()
    };
    assert_eq!(last.succeed(NodeId(0), Cause::Home).epoch, u64::MAX);
}

#[test]
fn an_absurd_epoch_is_not_believed_unless_the_others_have_agreed_on_it() {
    let claim = |epoch| Claim {
        epoch,
        ..Claim::default()
    };
    for mine in [1, 7, 1 << 40] {
        assert!(believable(claim(mine + MAX_LEAP), claim(mine)));
        assert!(!believable(claim(mine + MAX_LEAP + 1), claim(mine)));
    }
    // A node that comes back to a cluster that has got far.
    assert!(believable(claim(1 << 60), claim(0)));
    assert!(!believable(claim(u64::MAX), claim(0)));
}

const ME: NodeId = NodeId(0);
const PEER: NodeId = NodeId(1);
const ORDER: [NodeId; 2] = [ME, PEER];

/// A situation of two nodes, this one preferred: both are active, the group is stopped on both,
/// this node owns it and the peer agrees.
struct Case {
    phase: Phase,
    preferred: NodeId,
    run: RunState,
    held: bool,
    barred: Option<Bar>,
    shaken: bool,
    rested: bool,
    differs: bool,
    forgiven: bool,
    returns: bool,
    overdue: bool,
    claim: Claim,
    peer: Standing,
}

fn case() -> Case {
    let claim = Claim {
        epoch: 5,
        owner: Some(ME),
        cause: Cause::Home,
    };
    Case {
        phase: Phase::Active,
        preferred: ME,
        run: RunState::Stopped,
        held: false,
        barred: None,
        shaken: false,
        rested: true,
        differs: false,
        forgiven: true,
        returns: true,
        overdue: false,
        claim,
        peer: Standing {
            presence: Presence::Active,
            current: true,
            deaf: false,
            apart: false,
            vouched: false,
            knows: true,
            run: RunState::Stopped,
            claim: Some(claim),
        },
    }
}

impl Case {
    fn decide(&self) -> Decision {
        let own = Standing {
            presence: Presence::Active,
            current: true,
            deaf: false,
            apart: false,
            vouched: false,
            knows: true,
            run: self.run,
            claim: Some(self.claim),
        };
        decide(&Situation {
            me: ME,
            phase: self.phase,
            preferred: Some(self.preferred),
            order: &ORDER,
            standings: &[own, self.peer],
            claim: self.claim,
            held: self.held,
            barred: self.barred,
            shaken: self.shaken,
            rested: self.rested,
            differs: self.differs,
            forgiven: self.forgiven,
            returns: self.returns,
            overdue: self.overdue,
        })
    }

    fn claim(mut self, owner: Option<NodeId>, cause: Cause) -> Self {
        self.claim = Claim {
            epoch: 5,
            owner,
            cause,
        };
        self.peer.claim = Some(self.claim);
        self
    }

    fn presence(mut self, presence: Presence) -> Self {
        self.peer.presence = presence;
        self
    }

    fn peer_runs(mut self, run: RunState) -> Self {
        self.peer.run = run;
        self
    }

    fn runs(mut self) -> Self {
        (self.run, self.held) = (RunState::Running, true);
        self
    }
}

fn claimed(owner: NodeId, cause: Cause, why: Why) -> Decision {
    let claim = Claim {
        epoch: 6,
        owner: Some(owner),
        cause,
    };
    Decision::Claim(claim, why)
}

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
