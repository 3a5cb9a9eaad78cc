//! `ldird plan`: every check once, and the changes of the table that a director would make now.
//!
//! A rehearsal is fed with real answers, and what it makes of the kernel's table is printed. Nothing
//! is changed.

use crate::apply;
use crate::config::Configuration;
use crate::console::{CONFIGURATION, OK, load, say};
use crate::instance::Instance;
use crate::maintenance::{self, Change, Maintenance};
use crate::probes::{Probed, Prober};
use crate::rehearsal::{Rehearsal, Said};
use crate::show;
use crate::wording;
use ha_status::RealServer;
use ldird_core::config::ProbeId;
use ldird_core::diff;
use ldird_core::input::Input;
use ldird_core::table::{DestinationSpec, Edit, ServiceSpec, Table, Tunnel};
use ldird_ipvs::{Client, Error};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Instant;
use tokio::select;
use tokio::time::sleep_until;

pub(crate) async fn run(instance: &Instance) -> anyhow::Result<u8> {
    let (configuration, _) = load(instance);
    let Some(configuration) = configuration else {
        return Ok(CONFIGURATION);
    };
    let before = present().await?;
    let (prober, mut answers) = Prober::new(configuration.probes.clone());
    let waiting: BTreeSet<ProbeId> = configuration.probes.keys().copied().collect();
    let maintained = maintained(&configuration);
    let (rehearsal, said) = Rehearsal::new(configuration.core, before.clone());
    let mut plan = Plan {
        rehearsal,
        prober,
        waiting,
    };
    plan.ask(said);
    for Change {
        service,
        real,
        active,
        file: _,
    } in maintained
    {
        plan.feed(Input::Maintenance {
            service,
            real,
            active,
        });
    }
    while !plan.waiting.is_empty() {
        let due = plan
            .rehearsal
            .director
            .deadline()
            .map(tokio::time::Instant::from);
        select! {
            biased;
            // Woken in time, so that it does not take itself for having stood still.
            () = sleep_until(due.unwrap_or_else(tokio::time::Instant::now)), if due.is_some() => {
                plan.feed(Input::Tick);
            }
            answer = answers.recv() => match answer {
                Some(answer) => plan.answered(answer),
                None => break,
            },
        }
    }
    for service in plan.rehearsal.director.services(Instant::now(), 0) {
        for real in service.reals {
            let (health, check) = (wording::health(real.health), &real.check);
            let message = match show::said(&real).as_str() {
                "" => String::new(),
                message => format!(", {message}"),
            };
            let agent = agent(&real);
            say(&format!(
                "{} {}: {health}{message} ({check}){agent}\n",
                service.id, real.address
            ));
        }
    }
    let edits = diff::diff(&before, &plan.rehearsal.table);
    for edit in &edits {
        say(&format!("would {}\n", in_words(edit)));
    }
    if edits.is_empty() {
        say("the table is as it should be\n");
    }
    Ok(OK)
}

/// The kernel's table. Verdicts are worth seeing where the kernel has none, too: on the desk of who
/// writes the file.
async fn present() -> anyhow::Result<Table> {
    match Client::connect().await {
        Ok(mut client) => Ok(apply::table(&client.dump().await?)),
        Err(error @ Error::ModuleMissing { .. }) => {
            eprintln!("{error}; the plan is for an empty table");
            Ok(Table::default())
        }
        Err(error) => Err(error.into()),
    }
}

/// Who is in maintenance now.
fn maintained(configuration: &Configuration) -> Vec<Change> {
    let mut maintenance = Maintenance::default();
    let listing = maintenance::list(configuration.maintenancedir.as_deref());
    let mut changes = maintenance.heard(listing, &configuration.core);
    if let Some(Err(error)) = maintenance.trouble() {
        eprintln!("{error}; the plan is for nobody in maintenance");
    }
    let hosts = maintenance::resolve(maintenance.questions(Instant::now()));
    changes.extend(maintenance.resolved(hosts, &configuration.core));
    changes
}

fn agent(real: &RealServer) -> String {
    let agent = real.agent.as_ref();
    agent.map_or_else(String::new, |agent| format!("; its agent: {agent}"))
}

struct Plan {
    rehearsal: Rehearsal,
    prober: Prober,
    /// Checks that have not answered yet.
    waiting: BTreeSet<ProbeId>,
}

impl Plan {
    fn answered(&mut self, Probed { probe, verdict, .. }: Probed) {
        self.waiting.remove(&probe);
        self.feed(Input::Probed { probe, verdict });
        // What a change asks for, e.g. a second look, is not waited for.
        let deadline = self.rehearsal.director.deadline();
        if self.waiting.is_empty() && deadline.is_some_and(|due| due <= Instant::now()) {
            self.feed(Input::Tick);
        }
    }

    fn feed(&mut self, input: Input) {
        let said = self.rehearsal.handle(input);
        self.ask(said);
    }

    fn ask(&mut self, said: Vec<Said>) {
        for one in said {
            if let Said::Probe(probe, due) = one
                && self.waiting.contains(&probe)
            {
                self.prober.start(probe, due);
            }
        }
    }
}

fn in_words(edit: &Edit) -> String {
    match edit {
        Edit::AddService(service, spec) => format!("add {service} {}", attributes(spec)),
        Edit::EditService(service, spec) => format!("change {service} to {}", attributes(spec)),
        Edit::DeleteService(service) => format!("delete {service}"),
        Edit::AddDestination(service, real, spec) => {
            format!("add {real} to {service}, {}", place(spec))
        }
        Edit::EditDestination(service, real, spec) => {
            format!("change {real} of {service} to {}", place(spec))
        }
        Edit::DeleteDestination(service, real) => format!("delete {real} from {service}"),
    }
}

/// `wlc persistent 600 mask /24 pe sip one-packet flags 1,2`
pub(crate) fn attributes(spec: &ServiceSpec) -> String {
    let mut text = spec.scheduler.clone();
    if let Some(seconds) = spec.persistent {
        write!(text, " persistent {seconds} mask /{}", spec.netmask).expect(WRITES);
    }
    if let Some(engine) = &spec.pe {
        write!(text, " pe {engine}").expect(WRITES);
    }
    if spec.one_packet {
        text.push_str(" one-packet");
    }
    let flags: Vec<&str> = ["1", "2", "3"]
        .into_iter()
        .zip(spec.scheduler_flags)
        .filter_map(|(flag, set)| set.then_some(flag))
        .collect();
    if !flags.is_empty() {
        write!(text, " flags {}", flags.join(",")).expect(WRITES);
    }
    text
}

fn place(spec: &DestinationSpec) -> String {
    let mut text = match spec.tunnel {
        Tunnel::Ipip => format!("{} weight {}", spec.forwarding, spec.weight),
        Tunnel::Gue { port, checksum: _ } => {
            format!("{} gue {port} weight {}", spec.forwarding, spec.weight)
        }
        Tunnel::Gre { checksum: _ } => format!("{} gre weight {}", spec.forwarding, spec.weight),
    };
    if (spec.lower, spec.upper) != (0, 0) {
        write!(text, " l:{} u:{}", spec.lower, spec.upper).expect(WRITES);
    }
    text
}

const WRITES: &str = "writing to a String succeeds";
