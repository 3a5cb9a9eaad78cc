//! Agents on real servers, and what becomes of the kernel's table by their word.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, ensure};

use super::balancing::{CF, Farm, LIMIT, VIP};
use super::{Case, Place};
use crate::bed::host::Host;
use crate::bed::wait;
use crate::scenario::table::Table;

pub(super) const CASES: &[Case] = &[Case {
    name: "an_agent_says_how_much_its_server_gets_and_a_restart_forgets_none_of_it",
    place: Place::Kernel,
    run: agents,
}];

const PORT: u16 = 7777;

/// One program on all real servers of a farm. What it says to who asks it at an address; where there
/// is nothing it closes the connection without a word.
#[derive(Clone, Default)]
struct Agents(Arc<Mutex<BTreeMap<IpAddr, &'static str>>>);

impl Agents {
    /// It ends with the test.
    fn start(host: &Host) -> Result<Self> {
        let listener = host.within(|| {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT));
            listener.context("the agents' port")
        })?;
        let agents = Self::default();
        let said = agents.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let word = stream
                    .local_addr()
                    .ok()
                    .and_then(|at| said.words().get(&at.ip()).copied());
                // Who has gone is asked again.
                let _ = word.map(|word| stream.write_all(word.as_bytes()));
            }
        });
        Ok(agents)
    }

    fn words(&self) -> std::sync::MutexGuard<'_, BTreeMap<IpAddr, &'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, last: u8, word: &'static str) {
        self.words()
            .insert(Ipv4Addr::new(10, 10, 0, last).into(), word);
    }

    fn fall_silent(&self, last: u8) {
        self.words().remove(&Ipv4Addr::new(10, 10, 0, last).into());
    }
}

/// Real servers by the last number of their address, with their weights.
fn weights(host: &Host) -> Result<Vec<(u8, u32)>> {
    let table = Table::of(host)?;
    let rows = table.0.values().flat_map(|service| &service.destinations);
    rows.map(|(address, row)| {
        let last = address.rsplit(['.', ':']).nth(1);
        let last = last.and_then(|last| last.parse().ok());
        Ok((last.context("an address")?, row.weight))
    })
    .collect()
}

fn await_weights(host: &Host, wanted: &[(u8, u32)]) -> Result<()> {
    let mut last = Vec::new();
    wait::for_some(&format!("the weights {wanted:?}"), LIMIT, || {
        last = weights(host)?;
        Ok((last == wanted).then_some(()))
    })
    .with_context(|| format!("they are {last:?}"))
}

fn agents() -> Result<()> {
    let farm = Farm::new("")?;
    let (director, host) = (&farm.director, farm.host());
    let agents = Agents::start(farm.servers())?;
    agents.say(20, "75%\n");
    agents.say(21, "up ready 100%");
    let text = format!(
        "checkinterval=1\nchecktimeout=3\nquiescent=no\nagentport={PORT}\nagentinterval=500ms\n\n\
         virtual={VIP}:80\n\treal=10.10.0.20->10.10.0.22:80 gate 100\n\tchecktype=connect\n\
         \tscheduler=wlc\n"
    );
    fs::write(host.folder().join("etc").join(CF), text)?;
    director.program("ldird", &[CF, "start"])?;
    // The third one has an agent that says nothing.
    await_weights(host, &[(20, 75), (21, 100), (22, 100)])?;
    agents.say(20, "10%\n");
    agents.say(21, "drain # updates\n");
    agents.say(22, "DOWN#disk full\r\n");
    let asked = [(20, 10), (21, 0)];
    await_weights(host, &asked)?;
    let shown = director.program("ldird", &[CF, "show"])?;
    for words in ["drain: updates", "down: disk full", "10 % of the weight"] {
        ensure!(shown.contains(words), "no {words} in\n{shown}");
    }
    // Nothing that it said is forgotten because it does not answer.
    agents.fall_silent(20);
    wait::until("the silence is shown", LIMIT, || {
        let shown = director.program("ldird", &[CF, "show"]);
        shown.is_ok_and(|shown| shown.contains("does not answer: it said nothing"))
    })?;
    ensure!(weights(host)? == asked, "{:?}", weights(host)?);
    agents.say(20, "10%\n");
    wait::until("it is heard again", LIMIT, || {
        let shown = director.program("ldird", &[CF, "show"]);
        shown.is_ok_and(|shown| !shown.contains("does not answer"))
    })?;
    // At no moment does a server get more than its agent asks for.
    let restart = || director.program("ldird", &[CF, "restart"]).map(drop);
    super::watch::meanwhile(restart, || {
        let now = weights(host)?;
        ensure!(now == asked, "the weights became {now:?}");
        Ok(())
    })?;
    agents.say(21, "ready\n");
    agents.say(22, "up\n");
    await_weights(host, &[(20, 10), (21, 100), (22, 100)])?;
    ensure!(
        director
            .program("ldird", &[CF, "show"])?
            .contains("its agent"),
        "the new one asks agents"
    );
    director.program("ldird", &[CF, "stop"]).map(drop)
}
