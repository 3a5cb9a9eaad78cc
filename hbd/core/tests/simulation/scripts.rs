//! What really runs on a machine, and the scripts that start and stop it: ready at once, slow,
//! failing or hanging until their time limit.

use crate::faults::{MILLI, Micros, Plan, ScriptFaults};
use crate::generator::Generator;
use hbd_core::input::{Activity, Failure};

/// One machine's resources. They outlive the daemon.
pub(crate) struct Machine {
    groups: Vec<Resource>,
    faults: ScriptFaults,
    limit: Micros,
    next: u64,
}

#[derive(Default)]
struct Resource {
    /// May anything of the group be active? From the beginning of a start to the end of a stop.
    active: bool,
    operation: Option<(u64, Operation)>,
    /// Is what it needs, an interface, not there?
    missing: bool,
    /// Has its start been refused because of that? One that had begun before succeeds.
    refused: bool,
}

/// A running script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Probe,
    Start,
    Stop,
}

/// What a script has answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Probed(Activity),
    Started(Result<(), Failure>),
    Stopped(Result<(), Failure>),
}

/// A script that was begun: its answer is due at this time.
pub(crate) struct Begun {
    pub(crate) ticket: u64,
    pub(crate) takes: Micros,
}

impl Machine {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut groups = Vec::new();
        groups.resize_with(plan.groups.len(), Resource::default);
        Self {
            groups,
            faults: plan.scripts.clone(),
            limit: plan.script_limit(),
            next: 0,
        }
    }

    pub(crate) fn active(&self, group: usize) -> bool {
        self.groups[group].active
    }

    /// Begins a script. A start that was still running is ended; the caller answers it.
    pub(crate) fn begin(
        &mut self,
        group: usize,
        operation: Operation,
        random: &mut Generator,
    ) -> (Begun, bool) {
        self.next += 1;
        let ticket = self.next;
        let resource = &mut self.groups[group];
        let ended = matches!(resource.operation, Some((_, Operation::Start)));
        resource.operation = Some((ticket, operation));
        if operation == Operation::Start {
            resource.active = true;
            resource.refused = resource.missing;
        }
        let takes = if random.percent(self.faults.hang) {
            self.limit
        } else if random.percent(self.faults.slow) {
            random.between(50 * MILLI, self.limit)
        } else {
            random.between(MILLI, 20 * MILLI)
        };
        (Begun { ticket, takes }, ended)
    }

    /// The script ends, if it is still running.
    pub(crate) fn finish(
        &mut self,
        group: usize,
        ticket: u64,
        took: Micros,
        random: &mut Generator,
    ) -> Option<Answer> {
        let resource = &mut self.groups[group];
        let (current, operation) = resource.operation?;
        if current != ticket {
            return None;
        }
        resource.operation = None;
        let hung = self.faults.hang > 0 && took >= self.limit;
        let fails = hung || random.percent(self.faults.fail);
        Some(match operation {
            Operation::Probe if fails => Answer::Probed(Activity::Unclear),
            Operation::Probe => Answer::Probed(match (resource.active, random.percent(50)) {
                (false, _) => Activity::Nothing,
                (true, false) => Activity::Something,
                (true, true) => Activity::Everything,
            }),
            Operation::Start if fails || resource.refused => {
                let still_held = random.percent(30);
                resource.active = still_held;
                Answer::Started(Err(failure("start", still_held)))
            }
            Operation::Start => Answer::Started(Ok(())),
            Operation::Stop if fails => Answer::Stopped(Err(failure("stop", true))),
            Operation::Stop => {
                resource.active = false;
                Answer::Stopped(Ok(()))
            }
        })
    }

    pub(crate) fn missing(&self, group: usize) -> bool {
        self.groups[group].missing
    }

    /// Takes away what a group needs, or gives it back. Did that change anything?
    pub(crate) fn take(&mut self, group: usize, missing: bool) -> bool {
        std::mem::replace(&mut self.groups[group].missing, missing) != missing
    }

    /// The daemon is gone and its scripts with it; without power everything is.
    pub(crate) fn crash(&mut self, power: bool) {
        for resource in &mut self.groups {
            resource.operation = None;
            resource.active &= !power;
        }
    }

    /// From now on every script works.
    pub(crate) fn calm(&mut self) {
        self.faults = ScriptFaults::default();
        for resource in &mut self.groups {
            resource.missing = false;
        }
    }
}

/// How a start answers that was ended because the group must stop.
pub(crate) fn ended() -> Result<(), Failure> {
    Err(failure("start ended", true))
}

fn failure(reason: &str, still_held: bool) -> Failure {
    Failure {
        resource: "IPaddr::10.0.0.1".to_owned(),
        reason: reason.to_owned(),
        still_held,
    }
}
