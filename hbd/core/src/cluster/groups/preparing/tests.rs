#![allow(
    clippy::disallowed_methods,
    reason = "one instant is as good as another"
)]

use super::*;
use crate::ownership::{Bar, Cause, Claim, Why};
use crate::roster::NodeId;

/// What is asked for, by name.
fn asked(request: Option<Request>) -> &'static str {
    match request.map(|request| request(GroupId::new(1))) {
        None => "nothing",
        Some(Output::Prepare(_)) => "prepare",
        Some(Output::Unprepare(_)) => "unprepare",
        Some(other) => panic!("{other:?}"),
    }
}

/// What is prepared before a decision and after it, and what is asked for.
type Row = (Preparation, Decision, Preparation, &'static str);

const NOTHING: &str = "nothing";

#[test]
fn every_decision_prepares_undoes_or_leaves_as_it_is() {
    let now = Instant::now();
    let until = Preparation::Until(now + PREPARED_LIMIT);
    for (before, decision, after, request) in waits(until).into_iter().chain(others(until)) {
        let (state, output) = next(before, decision, now);
        let seen = (state, asked(output));
        assert_eq!(seen, (after, request), "{before:?}, {decision:?}");
    }
}

/// While the group waits for somebody.
fn waits(until: Preparation) -> Vec<Row> {
    let node = NodeId::new(1);
    let (none, spent) = (Preparation::None, Preparation::Spent);
    let moving = [
        Blocker::Disagrees(node),
        Blocker::Busy(node, RunState::Starting),
        Blocker::Busy(node, RunState::Running),
        Blocker::Busy(node, RunState::Stopping),
    ];
    let standing = [
        Blocker::Busy(node, RunState::Unknown),
        Blocker::Busy(node, RunState::Stuck),
        Blocker::Barred(Bar::NoCarrier),
        Blocker::Joining,
        Blocker::Unheard(node),
        Blocker::OldPeer(node),
        Blocker::LeftHolding(node),
        Blocker::Differs(node),
        Blocker::NotCurrent(node),
    ];
    let begun = moving.map(|blocker| (none, Decision::Wait(blocker), until, "prepare"));
    let mut rows = Vec::from(begun);
    for blocker in moving.into_iter().chain(standing) {
        let wait = Decision::Wait(blocker);
        rows.extend([until, spent].map(|before| (before, wait, before, NOTHING)));
    }
    rows.extend(standing.map(|blocker| (none, Decision::Wait(blocker), none, NOTHING)));
    rows
}

/// When it does not.
fn others(until: Preparation) -> Vec<Row> {
    let node = NodeId::new(1);
    let (none, spent) = (Preparation::None, Preparation::Spent);
    let claim = Claim {
        epoch: 1,
        owner: Some(node),
        cause: Cause::Home,
    };
    let mut rows = Vec::new();
    for again in [
        Decision::Claim(claim, Why::Failback),
        Decision::Adopt(claim),
        Decision::Forgive,
    ] {
        rows.extend([none, until, spent].map(|before| (before, again, before, NOTHING)));
    }
    for other in [
        Decision::Nothing,
        Decision::Stop,
        Decision::LetGo,
        Decision::HoldDown(node),
        Decision::Expect(node),
        Decision::Homeless,
    ] {
        rows.extend([none, spent].map(|before| (before, other, none, NOTHING)));
        rows.push((until, other, none, "unprepare"));
    }
    rows.extend([none, until, spent].map(|before| (before, Decision::Start, none, NOTHING)));
    rows
}
