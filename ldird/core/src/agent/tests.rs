#![expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]

use super::{Agent, Change, share};
use crate::input::{AgentSays, Finding, Noted, Standing, Verdict};
use ha_status::Asks;
use std::time::{Duration, Instant};

fn said(says: AgentSays) -> Verdict {
    Verdict {
        finding: Finding::Up,
        message: String::new(),
        took: Duration::ZERO,
        noted: Noted {
            agent: Some(says),
            ..Noted::default()
        },
    }
}

fn failed(finding: Finding) -> Verdict {
    Verdict {
        finding,
        message: "connection refused".to_owned(),
        took: Duration::ZERO,
        noted: Noted::default(),
    }
}

fn percent(percent: u32) -> AgentSays {
    AgentSays {
        percent: Some(percent),
        ..AgentSays::default()
    }
}

fn standing(standing: Standing) -> AgentSays {
    AgentSays {
        standing: Some(standing),
        ..AgentSays::default()
    }
}

fn up(up: bool) -> AgentSays {
    AgentSays {
        up: Some(up),
        ..AgentSays::default()
    }
}

#[test]
fn a_share_is_nothing_only_where_nothing_was_asked_for() {
    let rows = [
        (100, 0, 0),
        (100, 1, 1),
        (100, 100, 100),
        (100, 250, 250),
        (1, 1, 1),
        (1, 0, 0),
        (1, 99, 1),
        (3, 34, 2),
        (0, 50, 0),
        (u32::MAX, 1000, u32::MAX),
        (65_535, 1000, 655_350),
    ];
    for (full, percent, weight) in rows {
        assert_eq!(share(percent, full), weight, "{percent} % of {full}");
    }
}

/// What an answer does not name stays; so only the agent takes back what it asked for.
#[test]
fn an_answer_changes_what_it_names() {
    let now = Instant::now();
    let mut agent = Agent::new(now);
    let mut hear = |says| {
        let change = agent.hear(&said(says), now);
        (change, agent.asks(), agent.share(10))
    };
    let rows = [
        (percent(50), Change::Nothing, Asks::Serve, 5),
        (standing(Standing::Drain), Change::Asks, Asks::Drain, 0),
        (percent(30), Change::Nothing, Asks::Drain, 0),
        (up(true), Change::Nothing, Asks::Drain, 0),
        (up(false), Change::Asks, Asks::Down, 0),
        (standing(Standing::Ready), Change::Nothing, Asks::Down, 0),
        (
            standing(Standing::Maintenance),
            Change::Asks,
            Asks::Maintenance,
            0,
        ),
        (up(true), Change::Nothing, Asks::Maintenance, 0),
        (standing(Standing::Ready), Change::Asks, Asks::Serve, 3),
        (percent(0), Change::Asks, Asks::Serve, 0),
        (percent(1), Change::Asks, Asks::Serve, 1),
    ];
    for (says, change, asks, weight) in rows {
        assert_eq!(hear(says.clone()), (change, asks, weight), "{says:?}");
    }
}

#[test]
fn one_that_does_not_answer_changes_nothing_and_is_told_once() {
    let now = Instant::now();
    let mut agent = Agent::new(now);
    agent.hear(&said(percent(50)), now);
    let silence = [
        (Finding::Down, Change::Silent),
        (Finding::Down, Change::Nothing),
        (Finding::CouldNotAsk, Change::Nothing),
        (Finding::Down, Change::Nothing),
    ];
    for (finding, change) in silence {
        assert_eq!(agent.hear(&failed(finding), now), change);
        assert_eq!((agent.asks(), agent.share(10)), (Asks::Serve, 5));
    }
    let shown = agent.shown(|_| 0);
    assert_eq!(shown.silent.as_deref(), Some("connection refused"));
    assert_eq!(agent.hear(&said(percent(50)), now), Change::Answers);
    assert_eq!(agent.hear(&said(percent(50)), now), Change::Nothing);
}

/// A restart of the director sends nobody to a server that wants nobody.
#[test]
fn until_it_is_heard_a_server_stands_as_it_was_found() {
    let now = Instant::now();
    let place = |weight| {
        let mut agent = Agent::new(now);
        agent.place(weight);
        agent
    };
    for (found, out, weight) in [(None, true, 10), (Some(0), false, 0), (Some(4), false, 4)] {
        let mut agent = place(found);
        assert_eq!((agent.takes_out(), agent.is_awaited()), (out, true));
        if !out {
            assert_eq!(agent.share(10), weight);
        }
        for finding in [Finding::Down, Finding::CouldNotAsk] {
            agent.clone_from(&place(found));
            agent.hear(&failed(finding), now);
            assert_eq!((agent.takes_out(), agent.share(10)), (false, 10));
        }
    }
}
