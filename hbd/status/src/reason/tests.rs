use super::*;

fn lb1() -> String {
    "lb1".to_owned()
}

fn claimed(cause: ClaimCause) -> GroupReason {
    GroupReason {
        claim: Some(ClaimReason {
            owner: "lb2".to_owned(),
            cause,
        }),
        ..GroupReason::default()
    }
}

#[test]
fn every_cause_of_a_claim_has_its_sentence() {
    let next = |fate| ClaimCause::Next {
        before: lb1(),
        fate,
    };
    let table = [
        (ClaimCause::Preferred, "lb2 is its preferred node"),
        (
            ClaimCause::CameBack,
            "lb2 is its preferred node and came back",
        ),
        (ClaimCause::Moved, "an operator moved it to lb2"),
        (
            next(Fate::Silent { links: 1 }),
            "lb1 fell silent (over the only link nobody can tell a dead node from a cut cable); \
             lb2 was next",
        ),
        (
            next(Fate::Silent { links: 2 }),
            "lb1 fell silent on every link; lb2 was next",
        ),
        (next(Fate::Left), "lb1 left; lb2 was next"),
        (next(Fate::Leaving), "lb1 is shutting down; lb2 was next"),
        (next(Fate::Failed), "lb1 could not start it; lb2 was next"),
        (
            ClaimCause::Instead { preferred: lb1() },
            "lb1 was not there; lb2 was next",
        ),
        (
            ClaimCause::UntilReturn,
            "lb2 has it until its preferred node returns",
        ),
        (ClaimCause::Stays, "lb2 keeps it until it is moved"),
        (
            ClaimCause::Kept,
            "lb2 ran it all along while the nodes could not hear each other",
        ),
        (ClaimCause::Deaf, "lb2 runs it and does not hear this node"),
        (
            ClaimCause::Disputed,
            "lb2 ran it as well and would not let go",
        ),
    ];
    for (cause, sentence) in table {
        assert_eq!(claimed(cause).to_string(), sentence);
    }
}

#[test]
fn what_a_group_waits_for_and_who_could_not_take_it_follow_the_cause() {
    let unfit = |node: &str, failed| Unfit {
        node: node.to_owned(),
        failed,
    };
    let reason = GroupReason {
        homeless: true,
        waiting: Some(Waiting::HoldDown {
            node: lb1(),
            times: 3,
            steady_ms: 2500,
        }),
        unfit: vec![unfit("lb3", Attempt::Start), unfit("lb4", Attempt::Stop)],
        ..claimed(ClaimCause::Stays)
    };
    assert_eq!(
        reason.to_string(),
        "lb2 keeps it until it is moved; no node can run it now; it went back to lb1 3 times \
         lately, so lb1 must be steady for 2.5 s before it goes there again; a failover is not \
         possible now: lb3 could not start it, lb4 could not stop it"
    );
    let nobody = GroupReason {
        waiting: Some(Waiting::Unheard { node: lb1() }),
        ..GroupReason::default()
    };
    assert_eq!(
        nobody.to_string(),
        "nobody has claimed it yet; waiting to hear lb1"
    );
}

#[test]
fn reasons_stand_in_json_as_values_and_come_back() {
    let reason = GroupReason {
        waiting: Some(Waiting::Stuck { node: lb1() }),
        ..claimed(ClaimCause::Next {
            before: lb1(),
            fate: Fate::Silent { links: 1 },
        })
    };
    let json = serde_json::to_value(&reason).expect("plain data");
    assert_eq!(json["claim"]["owner"], "lb2");
    assert_eq!(json["claim"]["cause"]["cause"], "next");
    assert_eq!(json["claim"]["cause"]["fate"], "silent");
    assert_eq!(json["waiting"]["for"], "stuck");
    let back: GroupReason = serde_json::from_value(json).expect("as it was written");
    assert_eq!(back, reason);
    let refused = RefusedReason::Replay {
        generation: 3,
        known: 5,
    };
    let json = serde_json::to_value(&refused).expect("plain data");
    assert_eq!(json["replay"]["known"], 5);
    assert_eq!(
        serde_json::to_value(RefusedReason::WrongKey).expect("plain data"),
        "wrong_key"
    );
}

#[test]
fn a_replay_is_explained_with_both_generations_and_the_way_out() {
    let refused = RefusedReason::Replay {
        generation: 3,
        known: 5,
    };
    let meaning = refused.meaning(Some("lb2"));
    assert!(
        meaning.starts_with("of generation 3, while generation 5 of lb2 was heard already"),
        "{meaning}"
    );
    assert!(
        meaning.contains("remove hb_uuid and hb_generation"),
        "{meaning}"
    );
}

#[test]
fn names_from_the_wire_cannot_forge_lines() {
    let name = "evil\nname".to_owned();
    let meaning = RefusedReason::NotConfigured { name }.meaning(None);
    assert!(!meaning.contains('\n'), "{meaning}");
}
