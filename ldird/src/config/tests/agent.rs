//! What a file says of agents.

use super::{Bad, Good, Warned, check_rows, good, only, parse};
use crate::probes::{Agent, Dialler, Frame, Framed, Probe};
use ldird_core::config::Check;
use std::sync::Arc;
use std::time::Duration;

const SECTION: &str = "virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate 100\n\tchecktype=connect\n";

#[test]
fn words_about_agents_are_read_as_people_write_them() {
    let row = |line: &str, expect| ("agent", format!("{SECTION}\t{line}\n"), expect);
    let port = "invalid agentport";
    let time = "invalid agentinterval";
    check_rows(&[
        row("agentport=7777", Good),
        row("agentport=0", Bad(port)),
        row("agentport=65536", Bad(port)),
        row("agentport=http", Bad(port)),
        row("agentport=", Bad(port)),
        row("agentport=7777\n\tagentinterval=2", Good),
        row("agentport=7777\n\tagentinterval=500ms", Good),
        row("agentport=7777\n\tagentinterval=0", Bad(time)),
        row("agentport=7777\n\tagentinterval=49ms", Bad(time)),
        row("agentport=7777\n\tagenttimeout=1.5s", Good),
        row("agenttimeout=soon", Bad("invalid agenttimeout")),
        row("agentport=7777\n\tagentsend=\"web\\n\"", Good),
        row("agentinterval=2", Warned("agentinterval has no effect")),
        row("agenttimeout=2", Warned("agenttimeout has no effect")),
        row("agentsend=\"web\"", Warned("agentsend has no effect")),
        (
            "off",
            format!("{SECTION}\tchecktype=off\n\tagentport=7777\n"),
            Warned("agentport has no effect"),
        ),
        (
            "weights of 1",
            format!("{}\tagentport=7777\n", SECTION.replace(" 100\n", "\n")),
            Warned("agentport: a weight of 1 has no parts"),
        ),
    ]);
    let (_, told) = parse(&format!("agentport=7777\nagentinterval=2\n{SECTION}"));
    assert_eq!(told, [], "globals are for whom they concern");
}

fn agent(say: &str, timeout: Duration) -> Probe {
    Probe::Agent(Agent {
        target: ([10, 0, 0, 1], 7777).into(),
        say: say.as_bytes().to_vec(),
        timeout,
    })
}

#[test]
fn each_real_server_has_its_agent_and_each_agent_one_question() {
    let second = Duration::from_secs(1);
    let text = format!(
        "checkinterval=7\ncheckmark=5\nagentport=7777\nagenttimeout=1\n{SECTION}\n{}\tagentport=7778\n\
         \tagentinterval=2\n\tagentsend=\"web\\n\"\n\n{}",
        SECTION.replace(":80", ":81"),
        SECTION.replace(":80", ":82"),
    );
    let configuration = good(&text);
    let agents: Vec<_> = configuration
        .core
        .services
        .iter()
        .map(|service| service.reals[0].agent.unwrap())
        .collect();
    assert_eq!(agents[0], agents[2], "the same program, asked as often");
    assert_ne!(agents[0].probe, agents[1].probe);
    assert_eq!(agents[0].interval, 7 * second, "as often as checks are");
    assert_eq!(agents[1].interval, 2 * second);
    let origin = Dialler {
        mark: 5,
        ..Dialler::default()
    };
    let frame = Frame {
        origin: Some(Arc::new(origin)),
        ..Frame::default()
    };
    let asked = &configuration.probes[&agents[0].probe];
    let expected = Framed::around(&Arc::new(frame), agent("", second));
    assert_eq!(**asked, expected, "from where checks come");
}

#[test]
fn who_is_always_up_may_have_an_agent_and_who_is_off_has_none() {
    for (kind, check, has) in [("on", Check::On, true), ("off", Check::Off, false)] {
        let text = format!("agentport=7777\n{SECTION}\tchecktype={kind}\n");
        let configuration = good(&text);
        let real = &only(&configuration).reals[0];
        assert_eq!((real.check, real.agent.is_some()), (check, has));
    }
}
