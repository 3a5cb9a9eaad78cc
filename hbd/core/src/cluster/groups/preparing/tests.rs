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
        None => NOTHING,
        Some(Output::Prepare(_)) => PREPARE,
        Some(Output::Unprepare(_)) => UNPREPARE,
        Some(other) => panic!("{other:?}"),
    }
}

const NOTHING: &str = "nothing";
const PREPARE: &str = "prepare";
const UNPREPARE: &str = "unprepare";

/// Every state, with its place in the columns of the tables below.
fn states(now: Instant) -> [Preparation; 6] {
    let limit = now + PREPARED_LIMIT;
    [
        Preparation::None,
        Preparation::Awaited,
        Preparation::Making(limit),
        Preparation::Made(limit),
        Preparation::Undoing,
        Preparation::Spent,
    ]
}

/// What becomes of each state, as a place in [`states`], and what is asked for.
type Row = [(usize, &'static str); 6];

const STAY: Row = [
    (0, NOTHING),
    (1, NOTHING),
    (2, NOTHING),
    (3, NOTHING),
    (4, NOTHING),
    (5, NOTHING),
];
/// The owner goes on until it is ready: it is prepared.
const LINGERS: Row = [
    (2, PREPARE),
    (2, PREPARE),
    (2, NOTHING),
    (3, NOTHING),
    (2, PREPARE),
    (5, NOTHING),
];
/// The owner has not said so yet: nothing is touched.
const AWAITED: Row = [
    (1, NOTHING),
    (1, NOTHING),
    (2, NOTHING),
    (3, NOTHING),
    (4, NOTHING),
    (5, NOTHING),
];
/// It is being stopped.
const STOPS: Row = [
    (0, NOTHING),
    (0, NOTHING),
    (2, NOTHING),
    (3, NOTHING),
    (4, NOTHING),
    (5, NOTHING),
];
/// Something else is in the way.
const BARRED: Row = [
    (0, NOTHING),
    (0, NOTHING),
    (4, UNPREPARE),
    (4, UNPREPARE),
    (4, NOTHING),
    (5, NOTHING),
];
const START: Row = [(0, NOTHING); 6];
const GONE: Row = [
    (0, NOTHING),
    (0, NOTHING),
    (4, UNPREPARE),
    (4, UNPREPARE),
    (4, NOTHING),
    (0, NOTHING),
];

fn decisions() -> Vec<(Decision, bool, Row)> {
    let node = NodeId::new(1);
    let claim = Claim {
        epoch: 1,
        owner: Some(node),
        cause: Cause::Home,
    };
    let mut rows = Vec::new();
    rows.push((Decision::Wait(Blocker::Lingers(node)), true, LINGERS));
    for run in [RunState::Starting, RunState::Running] {
        rows.push((Decision::Wait(Blocker::Busy(node, run)), true, AWAITED));
    }
    rows.push((Decision::Wait(Blocker::Disagrees(node)), true, AWAITED));
    let stopping = Blocker::Busy(node, RunState::Stopping);
    rows.push((Decision::Wait(stopping), true, STOPS));
    for blocker in [
        Blocker::Busy(node, RunState::Unknown),
        Blocker::Busy(node, RunState::Stuck),
        Blocker::Barred(Bar::NoCarrier),
        Blocker::Joining,
        Blocker::Unheard(node),
        Blocker::OldPeer(node),
        Blocker::LeftHolding(node),
        Blocker::Differs(node),
        Blocker::NotCurrent(node),
    ] {
        rows.push((Decision::Wait(blocker), true, BARRED));
        // It has no owner that could run it, and nobody is to take it.
        rows.push((Decision::Wait(blocker), false, GONE));
    }
    for again in [
        Decision::Claim(claim, Why::Failback),
        Decision::Adopt(claim),
        Decision::Forgive,
    ] {
        rows.extend([true, false].map(|ours| (again, ours, STAY)));
    }
    rows.push((Decision::Start, true, START));
    for other in [
        Decision::Nothing,
        Decision::Stop,
        Decision::Linger(node),
        Decision::LetGo,
        Decision::HoldDown(node),
        Decision::Expect(node),
        Decision::Homeless,
    ] {
        rows.extend([true, false].map(|ours| (other, ours, GONE)));
    }
    rows
}

#[test]
fn every_decision_prepares_undoes_or_leaves_as_it_is() {
    let now = Instant::now();
    let states = states(now);
    for (decision, ours, row) in decisions() {
        for (before, (after, request)) in states.into_iter().zip(row) {
            let (state, output) = next(before, decision, ours, now);
            assert_eq!(
                (state, asked(output)),
                (states[after], request),
                "{before:?}, {decision:?}, ours: {ours}"
            );
        }
    }
}
