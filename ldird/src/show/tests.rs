use super::{asked_for, in_stage, panicking, second_opinion, synchronised};
use ha_status::{Agent, Asks, ConnectionSync, Panic, SecondOpinion, Stage, SyncEnd};

#[test]
fn the_sync_daemon_is_one_line_with_what_is_wrong() {
    let sync = |runs, problem: &str| ConnectionSync {
        end: SyncEnd::Master,
        interface: "eth1".to_owned(),
        sync_id: 7,
        runs,
        problem: problem.to_owned(),
    };
    for (runs, problem, wanted) in [
        (true, "", ""),
        (false, "", ": not yet"),
        (
            false,
            "no such device",
            ": not synchronised: no such device",
        ),
    ] {
        let line = synchronised(&sync(runs, problem));
        assert_eq!(
            line,
            format!("  connections: master on eth1, syncid 7{wanted}")
        );
    }
}

#[test]
fn weights_that_are_held_and_servers_on_their_way_are_said_in_words() {
    let panic = Panic {
        failing: 3,
        since_ms: 1_000,
        until_ms: 301_000,
    };
    assert_eq!(
        panicking(&panic, 13_000),
        "  PANIC for 12s: 3 real servers fail and keep their weights, until they pass or in 4m48s"
    );
    let mut opinion = SecondOpinion {
        real: "10.0.0.3:80".to_owned(),
        node: "lb2".to_owned(),
        up: vec!["10.0.0.1:80".to_owned()],
        since_ms: 1_000,
        until_ms: 901_000,
    };
    assert_eq!(
        second_opinion(&opinion, 13_000),
        "  SECOND OPINION for 12s: 10.0.0.3:80 fails here and keeps its weight, lb2 finds \
         10.0.0.1:80 up; until that changes or in 14m48s"
    );
    opinion.node.clear();
    assert_eq!(
        second_opinion(&opinion, 1_500),
        "  SECOND OPINION: 10.0.0.3:80 fails and is the last one, others are being asked"
    );
    let full_ms = 53_000;
    let weight = 30;
    for (stage, text) in [
        (
            Stage::SlowStart { weight, full_ms },
            "slow start: weight 30, all of it in 40s",
        ),
        (
            Stage::Rising { passes: 1, of: 3 },
            "passed 1 of 3, down until then",
        ),
        (Stage::Held, "fails, and its weight is held"),
    ] {
        assert_eq!(in_stage(stage, 13_000), text);
    }
}

#[test]
fn what_an_agent_asks_for_is_said_in_words() {
    let agent = |asks, percent, why: &str, silent: Option<&str>| Agent {
        asks,
        percent,
        why: why.to_owned(),
        since_ms: 1_000,
        silent: silent.map(str::to_owned),
    };
    let refused = Some("connection refused");
    for (agent, text) in [
        (agent(Asks::Serve, 75, "", None), "75 % of the weight"),
        (agent(Asks::Drain, 75, "updates", None), "drain: updates"),
        (
            agent(Asks::Maintenance, 75, "", refused),
            "maintenance; does not answer: connection refused",
        ),
        (agent(Asks::Down, 100, "disk full", None), "down: disk full"),
    ] {
        let line = asked_for(&agent, 13_000);
        assert_eq!(line, format!("      its agent, for 12s: {text}"));
    }
}
