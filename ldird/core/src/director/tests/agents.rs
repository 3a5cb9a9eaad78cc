//! What becomes of the table by the word of agents.

use super::bed::{Bed, SERVICE, checked, config, row};
use crate::config::{AgentCheck, Check, Config, ProbeId};
use crate::input::{AgentSays, Finding, Input, Noted, Standing, Verdict};
use crate::output::Notice;
use crate::overrides::{Order, Slot};
use crate::table::Edit;
use ha_status::{Asks, Health, Override, Role, Says};
use std::time::Duration;

/// The agent of a real server has its number and this.
const AGENTS: u32 = 50;

fn with_agents(count: u8) -> Config {
    let mut config = config(checked(count));
    for real in &mut config.services[0].reals {
        let Check::Probe(ProbeId(number)) = real.check else {
            panic!("it is checked");
        };
        real.weight = 100;
        real.agent = Some(AgentCheck {
            probe: ProbeId(number + AGENTS),
            interval: Duration::from_secs(10),
        });
    }
    config
}

fn says(bed: &mut Bed, real: u32, says: AgentSays) -> Vec<Notice> {
    tell(bed, real, Finding::Up, Some(says))
}

fn tell(bed: &mut Bed, real: u32, finding: Finding, agent: Option<AgentSays>) -> Vec<Notice> {
    bed.pass(Duration::from_secs(10));
    let verdict = Verdict {
        finding,
        message: "as it is".to_owned(),
        took: Duration::ZERO,
        noted: Noted {
            agent,
            ..Noted::default()
        },
    };
    let probe = ProbeId(real + AGENTS);
    let outputs = bed.feed(Input::Probed { probe, verdict });
    bed.serve(outputs)
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

fn down() -> AgentSays {
    AgentSays {
        up: Some(false),
        why: "disk full".to_owned(),
        ..AgentSays::default()
    }
}

fn up() -> AgentSays {
    AgentSays {
        up: Some(true),
        ..AgentSays::default()
    }
}

#[test]
fn a_server_joins_with_what_its_agent_asks_for() {
    let mut bed = Bed::settled(with_agents(2), 2);
    assert_eq!(bed.rows(), [], "nobody has said what they want");
    says(&mut bed, 1, percent(40));
    assert_eq!(bed.rows(), [(row(1), 40)]);
    let told = tell(&mut bed, 2, Finding::Down, None);
    assert_eq!(bed.rows(), [(row(1), 40), (row(2), 100)]);
    assert!(
        matches!(told.first(), Some(Notice::AgentSilent { .. })),
        "{told:?}"
    );
    assert_eq!(tell(&mut bed, 2, Finding::Down, None), []);
}

#[test]
fn the_words_of_an_agent_change_the_row_and_are_told() {
    for quiescent in [false, true] {
        let mut file = with_agents(1);
        file.services[0].quiescent = quiescent;
        let mut bed = Bed::settled(file, 1);
        says(&mut bed, 1, up());
        let out: &[_] = if quiescent { &[(row(1), 0)] } else { &[] };
        let share = says(&mut bed, 1, percent(25));
        let weighted = Notice::RealWeighted {
            service: SERVICE,
            real: row(1),
            weight: 25,
        };
        assert_eq!(share, [weighted], "no more than the table tells");
        says(&mut bed, 1, standing(Standing::Drain));
        assert_eq!(bed.rows(), [(row(1), 0)], "its connections go on");
        says(&mut bed, 1, standing(Standing::Maintenance));
        assert_eq!(bed.rows(), out);
        assert_eq!(shown(&bed), (Health::Maintenance, Asks::Maintenance));
        says(&mut bed, 1, standing(Standing::Ready));
        assert_eq!(bed.rows(), [(row(1), 25)]);
        let told = says(&mut bed, 1, down());
        assert_eq!(bed.rows(), out);
        assert_eq!(shown(&bed), (Health::Down, Asks::Down));
        let asks = told.first().expect("it is told");
        let Notice::AgentAsks { agent, down, .. } = asks else {
            panic!("{asks:?}");
        };
        assert_eq!(agent.to_string(), "down: disk full");
        assert!(*down);
        tell(&mut bed, 1, Finding::Down, None);
        assert_eq!(
            bed.rows(),
            out,
            "what it said counts until it says otherwise"
        );
        says(&mut bed, 1, up());
        assert_eq!(bed.rows(), [(row(1), 25)]);
        assert_eq!(shown(&bed), (Health::Up, Asks::Serve));
    }
}

fn shown(bed: &Bed) -> (Health, Asks) {
    let real = bed.director.services(bed.now, 0).remove(0).reals.remove(0);
    (real.health, real.agent.expect("it has an agent").asks)
}

/// Maintenance, operator, health with the agent, configuration.
#[test]
fn an_operator_counts_more_than_an_agent_and_a_failed_check_more_than_its_share() {
    let mut bed = Bed::settled(with_agents(1), 1);
    says(&mut bed, 1, percent(50));
    let order = |says| {
        let shown = Override {
            says,
            by: String::new(),
            why: String::new(),
            since_ms: 0,
            until_ms: None,
        };
        Some(Order { shown, until: None })
    };
    let overrule = |bed: &mut Bed, order| {
        let (place, slot) = ((SERVICE, row(1)), Slot::Weight);
        let outputs = bed.feed(Input::Overrule { place, slot, order });
        bed.serve(outputs);
        bed.rows()
    };
    let weight = |regardless| Says::Weight {
        weight: 7,
        regardless,
    };
    assert_eq!(overrule(&mut bed, order(weight(false))), [(row(1), 7)]);
    says(&mut bed, 1, standing(Standing::Drain));
    assert_eq!(bed.rows(), [(row(1), 7)]);
    says(&mut bed, 1, down());
    assert_eq!(bed.rows(), [], "as after a failed check");
    assert_eq!(overrule(&mut bed, order(weight(true))), [(row(1), 7)]);
    assert_eq!(overrule(&mut bed, order(Says::Drain)), [(row(1), 0)]);
    assert_eq!(overrule(&mut bed, None), []);
    let ready = AgentSays {
        up: Some(true),
        ..standing(Standing::Ready)
    };
    says(&mut bed, 1, ready);
    assert_eq!(bed.rows(), [(row(1), 50)]);
    bed.verdict(1, false);
    assert_eq!(bed.rows(), []);
}

#[test]
fn who_comes_back_by_its_agent_comes_slowly_and_gets_its_share() {
    let mut file = with_agents(1);
    file.services[0].options.slowstart = Some(Duration::from_secs(45));
    let mut bed = Bed::settled(file, 1);
    says(&mut bed, 1, percent(50));
    assert_eq!(bed.rows(), [(row(1), 50)], "a start is not slow");
    says(&mut bed, 1, down());
    says(&mut bed, 1, up());
    assert_eq!(bed.rows(), [(row(1), 5)]);
    bed.pass(Duration::from_secs(5));
    assert_eq!(bed.rows(), [(row(1), 10)]);
    says(&mut bed, 1, percent(100));
    assert_eq!(bed.rows(), [(row(1), 40)], "10 s later, of twice as much");
    bed.pass(Duration::from_secs(60));
    assert_eq!(bed.rows(), [(row(1), 100)]);
}

#[test]
fn a_restart_and_a_reload_disturb_nobody() {
    // The table of an earlier life, in which the agent had its say.
    let mut bed = Bed::adopting(with_agents(2), &[1]);
    let outputs = bed.drain();
    bed.serve(outputs);
    bed.verdict(1, true);
    bed.verdict(2, true);
    assert_eq!(bed.rows(), [(row(1), 1)], "as found, and nobody new");
    says(&mut bed, 1, percent(1));
    says(&mut bed, 2, percent(70));
    assert_eq!(bed.rows(), [(row(1), 1), (row(2), 70)]);
    let reload = |bed: &mut Bed, file: Config| {
        let outputs = bed.feed(Input::Reload(file));
        bed.serve(outputs);
        bed.rows()
    };
    let same = reload(&mut bed, with_agents(2));
    assert_eq!(same, [(row(1), 1), (row(2), 70)]);
    let mut without = with_agents(2);
    without.services[0].reals[1].agent = None;
    let rows = reload(&mut bed, without);
    assert_eq!(
        rows,
        [(row(1), 1), (row(2), 100)],
        "its word is gone with it"
    );
    let rows = reload(&mut bed, with_agents(2));
    assert_eq!(rows, [(row(1), 1), (row(2), 100)], "and does not come back");
}

#[test]
fn agents_are_heard_on_standby() {
    let mut bed = Bed::settled_in(with_agents(1), Role::Standby, 1);
    says(&mut bed, 1, percent(30));
    let outputs = bed.feed(Input::Turn(Role::Active));
    let told = bed.serve(outputs);
    assert_eq!(bed.rows(), [(row(1), 30)]);
    assert!(told.contains(&Notice::Turned(Role::Active)));
}

/// The fallback is there while nobody is to get a connection, and nobody's row is edited twice.
#[test]
fn a_fallback_stands_in_where_every_agent_drains() {
    let mut file = with_agents(1);
    file.services[0].fallback = Some(crate::config::Fallback {
        key: row(200),
        forwarding: crate::table::Forwarding::Masq,
    });
    let mut bed = Bed::settled(file, 1);
    says(&mut bed, 1, percent(100));
    assert_eq!(bed.rows(), [(row(1), 100)]);
    let before = bed.edits;
    says(&mut bed, 1, percent(0));
    assert_eq!(bed.rows(), [(row(1), 0), (row(200), 1)]);
    assert_eq!(bed.edits - before, 2);
    let refuses = |edit: &Edit| matches!(edit, Edit::DeleteDestination(..));
    bed.refuses = refuses;
    says(&mut bed, 1, percent(10));
    assert_eq!(bed.rows(), [(row(1), 10), (row(200), 1)]);
}
