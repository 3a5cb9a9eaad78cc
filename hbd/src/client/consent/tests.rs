use super::*;
use ha_status::{ClusterPhase, Counters, GroupRun};

fn snapshot(states: &[(&str, RunState)]) -> ClusterSnapshot {
    let runs = states.iter().map(|(node, state)| GroupRun {
        node: (*node).to_owned(),
        state: *state,
    });
    let group = Group {
        name: "IPaddr::10.0.0.1".to_owned(),
        preferred: "lb1".to_owned(),
        owner: Some("lb1".to_owned()),
        epoch: 3,
        state: RunState::Stopped,
        runs: runs.collect(),
        resources: Vec::new(),
        reason: ha_status::GroupReason::default(),
        timing: None,
    };
    ClusterSnapshot {
        node: "lb2".to_owned(),
        at_ms: 0,
        uptime_ms: 0,
        phase: ClusterPhase::Running,
        extended: true,
        auto_failback: "on".to_owned(),
        keepalive_ms: 200,
        deadtime_ms: 2000,
        nodes: Vec::new(),
        links: Vec::new(),
        groups: vec![group],
        counters: Counters::default(),
        refused: Vec::new(),
        recent: Vec::new(),
    }
}

#[test]
fn only_nodes_that_could_not_stop_a_group_of_the_set_are_asked_about() {
    let stuck = snapshot(&[("lb1", RunState::Stuck), ("lb2", RunState::Stopped)]);
    let names = |set| holders(&stuck, set).into_iter().collect::<Vec<_>>();
    assert_eq!(names(HoldSet::All), ["lb1"]);
    assert_eq!(names(HoldSet::Foreign), ["lb1"]);
    assert!(names(HoldSet::Local).is_empty());
    let well = snapshot(&[("lb1", RunState::Running), ("lb2", RunState::Stopped)]);
    assert!(holders(&well, HoldSet::All).is_empty());
}

#[test]
fn the_question_names_the_node_and_the_group() {
    let stuck = snapshot(&[("lb1", RunState::Stuck)]);
    let text = question(&stuck, HoldSet::All, "lb1");
    assert!(text.contains("Node lb1 could not stop:\n  IPaddr::10.0.0.1\n"));
    assert!(text.ends_with("Type lb1 to go on: "));
}
