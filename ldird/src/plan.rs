//! `ldird plan`: every check once, and the changes of the table that a director would make now.
//!
//! A core of its own is fed with the kernel's table and real answers; its edits are printed and
//! taken as made, so nothing is changed.

use crate::apply;
use crate::commands::{CONFIGURATION, OK, load, say};
use crate::instance::Instance;
use crate::probes::{Probed, Prober};
use ldird_core::Director;
use ldird_core::config::ProbeId;
use ldird_core::input::Input;
use ldird_core::output::Output;
use ldird_core::table::{Edit, Service, Table};
use ldird_ipvs::Client;
use std::collections::BTreeSet;
use std::time::Instant;

pub(crate) async fn run(instance: &Instance) -> anyhow::Result<u8> {
    let (configuration, _) = load(instance);
    let Some(configuration) = configuration else {
        return Ok(CONFIGURATION);
    };
    let table = apply::table(&Client::connect().await?.dump().await?);
    let (prober, mut answers) = Prober::new(configuration.probes.clone());
    let waiting: BTreeSet<ProbeId> = configuration.probes.keys().copied().collect();
    let mut plan = Plan {
        director: Director::new(configuration.core, Instant::now()),
        prober,
        table,
        waiting,
        edits: 0,
    };
    plan.drain();
    while !plan.waiting.is_empty() {
        let Some(answer) = answers.recv().await else {
            break;
        };
        plan.answered(answer);
    }
    for service in plan.director.services(Instant::now(), 0) {
        for real in service.reals {
            say(&format!(
                "{} {}: {:?}, {} ({})\n",
                service.id, real.address, real.health, real.message, real.check
            ));
        }
    }
    if plan.edits == 0 {
        say("the table is as it should be\n");
    }
    Ok(OK)
}

struct Plan {
    director: Director,
    prober: Prober,
    /// The kernel's table, with the edits that were printed.
    table: Table,
    /// Checks that have not answered yet.
    waiting: BTreeSet<ProbeId>,
    edits: usize,
}

impl Plan {
    fn answered(&mut self, Probed { probe, verdict }: Probed) {
        self.waiting.remove(&probe);
        self.feed(Input::Probed { probe, verdict });
        // What a change asks for, e.g. a second look, is not waited for.
        let deadline = self.director.deadline();
        if self.waiting.is_empty() && deadline.is_some_and(|due| due <= Instant::now()) {
            self.feed(Input::Tick);
        }
    }

    fn feed(&mut self, input: Input) {
        self.director.handle(input, Instant::now());
        self.drain();
    }

    fn drain(&mut self) {
        let mut answers = Vec::new();
        while let Some(output) = self.director.poll() {
            match output {
                Output::Probe(probe) if self.waiting.contains(&probe) => self.prober.start(probe),
                Output::Read => answers.push(Input::Table(self.table.clone())),
                Output::Apply(edits) => answers.push(self.make(edits)),
                Output::Probe(_) | Output::Notice(_) | Output::Exit => {}
            }
        }
        for answer in answers {
            self.feed(answer);
        }
    }

    fn make(&mut self, edits: Vec<Edit>) -> Input {
        self.edits += edits.len();
        let results = edits.into_iter().map(|edit| {
            say(&format!("would {}\n", in_words(&edit)));
            pretend(&mut self.table, &edit);
            (edit, Ok(()))
        });
        Input::Applied(results.collect())
    }
}

fn in_words(edit: &Edit) -> String {
    match edit {
        Edit::AddService(service, spec) => format!("add {service} {}", spec.scheduler),
        Edit::EditService(service, spec) => format!("change {service} {}", spec.scheduler),
        Edit::DeleteService(service) => format!("delete {service}"),
        Edit::AddDestination(service, real, spec) => {
            format!(
                "add {real} to {service}, {} weight {}",
                spec.forwarding, spec.weight
            )
        }
        Edit::EditDestination(service, real, spec) => {
            format!(
                "change {real} of {service}: {} weight {}",
                spec.forwarding, spec.weight
            )
        }
        Edit::DeleteDestination(service, real) => format!("delete {real} from {service}"),
    }
}

/// What the kernel would hold afterwards.
fn pretend(table: &mut Table, edit: &Edit) {
    match edit {
        Edit::AddService(key, spec) => {
            let destinations = std::collections::BTreeMap::new();
            let spec = spec.clone();
            table.insert(*key, Service { spec, destinations });
        }
        Edit::EditService(key, spec) => {
            if let Some(service) = table.get_mut(key) {
                service.spec = spec.clone();
            }
        }
        Edit::DeleteService(key) => {
            table.remove(key);
        }
        Edit::AddDestination(key, real, spec) | Edit::EditDestination(key, real, spec) => {
            if let Some(service) = table.get_mut(key) {
                service.destinations.insert(*real, spec.clone());
            }
        }
        Edit::DeleteDestination(key, real) => {
            if let Some(service) = table.get_mut(key) {
                service.destinations.remove(real);
            }
        }
    }
}
